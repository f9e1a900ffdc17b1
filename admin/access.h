#ifndef ADMIN_ACCESS_H
#define ADMIN_ACCESS_H
/* access - what the addresses below /api/v1/access share. */
#include "admin/json.h"
#include "admin/request.h"

struct conf_site;

/* The forward proxies of a configuration, one after another; NULL: no more. *at begins with 0. */
const struct conf_site *access_next(const struct conf *conf, size_t *at);
/* The names of all of them, as an array. */
void access_write_names(const struct conf *conf, struct json *json);
/* The query's "forward": *name is it, or NULL where none is given. False: there is no such forward
 * proxy, and the answer is made. */
bool access_forward_asked(struct admin_request *request, const char **name);
/* The query's "limit", from 1 to max. False: the answer is made. */
bool access_limit_asked(struct admin_request *request, unsigned normal, unsigned max,
                        unsigned *limit);
/* "larder.conf:12" under this key, or null. */
void access_put_where(struct json *json, const char *key, struct conf_where where);
#endif
