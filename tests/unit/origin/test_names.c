/* The addresses of a name: whose turn it is, and which answers are believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "origin/names.h"

static struct names_result found(const char *a, const char *b, const char *c)
{
    struct names_result result = {.answer = NAMES_FOUND};
    const char *const all[] = {a, b, c};

    for (unsigned i = 0; i < 3 && all[i] != NULL; i++) {
        (void)snprintf(result.addresses[result.count++], ORIGIN_ADDRESS_BYTES, "%s", all[i]);
    }
    return result;
}

static struct names_result lost(enum names_answer answer, const char *detail)
{
    struct names_result result = {.answer = answer};

    (void)snprintf(result.detail, sizeof(result.detail), "%s", detail);
    return result;
}

static void picks(struct origin_names *names, const char *wanted)
{
    char out[ORIGIN_ADDRESS_BYTES];

    names_pick(names, out);
    assert_string_equal(out, wanted);
}

static void test_literal(void **state)
{
    (void)state;
    assert_true(names_is_literal("127.0.0.1"));
    assert_true(names_is_literal("::1"));
    assert_false(names_is_literal("localhost"));
    assert_false(names_is_literal("1.2.3"));
    struct origin_names names = {0};
    struct names_result result = found("1.1.1.1", NULL, NULL);
    assert_false(names_take(&names, &result, 1));
    picks(&names, "");
}

static void test_turns(void **state)
{
    struct origin_names names = {.state = NAMES_PENDING};
    struct names_result result = found("1.1.1.1", "::2", "3.3.3.3");

    (void)state;
    assert_true(names_take(&names, &result, 5));
    assert_int_equal(names.state, NAMES_KNOWN);
    assert_int_equal(names.at_ms, 5);
    picks(&names, "1.1.1.1");
    picks(&names, "::2");
    picks(&names, "3.3.3.3");
    picks(&names, "1.1.1.1");
    assert_true(names_note(&names, "::2", true));
    assert_false(names_note(&names, "::2", true)); /* no news */
    assert_false(names_note(&names, "9.9.9.9", true));
    picks(&names, "3.3.3.3");
    picks(&names, "1.1.1.1");
    assert_true(names_note(&names, "1.1.1.1", true));
    assert_true(names_note(&names, "3.3.3.3", true));
    picks(&names, "::2"); /* all are broken: in turn again */
    picks(&names, "3.3.3.3");
    assert_true(names_note(&names, "1.1.1.1", false));
    picks(&names, "1.1.1.1");
    picks(&names, "1.1.1.1");
    /* Another order is no news; a new address is, and the others keep what is known of them. */
    result = found("3.3.3.3", "1.1.1.1", "::2");
    assert_false(names_take(&names, &result, 6));
    result = found("3.3.3.3", "4.4.4.4", NULL);
    assert_true(names_take(&names, &result, 7));
    picks(&names, "4.4.4.4");
    picks(&names, "4.4.4.4");
}

/* Addresses of one family will do where none are known, and take none away. */
static void test_one_family(void **state)
{
    struct origin_names names = {.state = NAMES_PENDING};
    struct names_result part = found("1.1.1.1", NULL, NULL);
    struct names_result whole = found("::1", "1.1.1.1", NULL);

    (void)state;
    part.is_partial = true;
    assert_true(names_take(&names, &part, 1));
    assert_int_equal(names.state, NAMES_KNOWN);
    assert_int_equal(names.count, 1);
    assert_true(names_take(&names, &whole, 2));
    assert_int_equal(names.count, 2);
    assert_false(names_take(&names, &part, 3));
    assert_int_equal(names.count, 2);
}

static void test_belief(void **state)
{
    struct origin_names names = {.state = NAMES_PENDING};
    struct names_result good = found("1.1.1.1", NULL, NULL);
    struct names_result negative = lost(NAMES_NEGATIVE, "no such name");
    struct names_result failed = lost(NAMES_FAILED, "timeout");

    (void)state;
    /* Nothing is known: the first bad answer is all there is. */
    assert_true(names_take(&names, &negative, 1));
    assert_int_equal(names.state, NAMES_NONE);
    assert_string_equal(names.detail, "no such name");
    assert_true(names_take(&names, &good, 2));
    assert_int_equal(names.state, NAMES_KNOWN);
    assert_false(names.is_warning);
    /* Failures never take away what is known; two negative answers neither. */
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(names_take(&names, &failed, 3), i == 0);
    }
    assert_true(names.is_warning);
    (void)names_take(&names, &negative, 4);
    (void)names_take(&names, &negative, 5);
    (void)names_take(&names, &failed, 6); /* not in a row */
    (void)names_take(&names, &negative, 7);
    (void)names_take(&names, &negative, 8);
    picks(&names, "1.1.1.1");
    assert_int_equal(names.at_ms, 2);
    assert_true(names_take(&names, &negative, 9));
    assert_int_equal(names.state, NAMES_NONE);
    picks(&names, "");
    assert_true(names_take(&names, &good, 10));
    picks(&names, "1.1.1.1");
}

static void test_waiting_ends(void **state)
{
    struct origin_names names = {.state = NAMES_PENDING};
    struct names_result good = found("1.1.1.1", NULL, NULL);

    (void)state;
    names_give_up(&names);
    assert_int_equal(names.state, NAMES_NONE);
    assert_true(names_take(&names, &good, 1));
    names_give_up(&names);
    assert_int_equal(names.state, NAMES_KNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literal),      cmocka_unit_test(test_turns),
        cmocka_unit_test(test_one_family),   cmocka_unit_test(test_belief),
        cmocka_unit_test(test_waiting_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
