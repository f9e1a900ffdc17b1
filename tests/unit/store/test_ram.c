/* The budget is never exceeded; S3-FIFO keeps what is wanted against a scan; memory comes back. */
#include "support.h"

static struct store *open_store(uint64_t memory)
{
    struct store_options options = {.memory_bytes = memory,
                                    .max_object_bytes = 64u << 20,
                                    .read_threads = 1,
                                    .flush_ms = 200,
                                    .max_readers = 10};
    return store_open(&options);
}

static uint64_t memory_of(struct store *store)
{
    struct store_stats stats;

    store_stats(store, &stats);
    return stats.memory_bytes;
}

static void test_budget(void **state)
{
    static const uint64_t lengths[] = {0, 100, 1000, 5000, 40000, 300000, 900000};

    (void)state;
    struct store *store = open_store(8u << 20);
    for (unsigned i = 0; i < 5000; i++) {
        char key[32];
        snprintf(key, sizeof(key), "budget %u", i);
        struct store_lookup lookup = test_lookup_of(store, key, NULL);
        uint64_t length = lengths[i % ARRAY_LEN(lengths)];
        struct store_head head =
            test_head(i % 2 ? length : STORE_LENGTH_UNKNOWN, STORE_JUDGE_FRESH);
        assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
        assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
        for (uint64_t at = 0; at < length; at += 16384) {
            test_append(lookup.lead, key, at, at + 16384 < length ? at + 16384 : length);
            assert_true(memory_of(store) <= 8u << 20);
        }
        store_lead_commit(&lookup.lead);
        assert_true(memory_of(store) <= 8u << 20);
    }
    struct store_stats stats;
    store_stats(store, &stats);
    assert_true(stats.evicted_memory > 4000);
    assert_true(stats.memory_bytes > 6u << 20); /* used, not just kept */
    store_set_memory(store, 4u << 20);
    assert_true(memory_of(store) <= 4u << 20);
    store_set_memory(store, 16u << 20);
    for (unsigned i = 0; i < 100; i++) {
        char key[32];
        snprintf(key, sizeof(key), "more %u", i);
        test_put(store, key, 100000, STORE_JUDGE_FRESH);
    }
    assert_true(memory_of(store) > 9u << 20 && memory_of(store) <= 16u << 20);
    store_close(&store);
}

/* Larger than an eighth of the budget and nowhere to stream to: passed on, not kept. */
static void test_too_large(void **state)
{
    (void)state;
    struct store *store = open_store(8u << 20);
    struct mailbox box;
    bool woken = false;
    mailbox_init(&box);
    for (int known = 0; known < 2; known++) {
        const uint64_t length = 5u << 20;
        struct store_lookup lookup = test_lookup_of(store, "large", NULL);
        struct store_head head =
            test_head(known ? length : STORE_LENGTH_UNKNOWN, STORE_JUDGE_FRESH);
        uint64_t at = 0;
        uint64_t read = 0;
        bool paused = false;
        assert_int_equal(store_lookup(store, &lookup), STORE_LEAD);
        store_lead_bind(lookup.lead, &box, test_wake, &woken);
        struct store_reader *reader = store_reader_open(store, store_lead_object(lookup.lead), 0,
                                                        true, &box, test_wake, &woken);
        assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
        while (at < length) {
            uint64_t to = at + 16384 < length ? at + 16384 : length;
            test_append(lookup.lead, "large", at, to);
            store_lead_flush(lookup.lead);
            at = to;
            while (store_lead_must_pause(lookup.lead)) { /* the reader is slow */
                struct span span;
                paused = true;
                assert_true(at - read <= 4u * STORE_PIECE_BYTES + (known ? 0u : 1u << 20));
                assert_int_equal(store_reader_next(reader, &span), STORE_READ_BYTES);
                test_check_bytes(span, test_seed("large"), read);
                read += span.len;
                store_reader_advance(reader, span.len);
            }
            assert_true(memory_of(store) < 4u << 20);
        }
        assert_true(paused);
        (void)mailbox_deliver(&box);
        /* It left the index when that was known; the next one leads for itself. */
        struct store_lookup again = test_lookup_of(store, "large", NULL);
        again.may_lead = false;
        assert_int_equal(store_lookup(store, &again), STORE_ABSENT);
        assert_false(store_lead_is_abandoned(lookup.lead));
        store_reader_close(&reader);
        assert_true(store_lead_is_abandoned(lookup.lead));
        store_lead_commit(&lookup.lead);
        (void)mailbox_deliver(&box);
    }
    store_close(&store);
    mailbox_fini(&box);
}

/* Objects asked for again and again survive a scan three times the memory. */
static void test_scan(void **state)
{
    (void)state;
    struct store *store = open_store(16u << 20);
    struct mailbox box;
    unsigned hits = 0;
    mailbox_init(&box);
    for (unsigned i = 0; i < 500; i++) {
        char key[32];
        snprintf(key, sizeof(key), "wanted %u", i);
        test_put(store, key, 4000, STORE_JUDGE_FRESH);
        for (int n = 0; n < 3; n++) {
            assert_true(test_hit(store, key, 4000, &box));
        }
    }
    for (unsigned i = 0; i < 12000; i++) {
        char key[32];
        snprintf(key, sizeof(key), "scan %u", i);
        test_put(store, key, 4000, STORE_JUDGE_FRESH);
    }
    for (unsigned i = 0; i < 500; i++) {
        char key[32];
        snprintf(key, sizeof(key), "wanted %u", i);
        hits += test_hit(store, key, 4000, &box);
    }
    print_message("%u of 500 survived\n", hits);
    assert_true(hits > 450);
    store_close(&store);
    mailbox_fini(&box);
}

/* Who was evicted from the small queue and comes back goes where it stays. */
static void test_held(void **state)
{
    (void)state;
    struct store *store = open_store(4u << 20);
    struct mailbox box;
    mailbox_init(&box);
    test_put(store, "held", 100000, STORE_JUDGE_FRESH);
    struct store_lookup lookup = test_lookup_of(store, "held", NULL);
    assert_int_equal(store_lookup(store, &lookup), STORE_FRESH);
    for (unsigned i = 0; i < 300; i++) {
        char key[32];
        snprintf(key, sizeof(key), "other %u", i);
        test_put(store, key, 50000, STORE_JUDGE_FRESH);
        assert_true(memory_of(store) <= 4u << 20);
    }
    /* The bytes we hold are still ours, whatever the tier did. */
    test_check_bytes(store_object_piece(lookup.object, 0), test_seed("held"), 0);
    store_object_unref(&lookup.object);
    store_close(&store);
    mailbox_fini(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
