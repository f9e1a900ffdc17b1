#ifndef FILL_REARM_H
#define FILL_REARM_H
/*
 * rearm - a stale response that was sent because the origin is down may be sent again for a moment,
 * so that not every request waits for the dead origin (RFC 9111 4.2.4). In the same way a refresh in
 * the background that failed (RFC 5861 section 3) is not tried again with every hit.
 *
 * One small table per worker, by key hash; a note names the stored response exactly, so one that
 * was renewed, replaced, purged or soft-purged since is not meant by it. In memory only, and lost
 * when another key needs its place: then the origin is asked once more.
 *
 * Threads: the owning worker.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "http/freshness.h"

/* The longest a recovered origin stays hidden. */
#define REARM_US 5000000u

struct rearm_table;

/* What a note is about. */
struct rearm_subject {
    struct hash128 key;
    const struct http_stored *facts; /* as stored */
    int64_t soft_at_ms;              /* of its soft purge, or 0 */
};

enum rearm_grant {
    REARM_NONE,
    REARM_ANYWAY,    /* the origin cannot be reached */
    REARM_IN_WINDOW, /* while its stale-if-error window lasts */
    REARM_QUIET,     /* not at all, but no refresh in the background is tried again */
};

/* Makes the table at first use. */
void rearm_note(struct rearm_table **table, const struct rearm_subject *subject,
                enum rearm_grant grant, uint64_t now_us);
/* table may be NULL. */
enum rearm_grant rearm_find(const struct rearm_table *table, const struct rearm_subject *subject,
                            uint64_t now_us);
void rearm_free(struct rearm_table **table); /* nulls *table */
#endif
