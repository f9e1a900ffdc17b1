/* Who is asked: shares, what a server that leaves takes along, bounds, backups, slow starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "origin/origin_private.h"

#define NOW_US UINT64_C(1000000000)
#define SERVERS_MAX 10u

struct fixture {
    struct origins *origins;
    struct conf *conf;
    struct origin_pool *pool;
};

static void fixture_open(struct fixture *fixture, const char *pool)
{
    struct buf text;
    struct conf_report *report = conf_report_new();

    buf_init(&text, 65536);
    buf_printf(&text, "listen :80; origins p { %s } site * { origins p; }", pool);
    if (conf_load_text("t", buf_span(&text), CONF_PORTABLE, &fixture->conf, report) != ERR_OK) {
        fail_msg("%s: %s", pool, conf_report_get(report, 0)->message);
    }
    conf_report_free(report);
    buf_free(&text);
    fixture->origins = origins_new();
    origins_apply(fixture->origins, fixture->conf);
    fixture->pool = origins_find(fixture->origins, "p");
    assert_non_null(fixture->pool);
    /* Of all runs of lots one in some hundred is off by 5 %. */
    fixture->pool->random = UINT64_C(0x9e3779b97f4a7c15);
}

static void fixture_close(struct fixture *fixture)
{
    for (unsigned i = 0; i < fixture->pool->server_count; i++) {
        fixture->pool->servers[i]->state->active = 0;
    }
    fixture->pool->active = 0;
    origin_pool_unref(&fixture->pool);
    origins_free(&fixture->origins);
    conf_unref(fixture->conf);
}

/* -1: busy, -2: none. */
static int choose(struct fixture *fixture, const struct origin_want *want, uint64_t now_us)
{
    unsigned index = 0;

    lock_acquire(&fixture->pool->lock);
    enum origin_choice choice = origin_choose(fixture->pool, want, now_us, &index);
    lock_release(&fixture->pool->lock);
    return choice == ORIGIN_CHOICE_MADE ? (int)index : choice == ORIGIN_CHOICE_BUSY ? -1 : -2;
}

static uint64_t key(unsigned i)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "/page/%u", i);

    return hash64((struct hash_seed){0}, span_of(text, (size_t)len));
}

/* One after the other, each over before the next: counts, 10,000 in all. */
static void run(struct fixture *fixture, unsigned counts[SERVERS_MAX])
{
    memset(counts, 0, SERVERS_MAX * sizeof(*counts));
    for (unsigned i = 0; i < 10000; i++) {
        struct origin_want want = {.hash = key(i)};
        int index = choose(fixture, &want, NOW_US);
        assert_true(index >= 0);
        counts[index]++;
    }
}

static void assert_share(unsigned count, double share)
{
    if (count < share * 10000 * 0.95 || count > share * 10000 * 1.05) {
        fail_msg("%u of 10000 where %.1f %% were promised", count, share * 100);
    }
}

static const char *const ways[] = {"round_robin", "least_conn",  "random",
                                   "hash url",    "hash client", "hash header X"};

static void test_equal_shares(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct fixture fixture;
        char pool[256];
        unsigned counts[SERVERS_MAX];
        snprintf(pool, sizeof(pool),
                 "balance %s; server a http://a; server b http://b; server c http://c;", ways[i]);
        fixture_open(&fixture, pool);
        run(&fixture, counts);
        for (unsigned s = 0; s < 3; s++) {
            assert_share(counts[s], 1.0 / 3);
        }
        fixture_close(&fixture);
    }
}

static void test_weighted_shares(void **state)
{
    static const char *const exact[] = {"round_robin", "least_conn", "random", "hash url"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(exact); i++) {
        struct fixture fixture;
        char pool[256];
        unsigned counts[SERVERS_MAX];
        snprintf(pool, sizeof(pool),
                 "balance %s; server a http://a weight=5; server b http://b weight=3; server c "
                 "http://c weight=2;",
                 exact[i]);
        fixture_open(&fixture, pool);
        run(&fixture, counts);
        assert_share(counts[0], 0.5);
        assert_share(counts[1], 0.3);
        assert_share(counts[2], 0.2);
        fixture_close(&fixture);
    }
}

/* Requests that overlap: 100 under way at any time, the oldest ends first. */
static void test_shares_under_load(void **state)
{
    static const char *const loaded[] = {"round_robin", "least_conn", "random"};
    enum {
        UNDER_WAY = 100
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(loaded); i++) {
        struct fixture fixture;
        char pool[256];
        int ring[UNDER_WAY];
        unsigned counts[SERVERS_MAX] = {0};
        snprintf(pool, sizeof(pool),
                 "balance %s; server a http://a weight=5; server b http://b weight=3; server c "
                 "http://c weight=2;",
                 loaded[i]);
        fixture_open(&fixture, pool);
        for (unsigned n = 0; n < 10000 + UNDER_WAY; n++) {
            struct origin_want want = {0};
            if (n >= UNDER_WAY) {
                fixture.pool->servers[ring[n % UNDER_WAY]]->state->active--;
            }
            ring[n % UNDER_WAY] = choose(&fixture, &want, NOW_US);
            fixture.pool->servers[ring[n % UNDER_WAY]]->state->active++;
            counts[ring[n % UNDER_WAY]] += n >= UNDER_WAY;
        }
        assert_share(counts[0], 0.5);
        assert_share(counts[1], 0.3);
        assert_share(counts[2], 0.2);
        fixture_close(&fixture);
    }
}

static void test_least_avoids_the_slow(void **state)
{
    struct fixture fixture;
    struct origin_want want = {0};

    (void)state;
    fixture_open(&fixture, "balance least_conn; server a http://a; server b http://b;");
    fixture.pool->servers[0]->state->active = 10;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(choose(&fixture, &want, NOW_US), 1);
        fixture.pool->servers[1]->state->active++;
    }
    fixture_close(&fixture);
}

/* The keys of a server that leaves are spread over the others; those of the others stay. */
static void test_hash_moves_little(void **state)
{
    struct fixture before;
    struct fixture after;
    unsigned moved = 0;
    unsigned owned = 0;
    unsigned heirs[SERVERS_MAX] = {0};

    (void)state;
    fixture_open(&before,
                 "balance hash url; server a http://a; server b http://b; server c http://c; "
                 "server d http://d; server e http://e;");
    fixture_open(&after,
                 "balance hash url; server a http://a; server b http://b; server d http://d; "
                 "server e http://e;");
    for (unsigned i = 0; i < 10000; i++) {
        struct origin_want want = {.hash = key(i)};
        const char *first = before.pool->servers[choose(&before, &want, NOW_US)]->settings->name;
        const char *then = after.pool->servers[choose(&after, &want, NOW_US)]->settings->name;
        if (strcmp(first, "c") == 0) {
            owned++;
            heirs[then[0] - 'a']++;
        } else {
            moved += strcmp(first, then) != 0;
        }
    }
    assert_int_equal(moved, 0);
    assert_share(owned, 0.2);
    for (unsigned i = 0; i < 5; i++) {
        assert_true(i == 2 || (heirs[i] > owned / 4 * 8 / 10 && heirs[i] < owned / 4 * 12 / 10));
    }
    fixture_close(&before);
    fixture_close(&after);
}

/* A hot key does not drown its server: beyond its share and a half others help. */
static void test_hash_is_bounded(void **state)
{
    struct fixture fixture;
    struct origin_want want = {.hash = key(1)};
    unsigned counts[SERVERS_MAX] = {0};
    unsigned most = 0;

    (void)state;
    fixture_open(&fixture,
                 "balance hash url; server a http://a; server b http://b; server c http://c; "
                 "server d http://d;");
    for (unsigned i = 0; i < 400; i++) {
        int index = choose(&fixture, &want, NOW_US);
        fixture.pool->servers[index]->state->active++;
        fixture.pool->active++;
        counts[index]++;
        if (i < 8) { /* a few are no load */
            assert_int_equal(counts[index], i + 1);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        most = counts[i] > most ? counts[i] : most;
    }
    assert_in_range(most, 140, 160);
    fixture_close(&fixture);
}

static void test_backup_and_max(void **state)
{
    struct fixture fixture;
    struct origin_want want = {0};

    (void)state;
    fixture_open(&fixture, "server a http://a max=2; server spare http://s backup;");
    struct origin_state *one = fixture.pool->servers[0]->state;
    struct origin_state *spare = fixture.pool->servers[1]->state;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(choose(&fixture, &want, NOW_US), 0);
    }
    one->active = 2; /* busy is not down: the backup stays in reserve */
    assert_int_equal(choose(&fixture, &want, NOW_US), -1);
    one->active = 0;
    want.tried[want.tried_count++] = one;
    assert_int_equal(choose(&fixture, &want, NOW_US), 1);
    want.tried[want.tried_count++] = spare; /* nobody else is left */
    assert_int_equal(choose(&fixture, &want, NOW_US), 0);
    fixture_close(&fixture);
}

static void test_tried_are_last(void **state)
{
    struct fixture fixture;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        char pool[256];
        snprintf(pool, sizeof(pool),
                 "balance %s; server a http://a; server b http://b; server c http://c;", ways[i]);
        fixture_open(&fixture, pool);
        for (unsigned n = 0; n < 100; n++) {
            struct origin_want want = {.hash = key(n)};
            unsigned seen = 0;
            for (unsigned turn = 0; turn < 3; turn++) {
                int index = choose(&fixture, &want, NOW_US);
                assert_true(index >= 0 && (seen >> index & 1) == 0);
                seen |= 1u << index;
                want.tried[want.tried_count++] = fixture.pool->servers[index]->state;
            }
            assert_true(choose(&fixture, &want, NOW_US) >= 0);
        }
        fixture_close(&fixture);
    }
}

static void test_sticky(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture,
                 "sticky c; server a http://a max=1; server b http://b; server c http://c;");
    struct origin_want want = {.sticky = fixture.pool->servers[0]->state->id};
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(choose(&fixture, &want, NOW_US), 0);
    }
    fixture.pool->servers[0]->state->active = 1; /* waits for its own rather than to lose it */
    assert_int_equal(choose(&fixture, &want, NOW_US), -1);
    want.tried[want.tried_count++] = fixture.pool->servers[0]->state;
    assert_true(choose(&fixture, &want, NOW_US) > 0);
    want = (struct origin_want){.sticky = 12345}; /* a server that is no more */
    assert_true(choose(&fixture, &want, NOW_US) >= 0);
    fixture_close(&fixture);
}

static void test_slow_start(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, "slow_start 100s; server a http://a; server b http://b;");
    fixture.pool->servers[1]->state->up_since_us = NOW_US;
    static const struct {
        uint64_t age_s;
        unsigned low, high; /* requests of the new one, of 1000 */
    } table[] = {{0, 5, 15},     {10, 80, 110},   {50, 310, 350},
                 {99, 480, 500}, {100, 500, 500}, {100000, 500, 500}};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        unsigned count = 0;
        fixture.pool->servers[0]->state->turn = fixture.pool->servers[1]->state->turn = 0;
        for (unsigned n = 0; n < 1000; n++) {
            struct origin_want want = {0};
            count += choose(&fixture, &want, NOW_US + table[i].age_s * 1000000) == 1;
        }
        assert_in_range(count, table[i].low, table[i].high);
    }
    fixture_close(&fixture);
}

/* Settings change, what is known of a server stays. */
static void test_state_across_reload(void **state)
{
    struct fixture fixture;
    struct fixture other;

    (void)state;
    fixture_open(&fixture, "server a http://a; server b http://b;");
    fixture_open(&other, "server b http://b weight=7; server a http://other; server c http://c;");
    struct origin_state *b = fixture.pool->servers[1]->state;
    struct origin_state *a = fixture.pool->servers[0]->state;
    b->requests = 77;
    origins_apply(fixture.origins, other.conf);
    assert_int_equal(fixture.pool->server_count, 3);
    assert_ptr_equal(fixture.pool->servers[0]->state, b);
    assert_int_equal(fixture.pool->servers[0]->settings->weight, 7);
    assert_ptr_not_equal(fixture.pool->servers[1]->state, a); /* another URL: another server */
    assert_true(fixture.pool->servers[2]->state->up_since_us > 0);
    fixture_close(&other);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_shares),
        cmocka_unit_test(test_weighted_shares),
        cmocka_unit_test(test_shares_under_load),
        cmocka_unit_test(test_least_avoids_the_slow),
        cmocka_unit_test(test_hash_moves_little),
        cmocka_unit_test(test_hash_is_bounded),
        cmocka_unit_test(test_backup_and_max),
        cmocka_unit_test(test_tried_are_last),
        cmocka_unit_test(test_sticky),
        cmocka_unit_test(test_slow_start),
        cmocka_unit_test(test_state_across_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
