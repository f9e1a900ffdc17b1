#ifndef ADMIN_ACCESS_H
#define ADMIN_ACCESS_H
/* access - what the addresses below /api/v1/access share. */
#include "admin/json.h"
#include "admin/request.h"
#include "record/tally.h"

struct conf_site;

/* The forward proxies of a configuration, one after another; NULL: no more. *at begins with 0. */
const struct conf_site *access_next(const struct conf *conf, size_t *at);
/* Rows for all rules of the configuration, also those that have decided on nothing so far. conf must
 * outlive sum. */
void access_want_rules(const struct conf *conf, struct tally_sum *sum);
/* The names of all of them, as an array. */
void access_write_names(const struct conf *conf, struct json *json);
/* The query's "forward": *name is it, or NULL where none is given. False: there is no such forward
 * proxy, and the answer is made. */
bool access_forward_asked(struct admin_request *request, const char **name);
/* The query's "limit", from 1 to max. False: the answer is made. */
bool access_limit_asked(struct admin_request *request, unsigned normal, unsigned max,
                        unsigned *limit);
/* "text" and "at" of an access rule by its place in the file; null for what is built in. */
void access_put_rule(struct json *json, const struct conf *conf, const struct conf_site *site,
                     unsigned rule);
/* "larder.conf:12" under this key, or null. */
void access_put_where(struct json *json, const char *key, struct conf_where where);
#endif
