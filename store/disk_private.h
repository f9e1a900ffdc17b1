#ifndef STORE_DISK_PRIVATE_H
#define STORE_DISK_PRIVATE_H
/* disk_private - the open database, shared by disk.c (reads, writes, files), disk_body.c and
 * disk_open.c. Only these include it, and so rocksdb/c.h. */
#include <rocksdb/c.h>

#include "base/lock.h"
#include "store/disk.h"
#include "store/table.h"

struct disk {
    struct disk_options options;
    char *path;
    char *db_path;
    struct lock lock; /* LOCK_QUEUE: users and is_open */
    struct cond idle;
    unsigned users;       /* [lock] reads under way */
    bool is_open;         /* [lock] */
    bool has_write_error; /* the writer's: since it was opened; RocksDB aborts when such a log is
                             synced */
    rocksdb_t *db;
    rocksdb_column_family_handle_t *families[3];
    rocksdb_options_t *db_options, *idx_options, *body_options;
    rocksdb_cache_t *cache, *body_cache;
    rocksdb_readoptions_t *read, *scan;
    rocksdb_writeoptions_t *write_idx, *write_sync;
    rocksdb_ingestexternalfileoptions_t *ingest;
    rocksdb_writebatch_t *idx;
    size_t idx_bytes;
    struct table *tail; /* the file bodies go to, or NULL; changed by the writer [lock] */
    char *tail_path;
    uint64_t tail_target; /* bytes after which it is sealed */
    bool has_tail_error;  /* the writer's: nothing more goes to this tail */
    bool is_copied;       /* the tail, when sealed: no links on this file system */
};

/* The memory a value lies in. */
struct disk_pin {
    rocksdb_pinnableslice_t *slice; /* NULL: bytes, with a block of the tail */
    char bytes[];
};

enum {
    FAMILY_DEFAULT,
    FAMILY_IDX,
    FAMILY_BODY
};

/* Says what went wrong and frees the text. */
enum err disk_trouble(const char *event, char *text);
enum err disk_get(struct disk *disk, int family, const uint8_t *key, size_t key_len, void **pin,
                  struct span *value);
/* Closes the tail, if any, and deletes its file. */
void disk_drop_tail(struct disk *disk);
#endif
