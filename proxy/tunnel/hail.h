#ifndef TUNNEL_HAIL_H
#define TUNNEL_HAIL_H
/*
 * hail - asks a proxy, on a connection that was just made to it, for a tunnel onwards (CONNECT, RFC
 * 9110 9.3.6), and reads its answer: judged by the strict parser (http/response.h), bounded in bytes
 * and time. What comes behind a 2xx head are the first bytes of the tunnel, and kept.
 *
 * Threads: the loop's own. Ownership: a hail lives until hail_cancel.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "net/loop.h"
#include "tunnel/dial.h"

struct hail;

#define HAIL_HEAD_BYTES 16384u /* the most of an answer's heads, interim ones among them */

enum hail_fault {
    HAIL_ANSWERED,
    HAIL_CLOSED,    /* before there was a whole head */
    HAIL_BAD,       /* what came is no head, or too long */
    HAIL_TIMEOUT,   /* no answer in time */
    HAIL_EXHAUSTED, /* we have no descriptor or memory left */
};

struct hail_options {
    struct span request; /* with its empty line; copied */
    uint64_t timeout_us; /* for all of it */
};

/* The connection of dial, whose done was just called or is being called, is taken, and *dial nulled.
 * done(ctx, fault) is called once, never from inside. */
struct hail *hail_start(struct loop *loop, struct dial **dial, const struct hail_options *options,
                        void (*done)(void *ctx, enum hail_fault fault), void *ctx);
/* Of the answer. */
unsigned hail_status(const struct hail *hail);
/* What came behind its head; lives as long as the hail. */
struct span hail_early(const struct hail *hail);
/* The descriptor, registered as watch (events 0 if the kernel refuses). */
int hail_take(struct hail *hail, struct loop_watch *watch, uint32_t events);
/* Nulls *hail; NULL inside is fine. */
void hail_cancel(struct hail **hail);
#endif
