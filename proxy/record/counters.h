#ifndef RECORD_COUNTERS_H
#define RECORD_COUNTERS_H
/*
 * counters - what one worker counts. Single writer (the worker, relaxed stores of its own values,
 * no locked instruction on the hit path); any thread may read and sum.
 *
 * Definitions (ux.md: one formula everywhere) are in counters_hit_ratio and its neighbours; API,
 * metrics, command line and dashboard all use them.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"

enum request_result {
    RESULT_HIT,         /* from the cache, fresh; also collapsed followers */
    RESULT_STALE,       /* from the cache, stale and allowed */
    RESULT_REVALIDATED, /* the origin said 304, body from the cache */
    RESULT_MISS,        /* cacheable request, from the origin */
    RESULT_PASS,        /* never looked for in the cache */
    RESULT_SYNTHETIC,   /* made by us on purpose */
    RESULT_DENIED,      /* refused by a rule */
    RESULT_ERROR,       /* our own error response: 4xx of the parser, 502, 504, ... */
    RESULT_COUNT,
};

enum byte_source {
    BYTES_CACHE,
    BYTES_ORIGIN,
    BYTES_SELF,
    BYTES_COUNT,
};

enum tunnel_side {
    TUNNEL_TO_CLIENT,
    TUNNEL_TO_ORIGIN,
    TUNNEL_SIDES,
};

#define COUNTERS_SITES 257 /* slot 0 is "-": no or unknown site */
#define COUNTERS_REASONS 64
#define COUNTERS_CODINGS 4

struct histogram {
    _Atomic uint64_t bucket[HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum_us;
};

struct site_counters {
    _Atomic uint64_t requests[RESULT_COUNT];
    _Atomic uint64_t bytes[BYTES_COUNT];
    _Atomic uint64_t responses[6]; /* by status class; [0]: none sent */
};

struct counters {
    struct site_counters site[COUNTERS_SITES];
    _Atomic uint64_t reasons[COUNTERS_REASONS]; /* by enum http_reason */
    _Atomic uint64_t collapsed;
    _Atomic uint64_t errors_origin; /* 5xx that came from the origin */
    _Atomic uint64_t errors_self;   /* 5xx of our own, but none made on purpose */
    _Atomic uint64_t log_dropped;
    _Atomic uint64_t tunnels_opened, tunnels_closed;
    _Atomic uint64_t tunnel_bytes[TUNNEL_SIDES];
    /* Encoded variants (encode.h), by enum http_coding. */
    _Atomic uint64_t encoded[COUNTERS_CODINGS];      /* made */
    _Atomic uint64_t encoded_hits[COUNTERS_CODINGS]; /* responses sent from them */
    _Atomic uint64_t encoded_bytes_in, encoded_bytes_out;
    _Atomic uint64_t encode_no_gain, encode_failed, encode_dropped; /* jobs without a variant */
    struct histogram hit_time; /* request to last byte, without waiting for the origin */
    struct histogram miss_time;
    struct histogram origin_first_byte;
};

/* Only the owning worker. */
static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

void histogram_add(struct histogram *histogram, uint64_t us);

/* A sum over workers, plain numbers. */
struct counters_sum {
    uint64_t site[COUNTERS_SITES][RESULT_COUNT];
    uint64_t site_bytes[COUNTERS_SITES][BYTES_COUNT];
    uint64_t site_responses[COUNTERS_SITES][6];
    uint64_t requests[RESULT_COUNT]; /* all sites */
    uint64_t bytes[BYTES_COUNT];
    uint64_t responses[6];
    uint64_t reasons[COUNTERS_REASONS];
    uint64_t collapsed, errors_origin, errors_self, log_dropped;
    uint64_t tunnels_opened, tunnels_closed;
    uint64_t tunnel_bytes[TUNNEL_SIDES];
    uint64_t encoded[COUNTERS_CODINGS], encoded_hits[COUNTERS_CODINGS];
    uint64_t encoded_bytes_in, encoded_bytes_out, encode_no_gain, encode_failed, encode_dropped;
    uint64_t hit_time[HISTOGRAM_BUCKETS], miss_time[HISTOGRAM_BUCKETS],
        origin_first_byte[HISTOGRAM_BUCKETS];
    uint64_t hit_time_sum_us, miss_time_sum_us, origin_first_byte_sum_us;
};
void counters_sum_add(struct counters_sum *sum, const struct counters *counters);

/* Ratios; negative: no data. */
double counters_hit_ratio(const uint64_t requests[RESULT_COUNT]);
double counters_cacheable_share(const uint64_t requests[RESULT_COUNT]);
double counters_byte_hit_ratio(const uint64_t bytes[BYTES_COUNT]);
const char *request_result_name(enum request_result result);
#endif
