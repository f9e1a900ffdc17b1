#ifndef WORKER_TOP_H
#define WORKER_TOP_H
/*
 * top - which URLs matter most, in bounded memory whatever the traffic: a space-saving sketch per
 * ordering over two rotating windows. Each figure says how far it may be off.
 *
 * Threads: top_add by the log thread, top_list by any (rank LOCK_STATS).
 */
#include <stddef.h>
#include <stdint.h>

#include "record/record.h"

enum top_order {
    TOP_REQUESTS,
    TOP_MISSES,
    TOP_BYTES,
};

struct top_item {
    char url[512]; /* scheme://host/path, cut with "..." */
    uint64_t requests, hits, misses, bytes;
};

struct top;
/* window_s: figures cover between one and two windows. */
struct top *top_new(unsigned window_s);
void top_free(struct top **top);
void top_add(struct top *top, const struct record *record);
/* Returns how many were filled. *error_bound: no figure of the ordering is too low by more than
 * this, none is too high. *covered_s: seconds the figures cover. */
size_t top_list(struct top *top, enum top_order order, struct top_item *out, size_t max,
                uint64_t *error_bound, double *covered_s);
#endif
