/* Flows of bytes: a bucket against a slow model, shares of those who book, and meters over several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "limit/meter.h"

#define MS ((uint64_t)1000)
#define SECOND (1000 * MS)
#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)

static struct limit_key key_of(const struct limit_table *table, uint64_t who)
{
    const struct limit_ref ref = {.id = 1, .group = 1};
    return limit_key(table, &ref, 'c', span_of((const char *)&who, sizeof(who)));
}

static double distance(double a, double b)
{
    return a < b ? b - a : a - b;
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes_s, burst, room_ns;
        uint32_t turn;
    } cases[] = {
        {1 * KIB, 0, 4000000000, 512},
        {400 * KIB, 0, 100000000, 12800},
        {10 * MIB, 0, 100000000, 327680},
        {10 * MIB, 64 * KIB, 6250000, 32768},
        {LIMIT_FLOW_MAX_S, 0, 99999999, 1048576},
        {100 * KIB, 1 * MIB, 10240000000, 3200},
        {MIB, 1 * KIB, 976562, 512},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct limit_flow flow = limit_flow(cases[i].bytes_s, cases[i].burst);
        assert_int_equal(flow.turn, cases[i].turn);
        assert_true(llabs((long long)flow.room_ns - (long long)cases[i].room_ns) < 100);
    }
}

/* What is there, byte by byte, and who waits, in the order of asking. */
static void test_against_model(void **state)
{
    (void)state;
    srandom(7);
    for (unsigned round = 0; round < 40; round++) {
        struct limit_table *table = limit_table_new(LIMIT_MEMORY_MIN);
        struct limit_key key = key_of(table, round);
        uint64_t rate = KIB << (random() % 14);
        uint64_t burst = 4 * KIB + (uint64_t)random() % (rate + 1);
        struct limit_flow flow = limit_flow(rate, burst);
        uint64_t now_us = 5 * SECOND;
        double level = (double)burst; /* below 0: promised, not there yet */
        for (unsigned i = 0; i < 3000; i++) {
            uint64_t step_us = (uint64_t)random() % (random() % 50 == 0 ? 3 * SECOND : 20 * MS);
            now_us += step_us;
            level += (double)rate * (double)step_us / 1e6;
            level = level > (double)burst ? (double)burst : level;
            uint64_t bytes = 1 + (uint64_t)random() % flow.turn;
            if (random() % 5 == 0 && level < (double)burst - (double)flow.turn) {
                limit_unbook(table, &key, &flow, bytes, now_us);
                level += (double)bytes;
                continue;
            }
            level -= (double)bytes;
            double wanted_ns = level < 0 ? -level / (double)rate * 1e9 : 0;
            double got_ns = (double)limit_book(table, &key, &flow, bytes, now_us);
            if (distance(got_ns, wanted_ns) > 5e4) {
                fail_msg("round %u step %u: waits %.0f, not %.0f", round, i, got_ns, wanted_ns);
            }
        }
        limit_table_free(&table);
    }
}

/* Six that book whenever they may, looked at every few milliseconds as a loop does: the rate, and
 * even shares. */
static void test_shares(void **state)
{
    (void)state;
    static const uint64_t rates[] = {2 * KIB, 100 * KIB, 3 * MIB, 60 * MIB};
    for (size_t r = 0; r < ARRAY_LEN(rates); r++) {
        struct limit_table *table = limit_table_new(LIMIT_MEMORY_MIN);
        const struct limit_flow flow = limit_flow(rates[r], 0);
        struct meter meters[6];
        uint64_t moved[6] = {0};
        uint64_t total = 0;
        const uint64_t for_us = 20 * SECOND;
        memset(meters, 0, sizeof(meters));
        for (unsigned i = 0; i < 6; i++) {
            meters[i].limits = table;
            meters[i].flow_count = 1;
            meters[i].flows[0] =
                (struct meter_flow){.key = key_of(table, 1), .rate = flow, .is_for = {true, true}};
        }
        for (uint64_t now_us = SECOND; now_us < SECOND + for_us; now_us += 5 * MS) {
            for (unsigned i = 0; i < 6; i++) {
                uint64_t wait_us;
                uint64_t may;
                enum meter_side side = i % 2 == 0 ? METER_DOWN : METER_UP;
                while ((may = meter_may(&meters[i], side, 64 * MIB, now_us, &wait_us)) > 0) {
                    meter_moved(&meters[i], side, may);
                    moved[i] += may;
                }
                assert_true(wait_us > 0);
            }
        }
        for (unsigned i = 0; i < 6; i++) {
            total += moved[i];
            meter_end(&meters[i], SECOND + for_us);
        }
        double wanted = (double)rates[r] * (double)for_us / 1e6;
        if (distance((double)total, wanted) > 0.05 * wanted + 4096) {
            fail_msg("rate %llu: %llu, not %.0f", (unsigned long long)rates[r],
                     (unsigned long long)total, wanted);
        }
        for (unsigned i = 0; i < 6; i++) {
            if (distance((double)moved[i], wanted / 6) > 0.12 * wanted / 6 + 4096) {
                fail_msg("rate %llu: %llu of %.0f", (unsigned long long)rates[r],
                         (unsigned long long)moved[i], wanted / 6);
            }
        }
        limit_table_free(&table);
    }
}

/* What is sent beyond the booking is owed, what is not sent is given back. */
static void test_settled(void **state)
{
    (void)state;
    struct limit_table *table = limit_table_new(LIMIT_MEMORY_MIN);
    const struct limit_flow flow = limit_flow(100 * KIB, 10 * KIB);
    const struct meter_flow one = {.key = key_of(table, 1), .rate = flow, .is_for = {true, false}};
    uint64_t wait_us;
    struct meter meter = {.limits = table, .flow_count = 1, .flows = {one}};
    meter_begin(&meter);
    assert_int_equal(meter_may(&meter, METER_UP, MIB, SECOND, &wait_us), MIB);
    assert_int_equal(meter_may(&meter, METER_DOWN, 100, SECOND, &wait_us), 100);
    meter_moved(&meter, METER_DOWN, 100 + 1024); /* with its head */
    assert_int_equal(meter.booked[METER_DOWN], -1024);
    assert_int_equal(meter_may(&meter, METER_DOWN, 100, SECOND, &wait_us), 100);
    assert_int_equal(meter.booked[METER_DOWN], 100);
    meter_end(&meter, SECOND);
    /* 100 + 1024 are gone: exactly the rest is there at once. */
    assert_int_equal(limit_book(table, &one.key, &flow, 10 * KIB - 1124, SECOND), 0);
    assert_true(limit_book(table, &one.key, &flow, 100, SECOND) > 0);
    limit_table_free(&table);
}

/* ---- with quotas ---- */

static void test_quota_to_the_byte(void **state)
{
    (void)state;
    struct limit_table *table = limit_table_new(LIMIT_MEMORY_MIN);
    struct quota_store *store = limit_quotas(table);
    struct quota *quota =
        quota_register(store, SPAN("s"), SPAN("q"), CALENDAR_MONTH, 1000, QUOTA_DOWN);
    struct meter meter = {.limits = table, .quota_count = 1};
    uint64_t wait_us;
    meter.quotas[0] = (struct meter_quota){
        .account = quota_account_take(store, quota, QUOTA_USER, SPAN("alice")),
        .counts = {[METER_DOWN] = true},
    };
    assert_int_equal(meter_may(&meter, METER_DOWN, 5000, SECOND, &wait_us), 1000);
    meter_moved(&meter, METER_DOWN, 999);
    meter_moved(&meter, METER_UP, 5000);
    assert_int_equal(meter_may(&meter, METER_DOWN, 5000, SECOND, &wait_us), 1);
    assert_null(meter.spent);
    meter_moved(&meter, METER_DOWN, 1);
    assert_int_equal(meter_may(&meter, METER_DOWN, 5000, SECOND, &wait_us), 0);
    assert_int_equal(wait_us, 0);
    assert_ptr_equal(meter.spent, quota);
    assert_int_equal(meter_may(&meter, METER_UP, 5000, SECOND, &wait_us), 5000);
    /* A higher limit is in force at once. */
    (void)quota_register(store, SPAN("s"), SPAN("q"), CALENDAR_MONTH, 1500, QUOTA_DOWN);
    assert_int_equal(meter_may(&meter, METER_DOWN, 5000, SECOND, &wait_us), 500);
    meter_end(&meter, SECOND);
    limit_table_free(&table);
}

static void test_quota_slows(void **state)
{
    (void)state;
    struct limit_table *table = limit_table_new(LIMIT_MEMORY_MIN);
    struct quota_store *store = limit_quotas(table);
    struct quota *quota =
        quota_register(store, SPAN("s"), SPAN("q"), CALENDAR_DAY, 100 * KIB, QUOTA_DOWN | QUOTA_UP);
    const struct limit_flow slow = limit_flow(10 * KIB, 0);
    struct meter meter = {.limits = table, .quota_count = 1};
    uint64_t moved = 0;
    uint64_t wait_us;
    meter.quotas[0] = (struct meter_quota){
        .account = quota_account_take(store, quota, QUOTA_ALL, SPAN("")),
        .counts = {true, true},
        .slow = {.key = key_of(table, 1), .rate = slow},
    };
    for (uint64_t now_us = SECOND; now_us < 11 * SECOND; now_us += 5 * MS) {
        uint64_t may;
        while ((may = meter_may(&meter, METER_DOWN, MIB, now_us, &wait_us)) > 0) {
            meter_moved(&meter, METER_DOWN, may);
            moved += may;
        }
    }
    assert_true(moved > 200 * KIB - 2048 && moved < 206 * KIB);
    assert_true(meter.is_paced[METER_DOWN]);
    meter_end(&meter, 11 * SECOND);
    limit_table_free(&table);
}

/* ---- threads ---- */

#define THREADS 4

static struct limit_table *shared;
static _Atomic uint64_t shared_moved;
static uint64_t shared_end_us;
static struct quota_account *shared_account;

static void *run_thread(void *arg)
{
    const struct limit_flow flow = limit_flow(MIB, 0);
    struct meter meter = {.limits = shared, .flow_count = 1, .quota_count = 1};
    (void)arg;
    meter.flows[0] =
        (struct meter_flow){.key = key_of(shared, 1), .rate = flow, .is_for = {true, true}};
    meter.quotas[0] = (struct meter_quota){.account = quota_account_take(limit_quotas(shared),
                                                                         quota_of(shared_account),
                                                                         QUOTA_USER, SPAN("all")),
                                           .counts = {true, true}};
    uint64_t now_us;
    while ((now_us = clock_mono_us()) < shared_end_us) {
        uint64_t wait_us;
        uint64_t may = meter_may(&meter, METER_DOWN, 64 * KIB, now_us, &wait_us);
        meter_moved(&meter, METER_DOWN, may);
        atomic_fetch_add(&shared_moved, may);
        if (may == 0) {
            clock_sleep_us(wait_us);
        }
    }
    meter_end(&meter, now_us);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    shared = limit_table_new(LIMIT_MEMORY_MIN);
    struct quota_store *store = limit_quotas(shared);
    struct quota *quota = quota_register(store, SPAN("s"), SPAN("q"), CALENDAR_MONTH,
                                         (uint64_t)1 << 50, QUOTA_DOWN | QUOTA_UP);
    shared_account = quota_account_take(store, quota, QUOTA_USER, SPAN("all"));
    shared_end_us = clock_mono_us() + 2 * SECOND;
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(thread_start(&threads[i], "flow", run_thread, NULL), ERR_OK);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(quota_used(store, shared_account), shared_moved);
    assert_true(shared_moved > 15 * MIB / 10 && shared_moved <= 22 * MIB / 10);
    quota_account_give(&shared_account);
    limit_table_free(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_settled),
        cmocka_unit_test(test_quota_to_the_byte),
        cmocka_unit_test(test_quota_slows),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
