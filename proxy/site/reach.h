#ifndef SITE_REACH_H
#define SITE_REACH_H
/*
 * reach - may a forward proxy's client have what he asks for, and may the proxy connect to this
 * address for him? The latter is asked right before each connection, so that what was checked is what
 * is connected to.
 *
 * Threads: any; pure. Ownership: paths are in the arena.
 */
#include <stdbool.h>

#include "site/site.h"

/* What the site's rules say of these facts, whatever the spelling of their path (which is then the
 * one that counts). */
void reach_judge(struct arena *arena, const struct site *site, struct access_facts *facts,
                 struct access_verdict *out);
/* What they say of the facts with this address (the port is in the facts), whatever the
 * spelling of their path, for which the arena is. facts->address is not looked at. */
bool reach_allows(struct arena *arena, const struct site *site, const struct access_facts *facts,
                  const struct sockaddr *address, struct access_verdict *verdict);
#endif
