/*
 * disk_body - the tail of the body log: a table of our own beside the database, read while it grows
 * and taken in by RocksDB when it is sealed. RocksDB links it into its folder, syncs it and the
 * MANIFEST; the tail's own name goes after that, and until then readers find records in either
 * place.
 */
#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/codec.h"
#include "store/disk_private.h"

/* A tail that has failed is still read; nothing more is written until the database is opened anew,
 * which drops it. */
static enum err disk_tail_trouble(struct disk *disk, enum err err)
{
    log_warn("store_write", "path=%s what=\"%s\" errno=%d", disk->tail_path, err_text(err), errno);
    disk->has_tail_error = true;
    return err;
}

static void disk_set_tail(struct disk *disk, struct table *tail)
{
    lock_acquire(&disk->lock);
    struct table *old = disk->tail;
    disk->tail = tail;
    lock_release(&disk->lock);
    table_unref(&old);
}

void disk_drop_tail(struct disk *disk)
{
    disk_set_tail(disk, NULL);
    disk->has_tail_error = false;
    (void)unlink(disk->tail_path);
}

enum err disk_put_body(struct disk *disk, uint64_t position, const struct span *parts, size_t count)
{
    if (!disk->is_open || disk->has_tail_error) {
        return ERR_IO;
    }
    if (disk->tail == NULL) {
        struct table *tail = table_create(disk->tail_path);
        if (tail == NULL) {
            return disk_tail_trouble(disk, ERR_IO);
        }
        disk_set_tail(disk, tail);
    }
    enum err err = table_add(disk->tail, position, parts, count);
    return err == ERR_OK ? ERR_OK : disk_tail_trouble(disk, err);
}

enum err disk_push_body(struct disk *disk)
{
    if (disk->tail == NULL) {
        return ERR_OK;
    }
    if (disk->has_tail_error) {
        return ERR_IO;
    }
    enum err err = table_push(disk->tail);
    return err == ERR_OK ? ERR_OK : disk_tail_trouble(disk, err);
}

bool disk_tail_is_long(const struct disk *disk)
{
    return disk->tail != NULL && table_bytes(disk->tail) >= disk->tail_target;
}

enum err disk_seal_body(struct disk *disk)
{
    const char *path = disk->tail_path;
    char *error = NULL;

    if (disk->tail == NULL) {
        return ERR_OK;
    }
    if (disk_has_failed(disk)) {
        return ERR_IO;
    }
    enum err err = table_finish(disk->tail);
    if (err != ERR_OK) {
        return disk_tail_trouble(disk, err);
    }
    rocksdb_ingest_external_file_cf(disk->db, disk->families[FAMILY_BODY], &path, 1, disk->ingest,
                                    &error);
    if (error != NULL) {
        disk->has_tail_error = true;
        return disk_trouble("store_seal", error);
    }
    disk_set_tail(disk, NULL);
    if (disk->is_copied) {
        (void)unlink(path);
    }
    return ERR_OK;
}

/* ---- reads ---- */

static enum err disk_get_tail(struct table *tail, uint64_t position, void **pin_out,
                              struct span *value)
{
    struct table_place place;
    enum err err = table_find(tail, position, &place);

    if (err != ERR_OK) {
        return err;
    }
    struct disk_pin *pin = mem_try(sizeof(*pin) + place.bytes);
    if (pin == NULL) {
        return ERR_NOMEM;
    }
    pin->slice = NULL;
    err = table_read(tail, &place, pin->bytes, value);
    if (err != ERR_OK) {
        log_warn("store_read", "tail: position=%llu what=\"%s\"", (unsigned long long)position,
                 err_text(err));
        mem_free(pin);
        return err;
    }
    *pin_out = pin;
    return ERR_OK;
}

enum err disk_get_body(struct disk *disk, uint64_t position, void **pin, struct span *value)
{
    uint8_t key[8];
    enum err err = ERR_ABSENT;

    *pin = NULL;
    lock_acquire(&disk->lock);
    struct table *tail = disk->tail == NULL ? NULL : table_ref(disk->tail);
    lock_release(&disk->lock);
    if (tail != NULL) {
        err = disk_get_tail(tail, position, pin, value);
        table_unref(&tail);
    }
    if (err != ERR_ABSENT) {
        return err;
    }
    /* Not in the tail, or no more: what was sealed since is in the database by now. */
    codec_position_key(key, position);
    return disk_get(disk, FAMILY_BODY, key, sizeof(key), pin, value);
}
