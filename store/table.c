/*
 * table - see table.h. Layout: data blocks, properties, metaindex, index, footer. Small records
 * are gathered into blocks; a large one is a block by itself. All are put together in the buffer
 * of the file, checksums while the bytes are still in the processor's cache.
 */
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "store/codec.h"
#include "store/table_private.h"

#define TABLE_BLOCK_BYTES 8192u
#define TABLE_LARGE_BYTES 16384u /* a block by itself */
#define TABLE_ENTRY_BYTES 48u    /* key, three lengths, restart, index: at most */

/* ---- life ---- */

struct table *table_create(const char *path)
{
    struct table *table = mem_new(sizeof(*table));

    if (!appender_open(&table->file, path, true)) {
        mem_free(table);
        return NULL;
    }
    lock_init(&table->lock, LOCK_QUEUE);
    atomic_init(&table->refs, 1);
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
        appender_close(&table->file);
        lock_fini(&table->lock);
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

static uint32_t table_checksum(struct span block)
{
    return (uint32_t)hash64((struct hash_seed){0}, block);
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

enum err table_make_space(struct table *table, size_t bytes)
{
    enum err err = appender_make_room(&table->file, bytes);

    table->block_start = table->file.used;
    return err;
}

struct table_handle table_seal_block(struct table *table, size_t start)
{
    struct appender *file = &table->file;
    size_t bytes = file->used - start;
    char *at = file->buffer + file->used;

    *at = 0; /* no compression */
    (void)table_put_fixed(at + 1, table_checksum(span_of(file->buffer + start, bytes)), 4);
    file->used += TABLE_TRAILER_BYTES;
    return (struct table_handle){.offset = file->written + start, .bytes = bytes};
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
    struct appender *file = &table->file;
    char *at = file->buffer + file->used;

    for (uint32_t i = 0; i < count; i++) {
        at = table_put_fixed(at, restarts[i], 4);
    }
    at = table_put_fixed(at, count, 4);
    file->used = (size_t)(at - file->buffer);
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
    table->block_start = table->file.used;
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

/* Ends the open block when an entry of so many bytes does not belong into it, and makes room for
 * the entry and the end of its block. */
static enum err table_make_room(struct table *table, size_t bytes, bool is_large)
{
    const struct appender *file = &table->file;
    size_t rest = bytes + 4 * (table->restart_count + 2) + TABLE_TRAILER_BYTES;

    if (is_large || table->restart_count == TABLE_RESTARTS ||
        (table->restart_count > 0 && file->used - table->block_start + bytes > TABLE_BLOCK_BYTES)) {
        table_end_block(table);
    }
    if (file->used + rest > file->cap) {
        table_end_block(table);
        return table_make_space(table, rest);
    }
    return ERR_OK;
}

/* An entry of the open block. There is room for it. */
static void table_put_entry(struct table *table, uint64_t position, const struct span *parts,
                            size_t count, size_t len)
{
    struct appender *file = &table->file;
    char key[TABLE_KEY_BYTES];

    table_key(key, position);
    table->restarts[table->restart_count++] = (uint32_t)(file->used - table->block_start);
    char *at = table_entry(file->buffer + file->used, key, sizeof(key), len);
    table->records[table->record_count++] = (struct table_record){
        .position = position,
        .block = (uint32_t)table->block_count,
        .at = (uint32_t)((size_t)(at - file->buffer) - table->block_start),
        .len = (uint32_t)len,
    };
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) {
            memcpy(at, parts[i].ptr, parts[i].len);
            at += parts[i].len;
        }
    }
    file->used = (size_t)(at - file->buffer);
    table->value_bytes += len;
}

static enum err table_add_entry(struct table *table, uint64_t position, const struct span *parts,
                                size_t count, size_t len)
{
    bool is_large = len >= TABLE_LARGE_BYTES;
    enum err err = table_grow_both(table);

    if (err == ERR_OK) {
        err = table_make_room(table, len + TABLE_ENTRY_BYTES, is_large);
    }
    if (err == ERR_OK) {
        table_put_entry(table, position, parts, count, len);
        if (is_large) {
            table_end_block(table);
        }
    }
    return err;
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
    enum err err = table_add_entry(table, position, parts, count, len);
    table->has_failed = table->has_failed || err != ERR_OK;
    return err;
}

enum err table_push(struct table *table)
{
    if (table->has_failed) {
        return ERR_IO;
    }
    table_end_block(table);
    lock_acquire(&table->lock);
    table->pushed = table->record_count;
    lock_release(&table->lock);
    return ERR_OK;
}

uint64_t table_bytes(const struct table *table)
{
    return appender_bytes(&table->file);
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
    size_t bytes = place->bytes - TABLE_TRAILER_BYTES;
    char sum[4];
    enum err err = appender_read(&table->file, place->offset, room, place->bytes);

    if (err != ERR_OK) {
        return err;
    }
    (void)table_put_fixed(sum, table_checksum(span_of(room, bytes)), 4);
    if (memcmp(sum, room + bytes + 1, sizeof(sum)) != 0) {
        return ERR_CORRUPT;
    }
    *value = span_of(room + place->at, place->len);
    return ERR_OK;
}
