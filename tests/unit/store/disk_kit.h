#ifndef TESTS_UNIT_STORE_DISK_KIT_H
#define TESTS_UNIT_STORE_DISK_KIT_H
/* disk_kit - a folder and a mailbox for each test, and stores in that folder. Header only. */
#include "support.h"

static char folder[64];
static struct mailbox box;

static inline int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/larder-store-XXXXXX");
    assert_non_null(mkdtemp(folder));
    mailbox_init(&box);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    (void)mailbox_deliver(&box);
    mailbox_fini(&box);
    test_remove_tree(folder);
    return 0;
}

/* What is usual; to be changed where a test wants something else. */
static inline struct store_options options_of(uint64_t memory, uint64_t disk)
{
    return (struct store_options){.path = folder,
                                  .disk_bytes = disk,
                                  .memory_bytes = memory,
                                  .max_object_bytes = UINT64_C(1) << 32,
                                  .read_threads = 2,
                                  .flush_ms = 200,
                                  .max_readers = 100};
}

static inline struct store *open_store(uint64_t memory, uint64_t disk)
{
    struct store_options options = options_of(memory, disk);

    return store_open(&options);
}

static inline void wait_loaded(struct store *store)
{
    struct store_stats stats;

    for (int i = 0; i < 1000; i++) {
        store_stats(store, &stats);
        if (!stats.recovering) {
            return;
        }
        usleep(10000);
    }
    assert_true(false);
}

static inline void wait_written(struct store *store)
{
    struct store_stats stats;

    for (int i = 0; i < 2000; i++) {
        store_stats(store, &stats);
        if (stats.queued_write_bytes == 0) {
            usleep(20000);
            return;
        }
        usleep(5000);
    }
    assert_true(false);
}

/* Until the writer's queue is no longer than bytes, at most ms: a disk that takes nothing is a
 * test's own matter. */
static inline void throttle(struct store *store, uint64_t bytes, unsigned ms)
{
    struct store_stats stats;

    for (unsigned i = 0; i < ms; i++) {
        store_stats(store, &stats);
        if (stats.queued_write_bytes <= bytes) {
            return;
        }
        usleep(1000);
    }
}
#endif
