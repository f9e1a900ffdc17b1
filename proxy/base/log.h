#ifndef BASE_LOG_H
#define BASE_LOG_H
/*
 * log - the error log: one line per event, `time level event key=value ...`. error = the operator
 * must act; warn = we degraded; info = life cycle; debug = steps. A warn or error event repeated
 * within a second is counted, not printed, and its next line says so: "repeated=N". Foreign bytes pass log_escape().
 *
 * Threads: any; one write(2) per line, none under a shard or object lock. Workers log only rare
 * events.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
};

/* path NULL: standard error. Opens for append; on failure the old sink stays. */
MUST_USE enum err log_open(const char *path, enum log_level level);
/* Opens the same path again (after logrotate). */
void log_reopen(void);

void log_error(const char *event, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_warn(const char *event, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same, but repeats are counted for each subject by itself (while there are few: 256). The
 * subject is not printed. */
void log_warn_about(const char *subject, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);
void log_info(const char *event, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_debug(const char *event, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Copies data into out (size bytes, terminated) with every byte outside 0x21..0x7e, and `"` and
 * `\`, as \xNN; cut with "..." when it does not fit. Returns out. */
const char *log_escape(char *out, size_t size, struct span data);

/* The most recent warn and error lines, newest first, for the dashboard's problem list. */
struct log_problem {
    char event[48];
    char text[208];
    int64_t last_ms; /* wall time, Unix milliseconds */
    uint64_t count;  /* times seen since start, or since it was settled */
    enum log_level level;
};
/* Fills at most max entries; returns how many. */
size_t log_problems(struct log_problem *out, size_t max);
/* What this event told of is over: it is no problem any more, and counts anew if it comes back. */
void log_settled(const char *event);
#endif
