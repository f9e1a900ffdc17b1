/* Claims: granted, refused, waiting, given up, and what the figures say of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "origin/origin_private.h"

struct fixture {
    struct origins *origins;
    struct conf *conf;
    struct origin_pool *pool;
    struct loop *loop;
};

static void fixture_open(struct fixture *fixture, const char *text)
{
    struct conf_report *report = conf_report_new();

    if (conf_load_text("t", span_str(text), CONF_PORTABLE, &fixture->conf, report) != ERR_OK) {
        fail_msg("%s: %s", text, conf_report_get(report, 0)->message);
    }
    conf_report_free(report);
    fixture->origins = origins_new();
    origins_apply(fixture->origins, fixture->conf);
    fixture->pool = origins_find(fixture->origins, "p");
    fixture->loop = loop_new();
    assert_non_null(fixture->pool);
    assert_non_null(fixture->loop);
}

static void fixture_close(struct fixture *fixture)
{
    assert_int_equal(fixture->pool->active, 0);
    assert_int_equal(fixture->pool->queued, 0);
    origin_pool_unref(&fixture->pool);
    origins_free(&fixture->origins);
    conf_unref(fixture->conf);
    loop_free(&fixture->loop);
}

struct waiter {
    struct origin_claim claim;
    unsigned woken;
    enum origin_verdict verdict;
};

static void on_wake(void *ctx, enum origin_verdict verdict)
{
    struct waiter *waiter = ctx;

    waiter->woken++;
    waiter->verdict = verdict;
}

static enum origin_verdict begin(struct fixture *fixture, struct waiter *waiter, bool at_once)
{
    const struct origin_want want = {.at_once = at_once};

    *waiter = (struct waiter){0};
    return origin_claim_begin(&waiter->claim, fixture->pool, &want, fixture->loop, on_wake, waiter);
}

static void end(struct fixture *fixture, struct waiter *waiter)
{
    origin_claim_end(&waiter->claim, NULL, loop_now_us(fixture->loop));
}

static void deliver(struct fixture *fixture)
{
    while (mailbox_deliver(loop_mailbox(fixture->loop)) > 0) {
    }
}

#define POOL(settings) "listen :80; origins p { " settings " } site * { origins p; }"

/* First come, first served; who gives up leaves no gap, also when a place is on its way to it. */
static void test_queue(void **state)
{
    struct fixture fixture;
    struct waiter one;
    struct waiter two;
    struct waiter three;
    struct waiter four;

    (void)state;
    fixture_open(&fixture, POOL("server a http://127.0.0.1:1 max=1; queue size=2;"));
    assert_int_equal(begin(&fixture, &one, false), ORIGIN_GRANTED);
    assert_int_equal(begin(&fixture, &two, false), ORIGIN_WAITING);
    assert_int_equal(begin(&fixture, &three, false), ORIGIN_WAITING);
    assert_int_equal(begin(&fixture, &four, false), ORIGIN_FULL);
    end(&fixture, &four);
    end(&fixture, &one);
    assert_int_equal(two.woken, 0); /* by mail only */
    end(&fixture, &two);            /* its place is on its way: it goes to the next */
    deliver(&fixture);
    assert_int_equal(two.woken, 0);
    assert_int_equal(three.woken, 1);
    assert_int_equal(three.verdict, ORIGIN_GRANTED);
    assert_non_null(three.claim.server);
    assert_int_equal(fixture.pool->servers[0]->state->active, 1);
    end(&fixture, &three);
    assert_int_equal(fixture.pool->waited, 2);
    assert_int_equal(fixture.pool->refused_full, 1);
    fixture_close(&fixture);
}

/* Who only looks whether there is a place stands in no queue and in no figure. */
static void test_at_once(void **state)
{
    struct fixture fixture;
    struct waiter one;
    struct waiter two;

    (void)state;
    fixture_open(&fixture, POOL("server a http://127.0.0.1:1 max=1; queue size=0;"));
    assert_int_equal(begin(&fixture, &one, true), ORIGIN_GRANTED);
    assert_int_equal(begin(&fixture, &two, true), ORIGIN_FULL);
    end(&fixture, &two);
    assert_int_equal(fixture.pool->waited, 0);
    assert_int_equal(fixture.pool->refused_full, 0);
    assert_int_equal(fixture.pool->full_us, 0); /* no problem for an operator */
    end(&fixture, &one);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
