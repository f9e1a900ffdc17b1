/* The folder's bound while five times its size is written, hot objects kept, a full disk. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "disk_kit.h"
#include "store/disk_files.h"

static _Atomic bool is_sampling;
static _Atomic uint64_t peak_bytes;
static _Atomic uint64_t sample_count;

static uint64_t folder_bytes(const char *path)
{
    uint64_t sum = 0;
    DIR *dir = opendir(path);

    if (dir == NULL) {
        return 0;
    }
    for (struct dirent *item; (item = readdir(dir)) != NULL;) {
        struct stat stat_of;
        char name[512];
        if (item->d_name[0] == '.') {
            continue;
        }
        snprintf(name, sizeof(name), "%s/%s", path, item->d_name);
        if (lstat(name, &stat_of) != 0) {
            continue;
        }
        /* A file with two names is one file. */
        sum += S_ISDIR(stat_of.st_mode)
                   ? folder_bytes(name)
                   : (uint64_t)(stat_of.st_blocks * 512 > stat_of.st_size ? stat_of.st_blocks * 512
                                                                          : stat_of.st_size) /
                         (stat_of.st_nlink > 0 ? stat_of.st_nlink : 1);
    }
    closedir(dir);
    return sum;
}

static void *sample(void *arg)
{
    (void)arg;
    while (is_sampling) {
        uint64_t bytes = folder_bytes(folder);
        if (bytes > peak_bytes) {
            peak_bytes = bytes;
        }
        sample_count++;
        usleep(2000);
    }
    return NULL;
}

struct churn_case {
    uint64_t disk_bytes;
    uint64_t length;
    unsigned count;
    unsigned period; /* of asking for the hot one: less than a turn of the log */
};

static void test_churn(void **state)
{
    static const struct churn_case cases[] = {
        {64u << 20, 100000, 3300, 50},
        {96u << 20, 3000000, 160, 6},
#ifndef __SANITIZE_THREAD__ /* the same steps many times: longer than all else together */
        {64u << 20, 900, 60000, 500},
#endif
    };

    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        pthread_t thread;
        struct store *store = open_store(32u << 20, cases[c].disk_bytes);
        struct store_stats stats;
        peak_bytes = 0;
        sample_count = 0;
        is_sampling = true;
        assert_int_equal(pthread_create(&thread, NULL, sample, NULL), 0);
        for (unsigned i = 0; i < cases[c].count; i++) {
            char key[32];
            snprintf(key, sizeof(key), "churn %zu %u", c, i);
            test_put(store, key, cases[c].length, STORE_JUDGE_FRESH);
            if (i % 8 == 0 || cases[c].length > 1u << 20) {
                throttle(store, 1u << 20, 2000);
            }
            if (i % cases[c].period == 0) { /* one object that is always wanted */
                if (!test_hit(store, "hot", 5000, &box)) {
                    assert_int_equal(i, 0);
                    test_put(store, "hot", 5000, STORE_JUDGE_FRESH);
                }
            }
        }
        is_sampling = false;
        pthread_join(thread, NULL);
        store_stats(store, &stats);
        print_message("%llu of %u MiB at most (%llu samples), %llu objects, evicted %llu, again "
                      "%llu, not stored %llu\n",
                      (unsigned long long)peak_bytes >> 20, (unsigned)(cases[c].disk_bytes >> 20),
                      (unsigned long long)sample_count, (unsigned long long)stats.disk_objects,
                      (unsigned long long)stats.evicted_disk, (unsigned long long)stats.reinserted,
                      (unsigned long long)stats.not_stored_disk);
        assert_true(peak_bytes <= cases[c].disk_bytes);
        assert_true(sample_count > 10);
        assert_true(stats.evicted_disk > 0);
        /* The bound is used, not just kept. */
        assert_true(peak_bytes >= cases[c].disk_bytes / 2);
        assert_int_equal(stats.not_stored_disk, 0);
        assert_int_equal(stats.corrupt, 0);
        store_close(&store);
        assert_true(folder_bytes(folder) <= cases[c].disk_bytes);
        store = open_store(32u << 20, cases[c].disk_bytes);
        /* The newest are there, the one always wanted is, and what is there is right. */
        assert_true(test_hit(store, "hot", 5000, &box));
        unsigned hits = 0;
        for (unsigned i = cases[c].count - cases[c].count / 20; i < cases[c].count; i++) {
            char key[32];
            snprintf(key, sizeof(key), "churn %zu %u", c, i);
            hits += test_hit(store, key, cases[c].length, &box);
        }
        assert_int_equal(hits, cases[c].count / 20);
        for (unsigned i = 0; i < cases[c].count; i += cases[c].count / 37) {
            char key[32];
            snprintf(key, sizeof(key), "churn %zu %u", c, i);
            (void)test_hit(store, key, cases[c].length, &box);
        }
        store_stats(store, &stats);
        assert_int_equal(stats.corrupt, 0);
        store_close(&store);
        test_remove_tree(folder);
    }
}

/* Opened with less room than before: comes down by itself, and the newest stay. */
static void test_shrink(void **state)
{
    struct store *store = open_store(32u << 20, 256u << 20);
    struct store_stats stats;
    uint64_t bytes = 0;

    (void)state;
    for (unsigned i = 0; i < 1500; i++) {
        char key[32];
        snprintf(key, sizeof(key), "shrink %u", i);
        test_put(store, key, 100000, STORE_JUDGE_FRESH);
        throttle(store, 1u << 20, 2000);
    }
    store_close(&store);
    assert_true(folder_bytes(folder) > 100u << 20);
    store = open_store(32u << 20, 64u << 20);
    for (int wait = 0; wait < 600; wait++) {
        bytes = folder_bytes(folder);
        if (bytes <= 64u << 20) {
            break;
        }
        usleep(100000);
    }
    print_message("%llu MiB\n", (unsigned long long)bytes >> 20);
    assert_true(bytes <= 64u << 20);
    assert_true(bytes >= 32u << 20);
    for (unsigned i = 1200; i < 1500; i++) {
        char key[32];
        snprintf(key, sizeof(key), "shrink %u", i);
        assert_true(test_hit(store, key, 100000, &box));
    }
    store_stats(store, &stats);
    assert_int_equal(stats.corrupt, 0);
    assert_true(stats.disk_objects < 700);
    store_close(&store);
}

static void fill_up(const char *name, size_t bytes)
{
    static char block[65536];
    FILE *out = fopen(name, "w");
    assert_non_null(out);
    setbuf(out, NULL);
    for (size_t i = 0; i < bytes && fwrite(block, 1, sizeof(block), out) == sizeof(block);
         i += sizeof(block)) {
    }
    (void)fclose(out);
}

/* A file system smaller than the bound: what there is is the bound. */
static void test_small(void **state)
{
    (void)state;
    if (mount("none", folder, "tmpfs", 0, "size=60m") != 0) {
        print_message("no tmpfs here: skipped\n");
        return;
    }
    struct store *store = open_store(32u << 20, 512u << 20);
    struct store_stats stats;
    for (unsigned i = 0; i < 1500; i++) {
        char key[32];
        snprintf(key, sizeof(key), "small %u", i);
        test_put(store, key, 100000, STORE_JUDGE_FRESH);
        throttle(store, 1u << 20, 2000);
    }
    store_stats(store, &stats);
    print_message("%llu objects, evicted %llu, write errors %llu\n",
                  (unsigned long long)stats.disk_objects, (unsigned long long)stats.evicted_disk,
                  (unsigned long long)stats.write_errors);
    assert_int_equal(stats.disk_state, STORE_DISK_OK);
    assert_int_equal(stats.write_errors, 0);
    assert_true(stats.disk_objects > 200 && stats.evicted_disk > 0);
    store_close(&store);
    assert_int_equal(umount(folder), 0);
}

/* Somebody else fills the file system: storing stops, nothing else does, and it comes back. */
static void test_full(void **state)
{
    char filler[128];

    (void)state;
    (void)snprintf(filler, sizeof(filler), "%s/filler", folder);
    if (mount("none", folder, "tmpfs", 0, "size=100m") != 0) {
        print_message("no tmpfs here: skipped\n");
        return;
    }
    struct store *store = open_store(32u << 20, 512u << 20);
    struct store_stats stats;
    unsigned i;
    for (i = 0; i < 400; i++) {
        char key[32];
        snprintf(key, sizeof(key), "full %u", i);
        if (i == 200) {
            fill_up(filler, 1u << 30);
        }
        test_put(store, key, 100000, STORE_JUDGE_FRESH);
        assert_true(test_hit(store, key, 100000, &box)); /* serves from memory throughout */
        throttle(store, 1u << 20, 2000);
    }
    usleep(500000);
    store_stats(store, &stats);
    print_message("state %d, %llu objects on disk\n", (int)stats.disk_state,
                  (unsigned long long)stats.disk_objects);
    test_put(store, "while full", 100000, STORE_JUDGE_FRESH);
    assert_true(test_hit(store, "while full", 100000, &box));
    /* A purge meanwhile must hold after the disk is back. */
    struct store_purge_result result;
    store_purge_key(store, SPAN("full 150"), STORE_PURGE_HARD, false, true, &result);
    assert_int_equal(unlink(filler), 0);
    for (int wait = 0; wait < 600; wait++) {
        store_stats(store, &stats);
        if (stats.disk_state == STORE_DISK_OK) {
            break;
        }
        usleep(100000);
    }
    assert_int_equal(stats.disk_state, STORE_DISK_OK);
    test_put(store, "after", 100000, STORE_JUDGE_FRESH);
    throttle(store, 1u << 20, 2000);
    store_close(&store);
    store = open_store(32u << 20, 512u << 20);
    assert_true(test_hit(store, "after", 100000, &box));
    assert_false(test_hit(store, "full 150", 100000, &box));
    for (i = 0; i < 400; i++) {
        char key[32];
        snprintf(key, sizeof(key), "full %u", i);
        (void)test_hit(store, key, 100000, &box); /* right, or not at all */
    }
    store_stats(store, &stats);
    print_message("%llu objects after it\n", (unsigned long long)stats.disk_objects);
    assert_int_equal(stats.corrupt, 0);
    store_close(&store);
    /* Started on a full file system: in memory, what was stored is back when there is room. */
    fill_up(filler, 1u << 30);
    store = open_store(32u << 20, 512u << 20);
    store_stats(store, &stats);
    assert_int_equal(stats.disk_state, STORE_DISK_FAILED);
    test_put(store, "no room", 1000, STORE_JUDGE_FRESH);
    assert_true(test_hit(store, "no room", 1000, &box));
    assert_int_equal(unlink(filler), 0);
    for (int wait = 0; wait < 600 && stats.disk_state != STORE_DISK_OK; wait++) {
        usleep(100000);
        store_stats(store, &stats);
    }
    assert_int_equal(stats.disk_state, STORE_DISK_OK);
    bool is_back = false; /* the index is read behind it */
    for (int wait = 0; wait < 600 && !is_back; wait++) {
        is_back = test_hit(store, "after", 100000, &box);
        usleep(is_back ? 0 : 100000);
    }
    assert_true(is_back);
    store_close(&store);
    assert_int_equal(umount(folder), 0);
}

/* A folder that cannot be made: in memory, and no trouble. */
static void test_no_folder(void **state)
{
    (void)state;
    char file[80];
    snprintf(file, sizeof(file), "%s/file", folder);
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fclose(out);
    char kept[64];
    memcpy(kept, folder, sizeof(kept));
    snprintf(folder, sizeof(folder), "%.50s/file", kept);
    struct store *store = open_store(32u << 20, 64u << 20);
    struct store_stats stats;
    store_stats(store, &stats);
    assert_int_equal(stats.disk_state, STORE_DISK_FAILED);
    test_put(store, "a", 1000, STORE_JUDGE_FRESH);
    assert_true(test_hit(store, "a", 1000, &box));
    store_close(&store);
    memcpy(folder, kept, sizeof(kept));
}

/* What is written to see whether the folder can be written never counts in it, or a full store would
 * be over its bound at each start. */
static void test_probe(void **state)
{
    char event[4096];
    (void)state;
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(fd >= 0);
    /* Without IN_EXCL_UNLINK files that have lost their name are reported too. */
    assert_true(inotify_add_watch(fd, folder, IN_MODIFY | IN_EXCL_UNLINK) >= 0);
    assert_true(disk_files_probe(folder));
    assert_int_equal(read(fd, event, sizeof(event)), -1);
    assert_int_equal(errno, EAGAIN);
    close(fd);
    assert_int_equal(folder_bytes(folder), 0);
    assert_false(disk_files_probe("/nonexistent/larder"));
}

/* RocksDB's LOG does not grow: a line that finds the disk full would be the end of the process. */
static void test_rocksdb_log_is_silent(void **state)
{
    struct stat before;
    struct stat after;
    char name[128];

    (void)state;
    struct store *store = open_store(32u << 20, 64u << 20);
    (void)snprintf(name, sizeof(name), "%s/db/LOG", folder);
    assert_int_equal(stat(name, &before), 0);
    for (unsigned i = 0; i < 1200; i++) {
        char key[32];
        snprintf(key, sizeof(key), "log %u", i);
        test_put(store, key, 100000, STORE_JUDGE_FRESH);
        throttle(store, 1u << 20, 2000);
    }
    assert_int_equal(stat(name, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    store_close(&store);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_churn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shrink, setup, teardown),
        cmocka_unit_test_setup_teardown(test_small, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_probe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rocksdb_log_is_silent, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
