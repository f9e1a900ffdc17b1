#ifndef EXCHANGE_TUNNELS_H
#define EXCHANGE_TUNNELS_H
/*
 * tunnels - those of a worker that are open after a CONNECT, and what is remembered of each: the
 * record that its end puts into the log, and the places it holds among limits. About 1 KiB each;
 * the request they began with is gone.
 *
 * Threads: the worker's loop. Ownership: a tunnel owns itself and ends by itself.
 */
#include "exchange/exchange_private.h"
#include "tunnel/dial.h"

/* x asked for it, dial stands: the client is told (200), and x is gone afterwards. False: no
 * memory; nothing has changed. */
bool tunnels_open(struct exchange *x, struct dial **dial);
#endif
