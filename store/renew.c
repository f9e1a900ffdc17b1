/*
 * renew - stored responses that live on under another head: what a 304 confirms (RFC 9111 4.3.4),
 * another variant that a 304 selects (4.3.3), what a HEAD updates (4.3.5); and what a newer response
 * has put out of force.
 */
#include "store/store_private.h"

/* [shard] Puts the refreshed object where the stale one was. */
static struct writer_job *refresh_enter(struct store *store, struct shard *shard,
                                        struct store_object *object, int64_t soft_at_ms,
                                        struct trash *trash)
{
    struct entry *entry = index_find(shard, object->hash, object->id);
    struct writer_job *job = NULL;

    if (!commit_replace(store, shard, object->hash, object->id, object_selector(object), trash)) {
        return NULL; /* a newer one came meanwhile */
    }
    if (entry == NULL) {
        /* Evicted meanwhile: it is stored anew when all of it is here. */
        if (!store_object_is_whole(object)) {
            return NULL;
        }
        entry = index_insert(store, shard, object->hash, ENTRY_READY, object->id);
    }
    commit_describe(store, shard, entry, object);
    index_set_soft(store, shard, entry, 0); /* renewed, unless purged while the origin was asked */
    if (soft_at_ms != 0) {
        index_set_soft(store, shard, entry, soft_at_ms);
    }
    index_set_object(shard, entry, object, trash);
    if (entry->position != 0 || (entry->flags & ENTRY_QUEUED) != 0) {
        job = commit_job(WRITER_REFRESH, object, object->head_len);
    } else if (store_has_disk(store) && store_object_is_whole(object)) {
        job = commit_job(WRITER_COMMIT, object, store_object_length(object) + object->head_len);
        entry->flags |= ENTRY_QUEUED;
    }
    return job;
}

/* Whoever waits looks at this object, which may have been purged since they began to wait. */
static void renew_end(struct store_lead **lead, struct store_object *object)
{
    struct flow *flow = (*lead)->object->flow;

    lock_acquire(&flow->lock);
    flow->renewed = store_object_ref(object);
    lock_release(&flow->lock);
    lead_finish(lead, OBJECT_REFRESHED, 0);
}

struct store_object *store_lead_refresh(struct store_lead **lead_in, const struct store_head *head)
{
    struct store_lead *lead = *lead_in;
    CHECK_OBJ(lead, LEAD_MAGIC);
    CHECK(lead->stale != NULL);
    struct store *store = lead->store;
    struct shard *shard = index_shard(store, lead->object->hash);
    struct store_object *object = object_new_refreshed(lead->stale, head, lead->stale->id);
    struct writer_job *job = NULL;
    struct trash trash;

    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *fill = index_find(shard, lead->object->hash, lead->object->id);
    if (fill != NULL) { /* else purged meanwhile: this response is for its own client only */
        int64_t soft_at_ms = entry_soft_at_ms(fill);
        index_remove(store, shard, fill, STORE_WAS_ABSENT, &trash);
        if (object != NULL) {
            job = refresh_enter(store, shard, object, soft_at_ms, &trash);
        }
    }
    lock_release(&shard->lock);
    trash_empty(store, &trash);
    if (job != NULL) {
        writer_push(store, job);
    }
    if (object == NULL) {
        object = store_object_ref(lead->stale); /* no memory: as it was, still validated */
    }
    renew_end(lead_in, object);
    return object;
}

/* [shard] The fill's entry becomes the variant's. Jobs for the writer, or NULL. */
static struct writer_job *adopt_enter(const struct store_lead *lead, struct shard *shard,
                                      struct entry *entry, struct store_object *object,
                                      struct trash *trash)
{
    struct store *store = lead->store;
    uint64_t bytes = store_object_length(object) + object->key_len + object->head_len;
    bool is_queued = store_has_disk(store) && writer_has_room(store, bytes);

    if (!commit_enter(lead, shard, entry, object, is_queued, trash)) {
        return NULL;
    }
    return is_queued ? commit_job(WRITER_COMMIT, object, bytes) : NULL;
}

struct store_object *store_lead_adopt(struct store_lead **lead_in, struct store_object *variant,
                                      const struct store_head *head)
{
    struct store_lead *lead = *lead_in;
    CHECK_OBJ(lead, LEAD_MAGIC);
    CHECK(store_object_is_whole(variant));
    struct store *store = lead->store;
    struct shard *shard = index_shard(store, lead->object->hash);
    struct store_object *object = object_new_refreshed(variant, head, lead->object->id);
    struct writer_job *job = NULL;
    struct trash trash;

    if (object == NULL) {
        return NULL;
    }
    if (head->max_variants != 0 && head->max_variants < lead->max_variants) {
        lead->max_variants = head->max_variants;
    }
    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *fill = index_find(shard, lead->object->hash, lead->object->id);
    if (fill != NULL) { /* else purged meanwhile */
        job = adopt_enter(lead, shard, fill, object, &trash);
    }
    lock_release(&shard->lock);
    trash_empty(store, &trash);
    if (job != NULL) {
        writer_push(store, job);
    }
    renew_end(lead_in, object);
    return object;
}

void store_object_renew(struct store *store, struct store_object *object,
                        const struct store_head *head, int64_t asked_at_ms)
{
    CHECK_OBJ(store, STORE_MAGIC);
    struct shard *shard = index_shard(store, object->hash);
    struct store_object *renewed = object_new_refreshed(object, head, object->id);
    struct writer_job *job = NULL;
    struct trash trash;

    if (renewed == NULL) {
        return;
    }
    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *entry = index_find(shard, object->hash, object->id);
    if (entry != NULL && entry->kind == ENTRY_READY) {
        int64_t soft_at_ms = entry_soft_at_ms(entry);
        job = refresh_enter(store, shard, renewed, soft_at_ms >= asked_at_ms ? soft_at_ms : 0,
                            &trash);
    }
    lock_release(&shard->lock);
    trash_empty(store, &trash);
    if (job != NULL) {
        writer_push(store, job);
    }
    store_object_unref(&renewed);
}

void store_lead_supersede(struct store_lead *lead)
{
    CHECK_OBJ(lead, LEAD_MAGIC);
    struct shard *shard = index_shard(lead->store, lead->object->hash);
    struct trash trash;

    if (lead->stale == NULL) {
        return;
    }
    trash_init(&trash);
    lock_acquire(&shard->lock);
    commit_supersede(lead->store, shard, lead->stale, &trash);
    lock_release(&shard->lock);
    trash_empty(lead->store, &trash);
}

bool store_lead_is_entered(const struct store_lead *lead)
{
    CHECK_OBJ(lead, LEAD_MAGIC);
    struct shard *shard = index_shard(lead->store, lead->object->hash);

    lock_acquire(&shard->lock);
    bool is_entered = index_find(shard, lead->object->hash, lead->object->id) != NULL;
    lock_release(&shard->lock);
    return is_entered;
}

unsigned store_variants(struct store *store, const struct store_key *key, struct store_object **out,
                        unsigned max)
{
    CHECK_OBJ(store, STORE_MAGIC);
    struct shard *shard = index_shard(store, key->hash);
    unsigned count = 0;

    lock_acquire(&shard->lock);
    for (struct entry *entry = index_chain(shard, key->hash.lo); entry != NULL && count < max;
         entry = entry->next) {
        if (entry_is(entry, key->hash) && entry->kind == ENTRY_READY && entry->object != NULL &&
            entry_soft_at_ms(entry) == 0 && store_object_is_whole(entry->object) &&
            span_eq(store_object_key(entry->object), key->bytes)) {
            out[count++] = store_object_ref(entry->object);
        }
    }
    lock_release(&shard->lock);
    return count;
}

void store_forget(struct store *store, const struct store_object *object)
{
    CHECK_OBJ(store, STORE_MAGIC);
    struct shard *shard = index_shard(store, object->hash);
    struct trash trash;

    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *entry = index_find(shard, object->hash, object->id);
    if (entry != NULL && entry->kind == ENTRY_READY) {
        index_remove(store, shard, entry, STORE_WAS_ABSENT, &trash);
        counter_add(&store->counters.replaced, 1);
    }
    lock_release(&shard->lock);
    trash_empty(store, &trash);
}
