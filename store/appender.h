#ifndef STORE_APPENDER_H
#define STORE_APPENDER_H
/*
 * appender - a file that only grows, written past the page cache. Bytes are gathered in a buffer
 * and leave it in long aligned writes (O_DIRECT): what is stored is in RAM already and is mostly
 * not asked for again soon, so a second copy in the page cache would cost more than everything else
 * a writer does, and push out what readers have there. Where a file system has no such writes they
 * are ordinary ones, whose writing back is begun early.
 *
 * Threads:   one thread opens, appends, flushes, ends, closes; any thread reads what that thread
 *            has made known to it.
 * Ownership: the struct belongs to the caller, who deletes the file.
 * Errors:    after ERR_IO or ERR_NOMEM nothing more is to be appended; what was is read as before.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/lock.h"

struct appender {
    struct lock lock; /* LOCK_QUEUE: held when what readers look at moves */
    int write_fd;
    int read_fd; /* through the page cache */
    bool is_direct;
    char *buffer;      /* the bytes behind `written` [lock] */
    uint64_t written;  /* bytes in the file, whole pages until the end [lock] */
    size_t used, cap;  /* of the buffer */
    uint64_t reserved; /* the file system was asked for so many bytes */
    uint64_t synced;   /* ordinary writes: the kernel was told to write these back */
};

/* Creates the file anew (a leftover is unlinked first, never written over). False: it cannot be.
 * Without is_direct all writes are ordinary ones. */
MUST_USE bool appender_open(struct appender *appender, const char *path, bool is_direct);
void appender_close(struct appender *appender);

/* Makes room for so many bytes behind `used`; what is there may move and leave for the file. */
MUST_USE enum err appender_make_room(struct appender *appender, size_t bytes);
/* All bytes go to the file, which ends with them. Nothing is appended after it. No sync. */
MUST_USE enum err appender_end(struct appender *appender);
/* Bytes appended so far. */
static inline uint64_t appender_bytes(const struct appender *appender)
{
    return appender->written + appender->used;
}

/* So much the file may still grow by what was appended, and by the step in which room is reserved. */
uint64_t appender_pending_bytes(const struct appender *appender);

/* Reads bytes that were appended, wherever they are. ERR_IO: the file has them no more. */
MUST_USE enum err appender_read(struct appender *appender, uint64_t offset, char *room,
                                size_t bytes);
#endif
