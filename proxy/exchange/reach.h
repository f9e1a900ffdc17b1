#ifndef EXCHANGE_REACH_H
#define EXCHANGE_REACH_H
/*
 * reach - may a forward proxy connect to this address for that request? Asked right before each
 * connection, so that what was checked is what is connected to.
 *
 * Threads: the worker's loop.
 */
#include <stdbool.h>

#include "exchange/site.h"

/* What the site's rules say of the facts with this address (the port is in the facts), whatever the
 * spelling of their path, for which the arena is. facts->address is not looked at. */
bool reach_allows(struct arena *arena, const struct site *site, const struct access_facts *facts,
                  const struct sockaddr *address, struct access_verdict *verdict);
#endif
