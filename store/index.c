/*
 * index - linear hashing in segments that double: bucket i lies in segment log2, so growth never
 * moves a bucket array and splits one chain per insertion. Entries come from a slab of cache lines.
 *
 * Refused: open addressing (a stop to rehash each time it fills, and no place for variants of one
 * key); a separate table for fills (a second probe and a second lock for each miss).
 */
#include "store/index.h"

#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "store/store_private.h"

#define BLOCK_ENTRIES 64u
#define POOL_BYTES ((size_t)2 * 1024 * 1024)

struct entry_pool {
    struct entry_pool *next;
    char *start;
    size_t used;
};

struct shard *index_shard(struct store *store, struct hash128 hash)
{
    return &store->shards[index_shard_number(hash)];
}

/* ---- buckets ---- */

static struct bucket *index_bucket(const struct shard *shard, uint32_t i)
{
    if (i < INDEX_SEGMENT_BUCKETS) {
        return &shard->segments[0][i];
    }
    /* Segment s >= 1 holds buckets [FIRST << (s - 1), FIRST << s). */
    uint32_t s = 32u - (uint32_t)__builtin_clz(i / INDEX_SEGMENT_BUCKETS);
    return &shard->segments[s][i - (INDEX_SEGMENT_BUCKETS << (s - 1))];
}

static uint32_t index_bucket_number(const struct shard *shard, uint64_t hash_lo)
{
    uint32_t i = (uint32_t)hash_lo & (shard->level_mask * 2 + 1);

    return i < shard->bucket_count ? i : ((uint32_t)hash_lo & shard->level_mask);
}

struct entry *index_chain(const struct shard *shard, uint64_t hash_lo)
{
    return index_bucket(shard, index_bucket_number(shard, hash_lo))->first;
}

struct bucket *index_bucket_of(const struct shard *shard, uint64_t hash_lo)
{
    return index_bucket(shard, index_bucket_number(shard, hash_lo));
}

/* Adds one bucket and splits the one it shares its low bits with; order in chains is kept. */
static void index_grow(struct store *store, struct shard *shard)
{
    uint32_t added = shard->bucket_count;

    if (added > shard->level_mask * 2 + 1) {
        return; /* cannot be: the level is raised below */
    }
    if ((added & (added - 1)) == 0 && added >= INDEX_SEGMENT_BUCKETS) {
        uint32_t s = 32u - (uint32_t)__builtin_clz(added / INDEX_SEGMENT_BUCKETS);
        if (s >= INDEX_SEGMENTS) {
            return; /* 2 billion entries: chains grow from here on */
        }
        shard->segments[s] = mem_new((size_t)added * sizeof(struct bucket));
        shard->index_bytes += (uint64_t)added * sizeof(struct bucket);
        ram_count(store, (uint64_t)added * sizeof(struct bucket));
    }
    shard->bucket_count = added + 1;
    struct entry **from = &index_bucket(shard, added & shard->level_mask)->first;
    struct entry **to = &index_bucket(shard, added)->first;
    while (*from != NULL) {
        struct entry *entry = *from;
        if (index_bucket_number(shard, entry->hash.lo) == added) {
            *from = entry->next;
            entry->next = NULL;
            *to = entry;
            to = &entry->next;
        } else {
            from = &entry->next;
        }
    }
    if (shard->bucket_count == (shard->level_mask + 1) * 2) {
        shard->level_mask = shard->level_mask * 2 + 1;
    }
}

/* ---- slab ---- */

/* Entries live in huge pages of their own: scattered over the heap between the objects, each probe
 * would miss the TLB as well (measured: 330 ns of a 1.1 us lookup among 100,000 objects). */
static void index_pool_grow(struct store *store)
{
    struct entry_pool *pool = mem_new(sizeof(*pool));
    char *block =
        mmap(NULL, 2 * POOL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(block != MAP_FAILED);
    size_t past = (uintptr_t)block & ((uintptr_t)POOL_BYTES - 1);
    size_t before = past == 0 ? 0 : POOL_BYTES - past;
    char *start = block + before;

    /* Only the aligned half is kept; it becomes memory as it is touched. */
    if (before > 0) {
        (void)munmap(block, before);
    }
    if (before < POOL_BYTES) {
        (void)munmap(start + POOL_BYTES, POOL_BYTES - before);
    }
    (void)madvise(start, POOL_BYTES, MADV_HUGEPAGE);
    pool->start = start;
    pool->next = store->pools;
    store->pools = pool;
}

/* A block of entries for a shard. */
static struct entry *index_pool_take(struct store *store)
{
    lock_acquire(&store->pool_lock);
    if (store->pools == NULL || store->pools->used == POOL_BYTES) {
        index_pool_grow(store);
    }
    struct entry *entries = (struct entry *)(void *)(store->pools->start + store->pools->used);
    store->pools->used += BLOCK_ENTRIES * sizeof(struct entry);
    lock_release(&store->pool_lock);
    ram_count(store, BLOCK_ENTRIES * sizeof(struct entry));
    return entries;
}

static struct entry *index_entry_new(struct store *store, struct shard *shard)
{
    if (shard->free == NULL) {
        struct entry *entries = index_pool_take(store);
        for (uint32_t i = 0; i < BLOCK_ENTRIES; i++) {
            entries[i].next = shard->free;
            shard->free = &entries[i];
        }
    }
    struct entry *entry = shard->free;
    shard->free = entry->next;
    memset(entry, 0, sizeof(*entry));
    return entry;
}

void index_init(struct store *store)
{
    lock_init(&store->pool_lock, LOCK_QUEUE);
    for (uint32_t i = 0; i < INDEX_SHARDS; i++) {
        struct shard *shard = &store->shards[i];
        lock_init(&shard->lock, LOCK_SHARD);
        shard->bucket_count = INDEX_SEGMENT_BUCKETS;
        shard->level_mask = INDEX_SEGMENT_BUCKETS - 1;
        shard->segments[0] = mem_new(INDEX_SEGMENT_BUCKETS * sizeof(struct bucket));
        shard->reasons = mem_new(INDEX_REASONS * sizeof(uint64_t));
        list_init(&shard->pass_marks);
        shard->is_loaded = true;
        ram_init_shard(shard);
    }
}

/* [shard] Nothing is told to the disk. */
static void index_forget(struct store *store, struct shard *shard, struct entry *entry,
                         struct trash *trash)
{
    CHECK(entry->kind != ENTRY_FILL);
    entry->position = 0;
    entry->flags = 0;
    index_remove(store, shard, entry, STORE_WAS_ABSENT, trash);
}

static void index_empty(struct store *store, struct shard *shard, struct trash *trash)
{
    lock_acquire(&shard->lock);
    for (uint32_t b = 0; b < shard->bucket_count; b++) {
        struct entry **bucket = &index_bucket(shard, b)->first;
        while (*bucket != NULL) {
            index_forget(store, shard, *bucket, trash);
        }
    }
    lock_release(&shard->lock);
}

void index_fini(struct store *store)
{
    struct trash trash;

    for (uint32_t i = 0; i < INDEX_SHARDS; i++) {
        struct shard *shard = &store->shards[i];
        trash_init(&trash);
        index_empty(store, shard, &trash);
        CHECK(trash.jobs == NULL);
        trash_empty(store, &trash);
        for (uint32_t s = 0; s < INDEX_SEGMENTS; s++) {
            mem_free(shard->segments[s]);
        }
        mem_free(shard->reasons);
        ram_fini_shard(shard);
        lock_fini(&shard->lock);
    }
    while (store->pools != NULL) {
        struct entry_pool *pool = store->pools;
        store->pools = pool->next;
        (void)munmap(pool->start, POOL_BYTES);
        mem_free(pool);
    }
    lock_fini(&store->pool_lock);
}

/* ---- entries ---- */

struct entry *index_find(const struct shard *shard, struct hash128 hash, uint64_t id)
{
    CHECK(lock_is_held(&shard->lock));
    for (struct entry *entry = index_chain(shard, hash.lo); entry != NULL; entry = entry->next) {
        if (entry_is(entry, hash) && entry->id == id &&
            (entry->kind == ENTRY_READY || entry->kind == ENTRY_FILL)) {
            return entry;
        }
    }
    return NULL;
}

static void index_count_bytes(struct shard *shard, int64_t bytes)
{
    shard->index_bytes = (uint64_t)((int64_t)shard->index_bytes + bytes);
}

struct entry *index_insert(struct store *store, struct shard *shard, struct hash128 hash,
                           enum entry_kind kind, uint64_t id)
{
    CHECK(lock_is_held(&shard->lock) && id <= INDEX_48_BITS);
    struct entry *entry = index_entry_new(store, shard);
    struct entry **bucket = &index_bucket_of(shard, hash.lo)->first;

    entry->hash = hash;
    entry->kind = kind & 15u;
    entry->id = id & INDEX_48_BITS;
    entry->next = *bucket;
    *bucket = entry;
    shard->entry_count++;
    index_count_bytes(shard, sizeof(*entry));
    if (kind == ENTRY_READY) {
        shard->ready_count++;
    } else if (kind == ENTRY_FILL) {
        shard->fill_count++;
    }
    /* At most three quarters full: a stranger's entry on the way is a cache miss for nothing. */
    for (uint32_t i = 0; i < 2 && shard->entry_count * 4 > shard->bucket_count * UINT64_C(3); i++) {
        index_grow(store, shard);
    }
    return entry;
}

void index_fill_to_ready(struct shard *shard, struct entry *entry)
{
    CHECK(entry->kind == ENTRY_FILL);
    entry->kind = ENTRY_READY;
    shard->fill_count--;
    shard->ready_count++;
}

static void index_unlink(struct shard *shard, struct entry *entry)
{
    struct entry **at = &index_bucket_of(shard, entry->hash.lo)->first;

    while (*at != entry) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = entry->next;
}

void index_drop_object(struct shard *shard, struct entry *entry, struct trash *trash)
{
    struct store_object *object = entry->object;

    if (object == NULL) {
        return;
    }
    ram_remove(shard, object);
    entry->object = NULL;
    CHECK(list_is_empty(&object->ram_node));
    list_push(&trash->objects, &object->ram_node);
}

void index_set_object(struct shard *shard, struct entry *entry, struct store_object *object,
                      struct trash *trash)
{
    CHECK(entry->kind == ENTRY_READY && object->id == entry->id);
    index_drop_object(shard, entry, trash);
    entry->object = store_object_ref(object);
    index_bucket_of(shard, entry->hash.lo)->hint = object;
    ram_insert(shard, object);
}

/* The block beside the entry, made anew. selector may lie in the one before. */
static void index_set_block(struct store *store, struct shard *shard, struct entry *entry,
                            struct span selector, uint32_t date_s, int64_t soft_at_ms)
{
    struct selector *old = entry->selector;

    entry->selector = NULL;
    if (selector.len > 0 || soft_at_ms != 0) {
        /* Bounded by the stored head's limit; refused memory ends the process as for an entry. */
        size_t bytes = sizeof(*entry->selector) + selector.len;
        entry->selector = mem_new(bytes);
        entry->selector->soft_at_ms = soft_at_ms;
        entry->selector->len = (uint32_t)selector.len;
        entry->selector->date_s = date_s;
        if (selector.len > 0) {
            memcpy(entry->selector->bytes, selector.ptr, selector.len);
        }
        index_count_bytes(shard, (int64_t)bytes);
        ram_count(store, bytes);
    }
    if (old != NULL) {
        size_t bytes = sizeof(*old) + old->len;
        index_count_bytes(shard, -(int64_t)bytes);
        ram_release(store, bytes);
        mem_free(old);
    }
}

void index_remove(struct store *store, struct shard *shard, struct entry *entry,
                  enum store_absence why, struct trash *trash)
{
    CHECK(lock_is_held(&shard->lock));
    index_unlink(shard, entry);
    if (entry->kind == ENTRY_PASS) {
        list_remove(&entry->pass_node);
        shard->pass_count--;
    } else if (entry->kind == ENTRY_READY) {
        index_drop_object(shard, entry, trash);
        shard->ready_count--;
        if (store->writer != NULL && (entry->position != 0 || (entry->flags & ENTRY_QUEUED))) {
            struct writer_job *job = writer_job_new(WRITER_DELETE, entry->hash, entry->id);
            job->next = trash->jobs;
            trash->jobs = job;
        }
        index_set_position(shard, entry, 0);
        index_set_block(store, shard, entry, span_of(NULL, 0), 0, 0);
    } else if (entry->kind == ENTRY_FILL) {
        /* The fill's object is in no queue; its reference goes the same way. */
        CHECK(list_is_empty(&entry->object->ram_node));
        list_push(&trash->objects, &entry->object->ram_node);
        shard->fill_count--;
        index_set_block(store, shard, entry, span_of(NULL, 0), 0, 0);
    }
    if (why != STORE_WAS_ABSENT) {
        index_note_reason(shard, entry->hash, why);
    }
    shard->entry_count--;
    index_count_bytes(shard, -(int64_t)sizeof(*entry));
    entry->kind = ENTRY_FREE;
    entry->next = shard->free;
    shard->free = entry;
}

void index_set_position(struct shard *shard, struct entry *entry, uint64_t position)
{
    CHECK(position <= INDEX_48_BITS);
    if (entry->position != 0 && position == 0) {
        shard->disk_count--;
        shard->disk_object_bytes -= entry_size(entry);
    } else if (entry->position == 0 && position != 0) {
        shard->disk_count++;
        shard->disk_object_bytes += entry_size(entry);
    }
    entry->position = position & INDEX_48_BITS;
}

void index_set_size(struct shard *shard, struct entry *entry, uint64_t bytes)
{
    if (entry->position != 0) {
        shard->disk_object_bytes -= entry_size(entry);
        shard->disk_object_bytes += bytes;
    }
    entry->size_low = (uint32_t)bytes;
    entry->size_high = (bytes >> 32) & 0xffffu;
}

void index_set_selector(struct store *store, struct shard *shard, struct entry *entry,
                        struct span selector, uint32_t date_s)
{
    index_set_block(store, shard, entry, selector, date_s,
                    entry->selector == NULL ? 0 : entry->selector->soft_at_ms);
}

void index_set_soft(struct store *store, struct shard *shard, struct entry *entry, int64_t at_ms)
{
    int64_t before_ms = entry_soft_at_ms(entry);

    if (at_ms == before_ms || (before_ms != 0 && before_ms < at_ms)) {
        return; /* nothing new, or stale since then */
    }
    entry->flags &= ~(unsigned)ENTRY_SOFT & 0xfffu;
    entry->flags |= at_ms != 0 ? ENTRY_SOFT : 0u;
    uint32_t date_s = entry->selector == NULL ? 0 : entry->selector->date_s;
    index_set_block(store, shard, entry, index_selector(entry), date_s, at_ms);
}

struct span index_selector(const struct entry *entry)
{
    return entry->selector == NULL ? span_of(NULL, 0)
                                   : span_of(entry->selector->bytes, entry->selector->len);
}

/* ---- marks ---- */

struct entry *index_find_pass(const struct shard *shard, struct hash128 hash)
{
    for (struct entry *entry = index_chain(shard, hash.lo); entry != NULL; entry = entry->next) {
        if (entry_is(entry, hash) && entry->kind == ENTRY_PASS) {
            return entry;
        }
    }
    return NULL;
}

void index_set_pass(struct store *store, struct shard *shard, struct hash128 hash,
                    uint64_t until_ms)
{
    struct trash trash;
    struct entry *entry = index_find_pass(shard, hash);

    if (entry != NULL) {
        entry->position = until_ms & INDEX_48_BITS;
        return;
    }
    trash_init(&trash);
    if (shard->pass_count >= INDEX_PASS_MAX) {
        struct entry *oldest = CONTAINER_OF(shard->pass_marks.next, struct entry, pass_node);
        index_remove(store, shard, oldest, STORE_WAS_ABSENT, &trash);
    }
    entry = index_insert(store, shard, hash, ENTRY_PASS, store_new_id(store));
    entry->position = until_ms & INDEX_48_BITS;
    list_push(&shard->pass_marks, &entry->pass_node);
    shard->pass_count++;
}

static uint64_t *index_reason_place(const struct shard *shard, struct hash128 hash)
{
    return &shard->reasons[(hash.lo >> 20) & (INDEX_REASONS - 1)];
}

void index_note_reason(struct shard *shard, struct hash128 hash, enum store_absence why)
{
    *index_reason_place(shard, hash) = (hash.hi << 8) | (uint64_t)why;
}

enum store_absence index_reason(const struct shard *shard, struct hash128 hash)
{
    uint64_t noted = *index_reason_place(shard, hash);

    return noted >> 8 == (hash.hi << 8) >> 8 && noted != 0 ? (enum store_absence)(noted & 0xff)
                                                           : STORE_WAS_ABSENT;
}

struct entry *index_tomb(struct store *store, struct shard *shard, struct hash128 hash, bool make)
{
    for (struct entry *entry = index_chain(shard, hash.lo); entry != NULL; entry = entry->next) {
        if (entry_is(entry, hash) && entry->kind == ENTRY_TOMB) {
            return entry;
        }
    }
    return make ? index_insert(store, shard, hash, ENTRY_TOMB, 0) : NULL;
}

void index_sweep_tombs(struct store *store, struct shard *shard)
{
    struct trash trash;

    trash_init(&trash);
    for (uint32_t b = 0; b < shard->bucket_count; b++) {
        struct entry *entry = index_bucket(shard, b)->first;
        while (entry != NULL) {
            struct entry *next = entry->next;
            if (entry->kind == ENTRY_TOMB) {
                index_remove(store, shard, entry, STORE_WAS_ABSENT, &trash);
            }
            entry = next;
        }
    }
}

bool index_walk(struct shard *shard, uint32_t *cursor, uint32_t buckets,
                void (*visit)(struct shard *shard, struct entry *entry, void *ctx), void *ctx)
{
    for (uint32_t i = 0; i < buckets && *cursor < shard->bucket_count; i++, (*cursor)++) {
        struct entry *entry = index_bucket(shard, *cursor)->first;
        while (entry != NULL) {
            struct entry *next = entry->next;
            visit(shard, entry, ctx);
            entry = next;
        }
    }
    return *cursor < shard->bucket_count;
}

/* ---- trash ---- */

void trash_init(struct trash *trash)
{
    list_init(&trash->objects);
    trash->jobs = NULL;
}

void trash_empty(struct store *store, struct trash *trash)
{
    for (struct list *node; (node = list_pop(&trash->objects)) != NULL;) {
        struct store_object *object = CONTAINER_OF(node, struct store_object, ram_node);
        store_object_unref(&object);
    }
    if (trash->jobs != NULL) {
        writer_push(store, trash->jobs);
        trash->jobs = NULL;
    }
}
