/* The writer's queue when fills come faster than the disk takes them, and when it takes nothing. */
#include <pthread.h>

#include "disk_kit.h"
#include "store/disk_private.h"
#include "store/store_private.h"
#include "store/writer_private.h"

#define LENGTH 100000u
#define THREADS 4u
#define FILLS 600u

static struct store *store;

static int setup_store(void **state)
{
    (void)setup(state);
    store = open_store(64u << 20, 1u << 30);
    return 0;
}

static int teardown_store(void **state)
{
    store_close(&store);
    return teardown(state);
}

/* As a worker does it: pieces as they come, and waiting when told so. */
static void fill(const char *key, struct mailbox *mail)
{
    static const char block[10000];
    struct store_lookup lookup = test_lookup_of(store, key, NULL);
    struct store_head head = test_head(LENGTH, STORE_JUDGE_FRESH);
    bool woken = false;

    assert_int_equal(test_get(store, &lookup, mail), STORE_LEAD);
    store_lead_bind(lookup.lead, mail, test_wake, &woken);
    assert_int_equal(store_lead_head(lookup.lead, &head), ERR_OK);
    for (unsigned done = 0; done < LENGTH; done += sizeof(block)) {
        assert_int_equal(store_lead_append(lookup.lead, span_of(block, sizeof(block))), ERR_OK);
        while (done + sizeof(block) < LENGTH && store_lead_must_pause(lookup.lead)) {
            assert_true(test_wait(mail, &woken, 60000));
            woken = false;
        }
    }
    store_lead_commit(&lookup.lead);
}

static void *fill_many(void *arg)
{
    struct mailbox mail;

    mailbox_init(&mail);
    for (unsigned i = 0; i < FILLS; i++) {
        char key[32];
        snprintf(key, sizeof(key), "%u %u", *(unsigned *)arg, i);
        fill(key, &mail);
    }
    (void)mailbox_deliver(&mail);
    mailbox_fini(&mail);
    return NULL;
}

static struct store_stats written(void)
{
    struct store_stats stats;

    for (int i = 0; i < 4000; i++) {
        store_stats(store, &stats);
        if (stats.queued_write_bytes == 0) {
            break;
        }
        usleep(5000);
    }
    return stats;
}

/* Four times the memory, as fast as it goes: all of it is on disk in the end. With more patience than
 * usual, because a busy machine may keep the writer from running for longer than a fill waits. */
static void test_fast(void **state)
{
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];

    (void)state;
    store->writer->patience_us = store->writer->stuck_us = 60000000;
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, fill_many, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    struct store_stats stats = written();
    assert_int_equal(stats.not_stored_disk, 0);
    assert_int_equal(stats.disk_objects, THREADS * FILLS);
}

static _Atomic bool is_stuck;

static void *hold_disk(void *arg)
{
    (void)arg;
    lock_acquire(&store->disk->lock);
    is_stuck = true;
    while (is_stuck) {
        usleep(1000);
    }
    lock_release(&store->disk->lock);
    return NULL;
}

/* A disk that hangs: fills wait a moment and then do without it, as the figures tell. */
static void test_stuck(void **state)
{
    pthread_t holder;
    struct store_stats stats;

    (void)state;
    fill("before", &box);
    (void)written();
    assert_int_equal(pthread_create(&holder, NULL, hold_disk, NULL), 0);
    while (!is_stuck) {
        usleep(1000);
    }
    uint64_t slowest_us = 0;
    uint64_t begin_us = clock_mono_us();
    for (unsigned i = 0; i < 400; i++) {
        char key[32];
        uint64_t start_us = clock_mono_us();
        snprintf(key, sizeof(key), "stuck %u", i);
        fill(key, &box);
        uint64_t took_us = clock_mono_us() - start_us;
        slowest_us = took_us > slowest_us ? took_us : slowest_us;
    }
    uint64_t all_us = clock_mono_us() - begin_us;
    store_stats(store, &stats);
    is_stuck = false;
    pthread_join(holder, NULL);
    print_message("400 fills in %u ms, the slowest in %u ms, %u not stored\n",
                  (unsigned)(all_us / 1000), (unsigned)(slowest_us / 1000),
                  (unsigned)stats.not_stored_disk);
    assert_true(slowest_us > 200000);
    assert_true(all_us < 30000000); /* else each waits, or all do for ever */
    assert_true(stats.not_stored_disk > 50 && stats.not_stored_disk < 400);
    (void)written();
    usleep(2100000); /* and the rest is over */
    fill("after", &box);
    stats = written();
    assert_int_equal(stats.queued_write_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fast, setup_store, teardown_store),
        cmocka_unit_test_setup_teardown(test_stuck, setup_store, teardown_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
