#ifndef RECORD_TALLY_H
#define RECORD_TALLY_H
/*
 * tally - what one worker counts of its forward proxies: of each as a whole, and of each of the rules
 * that decide. Their names come from configurations and from our own words (access.h), so there are
 * few; those beyond TALLY_ENTRIES are counted together under "-", "-".
 *
 * Threads: single writer (the worker, relaxed stores of its own values); any thread may read. Names
 * are kept as long as the tally, also over reloads.
 */
#include <stdatomic.h>
#include <stdint.h>

#include "base/span.h"

#define TALLY_ENTRIES 512u

enum tally_figure {
    /* of a proxy as a whole, rule "" */
    TALLY_REQUESTS, /* ended, in whatever way */
    TALLY_TUNNELS_OPENED,
    TALLY_TUNNELS_CLOSED,
    TALLY_TO_CLIENT, /* bytes through tunnels, also those still open */
    TALLY_TO_ORIGIN,
    TALLY_CHALLENGES,    /* 407: no name and password were sent */
    TALLY_LOGIN_FAILED,  /* 407: they were wrong */
    TALLY_LOGIN_REFUSED, /* not looked at: too many wrong ones before, or at once */
    /* of a rule */
    TALLY_ALLOWED,
    TALLY_DENIED,
    TALLY_FIGURES,
};

struct tally;
struct tally_entry {
    _Atomic(char *) names; /* "FORWARD\0RULE"; NULL: free */
    _Atomic uint64_t figure[TALLY_FIGURES];
};

struct tally *tally_new(void);
void tally_free(struct tally **tally);
/* The worker alone; the entry stays. Spans without NUL. */
struct tally_entry *tally_of(struct tally *tally, struct span forward, struct span rule);

static inline void tally_add(struct tally_entry *entry, enum tally_figure figure, uint64_t n)
{
    _Atomic uint64_t *counter = &entry->figure[figure];
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* ---- read by others ---- */

struct tally_row {
    const char *forward, *rule; /* rule "": the proxy as a whole */
    uint64_t figure[TALLY_FIGURES];
};

/* Sums of several tallies, in the order in which names were met. */
struct tally_sum {
    size_t count;
    struct tally_row row[TALLY_ENTRIES];
};

void tally_sum_add(struct tally_sum *sum, const struct tally *tally);
/* The row of these names, which the sum borrows; one of zeros where nothing was counted so far. */
struct tally_row *tally_sum_want(struct tally_sum *sum, const char *forward, const char *rule);
/* NULL: nothing was counted for it. */
const struct tally_row *tally_sum_find(const struct tally_sum *sum, const char *forward,
                                       const char *rule);
#endif
