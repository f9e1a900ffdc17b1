/* Looking without touching, and the limits of one fill: one thread, RAM only. */
#include "ram_kit.h"

/* What a request would be told of a mark. */
static void test_peek_at_a_mark(void **state)
{
    struct store_lookup lookup = test_lookup_of(store, "m", NULL);

    (void)state;
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    store_lead_detach(lookup.lead, 60000);
    test_drop(&lookup);
    lookup = test_lookup_of(store, "m", NULL);
    lookup.is_peek = true;
    lookup.may_solo = true;
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_true(lookup.is_solo);
    assert_null(lookup.lead);
    lookup.may_solo = false;
    assert_int_equal(store_lookup(store, &lookup), STORE_PASS);
}

static void test_variants_are_listed(void **state)
{
    struct store_variant list[2];
    struct store_key key = store_key_of(store, SPAN("l"));

    (void)state;
    assert_int_equal(store_peek(store, &key, list, ARRAY_LEN(list)), 0);
    put_variant("l", "one", "1");
    assert_int_equal(store_peek(store, &key, list, ARRAY_LEN(list)), 1);
    assert_true(span_eq(store_object_selector(list[0].object), SPAN("one")));
    assert_false(list[0].is_filling);
    assert_int_equal(list[0].soft_at_ms, 0);
    store_object_unref(&list[0].object);
    put_variant("l", "two", "2");
    put_variant("l", "three", "3");
    assert_int_equal(store_peek(store, &key, list, ARRAY_LEN(list)), 3);
    store_object_unref(&list[0].object);
    store_object_unref(&list[1].object);
    struct store_lookup lookup = test_lookup_of(store, "f", NULL);
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    key = store_key_of(store, SPAN("f"));
    assert_int_equal(store_peek(store, &key, list, ARRAY_LEN(list)), 1);
    assert_true(list[0].is_filling);
    assert_null(list[0].object);
    test_drop(&lookup);
}

/* Limits of one fill: smaller ones count, larger ones do not lift the store's. */
static void test_limits_of_one_fill(void **state)
{
    struct store_purge_result result;

    (void)state;
    struct store_lookup lookup = test_lookup_of(store, "known", NULL);
    struct store_head head = test_head(11, STORE_JUDGE_FRESH);
    head.max_bytes = 10;
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_LIMIT);
    test_drop(&lookup);
    lookup = test_lookup_of(store, "larger", NULL);
    head = test_head((8u << 20) + 1, STORE_JUDGE_FRESH);
    head.max_bytes = 16u << 20;
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_LIMIT);
    test_drop(&lookup);
    for (unsigned length = 10; length <= 11; length++) { /* not known beforehand */
        lookup = test_lookup_of(store, "unknown", NULL);
        head = test_head(STORE_LENGTH_UNKNOWN, STORE_JUDGE_FRESH);
        head.max_bytes = 10;
        assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
        assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
        test_append(lookup.lead, "unknown", 0, length);
        store_lead_commit(&lookup.lead);
        test_drop(&lookup);
        store_purge_key(store, SPAN("unknown"), STORE_PURGE_HARD, false, false, &result);
        assert_int_equal(result.objects, length == 10 ? 1 : 0);
    }
    for (unsigned i = 0; i < 5; i++) {
        char text[8];
        (void)snprintf(text, sizeof(text), "v%u", i);
        lookup = test_lookup_of(store, "few", text);
        head = test_head(1, STORE_JUDGE_FRESH);
        head.selector = span_str(text);
        head.max_variants = 3;
        assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
        assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
        assert_int_equal(store_lead_append(lookup.lead, SPAN("x")), ERR_OK);
        store_lead_commit(&lookup.lead);
        test_drop(&lookup);
    }
    store_purge_key(store, SPAN("few"), STORE_PURGE_HARD, true, false, &result);
    assert_int_equal(result.objects, 3);
    expect_variant("few", "v1", NULL);
    expect_variant("few", "v2", "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_peek_at_a_mark, setup, teardown),
        cmocka_unit_test_setup_teardown(test_variants_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits_of_one_fill, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
