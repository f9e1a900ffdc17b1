/*
 * batch - what one round of the writer puts on disk. Bodies go first, into the tail; then, per
 * object and under its shard lock, the entry learns its position (unless it was purged meanwhile);
 * then all index records in one write with WAL. A crash in between leaves bodies nobody points to,
 * or nothing; one before the tail is sealed leaves index records past the end of the log, which the
 * next start drops.
 */
#include <string.h>

#include "base/clock.h"
#include "store/codec.h"
#include "store/disk.h"
#include "store/pressure.h"
#include "store/writer_private.h"

#define BATCH_VALUE_BYTES 512u
#define BATCH_RECORD_BYTES 128u /* of the file, for a record: its entry, its block, the index */

static void batch_defer(struct writer *writer, struct writer_job *job)
{
    struct writer_job **at = &writer->pending;

    if (writer->pending_count >= WRITER_PENDING_MAX) {
        writer->must_start_over =
            true; /* too much to remember: what is on disk is not to be used */
        writer_job_free(job);
        return;
    }
    if (job->kind == WRITER_REFRESH) {
        writer_job_free(job); /* only a fresher head: asked for again when it is needed */
        return;
    }
    /* Deletions and marks: their order among each other does not matter. */
    job->next = *at;
    *at = job;
    writer->pending_count++;
}

static void batch_done(struct store *store, struct writer_job *job)
{
    atomic_fetch_sub_explicit(&store->writer->queued_bytes, job->bytes, memory_order_relaxed);
    writer_job_free(job);
}

/* ---- idx values ---- */

static void batch_put_idx(struct store *store, struct hash128 hash, uint64_t id,
                          const struct codec_idx *idx)
{
    uint8_t room[BATCH_VALUE_BYTES];
    size_t size = codec_idx_size(idx);
    uint8_t *value = size <= sizeof(room) ? room : mem_try(size);

    if (value == NULL) {
        return; /* not found after a restart, nothing worse */
    }
    codec_idx_encode(value, idx);
    disk_batch_idx(store->disk, hash, id, span_of((const char *)value, size));
    if (value != room) {
        mem_free(value);
    }
}

static uint8_t batch_soft_flags(int64_t soft_at_ms)
{
    return soft_at_ms == 0 ? 0 : CODEC_IDX_SOFT | CODEC_IDX_SOFT_AT;
}

static unsigned batch_date_flag(const struct store_object *object)
{
    return object->date_s != 0 ? CODEC_IDX_DATE : 0u;
}

/* The runs of positions of a streamed object; NULL when a piece is missing or has left the log. */
static uint8_t *batch_extents(struct store *store, struct store_object *object, size_t *bytes,
                              uint64_t *first)
{
    struct flow *flow = object->flow;
    uint64_t log_first = atomic_load_explicit(&store->log_first, memory_order_relaxed);

    /* Nobody changes positions of a complete object but us. */
    lock_acquire(&flow->lock);
    uint32_t n = flow->slot_count;
    bool ok = !flow->is_broken && n > 0 && n == pieces_of(store_object_length(object));
    lock_release(&flow->lock);
    uint8_t *out = ok ? mem_try((size_t)n * CODEC_EXTENT_BYTES) : NULL;
    if (out == NULL) {
        return NULL;
    }
    size_t runs = 0;
    uint64_t start = 0;
    uint32_t count = 0;
    lock_acquire(&flow->lock);
    uint64_t flow_first = flow->slots[0].position;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t position = flow->slots[i].position;
        ok = ok && position != OBJECT_NONE_POSITION && position >= log_first;
        if (count > 0 && position == start + count) {
            count++;
        } else {
            if (count > 0) {
                codec_extent_encode(out + runs++ * CODEC_EXTENT_BYTES, start, count);
            }
            start = position;
            count = 1;
        }
    }
    lock_release(&flow->lock);
    codec_extent_encode(out + runs++ * CODEC_EXTENT_BYTES, start, count);
    *bytes = runs * CODEC_EXTENT_BYTES;
    *first = flow_first;
    if (!ok) {
        mem_free(out);
        out = NULL;
    }
    return out;
}

/* ---- bodies ---- */

static void batch_trouble(struct store *store)
{
    store->writer->batch_failed = true;
    counter_add(&store->counters.write_errors, 1);
    upkeep_fail(store);
}

void batch_seal(struct store *store)
{
    store->writer->unsealed_us = 0;
    if (disk_seal_body(store->disk) != ERR_OK) {
        counter_add(&store->counters.write_errors, 1);
        upkeep_fail(store);
    }
}

/* One record into the tail, room for it made first. A failure is the whole batch's. */
static void batch_put(struct store *store, uint64_t position, const struct span *parts,
                      size_t count)
{
    struct writer *writer = store->writer;
    uint64_t bytes = BATCH_RECORD_BYTES;

    for (size_t i = 0; i < count; i++) {
        bytes += parts[i].len;
    }
    writer->batch_failed = writer->batch_failed || !store_has_disk(store) ||
                           !evict_make_room(store, bytes + 2 * disk_batch_idx_bytes(store->disk));
    if (writer->batch_failed) {
        return;
    }
    if (disk_put_body(store->disk, position, parts, count) != ERR_OK) {
        batch_trouble(store);
        return;
    }
    writer->put_bytes += bytes;
    writer->batch_bytes += bytes;
    counter_add(&store->counters.written_bytes, bytes);
    counter_add(&store->counters.written_count, 1);
    if (writer->unsealed_us == 0) {
        writer->unsealed_us = clock_mono_us();
    }
}

static void batch_put_first(struct store *store, struct store_object *object, uint64_t position,
                            uint64_t length, struct span body)
{
    uint8_t header[CODEC_FIRST_BYTES];
    struct codec_first record = {
        .hash = object->hash,
        .id = object->id,
        .length = length,
        .useless_after_s = object->useless_after_s,
        .key = store_object_key(object),
        .selector = object_selector(object),
        .head = store_object_head(object),
        .body = body,
    };

    memcpy(record.facts, object->facts, sizeof(record.facts));
    codec_first_encode(header, &record, store->seed);
    /* Key, selector and head lie one behind the other in most objects, but not in all. */
    struct span parts[] = {span_of((const char *)header, sizeof(header)), record.key,
                           record.selector, record.head, body};
    batch_put(store, position, parts, ARRAY_LEN(parts));
}

static void batch_put_piece(struct store *store, struct store_object *object, uint64_t position,
                            uint32_t piece, struct span body)
{
    uint8_t header[CODEC_PIECE_BYTES];
    struct codec_piece record = {
        .hash = object->hash, .id = object->id, .piece = piece, .body = body};

    codec_piece_encode(header, &record, store->seed);
    struct span parts[] = {span_of((const char *)header, sizeof(header)), body};
    batch_put(store, position, parts, ARRAY_LEN(parts));
}

static void batch_stage(struct store *store, struct writer_job *job)
{
    struct writer *writer = store->writer;

    job->next = NULL;
    *writer->staged_last = job;
    writer->staged_last = &job->next;
    if (writer->batch_bytes >= WRITER_BATCH_BYTES) {
        batch_finish(store); /* so that its objects can leave memory */
    }
}

/* Is the object of this job still wanted? */
static bool batch_is_wanted(struct store *store, const struct writer_job *job)
{
    struct shard *shard = index_shard(store, job->hash);

    lock_acquire(&shard->lock);
    const struct entry *entry = index_find(shard, job->hash, job->id);
    bool is_wanted =
        entry != NULL && entry->kind == ENTRY_READY && (entry->flags & ENTRY_QUEUED) != 0;
    lock_release(&shard->lock);
    return is_wanted;
}

static void batch_commit(struct store *store, struct writer_job *job)
{
    struct writer *writer = store->writer;
    struct store_object *object = job->object;

    if (!batch_is_wanted(store, job)) {
        batch_done(store, job);
        return;
    }
    job->piece = 0;
    if (store_object_is_whole(object) && store_has_disk(store)) {
        uint64_t length = store_object_length(object);
        uint32_t n = pieces_of(length);
        job->position = writer->next_position;
        job->piece = n == 0 ? 1 : n;
        writer->next_position += job->piece;
        batch_put_first(store, object, job->position, length,
                        n == 0 ? span_of("", 0) : store_object_piece(object, 0));
        for (uint32_t i = 1; i < n; i++) {
            batch_put_piece(store, object, job->position + i, i, store_object_piece(object, i));
        }
    }
    batch_stage(store, job);
}

static void batch_piece(struct store *store, struct writer_job *job)
{
    struct writer *writer = store->writer;
    struct store_object *object = job->object;
    struct span body = span_of(job->chunk->data, (size_t)job->bytes);

    job->position = writer->next_position++;
    if (job->piece == 0) {
        batch_put_first(store, object, job->position, store_object_length(object), body);
    } else {
        batch_put_piece(store, object, job->position, job->piece, body);
    }
    batch_stage(store, job);
}

/* ---- after the bodies ---- */

/* What the entry learns. False: nothing is to go to idx. */
static bool batch_settle(struct store *store, struct writer_job *job, bool ok, uint64_t position,
                         uint32_t pieces, int64_t *soft_at_ms)
{
    struct shard *shard = index_shard(store, job->hash);
    bool is_whole = store_object_is_whole(job->object);
    struct trash trash;

    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *entry = index_find(shard, job->hash, job->id);
    bool is_there = entry != NULL && entry->kind == ENTRY_READY;
    if (is_there) {
        /* An object of many records can be read back only once idx says where they are: it stays
         * queued, and so in RAM, until then (batch_release). */
        unsigned gone = (ok && pieces > 1 ? 0u : ENTRY_QUEUED) |
                        (ok ? ENTRY_HIT | ENTRY_EXTENTS | ENTRY_OVERRIDE : 0u);
        entry->flags &= ~gone & 0xfffu;
    }
    if (is_there && ok) {
        entry->flags |= pieces > 1 ? ENTRY_EXTENTS : 0u;
        *soft_at_ms = entry_soft_at_ms(entry);
        index_set_position(shard, entry, position);
    } else if (is_there && !is_whole) {
        index_remove(store, shard, entry, STORE_WAS_EVICTED, &trash);
    }
    lock_release(&shard->lock);
    trash_empty(store, &trash);
    return is_there && ok;
}

static void batch_release(struct store *store, const struct writer_job *job)
{
    struct shard *shard = index_shard(store, job->hash);

    lock_acquire(&shard->lock);
    struct entry *entry = index_find(shard, job->hash, job->id);
    if (entry != NULL) {
        entry->flags &= ~(unsigned)ENTRY_QUEUED & 0xfffu;
    }
    lock_release(&shard->lock);
}

/* True: batch_release is to follow. */
static bool batch_commit_done(struct store *store, struct writer_job *job, bool ok)
{
    struct store_object *object = job->object;
    bool is_streamed = job->piece == 0;
    uint64_t log_first = atomic_load_explicit(&store->log_first, memory_order_relaxed);
    uint8_t one_extent[CODEC_EXTENT_BYTES];
    uint8_t *extents = one_extent;
    size_t extent_bytes = sizeof(one_extent);
    uint64_t position = job->position;
    uint32_t pieces = job->piece;
    int64_t soft_at_ms = 0;

    if (is_streamed && ok && !store_object_is_whole(object) && object->flow != NULL) {
        extents = batch_extents(store, object, &extent_bytes, &position);
        ok = extents != NULL;
        pieces = pieces_of(store_object_length(object));
    } else {
        codec_extent_encode(one_extent, position, pieces);
    }
    ok = ok && position != 0 && position >= log_first;
    if (batch_settle(store, job, ok, position, pieces, &soft_at_ms)) {
        struct codec_idx idx = {
            .flags = (uint8_t)(batch_soft_flags(soft_at_ms) | batch_date_flag(object) |
                               (pieces > 1 ? CODEC_IDX_EXTENTS : 0)),
            .date_s = object->date_s,
            .soft_at_ms = soft_at_ms,
            .useless_after_s = object->useless_after_s <= 0 ? 0
                               : object->useless_after_s > UINT32_MAX
                                   ? UINT32_MAX
                                   : (uint32_t)object->useless_after_s,
            .head_bytes = object->head_len,
            .position = position,
            .length = store_object_length(object),
            .selector = object_selector(object),
            .extents = span_of((const char *)extents, extent_bytes),
        };
        batch_put_idx(store, job->hash, job->id, &idx);
        if (!is_streamed) {
            ledger_push(&store->writer->ledger, position, job->hash);
        } else {
            fill_trim_all(object);
        }
    } else if (!ok) {
        counter_add(&store->counters.not_stored_disk, 1);
    }
    if (extents != one_extent) {
        mem_free(extents);
    }
    return ok && pieces > 1;
}

void batch_finish(struct store *store)
{
    struct writer *writer = store->writer;

    if (writer->batch_bytes > 0 && !writer->batch_failed && disk_push_body(store->disk) != ERR_OK) {
        batch_trouble(store);
    }
    bool ok = !writer->batch_failed && store_has_disk(store);
    struct writer_job *held = NULL;
    while (writer->staged != NULL) {
        struct writer_job *job = writer->staged;
        writer->staged = job->next;
        if (job->kind == WRITER_PIECE) {
            if (ok && job->piece == 0) {
                ledger_push(&writer->ledger, job->position, job->hash);
            }
            fill_piece_written(job->object, job->piece, ok ? job->position : OBJECT_NONE_POSITION);
        } else if (batch_commit_done(store, job, ok)) {
            job->next = held;
            held = job;
            continue;
        }
        batch_done(store, job);
    }
    writer->staged_last = &writer->staged;
    writer->batch_failed = false;
    writer->batch_bytes = 0;
    writer->put_bytes += 2 * disk_batch_idx_bytes(store->disk);
    if (disk_is_open(store->disk) && disk_write_idx(store->disk, writer->wants_sync) != ERR_OK) {
        counter_add(&store->counters.write_errors, 1);
        upkeep_fail(store);
    }
    while (held != NULL) {
        struct writer_job *job = held;
        held = job->next;
        batch_release(store, job);
        batch_done(store, job);
    }
    writer->wants_sync = false;
    if (writer->tickets_staged > 0) {
        lock_acquire(&writer->lock);
        writer->tickets_done += writer->tickets_staged;
        cond_broadcast(&writer->done);
        lock_release(&writer->lock);
        writer->tickets_staged = 0;
    }
    pressure_relieve(store);
    /* Here and nowhere earlier: a seal does not come between the records of a whole object. */
    if (store_has_disk(store) && disk_tail_is_long(store->disk)) {
        batch_seal(store);
    }
}

/* ---- index-only jobs: they see what is written, so what is staged is finished first ---- */

static void batch_refresh(struct store *store, struct writer_job *job)
{
    struct shard *shard = index_shard(store, job->hash);
    struct store_object *object = job->object;
    bool is_commit = false;
    void *pin = NULL;
    struct span value;
    struct codec_idx idx = {0};

    batch_finish(store);
    lock_acquire(&shard->lock);
    struct entry *entry = index_find(shard, job->hash, job->id);
    bool is_there = entry != NULL && entry->kind == ENTRY_READY;
    uint64_t position = is_there ? entry->position : 0;
    unsigned flags = is_there ? entry->flags : 0;
    int64_t soft_at_ms = is_there ? entry_soft_at_ms(entry) : 0;
    if (is_there && position == 0 && store_object_is_whole(object)) {
        entry->flags |= ENTRY_QUEUED; /* the first writing was refused: try again */
        is_commit = true;
    } else if (position != 0) {
        entry->flags |= ENTRY_OVERRIDE;
    }
    lock_release(&shard->lock);
    if (is_commit) {
        job->kind = WRITER_COMMIT;
        batch_commit(store, job);
        return;
    }
    if (position != 0 && (flags & ENTRY_EXTENTS) != 0 &&
        (disk_get_idx(store->disk, job->hash, job->id, &pin, &value) != ERR_OK ||
         codec_idx_decode(value, &idx) != ERR_OK)) {
        position = 0; /* without its runs it cannot be re-pointed: the old record stays */
    }
    if (position != 0) {
        struct codec_idx now = {
            .date_s = object->date_s,
            .flags = (uint8_t)(CODEC_IDX_OVERRIDE | batch_soft_flags(soft_at_ms) |
                               batch_date_flag(object) |
                               ((flags & ENTRY_EXTENTS) != 0 ? CODEC_IDX_EXTENTS : 0)),
            .soft_at_ms = soft_at_ms,
            .useless_after_s = object->useless_after_s <= 0 ? 0 : (uint32_t)object->useless_after_s,
            .head_bytes = object->head_len,
            .position = position,
            .length = store_object_length(object),
            .selector = object_selector(object),
            .extents = idx.extents,
            .facts = span_of((const char *)object->facts, STORE_FACTS_BYTES),
            .head = store_object_head(object),
        };
        batch_put_idx(store, job->hash, job->id, &now);
    }
    disk_unpin(pin);
    batch_done(store, job);
}

/* Sets the soft mark in one idx value; one that has it was stale before. */
static void batch_mark_soft(struct store *store, struct hash128 hash, uint64_t id,
                            struct span value, uint64_t at_ms)
{
    struct codec_idx idx;

    if (codec_idx_decode(value, &idx) == ERR_OK && (idx.flags & CODEC_IDX_SOFT) == 0) {
        idx.flags |= CODEC_IDX_SOFT | CODEC_IDX_SOFT_AT;
        idx.soft_at_ms = (int64_t)at_ms;
        batch_put_idx(store, hash, id, &idx);
    }
}

static void batch_soft(struct store *store, struct writer_job *job)
{
    void *pin;
    struct span value;

    batch_finish(store);
    if (disk_get_idx(store->disk, job->hash, job->id, &pin, &value) == ERR_OK) {
        batch_mark_soft(store, job->hash, job->id, value, job->position);
    }
    disk_unpin(pin);
    batch_done(store, job);
}

static void batch_purge(struct store *store, struct writer_job *job)
{
    struct span key;
    struct span value;

    batch_finish(store);
    struct disk_cursor *cursor = disk_cursor_open(store->disk, job->hash, true);
    while (cursor != NULL && disk_cursor_next(cursor, &key, &value) == ERR_OK) {
        struct hash128 hash;
        uint64_t id;
        if (codec_idx_key_decode(key, &hash, &id) != ERR_OK || id >= job->id) {
            continue;
        }
        if (job->kind == WRITER_PURGE) {
            disk_batch_idx_delete(store->disk, hash, id);
        } else {
            batch_mark_soft(store, hash, id, value, job->position);
        }
    }
    disk_cursor_close(&cursor);
    batch_done(store, job);
}

void batch_job(struct store *store, struct writer_job *job)
{
    struct writer *writer = store->writer;
    bool has_disk = store_has_disk(store);

    switch (job->kind) {
    case WRITER_COMMIT:
        batch_commit(store, job);
        return;
    case WRITER_PIECE:
        batch_piece(store, job);
        return;
    case WRITER_SYNC:
        writer->tickets_staged++;
        writer->wants_sync = has_disk;
        batch_done(store, job);
        return;
    case WRITER_REFRESH:
    case WRITER_DELETE:
    case WRITER_SOFT:
    case WRITER_PURGE:
    case WRITER_PURGE_SOFT:
        break;
    }
    if (!has_disk) {
        batch_defer(writer, job);
    } else if (job->kind == WRITER_DELETE) {
        disk_batch_idx_delete(store->disk, job->hash, job->id);
        batch_done(store, job);
    } else if (job->kind == WRITER_REFRESH) {
        batch_refresh(store, job);
    } else if (job->kind == WRITER_SOFT) {
        batch_soft(store, job);
    } else {
        batch_purge(store, job);
    }
}

void batch_jobs(struct store *store, struct writer_job *jobs)
{
    while (jobs != NULL) {
        struct writer_job *job = jobs;
        jobs = job->next;
        job->next = NULL;
        batch_job(store, job);
    }
    batch_finish(store);
}
