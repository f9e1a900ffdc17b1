/*
 * commit - the ends of a fill: stored or given up; that by a 304 is in renew.c.
 *
 * Whether the fill still may be stored is read off the index: a hard purge has taken its entry out,
 * a soft one has marked it. Check and change happen under one shard lock, so a purge is either
 * before the commit (and keeps the object out) or after it (and removes it).
 */
#include <string.h>

#include "store/store_private.h"

#define COMMIT_WASTE_SHARE 4u      /* a last piece wasting more than 1/4 is cut to size */
#define COMMIT_VARIANTS_AT_ONCE 4u /* that leave, of a store that holds more than it may */

/* The last piece of a body whose length was not known may be far too large. */
static void commit_cut_last(struct store_lead *lead)
{
    struct store_object *object = lead->object;
    struct flow *flow = object->flow;

    if (lead->written == 0 || lead->written % STORE_PIECE_BYTES == 0) {
        return;
    }
    uint32_t i = (uint32_t)(lead->written / STORE_PIECE_BYTES);
    uint32_t used = (uint32_t)(lead->written % STORE_PIECE_BYTES);
    struct chunk *old = flow->slots[i].chunk;
    if (old->cap - used <= old->cap / COMMIT_WASTE_SHARE) {
        return;
    }
    struct chunk *chunk = chunk_new(lead->store, used);
    if (chunk == NULL) {
        return;
    }
    memcpy(chunk->bytes, old->bytes, used);
    lock_acquire(&flow->lock);
    flow->slots[i].chunk = chunk;
    lock_release(&flow->lock);
    chunk_unref(&old);
}

/* Length and state for the world; before the index, so that nobody finds a READY entry unready. */
static void commit_publish(struct store_lead *lead)
{
    struct store_object *object = lead->object;
    struct flow *flow = object->flow;
    struct wake_list wakes = {0};

    lock_acquire(&flow->lock);
    CHECK(flow->state == OBJECT_FILLING);
    flow->filled = lead->written;
    flow->state = OBJECT_READY;
    atomic_store_explicit(&object->length, lead->written, memory_order_release);
    if (flow->mode == FLOW_KEEP) {
        /* release: pairs with the acquire in store_object_is_whole */
        atomic_store_explicit(&object->whole, true, memory_order_release);
    }
    reader_gather(flow, UINT32_MAX, &wakes);
    lock_release(&flow->lock);
    wakes_post(&wakes);
}

/* A small kept object as one allocation, or NULL. */
static struct store_object *commit_compact(struct store_lead *lead)
{
    struct store_object *object = lead->object;
    size_t text = (size_t)object->key_len + object->selector_len + object->head_len;
    char *room;

    if (!lead->is_shared || object->flow->mode != FLOW_KEEP ||
        text + lead->written > OBJECT_COMPACT_BYTES) {
        return NULL;
    }
    struct store_key key = object_key_of(object);
    struct store_head head = object_head_of(object);
    head.length = lead->written;
    struct store_object *compact = object_new_compact(lead->store, &key, &head, object->id, &room);
    if (compact != NULL && lead->written > 0) {
        memcpy(room, object->flow->slots[0].chunk->data, lead->written);
    }
    return compact;
}

bool commit_replace(struct store *store, struct shard *shard, struct hash128 hash, uint64_t id,
                    struct span selector, struct trash *trash)
{
    struct entry *entry;

    for (entry = index_chain(shard, hash.lo); entry != NULL; entry = entry->next) {
        if (entry_is(entry, hash) && entry->kind == ENTRY_READY && entry->id > id &&
            span_eq(index_selector(entry), selector)) {
            return false;
        }
    }
    entry = index_chain(shard, hash.lo);
    while (entry != NULL) {
        struct entry *next = entry->next;
        if (entry_is(entry, hash) && entry->kind == ENTRY_READY && entry->id != id &&
            span_eq(index_selector(entry), selector)) {
            index_remove(store, shard, entry, STORE_WAS_ABSENT, trash);
            counter_add(&store->counters.replaced, 1);
        }
        entry = next;
    }
    return true;
}

/* Does one leave before the other? First those nobody asked for again, then by age. */
static bool commit_leaves_first(const struct entry *one, const struct entry *other)
{
    bool one_hit = (one->flags & ENTRY_HIT) != 0;
    bool other_hit = (other->flags & ENTRY_HIT) != 0;

    return one_hit != other_hit ? other_hit : one->id < other->id;
}

/* [shard] Makes room for one more variant of this key. Each lookup walks them all, and it is
 * outsiders who choose how many there could be. */
static void commit_bound_variants(struct store *store, struct shard *shard, struct hash128 hash,
                                  unsigned max, struct trash *trash)
{
    for (unsigned turn = 0; turn < COMMIT_VARIANTS_AT_ONCE; turn++) {
        struct entry *first = NULL;
        unsigned count = 0;
        for (struct entry *entry = index_chain(shard, hash.lo); entry != NULL;
             entry = entry->next) {
            if (entry_is(entry, hash) && entry->kind == ENTRY_READY) {
                count++;
                first = first == NULL || commit_leaves_first(entry, first) ? entry : first;
            }
        }
        if (count < max) {
            return;
        }
        index_remove(store, shard, first, STORE_WAS_ABSENT, trash);
        counter_add(&store->counters.replaced, 1);
    }
}

void commit_describe(struct store *store, struct shard *shard, struct entry *entry,
                     const struct store_object *object)
{
    uint64_t length = store_object_length(object);

    index_set_selector(store, shard, entry, object_selector(object), object->date_s);
    index_set_size(shard, entry, length + object->head_len);
    entry->useless_after_s = object->useless_after_s <= 0 ? 0
                             : object->useless_after_s > UINT32_MAX
                                 ? UINT32_MAX
                                 : (uint32_t)object->useless_after_s;
}

struct writer_job *commit_job(enum writer_job_kind kind, struct store_object *object,
                              uint64_t bytes)
{
    struct writer_job *job = writer_job_new(kind, object->hash, object->id);

    job->object = store_object_ref(object);
    job->bytes = bytes;
    return job;
}

/* Shall the writer get it? Jobs for it, or NULL. */
static struct writer_job *commit_jobs(struct store_lead *lead, struct store_object *resident)
{
    struct store *store = lead->store;
    struct flow *flow = lead->object->flow;
    uint64_t bytes = lead->written + resident->key_len + resident->head_len;

    if (!store_has_disk(store)) {
        return NULL;
    }
    if (flow->mode == FLOW_STREAM) {
        struct writer_job *commit = commit_job(WRITER_COMMIT, resident, 0);
        uint32_t last = (uint32_t)(lead->written / STORE_PIECE_BYTES);
        if (lead->written % STORE_PIECE_BYTES == 0) {
            return commit;
        }
        lock_acquire(&flow->lock);
        struct writer_job *piece =
            fill_piece_job(resident, last, lead->written % STORE_PIECE_BYTES);
        lock_release(&flow->lock);
        piece->next = commit;
        return piece;
    }
    if (!writer_has_room(store, bytes)) {
        counter_add(&store->counters.not_stored_disk, 1);
        return NULL;
    }
    return commit_job(WRITER_COMMIT, resident, bytes);
}

static void commit_drop_jobs(struct writer_job *jobs)
{
    while (jobs != NULL) {
        struct writer_job *job = jobs;
        jobs = job->next;
        if (job->kind == WRITER_PIECE) {
            fill_piece_written(job->object, job->piece, OBJECT_NONE_POSITION);
        }
        writer_job_free(job);
    }
}

void commit_supersede(struct store *store, struct shard *shard, const struct store_object *stale,
                      struct trash *trash)
{
    struct entry *entry = stale == NULL ? NULL : index_find(shard, stale->hash, stale->id);

    if (entry != NULL && entry->kind == ENTRY_READY) {
        index_remove(store, shard, entry, STORE_WAS_ABSENT, trash);
        counter_add(&store->counters.replaced, 1);
    }
}

bool commit_enter(const struct store_lead *lead, struct shard *shard, struct entry *entry,
                  struct store_object *resident, bool is_queued, struct trash *trash)
{
    struct store *store = lead->store;
    struct store_object *filled = entry->object;

    if (!commit_replace(store, shard, entry->hash, entry->id, object_selector(resident), trash)) {
        index_remove(store, shard, entry, STORE_WAS_ABSENT, trash);
        return false;
    }
    commit_supersede(store, shard, lead->stale, trash);
    commit_bound_variants(store, shard, entry->hash, lead->max_variants, trash);
    index_fill_to_ready(shard, entry);
    entry->object = NULL;
    commit_describe(store, shard, entry, resident);
    if (is_queued) {
        entry->flags |= ENTRY_QUEUED;
    }
    index_set_object(shard, entry, resident, trash);
    store_object_unref(&filled); /* never the last: the lead has one */
    return true;
}

void store_lead_commit(struct store_lead **lead_in)
{
    struct store_lead *lead = *lead_in;
    CHECK_OBJ(lead, LEAD_MAGIC);
    struct store *store = lead->store;
    struct store_object *object = lead->object;
    struct shard *shard = index_shard(store, object->hash);
    uint64_t length = store_object_length(object);

    CHECK(atomic_load_explicit(&object->has_head, memory_order_relaxed));
    CHECK(length == STORE_LENGTH_UNKNOWN || length == lead->written);
    struct store_object *resident = commit_compact(lead);
    if (resident == NULL) {
        resident = store_object_ref(object);
        commit_cut_last(lead);
    }
    commit_publish(lead);
    if (lead->is_shared) {
        struct writer_job *jobs = commit_jobs(lead, resident);
        bool is_kept = object->flow->mode == FLOW_KEEP || jobs != NULL;
        struct trash trash;

        trash_init(&trash);
        lock_acquire(&shard->lock);
        struct entry *entry = index_find(shard, object->hash, object->id);
        bool is_entered = false; /* not when it was purged meanwhile */
        if (entry != NULL && is_kept) {
            is_entered = commit_enter(lead, shard, entry, resident, jobs != NULL, &trash);
        } else if (entry != NULL) {
            index_remove(store, shard, entry, STORE_WAS_ABSENT, &trash);
        }
        lock_release(&shard->lock);
        trash_empty(store, &trash);
        if (is_entered && jobs != NULL) {
            writer_push(store, jobs);
        } else {
            commit_drop_jobs(jobs);
        }
    }
    store_object_unref(&resident);
    lead_end(lead_in);
}

void store_lead_abort(struct store_lead **lead, uint32_t code)
{
    if (*lead == NULL) {
        return;
    }
    CHECK_OBJ(*lead, LEAD_MAGIC);
    if ((*lead)->is_shared) {
        fill_leave_index((*lead)->store, (*lead)->object, 0, 0);
    }
    lead_finish(lead, OBJECT_FAILED, code);
}
