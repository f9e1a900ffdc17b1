/* The verdict table, variants, purges, marks, refresh: one thread, RAM only. */
#include "ram_kit.h"

struct verdict_case {
    enum store_judgement judgement;
    bool has_object;
    bool has_fill;
    bool may_lead;
    bool may_follow;
    enum store_verdict verdict;
    bool object, stale, lead;
};

/* The same verdict and the same objects, but never a lead. */
static void peek(struct store_lookup lookup, const struct verdict_case *c)
{
    lookup.is_peek = true;
    assert_int_equal(store_lookup(store, &lookup), c->verdict);
    assert_int_equal(lookup.object != NULL, c->object);
    assert_int_equal(lookup.stale != NULL, c->stale);
    assert_null(lookup.lead);
    test_drop(&lookup);
}

static void test_verdicts(void **state)
{
    static const struct verdict_case cases[] = {
        {STORE_JUDGE_FRESH, false, false, true, true, STORE_LEAD, false, false, true},
        {STORE_JUDGE_FRESH, false, false, false, true, STORE_ABSENT, false, false, false},
        {STORE_JUDGE_FRESH, false, true, true, true, STORE_FOLLOW, true, false, false},
        {STORE_JUDGE_FRESH, false, true, true, false, STORE_LEAD, false, false, true},
        {STORE_JUDGE_FRESH, false, true, false, true, STORE_FOLLOW, true, false, false},
        {STORE_JUDGE_FRESH, false, true, false, false, STORE_ABSENT, false, false, false},
        {STORE_JUDGE_FRESH, true, false, true, true, STORE_FRESH, true, false, false},
        {STORE_JUDGE_FRESH, true, true, true, true, STORE_FRESH, true, false, false},
        {STORE_JUDGE_STALE, true, false, true, true, STORE_STALE, true, false, true},
        {STORE_JUDGE_STALE, true, false, false, true, STORE_STALE, true, false, false},
        {STORE_JUDGE_STALE, true, true, true, true, STORE_STALE, true, false, false},
        {STORE_JUDGE_VALIDATE, true, false, true, true, STORE_LEAD, true, false, true},
        {STORE_JUDGE_VALIDATE, true, false, false, true, STORE_ABSENT, false, true, false},
        {STORE_JUDGE_VALIDATE, true, true, true, true, STORE_FOLLOW, true, true, false},
        {STORE_JUDGE_VALIDATE, true, true, true, false, STORE_LEAD, true, false, true},
        {STORE_JUDGE_VALIDATE, true, true, false, false, STORE_ABSENT, false, true, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct verdict_case *c = &cases[i];
        char key[32];
        snprintf(key, sizeof(key), "GET http://a/%zu", i);
        struct store_lead *leader = NULL;
        if (c->has_object) {
            test_put(store, key, 100, c->judgement);
        }
        if (c->has_fill) {
            struct store_lead *lead = NULL;
            struct store_lookup first = test_lookup_of(store, key, NULL);
            enum store_verdict verdict = store_lookup(store, &first);
            if (verdict == STORE_FRESH) { /* a fill beside a fresh object: lead another variant */
                store_object_unref(&first.object);
            }
            lead = first.lead;
            first.lead = NULL;
            test_drop(&first);
            leader = lead;
        }
        struct store_lookup lookup = test_lookup_of(store, key, NULL);
        lookup.may_lead = c->may_lead;
        lookup.may_follow = c->may_follow;
        peek(lookup, c); /* changes nothing: what follows is as if nobody had looked */
        enum store_verdict verdict = store_lookup(store, &lookup);
        if (verdict != c->verdict || (lookup.object != NULL) != c->object ||
            (lookup.stale != NULL) != c->stale || (lookup.lead != NULL) != c->lead) {
            print_error("case %zu: verdict %d object %d stale %d lead %d\n", i, (int)verdict,
                        lookup.object != NULL, lookup.stale != NULL, lookup.lead != NULL);
            assert_true(false);
        }
        test_drop(&lookup);
        store_lead_abort(&leader, 0);
    }
}

static void test_variants(void **state)
{
    (void)state;
    put_variant("v", "gzip", "zipped");
    put_variant("v", "br", "brotli");
    expect_variant("v", "gzip", "zipped");
    expect_variant("v", "br", "brotli");
    expect_variant("v", "identity", NULL);
    struct store_lookup lookup = test_lookup_of(store, "v", "identity");
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_int_equal(lookup.absence, STORE_WAS_VARIANT);
    /* A follower with another selector waits for the head, then leads for itself. */
    struct store_lookup other = test_lookup_of(store, "v", "zstd");
    assert_int_equal(store_lookup(store, &other), STORE_FOLLOW);
    test_drop(&other);
    struct store_head head = test_head(1, STORE_JUDGE_FRESH);
    head.selector = SPAN("identity");
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
    other = test_lookup_of(store, "v", "zstd");
    assert_int_equal(store_lookup(store, &other), STORE_LEAD);
    test_drop(&other);
    test_drop(&lookup);
    struct store_purge_result result;
    store_purge_key(store, SPAN("v"), STORE_PURGE_HARD, true, false, &result);
    assert_int_equal(result.objects, 2);
    expect_variant("v", "gzip", "zipped");
    store_purge_key(store, SPAN("v"), STORE_PURGE_HARD, false, false, &result);
    assert_int_equal(result.objects, 2);
    expect_variant("v", "gzip", NULL);
    lookup = test_lookup_of(store, "v", "gzip");
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_int_equal(lookup.absence, STORE_WAS_PURGED_HARD);
    test_drop(&lookup);
    store_purge_key(store, SPAN("v"), STORE_PURGE_HARD, false, false, &result);
    assert_int_equal(result.objects, 0);
}

static enum store_judgement test_judge_never(const uint8_t *facts, int64_t soft_at_ms, void *ctx)
{
    (void)facts;
    (void)soft_at_ms;
    (void)ctx;
    return STORE_JUDGE_VALIDATE;
}

static bool matches_all(struct span selector, void *ctx)
{
    (void)selector;
    (void)ctx;
    return true;
}

static void put_dated(const char *key, const char *selector, const char *content, int64_t date_s)
{
    struct store_lookup lookup = test_lookup_of(store, key, selector);
    struct store_head head = test_head(strlen(content), STORE_JUDGE_FRESH);

    head.selector = span_str(selector);
    head.date_s = date_s;
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
    assert_int_equal(store_lead_append(lookup.lead, span_str(content)), ERR_OK);
    store_lead_commit(&lookup.lead);
    test_drop(&lookup);
}

static void expect_of_all(const char *key, const char *content)
{
    struct store_lookup lookup = test_lookup_of(store, key, NULL);

    lookup.matches = matches_all;
    assert_int_equal(store_lookup(store, &lookup), STORE_FRESH);
    assert_true(span_eq(store_object_piece(lookup.object, 0), span_str(content)));
    test_drop(&lookup);
}

/* RFC 9111 4.1: of several that match, the one with the latest date; without dates the last. */
static void test_latest_date_wins(void **state)
{
    (void)state;
    put_dated("d", "one", "first", 2000);
    put_dated("d", "two", "second", 1000);
    expect_of_all("d", "first");
    put_dated("d", "three", "third", 2000);
    expect_of_all("d", "third");
    put_dated("d", "four", "fourth", 0);
    expect_of_all("d", "fourth");
    put_dated("e", "one", "first", (int64_t)1 << 40);
    put_dated("e", "two", "second", 1000);
    expect_of_all("e", "first");
    put_dated("e", "three", "third", -5);
    expect_of_all("e", "third");
}

/* After a 304 with a later Date the older object is the latest. */
static void test_latest_date_after_refresh(void **state)
{
    struct store_lookup lookup = test_lookup_of(store, "r", "one");
    struct store_head head = test_head(5, STORE_JUDGE_FRESH);

    (void)state;
    put_dated("r", "one", "first", 1000);
    put_dated("r", "two", "second", 2000);
    expect_of_all("r", "second");
    lookup.judge = test_judge_never;
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    head.selector = SPAN("one");
    head.date_s = 3000;
    struct store_object *refreshed = store_lead_refresh(&lookup.lead, &head);
    assert_non_null(refreshed);
    store_object_unref(&refreshed);
    test_drop(&lookup);
    expect_of_all("r", "first");
}

/* What was to be validated and came anew under another selector is gone, however late its date. */
static void test_validated_object_is_superseded(void **state)
{
    struct store_lookup lookup = test_lookup_of(store, "s", NULL);
    struct store_head head = test_head(3, STORE_JUDGE_FRESH);
    struct store_purge_result result;

    (void)state;
    put_dated("s", "one", "first", 3000);
    lookup.matches = matches_all;
    lookup.judge = test_judge_never;
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_non_null(lookup.object);
    head.selector = SPAN("two");
    head.date_s = 1000;
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
    assert_int_equal(store_lead_append(lookup.lead, SPAN("new")), ERR_OK);
    store_lead_commit(&lookup.lead);
    test_drop(&lookup);
    expect_of_all("s", "new");
    store_purge_key(store, SPAN("s"), STORE_PURGE_HARD, true, false, &result);
    assert_int_equal(result.objects, 1);
}

/* Strangers may send any value of what a response varies on: the chain they make has an end. The
 * newest stay, and so does what is asked for. */
static void test_variants_are_bounded(void **state)
{
    char text[16];

    (void)state;
    put_variant("many", "wanted", "w");
    expect_variant("many", "wanted", "w");
    for (unsigned i = 0; i < 3 * STORE_VARIANTS_MAX; i++) {
        snprintf(text, sizeof(text), "v%u", i);
        put_variant("many", text, text);
    }
    expect_variant("many", "wanted", "w");
    expect_variant("many", "v0", NULL);
    snprintf(text, sizeof(text), "v%u", 2 * STORE_VARIANTS_MAX + 1);
    expect_variant("many", text, text);
    snprintf(text, sizeof(text), "v%u", 2 * STORE_VARIANTS_MAX);
    expect_variant("many", text, NULL);
    struct store_purge_result result;
    store_purge_key(store, SPAN("many"), STORE_PURGE_HARD, true, false, &result);
    assert_int_equal(result.objects, STORE_VARIANTS_MAX);
}

static void test_replace(void **state)
{
    (void)state;
    test_put(store, "r", 10, STORE_JUDGE_VALIDATE);
    struct store_stats before;
    store_stats(store, &before);
    for (int i = 0; i < 10; i++) {
        test_put(store, "r", 10, STORE_JUDGE_VALIDATE);
    }
    struct store_stats after;
    store_stats(store, &after);
    assert_int_equal(after.index_entries, before.index_entries);
    assert_int_equal(after.memory_objects, before.memory_objects);
    assert_int_equal(after.memory_bytes, before.memory_bytes);
    assert_int_equal(after.replaced - before.replaced, 10);
    /* Two fills at once: the one that began later stays. */
    struct store_lookup first = test_lookup_of(store, "two", NULL);
    struct store_lookup second = test_lookup_of(store, "two", NULL);
    second.may_follow = false;
    assert_int_equal(store_lookup(store, &first), STORE_LEAD);
    assert_int_equal(store_lookup(store, &second), STORE_LEAD);
    struct store_head head = test_head(3, STORE_JUDGE_FRESH);
    assert_int_equal(store_lead_head(first.lead, &head), ERR_OK);
    assert_int_equal(store_lead_head(second.lead, &head), ERR_OK);
    assert_int_equal(store_lead_append(first.lead, SPAN("old")), ERR_OK);
    assert_int_equal(store_lead_append(second.lead, SPAN("new")), ERR_OK);
    store_lead_commit(&second.lead);
    store_lead_commit(&first.lead);
    expect_variant("two", NULL, "new");
}

static void test_pass_marks(void **state)
{
    (void)state;
    struct store_lookup lookup = test_lookup_of(store, "p", NULL);
    struct store_lookup again = lookup;
    bool woken = false;
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_int_equal(store_lookup(store, &again), STORE_FOLLOW);
    struct store_reader *reader =
        store_reader_open(store, again.object, 0, false, &box, test_wake, &woken);
    uint32_t code;
    assert_int_equal(store_reader_head(reader, &code), STORE_HEAD_WAIT);
    store_lead_detach(lookup.lead, 60000);
    assert_true(test_wait(&box, &woken, 1000));
    assert_int_equal(store_reader_head(reader, &code), STORE_HEAD_ALONE);
    store_reader_close(&reader);
    test_drop(&again);
    again = test_lookup_of(store, "p", NULL);
    assert_int_equal(store_lookup(store, &again), STORE_PASS);
    test_drop(&lookup);
    /* Not remembered for ever. */
    lookup = test_lookup_of(store, "q", NULL);
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    store_lead_detach(lookup.lead, 1500);
    test_drop(&lookup);
    again = test_lookup_of(store, "q", NULL);
    assert_int_equal(store_lookup(store, &again), STORE_PASS);
    usleep(1600000);
    assert_int_equal(store_lookup(store, &again), STORE_LEAD);
    test_drop(&again);
    /* Many marks do not grow the table without bound. */
    for (int i = 0; i < 300000; i++) {
        char key[32];
        snprintf(key, sizeof(key), "mark %d", i);
        lookup = test_lookup_of(store, key, NULL);
        assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
        store_lead_detach(lookup.lead, 60000);
        test_drop(&lookup);
    }
    struct store_stats stats;
    store_stats(store, &stats);
    assert_true(stats.index_entries <= 64u * 2048u);
}

static struct store_lookup solo_of(const char *key)
{
    struct store_lookup lookup = test_lookup_of(store, key, NULL);

    lookup.may_solo = true;
    return lookup;
}

static void mark(const char *key, unsigned ms)
{
    struct store_lookup lookup = test_lookup_of(store, key, NULL);

    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_false(lookup.is_solo);
    store_lead_detach(lookup.lead, ms);
    test_drop(&lookup);
}

static void expect_solo(struct store_lookup *lookup, const char *key)
{
    *lookup = solo_of(key);
    assert_int_equal(store_lookup(store, lookup), STORE_LEAD);
    assert_true(lookup->is_solo);
    assert_null(lookup->object);
}

static void fill_solo(struct store_lookup *lookup, const char *body)
{
    struct store_head head = test_head(strlen(body), STORE_JUDGE_FRESH);

    assert_int_equal(store_lead_head(lookup->lead, &head), ERR_OK);
    assert_int_equal(store_lead_append(lookup->lead, span_str(body)), ERR_OK);
    store_lead_commit(&lookup->lead);
    test_drop(lookup);
}

/* Leads under a mark: beside each other, and the first whose response may be stored is stored. */
static void test_solo(void **state)
{
    struct store_lookup a;
    struct store_lookup b;
    struct store_lookup c;
    struct store_lookup other;

    (void)state;
    mark("s", 60000);
    expect_solo(&a, "s");
    expect_solo(&b, "s");
    expect_solo(&c, "s");
    /* One is not storable, and the mark stays as it is. */
    store_lead_detach(b.lead, 60000);
    fill_solo(&b, "mine");
    other = solo_of("s");
    other.may_lead = false;
    assert_int_equal(store_lookup(store, &other), STORE_PASS);
    test_drop(&other);
    /* One is: from its head on it is followed as any other. */
    assert_true(store_lead_share(a.lead));
    struct store_head head = test_head(3, STORE_JUDGE_FRESH);
    assert_int_equal(store_lead_head(a.lead, &head), ERR_OK);
    other = solo_of("s");
    assert_int_equal(store_lookup(store, &other), STORE_FOLLOW);
    test_drop(&other);
    /* Who comes second keeps it for itself. */
    assert_false(store_lead_share(c.lead));
    store_lead_detach(c.lead, 0);
    fill_solo(&c, "late");
    assert_int_equal(store_lead_append(a.lead, SPAN("won")), ERR_OK);
    store_lead_commit(&a.lead);
    test_drop(&a);
    expect_variant("s", NULL, "won");
    /* Its failure leaves neither mark nor fill behind. */
    mark("t", 60000);
    expect_solo(&a, "t");
    expect_solo(&b, "t");
    test_drop(&b);
    assert_true(store_lead_share(a.lead));
    assert_int_equal(store_lead_head(a.lead, &head), ERR_OK);
    test_drop(&a);
    mark("t", 0);
}

/* A response asked for before a purge does not get in after it, whatever the mark does meanwhile.
 */
static void test_solo_meets_purge(void **state)
{
    struct store_purge_result result;
    struct store_lookup lookup;

    (void)state;
    for (int i = 0; i < 4; i++) {
        mark("p", 60000);
        expect_solo(&lookup, "p");
        store_purge_key(store, SPAN("p"), i % 2 == 0 ? STORE_PURGE_HARD : STORE_PURGE_SOFT, false,
                        false, &result);
        if (i == 2) {
            mark("p", 60000);
        }
        assert_false(store_lead_share(lookup.lead));
        store_lead_detach(lookup.lead, 0);
        fill_solo(&lookup, "old");
        if (i % 2 == 1 || i == 2) { /* marked as before, and storable again for those after it */
            expect_solo(&lookup, "p");
            assert_true(store_lead_share(lookup.lead));
            fill_solo(&lookup, "new");
            expect_variant("p", NULL, "new");
        } else {
            expect_variant("p", NULL, NULL);
        }
        store_purge_key(store, SPAN("p"), STORE_PURGE_HARD, false, false, &result);
    }
    /* A mark that ran out is gone too. */
    mark("q", 1500);
    expect_solo(&lookup, "q");
    usleep(1600000);
    mark("q", 60000);
    assert_false(store_lead_share(lookup.lead));
    test_drop(&lookup);
}

static void test_purge_in_flight(void **state)
{
    (void)state;
    struct store_purge_result result;
    struct store_lookup lookup = test_lookup_of(store, "f", NULL);
    struct store_head head = test_head(3, STORE_JUDGE_FRESH);
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
    store_purge_key(store, SPAN("f"), STORE_PURGE_HARD, false, false, &result);
    assert_int_equal(result.in_flight, 1);
    assert_int_equal(result.objects, 0);
    /* Who comes after the purge does not join. */
    struct store_lookup after = test_lookup_of(store, "f", NULL);
    assert_int_equal(store_lookup(store, &after), STORE_LEAD);
    assert_int_equal(store_lead_append(lookup.lead, SPAN("old")), ERR_OK);
    store_lead_commit(&lookup.lead);
    test_drop(&after);
    expect_variant("f", NULL, NULL);
    /* Soft: stored, but stale. */
    lookup = test_lookup_of(store, "g", NULL);
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    store_purge_key(store, SPAN("g"), STORE_PURGE_SOFT, false, false, &result);
    assert_int_equal(result.in_flight, 1);
    after = test_lookup_of(store, "g", NULL);
    after.may_lead = false;
    assert_int_equal(store_lookup(store, &after), STORE_ABSENT);
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
    assert_int_equal(store_lead_append(lookup.lead, SPAN("old")), ERR_OK);
    store_lead_commit(&lookup.lead);
    after = test_lookup_of(store, "g", NULL);
    assert_int_equal(store_lookup(store, &after), STORE_LEAD);
    assert_non_null(after.object);
    assert_int_equal(after.absence, STORE_WAS_PURGED_SOFT);
    test_drop(&after);
    /* And of a stored one. */
    test_put(store, "h", 10, STORE_JUDGE_FRESH);
    store_purge_key(store, SPAN("h"), STORE_PURGE_SOFT, false, false, &result);
    assert_int_equal(result.objects, 1);
    assert_true(result.bytes >= 10);
    assert_false(test_hit(store, "h", 10, &box));
}

static void test_refresh(void **state)
{
    static const uint64_t lengths[] = {0, 7, 100000, 1000000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        char key[16];
        snprintf(key, sizeof(key), "refresh %zu", i);
        test_put(store, key, lengths[i], STORE_JUDGE_VALIDATE);
        struct store_lookup lookup = test_lookup_of(store, key, NULL);
        assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
        struct store_lookup follower = test_lookup_of(store, key, NULL);
        assert_int_equal(store_lookup(store, &follower), STORE_FOLLOW);
        bool woken = false;
        struct store_reader *reader =
            store_reader_open(store, follower.object, 0, false, &box, test_wake, &woken);
        uint32_t code;
        assert_int_equal(store_reader_head(reader, &code), STORE_HEAD_WAIT);
        struct store_head head = test_head(STORE_LENGTH_UNKNOWN, STORE_JUDGE_FRESH);
        head.head = SPAN("HTTP/1.1 200 NEW\r\n\r\n");
        struct store_object *object = store_lead_refresh(&lookup.lead, &head);
        assert_true(test_wait(&box, &woken, 1000));
        assert_int_equal(store_reader_head(reader, &code), STORE_HEAD_AGAIN);
        store_reader_close(&reader);
        test_drop(&follower);
        test_drop(&lookup);
        assert_true(span_eq(store_object_head(object), head.head));
        assert_int_equal(store_object_length(object), lengths[i]);
        store_object_unref(&object);
        assert_true(test_hit(store, key, lengths[i], &box));
    }
    /* A hard purge while the origin is asked: the client gets its answer, the store nothing. */
    test_put(store, "refresh x", 7, STORE_JUDGE_VALIDATE);
    struct store_lookup lookup = test_lookup_of(store, "refresh x", NULL);
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    struct store_purge_result result;
    store_purge_key(store, SPAN("refresh x"), STORE_PURGE_HARD, false, false, &result);
    struct store_head head = test_head(7, STORE_JUDGE_FRESH);
    struct store_object *object = store_lead_refresh(&lookup.lead, &head);
    assert_int_equal(store_object_length(object), 7);
    store_object_unref(&object);
    test_drop(&lookup);
    assert_false(test_hit(store, "refresh x", 7, &box));
}

static void test_limits(void **state)
{
    (void)state;
    struct store_lookup lookup = test_lookup_of(store, "l", NULL);
    struct store_head head = test_head((8u << 20) + 1, STORE_JUDGE_FRESH);
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_LIMIT);
    head.length = 5;
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
    assert_int_equal(store_lead_append(lookup.lead, SPAN("123")), ERR_OK);
    assert_int_equal(store_lead_append(lookup.lead, SPAN("456")), ERR_LIMIT);
    struct store_reader *readers[5];
    bool woken;
    for (int i = 0; i < 5; i++) {
        readers[i] = store_reader_open(store, store_lead_object(lookup.lead), 0, false, &box,
                                       test_wake, &woken);
        assert_true((readers[i] != NULL) == (i < 4));
    }
    for (int i = 0; i < 4; i++) {
        store_reader_close(&readers[i]);
    }
    test_drop(&lookup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_verdicts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_variants, setup, teardown),
        cmocka_unit_test_setup_teardown(test_latest_date_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_latest_date_after_refresh, setup, teardown),
        cmocka_unit_test_setup_teardown(test_validated_object_is_superseded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_variants_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pass_marks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_solo, setup, teardown),
        cmocka_unit_test_setup_teardown(test_solo_meets_purge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_purge_in_flight, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refresh, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
