#ifndef HTTP_VARY_LIMIT_H
#define HTTP_VARY_LIMIT_H
/*
 * vary_limit - the operator's say in which names of Vary make variants. "*" is not his to ignore.
 * Threads: any; pure.
 */
#include <stdbool.h>

#include "base/span.h"
#include "http/fields.h"

/* Fills out (its array and capacity are the caller's) with the response's fields, where Vary has
 * one line for each name that is not ignored. ignore: names in any case. False: no room. */
bool http_vary_without(struct http_fields *out, const struct http_fields *response,
                       const struct span *ignore, unsigned ignore_count);
#endif
