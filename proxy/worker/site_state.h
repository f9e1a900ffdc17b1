#ifndef WORKER_SITE_STATE_H
#define WORKER_SITE_STATE_H
/*
 * site_state - what operators say of sites at run time, by counters slot. Outlives every
 * configuration, not the process.
 *
 * Threads: any.
 */
#include <stdint.h>

#include "base/lock.h"
#include "site/maintenance.h"

#define SITE_REASON_BYTES 200u

struct site_note {
    bool on;
    int64_t since_ms;               /* Unix; 0: never */
    char reason[SITE_REASON_BYTES]; /* may be empty */
    char by[64];                    /* who said so */
};

struct site_state {
    struct maintenance maintenance;
    struct lock lock;                       /* rank LOCK_STATS */
    struct site_note notes[COUNTERS_SITES]; /* [lock] */
};

void site_state_init(struct site_state *state);
void site_state_fini(struct site_state *state);
/* In force for every request that comes from now on. slot: not 0. Longer texts are cut. */
void site_state_maintain(struct site_state *state, unsigned slot, bool on, const char *reason,
                         const char *by);
void site_state_get(struct site_state *state, unsigned slot, struct site_note *out);
#endif
