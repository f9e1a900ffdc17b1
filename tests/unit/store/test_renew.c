/* Stored bodies under another head, leads beside the table, what a newer response puts out of force. */
#include "ram_kit.h"

/* Stores an object of this length and returns it. */
static struct store_object *put(const char *key, uint64_t length, enum store_judgement judgement)
{
    struct store_lookup lookup = test_lookup_of(store, key, NULL);

    test_put(store, key, length, judgement);
    lookup.may_lead = false;
    enum store_verdict verdict = store_lookup(store, &lookup);
    struct store_object *object = verdict == STORE_ABSENT ? lookup.stale : lookup.object;
    assert_non_null(object);
    return object;
}

static struct store_head renamed(const struct store_object *object, const char *text)
{
    struct store_head head = test_head(store_object_length(object), STORE_JUDGE_FRESH);

    head.head = span_str(text);
    return head;
}

/* The stored object of this key and selector has this head. */
static void expect_head(const char *key, const char *selector, const char *text)
{
    struct store_lookup lookup = test_lookup_of(store, key, selector);

    lookup.may_lead = false;
    enum store_verdict verdict = store_lookup(store, &lookup);
    if (text == NULL) {
        assert_int_equal(verdict, STORE_ABSENT);
    } else {
        assert_int_equal(verdict, STORE_FRESH);
        assert_true(span_eq(store_object_head(lookup.object), span_str(text)));
    }
    test_drop(&lookup);
}

static void test_renew(void **state)
{
    static const uint64_t lengths[] = {0, 10, 300000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "GET http://a/%zu", i);
        struct store_object *object = put(key, lengths[i], STORE_JUDGE_VALIDATE);
        struct store_head head = renamed(object, "HTTP/1.1 200 OK\r\nX: new\r\n");
        store_object_renew(store, object, &head, INT64_MAX);
        expect_head(key, NULL, "HTTP/1.1 200 OK\r\nX: new\r\n");
        assert_true(test_hit(store, key, lengths[i], &box));
        store_object_unref(&object);
    }
}

/* What was purged or replaced does not come back by it. */
static void test_renew_too_late(void **state)
{
    const char *key = "GET http://a/late";
    struct store_purge_result purged;

    (void)state;
    struct store_object *object = put(key, 10, STORE_JUDGE_FRESH);
    struct store_head head = renamed(object, "HTTP/1.1 200 OK\r\nX: old\r\n");
    store_purge_key(store, span_str(key), STORE_PURGE_HARD, false, false, &purged);
    store_object_renew(store, object, &head, INT64_MAX);
    expect_head(key, NULL, NULL);
    struct store_object *other = put(key, 10, STORE_JUDGE_FRESH);
    store_object_renew(store, object, &head, INT64_MAX);
    expect_head(key, NULL, "HTTP/1.1 200 OK\r\nX: y\r\n\r\n");
    store_object_unref(&object);
    store_object_unref(&other);
}

static void put_sized(const char *key, const char *selector, uint64_t length)
{
    struct store_lookup lookup = test_lookup_of(store, key, selector);
    struct store_head head = test_head(length, STORE_JUDGE_FRESH);

    head.selector = span_str(selector);
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
    test_append(lookup.lead, key, 0, length);
    store_lead_commit(&lookup.lead);
    test_drop(&lookup);
}

/* A 304 selects one of the variants for a request that none matched: both are there afterwards. */
static void test_adopt(void **state)
{
    static const uint64_t lengths[] = {10, 300000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        char key[32];
        struct store_object *variants[4];
        (void)snprintf(key, sizeof(key), "GET http://a/%zu", i);
        put_sized(key, "one", lengths[i]);
        struct store_lookup lookup = test_lookup_of(store, key, "two");
        assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
        assert_int_equal(lookup.absence, STORE_WAS_VARIANT);
        assert_int_equal(store_variants(store, &lookup.key, variants, 4), 1);
        struct store_head head = renamed(variants[0], "HTTP/1.1 200 OK\r\nX: two\r\n");
        head.selector = SPAN("two");
        struct store_object *adopted = store_lead_adopt(&lookup.lead, variants[0], &head);
        assert_non_null(adopted);
        assert_null(lookup.lead);
        expect_head(key, "one", "HTTP/1.1 200 OK\r\nX: y\r\n\r\n");
        expect_head(key, "two", "HTTP/1.1 200 OK\r\nX: two\r\n");
        test_check_bytes(store_object_piece(adopted, 0), test_seed(key), 0);
        store_object_unref(&adopted);
        store_object_unref(&variants[0]);
        test_drop(&lookup);
    }
}

static void test_adopt_meets_purge(void **state)
{
    const char *key = "GET http://a/p";
    struct store_purge_result purged;
    struct store_object *variants[4];

    (void)state;
    put_sized(key, "one", 10);
    struct store_lookup lookup = test_lookup_of(store, key, "two");
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_int_equal(store_variants(store, &lookup.key, variants, 4), 1);
    assert_true(store_lead_is_entered(lookup.lead));
    store_purge_key(store, span_str(key), STORE_PURGE_HARD, false, false, &purged);
    assert_false(store_lead_is_entered(lookup.lead));
    struct store_head head = renamed(variants[0], "HTTP/1.1 200 OK\r\nX: two\r\n");
    head.selector = SPAN("two");
    struct store_object *adopted = store_lead_adopt(&lookup.lead, variants[0], &head);
    assert_non_null(adopted); /* for its own client */
    expect_head(key, "one", NULL);
    expect_head(key, "two", NULL);
    store_object_unref(&adopted);
    store_object_unref(&variants[0]);
    test_drop(&lookup);
}

/* At most so many, and none that a purge has made stale. */
static void test_variants_listed(void **state)
{
    const char *key = "GET http://a/many";
    struct store_object *variants[3];
    struct store_key store_key = store_key_of(store, span_str(key));
    struct store_purge_result purged;

    (void)state;
    assert_int_equal(store_variants(store, &store_key, variants, 3), 0);
    put_sized(key, "1", 1);
    put_sized(key, "2", 1);
    put_sized(key, "3", 1);
    put_sized(key, "4", 1);
    assert_int_equal(store_variants(store, &store_key, variants, 3), 3);
    for (size_t i = 0; i < ARRAY_LEN(variants); i++) {
        store_object_unref(&variants[i]);
    }
    store_purge_key(store, span_str(key), STORE_PURGE_SOFT, false, false, &purged);
    assert_int_equal(store_variants(store, &store_key, variants, 3), 0);
}

static void test_supersede(void **state)
{
    const char *key = "GET http://a/s";

    (void)state;
    struct store_object *object = put(key, 10, STORE_JUDGE_VALIDATE);
    struct store_lookup lookup = test_lookup_of(store, key, NULL);
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    store_lead_supersede(lookup.lead);
    store_lead_detach(lookup.lead, 0);
    test_drop(&lookup);
    lookup = test_lookup_of(store, key, NULL);
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_null(lookup.object);
    store_lead_supersede(lookup.lead); /* nothing to renew: nothing happens */
    test_drop(&lookup);
    store_object_unref(&object);
}

/* A lead beside the table enters it, or does not. */
static void test_apart(void **state)
{
    const char *key = "GET http://a/post";
    const struct store_key store_key = store_key_of(store, span_str(key));
    struct store_head head = test_head(10, STORE_JUDGE_FRESH);

    (void)state;
    struct store_lead *lead = store_lead_apart(store, &store_key);
    expect_head(key, NULL, NULL);
    assert_true(store_lead_share(lead));
    assert_int_equal(store_lead_head(lead, &head), ERR_OK);
    struct store_lookup follower = test_lookup_of(store, key, NULL);
    assert_int_equal(store_lookup(store, &follower), STORE_FOLLOW);
    test_append(lead, key, 0, 10);
    store_lead_commit(&lead);
    assert_true(test_hit(store, key, 10, &box));
    test_drop(&follower);

    lead = store_lead_apart(store, &store_key);
    store_lead_detach(lead, 0);
    head.head = SPAN("HTTP/1.1 200 OK\r\nX: private\r\n");
    assert_int_equal(store_lead_head(lead, &head), ERR_OK);
    test_append(lead, key, 0, 10);
    store_lead_commit(&lead);
    expect_head(key, NULL, "HTTP/1.1 200 OK\r\nX: y\r\n\r\n");
}

/* It takes the mark of a key away that was not storable so far. */
static void test_apart_under_a_mark(void **state)
{
    const char *key = "GET http://a/mark";
    const struct store_key store_key = store_key_of(store, span_str(key));
    struct store_lookup lookup = test_lookup_of(store, key, NULL);
    struct store_head head = test_head(10, STORE_JUDGE_FRESH);

    (void)state;
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    store_lead_detach(lookup.lead, 60000);
    test_drop(&lookup);
    assert_int_equal(store_lookup(store, &lookup), STORE_PASS);
    struct store_lead *lead = store_lead_apart(store, &store_key);
    assert_true(store_lead_share(lead));
    assert_int_equal(store_lead_head(lead, &head), ERR_OK);
    test_append(lead, key, 0, 10);
    store_lead_commit(&lead);
    assert_true(test_hit(store, key, 10, &box));
}

/* A stale object under a mark: the fall-back of those who pass, and refreshed by one. */
static void test_stale_under_a_mark(void **state)
{
    static const enum store_judgement judgements[] = {STORE_JUDGE_VALIDATE, STORE_JUDGE_STALE};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(judgements); i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "GET http://a/%zu", i);
        struct store_object *object = put(key, 10, judgements[i]);
        struct store_lookup lookup = test_lookup_of(store, key, NULL);
        (void)store_lookup(store, &lookup);
        store_lead_detach(lookup.lead, 60000);
        test_drop(&lookup);
        if (judgements[i] == STORE_JUDGE_VALIDATE) {
            assert_int_equal(store_lookup(store, &lookup), STORE_PASS);
            assert_ptr_equal(lookup.stale, object);
            test_drop(&lookup);
            lookup.may_solo = true;
            assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
            assert_true(lookup.is_solo);
            assert_ptr_equal(lookup.stale, object);
        } else {
            assert_int_equal(store_lookup(store, &lookup), STORE_STALE);
            assert_non_null(lookup.lead);
            struct store_lookup second = test_lookup_of(store, key, NULL);
            assert_int_equal(store_lookup(store, &second), STORE_STALE);
            assert_null(second.lead);
            test_drop(&second);
        }
        test_drop(&lookup);
        store_object_unref(&object);
    }
}

static void on_wake(void *ctx)
{
    (void)ctx;
}

/* Who waits for a validation gets what a 304 confirms, whatever has been purged meanwhile. */
static void test_renewed_for_followers(void **state)
{
    static const int purges[] = {-1, STORE_PURGE_SOFT, STORE_PURGE_HARD};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(purges); i++) {
        char key[32];
        uint32_t code = 0;
        struct store_purge_result result;
        (void)snprintf(key, sizeof(key), "GET http://r/%zu", i);
        struct store_object *stale = put(key, 10, STORE_JUDGE_VALIDATE);
        struct store_lookup lead = test_lookup_of(store, key, NULL);
        struct store_lookup follow = test_lookup_of(store, key, NULL);
        assert_int_equal(store_lookup(store, &lead), STORE_LEAD);
        assert_int_equal(store_lookup(store, &follow), STORE_FOLLOW);
        struct store_reader *reader =
            store_reader_open(store, follow.object, 0, false, &box, on_wake, NULL);
        assert_int_equal(store_reader_head(reader, &code), STORE_HEAD_WAIT);
        assert_null(store_reader_renewed(reader));
        if (purges[i] >= 0) {
            store_purge_key(store, span_str(key), (enum store_purge_mode)purges[i], false, false,
                            &result);
            assert_int_equal(result.in_flight, 1);
        }
        struct store_head head = test_head(10, STORE_JUDGE_FRESH);
        struct store_object *renewed = store_lead_refresh(&lead.lead, &head);
        assert_int_equal(store_reader_head(reader, &code), STORE_HEAD_AGAIN);
        struct store_object *got = store_reader_renewed(reader);
        assert_ptr_equal(got, renewed);
        assert_int_equal(store_object_facts(got)[0], STORE_JUDGE_FRESH);
        assert_true(store_object_is_whole(got));
        store_reader_close(&reader);
        store_object_unref(&got);
        store_object_unref(&renewed);
        test_drop(&lead);
        test_drop(&follow);
        follow = test_lookup_of(store, key, NULL);
        assert_int_equal(store_lookup(store, &follow), purges[i] < 0 ? STORE_FRESH : STORE_LEAD);
        store_lead_abort(&follow.lead, 1);
        test_drop(&follow);
        store_object_unref(&stale);
        while (mailbox_deliver(&box) > 0) {
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_renew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renew_too_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_meets_purge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_variants_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_supersede, setup, teardown),
        cmocka_unit_test_setup_teardown(test_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_apart_under_a_mark, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stale_under_a_mark, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renewed_for_followers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
