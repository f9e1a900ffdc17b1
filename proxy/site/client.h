#ifndef SITE_CLIENT_H
#define SITE_CLIENT_H
/*
 * client - whose request it is, as limits, logs, PURGE, balancing and the origin are told: the peer
 * of the connection, or where that is a proxy of ours, the client it speaks for.
 *
 * Threads: any; plain data. Ownership: borrows from the request's side.
 */
#include <stdbool.h>
#include <sys/socket.h>

#include "base/span.h"

struct site_client {
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

#endif
