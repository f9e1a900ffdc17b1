/* The ring alone, full, wrapping, and between two threads. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "record/record.h"

#define RING_BYTES ((size_t)65536)
#define THREAD_RECORDS 200000u

static char letters[4096];

/* Those of a forward proxy have more. */
static unsigned spans_of(uint64_t n)
{
    return n % 5 == 0 ? 12 : 9;
}

/* A record whose every field follows from n. */
static struct record make(uint64_t n)
{
    struct record record = {
        .wall_ms = (int64_t)(n * 3),
        .bytes = n * 5,
        .total_us = (uint32_t)n,
        .ttl_s = -(int32_t)(n % 1000),
        .status = (uint16_t)(200 + n % 300),
        .collapsed = n % 2 == 0,
        .want_log = n % 3 == 0,
        .is_forward = n % 5 == 0,
        .weight = (uint32_t)(n % 7),
        .request_id = n,
    };
    struct span *spans = &record.client;
    for (unsigned i = 0; i < spans_of(n); i++) {
        size_t len = (size_t)((n * 31 + i * 17) % 120);
        spans[i] = span_of(letters + (n + i) % 256, len);
    }
    return record;
}

static void assert_same(const struct record *got, uint64_t n)
{
    struct record want = make(n);
    const struct span *a = &got->client;
    const struct span *b = &want.client;

    assert_int_equal(got->request_id, n);
    assert_int_equal(got->wall_ms, want.wall_ms);
    assert_int_equal(got->bytes, want.bytes);
    assert_int_equal(got->ttl_s, want.ttl_s);
    assert_int_equal(got->status, want.status);
    assert_int_equal(got->collapsed, want.collapsed);
    assert_int_equal(got->want_log, want.want_log);
    assert_int_equal(got->weight, want.weight);
    assert_int_equal(got->is_forward, want.is_forward);
    for (unsigned i = 0; i < spans_of(n); i++) {
        assert_true(span_eq(a[i], b[i]));
    }
}

static void test_empty(void **state)
{
    (void)state;
    struct record_ring *ring = record_ring_new(RING_BYTES);
    struct record out;

    assert_false(record_ring_take(ring, &out));
    record_ring_release(ring);
    assert_false(record_ring_take(ring, &out));
    record_ring_free(&ring);
    assert_null(ring);
    record_ring_free(&ring);
}

static void test_long_spans_are_cut(void **state)
{
    (void)state;
    struct record_ring *ring = record_ring_new(RING_BYTES);
    struct record record = {.path = span_of(letters, 3000), .user_agent = span_of(letters, 300)};
    struct record out;

    assert_true(record_ring_put(ring, &record));
    assert_true(record_ring_take(ring, &out));
    assert_true(span_eq(out.path, span_of(letters, 2048)));
    assert_true(span_eq(out.user_agent, span_of(letters, 256)));
    assert_int_equal(out.host.len, 0);
    record_ring_free(&ring);
}

static void test_full_drops_and_recovers(void **state)
{
    (void)state;
    struct record_ring *ring = record_ring_new(RING_BYTES);
    struct record out;
    uint64_t put = 0;
    uint64_t taken = 0;

    for (unsigned round = 0; round < 50; round++) {
        struct record next = make(put);
        while (record_ring_put(ring, &next)) {
            next = make(++put);
        }
        assert_true(put - taken > 50);
        /* Taking alone gives no room: the spans must stay valid until release. */
        uint64_t first = taken;
        while (taken < put - round % 5 && record_ring_take(ring, &out)) {
            assert_same(&out, taken++);
        }
        assert_true(taken > first);
        assert_false(record_ring_put(ring, &next));
        record_ring_release(ring);
    }
    while (record_ring_take(ring, &out)) {
        assert_same(&out, taken++);
    }
    assert_int_equal(taken, put);
    record_ring_free(&ring);
}

static void *writer(void *arg)
{
    struct record_ring *ring = arg;

    for (uint64_t n = 0; n < THREAD_RECORDS; n++) {
        struct record record = make(n);
        while (!record_ring_put(ring, &record)) {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void test_two_threads(void **state)
{
    (void)state;
    struct record_ring *ring = record_ring_new(RING_BYTES);
    pthread_t thread;
    struct record out;
    uint64_t seen = 0;

    assert_int_equal(pthread_create(&thread, NULL, writer, ring), 0);
    while (seen < THREAD_RECORDS) {
        if (!record_ring_take(ring, &out)) {
            record_ring_release(ring);
            (void)sched_yield();
            continue;
        }
        assert_same(&out, seen++);
        if (seen % 37 == 0) {
            record_ring_release(ring);
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(record_ring_take(ring, &out));
    record_ring_free(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_long_spans_are_cut),
        cmocka_unit_test(test_full_drops_and_recovers),
        cmocka_unit_test(test_two_threads),
    };
    for (size_t i = 0; i < sizeof(letters); i++) {
        letters[i] = (char)(i * 7 + i / 256);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
