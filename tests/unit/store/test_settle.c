/* Large objects that are hit often: in a file, the same bytes, gone when they should be. */
#include <pthread.h>

#include "disk_kit.h"
#include "store/memfile.h"

#define LARGE 5300000u

/* Can this kernel do it at all? */
static bool has_memfiles(void)
{
    struct memfile *file;
    enum err err = memfile_new(MEMFILE_BYTES_MIN, &file);

    assert_true(err == ERR_OK || (err == ERR_ABSENT && file == NULL));
    memfile_unref(&file);
    return err == ERR_OK;
}

static struct store_object *get(struct store *store, const char *key)
{
    struct store_lookup lookup = test_lookup_of(store, key, NULL);

    lookup.may_lead = false;
    if (test_get(store, &lookup, &box) != STORE_FRESH) {
        store_object_unref(&lookup.object);
        store_object_unref(&lookup.stale);
        return NULL;
    }
    return lookup.object;
}

static uint64_t files(struct store *store)
{
    struct store_stats stats;

    store_stats(store, &stats);
    return stats.memory_files;
}

/* Hits it until it has a file, n times at most. */
static struct store_object *settled(struct store *store, const char *key, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct store_object *object = get(store, key);
        assert_non_null(object);
        if (store_object_file(object) >= 0) {
            return object;
        }
        store_object_unref(&object);
        usleep(1000);
    }
    return NULL;
}

/* The bytes in the file and those in memory. */
static void check_both(const struct store_object *object, const char *key, uint64_t length)
{
    uint64_t seed = test_seed(key);
    char *room = mem_try(length);

    assert_true(store_object_is_whole(object));
    assert_int_equal(store_object_length(object), length);
    assert_int_equal(pread(store_object_file(object), room, length, 0), length);
    test_check_bytes(span_of(room, length), seed, 0);
    mem_free(room);
    for (uint64_t at = 0; at < length; at += STORE_PIECE_BYTES) {
        struct span piece = store_object_piece(object, (size_t)(at / STORE_PIECE_BYTES));
        test_check_bytes(piece, seed, at);
    }
}

static void test_memfile(void **state)
{
    _Atomic uint32_t count = 0;
    char byte = 0;

    (void)state;
    struct memfile *file;
    if (!has_memfiles()) {
        skip();
    }
    assert_int_equal(memfile_new(MEMFILE_BYTES_MIN + 5, &file), ERR_OK);
    memfile_count(file, &count);
    assert_int_equal(memfile_write(file, 0, SPAN("abc")), ERR_OK);
    assert_int_equal(memfile_write(file, MEMFILE_BYTES_MIN + 4, SPAN("z")), ERR_OK);
    assert_int_equal(memfile_seal(file), ERR_OK);
    assert_int_equal(memfile_data(file)[1], 'b');
    assert_int_equal(memfile_data(file)[MEMFILE_BYTES_MIN + 4], 'z');
    assert_int_equal(pread(memfile_fd(file), &byte, 1, 2), 1);
    assert_int_equal(byte, 'c');
    /* Nothing changes it any more. */
    assert_int_equal(pwrite(memfile_fd(file), "x", 1, 0), -1);
    assert_int_equal(ftruncate(memfile_fd(file), 1), -1);
    struct memfile *other = memfile_ref(file);
    memfile_unref(&file);
    assert_int_equal(count, 1);
    assert_int_equal(memfile_data(other)[0], 'a');
    memfile_unref(&other);
    assert_int_equal(count, 0);
}

static void test_often_hit(void **state)
{
    struct store_stats before;
    struct store_stats after;

    (void)state;
    if (!has_memfiles()) {
        skip();
    }
    struct store *store = open_store(128u << 20, 512u << 20);
    test_put(store, "large", LARGE, STORE_JUDGE_FRESH);
    test_put(store, "small", MEMFILE_BYTES_MIN - 1, STORE_JUDGE_FRESH);
    wait_written(store);
    store_stats(store, &before);
    struct store_object *old = get(store, "large");
    assert_int_equal(store_object_file(old), -1);
    struct store_object *object = settled(store, "large", 64);
    assert_non_null(object);
    check_both(object, "large", LARGE);
    assert_int_equal(files(store), 1);
    /* Who had the old one goes on with it, and it is not counted any more once let go. */
    assert_true(test_read_all(store, old, "large", 0, &box));
    assert_int_equal(store_object_file(old), -1);
    store_object_unref(&old);
    store_stats(store, &after);
    assert_int_equal(after.memory_objects, before.memory_objects);
    assert_true(after.memory_bytes < before.memory_bytes + 100000 &&
                after.memory_bytes + 100000 > before.memory_bytes);
    assert_null(settled(store, "small", 64));
    /* A purge takes it; who sends it keeps it. */
    struct store_purge_result result;
    store_purge_key(store, SPAN("large"), STORE_PURGE_HARD, false, true, &result);
    assert_int_equal(result.objects, 1);
    assert_null(get(store, "large"));
    check_both(object, "large", LARGE);
    store_object_unref(&object);
    assert_int_equal(files(store), 0);
    store_close(&store);
    store = open_store(128u << 20, 512u << 20);
    wait_loaded(store);
    assert_null(get(store, "large"));
    assert_true(test_hit(store, "small", MEMFILE_BYTES_MIN - 1, &box));
    store_close(&store);
}

/* What a 304 confirms keeps its file; the disk keeps what it had. */
static void test_renewed(void **state)
{
    (void)state;
    if (!has_memfiles()) {
        skip();
    }
    struct store *store = open_store(128u << 20, 512u << 20);
    test_put(store, "large", LARGE, STORE_JUDGE_FRESH);
    wait_written(store);
    struct store_object *object = settled(store, "large", 64);
    assert_non_null(object);
    struct store_head head = test_head(LARGE, STORE_JUDGE_FRESH);
    head.head = SPAN("HTTP/1.1 200 OK\r\nX: new\r\n\r\n");
    store_object_renew(store, object, &head, 0);
    store_object_unref(&object);
    object = get(store, "large");
    assert_true(span_eq(store_object_head(object), head.head));
    assert_true(store_object_file(object) >= 0);
    check_both(object, "large", LARGE);
    store_object_unref(&object);
    assert_int_equal(files(store), 1);
    store_close(&store);
    store = open_store(128u << 20, 512u << 20);
    wait_loaded(store);
    object = get(store, "large");
    assert_non_null(object);
    assert_true(span_eq(store_object_head(object), head.head));
    assert_true(test_read_all(store, object, "large", 0, &box));
    store_object_unref(&object);
    store_close(&store);
}

/* Memory is short: files go as other objects do, the disk has them still. */
static void test_evicted(void **state)
{
    struct store_stats stats;
    char key[32];

    (void)state;
    if (!has_memfiles()) {
        skip();
    }
    struct store *store = open_store(64u << 20, 512u << 20);
    for (unsigned i = 0; i < 24; i++) {
        snprintf(key, sizeof(key), "large %u", i);
        test_put(store, key, LARGE, STORE_JUDGE_FRESH);
        wait_written(store);
        struct store_object *object = settled(store, key, 40);
        store_object_unref(&object);
        store_stats(store, &stats);
        assert_true(stats.memory_bytes <= (64u << 20));
        assert_true(stats.memory_files <= stats.memory_objects + 1);
    }
    assert_true(stats.memory_files > 0 && stats.memory_files < 13);
    for (unsigned i = 0; i < 24; i++) {
        snprintf(key, sizeof(key), "large %u", i);
        assert_true(test_hit(store, key, LARGE, &box));
    }
    store_close(&store);
}

struct race {
    struct store *store;
    _Atomic bool is_over;
    _Atomic unsigned hits, from_files;
};

static void *hit_on(void *arg)
{
    struct race *race = arg;

    while (!atomic_load(&race->is_over)) {
        struct store_lookup lookup = test_lookup_of(race->store, "large", NULL);
        lookup.may_lead = false;
        enum store_verdict verdict = store_lookup(race->store, &lookup);
        if (verdict == STORE_FRESH && store_object_is_whole(lookup.object)) {
            char room[100];
            uint64_t at = atomic_fetch_add(&race->hits, 1) * 7919u % (LARGE - sizeof(room));
            int fd = store_object_file(lookup.object);
            if (fd >= 0) {
                atomic_fetch_add(&race->from_files, 1);
                assert_int_equal(pread(fd, room, sizeof(room), (off_t)at), sizeof(room));
                test_check_bytes(span_of(room, sizeof(room)), test_seed("large"), at);
            }
            struct span piece = store_object_piece(lookup.object, (size_t)(at / STORE_PIECE_BYTES));
            test_check_bytes(span_of(piece.ptr + at % STORE_PIECE_BYTES, 1), test_seed("large"),
                             at);
        }
        store_object_unref(&lookup.object);
        store_object_unref(&lookup.stale);
    }
    return NULL;
}

/* Hit, settled, purged and stored again, all at once. */
static void test_race(void **state)
{
    struct race race = {0};
    pthread_t threads[3];

    (void)state;
    if (!has_memfiles()) {
        skip();
    }
    race.store = open_store(64u << 20, 512u << 20);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hit_on, &race), 0);
    }
    for (unsigned i = 0; i < 25; i++) {
        struct store_purge_result result;
        test_put(race.store, "large", LARGE, STORE_JUDGE_FRESH);
        unsigned before = atomic_load(&race.from_files);
        for (unsigned j = 0; j < 200 && atomic_load(&race.from_files) == before; j++) {
            usleep(1000);
        }
        store_purge_key(race.store, SPAN("large"), STORE_PURGE_HARD, false, false, &result);
    }
    atomic_store(&race.is_over, true);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    print_message("%u hits, %u from files\n", race.hits, race.from_files);
    assert_true(race.from_files > 0);
    wait_written(race.store);
    assert_int_equal(files(race.store), 0);
    test_close(&race.store, &box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memfile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_often_hit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renewed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_evicted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_race, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
