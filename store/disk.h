#ifndef STORE_DISK_H
#define STORE_DISK_H
/*
 * disk - RocksDB behind plain functions; the only files that know it. Family `idx` is small, keyed
 * by hash + id, with WAL; family `body` is a log under ascending positions: its files never overlap
 * and dropping the oldest costs nothing. The youngest of them, the tail, is written by us (table.h)
 * and taken in by RocksDB when it is sealed; until then it is lost with the process.
 *
 * Threads:   disk_get_*, cursors: any service thread. Batches, bodies, files, reopen: the writer
 * only. Workers never call in here. Reopening waits for reads under way. Ownership: a pin is memory
 * of its own (no file, no version is held) and may outlive the database. Errors:    ERR_IO for
 * whatever RocksDB says, logged here once per kind; ERR_CORRUPT for a block that does not verify;
 * ERR_ABSENT.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/span.h"

struct disk;
struct disk_cursor;

struct disk_options {
    const char *path; /* the store's folder */
    uint64_t disk_bytes;
    uint64_t memory_bytes;
};

/* Makes the folder and opens; a database that cannot be opened is moved aside once. Never NULL;
 * when it is not open all reads and writes give ERR_IO until disk_reopen works. */
struct disk *disk_new(const struct disk_options *options);
void disk_free(struct disk **disk);
bool disk_is_open(struct disk *disk);
/* Closes (if open), moves the database aside and opens an empty one. */
MUST_USE enum err disk_start_over(struct disk *disk);
/* Closes (if open) and opens again. */
MUST_USE enum err disk_reopen(struct disk *disk);

/* Reads. *pin owns the bytes of *value: let go with disk_unpin. */
MUST_USE enum err disk_get_body(struct disk *disk, uint64_t position, void **pin,
                                struct span *value);
MUST_USE enum err disk_get_idx(struct disk *disk, struct hash128 hash, uint64_t id, void **pin,
                               struct span *value);
void disk_unpin(void *pin);

/* Walks idx in key order from hash on; with prefix_only, the records of this hash alone. */
struct disk_cursor *disk_cursor_open(struct disk *disk, struct hash128 from, bool prefix_only);
/* ERR_ABSENT at the end, ERR_CORRUPT where a block is damaged. Spans live until the next call. */
MUST_USE enum err disk_cursor_next(struct disk_cursor *cursor, struct span *key,
                                   struct span *value);
void disk_cursor_close(struct disk_cursor **cursor);

/* Small named numbers, always written with a sync. ERR_ABSENT when never put. */
MUST_USE enum err disk_get_number(struct disk *disk, const char *name, uint64_t *out);
MUST_USE enum err disk_put_number(struct disk *disk, const char *name, uint64_t value);
/* First and last position in body files, by what the files are said to hold, so that a damaged
 * block changes nothing; 0 when empty. Before anything is put. */
void disk_body_bounds(struct disk *disk, uint64_t *first, uint64_t *last);

/* Adds a record to the tail; positions rise. It can be read once it was pushed. */
MUST_USE enum err disk_put_body(struct disk *disk, uint64_t position, const struct span *parts,
                                size_t count);
MUST_USE enum err disk_push_body(struct disk *disk);
/* Is the tail as long as a file should be? */
bool disk_tail_is_long(const struct disk *disk);
/* Ends the tail and has RocksDB take it in, with a sync; the next record begins a new one. */
MUST_USE enum err disk_seal_body(struct disk *disk);

/* Gathers records, then writes them at once. */
void disk_batch_idx(struct disk *disk, struct hash128 hash, uint64_t id, struct span value);
void disk_batch_idx_delete(struct disk *disk, struct hash128 hash, uint64_t id);
size_t disk_batch_idx_bytes(const struct disk *disk);
MUST_USE enum err disk_write_idx(struct disk *disk, bool sync);
/* Has the tail, or background work (a flush, a compaction), failed since it was opened? */
bool disk_has_failed(struct disk *disk);

struct disk_file {
    uint64_t smallest;
    uint64_t largest;
    uint64_t bytes;
    int level;
};
/* Body files by position; returns how many. *out: freed with mem_free. */
size_t disk_body_files(struct disk *disk, struct disk_file **out);
/* Drops all whole files with positions in [0, position]. */
void disk_drop_to(struct disk *disk, uint64_t position);
/* Rewrites the files in [from, to] into as few as possible. */
void disk_merge(struct disk *disk, uint64_t from, uint64_t to);

struct disk_usage {
    uint64_t file_bytes;    /* of everything in the folder */
    uint64_t free_bytes;    /* of the file system, for us */
    uint64_t pending_bytes; /* not yet in files */
    uint64_t idx_bytes;     /* of idx files: what its compaction may need once more */
};
void disk_measure(struct disk *disk, struct disk_usage *out);
/* Tries a file of a few MiB. Opening a database on a full file system can destroy it: RocksDB finds
 * no CURRENT after the attempt before and begins anew. So this is asked first. */
bool disk_may_write(struct disk *disk);
/* Deletes folders moved aside. False: there were none. */
bool disk_drop_quarantine(struct disk *disk);
#endif
