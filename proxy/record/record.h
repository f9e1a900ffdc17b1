#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H
/*
 * record - what is remembered of one finished request, on its way from a worker to the log thread.
 *
 * A byte ring per worker with one writer and one reader; when it is full the record is dropped and
 * counted, a worker never waits. No system call: the reader looks by itself a few times a second.
 *
 * Threads: put by the worker, take by the log thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "record/counters.h"

struct record {
    uint64_t end_us;   /* monotonic, when the response ended: the order of the lines */
    int64_t wall_ms;   /* when the response ended */
    uint64_t bytes;    /* to the client: head and body */
    uint64_t received; /* of the request's content, or through a tunnel, as far as it was taken */
    uint64_t total_us; /* a tunnel may take days */
    uint32_t first_byte_us, connect_us; /* connect: 0 when not asked */
    uint32_t age_s;                     /* of a hit */
    int32_t ttl_s;
    uint16_t status, origin_status;
    uint8_t result; /* enum request_result */
    uint8_t reason; /* enum http_reason */
    uint8_t minor_version;
    uint8_t error;                   /* of the origin asked last: enum fetch_fault; 0: none */
    uint8_t tries;                   /* how often a server was asked */
    bool collapsed, stored, aborted; /* aborted: the response was cut */
    bool want_log;                   /* false: only for the lists */
    bool is_forward;                 /* by a forward proxy: the last three spans count */
    uint32_t weight; /* requests this one stands for in the top list; 0: not in it */
    uint64_t request_id;
    struct span client, method, scheme, host, path, user_agent, referer, site, origin;
    /* Of a forward proxy: who has proven to be whom, which rule decided, and what a rule that denies
     * says of it. Otherwise neither copied nor set. */
    struct span user, rule, why;
};

struct record_ring;

/* bytes: capacity, a power of two >= 64 KiB. */
struct record_ring *record_ring_new(size_t bytes);
void record_ring_free(struct record_ring **ring);
/* Copies; long spans are cut (2 KiB for the path, 256 bytes for the others). False: full, dropped.
 */
bool record_ring_put(struct record_ring *ring, const struct record *record);
/* A copy with its spans, cut as in the ring, in one block (mem_free). NULL: no memory. */
struct record *record_copy(const struct record *record);
/* Spans are valid until record_ring_release. False: empty. */
bool record_ring_take(struct record_ring *ring, struct record *out);
/* Gives back the room of all taken so far. */
void record_ring_release(struct record_ring *ring);
#endif
