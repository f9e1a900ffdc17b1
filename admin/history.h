#ifndef ADMIN_HISTORY_H
#define ADMIN_HISTORY_H
/*
 * history - what the whole host did over time, in three rings of fixed size: 10 minutes by the
 * second, 6 hours by 10 seconds, 7 days by 5 minutes. A slot is found by its time, so gaps,
 * restarts and a clock that jumps leave holes ("no data"), never wrong sums. Kept over a restart in
 * one checked file.
 *
 * Threads: add by the sampler; the readers by any (rank LOCK_STATS). Times are Unix seconds.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "record/counters.h"

enum history_column {
    HISTORY_RESULTS, /* RESULT_COUNT of them, in the order of enum request_result */
    HISTORY_BYTES = HISTORY_RESULTS + RESULT_COUNT, /* BYTES_COUNT of them */
    HISTORY_ERRORS_5XX = HISTORY_BYTES + BYTES_COUNT,
    HISTORY_ERRORS_ORIGIN,
    HISTORY_ERRORS_SELF,
    HISTORY_EVICTED,
    HISTORY_CONNECTIONS, /* sum of one reading a second */
    HISTORY_COLUMNS,
};

/* What happened during some seconds. */
struct history_sum {
    uint64_t seconds;       /* covered by readings; 0: no data */
    uint64_t peak_requests; /* the most in one second */
    uint64_t value[HISTORY_COLUMNS];
    uint64_t hit_time[HISTOGRAM_BUCKETS];
    uint64_t origin_first_byte[HISTOGRAM_BUCKETS];
};

enum history_range {
    HISTORY_5M,  /* 300 x 1 s */
    HISTORY_1H,  /* 360 x 10 s */
    HISTORY_24H, /* 288 x 5 min */
    HISTORY_7D,  /* 2016 x 5 min */
    HISTORY_RANGES,
};

/* One step of a series, quantiles ready. */
struct history_point {
    bool known;
    double connections; /* mean */
    uint64_t value[HISTORY_COLUMNS];
    double hit_p50_us, hit_p95_us; /* negative: none */
    double origin_p50_us, origin_p95_us;
};

struct history;

struct history *history_new(void);
void history_free(struct history **history);
/* Adds what happened in the seconds up to and including the one that began at t. */
void history_add(struct history *history, int64_t t, const struct history_sum *sum);

unsigned history_step_s(enum history_range range);
unsigned history_length(enum history_range range);
/* Fills history_length(range) points, oldest first, the last being the newest whole step before
 * now. Returns the time of the first. */
int64_t history_series(struct history *history, enum history_range range, int64_t now,
                       struct history_point *out);
/* The one second that began at t; false: no data. */
bool history_second(struct history *history, int64_t t, struct history_point *out);
/* The last 60 seconds, and the last 24 hours in whole and begun 5 minutes. */
void history_last_minute(struct history *history, int64_t now, struct history_sum *out);
void history_last_day(struct history *history, int64_t now, struct history_sum *out);

/* As bytes for a file (native byte order, checked by the reader). */
void history_write(struct history *history, struct buf *out);
/* Errors: ERR_CORRUPT, or of another version: nothing was taken. Slots later than now are left out.
 */
MUST_USE enum err history_read(struct history *history, struct span file, int64_t now);
/* A bound for the file of history_write. */
size_t history_file_max_bytes(void);
#endif
