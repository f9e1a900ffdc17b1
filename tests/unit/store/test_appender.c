/* The end of a file that grows: what is read back is what was appended, wherever it lies. */
#include <fcntl.h>
#include <sys/stat.h>

#include "disk_kit.h"
#include "store/appender.h"

static void append(struct appender *appender, uint64_t seed, size_t len)
{
    uint64_t at = appender_bytes(appender);

    assert_int_equal(appender_make_room(appender, len), ERR_OK);
    assert_int_equal(appender_bytes(appender), at);
    test_fill_bytes(appender->buffer + appender->used, seed, at, len);
    appender->used += len;
}

static void check_read(struct appender *appender, uint64_t seed, uint64_t offset, size_t len)
{
    char *room = mem_try(len + 1);

    assert_int_equal(appender_read(appender, offset, room, len), ERR_OK);
    test_check_bytes(span_of(room, len), seed, offset);
    mem_free(room);
}

static void check_file(const char *path, uint64_t seed, uint64_t bytes)
{
    struct stat stat_of;
    char *room = mem_try(bytes + 1);
    int fd = open(path, O_RDONLY);

    assert_int_equal(fstat(fd, &stat_of), 0);
    assert_int_equal(stat_of.st_size, bytes);
    assert_int_equal(read(fd, room, bytes + 1), bytes);
    test_check_bytes(span_of(room, bytes), seed, 0);
    close(fd);
    mem_free(room);
}

static void run(bool is_direct)
{
    static const size_t lengths[] = {1,      4095,   4096,    4097,    700000, 400000,
                                     262144, 500000, 1048576, 2500000, 17,     100000};
    struct appender appender;
    char path[96];

    snprintf(path, sizeof(path), "%s/appended", folder);
    assert_true(appender_open(&appender, path, is_direct));
    uint64_t before = 0;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        append(&appender, 3, lengths[i]);
        uint64_t end = appender_bytes(&appender);
        assert_int_equal(appender.written % 4096, 0);
        check_read(&appender, 3, before, lengths[i]);
        check_read(&appender, 3, before / 2, (size_t)(end - before / 2));
        if (appender.written > 100 && appender.used > 50) {
            check_read(&appender, 3, appender.written - 100, 150); /* some of each */
        }
        before = end;
    }
    assert_int_equal(appender_end(&appender), ERR_OK);
    check_read(&appender, 3, before - 5000, 5000);
    check_file(path, 3, before);
    appender_close(&appender);
}

static void test_direct(void **state)
{
    (void)state;
    run(true);
}

static void test_ordinary(void **state)
{
    (void)state;
    run(false);
}

/* An end on a page's boundary, and one of nothing. */
static void test_ends(void **state)
{
    struct appender appender;
    char path[96];

    (void)state;
    snprintf(path, sizeof(path), "%s/appended", folder);
    for (size_t len = 0; len <= 8192; len += 4096) {
        assert_true(appender_open(&appender, path, true)); /* over the one before */
        append(&appender, 1, len);
        assert_int_equal(appender_end(&appender), ERR_OK);
        check_file(path, 1, len);
        appender_close(&appender);
    }
}

/* A file system that refuses a direct write gets ordinary ones: as for one at an odd place. */
static void test_refused(void **state)
{
    struct appender appender;
    char path[96];
    char room[100];

    (void)state;
    snprintf(path, sizeof(path), "%s/appended", folder);
    assert_true(appender_open(&appender, path, true));
    if (!appender.is_direct) {
        appender_close(&appender);
        skip(); /* this one has none at all */
    }
    appender.written = 7;
    append(&appender, 2, 3000000);
    append(&appender, 2, 100000);
    assert_false(appender.is_direct);
    check_read(&appender, 2, 1000000, 2000000);
    assert_int_equal(appender_end(&appender), ERR_OK);
    int fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, room, sizeof(room), 3000000), sizeof(room));
    test_check_bytes(span_of(room, sizeof(room)), 2, 3000000);
    close(fd);
    appender_close(&appender);
}

/* A full disk: what was appended is still read. */
static void test_full(void **state)
{
    struct appender appender;
    char path[96];

    (void)state;
    snprintf(path, sizeof(path), "%s/appended", folder);
    assert_true(appender_open(&appender, path, true));
    append(&appender, 4, 600000);
    (void)close(appender.write_fd);
    appender.write_fd = open("/dev/full", O_WRONLY);
    assert_int_equal(appender_make_room(&appender, 600000), ERR_IO);
    check_read(&appender, 4, 0, 600000);
    assert_int_equal(appender_end(&appender), ERR_IO);
    check_read(&appender, 4, 0, 600000);
    appender_close(&appender);
    snprintf(path, sizeof(path), "%s/no/such/folder", folder);
    assert_false(appender_open(&appender, path, true));
}

struct race {
    struct appender appender;
    _Atomic uint64_t known; /* bytes readers may ask for */
    _Atomic bool is_over;
};

static void *read_on(void *arg)
{
    struct race *race = arg;
    uint64_t x = 88172645463325252u;

    while (!atomic_load_explicit(&race->is_over, memory_order_relaxed)) {
        uint64_t known = atomic_load_explicit(&race->known, memory_order_acquire);
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        /* Mostly near the end, where bytes are on their way. */
        uint64_t back = x % (x % 4 == 0 ? known : 1u << 21);
        back = back < known ? back : known - 1;
        uint64_t len = back < 70000 ? back : 70000;
        check_read(&race->appender, 9, known - back, (size_t)len);
    }
    return NULL;
}

/* Others read while it is written. */
static void test_read_meanwhile(void **state)
{
    static struct race race;
    pthread_t threads[2];
    char path[96];

    (void)state;
    snprintf(path, sizeof(path), "%s/appended", folder);
    assert_true(appender_open(&race.appender, path, true));
    append(&race.appender, 9, 100000);
    atomic_store(&race.known, 100000);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &race), 0);
    }
    for (unsigned i = 0; i < 300; i++) {
        append(&race.appender, 9, i % 50 == 49 ? 1500000 : 60000 + i);
        atomic_store_explicit(&race.known, appender_bytes(&race.appender), memory_order_release);
    }
    assert_int_equal(appender_end(&race.appender), ERR_OK);
    atomic_store(&race.is_over, true);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    check_file(path, 9, appender_bytes(&race.appender));
    appender_close(&race.appender);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_direct, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ordinary, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_meanwhile, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
