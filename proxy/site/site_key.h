#ifndef SITE_SITE_KEY_H
#define SITE_SITE_KEY_H
/*
 * site_key - under which key the cache has what a request of this site asks for.
 *
 * Threads: any; pure. Ownership: results are in the arena, or borrow from the request.
 */
#include "base/arena.h"
#include "http/request.h"
#include "site/site.h"

/* The target without what the policy drops from the query; NULL ptr: the arena is full. */
struct span site_target(struct arena *arena, const struct policy *policy, struct span target);
/* Room for the key of this target (site_target), and the key: what http_key_write says, behind
 * the prefix of a forward proxy. */
size_t site_key_bytes(const struct site *site, const struct http_request *request,
                      struct span target);
struct span site_key_write(char *out, const struct site *site, const struct http_request *request,
                           struct span target);
/* The key of a path of this request's authority, under the policy its path has; NULL ptr: the arena
 * is full. */
struct span site_key_of(struct arena *arena, const struct site *site,
                        const struct http_request *request, struct span path);
#endif
