#ifndef TUNNEL_DIAL_H
#define TUNNEL_DIAL_H
/*
 * dial - a TCP connection to one of several addresses of a server, without waiting: each is tried
 * in turn, the next one already while the last has not answered for a moment (RFC 8305 section 5),
 * and the first that stands is taken.
 *
 * Threads: the loop's own. Ownership: a dial lives until done was called or dial_cancel.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "net/loop.h"

struct dial;

#define DIAL_ADDRESSES_MAX 8u

enum dial_fault {
    DIAL_OK,
    DIAL_DENIED,      /* each address was, by the handler */
    DIAL_REFUSED,     /* there is nobody at the port */
    DIAL_TIMEOUT,     /* no answer in time */
    DIAL_UNREACHABLE, /* no way there */
    DIAL_OUTGOING,    /* the address to come from is not ours now */
    DIAL_EXHAUSTED,   /* we have no descriptor, port or memory left */
};

struct dial_options {
    const struct sockaddr_storage *addresses; /* AF_INET or AF_INET6; copied */
    unsigned count;                           /* 1..DIAL_ADDRESSES_MAX */
    uint16_t port;                            /* of all */
    uint64_t timeout_us;                      /* for each */
    /* Of ours to come from, by family; NULL: the system's choice. Copied. */
    const struct sockaddr_storage *from_v4, *from_v6;
};

struct dial_handler {
    /* Right before a connection is made: may it be? */
    bool (*may)(void *ctx, const struct sockaddr *address);
    /* How a connection to this address did; NULL: nobody asks. */
    void (*tried)(void *ctx, const struct sockaddr *address, enum dial_fault fault);
    /* OK: dial_take follows, from inside. Else it failed. Never from inside dial_start. */
    void (*done)(void *ctx, enum dial_fault fault);
};

struct dial *dial_start(struct loop *loop, const struct dial_options *options,
                        const struct dial_handler *handler, void *ctx);
/* The connected descriptor, registered as watch (events 0 if the kernel refuses). */
int dial_take(struct dial *dial, struct loop_watch *watch, uint32_t events);
/* Nulls *dial; NULL inside is fine. */
void dial_cancel(struct dial **dial);
#endif
