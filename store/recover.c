/*
 * recover - after a kill -9 idx is complete (WAL) and bodies are an exact prefix of the log, so
 * what points past the last position found at the start is dropped, as is what points before the
 * first. Positions and ids go on from marks kept ahead of their use, so nothing old is ever
 * mistaken for new.
 *
 * The load reads a snapshot while the store lives on. What happened meanwhile to a key is told by
 * its TOMB: purged below an id, or read from idx already (then the load leaves that key alone).
 */
#include "store/recover.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/codec.h"
#include "store/disk.h"
#include "store/writer_private.h"

#define RECOVER_TRIES 64u /* damaged places in idx to step over */

struct recover_ctx {
    struct store *store;
    struct recover_list *list;
};

/* ---- numbers ---- */

static bool recover_mark(struct store *store, const char *name, uint64_t *next, uint64_t *mark)
{
    uint64_t found = 0;
    enum err err = disk_get_number(store->disk, name, &found);

    if (err != ERR_OK && err != ERR_ABSENT) {
        return false;
    }
    if (found > *next) {
        *next = found;
    }
    *mark = *next + WRITER_MARK_STEP;
    return *mark <= INDEX_48_BITS && disk_put_number(store->disk, name, *mark) == ERR_OK;
}

bool recover_numbers(struct store *store, bool is_start)
{
    struct writer *writer = store->writer;
    uint64_t seed = 0;
    uint64_t first;
    uint64_t last;
    uint64_t next_id = atomic_load_explicit(&store->next_id, memory_order_relaxed);
    enum err err = disk_get_number(store->disk, "seed", &seed);

    if (err == ERR_ABSENT) {
        if (disk_put_number(store->disk, "seed", store->seed.value) != ERR_OK) {
            return false;
        }
    } else if (err != ERR_OK || seed != store->seed.value) {
        return false; /* another store's: its hashes mean nothing to us */
    }
    if (!recover_mark(store, "id", &next_id, &writer->id_mark) ||
        !recover_mark(store, "position", &writer->next_position, &writer->position_mark)) {
        return false;
    }
    disk_body_bounds(store->disk, &first, &last);
    if (is_start) {
        /* Ids given out before (a store that had to start in memory) are below, and no matter. */
        atomic_store_explicit(&store->next_id, next_id, memory_order_relaxed);
        writer->was_opened = true;
        writer->first_id = next_id;
        writer->log_last = last;
        atomic_store_explicit(&store->log_first, first == 0 ? writer->next_position : first,
                              memory_order_relaxed);
    }
    return true;
}

/* ---- entries ---- */

static void recover_delete_job(struct trash *trash, struct hash128 hash, uint64_t id)
{
    struct writer_job *job = writer_job_new(WRITER_DELETE, hash, id);

    job->next = trash->jobs;
    trash->jobs = job;
}

/* [shard] Is there a newer one of the same selector? Older ones of it leave. */
static bool recover_is_superseded(struct store *store, struct shard *shard, struct hash128 hash,
                                  uint64_t id, struct span selector, struct trash *trash)
{
    struct entry *entry = index_chain(shard, hash.lo);

    while (entry != NULL) {
        struct entry *next = entry->next;
        if (entry_is(entry, hash) && entry->kind == ENTRY_READY &&
            span_eq(index_selector(entry), selector)) {
            if (entry->id > id) {
                return true;
            }
            index_remove(store, shard, entry, STORE_WAS_ABSENT, trash);
        }
        entry = next;
    }
    return false;
}

/* The largest position of an object's records. */
static uint64_t recover_last_position(const struct codec_idx *idx)
{
    uint64_t last = idx->position;
    uint64_t position;
    uint32_t count;

    for (size_t i = 0; codec_extent(idx->extents, i, &position, &count); i++) {
        last = position + count - 1 > last ? position + count - 1 : last;
    }
    return last;
}

/* [shard] Enters a record of idx when it still counts. */
static bool recover_enter(struct store *store, struct shard *shard, struct hash128 hash,
                          uint64_t id, const struct codec_idx *idx, struct trash *trash)
{
    const struct entry *tomb = index_tomb(store, shard, hash, false);
    unsigned tomb_flags = tomb == NULL ? 0u : tomb->flags;

    if (shard->is_loaded) {
        /* Read for a request and overtaken by the load: what is not here was removed since, and the
         * TOMB that told so is swept. */
        return false;
    }
    if (id >= store->writer->first_id || index_find(shard, hash, id) != NULL) {
        return false; /* of this run: the table knows better */
    }
    if ((tomb_flags & ENTRY_TOMB_HARD) != 0 && id < tomb->id) {
        return false; /* purged, its record is being deleted */
    }
    if (recover_last_position(idx) > store->writer->log_last ||
        idx->position < atomic_load_explicit(&store->log_first, memory_order_relaxed) ||
        recover_is_superseded(store, shard, hash, id, idx->selector, trash)) {
        recover_delete_job(trash, hash, id);
        return false;
    }
    struct entry *entry = index_insert(store, shard, hash, ENTRY_READY, id);
    index_set_size(shard, entry, idx->length + idx->head_bytes);
    index_set_position(shard, entry, idx->position);
    index_set_selector(store, shard, entry, idx->selector, idx->date_s);
    entry->useless_after_s = idx->useless_after_s;
    unsigned flags = (idx->flags & CODEC_IDX_EXTENTS) != 0 ? ENTRY_EXTENTS : 0u;
    flags |= (idx->flags & CODEC_IDX_OVERRIDE) != 0 ? ENTRY_OVERRIDE : 0u;
    entry->flags = flags & 0xfffu;
    if ((tomb_flags & ENTRY_TOMB_SOFT) != 0) {
        index_set_soft(store, shard, entry, tomb->tomb_soft_ms);
    }
    if ((idx->flags & CODEC_IDX_SOFT) != 0) {
        index_set_soft(store, shard, entry, idx->soft_at_ms != 0 ? idx->soft_at_ms : 1);
    }
    return true;
}

uint64_t recover_key(struct store *store, struct hash128 hash)
{
    struct shard *shard = index_shard(store, hash);
    struct trash trash;
    struct span key;
    struct span value;
    uint64_t only = 0;
    unsigned count = 0;
    struct disk_cursor *cursor = disk_cursor_open(store->disk, hash, true);

    /* First all entries, then the mark: who sees the mark sees them. */
    while (cursor != NULL && disk_cursor_next(cursor, &key, &value) == ERR_OK) {
        struct hash128 found;
        uint64_t id;
        struct codec_idx idx;
        if (codec_idx_key_decode(key, &found, &id) != ERR_OK ||
            codec_idx_decode(value, &idx) != ERR_OK) {
            continue;
        }
        trash_init(&trash);
        lock_acquire(&shard->lock);
        bool entered = recover_enter(store, shard, hash, id, &idx, &trash);
        lock_release(&shard->lock);
        trash_empty(store, &trash);
        if (entered) {
            recover_note(store, idx.position, hash);
        }
    }
    disk_cursor_close(&cursor);
    lock_acquire(&shard->lock);
    if (!shard->is_loaded) {
        index_tomb(store, shard, hash, true)->flags |= ENTRY_TOMB_KNOWN;
    }
    for (struct entry *entry = index_chain(shard, hash.lo); entry != NULL; entry = entry->next) {
        if (entry_is(entry, hash) && entry->kind == ENTRY_READY) {
            only = entry->id;
            count++;
        }
    }
    lock_release(&shard->lock);
    return count == 1 ? only : 0;
}

/* ---- the list for the ledger ---- */

void recover_note(struct store *store, uint64_t position, struct hash128 hash)
{
    struct recover_list *list = &store->writer->recovered;

    lock_acquire(&list->lock);
    if (list->count == list->cap && !list->is_lost) {
        size_t cap = list->cap == 0 ? 4096 : list->cap * 2;
        struct ledger_item *items = mem_try_resize(list->items, cap * sizeof(*items));
        if (items == NULL) {
            list->is_lost = true; /* these entries leave when they are found dead */
        } else {
            list->items = items;
            list->cap = cap;
        }
    }
    if (!list->is_lost) {
        list->items[list->count++] = (struct ledger_item){.position = position, .hash = hash};
    }
    lock_release(&list->lock);
}

/* ---- the load ---- */

static void recover_shards_done(struct store *store, uint32_t *done, uint32_t until)
{
    for (; *done < until; (*done)++) {
        struct shard *shard = &store->shards[*done];
        lock_acquire(&shard->lock);
        shard->is_loaded = true;
        index_sweep_tombs(store, shard);
        lock_release(&shard->lock);
    }
}

static void recover_one(struct store *store, struct hash128 hash, uint64_t id, struct span value)
{
    struct shard *shard = index_shard(store, hash);
    struct codec_idx idx;
    struct trash trash;
    bool entered = false;

    trash_init(&trash);
    if (codec_idx_decode(value, &idx) != ERR_OK) {
        counter_add(&store->counters.corrupt, 1);
        recover_delete_job(&trash, hash, id);
    } else {
        lock_acquire(&shard->lock);
        const struct entry *tomb = index_tomb(store, shard, hash, false);
        if (tomb == NULL || (tomb->flags & ENTRY_TOMB_KNOWN) == 0) {
            entered = recover_enter(store, shard, hash, id, &idx, &trash);
        }
        lock_release(&shard->lock);
    }
    trash_empty(store, &trash);
    if (entered) {
        recover_note(store, idx.position, hash);
    }
}

/* From one hash to the end or the next damage. Returns how it ended and where. */
static enum err recover_run(struct store *store, struct hash128 *at, uint32_t *shards_done)
{
    struct span key;
    struct span value;
    enum err err = ERR_IO;
    struct disk_cursor *cursor = disk_cursor_open(store->disk, *at, false);

    if (cursor == NULL) {
        return ERR_ABSENT;
    }
    while (!atomic_load_explicit(&store->is_closing, memory_order_relaxed) &&
           (err = disk_cursor_next(cursor, &key, &value)) == ERR_OK) {
        uint64_t id;
        if (codec_idx_key_decode(key, at, &id) != ERR_OK) {
            continue;
        }
        uint32_t shard = index_shard_number(*at);
        if (shard > *shards_done) {
            recover_shards_done(store, shards_done, shard);
        }
        atomic_store_explicit(&store->loaded_share, (uint32_t)(at->hi >> 48), memory_order_relaxed);
        recover_one(store, *at, id, value);
    }
    disk_cursor_close(&cursor);
    return err;
}

static void *recover_thread(void *arg)
{
    struct store *store = arg;
    struct hash128 at = {0};
    uint32_t shards_done = 0;
    uint64_t start_us = clock_mono_us();

    for (unsigned i = 0; i < RECOVER_TRIES; i++) {
        if (recover_run(store, &at, &shards_done) == ERR_ABSENT ||
            atomic_load_explicit(&store->is_closing, memory_order_relaxed) ||
            at.hi > UINT64_MAX - (UINT64_C(1) << 48)) {
            break;
        }
        counter_add(&store->counters.corrupt, 1);
        at = (struct hash128){.hi = at.hi + (UINT64_C(1) << 48)}; /* past the damaged block */
    }
    recover_shards_done(store, &shards_done, INDEX_SHARDS);
    struct recover_list *list = &store->writer->recovered;
    lock_acquire(&list->lock);
    size_t count = list->count;
    lock_release(&list->lock);
    /* release: pairs with the acquire in upkeep_adopt */
    atomic_store_explicit(&store->is_loading, false, memory_order_release);
    log_info("store_index_loaded", "records=%zu took_ms=%llu", count,
             (unsigned long long)((clock_mono_us() - start_us) / 1000));
    return NULL;
}

void recover_start(struct store *store)
{
    atomic_store_explicit(&store->is_loading, true, memory_order_relaxed);
    for (uint32_t i = 0; i < INDEX_SHARDS; i++) {
        lock_acquire(&store->shards[i].lock);
        store->shards[i].is_loaded = false;
        lock_release(&store->shards[i].lock);
    }
    store->loader_runs =
        thread_start(&store->loader, "store-index", recover_thread, store) == ERR_OK;
    if (!store->loader_runs) {
        (void)recover_thread(store); /* slower start, same result */
    }
}

void recover_stop(struct store *store)
{
    if (store->loader_runs) {
        CHECK(pthread_join(store->loader, NULL) == 0);
        store->loader_runs = false;
    }
}
