#ifndef EXCHANGE_PARENT_H
#define EXCHANGE_PARENT_H
/*
 * parent - what a parent proxy is told that no server is: who we are to it, and where the request
 * has been (loop.h).
 *
 * Threads: any; pure. Ownership: lines are in the arena, or the configuration's.
 */
#include "exchange/site.h"
#include "http/fields.h"

#define PARENT_LINES 3u

/* fields: of the client's request. Returns how many lines; 0 under a policy without parents. */
unsigned parent_lines(struct arena *arena, const struct site *site, const struct policy *policy,
                      const struct http_fields *fields, struct span out[PARENT_LINES]);
#endif
