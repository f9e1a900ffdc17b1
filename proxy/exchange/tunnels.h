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
#include "record/tunnel_view.h"
#include "tunnel/dial.h"
#include "tunnel/hail.h"

/* The other end: */
struct tunnels_server {
    struct dial **dial;         /* a connection to the server that stands, or NULL */
    struct hail **hail;         /* one through a parent, that has answered 2xx */
    struct origin_claim *claim; /* on that parent, granted, to be held as long; or NULL */
};

/* x asked for it: the client is told (200), and x is gone afterwards. All of `server` is taken.
 * False: no memory; nothing has changed. */
bool tunnels_open(struct exchange *x, const struct tunnels_server *server);
#endif
