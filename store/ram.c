/*
 * ram - budget and S3-FIFO.
 *
 * `used` counts memory that is really allocated, not what queues think: an object evicted while a
 * slow client still holds it stays counted, and the evictor goes on to the next. Objects somebody
 * holds are passed over for that reason, they would give nothing back. The queues live in the
 * shards, so insertion and eviction need no lock of their own; victims come from the shards in
 * turn, which with a keyed hash is as good as one queue.
 */
#include "store/ram.h"

#include <string.h>

#include "base/clock.h"
#include "store/store_private.h"

#define RAM_FREQUENCY_MAX 3u
#define RAM_STREAM_SHARE 8u                  /* an object may take this part of the budget */
#define RAM_OBJECT_MAX (64u * 1024u * 1024u) /* and no more than this */
#define RAM_SLACK_SHARE 64u
#define RAM_SLACK_MAX (1024u * 1024u)
#define RAM_GHOSTS 1024u
#define RAM_LOOKS 32u /* queue heads looked at per shard and turn */

void ram_init_shard(struct shard *shard)
{
    list_init(&shard->ram.small);
    list_init(&shard->ram.main);
    shard->ram.ghost_mask = RAM_GHOSTS - 1;
    shard->ram.ghost = mem_new(RAM_GHOSTS * sizeof(uint32_t));
}

void ram_fini_shard(struct shard *shard)
{
    mem_free(shard->ram.ghost);
}

/* The ghost queue is a table that newer keys overwrite: as many keys as main has objects, roughly
 * in order of age, two cache misses cheaper than a list. */
static uint32_t *ram_ghost_place(struct shard *shard, struct hash128 hash, uint32_t *tag)
{
    *tag = (uint32_t)(hash.hi & 0xffffffffu) | 1u;
    return &shard->ram.ghost[(uint32_t)(hash.lo >> 32) & shard->ram.ghost_mask];
}

/* Keeps the ghost at least as large as the number of objects in the queues. */
static void ram_ghost_grow(struct shard *shard)
{
    uint32_t size = (shard->ram.ghost_mask + 1) * 2;

    if (shard->ram.resident < shard->ram.ghost_mask || size > (1u << 20)) {
        return;
    }
    mem_free(shard->ram.ghost);
    shard->ram.ghost = mem_new((size_t)size * sizeof(uint32_t));
    shard->ram.ghost_mask = size - 1;
}

static void ram_enqueue(struct shard *shard, struct store_object *object, enum ram_queue queue)
{
    object->ram_queue = (uint8_t)queue;
    if (queue == RAM_QUEUE_SMALL) {
        list_push(&shard->ram.small, &object->ram_node);
        shard->ram.small_bytes += object->ram_charge;
    } else {
        list_push(&shard->ram.main, &object->ram_node);
        shard->ram.main_bytes += object->ram_charge;
    }
}

static void ram_dequeue(struct shard *shard, struct store_object *object)
{
    list_remove(&object->ram_node);
    if (object->ram_queue == RAM_QUEUE_SMALL) {
        shard->ram.small_bytes -= object->ram_charge;
    } else {
        shard->ram.main_bytes -= object->ram_charge;
    }
    object->ram_queue = RAM_QUEUE_NONE;
}

void ram_insert(struct shard *shard, struct store_object *object)
{
    uint32_t tag;
    uint32_t *place = ram_ghost_place(shard, object->hash, &tag);
    bool was_ghost = *place == tag;

    CHECK(lock_is_held(&shard->lock) && object->ram_queue == RAM_QUEUE_NONE);
    if (was_ghost) {
        *place = 0;
    }
    object->ram_frequency = 0;
    object->ram_charge = object_weight(object);
    ram_enqueue(shard, object, was_ghost ? RAM_QUEUE_MAIN : RAM_QUEUE_SMALL);
    shard->ram.resident++;
    ram_ghost_grow(shard);
}

void ram_remove(struct shard *shard, struct store_object *object)
{
    CHECK(lock_is_held(&shard->lock));
    if (object->ram_queue != RAM_QUEUE_NONE) {
        ram_dequeue(shard, object);
        shard->ram.resident--;
    }
}

/* Lets the object go: its entry stays when the disk has it. */
static void ram_evict(struct store *store, struct shard *shard, struct entry *entry,
                      struct trash *trash)
{
    if (entry->position != 0) {
        index_drop_object(shard, entry, trash);
    } else {
        index_remove(store, shard, entry, STORE_WAS_EVICTED, trash);
    }
    counter_add(&store->counters.evicted_memory, 1);
}

/* One look at the head of a queue. True when something was evicted. */
static bool ram_look(struct store *store, struct shard *shard, struct list *queue, int64_t now_s,
                     struct trash *trash)
{
    struct store_object *object = CONTAINER_OF(queue->next, struct store_object, ram_node);
    struct entry *entry = index_find(shard, object->hash, object->id);
    bool is_small = object->ram_queue == RAM_QUEUE_SMALL;

    CHECK(entry != NULL && entry->object == object);
    /* acquire: a holder that let go is done with it */
    bool is_held = atomic_load_explicit(&object->refs, memory_order_acquire) > 1 ||
                   (entry->flags & ENTRY_QUEUED) != 0;
    bool is_useless = entry->useless_after_s != 0 && entry->useless_after_s < now_s;
    bool is_wanted = object->ram_frequency > (is_small ? 1 : 0) && !is_useless;
    if (is_held || is_wanted) {
        ram_dequeue(shard, object);
        if (!is_small && object->ram_frequency > 0 && is_wanted) {
            object->ram_frequency--;
        } else if (is_small && is_wanted) {
            object->ram_frequency = 0;
        }
        ram_enqueue(shard, object, is_small && !is_wanted ? RAM_QUEUE_SMALL : RAM_QUEUE_MAIN);
        return false;
    }
    if (is_small) {
        uint32_t tag;
        uint32_t *place = ram_ghost_place(shard, object->hash, &tag);
        *place = tag;
    }
    ram_evict(store, shard, entry, trash);
    return true;
}

/* Evicts one object of the shard. */
static bool ram_evict_one(struct store *store, struct shard *shard)
{
    struct trash trash;
    bool done = false;
    int64_t now_s = clock_wall_ms() / 1000;

    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct ram_fifo *ram = &shard->ram;
    for (uint32_t i = 0; i < RAM_LOOKS && !done && ram->resident > 0; i++) {
        bool from_small = !list_is_empty(&ram->small) &&
                          (list_is_empty(&ram->main) ||
                           ram->small_bytes > (ram->small_bytes + ram->main_bytes) / 10);
        done = ram_look(store, shard, from_small ? &ram->small : &ram->main, now_s, &trash);
    }
    lock_release(&shard->lock);
    trash_empty(store, &trash);
    return done;
}

/* What is kept to: a little less than the budget, for what is counted under locks (index blocks,
 * selectors, slots), where nothing can be evicted. */
static uint64_t ram_target(const struct store *store)
{
    uint64_t budget = atomic_load_explicit(&store->ram.budget, memory_order_relaxed);
    uint64_t slack = budget / RAM_SLACK_SHARE;

    return budget - (slack < RAM_SLACK_MAX ? slack : RAM_SLACK_MAX);
}

bool ram_trim(struct store *store)
{
    /* Everything held or wanted loses its frequency in a few rounds; more rounds find nothing. */
    uint32_t misses = 0;

    while (atomic_load_explicit(&store->ram.used, memory_order_relaxed) > ram_target(store)) {
        uint32_t i = atomic_fetch_add_explicit(&store->ram.next_shard, 1, memory_order_relaxed);
        if (ram_evict_one(store, &store->shards[i % INDEX_SHARDS])) {
            misses = 0;
        } else if (++misses > INDEX_SHARDS * 2) {
            return false;
        }
    }
    return true;
}

void ram_count(struct store *store, uint64_t bytes)
{
    atomic_fetch_add_explicit(&store->ram.used, bytes, memory_order_relaxed);
}

bool ram_reserve(struct store *store, uint64_t bytes)
{
    uint64_t used = atomic_fetch_add_explicit(&store->ram.used, bytes, memory_order_relaxed);

    if (LIKELY(used + bytes <= ram_target(store))) {
        return true;
    }
    return ram_trim(store);
}

void ram_release(struct store *store, uint64_t bytes)
{
    uint64_t before = atomic_fetch_sub_explicit(&store->ram.used, bytes, memory_order_relaxed);

    CHECK(before >= bytes);
}

uint64_t ram_object_limit(const struct store *store)
{
    uint64_t limit =
        atomic_load_explicit(&store->ram.budget, memory_order_relaxed) / RAM_STREAM_SHARE;

    return limit < RAM_OBJECT_MAX ? limit : RAM_OBJECT_MAX;
}

bool ram_is_tight(const struct store *store)
{
    uint64_t budget = atomic_load_explicit(&store->ram.budget, memory_order_relaxed);

    return atomic_load_explicit(&store->ram.used, memory_order_relaxed) > budget - budget / 16;
}
