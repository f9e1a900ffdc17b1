/* Buckets, ratios, quantiles. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "record/counters.h"

static unsigned bucket_of(uint64_t us)
{
    struct histogram histogram = {0};
    unsigned found = HISTOGRAM_BUCKETS;

    histogram_add(&histogram, us);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (atomic_load(&histogram.bucket[i]) == 1) {
            assert_int_equal(found, HISTOGRAM_BUCKETS);
            found = i;
        }
    }
    assert_true(found < HISTOGRAM_BUCKETS);
    return found;
}

static void test_buckets_agree_with_bounds(void **state)
{
    (void)state;
    for (unsigned i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        uint64_t bound = histogram_bound_us(i);
        assert_true(i == 0 || bound > histogram_bound_us(i - 1));
        assert_int_equal(bucket_of(bound - 1), i);
        assert_int_equal(bucket_of(bound), i + 1);
    }
    assert_int_equal(bucket_of(0), 0);
    assert_int_equal(bucket_of(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
    assert_true(histogram_bound_us(HISTOGRAM_BUCKETS - 1) == UINT64_MAX);
    /* A time-out of 30 s and one of 60 s must be told apart. */
    assert_true(histogram_bound_us(HISTOGRAM_BUCKETS - 2) > 100 * 1000000ull);
    assert_true(bucket_of(30 * 1000000ull) != bucket_of(60 * 1000000ull));
}

static void test_quantiles(void **state)
{
    (void)state;
    uint64_t bucket[HISTOGRAM_BUCKETS] = {0};

    assert_true(histogram_quantile_us(bucket, 0.5) < 0);
    bucket[0] = 100;
    assert_true(fabs(histogram_quantile_us(bucket, 0.5) - 32.0) < 0.01);
    bucket[10] = 100;
    double p95 = histogram_quantile_us(bucket, 0.95);
    assert_true(p95 > (double)histogram_bound_us(9) && p95 <= (double)histogram_bound_us(10));
    bucket[HISTOGRAM_BUCKETS - 1] = 10000;
    assert_true(histogram_quantile_us(bucket, 0.95) ==
                (double)histogram_bound_us(HISTOGRAM_BUCKETS - 2));
}

static void test_quantile_error_is_within_a_third(void **state)
{
    (void)state;
    for (uint64_t us = 70; us < 50 * 1000000ull; us = us * 5 / 4) {
        struct histogram histogram = {0};
        uint64_t plain[HISTOGRAM_BUCKETS];
        for (unsigned n = 0; n < 100; n++) {
            histogram_add(&histogram, us);
        }
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
            plain[i] = atomic_load(&histogram.bucket[i]);
        }
        double median = histogram_quantile_us(plain, 0.5);
        assert_true(median > (double)us * 0.66 && median < (double)us * 1.34);
        assert_int_equal(atomic_load(&histogram.sum_us), us * 100);
    }
}

static void test_ratios(void **state)
{
    (void)state;
    uint64_t requests[RESULT_COUNT] = {0};
    uint64_t bytes[BYTES_COUNT] = {0};

    assert_true(counters_hit_ratio(requests) < 0);
    assert_true(counters_cacheable_share(requests) < 0);
    assert_true(counters_byte_hit_ratio(bytes) < 0);
    requests[RESULT_PASS] = 10;
    requests[RESULT_ERROR] = 10;
    assert_true(counters_hit_ratio(requests) < 0); /* nothing cacheable: no data, not 0 % */
    assert_true(counters_cacheable_share(requests) == 0.0);
    requests[RESULT_HIT] = 5;
    requests[RESULT_STALE] = 2;
    requests[RESULT_REVALIDATED] = 1;
    requests[RESULT_MISS] = 2;
    assert_true(fabs(counters_hit_ratio(requests) - 0.8) < 1e-9);
    assert_true(fabs(counters_cacheable_share(requests) - 10.0 / 30.0) < 1e-9);
    bytes[BYTES_CACHE] = 3;
    bytes[BYTES_ORIGIN] = 1;
    assert_true(fabs(counters_byte_hit_ratio(bytes) - 0.75) < 1e-9);
}

static void test_sum_over_workers(void **state)
{
    (void)state;
    struct counters *counters = mem_new(sizeof(*counters));
    struct counters_sum *sum = mem_new(sizeof(*sum));

    counter_add(&counters->site[0].requests[RESULT_HIT], 3);
    counter_add(&counters->site[256].requests[RESULT_HIT], 4);
    counter_add(&counters->site[256].bytes[BYTES_SELF], 7);
    counter_add(&counters->site[1].responses[5], 2);
    counter_add(&counters->reasons[63], 1);
    counter_add(&counters->collapsed, 9);
    counter_add(&counters->encoded[2], 1);
    counter_add(&counters->encoded_hits[1], 2);
    counter_add(&counters->encoded_bytes_in, 3);
    counter_add(&counters->encoded_bytes_out, 4);
    counter_add(&counters->encode_no_gain, 5);
    counter_add(&counters->encode_failed, 6);
    counter_add(&counters->encode_dropped, 7);
    histogram_add(&counters->miss_time, 1000);
    counters_sum_add(sum, counters);
    counters_sum_add(sum, counters);
    assert_int_equal(sum->requests[RESULT_HIT], 14);
    assert_int_equal(sum->site[256][RESULT_HIT], 8);
    assert_int_equal(sum->site[0][RESULT_HIT], 6);
    assert_int_equal(sum->bytes[BYTES_SELF], 14);
    assert_int_equal(sum->site_bytes[256][BYTES_SELF], 14);
    assert_int_equal(sum->responses[5], 4);
    assert_int_equal(sum->site_responses[1][5], 4);
    assert_int_equal(sum->reasons[63], 2);
    assert_int_equal(sum->collapsed, 18);
    assert_int_equal(sum->encoded[2], 2);
    assert_int_equal(sum->encoded_hits[1], 4);
    assert_int_equal(sum->encoded_bytes_in, 6);
    assert_int_equal(sum->encoded_bytes_out, 8);
    assert_int_equal(sum->encode_no_gain, 10);
    assert_int_equal(sum->encode_failed, 12);
    assert_int_equal(sum->encode_dropped, 14);
    assert_int_equal(sum->miss_time_sum_us, 2000);
    mem_free(counters);
    mem_free(sum);
}

static void test_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RESULT_COUNT; i++) {
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(request_result_name((enum request_result)i),
                                    request_result_name((enum request_result)j));
        }
    }
    assert_string_equal(request_result_name(RESULT_REVALIDATED), "revalidated");
    assert_string_equal(request_result_name((enum request_result)200), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_agree_with_bounds),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_quantile_error_is_within_a_third),
        cmocka_unit_test(test_ratios),
        cmocka_unit_test(test_sum_over_workers),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
