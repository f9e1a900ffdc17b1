/*
 * object - how objects and chunks are laid out, counted and freed.
 *
 * A small object is one allocation, so that a hit touches few cache lines: with 100,000 objects of
 * 1-4 KB the misses of the processor's cache are what a hit costs.
 */
#include "store/object.h"

#include <string.h>

#include "base/check.h"
#include "store/ram.h"
#include "store/store_private.h"

/* ---- chunks ---- */

struct chunk *chunk_new(struct store *store, uint32_t cap)
{
    (void)ram_reserve(store, sizeof(struct chunk) + cap);
    struct chunk *chunk = mem_try(sizeof(*chunk) + cap);

    if (chunk == NULL) {
        ram_release(store, sizeof(*chunk) + cap);
        return NULL;
    }
    atomic_init(&chunk->refs, 1);
    chunk->cap = cap;
    chunk->store = store;
    chunk->data = chunk->bytes;
    chunk->pin = NULL;
    return chunk;
}

struct chunk *chunk_new_pinned(struct store *store, void *pin, void (*unpin)(void *pin),
                               const char *data, uint32_t len)
{
    (void)ram_reserve(store, sizeof(struct chunk) + len);
    struct chunk *chunk = mem_new(sizeof(*chunk));

    atomic_init(&chunk->refs, 1);
    chunk->cap = len;
    chunk->store = store;
    chunk->data = data;
    chunk->pin = pin;
    chunk->unpin = unpin;
    return chunk;
}

struct chunk *chunk_ref(struct chunk *chunk)
{
    int32_t before = atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);

    CHECK(before > 0);
    return chunk;
}

void chunk_unref(struct chunk **chunk_in)
{
    struct chunk *chunk = *chunk_in;

    *chunk_in = NULL;
    if (chunk == NULL) {
        return;
    }
    /* acq_rel: the last owner sees all others' reads done before it frees */
    int32_t before = atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel);
    CHECK(before > 0);
    if (before == 1) {
        ram_release(chunk->store, sizeof(*chunk) + chunk->cap);
        if (chunk->pin != NULL) {
            chunk->unpin(chunk->pin);
        }
        mem_free(chunk);
    }
}

/* ---- flows ---- */

static void flow_init(struct flow *flow, struct slot *slots, uint32_t count)
{
    memset(flow, 0, sizeof(*flow));
    lock_init(&flow->lock, LOCK_OBJECT);
    list_init(&flow->readers);
    flow->slots = slots;
    flow->slot_cap = count;
}

enum err flow_reserve(struct store *store, struct store_object *object, uint32_t count)
{
    struct flow *flow = object->flow;

    if (count <= flow->slot_cap) {
        return ERR_OK;
    }
    uint32_t cap = flow->slot_cap < 4 ? 8 : flow->slot_cap * 2;
    while (cap < count) {
        cap *= 2;
    }
    struct slot *slots = mem_try((size_t)cap * sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    memset(slots, 0, (size_t)cap * sizeof(*slots));
    memcpy(slots, flow->slots, (size_t)flow->slot_count * sizeof(*slots));
    if (flow->slots != (struct slot *)(void *)(flow + 1)) {
        mem_free(flow->slots);
    }
    uint64_t more = (uint64_t)(cap - flow->slot_cap) * sizeof(*slots);
    ram_count(store, more);
    object->charge += more;
    flow->slots = slots;
    flow->slot_cap = cap;
    return ERR_OK;
}

void flow_drop_chunk(struct flow *flow, uint32_t i)
{
    if (flow->slots[i].chunk != NULL) {
        chunk_unref(&flow->slots[i].chunk);
        flow->resident_count--;
    }
}

static void flow_fini(struct flow *flow)
{
    CHECK(list_is_empty(&flow->readers) && flow->lead == NULL);
    for (uint32_t i = 0; i < flow->slot_count; i++) {
        flow_drop_chunk(flow, i);
    }
    if (flow->slots != (struct slot *)(void *)(flow + 1)) {
        mem_free(flow->slots);
    }
    memfile_unref(&flow->memfile);
    store_object_unref(&flow->renewed);
    lock_fini(&flow->lock);
}

/* ---- objects ---- */

static struct store_object *object_alloc(struct store *store, size_t extra, uint64_t id)
{
    size_t bytes = sizeof(struct store_object) + extra;

    (void)ram_reserve(store, bytes);
    struct store_object *object = mem_try(bytes);
    if (object == NULL) {
        ram_release(store, bytes);
        return NULL;
    }
    memset(object, 0, sizeof(*object));
    object->magic = OBJECT_MAGIC;
    atomic_init(&object->refs, 1);
    atomic_init(&object->whole, false);
    atomic_init(&object->has_head, false);
    list_init(&object->ram_node);
    object->id = id;
    object->store = store;
    object->charge = bytes;
    return object;
}

static char *object_put(char *at, struct span data)
{
    if (data.len > 0) {
        memcpy(at, data.ptr, data.len);
    }
    return at + data.len;
}

static size_t object_text_bytes(const struct store_key *key, const struct store_head *head)
{
    return key->bytes.len + head->selector.len + head->head.len;
}

static uint32_t object_date(int64_t date_s)
{
    return date_s < 0 ? 0 : date_s > UINT32_MAX ? UINT32_MAX : (uint32_t)date_s;
}

/* Key, selector and head one after another; returns the end. */
static char *object_put_text(struct store_object *object, char *at, const struct store_key *key,
                             const struct store_head *head)
{
    object->hash = key->hash;
    object->key = at;
    object->key_len = (uint32_t)key->bytes.len;
    at = object_put(at, key->bytes);
    object->selector_len = (uint32_t)head->selector.len;
    at = object_put(at, head->selector);
    object->head = at;
    object->head_len = (uint32_t)head->head.len;
    at = object_put(at, head->head);
    memcpy(object->facts, head->facts, sizeof(object->facts));
    object->useless_after_s = head->useless_after_s;
    object->date_s = object_date(head->date_s);
    atomic_store_explicit(&object->length, head->length, memory_order_relaxed);
    return at;
}

struct store_object *object_new_filling(struct store *store, const struct store_key *key,
                                        uint64_t id)
{
    size_t extra = sizeof(struct flow) + sizeof(struct slot) + key->bytes.len;
    struct store_object *object = object_alloc(store, extra, id);

    if (object == NULL) {
        return NULL;
    }
    object->flow = (struct flow *)(void *)(object + 1);
    struct slot *slots = (struct slot *)(void *)(object->flow + 1);
    memset(slots, 0, sizeof(*slots));
    flow_init(object->flow, slots, 1);
    object->flow->keeps_loaded = true;
    object->hash = key->hash;
    object->key = (char *)(slots + 1);
    object->key_len = (uint32_t)key->bytes.len;
    (void)object_put((char *)(slots + 1), key->bytes);
    atomic_store_explicit(&object->length, STORE_LENGTH_UNKNOWN, memory_order_relaxed);
    return object;
}

struct store_object *object_new_compact(struct store *store, const struct store_key *key,
                                        const struct store_head *head, uint64_t id, char **room)
{
    CHECK(head->length <= STORE_PIECE_BYTES);
    size_t extra = object_text_bytes(key, head) + (size_t)head->length;
    struct store_object *object = object_alloc(store, extra, id);

    if (object == NULL) {
        return NULL;
    }
    char *at = object_put_text(object, (char *)(object + 1), key, head);
    object->body = at;
    *room = at;
    atomic_store_explicit(&object->whole, true, memory_order_release);
    return object;
}

struct store_object *object_new_chunk(struct store *store, const struct store_key *key,
                                      const struct store_head *head, uint64_t id,
                                      struct chunk *chunk, const char *data)
{
    CHECK(head->length <= STORE_PIECE_BYTES);
    struct store_object *object = object_alloc(store, object_text_bytes(key, head), id);

    if (object == NULL) {
        chunk_unref(&chunk);
        return NULL;
    }
    (void)object_put_text(object, (char *)(object + 1), key, head);
    object->body = data;
    object->chunk = chunk;
    atomic_store_explicit(&object->whole, true, memory_order_release);
    return object;
}

struct store_object *object_new_partial(struct store *store, const struct store_key *key,
                                        const struct store_head *head, uint64_t id, uint32_t n)
{
    size_t slot_bytes = (size_t)n * sizeof(struct slot);
    size_t extra = sizeof(struct flow) + slot_bytes + object_text_bytes(key, head);
    struct store_object *object = object_alloc(store, extra, id);

    if (object == NULL) {
        return NULL;
    }
    object->flow = (struct flow *)(void *)(object + 1);
    struct slot *slots = (struct slot *)(void *)(object->flow + 1);
    memset(slots, 0, slot_bytes);
    flow_init(object->flow, slots, n);
    struct flow *flow = object->flow;
    flow->slot_count = n;
    flow->state = OBJECT_READY;
    flow->mode = FLOW_STREAM;
    atomic_store_explicit(&object->has_head, true, memory_order_release);
    flow->filled = head->length;
    flow->keeps_loaded = head->length <= ram_object_limit(store);
    (void)object_put_text(object, (char *)slots + slot_bytes, key, head);
    return object;
}

/* The pieces of a flow under a new head. */
static struct store_object *object_refresh_flow(struct store_object *stale,
                                                const struct store_key *key,
                                                const struct store_head *head, uint64_t id)
{
    struct flow *old = stale->flow;
    struct store_object *object =
        object_new_partial(stale->store, key, head, id, pieces_of(head->length));

    if (object == NULL) {
        return NULL;
    }
    struct flow *flow = object->flow;
    lock_acquire(&old->lock);
    CHECK(old->state == OBJECT_READY && old->slot_count >= flow->slot_count);
    for (uint32_t i = 0; i < flow->slot_count; i++) {
        flow->slots[i].position = old->slots[i].position;
        if (old->slots[i].chunk != NULL) {
            flow->slots[i].chunk = chunk_ref(old->slots[i].chunk);
            flow->resident_count++;
        }
    }
    flow->mode = old->mode;
    flow->is_broken = old->is_broken;
    flow->keeps_loaded = old->keeps_loaded;
    object->on_disk_partial = stale->on_disk_partial;
    lock_release(&old->lock);
    if (flow->resident_count == flow->slot_count && flow->keeps_loaded) {
        flow->memfile = old->memfile == NULL ? NULL : memfile_ref(old->memfile);
        atomic_store_explicit(&object->whole, true, memory_order_release);
    }
    return object;
}

static void object_unpin_memfile(void *pin)
{
    struct memfile *file = pin;

    memfile_unref(&file);
}

struct store_object *object_new_settled(struct store_object *old, struct memfile *file)
{
    struct store_head head = object_head_of(old);
    struct store_key key = object_key_of(old);
    struct store_object *object = object_refresh_flow(old, &key, &head, old->id);

    if (object == NULL || !store_object_is_whole(object)) {
        store_object_unref(&object);
        memfile_unref(&file);
        return NULL;
    }
    struct flow *flow = object->flow;
    for (uint32_t i = 0; i < flow->slot_count; i++) {
        chunk_unref(&flow->slots[i].chunk);
        flow->slots[i].chunk = chunk_new_pinned(
            object->store, memfile_ref(file), object_unpin_memfile,
            memfile_data(file) + (size_t)i * STORE_PIECE_BYTES, piece_bytes(head.length, i));
    }
    flow->memfile = file;
    return object;
}

struct store_object *object_new_refreshed(struct store_object *stale, const struct store_head *head,
                                          uint64_t id)
{
    struct store_key key = object_key_of(stale);
    struct store_head now = *head;

    now.length = store_object_length(stale);
    if (stale->flow != NULL) {
        return object_refresh_flow(stale, &key, &now, id);
    }
    if (stale->chunk != NULL) {
        return object_new_chunk(stale->store, &key, &now, id, chunk_ref(stale->chunk), stale->body);
    }
    char *room;
    struct store_object *object = object_new_compact(stale->store, &key, &now, id, &room);
    if (object != NULL && now.length > 0) {
        memcpy(room, stale->body, (size_t)now.length);
    }
    return object;
}

enum err object_set_head(struct store_object *object, const struct store_head *head)
{
    size_t bytes = head->selector.len + head->head.len;

    CHECK(object->head_block == NULL);
    (void)ram_reserve(object->store, bytes);
    char *block = mem_try(bytes);
    if (block == NULL) {
        ram_release(object->store, bytes);
        return ERR_NOMEM;
    }
    object->charge += bytes;
    object->head_block = block;
    object->selector_len = (uint32_t)head->selector.len;
    object->head_len = (uint32_t)head->head.len;
    object->head = object_put(block, head->selector);
    (void)object_put(block + head->selector.len, head->head);
    memcpy(object->facts, head->facts, sizeof(object->facts));
    object->useless_after_s = head->useless_after_s;
    object->date_s = object_date(head->date_s);
    atomic_store_explicit(&object->length, head->length, memory_order_relaxed);
    return ERR_OK;
}

struct store_object *store_object_ref(struct store_object *object)
{
    CHECK_OBJ(object, OBJECT_MAGIC);
    int32_t before = atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
    CHECK(before > 0);
    return object;
}

static void object_free(struct store_object *object)
{
    struct store *store = object->store;

    CHECK(object->ram_queue == RAM_QUEUE_NONE);
    if (object->flow != NULL) {
        flow_fini(object->flow);
    }
    chunk_unref(&object->chunk);
    mem_free(object->head_block);
    ram_release(store, object->charge);
    object->magic = 0;
    mem_free(object);
}

void store_object_unref(struct store_object **object_in)
{
    struct store_object *object = *object_in;

    *object_in = NULL;
    if (object == NULL) {
        return;
    }
    CHECK_OBJ(object, OBJECT_MAGIC);
    /* acq_rel: the last owner sees all others' accesses done before it frees */
    int32_t before = atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel);
    CHECK(before > 0);
    if (before == 1) {
        object_free(object);
    }
}

struct span store_object_key(const struct store_object *object)
{
    return span_of(object->key, object->key_len);
}

struct span store_object_head(const struct store_object *object)
{
    return span_of(object->head, object->head_len);
}

struct span store_object_selector(const struct store_object *object)
{
    return object_selector(object);
}

const uint8_t *store_object_facts(const struct store_object *object)
{
    return object->facts;
}

uint64_t store_object_length(const struct store_object *object)
{
    return atomic_load_explicit(&object->length, memory_order_acquire);
}

uint64_t store_object_filled(const struct store_object *object)
{
    CHECK_OBJ(object, OBJECT_MAGIC);
    struct flow *flow = object->flow;

    if (flow == NULL || store_object_is_whole(object)) {
        return store_object_length(object);
    }
    lock_acquire(&flow->lock);
    uint64_t filled = flow->filled;
    lock_release(&flow->lock);
    return filled;
}

bool store_object_is_whole(const struct store_object *object)
{
    /* acquire: pairs with the release of whoever set it, after the last piece was in place */
    return atomic_load_explicit(&object->whole, memory_order_acquire);
}

struct span store_object_piece(const struct store_object *object, size_t i)
{
    uint64_t length = store_object_length(object);

    CHECK(i < pieces_of(length));
    if (object->flow == NULL) {
        return span_of(object->body, (size_t)length);
    }
    CHECK(object->flow->slots[i].chunk != NULL);
    return span_of(object->flow->slots[i].chunk->data, piece_bytes(length, i));
}

int store_object_file(const struct store_object *object)
{
    const struct flow *flow = object->flow;

    return flow == NULL || flow->memfile == NULL ? -1 : memfile_fd(flow->memfile);
}

struct span object_selector(const struct store_object *object)
{
    if (object->head == NULL) {
        return span_of(NULL, 0);
    }
    return span_of(object->head - object->selector_len, object->selector_len);
}

struct store_head object_head_of(const struct store_object *object)
{
    struct store_head head = {
        .head = store_object_head(object),
        .selector = object_selector(object),
        .length = store_object_length(object),
        .useless_after_s = object->useless_after_s,
        .date_s = object->date_s,
    };

    memcpy(head.facts, object->facts, sizeof(head.facts));
    return head;
}

struct store_key object_key_of(const struct store_object *object)
{
    return (struct store_key){.bytes = store_object_key(object), .hash = object->hash};
}

uint64_t object_weight(const struct store_object *object)
{
    uint64_t length = store_object_length(object);
    uint64_t weight = object->charge;

    if (object->flow != NULL && !object->flow->keeps_loaded) {
        uint64_t window = (uint64_t)OBJECT_WINDOW_PIECES * STORE_PIECE_BYTES;
        return weight + (length < window ? length : window);
    }
    return object->body != NULL && object->chunk == NULL ? weight : weight + length;
}
