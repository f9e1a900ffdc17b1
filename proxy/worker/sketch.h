#ifndef WORKER_SKETCH_H
#define WORKER_SKETCH_H
/*
 * sketch - which keys matter most, in bounded memory whatever the traffic: the space-saving sketch
 * (Metwally, Agrawal, El Abbadi 2005) over two rotating windows, one for each of a few orders. Any
 * key with more than 1/SKETCH_SLOTS of all weight of an order is in it, whatever else comes by.
 *
 * Figures are what was seen since a key got its place: they agree with each other and can only be
 * too low, by at most the bound that sketch_list tells.
 *
 * Threads: any (rank LOCK_STATS).
 */
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define SKETCH_SLOTS 512u
#define SKETCH_FIGURES 5u
#define SKETCH_ORDERS_MAX 3u
#define SKETCH_KEY_BYTES 512u

struct sketch_sum {
    uint64_t figure[SKETCH_FIGURES];
    int64_t last_ms; /* the latest of all */
};

struct sketch_item {
    char key[SKETCH_KEY_BYTES];
    struct sketch_sum sum;
};

struct sketch_shape {
    unsigned window_s; /* figures cover between one and two windows */
    unsigned order_count;
    uint8_t order[SKETCH_ORDERS_MAX]; /* the figure that each goes by */
};

/* What a list is of. */
struct sketch_question {
    unsigned order;     /* an index into the shape's */
    struct span prefix; /* only keys that begin so; empty: all */
};

struct sketch_extent {
    uint64_t error_bound; /* no figure of the order is too low by more, none is too high */
    double covered_s;     /* seconds the figures cover */
};

struct sketch;

struct sketch *sketch_new(const struct sketch_shape *shape);
void sketch_free(struct sketch **sketch);
/* key: without NUL; longer ones are cut. */
void sketch_add(struct sketch *sketch, struct span key, const struct sketch_sum *more);
/* The largest first; those of 0 are left out. Returns how many were filled. */
size_t sketch_list(struct sketch *sketch, const struct sketch_question *question,
                   struct sketch_item *out, size_t max, struct sketch_extent *extent);
/* How many keys with this prefix it knows of, by the order 0. */
size_t sketch_count(struct sketch *sketch, struct span prefix);
#endif
