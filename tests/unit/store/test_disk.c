/* Round trips through the disk: reopen, streamed objects, kill -9, damage, bounds, trouble. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "disk_kit.h"

static uint64_t length_of(unsigned i)
{
    static const uint64_t lengths[] = {0,      1,      1000,   4000,    33000,   100000,
                                       262143, 262144, 262145, 1000000, 1048576, 3000001};
    return lengths[i % ARRAY_LEN(lengths)];
}

static void test_round_trip(void **state)
{
    (void)state;
    struct store *store = open_store(64u << 20, 256u << 20);
    for (unsigned i = 0; i < 60; i++) {
        char key[32];
        snprintf(key, sizeof(key), "key %u", i);
        test_put(store, key, length_of(i), STORE_JUDGE_FRESH);
        throttle(store, 8u << 20, 20000); /* below what the writer's queue takes */
    }
    store_close(&store);
    for (int round = 0; round < 2; round++) {
        store = open_store(64u << 20, 256u << 20);
        if (round == 0) { /* asked for before the index is there, maybe */
            assert_true(test_hit(store, "key 2", 1000, &box));
        }
        wait_loaded(store);
        struct store_stats stats;
        store_stats(store, &stats);
        assert_int_equal(stats.disk_objects, 60);
        assert_int_equal(stats.disk_state, STORE_DISK_OK);
        for (unsigned i = 0; i < 60; i++) {
            char key[32];
            snprintf(key, sizeof(key), "key %u", i);
            if (!test_hit(store, key, length_of(i), &box)) {
                print_error("round %d: no hit: %s\n", round, key);
                assert_true(false);
            }
        }
        store_stats(store, &stats);
        assert_int_equal(stats.corrupt, 0);
        assert_int_equal(stats.read_errors, 0);
        store_close(&store);
    }
}

/* A body many times the RAM tier, with and without a length, read by a follower meanwhile. */
static void test_streamed(void **state)
{
    const uint64_t length = (48u << 20) + 12345;

    (void)state;
    for (int known = 0; known < 2; known++) {
        struct store *store = open_store(16u << 20, 256u << 20);
        char key[16];
        snprintf(key, sizeof(key), "big %d", known);
        struct store_lookup lookup = test_lookup_of(store, key, NULL);
        struct store_head head =
            test_head(known ? length : STORE_LENGTH_UNKNOWN, STORE_JUDGE_FRESH);
        bool woken = false;
        bool lead_woken = false;
        uint64_t seed = test_seed(key);
        uint64_t written = 0;
        uint64_t read = 0;
        assert_int_equal(test_get(store, &lookup, &box), STORE_LEAD);
        struct store_object *object = store_object_ref(store_lead_object(lookup.lead));
        store_lead_bind(lookup.lead, &box, test_wake, &lead_woken);
        assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
        struct store_reader *reader =
            store_reader_open(store, object, 0, false, &box, test_wake, &woken);
        while (read < length) {
            if (lookup.lead != NULL) {
                uint64_t to = written + 300000 < length ? written + 300000 : length;
                test_append(lookup.lead, key, written, to);
                written = to;
                store_lead_flush(lookup.lead);
                if (written == length) {
                    store_lead_commit(&lookup.lead);
                } else if (store_lead_must_pause(lookup.lead)) {
                    assert_true(test_wait(&box, &lead_woken, 20000));
                }
                lead_woken = false;
            }
            struct store_stats stats;
            store_stats(store, &stats);
            assert_true(stats.memory_bytes <= 16u << 20);
            struct span span;
            /* The follower is slow: it comes back for pieces that have left memory. */
            for (int i = 0; i < (written == length ? 1000 : 1) && read < length; i++) {
                enum store_read got = store_reader_next(reader, &span);
                if (got == STORE_READ_WAIT) {
                    assert_true(written == length ? test_wait(&box, &woken, 20000) : true);
                    woken = false;
                    continue;
                }
                assert_int_equal(got, STORE_READ_BYTES);
                size_t n = span.len < 100000 ? span.len : 100000;
                test_check_bytes(span_of(span.ptr, n), seed, read);
                store_reader_advance(reader, n);
                read += n;
            }
        }
        struct span span;
        assert_int_equal(store_reader_next(reader, &span), STORE_READ_END);
        store_reader_close(&reader);
        store_object_unref(&object);
        (void)mailbox_deliver(&box);
        wait_written(store);
        assert_true(test_hit(store, key, length, &box));
        store_close(&store);
        store = open_store(16u << 20, 256u << 20);
        wait_loaded(store);
        assert_true(test_hit(store, key, length, &box));
        /* A range from the middle. */
        struct store_lookup range = test_lookup_of(store, key, NULL);
        assert_int_equal(test_get(store, &range, &box), STORE_FRESH);
        assert_true(test_read_all(store, range.object, key, 30000001, &box));
        store_object_unref(&range.object);
        store_close(&store);
    }
}

static void test_refresh_and_purge(void **state)
{
    static const uint64_t lengths[] = {100, 100000, 2000000};

    (void)state;
    struct store *store = open_store(64u << 20, 256u << 20);
    for (unsigned i = 0; i < 3; i++) {
        char key[32];
        snprintf(key, sizeof(key), "r%u", i);
        test_put(store, key, lengths[i], STORE_JUDGE_VALIDATE);
        snprintf(key, sizeof(key), "p%u", i);
        test_put(store, key, lengths[i], STORE_JUDGE_FRESH);
        snprintf(key, sizeof(key), "s%u", i);
        test_put(store, key, lengths[i], STORE_JUDGE_FRESH);
    }
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 3; i++) {
            char key[32];
            snprintf(key, sizeof(key), "r%u", i);
            struct store_lookup lookup = test_lookup_of(store, key, NULL);
            enum store_verdict verdict = test_get(store, &lookup, &box);
            if (round == 2) { /* the refreshed head came back from disk */
                assert_int_equal(verdict, STORE_FRESH);
                assert_true(
                    span_eq(store_object_head(lookup.object), SPAN("HTTP/1.1 200 NEW\r\n\r\n")));
                store_object_unref(&lookup.object);
                assert_true(test_hit(store, key, lengths[i], &box));
                continue;
            }
            assert_int_equal(verdict, round == 0 ? STORE_LEAD : STORE_LEAD);
            struct store_head head = test_head(STORE_LENGTH_UNKNOWN, STORE_JUDGE_VALIDATE);
            head.head = SPAN("HTTP/1.1 200 NEW\r\n\r\n");
            if (round == 1) {
                head.facts[0] = STORE_JUDGE_FRESH;
            }
            struct store_object *object = store_lead_refresh(&lookup.lead, &head);
            assert_int_equal(store_object_length(object), lengths[i]);
            store_object_unref(&object);
            store_object_unref(&lookup.object);
        }
        for (unsigned i = 0; i < 3 && round == 0; i++) {
            struct store_purge_result result;
            char key[32];
            snprintf(key, sizeof(key), "p%u", i);
            store_purge_key(store, span_str(key), STORE_PURGE_HARD, false, true, &result);
            assert_int_equal(result.objects, 1);
            snprintf(key, sizeof(key), "s%u", i);
            store_purge_key(store, span_str(key), STORE_PURGE_SOFT, false, true, &result);
            assert_int_equal(result.objects, 1);
        }
        store_close(&store);
        store = open_store(64u << 20, 256u << 20);
        for (unsigned i = 0; i < 3; i++) {
            char key[32];
            snprintf(key, sizeof(key), "p%u", i);
            struct store_lookup lookup = test_lookup_of(store, key, NULL);
            lookup.may_lead = false;
            assert_int_equal(test_get(store, &lookup, &box), STORE_ABSENT);
            snprintf(key, sizeof(key), "s%u", i);
            lookup = test_lookup_of(store, key, NULL);
            assert_int_equal(test_get(store, &lookup, &box), STORE_LEAD);
            assert_int_equal(lookup.absence, STORE_WAS_PURGED_SOFT);
            store_lead_abort(&lookup.lead, 0);
            store_object_unref(&lookup.object);
        }
    }
    store_close(&store);
}

static void kill_child(unsigned round, int fd)
{
    struct store *store = open_store(64u << 20, 256u << 20);

    for (unsigned i = 0;; i++) {
        char key[32];
        snprintf(key, sizeof(key), "kill %u %u", round, i);
        test_put(store, key, length_of(i) / 4, STORE_JUDGE_FRESH);
        uint64_t now = clock_mono_us();
        if (write(fd, &now, sizeof(now)) != (ssize_t)sizeof(now)) {
            _exit(1);
        }
        usleep(2000);
    }
}

/* The child writes and is killed; what is older than the flush time must be there, and no byte
 * wrong. */
static void test_kill(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 4; round++) {
        int pipes[2];
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            /* A fresh program: RocksDB's threads do not survive a fork. */
            char text[2][16];
            snprintf(text[0], sizeof(text[0]), "%u", round);
            snprintf(text[1], sizeof(text[1]), "%d", pipes[1]);
            (void)execl("/proc/self/exe", "writer", folder, text[0], text[1], (char *)NULL);
            _exit(1);
        }
        (void)close(pipes[1]);
        uint64_t times[2000];
        unsigned count = 0;
        /* Long enough that many are older than the flush time, and at no special moment. */
        while ((count < 50 || times[count - 1] - times[0] < 1000000 + round * 37000) &&
               count < 1500 && read(pipes[0], &times[count], sizeof(times[0])) == 8) {
            count++;
        }
        uint64_t killed_us = clock_mono_us();
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (count < 2000 && read(pipes[0], &times[count], sizeof(times[0])) == 8) {
            count++;
        }
        (void)close(pipes[0]);
        struct store *store = open_store(64u << 20, 256u << 20);
        if (round % 2 == 0) {
            wait_loaded(store);
        }
        unsigned old = 0;
        unsigned old_hits = 0;
        unsigned hits = 0;
        for (unsigned i = 0; i < count; i++) {
            char key[32];
            snprintf(key, sizeof(key), "kill %u %u", round, i);
            bool hit = test_hit(store, key, length_of(i) / 4, &box);
            hits += hit;
            /* flush_ms plus time for gathering and the flush itself on a busy machine */
            if (times[i] + 500000 < killed_us) {
                old++;
                old_hits += hit;
            }
        }
        struct store_stats stats;
        store_stats(store, &stats);
        print_message("round %u: %u written, %u hits; old %u, hits %u\n", round, count, hits, old,
                      old_hits);
        assert_int_equal(stats.corrupt, 0);
        assert_true(old > 10);
        assert_true(old_hits * 100 >= old * 95);
        store_close(&store);
    }
}

static void flip_bytes(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/db", folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *item; (item = readdir(dir)) != NULL;) {
        size_t len = strlen(item->d_name);
        if (len < 4 || strcmp(item->d_name + len - 4, ".sst") != 0) {
            continue;
        }
        char name[512];
        snprintf(name, sizeof(name), "%s/%s", path, item->d_name);
        struct stat stat_of;
        assert_int_equal(stat(name, &stat_of), 0);
        if (stat_of.st_size < 1000000) {
            continue; /* idx */
        }
        int fd = open(name, O_RDWR);
        for (off_t at = 5000; at < stat_of.st_size - 200000; at += 1300000) {
            char byte;
            assert_int_equal(pread(fd, &byte, 1, at), 1);
            byte = (char)(byte ^ 0x40);
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        }
        close(fd);
    }
    closedir(dir);
}

static void test_damage(void **state)
{
    (void)state;
    struct store *store = open_store(64u << 20, 256u << 20);
    for (unsigned i = 0; i < 60; i++) {
        char key[32];
        snprintf(key, sizeof(key), "d %u", i);
        test_put(store, key, length_of(i), STORE_JUDGE_FRESH);
        throttle(store, 8u << 20, 20000); /* below what the writer's queue takes */
    }
    store_close(&store);
    flip_bytes();
    store = open_store(64u << 20, 256u << 20);
    wait_loaded(store);
    unsigned hits = 0;
    for (unsigned i = 0; i < 60; i++) {
        char key[32];
        snprintf(key, sizeof(key), "d %u", i);
        hits += test_hit(store, key, length_of(i), &box);
    }
    struct store_stats stats;
    store_stats(store, &stats);
    print_message("%u of 60 hit, corrupt %u\n", hits, (unsigned)stats.corrupt);
    assert_true(hits > 5 && hits < 60);
    assert_true(stats.corrupt > 0);
    for (unsigned i = 0; i < 60; i++) { /* and they can be stored again */
        char key[32];
        snprintf(key, sizeof(key), "d %u", i);
        if (!test_hit(store, key, length_of(i), &box)) {
            test_put(store, key, length_of(i), STORE_JUDGE_FRESH);
            assert_true(test_hit(store, key, length_of(i), &box));
        }
    }
    store_close(&store);
    /* A database that cannot be opened is moved aside. */
    char name[128];
    snprintf(name, sizeof(name), "%s/db/CURRENT", folder);
    int fd = open(name, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "garbage", 7), 7);
    close(fd);
    store = open_store(64u << 20, 256u << 20);
    store_stats(store, &stats);
    assert_int_equal(stats.disk_state, STORE_DISK_OK);
    test_put(store, "after", 1000, STORE_JUDGE_FRESH);
    store_close(&store);
    store = open_store(64u << 20, 256u << 20);
    assert_true(test_hit(store, "after", 1000, &box));
    store_close(&store);
}

static bool matches_all(struct span selector, void *ctx)
{
    (void)selector;
    (void)ctx;
    return true;
}

/* The dates by which one of several matching objects is chosen outlive the process. */
static void test_dates_survive(void **state)
{
    static const int64_t dates[] = {2000, 1000};
    static const char *const selectors[] = {"one", "two"};

    (void)state;
    struct store *store = open_store(32u << 20, UINT64_C(1) << 28);
    wait_loaded(store);
    for (size_t i = 0; i < 2; i++) {
        struct store_lookup lookup = test_lookup_of(store, "dated", selectors[i]);
        struct store_head head = test_head(3, STORE_JUDGE_FRESH);
        head.selector = span_str(selectors[i]);
        head.date_s = dates[i];
        assert_int_equal(test_get(store, &lookup, &box), STORE_LEAD);
        assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
        assert_int_equal(store_lead_append(lookup.lead, span_str(selectors[i])), ERR_OK);
        store_lead_commit(&lookup.lead);
        store_object_unref(&lookup.object);
    }
    wait_written(store);
    store_close(&store);
    store = open_store(32u << 20, UINT64_C(1) << 28);
    wait_loaded(store);
    for (int turn = 0; turn < 2; turn++) { /* from disk, then from memory */
        struct store_lookup lookup = test_lookup_of(store, "dated", NULL);
        lookup.matches = matches_all;
        assert_int_equal(test_get(store, &lookup, &box), STORE_FRESH);
        assert_true(span_eq(store_object_piece(lookup.object, 0), SPAN("one")));
        store_object_unref(&lookup.object);
    }
    store_close(&store);
}

int main(int argc, char **argv)
{
    if (argc == 4) {
        snprintf(folder, sizeof(folder), "%s", argv[1]);
        kill_child((unsigned)strtoul(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10));
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dates_survive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_streamed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refresh_and_purge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
