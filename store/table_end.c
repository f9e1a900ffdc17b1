/* table_end - what RocksDB wants behind the data blocks: properties, metaindex, index, footer. */
#include <string.h>

#include "base/mem.h"
#include "store/codec.h"
#include "store/table_private.h"

#define TABLE_INDEX_BYTES 48u /* of the index, per block: at most */
#define TABLE_END_BYTES 4096u /* properties, metaindex, footer: at most */
#define TABLE_HANDLES_BYTES 40u
#define TABLE_XXH3 4
#define TABLE_FORMAT 5u
#define TABLE_MAGIC UINT64_C(0x88e241b785f4cff7)

/* What ends the file, at most. */
static size_t table_end_bytes(const struct table *table)
{
    return (table->block_count + 1) * TABLE_INDEX_BYTES + TABLE_END_BYTES;
}

uint64_t table_pending_bytes(const struct table *table)
{
    return appender_pending_bytes(&table->file) + table_end_bytes(table);
}

/* A block of few entries, each a restart, put together in the buffer. */
struct table_few {
    struct table *table;
    size_t start;
    uint32_t restarts[32];
    uint32_t count;
};

static void table_few_add(struct table_few *few, const char *name, const char *value, size_t len)
{
    struct appender *file = &few->table->file;

    CHECK(few->count < ARRAY_LEN(few->restarts));
    few->restarts[few->count++] = (uint32_t)(file->used - few->start);
    char *at = table_entry(file->buffer + file->used, name, strlen(name), len);
    memcpy(at, value, len);
    file->used = (size_t)(at - file->buffer) + len;
}

static void table_few_number(struct table_few *few, const char *name, uint64_t value)
{
    char bytes[10];

    table_few_add(few, name, bytes, (size_t)(table_put_varint(bytes, value) - bytes));
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
    struct table_few few = {.table = table, .start = table->file.used};
    char fixed[8];

    table_few_add(&few, "rocksdb.block.based.table.index.type", fixed,
                  (size_t)(table_put_fixed(fixed, 0, 4) - fixed)); /* binary search */
    table_few_add(&few, "rocksdb.block.based.table.prefix.filtering", "0", 1);
    table_few_add(&few, "rocksdb.block.based.table.whole.key.filtering", "1", 1);
    table_few_add(&few, "rocksdb.comparator", comparator, sizeof(comparator) - 1);
    table_few_add(&few, "rocksdb.compression", compression, sizeof(compression) - 1);
    table_few_number(&few, "rocksdb.data.size", data_bytes);
    table_few_number(&few, "rocksdb.deleted.keys", 0);
    table_few_add(&few, "rocksdb.external_sst_file.global_seqno", fixed,
                  (size_t)(table_put_fixed(fixed, 0, 8) - fixed));
    table_few_add(&few, "rocksdb.external_sst_file.version", fixed,
                  (size_t)(table_put_fixed(fixed, 2, 4) - fixed));
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
    struct appender *file = &table->file;
    size_t start = file->used;
    size_t count = table->block_count;
    uint32_t *restarts = mem_try(count * sizeof(*restarts));

    if (restarts == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const struct table_block *block = &table->blocks[i];
        char key[8];
        char value[20];
        char *end = table_put_handle(value, (struct table_handle){block->offset, block->bytes});
        size_t len = (size_t)(end - value);
        codec_position_key((uint8_t *)key, block->last);
        restarts[i] = (uint32_t)(file->used - start);
        char *at = table_entry(file->buffer + file->used, key, sizeof(key), len);
        memcpy(at, value, len);
        file->used = (size_t)(at - file->buffer) + len;
    }
    table_put_restarts(table, restarts, (uint32_t)count);
    mem_free(restarts);
    *out = table_seal_block(table, start);
    return ERR_OK;
}

static void table_put_footer(struct table *table, struct table_handle metaindex,
                             struct table_handle index)
{
    struct appender *file = &table->file;
    char *at = file->buffer + file->used;

    *at++ = TABLE_XXH3;
    memset(at, 0, TABLE_HANDLES_BYTES);
    (void)table_put_handle(table_put_handle(at, metaindex), index);
    at = table_put_fixed(at + TABLE_HANDLES_BYTES, TABLE_FORMAT, 4);
    at = table_put_fixed(at, TABLE_MAGIC, 8);
    file->used = (size_t)(at - file->buffer);
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
    uint64_t data_bytes = table_bytes(table);
    err = table_make_space(table, table_end_bytes(table));
    if (err != ERR_OK) {
        return err;
    }
    err = table_put_index(table, &index);
    if (err != ERR_OK) {
        return err;
    }
    struct table_handle properties =
        table_put_properties(table, data_bytes, index.bytes + TABLE_TRAILER_BYTES);
    struct table_few few = {.table = table, .start = table->file.used};
    table_few_add(&few, "rocksdb.properties", value,
                  (size_t)(table_put_handle(value, properties) - value));
    table_put_footer(table, table_few_end(&few), index);
    return appender_end(&table->file);
}
