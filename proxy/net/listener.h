#ifndef NET_LISTENER_H
#define NET_LISTENER_H
/*
 * listener - one SO_REUSEPORT socket per worker and listen address, its accept loop, and the set of
 * client connections of this worker: limits, deadlines, drain.
 *
 * Threads: the loop's own, but conn_limits_total.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/request.h"
#include "net/loop.h"
#include "net/stream.h"

/* Bounds and deadlines of client connections; a new set applies to new heads and new deadlines. */
struct conn_limits {
    struct http_limits head; /* bytes, target bytes, field count */
    uint64_t request_body_bytes;
    uint64_t head_timeout_us; /* absolute: first byte of a head to its end */
    uint64_t body_timeout_us; /* between bytes of a request body */
    uint64_t idle_timeout_us; /* keep-alive, nothing received */
    uint64_t send_timeout_us; /* response waiting, the client has taken nothing */
    uint64_t rate_bytes_s;    /* least of a body and of a response; 0: none */
    uint64_t rate_window_us;  /* measured over so much waiting for the client */
    unsigned requests_max;    /* on one connection; 0: any number */
    unsigned connections_max; /* of all workers together */
};

/* Shared by all workers. */
struct conn_shared {
    _Atomic unsigned connections; /* open now */
};

/* Per worker; the net layer counts, statistics read. Single writer, relaxed. */
struct net_counters {
    _Atomic uint64_t accepted, refused_limit, refused_gate, refused_descriptors, closed_idle,
        timed_out, refused_proxy, bad_requests, too_slow, made_room;
    _Atomic uint64_t connections, idle_connections;
};

/* How connections of a peer begin. */
enum listener_proxy {
    LISTENER_PLAIN,
    LISTENER_PROXY_HEADER,  /* with a PROXY protocol header */
    LISTENER_PROXY_REFUSED, /* they would, but not this peer's */
};

/* Asked for each connection. ctx: what listener_set_add was given; index: of the listener, from 0
 * in the order they were added. */
typedef enum listener_proxy (*listener_proxy_fn)(void *ctx, unsigned index,
                                                 const struct sockaddr *peer);

struct listener_set;

/* Lets clients in, or not: asked when it is known whose connection it is. */
struct listener_gate {
    /* False: it is closed at once. *ticket, when not 0, goes to leave at the connection's end. */
    bool (*enter)(void *ctx, const struct sockaddr *client, uint64_t *ticket); /* NULL: no gate */
    void (*leave)(void *ctx, uint64_t ticket);
    void *ctx;
};

struct listener_set_options {
    struct loop *loop;
    const struct stream_handler *handler;
    listener_proxy_fn proxy; /* NULL: all are plain */
    struct listener_gate gate;
    struct conn_limits limits;
    struct conn_shared *shared;
    struct net_counters *counters;
};

struct listener_set *listener_set_new(const struct listener_set_options *options);
/* Takes over a bound, listening, non-blocking socket (see listener_bind). ctx is copied to each
 * stream. */
MUST_USE enum err listener_set_add(struct listener_set *set, int fd, void *ctx);
void listener_set_limits(struct listener_set *set, const struct conn_limits *limits);
/* Stops accepting; idle connections close now, busy ones after their response (Connection: close).
 * done() runs once all are gone. */
void listener_set_drain(struct listener_set *set, void (*done)(void *ctx), void *ctx);
/* Closes all at once; handlers get closed(). Nulls *set. */
void listener_set_free(struct listener_set **set);

/* Binds one address with SO_REUSEPORT for one worker. text: "0.0.0.0:80", "[::]:80", ":80" (both
 * families). Returns the descriptor, or -1 with errno set. Main thread, before privileges are
 * dropped. */
int listener_bind(const char *text, int backlog);
/* In the order they were added, from 0. */
unsigned listener_index(const struct listener *listener);
/* The port a socket is bound to; 0: none. */
unsigned listener_port(int fd);
/* Does somebody listen there already? SO_REUSEPORT would let a second daemon of the same user in
 * without a word. */
bool listener_is_taken(const char *text);
#endif
