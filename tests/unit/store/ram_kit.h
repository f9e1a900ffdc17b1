#ifndef TESTS_UNIT_STORE_RAM_KIT_H
#define TESTS_UNIT_STORE_RAM_KIT_H
/* ram_kit - a store in RAM only for a test's thread, and variants in it. */
#include "support.h"

static struct store *store;
static struct mailbox box;

static UNUSED int setup(void **state)
{
    struct store_options options = {.memory_bytes = 32u << 20,
                                    .max_object_bytes = 8u << 20,
                                    .read_threads = 1,
                                    .flush_ms = 200,
                                    .max_readers = 4};
    (void)state;
    mailbox_init(&box);
    store = store_open(&options);
    return 0;
}

static UNUSED int teardown(void **state)
{
    (void)state;
    test_close(&store, &box);
    mailbox_fini(&box);
    return 0;
}

static UNUSED void put_variant(const char *key, const char *selector, const char *content)
{
    struct store_lookup lookup = test_lookup_of(store, key, selector);
    struct store_head head = test_head(strlen(content), STORE_JUDGE_FRESH);

    head.selector = span_str(selector);
    assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
    assert_int_equal(store_lead_append(lookup.lead, span_str(content)), ERR_OK);
    store_lead_commit(&lookup.lead);
    test_drop(&lookup);
}

static UNUSED void expect_variant(const char *key, const char *selector, const char *content)
{
    struct store_lookup lookup = test_lookup_of(store, key, selector);

    lookup.may_lead = false;
    enum store_verdict verdict = store_lookup(store, &lookup);
    if (content == NULL) {
        assert_int_equal(verdict, STORE_ABSENT);
    } else {
        assert_int_equal(verdict, STORE_FRESH);
        assert_true(store_object_is_whole(lookup.object));
        assert_true(span_eq(store_object_piece(lookup.object, 0), span_str(content)));
    }
    test_drop(&lookup);
}
#endif
