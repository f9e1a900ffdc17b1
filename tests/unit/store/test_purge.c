/* Purges against everything that is under way: loads from disk, the index load, refreshes, fills.
 */
#include "disk_kit.h"
#include "store/recover.h"
#include "store/store_private.h"

static struct store *store;

static void open_again(void)
{
    struct store_options options = options_of(64u << 20, 256u << 20);

    options.max_object_bytes = 8u << 20;
    store = store_open(&options);
    wait_loaded(store);
}

static int setup_store(void **state)
{
    (void)setup(state);
    open_again();
    return 0;
}

static int teardown_store(void **state)
{
    test_close(&store, &box);
    return teardown(state);
}

static void purge(const char *key, enum store_purge_mode mode)
{
    struct store_purge_result result;

    store_purge_key(store, span_str(key), mode, false, false, &result);
}

static enum store_verdict ask(const char *key, struct store_lookup *lookup)
{
    *lookup = test_lookup_of(store, key, NULL);
    return test_get(store, lookup, &box);
}

/* A record is being read when the purge comes: before, during and after the read. */
static void test_load(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        char key[32];
        snprintf(key, sizeof(key), "load %d", i);
        test_put(store, key, i % 2 == 0 ? 1000 : 700000, STORE_JUDGE_FRESH);
        throttle(store, 4u << 20, 20000); /* below what the writer's queue takes */
    }
    store_close(&store);
    open_again();
    for (int i = 0; i < 60; i++) {
        bool is_hard = i % 4 < 2;
        char key[32];
        snprintf(key, sizeof(key), "load %d", i);
        struct store_lookup lookup = test_lookup_of(store, key, NULL);
        assert_int_equal(store_lookup(store, &lookup), STORE_DISK);
        struct test_load load = {0};
        assert_non_null(store_load_start(store, &lookup, &box, test_loaded, &load));
        if (i % 3 > 0) {
            usleep(i % 3 == 1 ? 50 : 3000);
        }
        purge(key, is_hard ? STORE_PURGE_HARD : STORE_PURGE_SOFT);
        assert_true(test_wait(&box, &load.is_done, 20000));
        lookup.loaded = load.object;
        assert_int_equal(test_get(store, &lookup, &box), STORE_LEAD);
        assert_int_equal(lookup.absence, is_hard ? STORE_WAS_PURGED_HARD : STORE_WAS_PURGED_SOFT);
        assert_true((lookup.object == NULL) == is_hard);
        test_drop(&lookup);
    }
}

/* [shard] Out of the table as a purge takes it out, its record in idx still to be deleted. */
static void take_out(struct shard *shard, struct hash128 hash)
{
    struct trash trash;
    struct entry *entry = index_chain(shard, hash.lo);

    trash_init(&trash);
    while (!entry_is(entry, hash)) {
        entry = entry->next;
    }
    entry->flags = 0;
    index_set_position(shard, entry, 0);
    index_remove(store, shard, entry, STORE_WAS_PURGED_HARD, &trash);
    lock_release(&shard->lock);
    trash_empty(store, &trash);
}

/* While the index loads, a request reads what idx has for its key. That takes a while: meanwhile
 * the load may end, and the purge be in force. */
static void test_late_read_of_idx(void **state)
{
    struct store_lookup lookup;
    struct hash128 hash;

    (void)state;
    test_put(store, "late", 1000, STORE_JUDGE_FRESH);
    store_close(&store);
    open_again();
    hash = store_key_of(store, SPAN("late")).hash;
    struct shard *shard = index_shard(store, hash);
    lock_acquire(&shard->lock);
    take_out(shard, hash);
    assert_int_equal(recover_key(store, hash), 0);
    assert_int_equal(ask("late", &lookup), STORE_LEAD);
    test_drop(&lookup);
}

/* The purge comes while the load is under way: what it has not reached yet is dead on arrival. */
static void test_while_loading(void **state)
{
    static const enum store_purge_mode modes[] = {STORE_PURGE_HARD, STORE_PURGE_SOFT};
    struct store_lookup lookup;

    (void)state;
    test_put(store, "mode 0", 1000, STORE_JUDGE_FRESH);
    test_put(store, "mode 1", 1000, STORE_JUDGE_FRESH);
    store_close(&store);
    open_again();
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        char key[32];
        snprintf(key, sizeof(key), "mode %zu", i);
        struct hash128 hash = store_key_of(store, span_str(key)).hash;
        struct shard *shard = index_shard(store, hash);
        lock_acquire(&shard->lock);
        shard->is_loaded = false;
        take_out(shard, hash);
        int64_t from_ms = clock_wall_ms();
        purge(key, modes[i]);
        int64_t to_ms = clock_wall_ms();
        (void)recover_key(store, hash);
        enum store_verdict verdict = ask(key, &lookup);
        assert_int_equal(verdict, STORE_LEAD);
        assert_true((lookup.object == NULL) == (modes[i] == STORE_PURGE_HARD));
        if (modes[i] == STORE_PURGE_SOFT && lookup.soft_at_ms != 1) { /* 1: idx was marked first */
            assert_in_range(lookup.soft_at_ms, from_ms, to_ms);
        }
        test_drop(&lookup);
        lock_acquire(&shard->lock);
        shard->is_loaded = true;
        index_sweep_tombs(store, shard);
        lock_release(&shard->lock);
    }
}

/* A soft purge between the question and the 304: what was learned is from before it. */
static void test_soft_meets_refresh(void **state)
{
    (void)state;
    for (int is_before = 0; is_before < 2; is_before++) {
        struct store_head head = test_head(7, STORE_JUDGE_FRESH);
        struct store_lookup lookup;
        test_put(store, "soft", 7, STORE_JUDGE_VALIDATE);
        if (is_before != 0) {
            purge("soft", STORE_PURGE_SOFT);
        }
        assert_int_equal(ask("soft", &lookup), STORE_LEAD);
        if (is_before == 0) {
            purge("soft", STORE_PURGE_SOFT);
        }
        struct store_object *object = store_lead_refresh(&lookup.lead, &head);
        store_object_unref(&object);
        test_drop(&lookup);
        enum store_verdict verdict = ask("soft", &lookup);
        assert_int_equal(verdict, is_before != 0 ? STORE_FRESH : STORE_LEAD);
        test_drop(&lookup);
        purge("soft", STORE_PURGE_HARD);
    }
}

/* Evicted from everywhere, purged, and then renewed by a 304: it stays away. */
static void test_refresh_of_the_gone(void **state)
{
    struct store_head head = test_head(7, STORE_JUDGE_FRESH);
    struct store_lookup lookup;

    (void)state;
    test_put(store, "gone", 7, STORE_JUDGE_VALIDATE);
    assert_int_equal(ask("gone", &lookup), STORE_LEAD);
    struct shard *shard = index_shard(store, lookup.key.hash);
    struct trash trash;
    trash_init(&trash);
    lock_acquire(&shard->lock);
    index_remove(store, shard, index_find(shard, lookup.key.hash, lookup.object->id),
                 STORE_WAS_EVICTED, &trash);
    lock_release(&shard->lock);
    trash_empty(store, &trash);
    purge("gone", STORE_PURGE_HARD);
    struct store_object *object = store_lead_refresh(&lookup.lead, &head);
    store_object_unref(&object);
    test_drop(&lookup);
    assert_int_equal(ask("gone", &lookup), STORE_LEAD);
    assert_null(lookup.object);
    test_drop(&lookup);
}

/* A fill from before a soft purge ends after one from after it. */
static void test_soft_meets_fills(void **state)
{
    struct store_head head = test_head(3, STORE_JUDGE_FRESH);

    (void)state;
    for (int is_old_first = 0; is_old_first < 2; is_old_first++) {
        struct store_lookup before;
        struct store_lookup after;
        assert_int_equal(ask("fills", &before), STORE_LEAD);
        purge("fills", STORE_PURGE_SOFT);
        assert_int_equal(ask("fills", &after), STORE_LEAD);
        assert_int_equal(store_lead_head(before.lead, &head), ERR_OK);
        assert_int_equal(store_lead_append(before.lead, SPAN("old")), ERR_OK);
        assert_int_equal(store_lead_head(after.lead, &head), ERR_OK);
        assert_int_equal(store_lead_append(after.lead, SPAN("new")), ERR_OK);
        store_lead_commit(is_old_first != 0 ? &before.lead : &after.lead);
        store_lead_commit(is_old_first != 0 ? &after.lead : &before.lead);
        test_drop(&before);
        test_drop(&after);
        assert_int_equal(ask("fills", &after), STORE_FRESH);
        assert_true(span_eq(store_object_piece(after.object, 0), SPAN("new")));
        test_drop(&after);
        purge("fills", STORE_PURGE_HARD);
    }
}

static int64_t judged_ms; /* what the last judgement was told */

static enum store_judgement note_judge(const uint8_t *facts, int64_t soft_at_ms, void *ctx)
{
    judged_ms = soft_at_ms;
    return test_judge(facts, soft_at_ms, ctx);
}

/* What a lookup is told about the moment of the soft purge. */
static int64_t soft_time(const char *key, const char *selector)
{
    struct store_lookup lookup = test_lookup_of(store, key, selector);

    lookup.judge = note_judge;
    lookup.may_lead = false;
    judged_ms = -1;
    (void)test_get(store, &lookup, &box);
    assert_int_equal(judged_ms, lookup.soft_at_ms);
    test_drop(&lookup);
    return judged_ms;
}

/* The moment of a soft purge is kept with variants and without, and by later purges. */
static void test_soft_time(void **state)
{
    struct store_head head = test_head(3, STORE_JUDGE_FRESH);
    struct store_lookup lookup = test_lookup_of(store, "time", "gzip");

    (void)state;
    assert_int_equal(test_get(store, &lookup, &box), STORE_LEAD);
    head.selector = SPAN("gzip");
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
    assert_int_equal(store_lead_append(lookup.lead, SPAN("abc")), ERR_OK);
    store_lead_commit(&lookup.lead);
    test_drop(&lookup);
    test_put(store, "time", 7, STORE_JUDGE_FRESH);
    assert_int_equal(soft_time("time", "gzip"), 0);
    int64_t from_ms = clock_wall_ms();
    purge("time", STORE_PURGE_SOFT);
    int64_t to_ms = clock_wall_ms();
    usleep(20000);
    purge("time", STORE_PURGE_SOFT);
    assert_in_range(soft_time("time", "gzip"), from_ms, to_ms);
    assert_in_range(soft_time("time", NULL), from_ms, to_ms);
    /* Renewed: it is as if nothing had been, until the next purge. */
    lookup = test_lookup_of(store, "time", NULL);
    assert_int_equal(test_get(store, &lookup, &box), STORE_LEAD);
    assert_in_range(lookup.soft_at_ms, from_ms, to_ms);
    head = test_head(7, STORE_JUDGE_FRESH);
    struct store_object *object = store_lead_refresh(&lookup.lead, &head);
    store_object_unref(&object);
    test_drop(&lookup);
    assert_int_equal(soft_time("time", NULL), 0);
    usleep(20000);
    from_ms = clock_wall_ms();
    purge("time", STORE_PURGE_SOFT);
    assert_in_range(soft_time("time", NULL), from_ms, clock_wall_ms());
}

/* Purged while it was filled, or while it was validated: the moment goes with what is stored. */
static void test_soft_time_of_fills(void **state)
{
    struct store_lookup lookup;

    (void)state;
    for (int is_refresh = 0; is_refresh < 2; is_refresh++) {
        struct store_head head = test_head(3, STORE_JUDGE_FRESH);
        if (is_refresh != 0) {
            test_put(store, "fill", 3, STORE_JUDGE_VALIDATE);
        }
        assert_int_equal(ask("fill", &lookup), STORE_LEAD);
        int64_t from_ms = clock_wall_ms();
        purge("fill", STORE_PURGE_SOFT);
        int64_t to_ms = clock_wall_ms();
        usleep(20000);
        if (is_refresh != 0) {
            struct store_object *object = store_lead_refresh(&lookup.lead, &head);
            store_object_unref(&object);
        } else {
            assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
            assert_int_equal(store_lead_append(lookup.lead, SPAN("abc")), ERR_OK);
            store_lead_commit(&lookup.lead);
        }
        test_drop(&lookup);
        assert_in_range(soft_time("fill", NULL), from_ms, to_ms);
        purge("fill", STORE_PURGE_HARD);
    }
}

/* After a restart it is never later than it was: a record that does not say it counts as purged
 * long ago. */
static void test_soft_time_kept(void **state)
{
    struct store_purge_result result;

    (void)state;
    test_put(store, "kept", 3, STORE_JUDGE_FRESH);
    test_put(store, "fresh", 3, STORE_JUDGE_FRESH);
    store_close(&store);
    open_again();
    int64_t from_ms = clock_wall_ms();
    store_purge_key(store, SPAN("kept"), STORE_PURGE_SOFT, false, true, &result);
    assert_int_equal(result.objects, 1);
    int64_t to_ms = clock_wall_ms();
    store_close(&store);
    usleep(20000);
    open_again();
    assert_in_range(soft_time("kept", NULL), from_ms, to_ms);
    assert_int_equal(soft_time("fresh", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_load, setup_store, teardown_store),
        cmocka_unit_test_setup_teardown(test_late_read_of_idx, setup_store, teardown_store),
        cmocka_unit_test_setup_teardown(test_while_loading, setup_store, teardown_store),
        cmocka_unit_test_setup_teardown(test_soft_meets_refresh, setup_store, teardown_store),
        cmocka_unit_test_setup_teardown(test_refresh_of_the_gone, setup_store, teardown_store),
        cmocka_unit_test_setup_teardown(test_soft_meets_fills, setup_store, teardown_store),
        cmocka_unit_test_setup_teardown(test_soft_time, setup_store, teardown_store),
        cmocka_unit_test_setup_teardown(test_soft_time_of_fills, setup_store, teardown_store),
        cmocka_unit_test_setup_teardown(test_soft_time_kept, setup_store, teardown_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
