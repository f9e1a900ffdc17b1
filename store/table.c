/*
 * table - see table.h. Layout: data blocks, properties, metaindex, index, footer. Small records
 * are gathered into blocks in a buffer; a large one is a block by itself and goes from where it
 * lies straight to the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "store/codec.h"
#include "store/table_private.h"

#define TABLE_BLOCK_BYTES 8192u
#define TABLE_LARGE_BYTES 16384u          /* not copied into the buffer */
#define TABLE_BUFFER_BYTES (512u * 1024u) /* gathered before it is written */
#define TABLE_ENTRY_BYTES 48u             /* key, three lengths, restart, index: at most */
#define TABLE_PARTS_MAX 8u                /* of a large record */
/* Asked of the file system at once: blocks found one by one cost a third more per byte written. */
#define TABLE_RESERVE_BYTES (1024u * 1024u)
/* The kernel begins with so many at once, so that the sync at the end is short. */
#define TABLE_WRITEBACK_BYTES (1024u * 1024u)

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

/* Position, then sequence number 0 and kind 1: a value. */
static void table_key(char out[TABLE_KEY_BYTES], uint64_t position)
{
    codec_position_key((uint8_t *)out, position);
    (void)table_put_fixed(out + 8, 1, 8);
}

static uint32_t table_checksum(const struct span *parts, size_t count)
{
    return (uint32_t)hash64_parts((struct hash_seed){0}, parts, count);
}

/* Makes room for so many more items, 256 at most. The array may move, so under the lock. */
static bool table_grow(struct table *table, void **items, size_t count, size_t *cap, size_t size,
                       size_t wanted)
{
    if (*cap - count >= wanted) {
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

/* Best effort: a full disk shows itself when the bytes are written. */
static void table_reserve(struct table *table, uint64_t end)
{
    if (end > table->reserved) {
        uint64_t bytes = end - table->reserved + TABLE_RESERVE_BYTES - 1;

        bytes -= bytes % TABLE_RESERVE_BYTES;
        (void)fallocate(table->fd, FALLOC_FL_KEEP_SIZE, (off_t)table->reserved, (off_t)bytes);
        table->reserved += bytes;
    }
}

/* The parts go to the end of the file, which is synced in steps; the buffer is empty after it. */
static enum err table_write(struct table *table, struct iovec *parts, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        bytes += parts[i].iov_len;
    }
    table_reserve(table, table->offset + bytes);
    while (count > 0) {
        ssize_t n = writev(table->fd, parts, (int)count);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 || (n == 0 && parts->iov_len > 0)) {
            table->has_failed = true;
            return ERR_IO;
        }
        size_t done = (size_t)n;
        for (; count > 0 && done >= parts->iov_len; count--) {
            done -= parts++->iov_len;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + done;
            parts->iov_len -= done;
        }
    }
    table->offset += bytes;
    table->used = 0;
    table->block_start = 0;
    table_writeback(table);
    return ERR_OK;
}

enum err table_write_out(struct table *table)
{
    struct iovec part = {.iov_base = table->buffer, .iov_len = table->used};

    return table->used == 0 ? ERR_OK : table_write(table, &part, 1);
}

struct table_handle table_seal_block(struct table *table, size_t start)
{
    size_t bytes = table->used - start;
    char *at = table->buffer + table->used;

    *at = 0; /* no compression */
    struct span block = span_of(table->buffer + start, bytes);
    (void)table_put_fixed(at + 1, table_checksum(&block, 1), 4);
    table->used += TABLE_TRAILER_BYTES;
    return (struct table_handle){.offset = table->offset + start, .bytes = bytes};
}

char *table_entry(char *at, const char *key, size_t key_len, size_t value_len)
{
    at = table_put_varint(at, 0); /* bytes shared with the key before */
    at = table_put_varint(at, key_len);
    at = table_put_varint(at, value_len);
    memcpy(at, key, key_len);
    return at + key_len;
}

void table_put_restarts(struct table *table, const uint32_t *restarts, uint32_t count)
{
    char *at = table->buffer + table->used;

    for (uint32_t i = 0; i < count; i++) {
        at = table_put_fixed(at, restarts[i], 4);
    }
    at = table_put_fixed(at, count, 4);
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

/* Room to note one more record, and two blocks: a large record ends the open one besides. */
static enum err table_grow_both(struct table *table)
{
    bool ok = table_grow(table, (void **)&table->blocks, table->block_count, &table->block_cap,
                         sizeof(*table->blocks), 2) &&
              table_grow(table, (void **)&table->records, table->record_count, &table->record_cap,
                         sizeof(*table->records), 1);

    return ok ? ERR_OK : ERR_NOMEM;
}

/* Begins an entry of the open block in the buffer, which has room for it; the value comes next. */
static void table_begin_entry(struct table *table, uint64_t position, size_t len)
{
    char key[TABLE_KEY_BYTES];

    table_key(key, position);
    table->restarts[table->restart_count++] = (uint32_t)(table->used - table->block_start);
    char *at = table_entry(table->buffer + table->used, key, sizeof(key), len);
    table->used = (size_t)(at - table->buffer);
    table->records[table->record_count++] = (struct table_record){
        .position = position,
        .block = (uint32_t)table->block_count,
        .at = (uint32_t)(table->used - table->block_start),
        .len = (uint32_t)len,
    };
    table->value_bytes += len;
}

/* Room in the buffer for an entry of so many bytes and the end of its block. */
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
        return table_write_out(table);
    }
    return ERR_OK;
}

static enum err table_add_small(struct table *table, uint64_t position, const struct span *parts,
                                size_t count, size_t len)
{
    enum err err = table_make_room(table, len + TABLE_ENTRY_BYTES);

    if (err != ERR_OK) {
        return err;
    }
    table_begin_entry(table, position, len);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) {
            memcpy(table->buffer + table->used, parts[i].ptr, parts[i].len);
            table->used += parts[i].len;
        }
    }
    return ERR_OK;
}

/* A block of one record: what is in the buffer goes with its beginning, then the parts, its end. */
static enum err table_add_large(struct table *table, uint64_t position, const struct span *parts,
                                size_t count, size_t len)
{
    char end[8 + TABLE_TRAILER_BYTES] = {0}; /* one restart, at 0 */
    struct span block[TABLE_PARTS_MAX + 2];
    struct iovec file[TABLE_PARTS_MAX + 2];
    size_t n = 0;

    CHECK(count <= TABLE_PARTS_MAX);
    table_end_block(table);
    if (table->used + TABLE_ENTRY_BYTES > table->cap) {
        enum err err = table_write_out(table);
        if (err != ERR_OK) {
            return err;
        }
    }
    size_t start = table->used;
    table_begin_entry(table, position, len);
    block[n++] = span_of(table->buffer + start, table->used - start);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) {
            block[n++] = parts[i];
        }
    }
    (void)table_put_fixed(end + 4, 1, 4);
    block[n++] = span_of(end, 8);
    (void)table_put_fixed(end + 9, table_checksum(block, n), 4);
    table->blocks[table->block_count++] = (struct table_block){
        .offset = table->offset + start,
        .last = position,
        .bytes = (uint32_t)(block[0].len + len + 8),
    };
    table->restart_count = 0;
    file[0] = (struct iovec){.iov_base = table->buffer, .iov_len = table->used};
    for (size_t i = 1; i < n; i++) {
        file[i] = (struct iovec){.iov_base = (void *)block[i].ptr, .iov_len = block[i].len};
    }
    file[n - 1].iov_len = sizeof(end);
    return table_write(table, file, n);
}

enum err table_add(struct table *table, uint64_t position, const struct span *parts, size_t count)
{
    size_t len = 0;

    CHECK(table->record_count == 0 || position > table->records[table->record_count - 1].position);
    if (table->has_failed) {
        return ERR_IO;
    }
    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    enum err err = table_grow_both(table);
    if (err == ERR_OK) {
        err = len < TABLE_LARGE_BYTES ? table_add_small(table, position, parts, count, len)
                                      : table_add_large(table, position, parts, count, len);
    }
    table->has_failed = table->has_failed || err != ERR_OK;
    return err;
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
    struct span block = span_of(room, bytes);
    (void)table_put_fixed(sum, table_checksum(&block, 1), 4);
    if (memcmp(sum, room + bytes + 1, sizeof(sum)) != 0) {
        return ERR_CORRUPT;
    }
    *value = span_of(room + place->at, place->len);
    return ERR_OK;
}
