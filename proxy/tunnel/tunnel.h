#ifndef TUNNEL_TUNNEL_H
#define TUNNEL_TUNNEL_H
/*
 * tunnel - bytes between two descriptors, both ways, until both have ended: what a CONNECT becomes
 * (RFC 9110 9.3.6).
 *
 * Small streams go through a buffer that all tunnels of a worker share: what was received is sent on
 * at once, and only what the other side does not take gets memory of its own, never more than one
 * buffer for each direction: nothing more is read until it is gone. Bulk goes through a pipe
 * (splice), without being copied, while it is bulk; pipes come from a small pool.
 *
 * Each direction ends by itself: an end is passed on behind the last byte. What breaks one side, or
 * ends the whole by a limit, resets the other (the owner does, by how `over` says it ended).
 *
 * Threads: the loop's own. Ownership: embedded in its owner, which closes the descriptors.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "net/loop.h"

struct tunnel;
struct tunnel_pipe;

enum tunnel_peer {
    TUNNEL_CLIENT,
    TUNNEL_SERVER,
    TUNNEL_PEERS,
};

/* What all tunnels of a worker share. */
struct tunnel_kit;

struct tunnel_kit *tunnel_kit_new(struct loop *loop);
/* No tunnel is left. Nulls *kit. */
void tunnel_kit_free(struct tunnel_kit **kit);

enum tunnel_outcome {
    TUNNEL_OVER,      /* both have ended in good order */
    TUNNEL_BROKEN,    /* one of them was reset, or cannot be written to */
    TUNNEL_IDLE,      /* no byte for too long */
    TUNNEL_TIMED_OUT, /* it has lasted for as long as it may */
    TUNNEL_SPENT,     /* the meter allows no more */
};

struct tunnel_handler {
    /* The last call; the descriptors are not watched any more. Never from inside tunnel_start. */
    void (*over)(struct tunnel *tunnel, enum tunnel_outcome outcome);
    /* Bytes were received from this peer. NULL: nobody counts. */
    void (*moved)(struct tunnel *tunnel, enum tunnel_peer from, size_t bytes);
};

/* Who says how fast it may go (bandwidth, quotas). */
struct tunnel_meter {
    /* Before bytes are received from this peer: how many may be, at most `wanted`. 0: none before
     * *again_us (monotonic; later than now), when it is asked again; UINT64_MAX: never more, and
     * the tunnel is broken off. What was allowed and not received is given back through `spare`. */
    size_t (*allow)(void *ctx, enum tunnel_peer from, size_t wanted, uint64_t *again_us);
    void (*spare)(void *ctx, enum tunnel_peer from, size_t bytes);
};

/* One of the two sides. */
struct tunnel_end {
    struct loop_watch watch;
    struct tunnel_pipe *pipe; /* what is sent here goes through it; NULL: none */
    char *rest;               /* waits to be sent here: [rest_at, rest_len); NULL: nothing */
    uint32_t rest_at, rest_len;
    uint64_t received; /* from here */
    uint64_t sent;     /* to here: taken by the kernel, what went first among it */
    uint64_t held_us;  /* by the meter until then; 0: not */
    uint32_t pace;     /* bytes received at a time, on average */
    bool readable, writable;
    bool fin_seen; /* more than its last bytes is to be expected: read until nothing comes */
    bool ended;    /* it has sent its end */
    bool is_shut;  /* it was sent the other's */
};

struct tunnel {
    uint32_t magic;
    bool is_keepalive; /* the kernel asks both sides whether they are there */
    bool is_broken, is_spent;
    bool is_dying; /* broken before: what still comes is passed on, an end is not */
    struct tunnel_kit *kit;
    const struct tunnel_handler *handler;
    const struct tunnel_meter *meter; /* NULL: as fast as it goes */
    void *meter_ctx;
    struct loop_timer timer;
    struct loop_task task;
    uint64_t moved_us; /* the last byte, either way */
    uint64_t idle_us;  /* without a byte for so long: over; 0: never */
    uint64_t until_us; /* over then; UINT64_MAX: never */
    struct tunnel_end ends[TUNNEL_PEERS];
};

struct tunnel_limits {
    uint64_t idle_us; /* 0: none */
    uint64_t time_us; /* 0: none */
};

/* What a peer's descriptor is registered for. */
uint32_t tunnel_events(void);

/* Before anything else. Its watches wait to be registered: stream_take, dial_take. */
void tunnel_init(struct tunnel *tunnel, struct tunnel_kit *kit,
                 const struct tunnel_handler *handler, const struct tunnel_limits *limits);
static inline struct loop_watch *tunnel_watch(struct tunnel *tunnel, enum tunnel_peer peer)
{
    return &tunnel->ends[peer].watch;
}
/* Bytes that go to this peer first, copied if they have to wait. Its watch is registered. */
void tunnel_give(struct tunnel *tunnel, enum tunnel_peer to, struct span bytes);
/* Both are registered. */
void tunnel_start(struct tunnel *tunnel);
/* Lets go of everything but the descriptors; over is not called. */
void tunnel_stop(struct tunnel *tunnel);
/* Bytes this one was sent, what went first among them. */
uint64_t tunnel_sent(const struct tunnel *tunnel, enum tunnel_peer peer);
#endif
