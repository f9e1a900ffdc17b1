/*
 * disk - reads, writes of idx and files of the open database. Bodies: disk_body.c. Options, opening
 * and closing: disk_open.c.
 *
 * Reads hold the database open by a count, so that the writer may close and open it again when the
 * disk has failed; the writer itself needs no such care.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/codec.h"
#include "store/disk_files.h"
#include "store/disk_private.h"

#define DISK_STALL_US 2000u
#define DISK_STALLS 5000u /* ten seconds: then it has failed */

struct disk_cursor {
    struct disk *disk;
    rocksdb_iterator_t *iterator;
    uint8_t prefix[16];
    bool prefix_only;
    bool is_started;
};

static bool disk_begin(struct disk *disk)
{
    lock_acquire(&disk->lock);
    bool is_open = disk->is_open;
    disk->users += is_open ? 1u : 0u;
    lock_release(&disk->lock);
    return is_open;
}

static void disk_end(struct disk *disk)
{
    lock_acquire(&disk->lock);
    if (--disk->users == 0) {
        cond_signal(&disk->idle);
    }
    lock_release(&disk->lock);
}

/* ---- reads ---- */

enum err disk_get(struct disk *disk, int family, const uint8_t *key, size_t key_len, void **pin_out,
                  struct span *value)
{
    char *error = NULL;

    *pin_out = NULL;
    if (!disk_begin(disk)) {
        return ERR_IO;
    }
    rocksdb_pinnableslice_t *slice = rocksdb_get_pinned_cf(
        disk->db, disk->read, disk->families[family], (const char *)key, key_len, &error);
    disk_end(disk);
    if (error != NULL) {
        if (slice != NULL) {
            rocksdb_pinnableslice_destroy(slice);
        }
        return disk_trouble("store_read", error);
    }
    if (slice == NULL) {
        return ERR_ABSENT;
    }
    struct disk_pin *pin = mem_new(sizeof(*pin));
    pin->slice = slice;
    value->ptr = rocksdb_pinnableslice_value(slice, &value->len);
    *pin_out = pin;
    return ERR_OK;
}

enum err disk_get_idx(struct disk *disk, struct hash128 hash, uint64_t id, void **pin,
                      struct span *value)
{
    uint8_t key[CODEC_IDX_KEY_BYTES];

    codec_idx_key(key, hash, id);
    return disk_get(disk, FAMILY_IDX, key, sizeof(key), pin, value);
}

void disk_unpin(void *pin_in)
{
    struct disk_pin *pin = pin_in;

    if (pin != NULL && pin->slice != NULL) {
        rocksdb_pinnableslice_destroy(pin->slice);
    }
    mem_free(pin);
}

struct disk_cursor *disk_cursor_open(struct disk *disk, struct hash128 from, bool prefix_only)
{
    uint8_t key[CODEC_IDX_KEY_BYTES];

    if (!disk_begin(disk)) {
        return NULL;
    }
    struct disk_cursor *cursor = mem_new(sizeof(*cursor));
    codec_idx_key(key, from, 0);
    cursor->disk = disk;
    cursor->prefix_only = prefix_only;
    memcpy(cursor->prefix, key, sizeof(cursor->prefix));
    cursor->iterator = rocksdb_create_iterator_cf(disk->db, prefix_only ? disk->read : disk->scan,
                                                  disk->families[FAMILY_IDX]);
    rocksdb_iter_seek(cursor->iterator, (const char *)key, sizeof(key));
    return cursor;
}

enum err disk_cursor_next(struct disk_cursor *cursor, struct span *key, struct span *value)
{
    if (cursor->is_started) {
        rocksdb_iter_next(cursor->iterator);
    }
    cursor->is_started = true;
    if (!rocksdb_iter_valid(cursor->iterator)) {
        char *error = NULL;
        rocksdb_iter_get_error(cursor->iterator, &error);
        return error == NULL ? ERR_ABSENT : disk_trouble("store_index", error);
    }
    key->ptr = rocksdb_iter_key(cursor->iterator, &key->len);
    value->ptr = rocksdb_iter_value(cursor->iterator, &value->len);
    if (cursor->prefix_only && (key->len < sizeof(cursor->prefix) ||
                                memcmp(key->ptr, cursor->prefix, sizeof(cursor->prefix)) != 0)) {
        return ERR_ABSENT;
    }
    return ERR_OK;
}

void disk_cursor_close(struct disk_cursor **cursor)
{
    if (*cursor != NULL) {
        rocksdb_iter_destroy((*cursor)->iterator);
        disk_end((*cursor)->disk);
        mem_free(*cursor);
        *cursor = NULL;
    }
}

enum err disk_get_number(struct disk *disk, const char *name, uint64_t *out)
{
    void *pin = NULL;
    struct span value = {0};
    enum err err =
        disk_get(disk, FAMILY_DEFAULT, (const uint8_t *)name, strlen(name), &pin, &value);

    if (err == ERR_OK) {
        err = value.len == 8 ? ERR_OK : ERR_CORRUPT;
        *out = value.len == 8 ? codec_position(value.ptr) : 0;
    }
    disk_unpin(pin);
    return err;
}

enum err disk_put_number(struct disk *disk, const char *name, uint64_t value)
{
    uint8_t bytes[8];
    char *error = NULL;

    /* Not after a write that failed, as in disk_write_idx. */
    if (disk->has_write_error || !disk_begin(disk)) {
        return ERR_IO;
    }
    codec_position_key(bytes, value);
    rocksdb_put_cf(disk->db, disk->write_sync, disk->families[FAMILY_DEFAULT], name, strlen(name),
                   (const char *)bytes, sizeof(bytes), &error);
    disk_end(disk);
    disk->has_write_error = disk->has_write_error || error != NULL;
    return error == NULL ? ERR_OK : disk_trouble("store_write", error);
}

static uint64_t disk_property(struct disk *disk, int family, const char *name)
{
    uint64_t value = 0;

    return rocksdb_property_int_cf(disk->db, disk->families[family], name, &value) == 0 ? value : 0;
}

bool disk_has_failed(struct disk *disk)
{
    return !disk->is_open || disk->has_write_error || disk->has_tail_error ||
           disk_property(disk, FAMILY_DEFAULT, "rocksdb.background-errors") > 0;
}

/* ---- writes: the writer thread only, so db cannot go away under them ---- */

void disk_batch_idx(struct disk *disk, struct hash128 hash, uint64_t id, struct span value)
{
    uint8_t key[CODEC_IDX_KEY_BYTES];

    if (disk->is_open) {
        codec_idx_key(key, hash, id);
        rocksdb_writebatch_put_cf(disk->idx, disk->families[FAMILY_IDX], (const char *)key,
                                  sizeof(key), value.ptr, value.len);
        disk->idx_bytes += sizeof(key) + value.len + 16;
    }
}

void disk_batch_idx_delete(struct disk *disk, struct hash128 hash, uint64_t id)
{
    uint8_t key[CODEC_IDX_KEY_BYTES];

    if (disk->is_open) {
        codec_idx_key(key, hash, id);
        rocksdb_writebatch_delete_cf(disk->idx, disk->families[FAMILY_IDX], (const char *)key,
                                     sizeof(key));
        disk->idx_bytes += sizeof(key) + 16;
    }
}

size_t disk_batch_idx_bytes(const struct disk *disk)
{
    return disk->idx_bytes;
}

/* Writes and empties a batch. While RocksDB is behind with flushing we wait, as long as it works.
 */
static enum err disk_write(struct disk *disk, const rocksdb_writeoptions_t *options,
                           rocksdb_writebatch_t *batch)
{
    char *error = NULL;

    for (uint32_t i = 0; i < DISK_STALLS; i++) {
        rocksdb_write(disk->db, options, batch, &error);
        if (error == NULL || strncmp(error, "Result incomplete", 17) != 0 ||
            disk_has_failed(disk)) {
            break;
        }
        if (i + 1 < DISK_STALLS) {
            rocksdb_free(error);
            error = NULL;
            clock_sleep_us(DISK_STALL_US);
        }
    }
    rocksdb_writebatch_clear(batch);
    if (error != NULL && strncmp(error, "Result incomplete", 17) != 0) {
        disk->has_write_error = true;
    }
    return error == NULL ? ERR_OK : disk_trouble("store_write", error);
}

enum err disk_write_idx(struct disk *disk, bool sync)
{
    char *error = NULL;

    if (!disk->is_open) {
        return ERR_IO;
    }
    /* Not a byte more after a write that failed: RocksDB 7.8 may assert, and end the process. */
    if (disk->has_write_error) {
        bool is_lost = disk->idx_bytes > 0 || sync;
        rocksdb_writebatch_clear(disk->idx);
        disk->idx_bytes = 0;
        return is_lost ? ERR_IO : ERR_OK;
    }
    if (disk->idx_bytes > 0) {
        disk->idx_bytes = 0;
        return disk_write(disk, sync ? disk->write_sync : disk->write_idx, disk->idx);
    }
    if (sync && disk_has_failed(disk)) {
        return ERR_IO;
    }
    if (sync) {
        rocksdb_flush_wal(disk->db, 1, &error);
    }
    if (error != NULL) {
        disk->has_write_error = true;
    }
    return error == NULL ? ERR_OK : disk_trouble("store_write", error);
}

/* ---- files ---- */

static int disk_file_order(const void *a, const void *b)
{
    const struct disk_file *one = a;
    const struct disk_file *two = b;

    return one->smallest < two->smallest ? -1 : one->smallest > two->smallest;
}

size_t disk_body_files(struct disk *disk, struct disk_file **out)
{
    size_t count = 0;

    *out = NULL;
    if (!disk->is_open) {
        return 0;
    }
    const rocksdb_livefiles_t *files = rocksdb_livefiles(disk->db);
    int n = rocksdb_livefiles_count(files);
    *out = mem_new((size_t)(n > 0 ? n : 1) * sizeof(**out));
    for (int i = 0; i < n; i++) {
        size_t low_len;
        size_t high_len;
        const char *low = rocksdb_livefiles_smallestkey(files, i, &low_len);
        const char *high = rocksdb_livefiles_largestkey(files, i, &high_len);
        if (strcmp(rocksdb_livefiles_column_family_name(files, i), "body") == 0 && low_len == 8 &&
            high_len == 8) {
            (*out)[count++] = (struct disk_file){
                .smallest = codec_position(low),
                .largest = codec_position(high),
                .bytes = rocksdb_livefiles_size(files, i),
                .level = rocksdb_livefiles_level(files, i),
            };
        }
    }
    rocksdb_livefiles_destroy(files);
    qsort(*out, count, sizeof(**out), disk_file_order);
    return count;
}

void disk_body_bounds(struct disk *disk, uint64_t *first, uint64_t *last)
{
    struct disk_file *files;
    size_t count = disk_body_files(disk, &files);

    *first = count == 0 ? 0 : files[0].smallest;
    *last = 0;
    for (size_t i = 0; i < count; i++) {
        *last = files[i].largest > *last ? files[i].largest : *last;
    }
    mem_free(files);
}

void disk_drop_to(struct disk *disk, uint64_t position)
{
    uint8_t low[8];
    uint8_t high[8];
    char *error = NULL;

    if (!disk->is_open) {
        return;
    }
    codec_position_key(low, 0);
    codec_position_key(high, position);
    rocksdb_delete_file_in_range_cf(disk->db, disk->families[FAMILY_BODY], (const char *)low,
                                    sizeof(low), (const char *)high, sizeof(high), &error);
    if (error != NULL) {
        (void)disk_trouble("store_drop", error);
    }
}

void disk_merge(struct disk *disk, uint64_t from, uint64_t to)
{
    uint8_t low[8];
    uint8_t high[8];

    if (!disk->is_open) {
        return;
    }
    codec_position_key(low, from);
    codec_position_key(high, to);
    rocksdb_compactoptions_t *options = rocksdb_compactoptions_create();
    rocksdb_compactoptions_set_exclusive_manual_compaction(options, 0);
    rocksdb_compactoptions_set_bottommost_level_compaction(options, 2); /* force */
    rocksdb_compact_range_cf_opt(disk->db, disk->families[FAMILY_BODY], options, (const char *)low,
                                 sizeof(low), (const char *)high, sizeof(high));
    rocksdb_compactoptions_destroy(options);
}

void disk_measure(struct disk *disk, struct disk_usage *out)
{
    *out = (struct disk_usage){0};
    if (disk->is_open) {
        /* Memtables first: what is flushed in between counts twice rather than not at all. */
        out->pending_bytes = disk_property(disk, FAMILY_IDX, "rocksdb.cur-size-all-mem-tables");
        if (disk->tail != NULL) {
            out->pending_bytes +=
                table_pending_bytes(disk->tail) + (disk->is_copied ? table_bytes(disk->tail) : 0);
        }
        out->idx_bytes = disk_property(disk, FAMILY_IDX, "rocksdb.total-sst-files-size");
    }
    out->file_bytes = disk_files_bytes(disk->path);
    out->free_bytes = disk_files_free(disk->path);
}

bool disk_may_write(struct disk *disk)
{
    return disk_files_make(disk->path) == ERR_OK && disk_files_probe(disk->path);
}

bool disk_drop_quarantine(struct disk *disk)
{
    return disk_files_drop_quarantine(disk->path);
}
