#ifndef ADMIN_BODY_H
#define ADMIN_BODY_H
/* body - a request's JSON body, read by cJSON behind limits of our own. */
#include "admin/request.h"

struct cJSON;

/* The body's object; free with cJSON_Delete. NULL: the answer (400) is made. */
struct cJSON *body_parse(struct admin_request *request);
/* The text of a member that is a string; NULL otherwise. Borrowed from object. */
const char *body_text(const struct cJSON *object, const char *name);
#endif
