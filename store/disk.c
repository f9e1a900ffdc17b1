/*
 * disk - RocksDB 7.8 as Debian builds it. What its options are for:
 *
 * - body: no WAL, no compression, two levels, L0 trigger 1, level base without bound: flushed files
 *   are moved (not rewritten) to L1 and stay there, where files can be deleted whole. ttl 0: the
 *   default would rewrite files after 30 days. No block cache for it: index blocks live with the
 * open table, max_open_files bounds them, and a pinned value owns its block, so a read is one copy.
 * - Preallocation off, small MANIFEST, LOG and WAL: the folder's size must be what we think it is.
 * - Not atomic_flush (aborts when a manual flush meets an automatic one), no mmap reads (a bad
 * sector or a cut file would be SIGBUS instead of an error).
 */
#include "store/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rocksdb/c.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/codec.h"
#include "store/disk_files.h"

#define DISK_PARTS 8u
#define DISK_BLOCK_BYTES (8u * 1024u)
#define DISK_TARGET_FILE_BYTES (64u * 1024u * 1024u)
#define DISK_OPEN_FILES 384
#define DISK_LZ4 4
#define DISK_XXH3 4

struct disk {
    struct disk_options options;
    char *path;
    char *db_path;
    struct lock lock; /* LOCK_QUEUE: users and is_open */
    struct cond idle;
    unsigned users; /* [lock] reads under way */
    bool is_open;   /* [lock] */
    rocksdb_t *db;
    rocksdb_column_family_handle_t *families[3];
    rocksdb_options_t *db_options, *idx_options, *body_options;
    rocksdb_cache_t *cache;
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

/* Says what went wrong and frees the text. */
static enum err disk_trouble(const char *event, char *text)
{
    char words[300];
    enum err err = strncmp(text, "Corruption", 10) == 0 ? ERR_CORRUPT : ERR_IO;

    log_warn(event, "%s", log_escape(words, sizeof(words), span_str(text)));
    rocksdb_free(text);
    return err;
}

/* ---- options ---- */

static uint64_t disk_clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static void disk_more_options(rocksdb_options_t **options, const char *text)
{
    char *error = NULL;
    rocksdb_options_t *more = rocksdb_options_create();

    rocksdb_get_options_from_string(*options, text, more, &error);
    if (error != NULL) {
        (void)disk_trouble("store_options", error);
        rocksdb_options_destroy(more);
        return;
    }
    rocksdb_options_destroy(*options);
    *options = more;
}

static void disk_make_db_options(struct disk *disk, uint64_t idx_buffer)
{
    rocksdb_options_t *options = rocksdb_options_create();

    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_create_missing_column_families(options, 1);
    rocksdb_options_set_paranoid_checks(options, 0);
    rocksdb_options_set_wal_recovery_mode(options, rocksdb_point_in_time_recovery);
    rocksdb_options_set_max_open_files(options, DISK_OPEN_FILES);
    rocksdb_options_set_skip_stats_update_on_db_open(options, 1);
    rocksdb_options_set_skip_checking_sst_file_sizes_on_db_open(options, 1);
    rocksdb_options_set_max_background_jobs(options, 2);
    rocksdb_options_set_info_log_level(options, 2);
    rocksdb_options_set_max_log_file_size(options, 256 * 1024);
    rocksdb_options_set_keep_log_file_num(options, 2);
    rocksdb_options_set_max_manifest_file_size(options, 512 * 1024);
    rocksdb_options_set_manifest_preallocation_size(options, 4096);
    rocksdb_options_set_max_total_wal_size(options, 2 * idx_buffer);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    rocksdb_options_set_bytes_per_sync(options, 1024 * 1024);
    rocksdb_options_set_write_buffer_size(options, 256 * 1024);
    disk_more_options(&options, "allow_fallocate=false");
    disk->db_options = options;
}

static void disk_make_idx_options(struct disk *disk, uint64_t buffer)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();

    disk->cache = rocksdb_cache_create_lru(
        (size_t)disk_clamp(disk->options.memory_bytes / 32, 1u << 20, 16u << 20));
    rocksdb_block_based_options_set_block_cache(table, disk->cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_checksum(table, DISK_XXH3);
    rocksdb_block_based_options_set_filter_policy(table,
                                                  rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_options_set_compression(options, DISK_LZ4);
    rocksdb_options_set_write_buffer_size(options, (size_t)buffer);
    rocksdb_options_set_max_write_buffer_number(options, 2);
    rocksdb_options_set_target_file_size_base(options, buffer * 2);
    rocksdb_options_set_max_bytes_for_level_base(options, buffer * 8);
    disk_more_options(&options, "ttl=0;periodic_compaction_seconds=0");
    disk->idx_options = options;
}

static void disk_make_body_options(struct disk *disk, uint64_t buffer)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();

    rocksdb_block_based_options_set_no_block_cache(table, 1);
    rocksdb_block_based_options_set_block_size(table, DISK_BLOCK_BYTES);
    rocksdb_block_based_options_set_checksum(table, DISK_XXH3);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_options_set_write_buffer_size(options, (size_t)buffer);
    rocksdb_options_set_max_write_buffer_number(options, 3);
    rocksdb_options_set_num_levels(options, 2);
    rocksdb_options_set_level0_file_num_compaction_trigger(options, 1);
    rocksdb_options_set_max_bytes_for_level_base(options, UINT64_C(1) << 50);
    rocksdb_options_set_target_file_size_base(options, DISK_TARGET_FILE_BYTES);
    rocksdb_options_set_arena_block_size(options, 512 * 1024);
    disk_more_options(&options, "ttl=0;periodic_compaction_seconds=0");
    disk->body_options = options;
}

/* ---- open and close ---- */

static enum err disk_try_open(struct disk *disk)
{
    static const char *const names[] = {"default", "idx", "body"};
    const rocksdb_options_t *options[] = {disk->db_options, disk->idx_options, disk->body_options};
    char *error = NULL;

    if (disk_files_make(disk->path) != ERR_OK) {
        log_warn("store_open", "cannot make the folder %s", disk->path);
        return ERR_IO;
    }
    rocksdb_t *db = rocksdb_open_column_families(disk->db_options, disk->db_path, 3, names, options,
                                                 disk->families, &error);
    if (error != NULL) {
        return disk_trouble("store_open", error);
    }
    lock_acquire(&disk->lock);
    disk->db = db;
    disk->is_open = true;
    lock_release(&disk->lock);
    return ERR_OK;
}

static void disk_shut(struct disk *disk)
{
    lock_acquire(&disk->lock);
    bool was_open = disk->is_open;
    disk->is_open = false;
    while (disk->users > 0) {
        (void)cond_wait(&disk->idle, &disk->lock, -1);
    }
    lock_release(&disk->lock);
    if (was_open) {
        for (size_t i = 0; i < 3; i++) {
            rocksdb_column_family_handle_destroy(disk->families[i]);
        }
        rocksdb_close(disk->db);
        disk->db = NULL;
    }
}

struct disk *disk_new(const struct disk_options *options)
{
    struct disk *disk = mem_new(sizeof(*disk));
    size_t len = strlen(options->path);
    uint64_t idx_buffer = disk_clamp(options->disk_bytes / 128, 512u << 10, 8u << 20);
    uint64_t body_buffer = options->disk_bytes / 64;

    if (body_buffer > options->memory_bytes / 8) {
        body_buffer = options->memory_bytes / 8;
    }
    disk->options = *options;
    disk->path = mem_copy(options->path, len);
    disk->db_path = mem_new(len + 4);
    (void)snprintf(disk->db_path, len + 4, "%s/db", options->path);
    lock_init(&disk->lock, LOCK_QUEUE);
    cond_init(&disk->idle);
    disk_make_db_options(disk, idx_buffer);
    disk_make_idx_options(disk, idx_buffer);
    disk_make_body_options(disk, disk_clamp(body_buffer, 2u << 20, 32u << 20));
    disk->read = rocksdb_readoptions_create();
    disk->scan = rocksdb_readoptions_create();
    rocksdb_readoptions_set_readahead_size(disk->scan, 2u << 20);
    rocksdb_readoptions_set_fill_cache(disk->scan, 0);
    disk->write_body = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(disk->write_body, 1);
    disk->write_idx = rocksdb_writeoptions_create();
    disk->write_sync = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(disk->write_sync, 1);
    disk->body = rocksdb_writebatch_create();
    disk->idx = rocksdb_writebatch_create();
    if (disk_try_open(disk) != ERR_OK) {
        disk_files_quarantine(disk->path);
        if (disk_try_open(disk) != ERR_OK) {
            log_error("store_failed", "path=%s storing in memory only", disk->path);
        }
    }
    return disk;
}

void disk_free(struct disk **disk_in)
{
    struct disk *disk = *disk_in;

    *disk_in = NULL;
    if (disk == NULL) {
        return;
    }
    disk_shut(disk);
    rocksdb_writebatch_destroy(disk->body);
    rocksdb_writebatch_destroy(disk->idx);
    rocksdb_writeoptions_destroy(disk->write_body);
    rocksdb_writeoptions_destroy(disk->write_idx);
    rocksdb_writeoptions_destroy(disk->write_sync);
    rocksdb_readoptions_destroy(disk->read);
    rocksdb_readoptions_destroy(disk->scan);
    rocksdb_options_destroy(disk->db_options);
    rocksdb_options_destroy(disk->idx_options);
    rocksdb_options_destroy(disk->body_options);
    rocksdb_cache_destroy(disk->cache);
    cond_fini(&disk->idle);
    lock_fini(&disk->lock);
    mem_free(disk->db_path);
    mem_free(disk->path);
    mem_free(disk);
}

bool disk_is_open(struct disk *disk)
{
    lock_acquire(&disk->lock);
    bool is_open = disk->is_open;
    lock_release(&disk->lock);
    return is_open;
}

enum err disk_reopen(struct disk *disk)
{
    disk_shut(disk);
    disk_batch_clear(disk);
    return disk_try_open(disk);
}

enum err disk_start_over(struct disk *disk)
{
    disk_shut(disk);
    disk_batch_clear(disk);
    disk_files_quarantine(disk->path);
    return disk_try_open(disk);
}

/* ---- reads ---- */

static enum err disk_get(struct disk *disk, int family, const uint8_t *key, size_t key_len,
                         void **pin, struct span *value)
{
    char *error = NULL;

    *pin = NULL;
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
    value->ptr = rocksdb_pinnableslice_value(slice, &value->len);
    *pin = slice;
    return ERR_OK;
}

enum err disk_get_body(struct disk *disk, uint64_t position, void **pin, struct span *value)
{
    uint8_t key[8];

    codec_position_key(key, position);
    return disk_get(disk, FAMILY_BODY, key, sizeof(key), pin, value);
}

enum err disk_get_idx(struct disk *disk, struct hash128 hash, uint64_t id, void **pin,
                      struct span *value)
{
    uint8_t key[CODEC_IDX_KEY_BYTES];

    codec_idx_key(key, hash, id);
    return disk_get(disk, FAMILY_IDX, key, sizeof(key), pin, value);
}

void disk_unpin(void *pin)
{
    if (pin != NULL) {
        rocksdb_pinnableslice_destroy(pin);
    }
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
    void *pin;
    struct span value;
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

    if (!disk_begin(disk)) {
        return ERR_IO;
    }
    codec_position_key(bytes, value);
    rocksdb_put_cf(disk->db, disk->write_sync, disk->families[FAMILY_DEFAULT], name, strlen(name),
                   (const char *)bytes, sizeof(bytes), &error);
    disk_end(disk);
    return error == NULL ? ERR_OK : disk_trouble("store_write", error);
}

/* ---- writes: the writer thread only, so db cannot go away under them ---- */

void disk_batch_body(struct disk *disk, uint64_t position, const struct span *parts, size_t count)
{
    uint8_t key[8];
    const char *key_ptr = (const char *)key;
    size_t key_len = sizeof(key);
    const char *ptrs[DISK_PARTS];
    size_t lens[DISK_PARTS];

    CHECK(count <= DISK_PARTS);
    if (!disk->is_open) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        ptrs[i] = parts[i].len == 0 ? "" : parts[i].ptr;
        lens[i] = parts[i].len;
        disk->body_bytes += parts[i].len;
    }
    disk->body_bytes += sizeof(key) + 16;
    codec_position_key(key, position);
    rocksdb_writebatch_putv_cf(disk->body, disk->families[FAMILY_BODY], 1, &key_ptr, &key_len,
                               (int)count, ptrs, lens);
}

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

size_t disk_batch_body_bytes(const struct disk *disk)
{
    return disk->body_bytes;
}

size_t disk_batch_idx_bytes(const struct disk *disk)
{
    return disk->idx_bytes;
}

enum err disk_write_body(struct disk *disk)
{
    char *error = NULL;

    if (!disk->is_open) {
        return ERR_IO;
    }
    if (disk->body_bytes > 0) {
        rocksdb_write(disk->db, disk->write_body, disk->body, &error);
        rocksdb_writebatch_clear(disk->body);
        disk->body_bytes = 0;
    }
    return error == NULL ? ERR_OK : disk_trouble("store_write", error);
}

enum err disk_write_idx(struct disk *disk, bool sync)
{
    char *error = NULL;

    if (!disk->is_open) {
        return ERR_IO;
    }
    if (disk->idx_bytes > 0) {
        rocksdb_write(disk->db, sync ? disk->write_sync : disk->write_idx, disk->idx, &error);
        rocksdb_writebatch_clear(disk->idx);
        disk->idx_bytes = 0;
    } else if (sync) {
        rocksdb_flush_wal(disk->db, 1, &error);
    }
    return error == NULL ? ERR_OK : disk_trouble("store_write", error);
}

void disk_batch_drop_bodies(struct disk *disk)
{
    rocksdb_writebatch_clear(disk->body);
    disk->body_bytes = 0;
}

void disk_batch_clear(struct disk *disk)
{
    disk_batch_drop_bodies(disk);
    rocksdb_writebatch_clear(disk->idx);
    disk->idx_bytes = 0;
}

enum err disk_flush_body(struct disk *disk, bool wait)
{
    char *error = NULL;

    if (!disk->is_open) {
        return ERR_IO;
    }
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(options, wait ? 1 : 0);
    rocksdb_flush_cf(disk->db, options, disk->families[FAMILY_BODY], &error);
    rocksdb_flushoptions_destroy(options);
    return error == NULL ? ERR_OK : disk_trouble("store_flush", error);
}

static uint64_t disk_property(struct disk *disk, int family, const char *name)
{
    uint64_t value = 0;

    return rocksdb_property_int_cf(disk->db, disk->families[family], name, &value) == 0 ? value : 0;
}

bool disk_has_failed(struct disk *disk)
{
    return !disk->is_open || disk_property(disk, FAMILY_DEFAULT, "rocksdb.background-errors") > 0;
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
        out->memtable_bytes = disk_property(disk, FAMILY_BODY, "rocksdb.cur-size-all-mem-tables") +
                              disk_property(disk, FAMILY_IDX, "rocksdb.cur-size-all-mem-tables");
        out->idx_bytes = disk_property(disk, FAMILY_IDX, "rocksdb.total-sst-files-size");
    }
    out->file_bytes = disk_files_bytes(disk->path);
}

bool disk_drop_quarantine(struct disk *disk)
{
    return disk_files_drop_quarantine(disk->path);
}
