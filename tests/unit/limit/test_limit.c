/* limit: buckets and counts against an obvious reference; floods of keys; many threads. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/thread.h"
#include "limit/limit.h"

#define MS ((uint64_t)1000)
#define SECOND (1000 * MS)
#define NS_OF_S ((uint64_t)1000000000)
#define SMALL LIMIT_MEMORY_MIN
#define SMALL_ENTRIES (SMALL / LIMIT_ENTRY_BYTES)

static struct limit_key key_of(const struct limit_table *table, unsigned group, uint64_t who)
{
    const struct limit_ref ref = {.id = group, .group = group};
    return limit_key(table, &ref, 'k', span_of((const char *)&who, sizeof(who)));
}

/* ---- one bucket ---- */

struct step {
    uint64_t at_us;
    unsigned takes;   /* tried at this time */
    unsigned allowed; /* of them */
    uint64_t wait_ns; /* what the first one refused is told; 0: none is refused */
};

static void run_steps(uint32_t count, uint32_t period_s, uint32_t burst, const struct step *steps,
                      size_t step_count)
{
    struct limit_table *table = limit_table_new(SMALL);
    struct limit_key key = key_of(table, 1, 7);
    struct limit_rate rate = limit_rate(count, period_s, burst);
    for (size_t i = 0; i < step_count; i++) {
        unsigned allowed = 0;
        uint64_t wait_ns = 0;
        for (unsigned j = 0; j < steps[i].takes; j++) {
            uint64_t wait = limit_take(table, &key, &rate, steps[i].at_us);
            allowed += wait == 0 ? 1 : 0;
            wait_ns = wait_ns == 0 ? wait : wait_ns;
        }
        if (allowed != steps[i].allowed || wait_ns != steps[i].wait_ns) {
            fail_msg("%u/%us burst=%u, step %zu: %u allowed, wait %llu", count, period_s, burst, i,
                     allowed, (unsigned long long)wait_ns);
        }
    }
    limit_table_free(&table);
}

static void test_buckets(void **state)
{
    (void)state;
    static const struct step ten[] = {
        {5 * SECOND, 25, 20, NS_OF_S / 10},           /* the burst */
        {5 * SECOND + 99 * MS, 3, 0, NS_OF_S / 1000}, /* a token is due in 1 ms */
        {5 * SECOND + 100 * MS, 3, 1, NS_OF_S / 10},  /* there it is */
        {6 * SECOND, 30, 9, NS_OF_S / 10},            /* what came since */
        {7 * SECOND, 30, 10, NS_OF_S / 10},           /* the rate */
        {9 * SECOND, 30, 20, NS_OF_S / 10},
        {60 * SECOND, 30, 20, NS_OF_S / 10}, /* never more */
    };
    static const struct step minute[] = {
        {1, 2, 1, 60 * NS_OF_S},
        {1 + 59 * SECOND, 1, 0, NS_OF_S},
        {1 + 60 * SECOND, 2, 1, 60 * NS_OF_S},
        {1 + 1000 * SECOND, 2, 1, 60 * NS_OF_S},
    };
    static const struct step early[] = {{0, 3, 2, NS_OF_S / 2}, {500 * MS, 2, 1, NS_OF_S / 2}};
    run_steps(10, 1, 20, ten, ARRAY_LEN(ten));
    run_steps(1, 60, 1, minute, ARRAY_LEN(minute));
    run_steps(2, 1, 2, early, ARRAY_LEN(early)); /* the clock may begin at 0 */
}

/* A clock of another worker may be a little behind. */
static void test_clock_behind(void **state)
{
    (void)state;
    struct limit_table *table = limit_table_new(SMALL);
    struct limit_key key = key_of(table, 1, 7);
    struct limit_rate rate = limit_rate(1, 1, 1);
    assert_int_equal(limit_take(table, &key, &rate, 10 * SECOND), 0);
    assert_int_equal(limit_take(table, &key, &rate, 9 * SECOND + 990 * MS), NS_OF_S);
    assert_int_equal(limit_take(table, &key, &rate, 11 * SECOND), 0);

    /* No token is missing to the worker whose clock was read a moment earlier. */
    struct limit_key other = key_of(table, 1, 8);
    rate = limit_rate(2, 60, 2);
    assert_int_equal(limit_take(table, &other, &rate, 10 * SECOND), 0);
    assert_int_equal(limit_take(table, &other, &rate, 10 * SECOND - 1), 0);
    assert_int_equal(limit_take(table, &other, &rate, 10 * SECOND), 30 * NS_OF_S);
    limit_table_free(&table);
}

static void test_other_rate(void **state)
{
    (void)state;
    struct limit_table *table = limit_table_new(SMALL);
    struct limit_key key = key_of(table, 1, 7);
    struct limit_rate slow = limit_rate(1, 60, 5);
    struct limit_rate fast = limit_rate(100, 1, 10);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(limit_take(table, &key, &slow, SECOND), 0);
    }
    /* Empty, but not five minutes in debt. */
    assert_int_equal(limit_take(table, &key, &fast, SECOND), NS_OF_S / 100);
    assert_int_equal(limit_take(table, &key, &fast, SECOND + 10 * MS), 0);
    limit_table_free(&table);
}

static void test_give_back(void **state)
{
    (void)state;
    struct limit_table *table = limit_table_new(SMALL);
    struct limit_key key = key_of(table, 1, 7);
    struct limit_rate rate = limit_rate(1, 1, 2);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(limit_take(table, &key, &rate, SECOND), 0);
        limit_give_back(table, &key, &rate, SECOND);
    }
    limit_give_back(table, &key, &rate, SECOND); /* none was taken: not more than full */
    assert_int_equal(limit_take(table, &key, &rate, SECOND), 0);
    assert_int_equal(limit_take(table, &key, &rate, SECOND), 0);
    assert_int_equal(limit_take(table, &key, &rate, SECOND), NS_OF_S);
    limit_table_free(&table);
}

/* ---- against a reference that keeps everything ---- */

#define KEYS 300
#define RATES 4
#define ROUNDS 300000

struct model {
    uint64_t level_ns[KEYS][RATES]; /* tokens there, as time */
    uint64_t seen_us[KEYS][RATES];
    uint32_t under_way[KEYS];
};

static bool model_take(struct model *model, unsigned who, unsigned which,
                       const struct limit_rate *rate, uint64_t now_us)
{
    uint64_t *level = &model->level_ns[who][which];
    *level += (now_us - model->seen_us[who][which]) * 1000;
    *level = *level > rate->room_ns ? rate->room_ns : *level;
    model->seen_us[who][which] = now_us;
    if (*level < rate->token_ns) {
        return false;
    }
    *level -= rate->token_ns;
    return true;
}

static void test_random(void **state)
{
    (void)state;
    static const uint32_t rates[RATES][3] = {{10, 1, 20}, {3, 1, 1}, {7, 60, 9}, {1000, 1, 50}};
    struct limit_table *table = limit_table_new(256 * 1024);
    struct model *model = calloc(1, sizeof(*model));
    uint64_t(*holds)[8] = calloc(KEYS, sizeof(*holds));
    uint64_t now_us = 1000 * SECOND;
    assert_non_null(model);
    assert_non_null(holds);
    for (unsigned i = 0; i < KEYS * RATES; i++) {
        model->level_ns[i / RATES][i % RATES] = UINT64_MAX / 4;
    }
    srandom(4);
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned who = (unsigned)random() % (random() % 4 == 0 ? KEYS : 5);
        unsigned which = (unsigned)random() % (RATES + 1);
        struct limit_key key = key_of(table, which, who);
        now_us += (uint64_t)random() % (random() % 1000 == 0 ? 20 * SECOND : 2 * MS);
        if (which < RATES) {
            struct limit_rate rate = limit_rate(rates[which][0], rates[which][1], rates[which][2]);
            bool wanted = model_take(model, who, which, &rate, now_us);
            assert_int_equal(limit_take(table, &key, &rate, now_us) == 0, wanted);
        } else if (random() % 2 == 0) {
            uint64_t hold = limit_acquire(table, &key, 8, now_us);
            assert_int_equal(hold != 0, model->under_way[who] < 8);
            if (hold != 0) {
                holds[who][model->under_way[who]++] = hold;
            }
        } else if (model->under_way[who] > 0) {
            limit_release(table, holds[who][--model->under_way[who]], now_us);
        }
    }
    struct limit_figures figures;
    limit_table_figures(table, now_us, &figures);
    assert_int_equal(figures.crowded, 0);
    free(holds);
    free(model);
    limit_table_free(&table);
}

/* ---- floods ---- */

static uint64_t resident_kib(void)
{
    char line[128] = "";
    unsigned long long total = 0;
    unsigned long long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    (void)fclose(file);
    char *end;
    total = strtoull(line, &end, 10);
    resident = strtoull(end, NULL, 10);
    assert_true(total >= resident);
    return resident * 4;
}

/* A million clients, none of which is ever idle again: the victim's bucket stays empty, no memory is
 * taken, and all the late ones together get one bucket a shard. */
static void test_flood_in_use(void **state)
{
    (void)state;
    struct limit_table *table = limit_table_new(SMALL);
    struct limit_key victim = key_of(table, 3, UINT64_MAX);
    struct limit_rate rate = limit_rate(1, 60, 2);
    struct limit_figures before;
    struct limit_figures after;
    uint64_t allowed = 0;
    assert_int_equal(limit_take(table, &victim, &rate, SECOND), 0);
    assert_int_equal(limit_take(table, &victim, &rate, SECOND), 0);
    limit_table_figures(table, SECOND, &before);
    uint64_t resident = resident_kib();
    for (uint64_t who = 0; who < 1000000; who++) {
        struct limit_key key = key_of(table, 3, who);
        allowed += limit_take(table, &key, &rate, 2 * SECOND) == 0 ? 1 : 0;
        if (who % 1000 == 0) {
            assert_true(limit_take(table, &victim, &rate, 2 * SECOND) > 0);
        }
    }
    limit_table_figures(table, 2 * SECOND, &after);
    assert_int_equal(before.in_use, 1);
    assert_int_equal(after.entries, SMALL_ENTRIES);
    assert_int_equal(after.in_use, SMALL_ENTRIES);
    assert_int_equal(after.bytes, before.bytes);
    assert_int_equal(allowed, SMALL_ENTRIES - 1 + (uint64_t)64 * 2);
    assert_true(after.crowded > 990000);
    assert_true(resident_kib() < resident + 8 * 1024);
    /* Another limit has its own shared buckets. */
    struct limit_key other = key_of(table, 4, 1);
    assert_int_equal(limit_take(table, &other, &rate, 2 * SECOND), 0);
    /* When the flood is over, there is room again. */
    assert_int_equal(limit_take(table, &victim, &rate, 70 * SECOND), 0);
    limit_table_figures(table, 200 * SECOND, &after);
    assert_int_equal(after.in_use, 0);
    limit_table_free(&table);
}

/* Clients that come once and go: their full buckets make room, those in use stay. */
static void test_flood_idle(void **state)
{
    (void)state;
    struct limit_table *table = limit_table_new(SMALL);
    struct limit_key victim = key_of(table, 3, UINT64_MAX);
    struct limit_rate slow = limit_rate(1, 60, 1);
    struct limit_rate fast = limit_rate(1000, 1, 1);
    struct limit_figures figures;
    uint64_t now_us = SECOND;
    assert_int_equal(limit_take(table, &victim, &slow, now_us), 0);
    for (uint64_t who = 0; who < 1000000; who++) {
        struct limit_key key = key_of(table, 4, who);
        now_us += 50; /* 20 of them are not idle yet */
        assert_int_equal(limit_take(table, &key, &fast, now_us), 0);
    }
    assert_true(limit_take(table, &victim, &slow, now_us) > 0);
    limit_table_figures(table, now_us, &figures);
    assert_int_equal(figures.crowded, 0);
    limit_table_free(&table);
}

/* The least recently used idle entry leaves: one that comes back in time is still known. Nobody can
 * tell by a bucket (idle is full), so look at room: a set's 16 entries in use and one idle. */
static void test_counts_flood(void **state)
{
    (void)state;
    struct limit_table *table = limit_table_new(SMALL);
    struct limit_figures figures;
    uint64_t *holds = calloc(100000, sizeof(*holds));
    unsigned refused = 0;
    assert_non_null(holds);
    for (uint64_t who = 0; who < 100000; who++) {
        struct limit_key key = key_of(table, 5, who);
        holds[who] = limit_acquire(table, &key, 3, SECOND);
        refused += holds[who] == 0 ? 1 : 0;
    }
    /* An entry each as long as there is room, then three per shard. */
    assert_int_equal(refused, 100000 - SMALL_ENTRIES - 64 * 3);
    struct limit_key first = key_of(table, 5, 0);
    uint64_t more[3] = {0};
    more[0] = limit_acquire(table, &first, 3, SECOND);
    more[1] = limit_acquire(table, &first, 3, SECOND);
    more[2] = limit_acquire(table, &first, 3, SECOND);
    assert_true(more[0] != 0 && more[1] != 0 && more[2] == 0);
    limit_release(table, more[0], SECOND);
    limit_release(table, more[1], SECOND);
    for (unsigned i = 0; i < 100000; i++) {
        if (holds[i] != 0) {
            limit_release(table, holds[i], 2 * SECOND);
        }
    }
    limit_table_figures(table, 2 * SECOND, &figures);
    assert_int_equal(figures.in_use, 0);
    for (uint64_t who = 0; who < 10; who++) { /* and what was shared is given back too */
        struct limit_key key = key_of(table, 5, 200000 + who);
        uint64_t hold = limit_acquire(table, &key, 1, 3 * SECOND);
        assert_true(hold != 0);
        assert_int_equal(limit_acquire(table, &key, 1, 3 * SECOND), 0);
        limit_release(table, hold, 3 * SECOND);
    }
    free(holds);
    limit_table_free(&table);
}

/* ---- keys ---- */

static bool same_bucket(const struct limit_table *table, const char *one, const char *two)
{
    struct sockaddr_in6 six[2] = {{.sin6_family = AF_INET6}, {.sin6_family = AF_INET6}};
    struct sockaddr_in four[2] = {{.sin_family = AF_INET}, {.sin_family = AF_INET}};
    const struct limit_ref ref = {.id = 1, .group = 1};
    struct limit_key keys[2];
    const char *const text[2] = {one, two};
    for (unsigned i = 0; i < 2; i++) {
        const void *address = &six[i];
        if (inet_pton(AF_INET, text[i], &four[i].sin_addr) == 1) {
            address = &four[i];
        } else {
            assert_int_equal(inet_pton(AF_INET6, text[i], &six[i].sin6_addr), 1);
        }
        keys[i] = limit_key(table, &ref, 'c', limit_client(address));
    }
    return keys[0].hash.lo == keys[1].hash.lo && keys[0].hash.hi == keys[1].hash.hi;
}

static void test_clients(void **state)
{
    (void)state;
    struct limit_table *table = limit_table_new(SMALL);
    static const struct {
        const char *one, *two;
        bool same;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
        {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
        {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
        {"::1", "0.0.0.1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(same_bucket(table, cases[i].one, cases[i].two), cases[i].same);
    }
    limit_table_free(&table);
}

static void test_keys(void **state)
{
    (void)state;
    struct limit_table *table = limit_table_new(SMALL);
    char text[400];
    memset(text, 'a', sizeof(text));
    struct span texts[] = {span_of(text, 0),  span_of(text, 1),   span_of(text, 64),
                           span_of(text, 65), span_of(text, 399), span_of(text, 400)};
    struct limit_ref refs[] = {limit_register(table, LIMIT_REFUSES, SPAN("a"), SPAN("bc")),
                               limit_register(table, LIMIT_REFUSES, SPAN("ab"), SPAN("c")),
                               limit_register(table, LIMIT_REFUSES, SPAN("a"), SPAN("bd"))};
    struct hash128 seen[ARRAY_LEN(refs) * 2 * ARRAY_LEN(texts)];
    unsigned count = 0;
    struct limit_ref again = limit_register(table, LIMIT_REFUSES, SPAN("a"), SPAN("bc"));
    assert_int_equal(refs[0].id, again.id);
    assert_int_equal(refs[0].group, again.group);
    for (unsigned i = 0; i < ARRAY_LEN(refs); i++) {
        for (unsigned j = 0; j < 2 * ARRAY_LEN(texts); j++) {
            struct hash128 hash =
                limit_key(table, &refs[i], j % 2 == 0 ? 'x' : 'y', texts[j / 2]).hash;
            for (unsigned k = 0; k < count; k++) {
                assert_true(hash.lo != seen[k].lo && hash.hi != seen[k].hi);
            }
            seen[count++] = hash;
        }
    }
    limit_table_free(&table);
}

static void test_names(void **state)
{
    (void)state;
    struct limit_table *table = limit_table_new(SMALL);
    struct limit_rate rate = limit_rate(1, 1, 1);
    enum limit_use use;
    const char *site;
    const char *name;
    for (unsigned i = 0; i < 400; i++) {
        char text[8];
        (void)snprintf(text, sizeof(text), "%u", i);
        struct limit_ref ref = limit_register(table, LIMIT_REFUSES, SPAN("site"), span_str(text));
        struct limit_key key = limit_key(table, &ref, 'k', SPAN("x"));
        assert_int_equal(ref.group, i < LIMIT_GROUPS - 1 ? i + 1 : 0);
        assert_int_equal(limit_take(table, &key, &rate, SECOND), 0); /* beyond too, each its own */
        assert_true(limit_take(table, &key, &rate, SECOND) > 0);
    }
    assert_int_equal(limit_refused(table, 3, &use, &site, &name), 1);
    assert_string_equal(site, "site");
    assert_string_equal(name, "2");
    assert_int_equal(limit_refused(table, 0, &use, &site, &name), 400 - (LIMIT_GROUPS - 1));
    assert_string_equal(site, "-");
    struct limit_key tried = key_of(table, 3, 7);
    assert_int_equal(limit_try(table, &tried, &rate, SECOND), 0);
    assert_int_equal(limit_try(table, &tried, &rate, SECOND), NS_OF_S); /* not counted */
    assert_int_equal(limit_refused(table, 3, &use, &site, &name), 1);
    assert_int_equal(limit_take(table, &tried, &rate, SECOND), NS_OF_S);
    assert_int_equal(limit_refused(table, 3, &use, &site, &name), 2);
    limit_table_free(&table);
    table = limit_table_new(SMALL);
    assert_int_equal(limit_refused(table, 1, &use, &site, &name), 0);
    assert_null(site);
    struct limit_key key = key_of(table, 0, 1);
    uint64_t hold = limit_acquire(table, &key, 1, SECOND);
    assert_int_equal(limit_acquire(table, &key, 1, SECOND), 0);
    limit_release(table, hold, SECOND);
    assert_int_equal(limit_refused(table, 0, &use, &site, &name), 1);
    limit_table_free(&table);
}

/* ---- threads ---- */

#define THREADS 6
#define TURNS 20000

static struct limit_table *shared;
static _Atomic unsigned taken;
static _Atomic unsigned under_way;
static _Atomic bool too_many;

static void *take_and_hold(void *arg)
{
    (void)arg;
    struct limit_rate rate = limit_rate(1, 1, 5000);
    struct limit_key bucket = key_of(shared, 1, 1);
    struct limit_key count = key_of(shared, 2, 1);
    for (uint64_t i = 0; i < TURNS; i++) {
        struct limit_key own = key_of(shared, 3, i * 7919 % 5000);
        struct limit_rate quick = limit_rate(1000000, 1, 1);
        atomic_fetch_add(&taken, limit_take(shared, &bucket, &rate, SECOND) == 0 ? 1 : 0);
        (void)limit_take(shared, &own, &quick, SECOND + i);
        uint64_t hold = limit_acquire(shared, &count, 3, SECOND);
        if (hold != 0) {
            if (atomic_fetch_add(&under_way, 1) >= 3) {
                atomic_store(&too_many, true);
            }
            atomic_fetch_sub(&under_way, 1);
            limit_release(shared, hold, SECOND);
        }
        if (i % 5000 == 0) {
            struct limit_figures figures;
            limit_table_figures(shared, SECOND, &figures);
        }
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    shared = limit_table_new(SMALL);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(thread_start(&threads[i], "limit", take_and_hold, NULL), ERR_OK);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&taken), 5000);
    assert_false(atomic_load(&too_many));
    struct limit_key count = key_of(shared, 2, 1);
    uint64_t hold = limit_acquire(shared, &count, 1, SECOND);
    assert_true(hold != 0);
    limit_release(shared, hold, SECOND);
    limit_table_free(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets),    cmocka_unit_test(test_clock_behind),
        cmocka_unit_test(test_other_rate), cmocka_unit_test(test_give_back),
        cmocka_unit_test(test_random),     cmocka_unit_test(test_flood_in_use),
        cmocka_unit_test(test_flood_idle), cmocka_unit_test(test_counts_flood),
        cmocka_unit_test(test_clients),    cmocka_unit_test(test_keys),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
