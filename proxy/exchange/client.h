#ifndef EXCHANGE_CLIENT_H
#define EXCHANGE_CLIENT_H
/*
 * client - whose request it is, as limits, logs, PURGE, balancing and the origin are told: the peer
 * of the connection, or where that is a proxy of ours, the client it speaks for.
 *
 * Settled once per request, as soon as its site is known; where nobody is trusted that is a few
 * pointers to what the stream has.
 *
 * Threads:   the worker's loop. Ownership: all of it lives as long as the exchange.
 */
#include <stdbool.h>
#include <sys/socket.h>

#include "base/span.h"

struct exchange;

struct exchange_client {
    /* AF_INET or AF_INET6 (never an IPv4 address mapped into IPv6); AF_UNSPEC or AF_UNIX: a client
     * without an address, as a proxy of ours does not say it. Never NULL. */
    const struct sockaddr_storage *address;
    struct span text; /* "192.0.2.1", "2001:db8::1", "unknown", "unix"; no port */
    /* X-Forwarded-For as the origin may be told: the client first, then the trusted proxies it came
     * through, the peer last: "192.0.2.1, 10.0.0.1". */
    struct span chain;
    bool is_trusted; /* the peer is a proxy of ours */
    bool is_https;   /* between client and the first proxy of ours */
};

/* Of this request. */
const struct exchange_client *exchange_client(const struct exchange *x);
/* At the request's begin: the peer. */
void exchange_client_begin(struct exchange *x);
/* x->site was found by Host (or there is none): whom it trusts has its say. May change the
 * request's authority, and x->site with it, to what the client asked that proxy for. Then the
 * request's scheme is the client's. False: what the trusted peer says is not to be understood. */
bool exchange_client_settle(struct exchange *x);
#endif
