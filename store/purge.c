/*
 * purge - one key's variants out of the table, fills in flight included, under one shard lock: any
 * lookup that begins after it does not see them. The disk follows by jobs of the writer; what the
 * index load has not reached yet is covered by a TOMB in the table (entries below this id are dead)
 * and a job that walks the key's records in idx.
 */
#include "base/clock.h"
#include "store/store_private.h"

static void purge_entry(struct store *store, struct shard *shard, struct entry *entry, bool is_hard,
                        struct trash *trash)
{
    if (is_hard) {
        index_remove(store, shard, entry, STORE_WAS_PURGED_HARD, trash);
        return;
    }
    index_set_soft(store, shard, entry, clock_wall_ms());
    if (entry->kind == ENTRY_READY && store->writer != NULL &&
        (entry->position != 0 || (entry->flags & ENTRY_QUEUED) != 0)) {
        struct writer_job *job = writer_job_new(WRITER_SOFT, entry->hash, entry->id);
        job->position = (uint64_t)entry_soft_at_ms(entry);
        job->next = trash->jobs;
        trash->jobs = job;
    }
}

/* [shard] Solo leads are in no table; without the mark they began under they cannot get in. */
static void purge_mark(struct store *store, struct shard *shard, struct entry *mark, bool is_hard,
                       struct trash *trash)
{
    if (is_hard) {
        index_remove(store, shard, mark, STORE_WAS_PURGED_HARD, trash);
    } else {
        mark->id = store_new_id(store) & INDEX_48_BITS;
    }
}

/* [shard] What the load has not reached yet. */
static void purge_unloaded(struct store *store, struct shard *shard, struct hash128 hash,
                           bool is_hard, struct trash *trash)
{
    struct entry *tomb = index_tomb(store, shard, hash, true);
    uint64_t limit = atomic_load_explicit(&store->next_id, memory_order_relaxed);

    if (is_hard) {
        tomb->flags |= ENTRY_TOMB_HARD;
        tomb->id = limit & INDEX_48_BITS;
    } else if ((tomb->flags & ENTRY_TOMB_SOFT) == 0) {
        tomb->flags |= ENTRY_TOMB_SOFT;
        tomb->tomb_soft_ms = clock_wall_ms();
    }
    struct writer_job *job =
        writer_job_new(is_hard ? WRITER_PURGE : WRITER_PURGE_SOFT, hash, limit);
    job->position = is_hard ? 0 : (uint64_t)tomb->tomb_soft_ms;
    job->next = trash->jobs;
    trash->jobs = job;
}

void store_purge_key(struct store *store, struct span key, enum store_purge_mode mode, bool dry_run,
                     bool durable, struct store_purge_result *out)
{
    CHECK_OBJ(store, STORE_MAGIC);
    struct hash128 hash = hash128(store->seed, key);
    struct shard *shard = index_shard(store, hash);
    bool is_hard = mode == STORE_PURGE_HARD;
    struct trash trash;

    *out = (struct store_purge_result){0};
    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *entry = index_chain(shard, hash.lo);
    while (entry != NULL) {
        struct entry *next = entry->next;
        bool is_one = entry->kind == ENTRY_READY || entry->kind == ENTRY_FILL;
        if (entry_is(entry, hash) && is_one &&
            (entry->object == NULL || span_eq(store_object_key(entry->object), key))) {
            if (entry->kind == ENTRY_FILL) {
                out->in_flight++;
            } else {
                out->objects++;
                out->bytes += entry_size(entry);
            }
            if (!dry_run) {
                purge_entry(store, shard, entry, is_hard, &trash);
            }
        } else if (entry_is(entry, hash) && entry->kind == ENTRY_PASS && !dry_run) {
            purge_mark(store, shard, entry, is_hard, &trash);
        }
        entry = next;
    }
    if (!dry_run && !shard->is_loaded && store->writer != NULL) {
        purge_unloaded(store, shard, hash, is_hard, &trash);
    }
    lock_release(&shard->lock);
    trash_empty(store, &trash);
    if (!dry_run) {
        counter_add(&store->counters.purged, out->objects);
        if (durable && store->writer != NULL) {
            (void)writer_sync(store, STORE_PURGE_WAIT_MS);
        }
    }
}
