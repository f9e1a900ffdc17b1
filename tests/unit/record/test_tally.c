/* Tallies: names told apart, bounded, summed over workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "record/tally.h"

static void add(struct tally *tally, const char *forward, const char *rule,
                enum tally_figure figure, uint64_t n)
{
    tally_add(tally_of(tally, span_str(forward), span_str(rule)), figure, n);
}

static void test_names_are_told_apart(void **state)
{
    (void)state;
    struct tally *tally = tally_new();
    struct tally_sum *sum = mem_new(sizeof(*sum));

    add(tally, "office", "", TALLY_REQUESTS, 3);
    add(tally, "office", "ads", TALLY_DENIED, 1);
    add(tally, "office", "ads", TALLY_DENIED, 2);
    add(tally, "officea", "ds", TALLY_DENIED, 10);
    add(tally, "office", "adsl", TALLY_ALLOWED, 20);
    add(tally, "offic", "e", TALLY_DENIED, 40);
    tally_sum_add(sum, tally);
    assert_int_equal(sum->count, 5);
    assert_int_equal(tally_sum_find(sum, "office", "")->figure[TALLY_REQUESTS], 3);
    assert_int_equal(tally_sum_find(sum, "office", "ads")->figure[TALLY_DENIED], 3);
    assert_int_equal(tally_sum_find(sum, "office", "ads")->figure[TALLY_ALLOWED], 0);
    assert_int_equal(tally_sum_find(sum, "officea", "ds")->figure[TALLY_DENIED], 10);
    assert_int_equal(tally_sum_find(sum, "office", "adsl")->figure[TALLY_ALLOWED], 20);
    assert_int_equal(tally_sum_find(sum, "offic", "e")->figure[TALLY_DENIED], 40);
    assert_null(tally_sum_find(sum, "office", "a"));
    mem_free(sum);
    tally_free(&tally);
    assert_null(tally);
}

static void test_workers_are_summed(void **state)
{
    (void)state;
    struct tally *a = tally_new();
    struct tally *b = tally_new();
    struct tally_sum *sum = mem_new(sizeof(*sum));

    add(a, "x", "one", TALLY_DENIED, 1);
    add(b, "x", "two", TALLY_DENIED, 2);
    add(b, "x", "one", TALLY_DENIED, 4);
    tally_sum_add(sum, a);
    tally_sum_add(sum, b);
    assert_int_equal(sum->count, 2);
    assert_int_equal(tally_sum_find(sum, "x", "one")->figure[TALLY_DENIED], 5);
    assert_int_equal(tally_sum_find(sum, "x", "two")->figure[TALLY_DENIED], 2);
    mem_free(sum);
    tally_free(&a);
    tally_free(&b);
}

/* Nothing is lost of names beyond the bound, and those before keep theirs. */
static void test_bounded(void **state)
{
    (void)state;
    struct tally *tally = tally_new();
    struct tally_sum *sum = mem_new(sizeof(*sum));
    uint64_t all = 0;
    char rule[16];

    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 3 * TALLY_ENTRIES; i++) {
            (void)snprintf(rule, sizeof(rule), "r%u", i);
            add(tally, "x", rule, TALLY_DENIED, 1);
        }
    }
    tally_sum_add(sum, tally);
    assert_int_equal(sum->count, TALLY_ENTRIES);
    for (size_t i = 0; i < sum->count; i++) {
        all += sum->row[i].figure[TALLY_DENIED];
    }
    assert_int_equal(all, 2 * 3 * TALLY_ENTRIES);
    assert_int_equal(tally_sum_find(sum, "x", "r7")->figure[TALLY_DENIED], 2);
    assert_int_equal(tally_sum_find(sum, "-", "-")->figure[TALLY_DENIED],
                     2 * (3 * TALLY_ENTRIES - (TALLY_ENTRIES - 1)));
    mem_free(sum);
    tally_free(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_told_apart),
        cmocka_unit_test(test_workers_are_summed),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
