#ifndef WORKER_ACCESS_LOG_H
#define WORKER_ACCESS_LOG_H
/*
 * access_log - the log thread: drains every worker's record ring about every 100 ms, writes the
 * access log (combined or JSON, large batched writes) and feeds the top list. It alone touches the
 * file.
 *
 * Threads: start and stop from main; reopen and configure from any; top readers see top.h.
 */
#include "base/err.h"
#include "record/record.h"
#include "worker/top.h"

enum access_log_format {
    ACCESS_LOG_OFF,
    ACCESS_LOG_COMBINED, /* NCSA combined, then: result reason first_byte total site; of a request that
                          * a forward proxy denies the reason is "rule:NAME" */
    ACCESS_LOG_JSON,     /* one object a line, keys as in the README */
};

struct access_log;

struct forward_view;

/* rings: one per worker, outlive the log. */
struct access_log *access_log_start(struct record_ring *const *rings, unsigned count,
                                    struct top *top, struct forward_view *forwards);
/* Drains what is there, flushes, joins. Nulls *log. */
void access_log_stop(struct access_log **log);
/* path NULL: standard error. In force with the next batch. ERR_IO: cannot be opened, the old one
 * stays. */
enum err access_log_configure(struct access_log *log, enum access_log_format format,
                              const char *path);
/* Opens the same path again (USR1, after logrotate). Returns when done. */
void access_log_reopen(struct access_log *log);
/* Records dropped since start because a write failed. */
uint64_t access_log_dropped(const struct access_log *log);
/* One line without its newline into out (for tests); returns its length. */
size_t access_log_format_line(enum access_log_format format, const struct record *record, char *out,
                              size_t size);
#endif
