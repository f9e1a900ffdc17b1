/* The state machine of a server: what happens at which second, and what is said of it then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "origin/health_private.h"

#define SECOND UINT64_C(1000000)

static const struct conf_probe probe = {.kind = CONF_PROBE_GET, .rise = 2, .fall = 3};
static const struct conf_eject eject = {
    .kind = CONF_EJECT_ON,
    .fails = 3,
    .within_ms = 10000,
    .time_ms = 1000,
    .max_time_ms = 4000,
    .on = {.faults = CONF_FAILURE_CONNECT | CONF_FAILURE_TIMEOUT | CONF_FAILURE_RESET,
           .statuses = {.count = 1, .list = {{502, 504}}}},
};

enum act {
    GOOD,    /* a request that went well */
    BAD,     /* 503 */
    REFUSED, /* connection refused */
    LATE,    /* no answer in time */
    UNKNOWN, /* given up by us */
    TAKE,    /* a request begins; its outcome is a trial's if it is one */
    PASS,    /* a check */
    FAIL,
    OPEN, /* a knock */
    SHUT,
    DRAIN,
    MAINTAIN,
    UP,
    NAMELESS,
    NAMED,
};

struct step {
    double at; /* seconds */
    enum act act;
    bool is_last; /* there is no other server */
    enum origin_status status;
    const char *reason; /* NULL: as before */
};

struct story {
    const char *name;
    struct health_rules rules;
    struct step steps[16];
};

#define EJECTING                                                                                   \
    {                                                                                              \
        &eject, true, &no_breaker                                                                  \
    }
#define BREAKING                                                                                   \
    {                                                                                              \
        &eject, false, &half                                                                       \
    }
#define E ORIGIN_IS_EJECTED
#define T ORIGIN_IS_TRIAL
#define D ORIGIN_IS_DOWN
#define U ORIGIN_IS_UP

static const struct conf_breaker no_breaker;
static const struct conf_breaker half = {
    .is_on = true, .errors = 50, .requests = 4, .within_ms = 10000};

static const struct story stories[] = {
    {"three in a row",
     EJECTING,
     {{1, BAD, false, U, ""},
      {2, BAD, false, U, ""},
      {3, BAD, false, E, "3 errors in a row, last: 503"},
      {3.5, OPEN, false, E, NULL}, /* too early */
      {4, SHUT, false, E, NULL},   /* one second more */
      {4.5, OPEN, false, E, NULL},
      {5, OPEN, false, T, "it takes connections; the next request decides"},
      {5, TAKE, false, T, NULL},
      {5, GOOD, false, U, "the trial request went well: 200"}}},
    {"one that goes well between",
     EJECTING,
     {{1, BAD, false, U, ""},
      {2, BAD, false, U, ""},
      {3, GOOD, false, U, ""},
      {4, BAD, false, U, ""},
      {5, BAD, false, U, ""},
      {6, UNKNOWN, false, U, ""},
      {7, BAD, false, E, "3 errors in a row, last: 503"}}},
    {"too slowly to be a row",
     EJECTING,
     {{1, BAD, false, U, ""},
      {2, BAD, false, U, ""},
      {11.5, BAD, false, U, ""},
      {12, BAD, false, U, ""},
      {13, REFUSED, false, E, "3 errors in a row, last: connection refused"}}},
    {"twice as long each time, up to the most, and anew after a quiet time",
     EJECTING,
     {{1, REFUSED, false, U, ""},
      {1, REFUSED, false, U, ""},
      {1, REFUSED, false, E, NULL},
      {2, OPEN, false, T, NULL},
      {2, TAKE, false, T, NULL},
      {2, LATE, false, E, "the trial request failed: no answer in time"},
      {3.9, OPEN, false, E, NULL}, /* 2 s */
      {4, OPEN, false, T, NULL},
      {4, TAKE, false, T, NULL},
      {4, REFUSED, false, E, NULL},
      {7.9, OPEN, false, E, NULL}, /* 4 s */
      {8, OPEN, false, T, NULL},
      {8, TAKE, false, T, NULL},
      {8, REFUSED, false, E, NULL},
      {11.9, OPEN, false, E, NULL}, /* no more than 4 s */
      {12, OPEN, false, T, NULL}}},
    {"the last one goes only when its connections break",
     EJECTING,
     {{1, BAD, true, U, ""},
      {1, BAD, true, U, ""},
      {1, BAD, true, U, ""},
      {1, LATE, true, U, ""},
      {2, REFUSED, true, E, "5 errors in a row, last: connection refused"}}},
    {"a trial that is no longer one",
     EJECTING,
     {{0.5, PASS, false, U, ""},
      {1, REFUSED, false, U, ""},
      {1, REFUSED, false, U, ""},
      {1, REFUSED, false, E, NULL},
      {2, OPEN, false, T, NULL},
      {2, TAKE, false, T, NULL},
      {3, UNKNOWN, false, T, NULL}, /* said nothing: the next one may try */
      {3, TAKE, false, T, NULL},
      {4, FAIL, false, T, NULL}, /* not the first check, not enough of them */
      {4, FAIL, false, T, NULL},
      {4, FAIL, false, D, "3 checks failed: no"},
      {5, GOOD, false, D, NULL}, /* the trial's outcome comes too late */
      {6, PASS, false, D, NULL},
      {7, PASS, false, U, "2 checks passed: yes"}}},
    {"the breaker",
     BREAKING,
     {{1, BAD, false, U, ""},
      {1, GOOD, false, U, ""},
      {1, BAD, false, U, ""}, /* two thirds, but of three */
      {2, GOOD, false, U, ""},
      {3, BAD, false, E, "3 of 5 requests failed, last: 503"}}},
    {"the breaker forgets",
     BREAKING,
     {{1, BAD, false, U, ""},
      {1, BAD, false, U, ""},
      {1, BAD, false, U, ""},
      {12, GOOD, false, U, ""},
      {12, GOOD, false, U, ""},
      {12, BAD, false, U, ""},
      {12, GOOD, false, U, ""},
      {13, BAD, false, U, ""},
      {13, BAD, false, E, "3 of 6 requests failed, last: 503"}}},
    {"checks",
     EJECTING,
     {{1, PASS, false, U, ""},
      {2, FAIL, false, U, ""},
      {3, FAIL, false, U, ""},
      {4, PASS, false, U, ""},
      {5, FAIL, false, U, ""},
      {6, FAIL, false, U, ""},
      {7, FAIL, false, D, "3 checks failed: no"},
      {8, PASS, false, D, NULL},
      {9, FAIL, false, D, "3 checks failed: no"},
      {10, PASS, false, D, NULL},
      {11, PASS, false, U, "2 checks passed: yes"}}},
    {"the first check decides alone",
     EJECTING,
     {{1, FAIL, false, D, "1 check failed: no"},
      {2, PASS, false, D, NULL},
      {3, PASS, false, U, NULL}}},
    {"an ejected one is tried when a check passes after its time",
     EJECTING,
     {{0, PASS, false, U, ""},
      {1, REFUSED, false, U, ""},
      {1, REFUSED, false, U, ""},
      {1, REFUSED, false, E, NULL},
      {1.5, PASS, false, E, NULL},
      {2, PASS, false, T, "a check passed; the next request decides"}}},
    {"the operator's word goes first, the rest goes on underneath",
     EJECTING,
     {{1, PASS, false, U, ""},
      {2, DRAIN, false, ORIGIN_IS_DRAINED, "because"},
      {3, FAIL, false, ORIGIN_IS_DRAINED, "because"},
      {3, FAIL, false, ORIGIN_IS_DRAINED, "because"},
      {3, FAIL, false, ORIGIN_IS_DRAINED, "because"},
      {4, MAINTAIN, false, ORIGIN_IS_IN_MAINTENANCE, "because"},
      {5, UP, false, U, "because"}, /* and begins anew */
      {6, FAIL, false, U, NULL},
      {6, FAIL, false, U, NULL},
      {6, FAIL, false, D, "3 checks failed: no"}}},
    {"no address",
     EJECTING,
     {{1, NAMELESS, false, D, "no address"}, {2, NAMED, false, U, "an address"}}},
};

static struct origin_outcome outcome_of(enum act act)
{
    struct origin_outcome outcome = {.is_known = true, .status = 200, .head_seen = true};

    if (act == BAD) {
        outcome.status = 503;
    } else if (act == REFUSED || act == LATE) {
        outcome.fault = act == LATE ? FETCH_FIRST_BYTE_TIMEOUT : FETCH_CONNECT_REFUSED;
        outcome.head_seen = false;
        outcome.status = 0;
    }
    return outcome;
}

static void act(struct origin_health *health, const struct health_rules *rules,
                const struct step *step, bool *is_trial)
{
    uint64_t now_us = (uint64_t)((step->at + 100) * (double)SECOND);
    const struct health_result result = {.is_passed = step->act == PASS || step->act == OPEN,
                                         .detail = step->act == PASS ? "yes" : "no"};
    struct origin_outcome outcome = outcome_of(step->act);
    const struct health_ended ended = {&outcome, *is_trial, step->is_last};
    struct health_change change = {.is_any = false};
    enum origin_status before = health_status(health);

    switch (step->act) {
    case GOOD:
    case BAD:
    case REFUSED:
    case LATE:
        health_outcome(health, rules, &ended, now_us, &change);
        *is_trial = false;
        break;
    case UNKNOWN:
        health_cancel(health, *is_trial);
        *is_trial = false;
        break;
    case TAKE:
        assert_true(health_may_ask(health, false));
        *is_trial = health_take(health);
        assert_int_equal(*is_trial, before == T);
        assert_int_equal(health_may_ask(health, false), before != T); /* one at a time */
        break;
    case PASS:
    case FAIL:
        health_checked(health, &probe, &result, now_us, &change);
        break;
    case OPEN:
    case SHUT:
        health_knocked(health, rules, &result, now_us, &change);
        break;
    case DRAIN:
        health_order(health, ORIGIN_IS_DRAINED, "me", "because", now_us, &change);
        break;
    case MAINTAIN:
        health_order(health, ORIGIN_IS_IN_MAINTENANCE, "me", "because", now_us, &change);
        break;
    case UP:
        health_order(health, ORIGIN_IS_UP, "me", "because", now_us, &change);
        break;
    case NAMELESS:
        health_name(health, true, "no address", now_us, &change);
        break;
    case NAMED:
        health_name(health, false, "an address", now_us, &change);
        break;
    }
    assert_int_equal(change.is_any, before != health_status(health));
    if (change.is_any) {
        assert_int_equal(change.from, before);
        assert_int_equal(health->since_us, now_us);
    }
}

static void test_stories(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
        const struct story *story = &stories[i];
        struct origin_health health = {0};
        struct origin_health_view view;
        bool is_trial = false;
        for (size_t j = 0; j < ARRAY_LEN(story->steps); j++) {
            const struct step *step = &story->steps[j];
            if (j > 0 && step->at <= 0) {
                break;
            }
            act(&health, &story->rules, step, &is_trial);
            health_show(&health, &probe, &view);
            if (view.status != step->status ||
                (step->reason != NULL && strcmp(view.reason, step->reason) != 0)) {
                fail_msg("%s: at %g it is %s, \"%s\"", story->name, step->at,
                         origin_status_name(view.status), view.reason);
            }
        }
    }
}

/* A person is named for what a person did, and for nothing that happened later by itself. */
static void test_who(void **state)
{
    static const struct {
        enum act act;
        const char *who;
    } steps[] = {
        {UP, "me"},       {FAIL, "me"}, {FAIL, "me"},   {FAIL, ""},   {PASS, ""},
        {PASS, ""},       {UP, "me"},   {DRAIN, "me"},  {FAIL, "me"}, {FAIL, "me"},
        {MAINTAIN, "me"}, {UP, "me"},   {NAMELESS, ""},
    };
    const struct health_rules *rules = &stories[0].rules;
    struct origin_health health = {.was_checked = true};
    struct origin_health_view view;
    bool is_trial = false;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        const struct step step = {.at = (double)i + 1, .act = steps[i].act};
        act(&health, rules, &step, &is_trial);
        health_show(&health, &probe, &view);
        if (strcmp(view.who, steps[i].who) != 0) {
            fail_msg("step %zu: by \"%s\", %s", i, view.who, view.reason);
        }
    }
}

/* Who may be asked in which state: clients that are to stay, and the others. */
static void test_may_ask(void **state)
{
    static const struct {
        struct origin_health health;
        bool any, own;
    } cases[] = {
        {{.phase = U}, true, true},
        {{.phase = D}, false, false},
        {{.phase = E}, false, false},
        {{.phase = T}, true, true},
        {{.phase = T, .trials = 1}, false, false},
        {{.order = ORIGIN_IS_DRAINED}, false, true},
        {{.order = ORIGIN_IS_DRAINED, .phase = D}, false, false},
        {{.order = ORIGIN_IS_IN_MAINTENANCE}, false, false},
        {{.is_nameless = true}, false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(health_may_ask(&cases[i].health, false), cases[i].any);
        assert_int_equal(health_may_ask(&cases[i].health, true), cases[i].own);
    }
}

/* New settings take back what nobody asks for any more, and only that. */
static void test_settle(void **state)
{
    static const struct conf_probe none;
    static const struct health_rules on = EJECTING;
    static const struct health_rules off = {&eject, false, &no_breaker};
    static const struct {
        enum origin_status phase;
        bool is_checked, is_ejecting;
        enum origin_status after;
    } cases[] = {
        {D, true, true, D},  {D, false, true, U}, {E, true, true, E},   {E, true, false, U},
        {T, true, false, U}, {T, false, true, T}, {U, false, false, U},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct origin_health health = {.phase = cases[i].phase, .was_checked = true};
        struct health_change change;
        health_settle(&health, cases[i].is_checked ? &probe : &none,
                      cases[i].is_ejecting ? &on : &off, SECOND, &change);
        assert_int_equal(health.phase, cases[i].after);
        assert_int_equal(change.is_any, cases[i].phase != cases[i].after);
        assert_int_equal(health.was_checked, cases[i].is_checked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_who),
        cmocka_unit_test(test_may_ask),
        cmocka_unit_test(test_settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
