#ifndef STORE_DISK_PRIVATE_H
#define STORE_DISK_PRIVATE_H
/* disk_private - the open database, shared by disk.c (reads, writes, files) and disk_open.c. Only
 * these two include it, and so rocksdb/c.h. */
#include <rocksdb/c.h>

#include "base/lock.h"
#include "store/disk.h"

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
    rocksdb_writeoptions_t *write_body, *write_idx, *write_sync;
    rocksdb_writebatch_t *body, *idx;
    size_t body_bytes, idx_bytes;
};

enum {
    FAMILY_DEFAULT,
    FAMILY_IDX,
    FAMILY_BODY
};

/* Says what went wrong and frees the text. */
enum err disk_trouble(const char *event, char *text);
#endif
