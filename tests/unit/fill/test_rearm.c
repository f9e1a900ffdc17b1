/* Notes about stale responses sent for a dead origin (RFC 9111 4.2.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "fill/rearm.h"

static void test_names_one_response_for_a_moment(void **state)
{
    const struct http_stored facts = {.generation = 7, .response_time_ms = 1000};
    const struct http_stored renewed = {.generation = 7, .response_time_ms = 1001};
    const struct http_stored replaced = {.generation = 8, .response_time_ms = 1000};
    const struct hash128 key = {.lo = 1, .hi = 2};
    const struct rearm_subject noted = {.key = key, .facts = &facts, .soft_at_ms = 5};
    const struct {
        struct rearm_subject subject;
        uint64_t now_us;
        bool holds;
    } rows[] = {
        {noted, 100, true},
        {noted, 100 + REARM_US - 1, true},
        {noted, 100 + REARM_US, false},
        {{.key = {.lo = 1, .hi = 3}, .facts = &facts, .soft_at_ms = 5}, 100, false},
        {{.key = {.lo = 2, .hi = 2}, .facts = &facts, .soft_at_ms = 5}, 100, false},
        {{.key = key, .facts = &renewed, .soft_at_ms = 5}, 100, false},
        {{.key = key, .facts = &replaced, .soft_at_ms = 5}, 100, false},
        {{.key = key, .facts = &facts, .soft_at_ms = 6}, 100, false},
        {{.key = key, .facts = &facts, .soft_at_ms = 0}, 100, false},
    };
    struct rearm_table *table = NULL;

    (void)state;
    assert_int_equal(rearm_find(table, &noted, 100), REARM_NONE);
    rearm_note(&table, &noted, REARM_ANYWAY, 100);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if ((rearm_find(table, &rows[i].subject, rows[i].now_us) == REARM_ANYWAY) !=
            rows[i].holds) {
            fail_msg("row %zu", i);
        }
    }
    rearm_note(&table, &noted, REARM_IN_WINDOW, 200 + REARM_US);
    assert_int_equal(rearm_find(table, &noted, 200 + REARM_US), REARM_IN_WINDOW);
    rearm_free(&table);
    assert_null(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names_one_response_for_a_moment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
