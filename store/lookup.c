/*
 * lookup - the one decision: under one shard lock and with one probe, what does this request get?
 *
 * A miss needs an object to lead with, and memory of outsider-chosen size is not allocated under a
 * lock; so a lookup that decides to lead lets go, allocates, and decides again.
 *
 * Order of preference: a fresh object, a stale one that may be served, a mark that says the key is
 * not storable (then a fill of our own that nobody waits for), somebody's fill, the disk, a fill of
 * our own. Among matching objects the one with the latest date wins, or the one fetched last.
 */
#include "base/clock.h"
#include "store/ioq.h"
#include "store/settle.h"
#include "store/store_private.h"

struct lookup_probe {
    struct entry *best; /* matching READY entry of the latest date */
    struct entry *fill; /* a fill worth following */
    struct entry *pass; /* the key is not storable */
    struct entry *tomb;
    bool has_fill;    /* somebody leads, followable or not */
    bool has_variant; /* the key is there under another selector */
    uint64_t busy_id; /* a matching entry on disk that could not be loaded just now, or 0 */
};

/* What a lookup takes along for when it must lead. */
struct lookup_spare {
    struct store_object *object;
    uint64_t busy_id; /* this entry on disk could not be loaded: as if it were absent */
};

static bool lookup_same_key(const struct store_object *object, const struct store_lookup *lookup)
{
    return span_eq(store_object_key(object), lookup->key.bytes);
}

/* Of two that match? A revalidated one is older by id than what was fetched meanwhile. */
static bool lookup_is_newer(const struct entry *one, const struct entry *other)
{
    uint32_t one_s = entry_date_s(one);
    uint32_t other_s = entry_date_s(other);

    if (one_s != 0 && other_s != 0 && one_s != other_s) {
        return one_s > other_s;
    }
    return one->id > other->id;
}

static void lookup_probe_ready(struct entry *entry, const struct store_lookup *lookup,
                               uint64_t log_first, struct lookup_probe *probe)
{
    if (entry->object != NULL) {
        if (!lookup_same_key(entry->object, lookup)) {
            return; /* a collision: never ours */
        }
    } else if (entry->position < log_first) {
        return; /* its records have left the log, the entry is about to go */
    }
    if (!lookup->matches(index_selector(entry), lookup->ctx)) {
        probe->has_variant = true;
        return;
    }
    if (entry->object == NULL &&
        ((entry->flags & ENTRY_BUSY) != 0 || entry->id == probe->busy_id)) {
        if (!lookup->is_peek) {
            entry->flags &= ~(unsigned)ENTRY_BUSY & 0xfffu;
        }
        probe->busy_id = entry->id;
        return;
    }
    if (probe->best == NULL || UNLIKELY(lookup_is_newer(entry, probe->best))) {
        probe->best = entry;
    }
}

static void lookup_probe_fill(struct entry *entry, const struct store_lookup *lookup,
                              struct lookup_probe *probe)
{
    struct store_object *object = entry->object;
    int64_t soft_at_ms = entry_soft_at_ms(entry);

    if (!lookup_same_key(object, lookup)) {
        return;
    }
    /* acquire: pairs with the release in store_lead_head, after the head was written */
    if (atomic_load_explicit(&object->has_head, memory_order_acquire)) {
        if (!lookup->matches(object_selector(object), lookup->ctx)) {
            probe->has_variant = true;
            return;
        }
        probe->has_fill = true;
        if (lookup->judge(object->facts, soft_at_ms, lookup->ctx) == STORE_JUDGE_VALIDATE) {
            return; /* what is arriving may not be used without asking again */
        }
        probe->fill = entry;
        return;
    }
    probe->has_fill = true;
    if (soft_at_ms == 0 && probe->fill == NULL) {
        probe->fill = entry;
    }
}

/* NOLINTNEXTLINE(readability-function-size): one flat walk, the hottest one there is */
static struct lookup_probe lookup_probe_chain(struct store *store, const struct shard *shard,
                                              const struct store_lookup *lookup, uint64_t busy_id)
{
    struct lookup_probe probe = {.busy_id = busy_id};
    uint64_t log_first = atomic_load_explicit(&store->log_first, memory_order_relaxed);
    struct bucket *bucket = index_bucket_of(shard, lookup->key.hash.lo);

    object_prefetch(bucket->hint); /* harmless when there is none */
    for (struct entry *entry = bucket->first; entry != NULL; entry = entry->next) {
        if (!entry_is(entry, lookup->key.hash)) {
            continue;
        }
        switch ((enum entry_kind)entry->kind) {
        case ENTRY_READY:
            lookup_probe_ready(entry, lookup, log_first, &probe);
            break;
        case ENTRY_FILL:
            lookup_probe_fill(entry, lookup, &probe);
            break;
        case ENTRY_PASS:
            probe.pass = entry;
            break;
        case ENTRY_TOMB:
            probe.tomb = entry;
            break;
        case ENTRY_FREE:
            CHECK(entry->kind != ENTRY_FREE);
        }
    }
    return probe;
}

/* Enters the fill. The spare's reference becomes the lead's, the entry takes one of its own. */
static void lookup_lead(struct store *store, struct shard *shard, struct store_lookup *lookup,
                        struct lookup_spare *spare, struct store_object *stale)
{
    struct store_object *object = spare->object;

    spare->object = NULL;
    struct entry *entry = index_insert(store, shard, lookup->key.hash, ENTRY_FILL, object->id);
    entry->object = store_object_ref(object);
    lookup->lead = lead_new(store, object, stale == NULL ? NULL : store_object_ref(stale));
    lookup->lead->is_shared = true;
}

/* A lead in no table: it enters when its response turns out storable, if the mark still stands. So
 * thousands of them make no chain longer. */
static void lookup_solo(struct store *store, struct store_lookup *lookup,
                        struct lookup_spare *spare, const struct entry *mark)
{
    lookup->lead = lead_new(store, spare->object, NULL);
    lookup->lead->mark = mark->id;
    lookup->is_solo = true;
    spare->object = NULL;
}

static void lookup_give(struct shard *shard, struct entry *entry, struct store_object *object,
                        struct store_lookup *lookup)
{
    lookup->object = store_object_ref(object);
    lookup->object_on_disk = lookup->loaded == object;
    if (UNLIKELY(lookup->is_peek)) {
        return;
    }
    if (entry->object == object) {
        struct bucket *bucket = index_bucket_of(shard, entry->hash.lo);
        if (bucket->hint != object) {
            bucket->hint = object;
        }
        if (object->ram_frequency < 3) {
            object->ram_frequency++;
        }
    }
    if ((entry->flags & ENTRY_HIT) == 0) {
        entry->flags |= ENTRY_HIT;
    }
}

static struct store_object *lookup_ref(struct store_object *object)
{
    return object == NULL ? NULL : store_object_ref(object);
}

/* Nothing is in the index: has its load not got there yet? */
static bool lookup_may_be_on_disk(const struct shard *shard, const struct store_lookup *lookup,
                                  const struct lookup_probe *probe)
{
    return !shard->is_loaded && !lookup->is_new_key && probe->busy_id == 0 &&
           (probe->tomb == NULL || (probe->tomb->flags & ENTRY_TOMB_KNOWN) == 0);
}

/* Something matching is there but not fresh; or nothing is. needs_spare: come again with one. */
static enum store_verdict lookup_miss(struct store *store, struct shard *shard,
                                      struct store_lookup *lookup, const struct lookup_probe *probe,
                                      struct store_object *object, struct lookup_spare *spare)
{
    if (probe->pass != NULL) {
        bool is_lead = lookup->may_lead && lookup->may_solo;
        if (is_lead && spare->object == NULL) {
            lookup->is_solo = lookup->is_peek;
            return STORE_LEAD; /* come again with a spare */
        }
        lookup->stale = lookup_ref(object);
        if (is_lead) {
            lookup_solo(store, lookup, spare, probe->pass);
        }
        return is_lead ? STORE_LEAD : STORE_PASS;
    }
    if (probe->fill != NULL && lookup->may_follow) {
        lookup->object = store_object_ref(probe->fill->object);
        lookup->stale = lookup_ref(object);
        return STORE_FOLLOW;
    }
    if (object == NULL && lookup_may_be_on_disk(shard, lookup, probe)) {
        return STORE_DISK;
    }
    if (!lookup->may_lead) {
        lookup->stale = lookup_ref(object);
        return STORE_ABSENT;
    }
    if (lookup->is_peek) {
        lookup->object = lookup_ref(object);
    } else if (spare->object != NULL) {
        lookup_lead(store, shard, lookup, spare, object);
        lookup->object = lookup_ref(object);
    }
    return STORE_LEAD;
}

static enum store_verdict lookup_decide(struct store *store, struct shard *shard,
                                        struct store_lookup *lookup, struct lookup_spare *spare)
{
    struct lookup_probe probe = lookup_probe_chain(store, shard, lookup, spare->busy_id);
    struct store_object *object = NULL;
    struct trash trash;

    spare->busy_id = probe.busy_id;
    if (probe.pass != NULL && probe.pass->position <= clock_mono_us() / 1000) {
        if (!lookup->is_peek) {
            trash_init(&trash);
            index_remove(store, shard, probe.pass, STORE_WAS_ABSENT, &trash); /* holds nothing */
        }
        probe.pass = NULL;
    }
    if (probe.best == NULL) {
        lookup->absence =
            probe.has_variant ? STORE_WAS_VARIANT : index_reason(shard, lookup->key.hash);
        return lookup_miss(store, shard, lookup, &probe, NULL, spare);
    }
    object = probe.best->object;
    if (object == NULL && lookup->loaded != NULL && lookup->loaded->id == probe.best->id &&
        lookup_same_key(lookup->loaded, lookup)) {
        object = lookup->loaded;
    }
    if (object == NULL) {
        return STORE_DISK;
    }
    lookup->soft_at_ms = entry_soft_at_ms(probe.best);
    bool is_soft = lookup->soft_at_ms != 0;
    switch (lookup->judge(object->facts, lookup->soft_at_ms, lookup->ctx)) {
    case STORE_JUDGE_FRESH:
        lookup_give(shard, probe.best, object, lookup);
        return STORE_FRESH;
    case STORE_JUDGE_STALE:
        lookup->absence = is_soft ? STORE_WAS_PURGED_SOFT : STORE_WAS_EXPIRED;
        if (lookup->may_lead && !lookup->is_peek && !probe.has_fill) {
            if (spare->object == NULL) {
                return STORE_LEAD; /* come again with a spare */
            }
            lookup_lead(store, shard, lookup, spare, object);
        }
        lookup_give(shard, probe.best, object, lookup);
        return STORE_STALE;
    case STORE_JUDGE_VALIDATE:
        break;
    }
    lookup->absence = is_soft ? STORE_WAS_PURGED_SOFT : STORE_WAS_EXPIRED;
    return lookup_miss(store, shard, lookup, &probe, object, spare);
}

enum store_verdict store_lookup(struct store *store, struct store_lookup *lookup)
{
    CHECK_OBJ(store, STORE_MAGIC);
    struct shard *shard = index_shard(store, lookup->key.hash);
    struct lookup_spare spare = {0};

    lookup->object = NULL;
    lookup->stale = NULL;
    lookup->lead = NULL;
    lookup->absence = STORE_WAS_ABSENT;
    lookup->object_on_disk = false;
    lookup->is_solo = false;
    lookup->soft_at_ms = 0;
    lock_acquire(&shard->lock);
    enum store_verdict verdict = lookup_decide(store, shard, lookup, &spare);
    lock_release(&shard->lock);
    if (verdict != STORE_LEAD || lookup->is_peek) {
        if (verdict == STORE_FRESH && UNLIKELY(lookup->object->flow != NULL) && !lookup->is_peek &&
            store_object_is_whole(lookup->object)) {
            settle_note_hit(store, lookup->object);
        }
        return verdict;
    }
    spare.object = object_new_filling(store, &lookup->key, store_new_id(store));
    if (spare.object == NULL) {
        return STORE_PASS; /* no memory for it: fetch without storing */
    }
    lock_acquire(&shard->lock);
    verdict = lookup_decide(store, shard, lookup, &spare);
    lock_release(&shard->lock);
    store_object_unref(&spare.object); /* somebody else was faster */
    return verdict;
}

/* Which entry would this lookup read from disk? 0: whatever idx has for the key. */
static uint64_t lookup_disk_id(struct store *store, const struct store_lookup *lookup)
{
    struct shard *shard = index_shard(store, lookup->key.hash);

    lock_acquire(&shard->lock);
    struct lookup_probe probe = lookup_probe_chain(store, shard, lookup, 0);
    uint64_t id = probe.best == NULL ? 0 : probe.best->id;
    lock_release(&shard->lock);
    return id;
}

struct store_load *store_load_start(struct store *store, const struct store_lookup *lookup,
                                    struct mailbox *box,
                                    void (*done)(void *ctx, struct store_object *object), void *ctx)
{
    return ioq_load(store, &lookup->key, lookup_disk_id(store, lookup), box, done, ctx);
}
