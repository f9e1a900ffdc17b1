/*
 * upkeep - what the writer does between batches: the timer that seals the tail of the log, trying a
 * failed disk again, number marks, handing the loaded index to the ledger, sweeping out what is
 * useless, bounding the index, and merging the small files that a trickle of traffic leaves.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/disk.h"
#include "store/recover.h"
#include "store/writer_private.h"

#define UPKEEP_TICK_US 200000u
#define UPKEEP_REOPENS 3u
#define UPKEEP_SWEEP_BUCKETS 256u
#define UPKEEP_MERGE_US 2000000u
#define UPKEEP_MERGE_FILES 8u /* files of one tier in a row that are worth merging */
#define UPKEEP_MERGE_TIER 8u  /* each tier is so many times larger than the one before */
#define UPKEEP_MERGE_SMALL (64u * 1024u)
#define UPKEEP_MERGE_LARGE (16u * 1024u * 1024u) /* files from here on stay as they are */

void upkeep_fail(struct store *store)
{
    if (store_has_disk(store)) {
        log_error("store_disk_failed", "storing in memory only, trying again every few seconds");
    }
    atomic_store_explicit(&store->disk_state, STORE_DISK_FAILED, memory_order_relaxed);
    store->writer->retry_us = clock_mono_us() + WRITER_RETRY_US;
}

/* ---- a failed disk ---- */

static void upkeep_replay(struct store *store)
{
    struct writer *writer = store->writer;
    struct writer_job *jobs = writer->pending;

    writer->pending = NULL;
    writer->pending_count = 0;
    batch_jobs(store, jobs);
}

static void upkeep_retry(struct store *store)
{
    struct writer *writer = store->writer;
    uint64_t first;
    uint64_t last;
    enum err err;

    writer->retry_us = clock_mono_us() + WRITER_RETRY_US;
    if (atomic_load_explicit(&store->is_loading, memory_order_acquire) ||
        atomic_load_explicit(&store->is_closing, memory_order_relaxed)) {
        return; /* the load holds a snapshot open; it ends on its own */
    }
    if (!disk_may_write(store->disk)) {
        return;
    }
    err = writer->must_start_over ? disk_start_over(store->disk) : disk_reopen(store->disk);
    bool is_start = !writer->was_opened;
    if (err == ERR_OK && !recover_numbers(store, is_start)) {
        err = disk_start_over(store->disk);
        if (err == ERR_OK && !recover_numbers(store, is_start)) {
            err = ERR_IO;
        }
        writer->has_quarantine = true;
    }
    if (err != ERR_OK) {
        /* The folder can be written and yet it does not open: an empty one is better than none. */
        writer->must_start_over = ++writer->reopen_failures >= UPKEEP_REOPENS;
        return;
    }
    writer->reopen_failures = 0;
    disk_body_bounds(store->disk, &first, &last);
    evict_lost_tail(store, last);
    evict_measure(store);
    writer->must_start_over = false;
    /* Is there room to write at all? A full disk opens well and fails at the first write. */
    if (disk_put_number(store->disk, "probe", writer->next_position) != ERR_OK) {
        return;
    }
    atomic_store_explicit(&store->disk_state, STORE_DISK_OK, memory_order_relaxed);
    log_info("store_disk_back", "last=%llu", (unsigned long long)last);
    if (is_start) {
        recover_start(store);
    }
    upkeep_replay(store);
}

/* ---- numbers, ledger, index ---- */

static void upkeep_marks(struct store *store)
{
    struct writer *writer = store->writer;
    uint64_t next_id = atomic_load_explicit(&store->next_id, memory_order_relaxed);

    if (next_id + WRITER_MARK_STEP / 2 > writer->id_mark) {
        writer->id_mark = next_id + WRITER_MARK_STEP;
        if (disk_put_number(store->disk, "id", writer->id_mark) != ERR_OK) {
            upkeep_fail(store);
        }
    }
    if (writer->next_position + WRITER_MARK_STEP / 2 > writer->position_mark) {
        writer->position_mark = writer->next_position + WRITER_MARK_STEP;
        if (disk_put_number(store->disk, "position", writer->position_mark) != ERR_OK) {
            upkeep_fail(store);
        }
    }
}

static int upkeep_item_order(const void *a, const void *b)
{
    const struct ledger_item *one = a;
    const struct ledger_item *two = b;

    return one->position < two->position ? -1 : one->position > two->position;
}

/* Once, after the load: what it found, in order of position. */
static void upkeep_adopt(struct store *store)
{
    struct writer *writer = store->writer;
    struct recover_list *list = &writer->recovered;

    /* acquire: pairs with the release at the end of recover_thread */
    if (writer->has_adopted || atomic_load_explicit(&store->is_loading, memory_order_acquire)) {
        return;
    }
    writer->has_adopted = true;
    lock_acquire(&list->lock);
    struct ledger_item *items = list->items;
    size_t count = list->count;
    list->items = NULL;
    list->count = 0;
    list->cap = 0;
    lock_release(&list->lock);
    if (count > 0) {
        qsort(items, count, sizeof(*items), upkeep_item_order);
    }
    for (size_t i = 0; i < count; i++) {
        ledger_push(&writer->old_ledger, items[i].position, items[i].hash);
    }
    mem_free(items);
}

struct upkeep_sweep {
    struct store *store;
    struct trash trash;
    uint32_t now_s;
    uint64_t log_first;
    uint64_t expired;
};

static void upkeep_visit(struct shard *shard, struct entry *entry, void *ctx)
{
    struct upkeep_sweep *sweep = ctx;
    bool is_gone =
        entry->position != 0 && entry->position < sweep->log_first && entry->object == NULL;

    if (entry->kind != ENTRY_READY || (entry->flags & ENTRY_QUEUED) != 0) {
        return;
    }
    if (is_gone || (entry->useless_after_s != 0 && entry->useless_after_s < sweep->now_s)) {
        index_remove(sweep->store, shard, entry, is_gone ? STORE_WAS_EVICTED : STORE_WAS_ABSENT,
                     &sweep->trash);
        sweep->expired += is_gone ? 0u : 1u;
    }
}

static void upkeep_sweep(struct store *store)
{
    struct writer *writer = store->writer;
    struct shard *shard = &store->shards[writer->sweep_shard];
    struct upkeep_sweep sweep = {
        .store = store,
        .now_s = (uint32_t)(clock_wall_ms() / 1000),
        .log_first = atomic_load_explicit(&store->log_first, memory_order_relaxed),
    };

    trash_init(&sweep.trash);
    lock_acquire(&shard->lock);
    bool more =
        index_walk(shard, &writer->sweep_bucket, UPKEEP_SWEEP_BUCKETS, upkeep_visit, &sweep);
    lock_release(&shard->lock);
    if (!more) {
        writer->sweep_bucket = 0;
        writer->sweep_shard = (writer->sweep_shard + 1) % INDEX_SHARDS;
    }
    counter_add(&store->counters.expired, sweep.expired);
    trash_empty(store, &sweep.trash);
}

/* The index may take half of the memory: past that the oldest part of the log goes. */
static void upkeep_bound_index(struct store *store)
{
    struct writer *writer = store->writer;
    uint64_t bytes = ledger_bytes(&writer->ledger) + ledger_bytes(&writer->old_ledger);

    for (uint32_t i = 0; i < INDEX_SHARDS; i++) {
        struct shard *shard = &store->shards[i];
        lock_acquire(&shard->lock);
        bytes += shard->index_bytes;
        lock_release(&shard->lock);
    }
    if (bytes > atomic_load_explicit(&store->ram.budget, memory_order_relaxed) / 2) {
        (void)evict_oldest(store, store->options.disk_bytes / 32);
    }
}

/* A store that was opened with less room than it had before: nothing else would bring it down before
 * the next write. */
static void upkeep_bound_folder(struct store *store)
{
    struct writer *writer = store->writer;

    if (writer->has_adopted && writer->measured_bytes > store->options.disk_bytes) {
        (void)evict_make_room(store, 0);
    }
}

/* ---- small files ---- */

static unsigned upkeep_tier(uint64_t bytes)
{
    unsigned tier = 0;

    for (uint64_t limit = UPKEEP_MERGE_SMALL; bytes >= limit; limit *= UPKEEP_MERGE_TIER) {
        tier++;
    }
    return tier;
}

/* Merges one row of files of the same tier (or smaller); each byte is rewritten once per tier. */
static void upkeep_merge(struct store *store)
{
    struct disk_file *files;
    size_t count = disk_body_files(store->disk, &files);
    size_t begin = 0;

    while (begin < count) {
        unsigned tier = upkeep_tier(files[begin].bytes);
        uint64_t bytes = 0;
        size_t end = begin;
        while (end < count && files[end].level > 0 && files[end].bytes < UPKEEP_MERGE_LARGE &&
               upkeep_tier(files[end].bytes) <= tier && bytes < UPKEEP_MERGE_LARGE) {
            bytes += files[end].bytes;
            end++;
        }
        if (end - begin >= UPKEEP_MERGE_FILES) {
            if (evict_make_room(store, bytes + bytes / 16)) {
                disk_merge(store->disk, files[begin].smallest, files[end - 1].largest);
                evict_measure(store);
            }
            break;
        }
        begin = end > begin ? end : begin + 1;
    }
    mem_free(files);
}

/* ---- the turn ---- */

static void upkeep_seal(struct store *store)
{
    struct writer *writer = store->writer;

    if (writer->unsealed_us != 0 &&
        clock_mono_us() - writer->unsealed_us >= (uint64_t)store->options.flush_ms * 1000) {
        batch_seal(store);
    }
}

uint64_t upkeep_wait_ms(const struct store *store)
{
    const struct writer *writer = store->writer;
    uint64_t wait_us = UPKEEP_TICK_US;

    if (writer->unsealed_us != 0) {
        uint64_t age_us = clock_mono_us() - writer->unsealed_us;
        uint64_t flush_us = (uint64_t)store->options.flush_ms * 1000;
        uint64_t left_us = age_us >= flush_us ? 1000 : flush_us - age_us;
        wait_us = left_us < wait_us ? left_us : wait_us;
    }
    return wait_us / 1000 + 1;
}

void upkeep_run(struct store *store, bool is_idle)
{
    struct writer *writer = store->writer;
    uint64_t now_us = clock_mono_us();

    if (!store_has_disk(store)) {
        if (now_us >= writer->retry_us) {
            upkeep_retry(store);
        }
        return;
    }
    upkeep_seal(store);
    if (now_us - writer->upkeep_us < UPKEEP_TICK_US) {
        return;
    }
    writer->upkeep_us = now_us;
    if (disk_has_failed(store->disk)) {
        counter_add(&store->counters.write_errors, 1);
        upkeep_fail(store);
        return;
    }
    upkeep_marks(store);
    upkeep_adopt(store);
    upkeep_sweep(store);
    upkeep_bound_index(store);
    if (is_idle && now_us - writer->merge_us >= UPKEEP_MERGE_US) {
        writer->merge_us = now_us;
        upkeep_merge(store);
    }
    if (writer->measured_us == 0 || now_us - writer->measured_us > 1000000) {
        evict_measure(store);
        upkeep_bound_folder(store);
    }
    batch_finish(store); /* deletions the above has gathered */
}
