#ifndef EXCHANGE_EXCHANGE_CONNECT_H
#define EXCHANGE_EXCHANGE_CONNECT_H
/*
 * exchange_connect - CONNECT (RFC 9110 9.3.6): from the name to a connection that stands, which
 * becomes a tunnel (tunnels.h). The exchange ends there, and with it the request's memory.
 *
 * Each address of the name is judged right before it is connected to, so that what was checked is
 * what is connected to.
 *
 * Threads: the worker's loop. Ownership: in the exchange's arena.
 */
#include "exchange/exchange_forward.h"
#include "origin/directory.h"
#include "tunnel/dial.h"

struct exchange_connect {
    struct exchange *x;
    struct directory_wait *wait; /* for the name; NULL: not any more */
    struct dial *dial;           /* NULL: not yet, or over */
    uint64_t begin_us;           /* of the connecting */
    bool is_partial; /* the addresses dialled are of one family, those of the other may follow */
    bool wants_all;  /* and none of them did */
    bool is_done;
    bool is_denied; /* an address was, by: */
    enum dial_fault fault;
    struct access_verdict denied;
    struct exchange_parent *parent; /* it is to go through one; NULL: straight */
};

/* To the server itself, by ourselves. */
enum exchange_next exchange_connect_direct(struct exchange *x);
/* exchange_parent.c: through one of the parents the policy names; first, and when it was woken. */
enum exchange_next exchange_parent_begin(struct exchange *x);
enum exchange_next exchange_parent(struct exchange *x);
void exchange_parent_end(struct exchange *x);

/* Lets go of what the arena does not hold. */
void exchange_connect_end(struct exchange *x);
#endif
