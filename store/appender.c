/* appender - see appender.h. */
#include "store/appender.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* What direct writes are aligned to, in the file and in memory: no device asks for more. */
#define APPENDER_PAGE_BYTES 4096u
#define APPENDER_BUFFER_BYTES (1024u * 1024u)
/* Asked of the file system at once: blocks found one by one cost a third more per byte written. */
#define APPENDER_RESERVE_BYTES (1024u * 1024u)
/* The kernel begins with so many at once, so that the sync at the end is short. */
#define APPENDER_WRITEBACK_BYTES (1024u * 1024u)

static size_t appender_pages(size_t bytes)
{
    return (bytes + APPENDER_PAGE_BYTES - 1) / APPENDER_PAGE_BYTES * APPENDER_PAGE_BYTES;
}

bool appender_open(struct appender *appender, const char *path, bool is_direct)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    char *buffer = mem_try_aligned(APPENDER_PAGE_BYTES, APPENDER_BUFFER_BYTES);

    if (buffer == NULL) {
        return false;
    }
    /* A leftover may be a second name of a file the database has taken in. */
    (void)unlink(path);
    int write_fd = open(path, flags, 0640);
    int read_fd = write_fd < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (read_fd < 0) {
        if (write_fd >= 0) {
            (void)close(write_fd);
            (void)unlink(path);
        }
        mem_free(buffer);
        return false;
    }
    *appender = (struct appender){
        .write_fd = write_fd,
        .read_fd = read_fd,
        /* By fcntl, so that a file system without direct writes has made no file yet it refuses. */
        .is_direct = is_direct && fcntl(write_fd, F_SETFL, O_DIRECT) == 0,
        .buffer = buffer,
        .cap = APPENDER_BUFFER_BYTES,
    };
    lock_init(&appender->lock, LOCK_QUEUE);
    return true;
}

void appender_close(struct appender *appender)
{
    (void)close(appender->write_fd);
    (void)close(appender->read_fd);
    lock_fini(&appender->lock);
    mem_free(appender->buffer);
}

/* ---- writing ---- */

/* Begins the writing back of whole steps, so that little is left for the sync at the end. */
static void appender_writeback(struct appender *appender)
{
    uint64_t bytes = (appender->written - appender->synced) / APPENDER_WRITEBACK_BYTES *
                     APPENDER_WRITEBACK_BYTES;

    if (bytes > 0) {
        (void)sync_file_range(appender->write_fd, (off_t)appender->synced, (off_t)bytes,
                              SYNC_FILE_RANGE_WRITE);
        appender->synced += bytes;
    }
}

/* Best effort: a full disk shows itself when the bytes are written. */
static void appender_reserve(struct appender *appender, uint64_t end)
{
    if (end > appender->reserved) {
        uint64_t bytes = end - appender->reserved + APPENDER_RESERVE_BYTES - 1;

        bytes -= bytes % APPENDER_RESERVE_BYTES;
        (void)fallocate(appender->write_fd, FALLOC_FL_KEEP_SIZE, (off_t)appender->reserved,
                        (off_t)bytes);
        appender->reserved += bytes;
    }
}

/* Some file systems say only at the first write that they have no direct ones. */
static bool appender_is_refused(struct appender *appender)
{
    if (errno != EINVAL || !appender->is_direct) {
        return false;
    }
    appender->is_direct = false;
    return fcntl(appender->write_fd, F_SETFL, 0) == 0;
}

/* The first bytes of the buffer go to the end of the file. */
static enum err appender_write(struct appender *appender, size_t bytes)
{
    size_t done = 0;

    appender_reserve(appender, appender->written + bytes);
    while (done < bytes) {
        ssize_t n = pwrite(appender->write_fd, appender->buffer + done, bytes - done,
                           (off_t)(appender->written + done));
        if (n < 0 && (errno == EINTR || appender_is_refused(appender))) {
            continue;
        }
        if (n <= 0) {
            return ERR_IO;
        }
        done += (size_t)n;
    }
    return ERR_OK;
}

/* Whole pages go to the file; less than one stays. */
static enum err appender_flush(struct appender *appender)
{
    size_t bytes = appender->used / APPENDER_PAGE_BYTES * APPENDER_PAGE_BYTES;

    if (bytes == 0) {
        return ERR_OK;
    }
    enum err err = appender_write(appender, bytes);
    if (err != ERR_OK) {
        return err;
    }
    lock_acquire(&appender->lock);
    appender->written += bytes;
    appender->used -= bytes;
    memmove(appender->buffer, appender->buffer + bytes, appender->used);
    lock_release(&appender->lock);
    if (!appender->is_direct) {
        appender_writeback(appender);
    }
    return ERR_OK;
}

uint64_t appender_pending_bytes(const struct appender *appender)
{
    uint64_t end = appender_bytes(appender);
    uint64_t beyond = end > appender->reserved ? end - appender->reserved : 0;

    return beyond + APPENDER_RESERVE_BYTES + APPENDER_PAGE_BYTES;
}

enum err appender_make_room(struct appender *appender, size_t bytes)
{
    if (appender->used + bytes <= appender->cap) {
        return ERR_OK;
    }
    enum err err = appender_flush(appender);
    if (err != ERR_OK || appender->used + bytes <= appender->cap) {
        return err;
    }
    size_t cap = appender_pages(appender->used + bytes);
    char *fresh = mem_try_aligned(APPENDER_PAGE_BYTES, cap);
    if (fresh == NULL) {
        return ERR_NOMEM;
    }
    memcpy(fresh, appender->buffer, appender->used);
    char *old = appender->buffer;
    lock_acquire(&appender->lock);
    appender->buffer = fresh;
    lock_release(&appender->lock);
    appender->cap = cap;
    mem_free(old);
    return ERR_OK;
}

enum err appender_end(struct appender *appender)
{
    size_t bytes = appender_pages(appender->used);

    /* The last page is filled up for the write, then cut. */
    memset(appender->buffer + appender->used, 0, bytes - appender->used);
    enum err err = appender_write(appender, bytes);
    if (err != ERR_OK) {
        return err;
    }
    lock_acquire(&appender->lock);
    appender->written += appender->used;
    appender->used = 0;
    lock_release(&appender->lock);
    /* With the filling the rest of what was reserved goes back. */
    return ftruncate(appender->write_fd, (off_t)appender->written) == 0 ? ERR_OK : ERR_IO;
}

/* ---- reading ---- */

/* Copies those of the bytes that are in the buffer. Returns how many come before them. */
static size_t appender_read_buffer(struct appender *appender, uint64_t offset, char *room,
                                   size_t bytes)
{
    lock_acquire(&appender->lock);
    uint64_t written = appender->written;
    size_t before = offset >= written           ? 0
                    : offset + bytes <= written ? bytes
                                                : (size_t)(written - offset);
    if (before < bytes) {
        memcpy(room + before, appender->buffer + (offset + before - written), bytes - before);
    }
    lock_release(&appender->lock);
    return before;
}

enum err appender_read(struct appender *appender, uint64_t offset, char *room, size_t bytes)
{
    size_t wanted = appender_read_buffer(appender, offset, room, bytes);
    size_t done = 0;

    while (done < wanted) {
        ssize_t n = pread(appender->read_fd, room + done, wanted - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return ERR_IO;
        }
        done += (size_t)n;
    }
    return ERR_OK;
}
