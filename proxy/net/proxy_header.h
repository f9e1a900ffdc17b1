#ifndef NET_PROXY_HEADER_H
#define NET_PROXY_HEADER_H
/*
 * proxy_header - the PROXY protocol: what a load balancer says of its client ahead of everything
 * else on a connection, as one line of text (version 1) or in binary (version 2).
 *
 * Strict: what is not exactly in the grammar is no header. The verdict is the same however the
 * bytes are split.
 *
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/span.h"

#define PROXY_HEADER_MAX_BYTES ((size_t)16384) /* more in type-length-values than that is refused */

enum proxy_header {
    PROXY_HEADER_MORE, /* so far it may become one */
    PROXY_HEADER_DONE,
    PROXY_HEADER_BAD,
};

/* Whom the connection is for. */
struct proxy_client {
    bool
        is_peer; /* the balancer itself (LOCAL), or it does not know (UNKNOWN): address is not set */
    bool is_tls;                     /* the client came by TLS (PP2_TYPE_SSL) */
    struct sockaddr_storage address; /* AF_INET, AF_INET6, or AF_UNIX without a path */
};

/* data: received so far, from the first byte on. DONE sets *used, the bytes of the header, and
 * *out. */
enum proxy_header proxy_header_parse(struct span data, size_t *used, struct proxy_client *out);
#endif
