/* budget: the share of the last ten seconds, the floor, and what time forgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "origin/budget.h"

#define SECOND UINT64_C(1000000)

struct step {
    uint64_t at_us;
    unsigned requests; /* sent first */
    unsigned tries;    /* asked for after them */
    unsigned granted;  /* of these */
};

static void run(unsigned percent, const struct step *steps, size_t count)
{
    struct origin_budget budget = {0};

    for (size_t i = 0; i < count; i++) {
        unsigned granted = 0;
        for (unsigned j = 0; j < steps[i].requests; j++) {
            origin_budget_request(&budget, steps[i].at_us);
        }
        for (unsigned j = 0; j < steps[i].tries; j++) {
            granted += origin_budget_take(&budget, steps[i].at_us, percent);
        }
        if (granted != steps[i].granted) {
            fail_msg("step %zu: %u granted, wanted %u", i, granted, steps[i].granted);
        }
    }
}

#define RUN(percent, ...)                                                                          \
    do {                                                                                           \
        const struct step steps[] = {__VA_ARGS__};                                                 \
        run(percent, steps, ARRAY_LEN(steps));                                                     \
    } while (0)

static void test_share(void **state)
{
    (void)state;
    RUN(20, {5 * SECOND, 1000, 500, 200}, {6 * SECOND, 0, 5, 0}, {6 * SECOND, 100, 50, 20});
    /* What is older than ten seconds is forgotten, requests and retries alike. */
    RUN(20, {5 * SECOND, 1000, 500, 200}, {14 * SECOND, 500, 200, 100}, {15 * SECOND, 0, 9, 0},
        {24 * SECOND, 0, 9, 3});
    RUN(100, {0, 50, 90, 50});
    RUN(0, {0, 1000, 10, 0}, {20 * SECOND, 1, 1, 0});
}

/* Little traffic: three a second, and no more of them than that in ten. */
static void test_floor(void **state)
{
    (void)state;
    RUN(20, {0, 1, 9, 3}, {SECOND - 1, 1, 9, 0}, {SECOND, 1, 9, 3}, {3 * SECOND, 0, 9, 3});
    /* With a share that is more, the floor adds nothing to it. */
    RUN(20, {0, 150, 60, 30}, {SECOND, 0, 9, 0}, {9 * SECOND, 0, 9, 0}, {10 * SECOND, 0, 9, 3});
}

/* Long silence, the first second of all, and a loop whose clock is a moment behind. */
static void test_time(void **state)
{
    (void)state;
    RUN(50, {UINT64_C(400000) * SECOND, 100, 90, 50}, {UINT64_C(400000) * SECOND - 1, 10, 20, 5},
        {UINT64_C(800000) * SECOND, 10, 20, 5});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_floor),
        cmocka_unit_test(test_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
