#ifndef ORIGIN_FIGURES_H
#define ORIGIN_FIGURES_H
/*
 * figures - what one server has answered: ever, and during the last minute.
 *
 * Threads: none of its own; under the lock of the server's pool.
 */
#include <stdint.h>

#include "base/histogram.h"
#include "origin/origin.h"

#define ORIGIN_FAULTS 16u /* at least as many as enum fetch_fault has */
#define ORIGIN_CLASSES 6u /* 1xx to 5xx; 0: no response */
#define ORIGIN_WINDOWS 6u /* the last minute, in steps of */
#define ORIGIN_WINDOW_US UINT64_C(10000000)

/* What happened in one step. */
struct origin_window {
    uint64_t number;    /* of the step, from the clock */
    uint32_t responses; /* outcomes that are known */
    uint32_t failures;
    uint32_t first_byte[HISTOGRAM_BUCKETS];
};

/* All zero but born_us at the beginning. */
struct origin_figures {
    uint64_t born_us;                   /* monotonic */
    uint64_t responses[ORIGIN_CLASSES]; /* by status class, tunnels and what failed later too */
    uint64_t faults[ORIGIN_FAULTS];     /* by enum fetch_fault; [FETCH_OK] counts successes */
    uint64_t received_bytes;            /* of bodies */
    uint64_t connected, reused;         /* responses over a new and over a kept connection */
    uint64_t first_byte[HISTOGRAM_BUCKETS];
    uint64_t first_byte_sum_us;
    struct origin_window windows[ORIGIN_WINDOWS];
};

/* The last minute, or less when the server is younger. */
struct origin_recent {
    double seconds;     /* covered; more than 0 */
    uint64_t responses; /* failures too */
    uint64_t failures;
    double p50_us, p95_us; /* first byte; negative: none */
};

/* Counts an outcome that is known. */
void origin_figures_note(struct origin_figures *figures, const struct origin_outcome *outcome,
                         uint64_t now_us);
void origin_figures_recent(const struct origin_figures *figures, uint64_t now_us,
                           struct origin_recent *out);
/* "connect_refused": stable, for metrics and answers. FETCH_OK: "ok". */
const char *origin_fault_name(enum fetch_fault fault);
#endif
