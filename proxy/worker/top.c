/*
 * top - the space-saving sketch (Metwally, Agrawal, El Abbadi 2005): SLOTS counted URLs; one that
 * is not among them takes the place of the smallest and inherits its count as possible error. Any
 * URL with more than 1/SLOTS of all weight is among them, whatever else comes by.
 *
 * The inherited part decides who stays but is never shown: figures are what was seen since a URL
 * got its place, so they agree with each other and can only be too low, by at most the smallest
 * count.
 */
#include "worker/top.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"

#define TOP_SLOTS 512u
#define TOP_BUCKETS 1024u
#define TOP_ORDERS 3u
#define TOP_NONE UINT32_MAX

struct top_figures {
    uint64_t requests, hits, misses, bytes;
};

struct top_entry {
    uint64_t hash;
    uint64_t weight; /* of the ordering, with what was inherited */
    struct top_figures seen;
    uint32_t next; /* in the bucket */
    uint32_t heap; /* its place there */
    char url[sizeof(((struct top_item *)0)->url)];
};

struct top_sketch {
    uint32_t used;
    uint32_t bucket[TOP_BUCKETS];
    uint32_t heap[TOP_SLOTS]; /* smallest weight first */
    struct top_entry entry[TOP_SLOTS];
};

struct top_window {
    uint64_t start_us;
    bool filled; /* it was lived through, even if nothing came */
    struct top_sketch sketch[TOP_ORDERS];
};

struct top {
    struct lock lock;
    struct hash_seed seed;
    uint64_t window_us;
    struct top_window *now;    /* [lock] */
    struct top_window *before; /* [lock] */
};

static void window_clear(struct top_window *window, uint64_t start_us)
{
    window->start_us = start_us;
    window->filled = false;
    for (unsigned order = 0; order < TOP_ORDERS; order++) {
        window->sketch[order].used = 0;
        memset(window->sketch[order].bucket, 0xff, sizeof(window->sketch[order].bucket));
    }
}

struct top *top_new(unsigned window_s)
{
    struct top *top = mem_new(sizeof(*top));

    lock_init(&top->lock, LOCK_STATS);
    random_bytes(&top->seed, sizeof(top->seed));
    top->window_us = (uint64_t)window_s * 1000000;
    top->now = mem_new(sizeof(*top->now));
    top->before = mem_new(sizeof(*top->before));
    window_clear(top->now, clock_mono_us());
    window_clear(top->before, 0);
    return top;
}

void top_free(struct top **top)
{
    if (*top != NULL) {
        lock_fini(&(*top)->lock);
        mem_free((*top)->now);
        mem_free((*top)->before);
        mem_free(*top);
        *top = NULL;
    }
}

static void top_rotate_locked(struct top *top, uint64_t now_us)
{
    uint64_t passed_us = now_us - top->now->start_us;

    if (passed_us < top->window_us) {
        return;
    }
    struct top_window *old = top->before;
    top->before = top->now;
    top->before->filled = true;
    top->now = old;
    window_clear(top->now, top->before->start_us + top->window_us);
    if (passed_us >= 2 * top->window_us) {
        window_clear(top->before, 0);
        window_clear(top->now, now_us);
    }
}

static void heap_place(struct top_sketch *sketch, uint32_t at, uint32_t slot)
{
    sketch->heap[at] = slot;
    sketch->entry[slot].heap = at;
}

/* The weight of the entry at this place grew. */
static void heap_sink(struct top_sketch *sketch, uint32_t at)
{
    uint32_t slot = sketch->heap[at];
    uint64_t weight = sketch->entry[slot].weight;

    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= sketch->used) {
            break;
        }
        if (child + 1 < sketch->used && sketch->entry[sketch->heap[child + 1]].weight <
                                            sketch->entry[sketch->heap[child]].weight) {
            child++;
        }
        if (sketch->entry[sketch->heap[child]].weight >= weight) {
            break;
        }
        heap_place(sketch, at, sketch->heap[child]);
        at = child;
    }
    heap_place(sketch, at, slot);
}

static void heap_rise(struct top_sketch *sketch, uint32_t at)
{
    uint32_t slot = sketch->heap[at];

    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (sketch->entry[sketch->heap[parent]].weight <= sketch->entry[slot].weight) {
            break;
        }
        heap_place(sketch, at, sketch->heap[parent]);
        at = parent;
    }
    heap_place(sketch, at, slot);
}

static struct top_entry *sketch_find(struct top_sketch *sketch, uint64_t hash, const char *url)
{
    uint32_t slot = sketch->bucket[hash % TOP_BUCKETS];

    while (slot != TOP_NONE) {
        struct top_entry *entry = &sketch->entry[slot];
        if (entry->hash == hash && strcmp(entry->url, url) == 0) {
            return entry;
        }
        slot = entry->next;
    }
    return NULL;
}

static void sketch_unlink(struct top_sketch *sketch, uint32_t slot)
{
    uint32_t *at = &sketch->bucket[sketch->entry[slot].hash % TOP_BUCKETS];

    while (*at != slot) {
        at = &sketch->entry[*at].next;
    }
    *at = sketch->entry[slot].next;
}

/* A place for a new URL, the heap still to be mended. */
static struct top_entry *sketch_claim(struct top_sketch *sketch, uint64_t hash, const char *url)
{
    uint64_t inherited = 0;
    uint32_t slot;

    if (sketch->used < TOP_SLOTS) {
        slot = sketch->used++;
        heap_place(sketch, slot, slot);
    } else {
        slot = sketch->heap[0];
        inherited = sketch->entry[slot].weight;
        sketch_unlink(sketch, slot);
    }
    struct top_entry *entry = &sketch->entry[slot];
    entry->hash = hash;
    entry->weight = inherited;
    entry->seen = (struct top_figures){0};
    entry->next = sketch->bucket[hash % TOP_BUCKETS];
    sketch->bucket[hash % TOP_BUCKETS] = slot;
    (void)snprintf(entry->url, sizeof(entry->url), "%s", url);
    return entry;
}

static uint64_t top_figure(const struct top_figures *figures, enum top_order order)
{
    switch (order) {
    case TOP_REQUESTS:
        return figures->requests;
    case TOP_MISSES:
        return figures->misses;
    case TOP_BYTES:
        return figures->bytes;
    }
    return 0;
}

static void figures_add(struct top_figures *to, const struct top_figures *more)
{
    to->requests += more->requests;
    to->hits += more->hits;
    to->misses += more->misses;
    to->bytes += more->bytes;
}

static void sketch_add(struct top_sketch *sketch, uint64_t hash, const char *url,
                       const struct top_figures *more, uint64_t weight)
{
    struct top_entry *entry = sketch_find(sketch, hash, url);

    if (entry == NULL) {
        if (weight == 0) {
            return;
        }
        bool fresh = sketch->used < TOP_SLOTS;
        entry = sketch_claim(sketch, hash, url);
        entry->weight += weight;
        figures_add(&entry->seen, more);
        if (fresh) {
            heap_rise(sketch, entry->heap);
        } else {
            heap_sink(sketch, entry->heap);
        }
        return;
    }
    entry->weight += weight;
    figures_add(&entry->seen, more);
    heap_sink(sketch, entry->heap);
}

static size_t url_put(char *url, size_t size, size_t at, struct span part)
{
    size_t room = size - 1 - at;
    size_t len = part.len < room ? part.len : room;

    if (len > 0) {
        memcpy(url + at, part.ptr, len);
    }
    return at + len;
}

/* scheme://host/path as text: a NUL would end it early, so control bytes become "?". */
static void top_url(const struct record *record, char *url, size_t size)
{
    const struct span parts[] = {record->scheme, SPAN("://"), record->host, record->path};
    size_t whole = 0;
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        whole += parts[i].len;
        len = url_put(url, size, len, parts[i]);
    }
    if (whole > len) {
        memset(url + len - 3, '.', 3);
    }
    url[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)url[i] < 0x20 || url[i] == 0x7f) {
            url[i] = '?';
        }
    }
}

void top_add(struct top *top, const struct record *record)
{
    struct top_figures more = {.requests = record->weight};
    char url[sizeof(((struct top_item *)0)->url)];

    if (record->weight == 0 || record->path.len == 0) {
        return;
    }
    more.bytes = record->bytes * record->weight;
    if (record->result == RESULT_MISS) {
        more.misses = record->weight;
    } else if (record->result == RESULT_HIT || record->result == RESULT_STALE ||
               record->result == RESULT_REVALIDATED) {
        more.hits = record->weight;
    }
    top_url(record, url, sizeof(url));
    uint64_t hash = hash64(top->seed, span_str(url));
    uint64_t now_us = clock_mono_us();
    lock_acquire(&top->lock);
    top_rotate_locked(top, now_us);
    for (unsigned order = 0; order < TOP_ORDERS; order++) {
        sketch_add(&top->now->sketch[order], hash, url, &more,
                   top_figure(&more, (enum top_order)order));
    }
    lock_release(&top->lock);
}

/* Puts an item where it belongs in a list sorted by figure, the largest first. */
static size_t list_insert(struct top_item *out, size_t count, size_t max, enum top_order order,
                          const char *url, const struct top_figures *figures)
{
    size_t at = count;
    uint64_t mine = top_figure(figures, order);

    while (at > 0) {
        const struct top_item *left = &out[at - 1];
        const struct top_figures theirs = {left->requests, left->hits, left->misses, left->bytes};
        if (top_figure(&theirs, order) >= mine) {
            break;
        }
        at--;
    }
    if (mine == 0 || at >= max) {
        return count;
    }
    size_t keep = count < max ? count : max - 1;
    memmove(&out[at + 1], &out[at], (keep - at) * sizeof(*out));
    out[at].requests = figures->requests;
    out[at].hits = figures->hits;
    out[at].misses = figures->misses;
    out[at].bytes = figures->bytes;
    (void)snprintf(out[at].url, sizeof(out[at].url), "%s", url);
    return keep + 1;
}

static uint64_t sketch_floor(const struct top_sketch *sketch)
{
    return sketch->used < TOP_SLOTS ? 0 : sketch->entry[sketch->heap[0]].weight;
}

size_t top_list(struct top *top, enum top_order order, struct top_item *out, size_t max,
                uint64_t *error_bound, double *covered_s)
{
    uint64_t now_us = clock_mono_us();
    size_t count = 0;

    lock_acquire(&top->lock);
    top_rotate_locked(top, now_us);
    struct top_sketch *now = &top->now->sketch[order];
    struct top_sketch *before = &top->before->sketch[order];
    for (uint32_t slot = 0; slot < now->used; slot++) {
        const struct top_entry *entry = &now->entry[slot];
        const struct top_entry *older = sketch_find(before, entry->hash, entry->url);
        struct top_figures sum = entry->seen;
        if (older != NULL) {
            figures_add(&sum, &older->seen);
        }
        count = list_insert(out, count, max, order, entry->url, &sum);
    }
    for (uint32_t slot = 0; slot < before->used; slot++) {
        const struct top_entry *entry = &before->entry[slot];
        if (sketch_find(now, entry->hash, entry->url) == NULL) {
            count = list_insert(out, count, max, order, entry->url, &entry->seen);
        }
    }
    *error_bound = sketch_floor(now) + sketch_floor(before);
    uint64_t from_us = top->before->filled ? top->before->start_us : top->now->start_us;
    *covered_s = (double)(now_us - from_us) / 1e6;
    lock_release(&top->lock);
    return count;
}
