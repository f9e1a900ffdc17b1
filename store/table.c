/* table - see table.h. Layout: data blocks, properties, metaindex, index, footer. */
#include "store/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"
#include "store/codec.h"

#define TABLE_BLOCK_BYTES 8192u
#define TABLE_RESTARTS 256u
#define TABLE_TRAILER_BYTES 5u            /* kind of compression, checksum */
#define TABLE_BUFFER_BYTES (512u * 1024u) /* gathered before it is written */
#define TABLE_WRITEBACK_BYTES                                                                      \
    (1024u * 1024u)           /* the kernel begins early, so that the sync is short */
#define TABLE_KEY_BYTES 16u   /* position, sequence number and kind */
#define TABLE_ENTRY_BYTES 48u /* key, three lengths, restart, index: at most */
#define TABLE_INDEX_BYTES 48u /* of the index, per block: at most */
#define TABLE_END_BYTES 4096u /* properties, metaindex, footer: at most */
#define TABLE_HANDLES_BYTES 40u
#define TABLE_XXH3 4
#define TABLE_FORMAT 5u
#define TABLE_MAGIC UINT64_C(0x88e241b785f4cff7)

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
    int fd;
    bool has_failed;
    uint64_t offset; /* bytes in the file */
    uint64_t synced; /* the kernel was told to write these */
    char *buffer;
    size_t used, cap;
    /* Arrays: below `pushed` they never change; they move under the lock. */
    struct table_record *records;
    size_t record_count, record_cap;
    struct table_block *blocks;
    size_t block_count, block_cap;
    /* the open block */
    size_t block_start; /* in buffer */
    uint32_t restarts[TABLE_RESTARTS];
    uint32_t restart_count;
    uint64_t value_bytes;
};

/* ---- life ---- */

struct table *table_create(const char *path)
{
    char *buffer = mem_try(TABLE_BUFFER_BYTES);

    if (buffer == NULL) {
        return NULL;
    }
    /* A leftover may be a second name of a file the database has taken in. */
    (void)unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        mem_free(buffer);
        return NULL;
    }
    struct table *table = mem_new(sizeof(*table));
    lock_init(&table->lock, LOCK_QUEUE);
    atomic_init(&table->refs, 1);
    table->fd = fd;
    table->buffer = buffer;
    table->cap = TABLE_BUFFER_BYTES;
    return table;
}

struct table *table_ref(struct table *table)
{
    atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
    return table;
}

void table_unref(struct table **table_in)
{
    struct table *table = *table_in;

    *table_in = NULL;
    /* acq_rel: what others did with it is done before it goes */
    if (table != NULL && atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) == 1) {
        (void)close(table->fd);
        lock_fini(&table->lock);
        mem_free(table->buffer);
        mem_free(table->records);
        mem_free(table->blocks);
        mem_free(table);
    }
}

/* ---- bytes ---- */

static char *put_varint(char *at, uint64_t value)
{
    for (; value >= 128; value >>= 7) {
        *at++ = (char)(value | 128);
    }
    *at++ = (char)value;
    return at;
}

static char *put_fixed(char *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        *at++ = (char)(value >> (8 * i));
    }
    return at;
}

static char *put_handle(char *at, struct table_handle handle)
{
    return put_varint(put_varint(at, handle.offset), handle.bytes);
}

/* Position, then sequence number 0 and kind 1: a value. */
static void table_key(char out[TABLE_KEY_BYTES], uint64_t position)
{
    codec_position_key((uint8_t *)out, position);
    (void)put_fixed(out + 8, 1, 8);
}

static uint32_t table_checksum(const char *block, size_t bytes)
{
    return (uint32_t)hash64((struct hash_seed){0}, span_of(block, bytes));
}

/* Makes room for one more item. The array may move, so under the lock. */
static bool table_grow(struct table *table, void **items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return true;
    }
    size_t more = *cap == 0 ? 256 : *cap * 2;
    void *fresh = mem_try(more * size);
    if (fresh == NULL) {
        return false;
    }
    void *old = *items;
    if (count > 0) {
        memcpy(fresh, old, count * size);
    }
    lock_acquire(&table->lock);
    *items = fresh;
    lock_release(&table->lock);
    *cap = more;
    mem_free(old);
    return true;
}

/* ---- writing ---- */

/* Begins the writing back of whole steps, so that little is left for the sync at the end. */
static void table_writeback(struct table *table)
{
    uint64_t bytes =
        (table->offset - table->synced) / TABLE_WRITEBACK_BYTES * TABLE_WRITEBACK_BYTES;

    if (bytes > 0) {
        (void)sync_file_range(table->fd, (off_t)table->synced, (off_t)bytes, SYNC_FILE_RANGE_WRITE);
        table->synced += bytes;
    }
}

static enum err table_write_out(struct table *table)
{
    size_t done = 0;

    while (done < table->used) {
        ssize_t n = write(table->fd, table->buffer + done, table->used - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            table->has_failed = true;
            return ERR_IO;
        }
        done += (size_t)n;
    }
    table->offset += done;
    table->used = 0;
    table->block_start = 0;
    table_writeback(table);
    return ERR_OK;
}

/* The checksum behind what was gathered since `start`. */
static struct table_handle table_seal_block(struct table *table, size_t start)
{
    size_t bytes = table->used - start;
    char *at = table->buffer + table->used;

    *at = 0; /* no compression */
    (void)put_fixed(at + 1, table_checksum(table->buffer + start, bytes), 4);
    table->used += TABLE_TRAILER_BYTES;
    return (struct table_handle){.offset = table->offset + start, .bytes = bytes};
}

/* One entry of a block, its key in full. */
static char *table_entry(char *at, const char *key, size_t key_len, size_t value_len)
{
    at = put_varint(at, 0); /* bytes shared with the key before */
    at = put_varint(at, key_len);
    at = put_varint(at, value_len);
    memcpy(at, key, key_len);
    return at + key_len;
}

static void table_put_restarts(struct table *table, const uint32_t *restarts, uint32_t count)
{
    char *at = table->buffer + table->used;

    for (uint32_t i = 0; i < count; i++) {
        at = put_fixed(at, restarts[i], 4);
    }
    at = put_fixed(at, count, 4);
    table->used = (size_t)(at - table->buffer);
}

/* Ends the open block. Its room was kept free. */
static void table_end_block(struct table *table)
{
    if (table->restart_count == 0) {
        return;
    }
    table_put_restarts(table, table->restarts, table->restart_count);
    struct table_handle handle = table_seal_block(table, table->block_start);
    table->blocks[table->block_count++] = (struct table_block){
        .offset = handle.offset,
        .last = table->records[table->record_count - 1].position,
        .bytes = (uint32_t)handle.bytes,
    };
    table->restart_count = 0;
    table->block_start = table->used;
}

/* Room for an entry of so many bytes and the end of its block. */
static enum err table_make_room(struct table *table, size_t bytes)
{
    size_t rest = bytes + 4 * (table->restart_count + 1) + TABLE_TRAILER_BYTES;

    if (table->restart_count == TABLE_RESTARTS ||
        (table->restart_count > 0 &&
         table->used - table->block_start + bytes > TABLE_BLOCK_BYTES)) {
        table_end_block(table);
    }
    if (table->used + rest > table->cap) {
        table_end_block(table);
        if (table_write_out(table) != ERR_OK) {
            return ERR_IO;
        }
    }
    if (rest > table->cap) {
        char *buffer = mem_try_resize(table->buffer, rest);
        if (buffer == NULL) {
            return ERR_NOMEM;
        }
        table->buffer = buffer;
        table->cap = rest;
    }
    bool ok = table_grow(table, (void **)&table->blocks, table->block_count, &table->block_cap,
                         sizeof(*table->blocks)) &&
              table_grow(table, (void **)&table->records, table->record_count, &table->record_cap,
                         sizeof(*table->records));
    return ok ? ERR_OK : ERR_NOMEM;
}

enum err table_add(struct table *table, uint64_t position, const struct span *parts, size_t count)
{
    char key[TABLE_KEY_BYTES];
    size_t len = 0;

    CHECK(table->record_count == 0 || position > table->records[table->record_count - 1].position);
    if (table->has_failed) {
        return ERR_IO;
    }
    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    enum err err = table_make_room(table, len + TABLE_ENTRY_BYTES);
    if (err != ERR_OK) {
        table->has_failed = true;
        return err;
    }
    table_key(key, position);
    table->restarts[table->restart_count++] = (uint32_t)(table->used - table->block_start);
    char *at = table_entry(table->buffer + table->used, key, sizeof(key), len);
    table->records[table->record_count++] = (struct table_record){
        .position = position,
        .block = (uint32_t)table->block_count,
        .at = (uint32_t)((size_t)(at - table->buffer) - table->block_start),
        .len = (uint32_t)len,
    };
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) {
            memcpy(at, parts[i].ptr, parts[i].len);
            at += parts[i].len;
        }
    }
    table->used = (size_t)(at - table->buffer);
    table->value_bytes += len;
    return ERR_OK;
}

enum err table_push(struct table *table)
{
    if (table->has_failed) {
        return ERR_IO;
    }
    table_end_block(table);
    enum err err = table_write_out(table);
    if (err == ERR_OK) {
        lock_acquire(&table->lock);
        table->pushed = table->record_count;
        lock_release(&table->lock);
    }
    return err;
}

uint64_t table_bytes(const struct table *table)
{
    return table->offset + table->used;
}

uint64_t table_pending_bytes(const struct table *table)
{
    return table->used + (table->block_count + 1) * TABLE_INDEX_BYTES + TABLE_END_BYTES;
}

/* ---- the end of the file ---- */

/* A block of few entries, each a restart, put together in the buffer. */
struct table_few {
    struct table *table;
    size_t start;
    uint32_t restarts[32];
    uint32_t count;
};

static void table_few_add(struct table_few *few, const char *name, const char *value, size_t len)
{
    struct table *table = few->table;

    CHECK(few->count < ARRAY_LEN(few->restarts));
    few->restarts[few->count++] = (uint32_t)(table->used - few->start);
    char *at = table_entry(table->buffer + table->used, name, strlen(name), len);
    memcpy(at, value, len);
    table->used = (size_t)(at - table->buffer) + len;
}

static void table_few_number(struct table_few *few, const char *name, uint64_t value)
{
    char bytes[10];

    table_few_add(few, name, bytes, (size_t)(put_varint(bytes, value) - bytes));
}

static struct table_handle table_few_end(struct table_few *few)
{
    table_put_restarts(few->table, few->restarts, few->count);
    return table_seal_block(few->table, few->start);
}

/* In order of their names. */
static struct table_handle table_put_properties(struct table *table, uint64_t data_bytes,
                                                uint64_t index_bytes)
{
    static const char comparator[] = "leveldb.BytewiseComparator";
    static const char compression[] = "NoCompression";
    struct table_few few = {.table = table, .start = table->used};
    char fixed[8];

    table_few_add(&few, "rocksdb.block.based.table.index.type", fixed,
                  (size_t)(put_fixed(fixed, 0, 4) - fixed)); /* binary search */
    table_few_add(&few, "rocksdb.block.based.table.prefix.filtering", "0", 1);
    table_few_add(&few, "rocksdb.block.based.table.whole.key.filtering", "1", 1);
    table_few_add(&few, "rocksdb.comparator", comparator, sizeof(comparator) - 1);
    table_few_add(&few, "rocksdb.compression", compression, sizeof(compression) - 1);
    table_few_number(&few, "rocksdb.data.size", data_bytes);
    table_few_number(&few, "rocksdb.deleted.keys", 0);
    table_few_add(&few, "rocksdb.external_sst_file.global_seqno", fixed,
                  (size_t)(put_fixed(fixed, 0, 8) - fixed));
    table_few_add(&few, "rocksdb.external_sst_file.version", fixed,
                  (size_t)(put_fixed(fixed, 2, 4) - fixed));
    table_few_number(&few, "rocksdb.filter.size", 0);
    table_few_number(&few, "rocksdb.fixed.key.length", 0);
    table_few_number(&few, "rocksdb.format.version", 0);
    table_few_number(&few, "rocksdb.index.key.is.user.key", 1);
    table_few_number(&few, "rocksdb.index.partitions", 0);
    table_few_number(&few, "rocksdb.index.size", index_bytes);
    table_few_number(&few, "rocksdb.index.value.is.delta.encoded", 0);
    table_few_number(&few, "rocksdb.merge.operands", 0);
    table_few_number(&few, "rocksdb.num.data.blocks", table->block_count);
    table_few_number(&few, "rocksdb.num.entries", table->record_count);
    table_few_number(&few, "rocksdb.num.range-deletions", 0);
    table_few_number(&few, "rocksdb.raw.key.size", (uint64_t)table->record_count * TABLE_KEY_BYTES);
    table_few_number(&few, "rocksdb.raw.value.size", table->value_bytes);
    table_few_number(&few, "rocksdb.top-level.index.size", 0);
    return table_few_end(&few);
}

/* One entry per data block: its last position and where it is. */
static enum err table_put_index(struct table *table, struct table_handle *out)
{
    size_t start = table->used;
    size_t count = table->block_count;
    uint32_t *restarts = mem_try(count * sizeof(*restarts));

    if (restarts == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const struct table_block *block = &table->blocks[i];
        char key[8];
        char value[20];
        char *end = put_handle(value, (struct table_handle){block->offset, block->bytes});
        size_t len = (size_t)(end - value);
        codec_position_key((uint8_t *)key, block->last);
        restarts[i] = (uint32_t)(table->used - start);
        char *at = table_entry(table->buffer + table->used, key, sizeof(key), len);
        memcpy(at, value, len);
        table->used = (size_t)(at - table->buffer) + len;
    }
    table_put_restarts(table, restarts, (uint32_t)count);
    mem_free(restarts);
    *out = table_seal_block(table, start);
    return ERR_OK;
}

static void table_put_footer(struct table *table, struct table_handle metaindex,
                             struct table_handle index)
{
    char *at = table->buffer + table->used;

    *at++ = TABLE_XXH3;
    memset(at, 0, TABLE_HANDLES_BYTES);
    (void)put_handle(put_handle(at, metaindex), index);
    at = put_fixed(at + TABLE_HANDLES_BYTES, TABLE_FORMAT, 4);
    at = put_fixed(at, TABLE_MAGIC, 8);
    table->used = (size_t)(at - table->buffer);
}

enum err table_finish(struct table *table)
{
    struct table_handle index;
    char value[20];

    CHECK(table->record_count > 0);
    enum err err = table_push(table);
    if (err != ERR_OK) {
        return err;
    }
    table->has_failed = true; /* nothing can be added any more, however this ends */
    uint64_t data_bytes = table->offset;
    size_t bytes = (size_t)table_pending_bytes(table);
    if (bytes > table->cap) {
        char *buffer = mem_try_resize(table->buffer, bytes);
        if (buffer == NULL) {
            return ERR_NOMEM;
        }
        table->buffer = buffer;
        table->cap = bytes;
    }
    err = table_put_index(table, &index);
    if (err != ERR_OK) {
        return err;
    }
    struct table_handle properties =
        table_put_properties(table, data_bytes, index.bytes + TABLE_TRAILER_BYTES);
    struct table_few few = {.table = table, .start = table->used};
    table_few_add(&few, "rocksdb.properties", value,
                  (size_t)(put_handle(value, properties) - value));
    table_put_footer(table, table_few_end(&few), index);
    return table_write_out(table);
}

/* ---- reading ---- */

enum err table_find(struct table *table, uint64_t position, struct table_place *out)
{
    lock_acquire(&table->lock);
    size_t low = 0;
    size_t high = table->pushed;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->records[middle].position < position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < table->pushed && table->records[low].position == position;
    if (found) {
        const struct table_record *record = &table->records[low];
        const struct table_block *block = &table->blocks[record->block];
        *out = (struct table_place){
            .offset = block->offset,
            .bytes = block->bytes + TABLE_TRAILER_BYTES,
            .at = record->at,
            .len = record->len,
        };
    }
    lock_release(&table->lock);
    return found ? ERR_OK : ERR_ABSENT;
}

enum err table_read(struct table *table, const struct table_place *place, char *room,
                    struct span *value)
{
    size_t done = 0;
    size_t bytes = place->bytes - TABLE_TRAILER_BYTES;
    char sum[4];

    while (done < place->bytes) {
        ssize_t n =
            pread(table->fd, room + done, place->bytes - done, (off_t)(place->offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return ERR_IO;
        }
        done += (size_t)n;
    }
    (void)put_fixed(sum, table_checksum(room, bytes), 4);
    if (memcmp(sum, room + bytes + 1, sizeof(sum)) != 0) {
        return ERR_CORRUPT;
    }
    *value = span_of(room + place->at, place->len);
    return ERR_OK;
}
