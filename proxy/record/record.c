/*
 * record - entries lie whole in the ring, one after another, aligned to 8 bytes: a header with the
 * lengths, the fixed part of struct record as it is, then the bytes of its spans. One that would
 * cross the end is put at the start and the rest of the end is skipped.
 *
 * head counts bytes ever written, tail bytes ever given back. Each side keeps a copy of the other's
 * position, so that the shared lines move only when the ring looks full or empty.
 */
#include "record/record.h"

#include <stdatomic.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define RECORD_RING_MIN_BYTES ((size_t)65536)
#define RECORD_PATH_MAX ((size_t)2048)
#define RECORD_SPAN_MAX ((size_t)256)
#define RECORD_SPANS_SITE 9u
#define RECORD_SPANS 12u
#define RECORD_FIXED_BYTES offsetof(struct record, client)
#define RECORD_SKIP 0u
#define RECORD_LINE_BYTES 64 /* keeps the two sides off each other's cache lines */

/* client, method, scheme, host, path, user_agent, referer, site, origin, and of a forward proxy user,
 * rule, why: in the order of the struct. */
#define RECORD_PATH_INDEX 4u

struct record_head {
    uint32_t size; /* of the entry with this head; RECORD_SKIP: go on at the start of the ring */
    uint16_t len[RECORD_SPANS];
};

struct record_ring {
    size_t mask;
    char *bytes;
    char pad_writer[RECORD_LINE_BYTES];
    _Atomic uint64_t head; /* written by the writer */
    uint64_t tail_seen;    /* the writer's */
    char pad_reader[RECORD_LINE_BYTES];
    _Atomic uint64_t tail; /* written by the reader */
    uint64_t head_seen;    /* the reader's */
    uint64_t taken;        /* the reader's: beyond tail, not yet given back */
};

_Static_assert(sizeof(struct record) - RECORD_FIXED_BYTES == RECORD_SPANS * sizeof(struct span),
               "the spans are the tail of struct record");
_Static_assert(offsetof(struct record, path) ==
                   RECORD_FIXED_BYTES + RECORD_PATH_INDEX * sizeof(struct span),
               "RECORD_PATH_INDEX");

struct record_ring *record_ring_new(size_t bytes)
{
    CHECK(bytes >= RECORD_RING_MIN_BYTES && (bytes & (bytes - 1)) == 0);
    struct record_ring *ring = mem_new(sizeof(*ring));
    ring->bytes = mem_new(bytes);
    ring->mask = bytes - 1;
    return ring;
}

void record_ring_free(struct record_ring **ring)
{
    if (*ring != NULL) {
        mem_free((*ring)->bytes);
        mem_free(*ring);
        *ring = NULL;
    }
}

static unsigned record_spans(const struct record *record)
{
    return UNLIKELY(record->is_forward) ? RECORD_SPANS : RECORD_SPANS_SITE;
}

static size_t record_size(const struct span *spans, unsigned count, struct record_head *head)
{
    size_t size = sizeof(*head) + RECORD_FIXED_BYTES;

    for (unsigned i = 0; i < count; i++) {
        size_t max = i == RECORD_PATH_INDEX ? RECORD_PATH_MAX : RECORD_SPAN_MAX;
        size_t len = spans[i].len < max ? spans[i].len : max;
        head->len[i] = (uint16_t)len;
        size += len;
    }
    size = (size + 7) & ~(size_t)7;
    head->size = (uint32_t)size;
    return size;
}

/* Room for size bytes in one piece at the returned position; false: full. */
static bool record_room(struct record_ring *ring, size_t size, uint64_t *at)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t capacity = ring->mask + 1;
    size_t to_end = capacity - (size_t)(head & ring->mask);
    size_t need = size <= to_end ? size : to_end + size;

    if (capacity - (size_t)(head - ring->tail_seen) < need) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (capacity - (size_t)(head - ring->tail_seen) < need) {
            return false;
        }
    }
    if (size > to_end) {
        uint32_t skip = RECORD_SKIP;
        memcpy(ring->bytes + (head & ring->mask), &skip, sizeof(skip));
        head += to_end;
    }
    *at = head;
    return true;
}

bool record_ring_put(struct record_ring *ring, const struct record *record)
{
    const struct span *spans = &record->client;
    struct record_head head;
    uint64_t at;

    unsigned count = record_spans(record);
    size_t size = record_size(spans, count, &head);
    if (!record_room(ring, size, &at)) {
        return false;
    }
    char *out = ring->bytes + (at & ring->mask);
    memcpy(out, &head, sizeof(head));
    out += sizeof(head);
    memcpy(out, record, RECORD_FIXED_BYTES);
    out += RECORD_FIXED_BYTES;
    for (unsigned i = 0; i < count; i++) {
        if (head.len[i] > 0) {
            memcpy(out, spans[i].ptr, head.len[i]);
            out += head.len[i];
        }
    }
    atomic_store_explicit(&ring->head, at + size, memory_order_release);
    return true;
}

struct record *record_copy(const struct record *record)
{
    const struct span *from = &record->client;
    struct record_head head;
    unsigned count = record_spans(record);
    struct record *copy = mem_try(sizeof(*copy) + record_size(from, count, &head));

    if (copy == NULL) {
        return NULL;
    }
    *copy = *record;
    char *at = (char *)(copy + 1);
    struct span *to = &copy->client;
    for (unsigned i = 0; i < count; i++) {
        to[i] = span_of(at, head.len[i]);
        if (head.len[i] > 0) {
            memcpy(at, from[i].ptr, head.len[i]);
            at += head.len[i];
        }
    }
    return copy;
}

bool record_ring_take(struct record_ring *ring, struct record *out)
{
    struct record_head head;

    if (ring->taken == ring->head_seen) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (ring->taken == ring->head_seen) {
            return false;
        }
    }
    const char *from = ring->bytes + (ring->taken & ring->mask);
    memcpy(&head.size, from, sizeof(head.size));
    if (head.size == RECORD_SKIP) {
        ring->taken = (ring->taken | ring->mask) + 1;
        from = ring->bytes;
    }
    memcpy(&head, from, sizeof(head));
    from += sizeof(head);
    memcpy(out, from, RECORD_FIXED_BYTES);
    from += RECORD_FIXED_BYTES;
    struct span *spans = &out->client;
    unsigned count = record_spans(out);
    for (unsigned i = 0; i < count; i++) {
        spans[i] = span_of(from, head.len[i]);
        from += head.len[i];
    }
    ring->taken += head.size;
    return true;
}

void record_ring_release(struct record_ring *ring)
{
    atomic_store_explicit(&ring->tail, ring->taken, memory_order_release);
}
