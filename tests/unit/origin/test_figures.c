/* What a server answered: ever, and during the last minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "origin/figures.h"

#define SECOND UINT64_C(1000000)
#define START (1000 * SECOND)

static struct origin_outcome good(uint64_t first_byte_us)
{
    return (struct origin_outcome){.is_known = true,
                                   .status = 200,
                                   .head_seen = true,
                                   .first_byte_us = first_byte_us,
                                   .received_bytes = 10};
}

static void test_counts_for_ever(void **state)
{
    (void)state;
    struct origin_figures *figures = mem_new(sizeof(*figures));
    struct origin_outcome answer = good(2000);
    struct origin_outcome refused = {.is_known = true, .fault = FETCH_CONNECT_REFUSED};
    struct origin_outcome ours = {.is_known = false, .fault = FETCH_INTERNAL};

    origin_figures_note(figures, &answer, START);
    answer.status = 503;
    answer.connect_us = 5;
    origin_figures_note(figures, &answer, START);
    origin_figures_note(figures, &refused, START);
    origin_figures_note(figures, &ours, START);
    assert_int_equal(figures->responses[2], 1);
    assert_int_equal(figures->responses[5], 1);
    assert_int_equal(figures->responses[0], 1);
    assert_int_equal(figures->faults[FETCH_OK], 2);
    assert_int_equal(figures->faults[FETCH_CONNECT_REFUSED], 1);
    assert_int_equal(figures->faults[FETCH_INTERNAL], 0);
    assert_int_equal(figures->received_bytes, 20);
    assert_int_equal(figures->reused, 1);
    assert_int_equal(figures->connected, 1);
    assert_int_equal(figures->first_byte_sum_us, 4000);
    mem_free(figures);
}

static void test_the_last_minute(void **state)
{
    (void)state;
    static const struct {
        uint64_t after_s; /* how long after the notes it is looked at */
        uint64_t responses;
        double seconds;
    } rows[] = {
        {0, 2, 1.0}, /* of a server just born */
        {5, 2, 5.0},    {59, 2, 59.0},
        {60, 0, 50.0},  {65, 0, 55.0}, /* five whole windows and the half of one */
        {600, 0, 50.0},
    };
    struct origin_figures *figures = mem_new(sizeof(*figures));
    struct origin_outcome answer = good(2000);
    struct origin_outcome refused = {.is_known = true, .fault = FETCH_CONNECT_REFUSED};
    struct origin_recent recent;

    figures->born_us = START;
    origin_figures_note(figures, &answer, START);
    origin_figures_note(figures, &refused, START);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        origin_figures_recent(figures, START + rows[i].after_s * SECOND, &recent);
        assert_int_equal(recent.responses, rows[i].responses);
        assert_int_equal(recent.failures, rows[i].responses / 2);
        assert_true(recent.seconds > rows[i].seconds - 0.01 &&
                    recent.seconds < rows[i].seconds + 0.01);
        assert_true((recent.p50_us > 0) == (rows[i].responses > 0));
    }
    /* A window is used again: what it had is gone, the next minute's is there. */
    origin_figures_note(figures, &answer, START + 60 * SECOND);
    origin_figures_recent(figures, START + 60 * SECOND, &recent);
    assert_int_equal(recent.responses, 1);
    assert_true(recent.p95_us > 1900 && recent.p95_us < 2800);
    mem_free(figures);
}

static void test_every_fault_has_a_name(void **state)
{
    (void)state;
    for (int i = FETCH_OK; i <= FETCH_INTERNAL; i++) {
        assert_string_not_equal(origin_fault_name((enum fetch_fault)i), "unknown");
    }
    assert_string_equal(origin_fault_name(FETCH_CONNECT_REFUSED), "connect_refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_for_ever),
        cmocka_unit_test(test_the_last_minute),
        cmocka_unit_test(test_every_fault_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
