/*
 * disk - RocksDB 7.8 as Debian builds it. What its options are for:
 *
 * - body: no memtable in use, no compression, two levels, level base without bound: files are taken
 *   in at L1 and stay there, where they can be deleted whole. L0 trigger 1 moves down what a
 *   version before this one had flushed. ttl 0: the default would rewrite files after 30 days.
 *   Index blocks live with the open table, max_open_files bounds them; a pinned value owns its
 *   block, so a read is one copy.
 * - Preallocation off, small MANIFEST, LOG and WAL: the folder's size must be what we think it is.
 * - Not atomic_flush (aborts when a manual flush meets an automatic one), no mmap reads (a bad
 *   sector or a cut file would be SIGBUS instead of an error).
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/disk_files.h"
#include "store/disk_private.h"

#define DISK_BLOCK_BYTES (8u * 1024u)
#define DISK_TARGET_FILE_BYTES (64u * 1024u * 1024u)
#define DISK_TAIL_MIN (2u * 1024u * 1024u)
#define DISK_TAIL_MAX (32u * 1024u * 1024u)
#define DISK_OPEN_FILES 384
#define DISK_BODY_CACHE_BYTES (64u * 1024u)
/* RocksDB's LOG gets its head at the start and no line later: Debian's build asserts, and ends the
 * process, at the next line after one that could not be written, be it for a full disk. */
#define DISK_LOG_HEAD_ONLY 5
#define DISK_LZ4 4
#define DISK_XXH3 4

enum err disk_trouble(const char *event, char *text)
{
    enum err err = strncmp(text, "Corruption", 10) == 0 ? ERR_CORRUPT : ERR_IO;

    for (char *at = text; *at != '\0'; at++) {
        *at = *at < ' ' || *at > '~' || *at == '"' ? '?' : *at;
    }
    log_warn(event, "reason=\"%.300s\"", text);
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
    rocksdb_options_set_info_log_level(options, DISK_LOG_HEAD_ONLY);
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

static void disk_make_body_options(struct disk *disk)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();

    /* All but nothing: only a block that came through a cache is handed out without a copy. It is
     * freed when the last pin goes, for by then the cache is over its capacity. */
    disk->body_cache = rocksdb_cache_create_lru(DISK_BODY_CACHE_BYTES);
    rocksdb_block_based_options_set_block_cache(table, disk->body_cache);
    rocksdb_block_based_options_set_block_size(table, DISK_BLOCK_BYTES);
    rocksdb_block_based_options_set_checksum(table, DISK_XXH3);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_options_set_write_buffer_size(options, 64 * 1024);
    rocksdb_options_set_num_levels(options, 2);
    rocksdb_options_set_level0_file_num_compaction_trigger(options, 1);
    rocksdb_options_set_max_bytes_for_level_base(options, UINT64_C(1) << 50);
    rocksdb_options_set_target_file_size_base(options, DISK_TARGET_FILE_BYTES);
    disk_more_options(&options, "ttl=0;periodic_compaction_seconds=0");
    disk->body_options = options;
    disk->ingest = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_snapshot_consistency(disk->ingest, 0);
    rocksdb_ingestexternalfileoptions_set_allow_global_seqno(disk->ingest, 0);
    rocksdb_ingestexternalfileoptions_set_allow_blocking_flush(disk->ingest, 0);
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
    int pid = 0;
    if (disk_files_in_use(disk->path, &pid)) {
        log_error("store_open", "path=%s is in use by process %d", disk->path, pid);
        return ERR_BUSY;
    }
    disk_drop_tail(disk); /* of a process that was killed */
    disk->is_copied = !disk_files_can_link(disk->path);
    rocksdb_ingestexternalfileoptions_set_move_files(disk->ingest, disk->is_copied ? 0 : 1);
    rocksdb_t *db = rocksdb_open_column_families(disk->db_options, disk->db_path, 3, names, options,
                                                 disk->families, &error);
    if (error != NULL) {
        return disk_trouble("store_open", error);
    }
    lock_acquire(&disk->lock);
    disk->db = db;
    disk->is_open = true;
    disk->has_write_error = false;
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
    disk_drop_tail(disk);
}

struct disk *disk_new(const struct disk_options *options)
{
    struct disk *disk = mem_new(sizeof(*disk));
    size_t len = strlen(options->path);
    uint64_t idx_buffer = disk_clamp(options->disk_bytes / 128, 512u << 10, 8u << 20);

    disk->options = *options;
    disk->path = mem_copy(options->path, len);
    disk->db_path = mem_new(len + 4);
    (void)snprintf(disk->db_path, len + 4, "%s/db", options->path);
    disk->tail_path = mem_new(len + 6);
    (void)snprintf(disk->tail_path, len + 6, "%s/tail", options->path);
    disk->tail_target = disk_clamp(options->disk_bytes / 64, DISK_TAIL_MIN, DISK_TAIL_MAX);
    lock_init(&disk->lock, LOCK_QUEUE);
    cond_init(&disk->idle);
    disk_make_db_options(disk, idx_buffer);
    disk_make_idx_options(disk, idx_buffer);
    disk_make_body_options(disk);
    disk->read = rocksdb_readoptions_create();
    disk->scan = rocksdb_readoptions_create();
    rocksdb_readoptions_set_readahead_size(disk->scan, 2u << 20);
    rocksdb_readoptions_set_fill_cache(disk->scan, 0);
    disk->write_idx = rocksdb_writeoptions_create();
    disk->write_sync = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(disk->write_sync, 1);
    /* A write that must wait comes back instead: after a failed flush it would wait for ever. */
    rocksdb_writeoptions_set_no_slowdown(disk->write_idx, 1);
    rocksdb_writeoptions_set_no_slowdown(disk->write_sync, 1);
    disk->idx = rocksdb_writebatch_create();
    if (!disk_may_write(disk)) {
        log_error("store_failed", "path=%s cannot be written: storing in memory only", disk->path);
    } else if (disk_try_open(disk) != ERR_OK) {
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
    rocksdb_writebatch_destroy(disk->idx);
    rocksdb_writeoptions_destroy(disk->write_idx);
    rocksdb_writeoptions_destroy(disk->write_sync);
    rocksdb_readoptions_destroy(disk->read);
    rocksdb_readoptions_destroy(disk->scan);
    rocksdb_options_destroy(disk->db_options);
    rocksdb_options_destroy(disk->idx_options);
    rocksdb_options_destroy(disk->body_options);
    rocksdb_cache_destroy(disk->cache);
    rocksdb_cache_destroy(disk->body_cache);
    rocksdb_ingestexternalfileoptions_destroy(disk->ingest);
    cond_fini(&disk->idle);
    lock_fini(&disk->lock);
    mem_free(disk->db_path);
    mem_free(disk->tail_path);
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

/* With what was gathered for it. */
static void disk_shut_and_forget(struct disk *disk)
{
    disk_shut(disk);
    rocksdb_writebatch_clear(disk->idx);
    disk->idx_bytes = 0;
}

enum err disk_reopen(struct disk *disk)
{
    disk_shut_and_forget(disk);
    return disk_try_open(disk);
}

enum err disk_start_over(struct disk *disk)
{
    disk_shut_and_forget(disk);
    disk_files_quarantine(disk->path);
    return disk_try_open(disk);
}
