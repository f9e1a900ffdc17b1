#ifndef STORE_TABLE_PRIVATE_H
#define STORE_TABLE_PRIVATE_H
/* table_private - a table that is written, shared by table.c (records) and table_end.c (what
 * RocksDB wants behind them). Only these include it. */
#include <stdatomic.h>

#include "base/lock.h"
#include "store/appender.h"
#include "store/table.h"

#define TABLE_RESTARTS 256u
#define TABLE_TRAILER_BYTES 5u /* kind of compression, checksum */
#define TABLE_KEY_BYTES 16u    /* position, sequence number and kind */

struct table_record {
    uint64_t position;
    uint32_t block;
    uint32_t at;
    uint32_t len;
};

struct table_block {
    uint64_t offset;
    uint64_t last; /* position */
    uint32_t bytes;
};

struct table_handle {
    uint64_t offset;
    uint64_t bytes;
};

struct table {
    struct lock lock; /* LOCK_QUEUE: what readers look at */
    _Atomic int32_t refs;
    size_t pushed; /* [lock] records that can be found */
    bool has_failed;
    struct appender file;
    /* Arrays: below `pushed` they never change; they move under the lock. */
    struct table_record *records;
    size_t record_count, record_cap;
    struct table_block *blocks;
    size_t block_count, block_cap;
    /* the open block */
    size_t block_start; /* in the file's buffer */
    uint32_t restarts[TABLE_RESTARTS];
    uint32_t restart_count;
    uint64_t value_bytes;
};

static inline char *table_put_varint(char *at, uint64_t value)
{
    for (; value >= 128; value >>= 7) {
        *at++ = (char)(value | 128);
    }
    *at++ = (char)value;
    return at;
}

static inline char *table_put_fixed(char *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        *at++ = (char)(value >> (8 * i));
    }
    return at;
}

static inline char *table_put_handle(char *at, struct table_handle handle)
{
    return table_put_varint(table_put_varint(at, handle.offset), handle.bytes);
}

/* One entry of a block, its key in full. */
char *table_entry(char *at, const char *key, size_t key_len, size_t value_len);
/* The restarts of the block at the end of the buffer. */
void table_put_restarts(struct table *table, const uint32_t *restarts, uint32_t count);
/* The trailer of the block that is in the buffer since `start`. */
struct table_handle table_seal_block(struct table *table, size_t start);
/* Room for so many bytes in the file's buffer. No block is open. */
MUST_USE enum err table_make_space(struct table *table, size_t bytes);
#endif
