#ifndef ADMIN_PURGE_HINTS_H
#define ADMIN_PURGE_HINTS_H
/* purge_hints - why a URL may have matched nothing. */
#include "admin/json.h"
#include "admin/request.h"

/* Appends strings to an open array: that no site has the URL's host, or its other spellings that
 * are stored. url is one that service_purge_key takes. */
void purge_hints_write(struct admin_request *request, const char *url, struct json *json);
#endif
