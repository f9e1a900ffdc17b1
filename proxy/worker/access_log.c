/*
 * access_log - the thread and its file. Lines are made in access_log_format.c.
 *
 * Files are opened by whoever asks, so that the asker learns of a failure; the open descriptor is
 * handed to the thread, which alone writes to and closes the one in use.
 */
#include "worker/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "worker/forward_view.h"

#define ACCESS_LOG_MAGIC 0x61636c67u
#define ACCESS_LOG_PAUSE_MS 100
#define ACCESS_LOG_BUSY_PAUSE_MS 20
#define ACCESS_LOG_BUSY_RECORDS 1000u
#define ACCESS_LOG_BATCH 65536u /* records; then orders are looked at, however full the rings */
#define ACCESS_LOG_BUFFER_BYTES ((size_t)262144)
#define ACCESS_LOG_LINE_BYTES ((size_t)32768) /* longer than the longest line */
#define ACCESS_LOG_REOPEN_MS 5000
#define ACCESS_LOG_STUCK_MS 1000 /* a pipe nobody reads: then the batch is dropped */

/* A ring's next record, taken but not yet written. */
struct log_next {
    bool is_there;
    struct record record;
};

struct access_log {
    uint32_t magic;
    struct record_ring *const *rings;
    unsigned ring_count;
    struct top *top;
    struct forward_view *forwards;
    pthread_t thread;

    struct lock lock;
    struct cond wake;              /* to the thread */
    struct cond swapped;           /* from it */
    char *path;                    /* [lock] NULL: standard error */
    enum access_log_format format; /* [lock] wanted */
    int new_fd;                    /* [lock] -1: none waits */
    uint64_t asked, done;          /* [lock] orders to swap, and how far the thread is */
    bool stop;                     /* [lock] */

    enum access_log_format in_force; /* the thread's */
    int fd;                          /* the thread's */
    size_t len;                      /* the thread's: bytes in buffer */
    uint64_t lines;                  /* the thread's: lines in buffer */
    char *buffer;
    struct log_next *next; /* the thread's, one per ring */
    _Atomic uint64_t dropped;
};

static bool log_write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, data, len);
        if (written > 0) {
            data += written;
            len -= (size_t)written;
        } else if (written < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            if (poll(&wait, 1, ACCESS_LOG_STUCK_MS) <= 0) {
                return false;
            }
        } else if (written < 0 && errno != EINTR) {
            return false;
        }
    }
    return true;
}

static void log_flush(struct access_log *log)
{
    if (log->len == 0) {
        return;
    }
    if (!log_write_all(log->fd, log->buffer, log->len)) {
        int why = errno;
        char text[96];
        atomic_fetch_add_explicit(&log->dropped, log->lines, memory_order_relaxed);
        log_warn("access_log_failed", "lines=%llu reason=\"%s\"", (unsigned long long)log->lines,
                 strerror_r(why, text, sizeof(text)));
    }
    log->len = 0;
    log->lines = 0;
}

static void log_one(struct access_log *log, const struct record *record)
{
    top_add(log->top, record);
    if (record->is_forward) {
        forward_view_add(log->forwards, record);
    }
    if (!record->want_log || log->in_force == ACCESS_LOG_OFF) {
        return;
    }
    if (ACCESS_LOG_BUFFER_BYTES - log->len < ACCESS_LOG_LINE_BYTES) {
        log_flush(log);
    }
    log->len += access_log_format_line(log->in_force, record, log->buffer + log->len,
                                       ACCESS_LOG_LINE_BYTES - 1);
    log->buffer[log->len++] = '\n';
    log->lines++;
}

/* The ring whose next record ended first, or -1. Lines come out in the order the requests ended,
 * whichever workers served them. */
static int log_earliest(struct access_log *log)
{
    int earliest = -1;

    for (unsigned i = 0; i < log->ring_count; i++) {
        struct log_next *next = &log->next[i];
        next->is_there = next->is_there || record_ring_take(log->rings[i], &next->record);
        if (next->is_there &&
            (earliest < 0 || next->record.end_us < log->next[earliest].record.end_us)) {
            earliest = (int)i;
        }
    }
    return earliest;
}

/* Returns how many records were taken. */
static unsigned log_drain(struct access_log *log)
{
    unsigned all = 0;
    int i;

    while (all < ACCESS_LOG_BATCH && (i = log_earliest(log)) >= 0) {
        log_one(log, &log->next[i].record);
        log->next[i].is_there = false;
        record_ring_release(log->rings[i]);
        all++;
    }
    log_flush(log);
    return all;
}

/* Takes over what was ordered; with the lock held. */
static void log_obey_locked(struct access_log *log)
{
    if (log->done == log->asked) {
        return;
    }
    if (log->new_fd >= 0) {
        if (log->fd != STDERR_FILENO) {
            (void)close(log->fd);
        }
        log->fd = log->new_fd;
        log->new_fd = -1;
    }
    log->in_force = log->format;
    log->done = log->asked;
    cond_broadcast(&log->swapped);
}

static void *log_run(void *arg)
{
    struct access_log *log = arg;
    int pause_ms = ACCESS_LOG_PAUSE_MS;
    bool stop = false;

    CHECK_OBJ(log, ACCESS_LOG_MAGIC);
    while (!stop) {
        lock_acquire(&log->lock);
        if (!log->stop && log->done == log->asked) {
            (void)cond_wait(&log->wake, &log->lock, pause_ms);
        }
        log_obey_locked(log);
        stop = log->stop;
        lock_release(&log->lock);
        unsigned taken = log_drain(log);
        pause_ms = taken > ACCESS_LOG_BUSY_RECORDS ? ACCESS_LOG_BUSY_PAUSE_MS : ACCESS_LOG_PAUSE_MS;
    }
    while (log_drain(log) > 0) {
    }
    return NULL;
}

struct access_log *access_log_start(struct record_ring *const *rings, unsigned count,
                                    struct top *top, struct forward_view *forwards)
{
    struct access_log *log = mem_new(sizeof(*log));

    log->magic = ACCESS_LOG_MAGIC;
    log->rings = rings;
    log->ring_count = count;
    log->top = top;
    log->forwards = forwards;
    log->new_fd = -1;
    log->fd = STDERR_FILENO;
    log->buffer = mem_new(ACCESS_LOG_BUFFER_BYTES);
    log->next = mem_new((count + 1) * sizeof(*log->next));
    lock_init(&log->lock, LOCK_QUEUE);
    cond_init(&log->wake);
    cond_init(&log->swapped);
    CHECK(thread_start(&log->thread, "larder-log", log_run, log) == ERR_OK);
    return log;
}

void access_log_stop(struct access_log **log_ptr)
{
    struct access_log *log = *log_ptr;

    if (log == NULL) {
        return;
    }
    CHECK_OBJ(log, ACCESS_LOG_MAGIC);
    lock_acquire(&log->lock);
    log->stop = true;
    cond_signal(&log->wake);
    lock_release(&log->lock);
    CHECK(pthread_join(log->thread, NULL) == 0);
    if (log->fd != STDERR_FILENO) {
        (void)close(log->fd);
    }
    cond_fini(&log->wake);
    cond_fini(&log->swapped);
    lock_fini(&log->lock);
    mem_free(log->path);
    mem_free(log->buffer);
    mem_free(log->next);
    log->magic = 0;
    mem_free(log);
    *log_ptr = NULL;
}

/* A pipe nobody reads must hold up neither the start nor the end: no waiting, not for files. */
static int log_open_file(const char *path)
{
    return path == NULL ? STDERR_FILENO
                        : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
}

/* Hands fd over; a file that was waiting and never used is closed. */
static uint64_t log_order_locked(struct access_log *log, int fd)
{
    if (log->new_fd >= 0 && log->new_fd != STDERR_FILENO) {
        (void)close(log->new_fd);
    }
    log->new_fd = fd;
    cond_signal(&log->wake);
    return ++log->asked;
}

enum err access_log_configure(struct access_log *log, enum access_log_format format,
                              const char *path)
{
    CHECK_OBJ(log, ACCESS_LOG_MAGIC);
    int fd = log_open_file(format == ACCESS_LOG_OFF ? NULL : path);
    if (fd < 0) {
        return ERR_IO;
    }
    char *copy = path == NULL ? NULL : mem_copy(path, strlen(path));
    lock_acquire(&log->lock);
    char *old = log->path;
    log->path = copy;
    log->format = format;
    (void)log_order_locked(log, fd);
    lock_release(&log->lock);
    mem_free(old);
    return ERR_OK;
}

void access_log_reopen(struct access_log *log)
{
    char path[4096];
    bool wanted;

    CHECK_OBJ(log, ACCESS_LOG_MAGIC);
    lock_acquire(&log->lock);
    wanted = log->path != NULL && log->format != ACCESS_LOG_OFF;
    (void)snprintf(path, sizeof(path), "%s", wanted ? log->path : "");
    lock_release(&log->lock);
    if (!wanted) {
        return;
    }
    int fd = log_open_file(path);
    if (fd < 0) {
        log_error("access_log_reopen_failed", "reason=\"cannot be opened, the old file stays\"");
        return;
    }
    lock_acquire(&log->lock);
    uint64_t mine = log_order_locked(log, fd);
    while (log->done < mine && cond_wait(&log->swapped, &log->lock, ACCESS_LOG_REOPEN_MS)) {
    }
    lock_release(&log->lock);
}

uint64_t access_log_dropped(const struct access_log *log)
{
    CHECK_OBJ(log, ACCESS_LOG_MAGIC);
    return atomic_load_explicit(&log->dropped, memory_order_relaxed);
}
