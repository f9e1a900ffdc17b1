/*
 * counters - sums, ratios and quantiles. The histogram has three linear steps per power of two:
 * 62 buckets reach from 64 us to 112 s within a third of the value, the last one is "longer".
 */
#include "exchange/counters.h"

#include <stddef.h>

#include "base/check.h"

#define HISTOGRAM_FIRST_US ((uint64_t)64)
#define HISTOGRAM_STEPS 3u

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

uint64_t histogram_bound_us(unsigned i)
{
    if (i >= HISTOGRAM_BUCKETS - 1) {
        return UINT64_MAX;
    }
    if (i == 0) {
        return HISTOGRAM_FIRST_US;
    }
    uint64_t octave = HISTOGRAM_FIRST_US << ((i - 1) / HISTOGRAM_STEPS);
    uint64_t step = (i - 1) % HISTOGRAM_STEPS + 1;
    return octave + octave * step / HISTOGRAM_STEPS;
}

static unsigned histogram_index(uint64_t us)
{
    if (us < HISTOGRAM_FIRST_US) {
        return 0;
    }
    unsigned octave = (unsigned)__builtin_clzll(HISTOGRAM_FIRST_US) - (unsigned)__builtin_clzll(us);
    if (octave >= HISTOGRAM_BUCKETS / HISTOGRAM_STEPS) {
        return HISTOGRAM_BUCKETS - 1;
    }
    uint64_t base = HISTOGRAM_FIRST_US << octave;
    unsigned i = 1 + octave * HISTOGRAM_STEPS + (unsigned)((us - base) * HISTOGRAM_STEPS / base);
    /* Bounds are rounded down: 85 us is beyond 64 + 21 although it is not yet a third. */
    while (i < HISTOGRAM_BUCKETS - 1 && us >= histogram_bound_us(i)) {
        i++;
    }
    return i < HISTOGRAM_BUCKETS ? i : HISTOGRAM_BUCKETS - 1;
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
    sum_row(sum->origin_faults, counters->origin_faults, COUNTERS_FAULTS);
    sum->collapsed += get(&counters->collapsed);
    sum->errors_origin += get(&counters->errors_origin);
    sum->errors_self += get(&counters->errors_self);
    sum->origin_requests += get(&counters->origin_requests);
    sum->origin_bytes += get(&counters->origin_bytes);
    sum->origin_retries += get(&counters->origin_retries);
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

double histogram_quantile_us(const uint64_t bucket[HISTOGRAM_BUCKETS], double q)
{
    uint64_t count = 0;
    double before = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += bucket[i];
    }
    if (count == 0) {
        return -1.0;
    }
    double rank = q * (double)count;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        double here = (double)bucket[i];
        if (bucket[i] > 0 && before + here >= rank) {
            double low = i == 0 ? 0.0 : (double)histogram_bound_us(i - 1);
            double high = (double)histogram_bound_us(i);
            double part = (rank - before) / here;
            return low + (high - low) * (part < 0 ? 0 : part);
        }
        before += here;
    }
    return (double)histogram_bound_us(HISTOGRAM_BUCKETS - 2);
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
