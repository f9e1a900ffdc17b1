#ifndef SITE_PARENT_H
#define SITE_PARENT_H
/*
 * parent - what a parent proxy is told that no server is: who we are to it, and where the request
 * has been (loop.h).
 *
 * Threads: any; pure. Ownership: lines are in the arena, or the configuration's.
 */
#include "http/fields.h"
#include "site/site.h"

#define PARENT_LINES 3u

/* Does Via say where requests of this site have been? */
bool parent_hears_via(const struct site *site);
/* A parent does not believe who we are, or wants to know (407). */
void parent_log_login(const struct site *site, const struct site_upstream *upstream,
                      const char *server, unsigned status);
/* No parent can be asked: the server is, by ourselves. */
void parent_log_bypass(const struct site *site, const struct site_upstream *upstream);
/* fields: of the client's request. Returns how many lines; 0 under a policy without parents. */
unsigned parent_lines(struct arena *arena, const struct site *site, const struct policy *policy,
                      const struct http_fields *fields, struct span out[PARENT_LINES]);
#endif
