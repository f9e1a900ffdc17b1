/*
 * history - one kind of slot for all rings (656 bytes, 3 MiB in all). The file is a head, the slots
 * in use, and an XXH3 sum over both.
 */
#include "admin/history.h"

#include <string.h>

#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"

#define HISTORY_MAGIC 0x3148445241 /* "ARDH1" */
#define HISTORY_VERSION 1u
#define HISTORY_RINGS 3u

struct slot {
    int64_t t; /* start; 0: empty */
    uint32_t seconds;
    uint32_t peak_requests;
    uint64_t value[HISTORY_COLUMNS];
    uint32_t hit_time[HISTOGRAM_BUCKETS];
    uint32_t origin_first_byte[HISTOGRAM_BUCKETS];
};

static const struct ring_shape {
    unsigned step_s;
    unsigned count;
} ring_shapes[HISTORY_RINGS] = {{1, 600}, {10, 2160}, {300, 2016}};

struct history {
    struct lock lock;
    struct slot *ring[HISTORY_RINGS]; /* [lock] */
};

struct file_head {
    uint64_t magic;
    uint32_t version;
    uint32_t slot_bytes;
    uint32_t used[HISTORY_RINGS];
    uint32_t zero;
};

struct history *history_new(void)
{
    struct history *history = mem_new(sizeof(*history));

    lock_init(&history->lock, LOCK_STATS);
    for (unsigned i = 0; i < HISTORY_RINGS; i++) {
        history->ring[i] = mem_new(ring_shapes[i].count * sizeof(struct slot));
    }
    return history;
}

void history_free(struct history **history)
{
    if (*history == NULL) {
        return;
    }
    for (unsigned i = 0; i < HISTORY_RINGS; i++) {
        mem_free((*history)->ring[i]);
    }
    lock_fini(&(*history)->lock);
    mem_free(*history);
    *history = NULL;
}

static int64_t slot_start(unsigned ring, int64_t t)
{
    return t - t % (int64_t)ring_shapes[ring].step_s;
}

static struct slot *slot_place(struct history *history, unsigned ring, int64_t start)
{
    uint64_t i = (uint64_t)start / ring_shapes[ring].step_s % ring_shapes[ring].count;

    return &history->ring[ring][i];
}

/* The slot of this very time, or NULL. */
static const struct slot *slot_find(struct history *history, unsigned ring, int64_t start)
{
    const struct slot *slot = start > 0 ? slot_place(history, ring, start) : NULL;

    return slot != NULL && slot->t == start ? slot : NULL;
}

static void slot_add(struct slot *slot, const struct history_sum *sum)
{
    slot->seconds += (uint32_t)sum->seconds;
    if (sum->peak_requests > slot->peak_requests) {
        slot->peak_requests =
            sum->peak_requests < UINT32_MAX ? (uint32_t)sum->peak_requests : UINT32_MAX;
    }
    for (unsigned i = 0; i < HISTORY_COLUMNS; i++) {
        slot->value[i] += sum->value[i];
    }
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        slot->hit_time[i] += (uint32_t)sum->hit_time[i];
        slot->origin_first_byte[i] += (uint32_t)sum->origin_first_byte[i];
    }
}

void history_add(struct history *history, int64_t t, const struct history_sum *sum)
{
    if (t <= 0) {
        return; /* no clock */
    }
    lock_acquire(&history->lock);
    for (unsigned ring = 0; ring < HISTORY_RINGS; ring++) {
        int64_t start = slot_start(ring, t);
        struct slot *slot = slot_place(history, ring, start);
        if (slot->t != start) {
            *slot = (struct slot){.t = start};
        }
        slot_add(slot, sum);
    }
    lock_release(&history->lock);
}

static const struct range_shape {
    unsigned ring;
    unsigned length;
} range_shapes[HISTORY_RANGES] = {
    [HISTORY_5M] = {0, 300},
    [HISTORY_1H] = {1, 360},
    [HISTORY_24H] = {2, 288},
    [HISTORY_7D] = {2, 2016},
};

unsigned history_step_s(enum history_range range)
{
    return ring_shapes[range_shapes[range].ring].step_s;
}

unsigned history_length(enum history_range range)
{
    return range_shapes[range].length;
}

static void sum_slot(struct history_sum *sum, const struct slot *slot)
{
    if (slot == NULL) {
        return;
    }
    sum->seconds += slot->seconds;
    if (slot->peak_requests > sum->peak_requests) {
        sum->peak_requests = slot->peak_requests;
    }
    for (unsigned i = 0; i < HISTORY_COLUMNS; i++) {
        sum->value[i] += slot->value[i];
    }
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        sum->hit_time[i] += slot->hit_time[i];
        sum->origin_first_byte[i] += slot->origin_first_byte[i];
    }
}

static void slot_point(const struct slot *slot, struct history_point *out)
{
    struct history_sum sum = {0};

    *out = (struct history_point){.known = slot != NULL};
    sum_slot(&sum, slot);
    memcpy(out->value, sum.value, sizeof(out->value));
    if (sum.seconds > 0) {
        out->connections = (double)sum.value[HISTORY_CONNECTIONS] / (double)sum.seconds;
    }
    out->hit_p50_us = histogram_quantile_us(sum.hit_time, 0.5);
    out->hit_p95_us = histogram_quantile_us(sum.hit_time, 0.95);
    out->origin_p50_us = histogram_quantile_us(sum.origin_first_byte, 0.5);
    out->origin_p95_us = histogram_quantile_us(sum.origin_first_byte, 0.95);
}

int64_t history_series(struct history *history, enum history_range range, int64_t now,
                       struct history_point *out)
{
    unsigned ring = range_shapes[range].ring;
    unsigned length = range_shapes[range].length;
    int64_t step = (int64_t)ring_shapes[ring].step_s;
    int64_t first = slot_start(ring, now) - step * (int64_t)length;

    lock_acquire(&history->lock);
    for (unsigned i = 0; i < length; i++) {
        slot_point(slot_find(history, ring, first + step * (int64_t)i), &out[i]);
    }
    lock_release(&history->lock);
    return first;
}

bool history_second(struct history *history, int64_t t, struct history_point *out)
{
    lock_acquire(&history->lock);
    slot_point(slot_find(history, 0, t), out);
    lock_release(&history->lock);
    return out->known;
}

static void sum_range(struct history *history, unsigned ring, int64_t last, unsigned count,
                      struct history_sum *out)
{
    *out = (struct history_sum){0};
    lock_acquire(&history->lock);
    for (unsigned i = 0; i < count; i++) {
        sum_slot(out, slot_find(history, ring, last - (int64_t)(i * ring_shapes[ring].step_s)));
    }
    lock_release(&history->lock);
}

void history_last_minute(struct history *history, int64_t now, struct history_sum *out)
{
    sum_range(history, 0, now - 1, 60, out);
}

void history_last_day(struct history *history, int64_t now, struct history_sum *out)
{
    sum_range(history, 2, slot_start(2, now), 288, out);
}

size_t history_file_max_bytes(void)
{
    size_t slots = 0;

    for (unsigned i = 0; i < HISTORY_RINGS; i++) {
        slots += ring_shapes[i].count;
    }
    return sizeof(struct file_head) + slots * sizeof(struct slot) + sizeof(uint64_t);
}

static uint64_t file_sum(struct span bytes)
{
    return hash64((struct hash_seed){HISTORY_MAGIC}, bytes);
}

void history_write(struct history *history, struct buf *out)
{
    struct file_head head = {
        .magic = HISTORY_MAGIC, .version = HISTORY_VERSION, .slot_bytes = sizeof(struct slot)};

    lock_acquire(&history->lock);
    for (unsigned ring = 0; ring < HISTORY_RINGS; ring++) {
        for (unsigned i = 0; i < ring_shapes[ring].count; i++) {
            head.used[ring] += history->ring[ring][i].t != 0;
        }
    }
    buf_append(out, span_of((const char *)&head, sizeof(head)));
    for (unsigned ring = 0; ring < HISTORY_RINGS; ring++) {
        for (unsigned i = 0; i < ring_shapes[ring].count; i++) {
            const struct slot *slot = &history->ring[ring][i];
            if (slot->t != 0) {
                buf_append(out, span_of((const char *)slot, sizeof(*slot)));
            }
        }
    }
    lock_release(&history->lock);
    uint64_t sum = file_sum(buf_span(out));
    buf_append(out, span_of((const char *)&sum, sizeof(sum)));
}

static bool file_is_good(struct span file, struct file_head *head)
{
    uint64_t sum;
    uint64_t slots = 0;

    if (file.len < sizeof(*head) + sizeof(sum) || file.len > history_file_max_bytes()) {
        return false;
    }
    memcpy(head, file.ptr, sizeof(*head));
    memcpy(&sum, file.ptr + file.len - sizeof(sum), sizeof(sum));
    for (unsigned ring = 0; ring < HISTORY_RINGS; ring++) {
        slots += head->used[ring];
    }
    return head->magic == HISTORY_MAGIC && head->version == HISTORY_VERSION &&
           head->slot_bytes == sizeof(struct slot) &&
           file.len == sizeof(*head) + slots * sizeof(struct slot) + sizeof(sum) &&
           sum == file_sum(span_of(file.ptr, file.len - sizeof(sum)));
}

enum err history_read(struct history *history, struct span file, int64_t now)
{
    struct file_head head;
    struct slot slot;

    if (!file_is_good(file, &head)) {
        return ERR_CORRUPT;
    }
    const char *at = file.ptr + sizeof(head);
    lock_acquire(&history->lock);
    for (unsigned ring = 0; ring < HISTORY_RINGS; ring++) {
        for (uint32_t i = 0; i < head.used[ring]; i++, at += sizeof(slot)) {
            memcpy(&slot, at, sizeof(slot));
            if (slot.t > 0 && slot.t <= now && slot_start(ring, slot.t) == slot.t) {
                *slot_place(history, ring, slot.t) = slot;
            }
        }
    }
    lock_release(&history->lock);
    return ERR_OK;
}
