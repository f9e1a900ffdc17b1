/* Tables written by us, as RocksDB and our own readers see them; the tail of the log as a file. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "disk_kit.h"
#include "store/disk.h"
#include "store/table.h"

/* Sizes around those of a block and of the buffer, and many small ones in a row. */
static size_t record_length(uint64_t i)
{
    static const size_t lengths[] = {0,     1,      150,    8100,   8192,  8193,   16335,
                                     16336, 16383,  16384,  16385,  20000, 40,     33000,
                                     65536, 131071, 262144, 530000, 12,    1200000};

    return i % 300 < ARRAY_LEN(lengths) ? lengths[i % 300] : (size_t)(i % 97);
}

static void put(struct disk *disk, uint64_t position)
{
    size_t len = record_length(position);
    char *body = mem_try(len + 1);
    struct span parts[3];

    test_fill_bytes(body, position, 0, len);
    parts[0] = span_of(body, len / 3);
    parts[1] = span_of("", 0);
    parts[2] = span_of(body + len / 3, len - len / 3);
    assert_int_equal(disk_put_body(disk, position, parts, ARRAY_LEN(parts)), ERR_OK);
    mem_free(body);
}

static void check(struct disk *disk, uint64_t position)
{
    void *pin;
    struct span value;

    assert_int_equal(disk_get_body(disk, position, &pin, &value), ERR_OK);
    assert_int_equal(value.len, record_length(position));
    test_check_bytes(value, position, 0);
    disk_unpin(pin);
}

static uint64_t position_of(uint64_t i)
{
    return i + i / 500 * 1000000 + 1; /* with gaps */
}

/* Records are there once pushed, stay there when sealed, merged, and after a start; in files where
 * they can be dropped. */
static void test_files(void **state)
{
    (void)state;
    struct disk_options options = {
        .path = folder, .disk_bytes = 1u << 30, .memory_bytes = 64u << 20};
    struct disk *disk = disk_new(&options);
    struct disk_file *files;
    void *pin;
    struct span value;
    uint64_t first;
    uint64_t last;

    assert_true(disk_is_open(disk));
    assert_int_equal(disk_seal_body(disk), ERR_OK); /* nothing to seal */
    for (uint64_t i = 0; i < 3000; i++) {
        put(disk, position_of(i));
        if (i % 7 == 0) {
            assert_int_equal(disk_push_body(disk), ERR_OK);
            check(disk, position_of(i));
            check(disk, position_of(i / 2));
            assert_int_equal(disk_get_body(disk, position_of(i) + 1, &pin, &value), ERR_ABSENT);
        }
        if (i % 1000 == 999) {
            assert_int_equal(disk_seal_body(disk), ERR_OK);
            check(disk, position_of(i));
        }
    }
    for (int round = 0; round < 3; round++) {
        size_t count = disk_body_files(disk, &files);
        assert_int_equal(count, 3);
        for (size_t i = 0; i < count; i++) {
            assert_true(files[i].level > 0);
            assert_int_equal(files[i].smallest, position_of(i * 1000));
            assert_int_equal(files[i].largest, position_of(i * 1000 + 999));
        }
        mem_free(files);
        for (uint64_t i = 0; i < 3000; i++) {
            check(disk, position_of(i));
        }
        if (round < 2) {
            assert_int_equal(disk_reopen(disk), ERR_OK);
        }
    }
    disk_drop_to(disk, position_of(999));
    disk_merge(disk, position_of(1000), position_of(2999));
    assert_int_equal(disk_get_body(disk, position_of(999), &pin, &value), ERR_ABSENT);
    for (uint64_t i = 1000; i < 3000; i++) {
        check(disk, position_of(i));
    }
    /* What was not sealed is gone with the process, and its file too. */
    put(disk, position_of(5000));
    assert_int_equal(disk_push_body(disk), ERR_OK);
    disk_free(&disk);
    disk = disk_new(&options);
    disk_body_bounds(disk, &first, &last);
    assert_int_equal(first, position_of(1000));
    assert_int_equal(last, position_of(2999));
    disk_free(&disk);
}

/* A large record ends the open block and is a block itself, a push ends one more: as many blocks as
 * that may be, in whatever order they come. */
static void test_many_blocks(void **state)
{
    char path[96];
    char *body = mem_try(16384);
    struct table_place place;

    (void)state;
    memset(body, 7, 16384);
    snprintf(path, sizeof(path), "%s/blocks", folder);
    for (unsigned shift = 0; shift < 4; shift++) {
        struct table *table = table_create(path);
        assert_non_null(table);
        for (uint64_t i = 0; i < 1100; i++) {
            struct span part = span_of(body, (i + shift) % 3 == 0 ? 16384 : 9000);
            assert_int_equal(table_add(table, i, &part, 1), ERR_OK);
            if (shift == 3 && i % 2 == 0) {
                assert_int_equal(table_push(table), ERR_OK);
            }
        }
        assert_int_equal(table_push(table), ERR_OK);
        for (uint64_t i = 0; i < 1100; i++) {
            assert_int_equal(table_find(table, i, &place), ERR_OK);
            assert_int_equal(place.len, (i + shift) % 3 == 0 ? 16384 : 9000);
        }
        table_unref(&table);
    }
    mem_free(body);
}

/* Long enough to leave the buffer for the file. */
static void fill_up(struct table *table, uint64_t first)
{
    char *body = mem_try(200000);

    memset(body, 8, 200000);
    struct span part = span_of(body, 200000);
    for (uint64_t i = first; i < first + 10; i++) {
        assert_int_equal(table_add(table, i, &part, 1), ERR_OK);
    }
    assert_int_equal(table_push(table), ERR_OK);
    mem_free(body);
}

/* A block of the tail that does not read as written is no value. */
static void test_damaged_tail(void **state)
{
    char path[96];
    char block[100];
    char room[200];
    struct table_place place;
    struct span value;

    (void)state;
    memset(block, 7, sizeof(block));
    struct span part = span_of(block, sizeof(block));
    snprintf(path, sizeof(path), "%s/table", folder);
    struct table *table = table_create(path);
    assert_non_null(table);
    assert_int_equal(table_add(table, 5, &part, 1), ERR_OK);
    assert_int_equal(table_find(table, 5, &place), ERR_ABSENT); /* not pushed */
    assert_int_equal(table_push(table), ERR_OK);
    assert_int_equal(table_find(table, 5, &place), ERR_OK);
    assert_true(place.bytes <= sizeof(room));
    assert_int_equal(table_read(table, &place, room, &value), ERR_OK);
    assert_memory_equal(value.ptr, block, sizeof(block));
    fill_up(table, 6);
    assert_int_equal(table_read(table, &place, room, &value), ERR_OK);
    assert_memory_equal(value.ptr, block, sizeof(block));
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "x", 1, 50), 1);
    assert_int_equal(table_read(table, &place, room, &value), ERR_CORRUPT);
    assert_int_equal(ftruncate(fd, 60), 0);
    assert_int_equal(table_read(table, &place, room, &value), ERR_IO);
    close(fd);
    table_unref(&table);
}

/* What was reserved for a file that became no longer is not kept. */
static void test_no_reserve_left(void **state)
{
    char path[96];
    char block[40000];
    struct stat stat_of;

    (void)state;
    memset(block, 7, sizeof(block));
    struct span part = span_of(block, sizeof(block));
    snprintf(path, sizeof(path), "%s/short", folder);
    struct table *table = table_create(path);
    assert_non_null(table);
    assert_int_equal(table_add(table, 5, &part, 1), ERR_OK);
    uint64_t pending = table_pending_bytes(table);
    assert_true(pending > 1000000); /* the reserve counts, and what is in the buffer */
    fill_up(table, 6);
    assert_int_equal(stat(path, &stat_of), 0);
    assert_true(stat_of.st_size > 900000 && stat_of.st_size % 4096 == 0);
    assert_true(stat_of.st_blocks * 512 <= stat_of.st_size + (off_t)table_pending_bytes(table));
    assert_int_equal(table_finish(table), ERR_OK);
    assert_int_equal(stat(path, &stat_of), 0);
    assert_int_equal(stat_of.st_size, table_bytes(table));
    assert_true(stat_of.st_blocks * 512 < stat_of.st_size + 20000);
    table_unref(&table);
}

static struct store *open_flushing(unsigned flush_ms)
{
    struct store_options options = options_of(64u << 20, 256u << 20);

    options.flush_ms = flush_ms;
    return store_open(&options);
}

static void child(int fd)
{
    struct store *store = open_flushing(60000);

    for (unsigned i = 0; i < 20; i++) {
        char key[32];
        snprintf(key, sizeof(key), "tail %u", i);
        test_put(store, key, i % 5 == 4 ? 700000 : 3000, STORE_JUDGE_FRESH);
        wait_written(store);
    }
    if (write(fd, "x", 1) == 1) {
        pause();
    }
    _exit(1);
}

/* Killed with all in the tail: nothing of it is there, nothing of it is left on disk, and no index
 * record points to what is not there. */
static void test_killed_tail(void **state)
{
    char tail[96];
    char byte;
    int pipes[2];
    struct stat stat_of;
    struct store_stats stats;

    (void)state;
    snprintf(tail, sizeof(tail), "%s/tail", folder);
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        /* A fresh program: RocksDB's threads do not survive a fork. */
        char text[16];
        snprintf(text, sizeof(text), "%d", pipes[1]);
        (void)execl("/proc/self/exe", "writer", folder, text, (char *)NULL);
        _exit(1);
    }
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(stat(tail, &stat_of), 0);
    assert_true(stat_of.st_size > 700000);
    struct store *store = open_flushing(200);
    assert_int_equal(stat(tail, &stat_of), -1);
    wait_loaded(store);
    store_stats(store, &stats);
    assert_int_equal(stats.disk_objects + stats.index_entries, 0);
    for (unsigned i = 0; i < 20; i++) {
        char key[32];
        snprintf(key, sizeof(key), "tail %u", i);
        assert_false(test_hit(store, key, i % 5 == 4 ? 700000 : 3000, &box));
        test_put(store, key, i % 5 == 4 ? 700000 : 3000, STORE_JUDGE_FRESH);
    }
    store_close(&store);
    assert_int_equal(stat(tail, &stat_of), -1); /* sealed by the clean end */
    store = open_flushing(200);
    for (unsigned i = 0; i < 20; i++) {
        char key[32];
        snprintf(key, sizeof(key), "tail %u", i);
        assert_true(test_hit(store, key, i % 5 == 4 ? 700000 : 3000, &box));
    }
    store_stats(store, &stats);
    assert_int_equal(stats.corrupt, 0);
    store_close(&store);
}

/* A purge of what is in the tail holds, before and after the seal. */
static void test_purged_in_tail(void **state)
{
    struct store_purge_result result;

    (void)state;
    struct store *store = open_flushing(60000);
    test_put(store, "a", 3000, STORE_JUDGE_FRESH);
    test_put(store, "b", 3000, STORE_JUDGE_FRESH);
    wait_written(store);
    store_purge_key(store, SPAN("a"), STORE_PURGE_HARD, false, true, &result);
    assert_int_equal(result.objects, 1);
    assert_false(test_hit(store, "a", 3000, &box));
    store_close(&store);
    store = open_flushing(200);
    assert_false(test_hit(store, "a", 3000, &box));
    assert_true(test_hit(store, "b", 3000, &box));
    store_close(&store);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        snprintf(folder, sizeof(folder), "%s", argv[1]);
        child((int)strtol(argv[2], NULL, 10));
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_reserve_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_purged_in_tail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
