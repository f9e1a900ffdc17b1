/* counters - sums and ratios. */
#include "record/counters.h"

#include <stddef.h>

#include "base/check.h"

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void histogram_add(struct histogram *histogram, uint64_t us)
{
    counter_add(&histogram->bucket[histogram_index(us)], 1);
    counter_add(&histogram->sum_us, us);
}

static void sum_row(uint64_t *sum, const _Atomic uint64_t *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sum[i] += get(&row[i]);
    }
}

static void sum_site(struct counters_sum *sum, unsigned slot, const struct site_counters *site)
{
    for (unsigned i = 0; i < RESULT_COUNT; i++) {
        uint64_t value = get(&site->requests[i]);
        sum->site[slot][i] += value;
        sum->requests[i] += value;
    }
    for (unsigned i = 0; i < BYTES_COUNT; i++) {
        uint64_t value = get(&site->bytes[i]);
        sum->site_bytes[slot][i] += value;
        sum->bytes[i] += value;
    }
    for (unsigned i = 0; i < ARRAY_LEN(site->responses); i++) {
        uint64_t value = get(&site->responses[i]);
        sum->site_responses[slot][i] += value;
        sum->responses[i] += value;
    }
}

void counters_sum_add(struct counters_sum *sum, const struct counters *counters)
{
    for (unsigned slot = 0; slot < COUNTERS_SITES; slot++) {
        sum_site(sum, slot, &counters->site[slot]);
    }
    sum_row(sum->reasons, counters->reasons, COUNTERS_REASONS);
    sum->collapsed += get(&counters->collapsed);
    sum->errors_origin += get(&counters->errors_origin);
    sum->errors_self += get(&counters->errors_self);
    sum->log_dropped += get(&counters->log_dropped);
    sum->tunnels_opened += get(&counters->tunnels_opened);
    sum->tunnels_closed += get(&counters->tunnels_closed);
    sum_row(sum->tunnel_bytes, counters->tunnel_bytes, TUNNEL_SIDES);
    sum_row(sum->encoded, counters->encoded, COUNTERS_CODINGS);
    sum_row(sum->encoded_hits, counters->encoded_hits, COUNTERS_CODINGS);
    sum->encoded_bytes_in += get(&counters->encoded_bytes_in);
    sum->encoded_bytes_out += get(&counters->encoded_bytes_out);
    sum->encode_no_gain += get(&counters->encode_no_gain);
    sum->encode_failed += get(&counters->encode_failed);
    sum->encode_dropped += get(&counters->encode_dropped);
    sum_row(sum->hit_time, counters->hit_time.bucket, HISTOGRAM_BUCKETS);
    sum_row(sum->miss_time, counters->miss_time.bucket, HISTOGRAM_BUCKETS);
    sum_row(sum->origin_first_byte, counters->origin_first_byte.bucket, HISTOGRAM_BUCKETS);
    sum->hit_time_sum_us += get(&counters->hit_time.sum_us);
    sum->miss_time_sum_us += get(&counters->miss_time.sum_us);
    sum->origin_first_byte_sum_us += get(&counters->origin_first_byte.sum_us);
}

static double share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? -1.0 : (double)part / (double)whole;
}

static uint64_t served_from_cache(const uint64_t requests[RESULT_COUNT])
{
    return requests[RESULT_HIT] + requests[RESULT_STALE] + requests[RESULT_REVALIDATED];
}

double counters_hit_ratio(const uint64_t requests[RESULT_COUNT])
{
    uint64_t cached = served_from_cache(requests);

    return share(cached, cached + requests[RESULT_MISS]);
}

double counters_cacheable_share(const uint64_t requests[RESULT_COUNT])
{
    uint64_t all = 0;

    for (unsigned i = 0; i < RESULT_COUNT; i++) {
        all += requests[i];
    }
    return share(served_from_cache(requests) + requests[RESULT_MISS], all);
}

double counters_byte_hit_ratio(const uint64_t bytes[BYTES_COUNT])
{
    return share(bytes[BYTES_CACHE], bytes[BYTES_CACHE] + bytes[BYTES_ORIGIN] + bytes[BYTES_SELF]);
}

const char *request_result_name(enum request_result result)
{
    static const char *const names[RESULT_COUNT] = {
        [RESULT_HIT] = "hit",       [RESULT_STALE] = "stale", [RESULT_REVALIDATED] = "revalidated",
        [RESULT_MISS] = "miss",     [RESULT_PASS] = "pass",   [RESULT_SYNTHETIC] = "synthetic",
        [RESULT_DENIED] = "denied", [RESULT_ERROR] = "error",
    };
    return (unsigned)result < RESULT_COUNT ? names[result] : "unknown";
}
