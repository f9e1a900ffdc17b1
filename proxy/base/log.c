/*
 * log - one formatted line, one write(2). A small table remembers each event: when it was last
 * printed, how many repeats were swallowed since, and its latest text for the dashboard. Another
 * does so for what events are about.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/lock.h"

#define LOG_LINE_BYTES 1024
#define LOG_EVENTS 64
#define LOG_SUBJECTS 256
#define LOG_REPEAT_MS 1000

/* Lines that count as the same. */
struct log_repeats {
    int64_t printed_ms;
    uint64_t swallowed;
};

struct log_event {
    struct log_problem problem;
    struct log_repeats repeats; /* about nothing in particular */
};

struct log_subject {
    uint64_t id; /* of event and subject; 0: free */
    struct log_repeats repeats;
};

static struct {
    pthread_once_t once;
    struct lock lock;
    _Atomic int level;
    int fd;                                    /* [lock] */
    char path[4096];                           /* [lock] empty: standard error */
    struct log_event events[LOG_EVENTS];       /* [lock] */
    struct log_subject subjects[LOG_SUBJECTS]; /* [lock] */
} log_state = {.once = PTHREAD_ONCE_INIT, .level = LOG_LEVEL_INFO, .fd = STDERR_FILENO};

static const char *const log_level_names[] = {"error", "warn", "info", "debug"};

static void log_start(void)
{
    lock_init(&log_state.lock, LOCK_LOG);
}

static void log_lock(void)
{
    CHECK(pthread_once(&log_state.once, log_start) == 0);
    lock_acquire(&log_state.lock);
}

/* O_NONBLOCK: lines into a pipe that nobody empties are lost, instead of everybody waiting. */
static int log_open_path(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
}

static void log_swap_locked(int fd)
{
    if (log_state.fd != STDERR_FILENO) {
        (void)close(log_state.fd);
    }
    log_state.fd = fd;
}

enum err log_open(const char *path, enum log_level level)
{
    int fd = STDERR_FILENO;

    atomic_store_explicit(&log_state.level, (int)level, memory_order_relaxed);
    if (path != NULL) {
        if (strlen(path) >= sizeof(log_state.path)) {
            return ERR_LIMIT;
        }
        fd = log_open_path(path);
        if (fd < 0) {
            return ERR_IO;
        }
    }
    log_lock();
    log_swap_locked(fd);
    (void)snprintf(log_state.path, sizeof(log_state.path), "%s", path == NULL ? "" : path);
    lock_release(&log_state.lock);
    return ERR_OK;
}

void log_reopen(void)
{
    bool failed = false;

    log_lock();
    if (log_state.path[0] != '\0') {
        int fd = log_open_path(log_state.path);
        failed = fd < 0;
        if (!failed) {
            log_swap_locked(fd);
        }
    }
    lock_release(&log_state.lock);
    if (failed) {
        log_error("error_log_reopen_failed", "reason=\"cannot be opened, the old file stays\"");
    }
}

/* The event's row; the one seen longest ago makes room for a new event. */
static struct log_event *log_event_find_locked(const char *event)
{
    struct log_event *oldest = &log_state.events[0];

    for (size_t i = 0; i < LOG_EVENTS; i++) {
        struct log_event *at = &log_state.events[i];
        if (strncmp(at->problem.event, event, sizeof(at->problem.event) - 1) == 0) {
            return at;
        }
        if (at->problem.last_ms < oldest->problem.last_ms) {
            oldest = at;
        }
    }
    *oldest = (struct log_event){.repeats.printed_ms = INT64_MIN / 2};
    (void)snprintf(oldest->problem.event, sizeof(oldest->problem.event), "%s", event);
    return oldest;
}

static bool log_is_recent(const struct log_repeats *repeats, int64_t now_ms)
{
    return now_ms - repeats->printed_ms < LOG_REPEAT_MS && now_ms >= repeats->printed_ms;
}

/* The row of this event about this subject; the one printed longest ago makes room. When all were
 * printed just now, the lines are too many: then they are repeats of the event, whatever about. */
static struct log_repeats *log_repeats_find_locked(struct log_event *event, const char *subject)
{
    struct log_subject *oldest = &log_state.subjects[0];

    if (subject == NULL) {
        return &event->repeats;
    }
    const struct span parts[] = {span_str(event->problem.event), SPAN("\n"), span_str(subject)};
    uint64_t id = hash64_parts((struct hash_seed){0}, parts, ARRAY_LEN(parts)) | 1;
    for (size_t i = 0; i < LOG_SUBJECTS; i++) {
        struct log_subject *at = &log_state.subjects[i];
        if (at->id == id) {
            return &at->repeats;
        }
        if (at->repeats.printed_ms < oldest->repeats.printed_ms) {
            oldest = at;
        }
    }
    if (oldest->id != 0 && log_is_recent(&oldest->repeats, event->problem.last_ms)) {
        return &event->repeats;
    }
    *oldest = (struct log_subject){.id = id, .repeats.printed_ms = INT64_MIN / 2};
    return &oldest->repeats;
}

static void log_write(int fd, const char *line, size_t len)
{
    ssize_t written;

    do {
        written = write(fd, line, len);
    } while (written < 0 && errno == EINTR);
}

static size_t log_stamp(char *out, size_t size, int64_t now_ms)
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;
    size_t len;

    if (gmtime_r(&seconds, &parts) == NULL) {
        return 0;
    }
    len = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &parts);
    int more = snprintf(out + len, size - len, ".%03dZ", (int)(now_ms % 1000));
    return more > 0 ? len + (size_t)more : len;
}

static void log_line(enum log_level level, const char *subject, const char *event, const char *fmt,
                     va_list args) __attribute__((format(printf, 4, 0)));

static void log_line(enum log_level level, const char *subject, const char *event, const char *fmt,
                     va_list args)
{
    char text[LOG_LINE_BYTES - 192];
    char line[LOG_LINE_BYTES];
    char stamp[64];
    int64_t now_ms = clock_wall_ms();
    char repeated[40] = "";

    if ((int)level > atomic_load_explicit(&log_state.level, memory_order_relaxed)) {
        return;
    }
    (void)vsnprintf(text, sizeof(text), fmt, args);
    stamp[log_stamp(stamp, sizeof(stamp), now_ms)] = '\0';

    log_lock();
    struct log_event *row = log_event_find_locked(event);
    (void)snprintf(row->problem.text, sizeof(row->problem.text), "%.200s", text);
    row->problem.last_ms = now_ms;
    row->problem.level = level;
    row->problem.count++;
    struct log_repeats *repeats = log_repeats_find_locked(row, subject);
    if (level <= LOG_LEVEL_WARN && log_is_recent(repeats, now_ms)) {
        repeats->swallowed++;
    } else {
        if (repeats->swallowed > 0) {
            (void)snprintf(repeated, sizeof(repeated), " repeated=%llu",
                           (unsigned long long)repeats->swallowed);
        }
        repeats->printed_ms = now_ms;
        repeats->swallowed = 0;
        int len = snprintf(line, sizeof(line), "%s %s %.47s%s%s%s\n", stamp, log_level_names[level],
                           event, text[0] == '\0' ? "" : " ", text, repeated);
        if (len > 0) {
            size_t bytes = (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1;
            line[bytes - 1] = '\n';
            log_write(log_state.fd, line, bytes);
        }
    }
    lock_release(&log_state.lock);
}

void log_error(const char *event, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_line(LOG_LEVEL_ERROR, NULL, event, fmt, args);
    va_end(args);
}

void log_warn(const char *event, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_line(LOG_LEVEL_WARN, NULL, event, fmt, args);
    va_end(args);
}

void log_warn_about(const char *subject, const char *event, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_line(LOG_LEVEL_WARN, subject, event, fmt, args);
    va_end(args);
}

void log_info(const char *event, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_line(LOG_LEVEL_INFO, NULL, event, fmt, args);
    va_end(args);
}

void log_debug(const char *event, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_line(LOG_LEVEL_DEBUG, NULL, event, fmt, args);
    va_end(args);
}

static bool log_is_plain(char c)
{
    return c >= 0x21 && c <= 0x7e && c != '"' && c != '\\';
}

const char *log_escape(char *out, size_t size, struct span data)
{
    static const char hex[] = "0123456789abcdef";
    size_t total = 0;
    size_t at = 0;

    CHECK(size >= 4);
    for (size_t i = 0; i < data.len && total < size; i++) {
        total += log_is_plain(data.ptr[i]) ? 1 : 4;
    }
    size_t room = total < size ? size - 1 : size - 4; /* for "..." */
    for (size_t i = 0; i < data.len; i++) {
        unsigned char c = (unsigned char)data.ptr[i];
        bool plain = log_is_plain(data.ptr[i]);
        if (at + (plain ? 1 : 4) > room) {
            break;
        }
        if (plain) {
            out[at++] = (char)c;
        } else {
            out[at++] = '\\';
            out[at++] = 'x';
            out[at++] = hex[c >> 4];
            out[at++] = hex[c & 15];
        }
    }
    if (total >= size) {
        memcpy(out + at, "...", 3);
        at += 3;
    }
    out[at] = '\0';
    return out;
}

size_t log_problems(struct log_problem *out, size_t max)
{
    size_t count = 0;

    log_lock();
    for (size_t i = 0; i < LOG_EVENTS; i++) {
        const struct log_problem *from = &log_state.events[i].problem;
        if (from->count == 0 || from->level > LOG_LEVEL_WARN) {
            continue;
        }
        size_t at = count < max ? count : max;
        while (at > 0 && out[at - 1].last_ms < from->last_ms) {
            if (at < max) {
                out[at] = out[at - 1];
            }
            at--;
        }
        if (at < max) {
            out[at] = *from;
            if (count < max) {
                count++;
            }
        }
    }
    lock_release(&log_state.lock);
    return count;
}

void log_settled(const char *event)
{
    log_lock();
    for (size_t i = 0; i < LOG_EVENTS; i++) {
        struct log_problem *problem = &log_state.events[i].problem;
        if (strncmp(problem->event, event, sizeof(problem->event) - 1) == 0) {
            problem->count = 0;
        }
    }
    lock_release(&log_state.lock);
}
