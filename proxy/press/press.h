#ifndef PRESS_PRESS_H
#define PRESS_PRESS_H
/*
 * press - threads that compress whole bodies, so that no worker does. They are patient (see
 * base/thread.h), start with the first job, and take no more than a bounded queue: whoever is
 * refused serves the plain bytes and comes again.
 *
 * Threads:   submit from any thread; done() runs on the mailbox's thread, exactly once for each job
 *            that was taken, also when the press ends.
 * Ownership: a job and the bytes it names stay the caller's and must not change until done();
 *            job->data then is the caller's too (mem_free).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/mailbox.h"
#include "base/span.h"

enum press_format {
    PRESS_GZIP,   /* RFC 1952; level 1..9 */
    PRESS_BROTLI, /* RFC 7932; level 0..11 */
};

enum press_result {
    PRESS_DONE,      /* data[0..len) are the compressed bytes, check is over them */
    PRESS_NO_GAIN,   /* more than `limit` bytes would come out */
    PRESS_FAILED,    /* no memory */
    PRESS_CANCELLED, /* the press ends */
};

struct press_job {
    enum press_format format;
    int level;
    const struct span *pieces; /* the body, in order */
    size_t piece_count;
    uint64_t length; /* of all pieces, 1..PRESS_LENGTH_MAX */
    size_t limit;    /* most bytes of output that are worth having; >= 1 */
    struct mailbox *box;
    void (*done)(struct press_job *job);
    /* out */
    enum press_result result;
    uint32_t check; /* the same for the same bytes, everywhere */
    char *data;     /* NULL unless PRESS_DONE */
    size_t len;
    /* private */
    struct press_job *next;
    struct mail mail;
};

#define PRESS_LENGTH_MAX ((uint64_t)1 << 30)

struct press;

struct press_options {
    unsigned threads;   /* 1..8 */
    unsigned jobs_max;  /* that wait or run */
    uint64_t bytes_max; /* of their bodies together; a single one may be larger */
};

struct press *press_new(const struct press_options *options);
/* False: the queue is full, or no thread can be had; done() will not be called. */
MUST_USE bool press_submit(struct press *press, struct press_job *job);
/* Would a job be refused now? One relaxed load, so only a hint; a job that fits by this may still be
 * refused. */
bool press_is_full(const struct press *press);
/* Ends the running jobs early and posts every one as PRESS_CANCELLED (or as it just ended); the
 * mailboxes must outlive this and be delivered once more. Nulls *press; NULL inside is fine. */
void press_free(struct press **press);
#endif
