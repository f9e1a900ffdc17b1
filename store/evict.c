/*
 * evict - the folder's bound. Before each write the writer reckons what the folder may come to:
 * files as measured, memtables and buffers that will become files, what was put since, room for idx
 * to compact (its size once more) and a margin for MANIFEST, LOG and OPTIONS. When that and the new
 * bytes exceed the bound, the oldest files of the log go, whole. Objects in them that were hit
 * since they were written are written again at the head, from RAM or by reading, up to a quarter of
 * what is dropped.
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/disk.h"
#include "store/record.h"
#include "store/writer_private.h"

#define EVICT_MARGIN_BYTES (2u * 1024u * 1024u)
#define EVICT_MARGIN_SHARE 64u
#define EVICT_SPARE_BYTES                                                                          \
    (4u * 1024u * 1024u) /* left free on a file system that is smaller than us */
#define EVICT_REINSERT_SHARE 4u
#define EVICT_REREAD_BYTES (512u * 1024u) /* larger ones are kept only when they are in RAM */
#define EVICT_WAIT_US 2000u               /* for files to go, or to be moved to where they can */
#define EVICT_WAITS 100u
#define EVICT_TRIES 64u
#define EVICT_REMEASURE_MIN (1024u * 1024u)
#define EVICT_REMEASURE_MAX (16u * 1024u * 1024u)

void evict_measure(struct store *store)
{
    struct writer *writer = store->writer;
    struct disk_usage usage;

    disk_measure(store->disk, &usage);
    writer->measured_bytes = usage.file_bytes + usage.pending_bytes;
    writer->idx_bytes = usage.idx_bytes;
    /* A file system with less room than configured is the bound then. */
    writer->limit_bytes = store->options.disk_bytes;
    uint64_t possible = usage.file_bytes + usage.free_bytes;
    possible -= possible < EVICT_SPARE_BYTES ? possible : EVICT_SPARE_BYTES;
    if (usage.free_bytes != UINT64_MAX && possible < writer->limit_bytes) {
        writer->limit_bytes = possible;
    }
    writer->put_bytes = 0;
    writer->measured_us = clock_mono_us();
    atomic_store_explicit(&store->disk_used, usage.file_bytes, memory_order_relaxed);
}

static uint64_t evict_reckon(const struct store *store)
{
    const struct writer *writer = store->writer;

    return writer->measured_bytes + writer->put_bytes + writer->idx_bytes + EVICT_MARGIN_BYTES +
           store->options.disk_bytes / EVICT_MARGIN_SHARE;
}

/* ---- one object ---- */

static void evict_again(struct store *store, struct store_object *object)
{
    struct writer_job *job = writer_job_new(WRITER_COMMIT, object->hash, object->id);

    job->object = object; /* reference passes */
    job->next = store->writer->again;
    store->writer->again = job;
    counter_add(&store->counters.reinserted, 1);
}

/* [shard] The entry whose first record is here, or NULL. */
static struct entry *evict_find(struct shard *shard, const struct ledger_item *item)
{
    struct entry *entry = index_chain(shard, item->hash.lo);

    while (entry != NULL && !(entry->kind == ENTRY_READY && entry->hash.lo == item->hash.lo &&
                              entry->position == item->position)) {
        entry = entry->next;
    }
    return entry;
}

/* [shard] The entry loses its place on disk. Returns a whole object to be written again, or NULL.
 */
static struct store_object *evict_entry(struct store *store, struct shard *shard,
                                        struct entry *entry, bool may_keep, struct trash *trash)
{
    struct store_object *object = entry->object;
    bool is_whole = object != NULL && store_object_is_whole(object);
    bool is_kept = may_keep && is_whole && (entry->flags & ENTRY_HIT) != 0;

    index_set_position(shard, entry, 0);
    entry->flags &= ENTRY_SOFT | ENTRY_QUEUED;
    if (is_kept) {
        entry->flags |= ENTRY_QUEUED;
        return store_object_ref(object);
    }
    if (!is_whole) {
        entry->flags &= ENTRY_SOFT; /* no job: its record is deleted by the caller */
        index_remove(store, shard, entry, STORE_WAS_EVICTED, trash);
    }
    return NULL;
}

/* Reads a wanted object that is not in RAM before its file goes. */
static void evict_reread(struct store *store, const struct record_place *place)
{
    struct store_object *object;
    struct trash trash;

    if (record_load(store, place, NULL, &object) != ERR_OK) {
        return;
    }
    struct shard *shard = index_shard(store, place->hash);
    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *entry = index_find(shard, place->hash, place->id);
    if (entry != NULL && entry->kind == ENTRY_READY && entry->object == NULL &&
        store_object_is_whole(object)) {
        index_set_object(shard, entry, object, &trash);
    }
    lock_release(&shard->lock);
    trash_empty(store, &trash);
    store_object_unref(&object);
}

static void evict_item(struct store *store, const struct ledger_item *item, uint64_t *keep_bytes)
{
    struct shard *shard = index_shard(store, item->hash);
    struct record_place place = {0};
    struct trash trash;
    struct store_object *again = NULL;

    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *entry = evict_find(shard, item);
    bool may_keep = entry != NULL && entry_size(entry) <= *keep_bytes;
    if (may_keep && (entry->flags & (ENTRY_HIT | ENTRY_EXTENTS | ENTRY_QUEUED)) == ENTRY_HIT &&
        entry->object == NULL && entry_size(entry) <= EVICT_REREAD_BYTES) {
        place = (struct record_place){.hash = entry->hash,
                                      .id = entry->id,
                                      .position = entry->position,
                                      .needs_idx = (entry->flags & ENTRY_OVERRIDE) != 0};
        lock_release(&shard->lock);
        evict_reread(store, &place);
        lock_acquire(&shard->lock);
        entry = evict_find(shard, item); /* the lock was let go */
    }
    if (entry != NULL) {
        struct hash128 hash = entry->hash;
        uint64_t id = entry->id;
        uint64_t size = entry_size(entry);
        again = evict_entry(store, shard, entry, may_keep, &trash);
        lock_release(&shard->lock);
        if (again != NULL) {
            *keep_bytes -= size;
            evict_again(store, again);
        } else {
            counter_add(&store->counters.evicted_disk, 1);
            disk_batch_idx_delete(store->disk, hash, id);
        }
    } else {
        lock_release(&shard->lock);
    }
    trash_empty(store, &trash);
}

static void evict_ledger(struct store *store, struct ledger *ledger, uint64_t position,
                         uint64_t *keep_bytes)
{
    struct ledger_item item;

    while (ledger_front(ledger, &item) && item.position <= position) {
        ledger_pop(ledger);
        evict_item(store, &item, keep_bytes);
    }
}

void evict_lost_tail(struct store *store, uint64_t last)
{
    struct ledger *ledger = &store->writer->ledger;
    struct ledger_item item;

    while (ledger_back(ledger, &item) && item.position > last) {
        uint64_t keep_bytes = 0;
        ledger_pop_back(ledger);
        evict_item(store, &item, &keep_bytes);
    }
}

/* ---- files ---- */

/* The position up to which files worth `bytes` lie, from the oldest on; 0: none can go now. */
static uint64_t evict_choose(struct store *store, uint64_t bytes, uint64_t *freed, bool *is_moving)
{
    struct disk_file *files;
    size_t count = disk_body_files(store->disk, &files);
    uint64_t position = 0;

    *freed = 0;
    *is_moving = count > 0 && files[0].level == 0;
    for (size_t i = 0; i < count && files[i].level > 0 && *freed < bytes; i++) {
        *freed += files[i].bytes;
        position = files[i].largest;
    }
    mem_free(files);
    return position;
}

bool evict_oldest(struct store *store, uint64_t bytes)
{
    struct writer *writer = store->writer;
    uint64_t freed = 0;
    uint64_t position = 0;
    bool is_moving = true;

    evict_measure(store);
    for (uint32_t i = 0; i < EVICT_WAITS && position == 0 && is_moving; i++) {
        if (i > 0) {
            clock_sleep_us(EVICT_WAIT_US);
        }
        position = evict_choose(store, bytes, &freed, &is_moving);
    }
    if (position == 0) {
        return false;
    }
    uint64_t keep_bytes = freed / EVICT_REINSERT_SHARE;
    evict_ledger(store, &writer->old_ledger, position, &keep_bytes);
    evict_ledger(store, &writer->ledger, position, &keep_bytes);
    atomic_store_explicit(&store->log_first, position + 1, memory_order_relaxed);
    uint64_t before = writer->measured_bytes;
    disk_drop_to(store->disk, position);
    /* A flush of idx under way holds on to the files it began with: without waiting for it, the
     * room they take would be sought again in files that are still good. */
    for (uint32_t i = 0; i < EVICT_WAITS; i++) {
        evict_measure(store);
        if (writer->measured_bytes + freed / 2 <= before) {
            break;
        }
        clock_sleep_us(EVICT_WAIT_US);
    }
    return true;
}

bool evict_make_room(struct store *store, uint64_t bytes)
{
    struct writer *writer = store->writer;
    uint64_t step = store->options.disk_bytes / 32;
    bool has_sealed = false;

    step = step < EVICT_REMEASURE_MIN   ? EVICT_REMEASURE_MIN
           : step > EVICT_REMEASURE_MAX ? EVICT_REMEASURE_MAX
                                        : step;
    if (writer->measured_us == 0 || writer->put_bytes > step) {
        evict_measure(store);
    }
    for (uint32_t tries = 0; evict_reckon(store) + bytes > writer->limit_bytes; tries++) {
        if (tries > EVICT_TRIES) {
            return false;
        }
        if (writer->put_bytes > 0) {
            evict_measure(store);
            continue;
        }
        if (writer->has_quarantine) {
            writer->has_quarantine = false;
            if (disk_drop_quarantine(store->disk)) {
                log_warn("store_quarantine", "deleted: the room is needed");
                evict_measure(store);
                continue;
            }
        }
        uint64_t limit = writer->limit_bytes;
        if (evict_oldest(store, evict_reckon(store) + bytes - limit + limit / 128)) {
            continue;
        }
        if (has_sealed || disk_seal_body(store->disk) != ERR_OK) {
            return false; /* nothing left that can go */
        }
        has_sealed = true;
        evict_measure(store);
    }
    return true;
}
