/* The rings with a clock of ours, and their file under damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/history.h"
#include "base/mem.h"

#define T0 ((int64_t)1800000000) /* whole in 300 s */

static struct history_sum sum_of(uint64_t hits, uint64_t misses)
{
    struct history_sum sum = {.seconds = 1, .peak_requests = hits + misses};

    sum.value[HISTORY_RESULTS + RESULT_HIT] = hits;
    sum.value[HISTORY_RESULTS + RESULT_MISS] = misses;
    sum.value[HISTORY_BYTES + BYTES_CACHE] = hits * 100;
    sum.value[HISTORY_CONNECTIONS] = 7;
    sum.hit_time[3] = hits;
    sum.origin_first_byte[20] = misses;
    return sum;
}

static void add(struct history *history, int64_t t, uint64_t hits, uint64_t misses)
{
    struct history_sum sum = sum_of(hits, misses);

    history_add(history, t, &sum);
}

static uint64_t hits_of(const struct history_point *point)
{
    return point->value[HISTORY_RESULTS + RESULT_HIT];
}

static void test_seconds_and_gaps(void **state)
{
    (void)state;
    struct history *history = history_new();
    struct history_point *points = mem_new(300 * sizeof(*points));

    add(history, T0 + 1, 5, 1);
    add(history, T0 + 3, 7, 0);
    assert_int_equal(history_series(history, HISTORY_5M, T0 + 5, points), T0 + 5 - 300);
    assert_false(points[299].known);
    assert_true(points[298].known);
    assert_int_equal(hits_of(&points[298]), 7);
    assert_true(points[298].origin_p50_us < 0); /* no fetch: no figure, not 0 */
    assert_false(points[297].known);
    assert_int_equal(hits_of(&points[296]), 5);
    assert_true(points[296].origin_p50_us > 0);
    assert_true(points[296].connections == 7.0);
    /* 600 s later the same place of the ring is another time. */
    assert_int_equal(history_series(history, HISTORY_5M, T0 + 605, points), T0 + 305);
    for (unsigned i = 0; i < 300; i++) {
        assert_false(points[i].known);
    }
    struct history_point second;
    assert_true(history_second(history, T0 + 3, &second));
    assert_false(history_second(history, T0 + 2, &second));
    assert_false(history_second(history, 0, &second));
    mem_free(points);
    history_free(&history);
    assert_null(history);
}

static void test_coarse_steps_sum(void **state)
{
    (void)state;
    struct history *history = history_new();
    struct history_point *points = mem_new(2016 * sizeof(*points));

    for (unsigned i = 0; i < 600; i++) {
        add(history, T0 + i, i == 42 ? 100 : 2, 1);
    }
    int64_t first = history_series(history, HISTORY_1H, T0 + 605, points);
    assert_int_equal(first + 360 * 10, T0 + 600);
    assert_int_equal(hits_of(&points[359]), 20);
    assert_int_equal(hits_of(&points[300]), 20);
    assert_int_equal(hits_of(&points[304]), 118); /* holds second 42 */
    assert_false(points[299].known);
    assert_true(points[304].connections == 7.0);
    first = history_series(history, HISTORY_7D, T0 + 605, points);
    assert_int_equal(first + 2016 * 300, T0 + 600);
    assert_int_equal(hits_of(&points[2014]), 698);
    assert_int_equal(hits_of(&points[2015]), 600);
    assert_false(points[2013].known);

    struct history_sum sum;
    history_last_minute(history, T0 + 600, &sum);
    assert_int_equal(sum.seconds, 60);
    assert_int_equal(sum.value[HISTORY_RESULTS + RESULT_HIT], 120);
    assert_int_equal(sum.hit_time[3], 120);
    assert_int_equal(sum.peak_requests, 3);
    history_last_day(history, T0 + 600, &sum);
    assert_int_equal(sum.seconds, 600);
    assert_int_equal(sum.value[HISTORY_RESULTS + RESULT_HIT], 1298);
    assert_int_equal(sum.peak_requests, 101);
    history_last_minute(history, T0 + 2000, &sum);
    assert_int_equal(sum.seconds, 0);
    mem_free(points);
    history_free(&history);
}

static void test_clock_jumps(void **state)
{
    (void)state;
    struct history *history = history_new();
    struct history_sum sum;

    add(history, T0 + 100, 1, 0);
    add(history, T0 + 100 - 600, 10, 0); /* set back: the place of T0 + 100 is taken over */
    add(history, T0 + 100, 2, 0);        /* and forth again */
    history_last_minute(history, T0 + 101, &sum);
    assert_int_equal(sum.value[HISTORY_RESULTS + RESULT_HIT], 2);
    history_last_day(history, T0 + 101, &sum); /* the coarse ring keeps all of it apart */
    assert_int_equal(sum.value[HISTORY_RESULTS + RESULT_HIT], 13);
    history_last_day(history, T0 - 301, &sum);
    assert_int_equal(sum.value[HISTORY_RESULTS + RESULT_HIT], 10);
    add(history, 0, 1, 1); /* no clock at all */
    add(history, -5, 1, 1);
    history_free(&history);
}

static void test_file(void **state)
{
    (void)state;
    struct history *history = history_new();
    struct buf file;
    struct history_sum sum;

    for (unsigned i = 0; i < 900; i++) {
        add(history, T0 + i, 3, 1);
    }
    buf_init(&file, history_file_max_bytes());
    history_write(history, &file);
    assert_false(file.failed);
    history_free(&history);

    history = history_new();
    assert_int_equal(history_read(history, buf_span(&file), T0 + 900), ERR_OK);
    history_last_minute(history, T0 + 900, &sum);
    assert_int_equal(sum.value[HISTORY_RESULTS + RESULT_HIT], 180);
    history_last_day(history, T0 + 900, &sum);
    assert_int_equal(sum.value[HISTORY_RESULTS + RESULT_HIT], 2700);
    history_free(&history);

    /* What lies in the future of this clock is left out. */
    history = history_new();
    assert_int_equal(history_read(history, buf_span(&file), T0 + 299), ERR_OK);
    history_last_day(history, T0 + 900, &sum);
    assert_int_equal(sum.value[HISTORY_RESULTS + RESULT_HIT], 900);
    history_free(&history);

    /* Any damage, any length: refused whole. */
    history = history_new();
    size_t step = file.len / 997 + 1;
    for (size_t i = 0; i < file.len; i += step) {
        file.data[i] ^= 0x10;
        assert_int_equal(history_read(history, buf_span(&file), T0 + 900), ERR_CORRUPT);
        file.data[i] ^= 0x10;
        assert_int_equal(history_read(history, span_of(file.data, i), T0 + 900), ERR_CORRUPT);
    }
    history_last_day(history, T0 + 900, &sum);
    assert_int_equal(sum.seconds, 0);
    history_free(&history);
    buf_free(&file);
}

static void test_full_file_fits(void **state)
{
    (void)state;
    struct history *history = history_new();
    struct buf file;

    for (int64_t t = T0 - 7 * 86400; t < T0; t += t < T0 - 30000 ? 300 : t < T0 - 700 ? 10 : 1) {
        add(history, t, 1, 1);
    }
    buf_init(&file, history_file_max_bytes());
    history_write(history, &file);
    assert_false(file.failed);
    assert_int_equal(file.len, history_file_max_bytes());
    buf_free(&file);
    history_free(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seconds_and_gaps), cmocka_unit_test(test_coarse_steps_sum),
        cmocka_unit_test(test_clock_jumps),      cmocka_unit_test(test_file),
        cmocka_unit_test(test_full_file_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
