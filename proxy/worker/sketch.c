/*
 * sketch - SKETCH_SLOTS counted keys per order and window; one that is not among them takes the place
 * of the smallest and inherits its count as possible error. The inherited part decides who stays but
 * is never shown.
 */
#include "worker/sketch.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"

#define SKETCH_BUCKETS 1024u
#define SKETCH_NONE UINT32_MAX

struct entry {
    uint64_t hash;
    uint64_t weight; /* of the order, with what was inherited */
    struct sketch_sum seen;
    uint32_t next; /* in the bucket */
    uint32_t heap; /* its place there */
    char key[SKETCH_KEY_BYTES];
};

struct table {
    uint32_t used;
    uint32_t bucket[SKETCH_BUCKETS];
    uint32_t heap[SKETCH_SLOTS]; /* smallest weight first */
    struct entry entry[SKETCH_SLOTS];
};

struct window {
    uint64_t start_us;
    bool filled; /* it was lived through, even if nothing came */
    struct table table[SKETCH_ORDERS_MAX];
};

struct sketch {
    struct lock lock;
    struct hash_seed seed;
    struct sketch_shape shape;
    uint64_t window_us;
    struct window *now;    /* [lock] */
    struct window *before; /* [lock] */
};

static void window_clear(struct window *window, uint64_t start_us)
{
    window->start_us = start_us;
    window->filled = false;
    for (unsigned order = 0; order < SKETCH_ORDERS_MAX; order++) {
        window->table[order].used = 0;
        memset(window->table[order].bucket, 0xff, sizeof(window->table[order].bucket));
    }
}

struct sketch *sketch_new(const struct sketch_shape *shape)
{
    struct sketch *sketch = mem_new(sizeof(*sketch));

    CHECK(shape->order_count > 0 && shape->order_count <= SKETCH_ORDERS_MAX);
    lock_init(&sketch->lock, LOCK_STATS);
    random_bytes(&sketch->seed, sizeof(sketch->seed));
    sketch->shape = *shape;
    sketch->window_us = (uint64_t)shape->window_s * 1000000;
    sketch->now = mem_new(sizeof(*sketch->now));
    sketch->before = mem_new(sizeof(*sketch->before));
    window_clear(sketch->now, clock_mono_us());
    window_clear(sketch->before, 0);
    return sketch;
}

void sketch_free(struct sketch **sketch)
{
    if (*sketch != NULL) {
        lock_fini(&(*sketch)->lock);
        mem_free((*sketch)->now);
        mem_free((*sketch)->before);
        mem_free(*sketch);
        *sketch = NULL;
    }
}

static void rotate_locked(struct sketch *sketch, uint64_t now_us)
{
    uint64_t passed_us = now_us - sketch->now->start_us;

    if (passed_us < sketch->window_us) {
        return;
    }
    struct window *old = sketch->before;
    sketch->before = sketch->now;
    sketch->before->filled = true;
    sketch->now = old;
    window_clear(sketch->now, sketch->before->start_us + sketch->window_us);
    if (passed_us >= 2 * sketch->window_us) {
        window_clear(sketch->before, 0);
        window_clear(sketch->now, now_us);
    }
}

static void heap_place(struct table *table, uint32_t at, uint32_t slot)
{
    table->heap[at] = slot;
    table->entry[slot].heap = at;
}

/* The weight of the entry at this place grew. */
static void heap_sink(struct table *table, uint32_t at)
{
    uint32_t slot = table->heap[at];
    uint64_t weight = table->entry[slot].weight;

    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= table->used) {
            break;
        }
        if (child + 1 < table->used &&
            table->entry[table->heap[child + 1]].weight < table->entry[table->heap[child]].weight) {
            child++;
        }
        if (table->entry[table->heap[child]].weight >= weight) {
            break;
        }
        heap_place(table, at, table->heap[child]);
        at = child;
    }
    heap_place(table, at, slot);
}

static void heap_rise(struct table *table, uint32_t at)
{
    uint32_t slot = table->heap[at];

    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (table->entry[table->heap[parent]].weight <= table->entry[slot].weight) {
            break;
        }
        heap_place(table, at, table->heap[parent]);
        at = parent;
    }
    heap_place(table, at, slot);
}

static struct entry *table_find(struct table *table, uint64_t hash, struct span key)
{
    uint32_t slot = table->bucket[hash % SKETCH_BUCKETS];

    while (slot != SKETCH_NONE) {
        struct entry *entry = &table->entry[slot];
        if (entry->hash == hash && span_eq(span_str(entry->key), key)) {
            return entry;
        }
        slot = entry->next;
    }
    return NULL;
}

static void table_unlink(struct table *table, uint32_t slot)
{
    uint32_t *at = &table->bucket[table->entry[slot].hash % SKETCH_BUCKETS];

    while (*at != slot) {
        at = &table->entry[*at].next;
    }
    *at = table->entry[slot].next;
}

/* A place for a new key, the heap still to be mended. */
static struct entry *table_claim(struct table *table, uint64_t hash, struct span key)
{
    uint64_t inherited = 0;
    uint32_t slot;

    if (table->used < SKETCH_SLOTS) {
        slot = table->used++;
        heap_place(table, slot, slot);
    } else {
        slot = table->heap[0];
        inherited = table->entry[slot].weight;
        table_unlink(table, slot);
    }
    struct entry *entry = &table->entry[slot];
    entry->hash = hash;
    entry->weight = inherited;
    entry->seen = (struct sketch_sum){0};
    entry->next = table->bucket[hash % SKETCH_BUCKETS];
    table->bucket[hash % SKETCH_BUCKETS] = slot;
    memcpy(entry->key, key.ptr, key.len);
    entry->key[key.len] = '\0';
    return entry;
}

static void sum_add(struct sketch_sum *to, const struct sketch_sum *more)
{
    for (unsigned i = 0; i < SKETCH_FIGURES; i++) {
        to->figure[i] += more->figure[i];
    }
    to->last_ms = more->last_ms > to->last_ms ? more->last_ms : to->last_ms;
}

static void table_add(struct table *table, uint64_t hash, struct span key,
                      const struct sketch_sum *more, uint64_t weight)
{
    struct entry *entry = table_find(table, hash, key);

    if (entry == NULL) {
        if (weight == 0) {
            return;
        }
        bool fresh = table->used < SKETCH_SLOTS;
        entry = table_claim(table, hash, key);
        entry->weight += weight;
        sum_add(&entry->seen, more);
        if (fresh) {
            heap_rise(table, entry->heap);
        } else {
            heap_sink(table, entry->heap);
        }
        return;
    }
    entry->weight += weight;
    sum_add(&entry->seen, more);
    heap_sink(table, entry->heap);
}

void sketch_add(struct sketch *sketch, struct span key, const struct sketch_sum *more)
{
    if (key.len > SKETCH_KEY_BYTES - 1) {
        key.len = SKETCH_KEY_BYTES - 1;
    }
    uint64_t hash = hash64(sketch->seed, key);
    uint64_t now_us = clock_mono_us();
    lock_acquire(&sketch->lock);
    rotate_locked(sketch, now_us);
    for (unsigned order = 0; order < sketch->shape.order_count; order++) {
        table_add(&sketch->now->table[order], hash, key, more,
                  more->figure[sketch->shape.order[order]]);
    }
    lock_release(&sketch->lock);
}

/* ---- lists ---- */

struct list {
    struct sketch_item *items;
    size_t count, max;
    unsigned figure; /* sorted by it, the largest first */
};

static void list_insert(struct list *list, const struct entry *entry, const struct sketch_sum *sum)
{
    size_t at = list->count;
    uint64_t mine = sum->figure[list->figure];

    while (at > 0 && list->items[at - 1].sum.figure[list->figure] < mine) {
        at--;
    }
    if (mine == 0 || at >= list->max) {
        return;
    }
    size_t keep = list->count < list->max ? list->count : list->max - 1;
    struct sketch_item *item = &list->items[at];
    memmove(item + 1, item, (keep - at) * sizeof(*item));
    item->sum = *sum;
    memcpy(item->key, entry->key, strlen(entry->key) + 1);
    list->count = keep + 1;
}

static uint64_t table_floor(const struct table *table)
{
    return table->used < SKETCH_SLOTS ? 0 : table->entry[table->heap[0]].weight;
}

size_t sketch_list(struct sketch *sketch, const struct sketch_question *question,
                   struct sketch_item *out, size_t max, struct sketch_extent *extent)
{
    struct list list = {.items = out, .max = max, .figure = sketch->shape.order[question->order]};
    struct span prefix = question->prefix.len == 0 ? SPAN("") : question->prefix;
    uint64_t now_us = clock_mono_us();

    lock_acquire(&sketch->lock);
    rotate_locked(sketch, now_us);
    struct table *now = &sketch->now->table[question->order];
    struct table *before = &sketch->before->table[question->order];
    for (uint32_t slot = 0; slot < now->used; slot++) {
        const struct entry *entry = &now->entry[slot];
        struct span key = span_str(entry->key);
        if (!span_starts(key, prefix)) {
            continue;
        }
        const struct entry *older = table_find(before, entry->hash, key);
        struct sketch_sum sum = entry->seen;
        if (older != NULL) {
            sum_add(&sum, &older->seen);
        }
        list_insert(&list, entry, &sum);
    }
    for (uint32_t slot = 0; slot < before->used; slot++) {
        const struct entry *entry = &before->entry[slot];
        struct span key = span_str(entry->key);
        if (span_starts(key, prefix) && table_find(now, entry->hash, key) == NULL) {
            list_insert(&list, entry, &entry->seen);
        }
    }
    extent->error_bound = table_floor(now) + table_floor(before);
    uint64_t from_us = sketch->before->filled ? sketch->before->start_us : sketch->now->start_us;
    extent->covered_s = (double)(now_us - from_us) / 1e6;
    lock_release(&sketch->lock);
    return list.count;
}

size_t sketch_count(struct sketch *sketch, struct span prefix)
{
    size_t count = 0;

    lock_acquire(&sketch->lock);
    rotate_locked(sketch, clock_mono_us());
    struct table *now = &sketch->now->table[0];
    struct table *before = &sketch->before->table[0];
    for (uint32_t slot = 0; slot < now->used; slot++) {
        count += span_starts(span_str(now->entry[slot].key), prefix);
    }
    for (uint32_t slot = 0; slot < before->used; slot++) {
        const struct entry *entry = &before->entry[slot];
        struct span key = span_str(entry->key);
        count += span_starts(key, prefix) && table_find(now, entry->hash, key) == NULL;
    }
    lock_release(&sketch->lock);
    return count;
}
