/* record - see record.h. A body above OBJECT_COMPACT_BYTES stays in the block RocksDB read it into:
 * the piece owns that block, so bytes are copied once, from the page cache. */
#include "store/record.h"

#include <string.h>

#include "store/codec.h"
#include "store/disk.h"
#include "store/store_private.h"

struct record_read {
    void *pin;
    struct codec_first first;
    void *idx_pin;
    struct codec_idx idx;
    bool has_idx;
};

static void record_close(struct record_read *read)
{
    disk_unpin(read->pin);
    disk_unpin(read->idx_pin);
}

static enum err record_read(struct store *store, const struct record_place *place,
                            const struct span *key, struct record_read *read)
{
    struct span value;
    uint64_t position = place->position;
    enum err err;

    if (place->needs_idx) {
        err = disk_get_idx(store->disk, place->hash, place->id, &read->idx_pin, &value);
        if (err == ERR_OK) {
            err = codec_idx_decode(value, &read->idx);
        }
        if (err != ERR_OK) {
            return err;
        }
        read->has_idx = true;
        position = read->idx.position;
    }
    err = disk_get_body(store->disk, position, &read->pin, &value);
    if (err != ERR_OK) {
        return err;
    }
    counter_add(&store->counters.read_count, 1);
    counter_add(&store->counters.read_bytes, value.len);
    err = codec_first_decode(value, store->seed, &read->first);
    if (err != ERR_OK) {
        return err;
    }
    const struct codec_first *first = &read->first;
    bool is_same = first->id == place->id && first->hash.hi == place->hash.hi &&
                   first->hash.lo == place->hash.lo;
    if (!is_same) {
        return ERR_CORRUPT;
    }
    if (key != NULL && !span_eq(first->key, *key)) {
        return ERR_ABSENT; /* another key with the same hash */
    }
    return ERR_OK;
}

/* Takes over read->pin when the piece keeps it. */
static struct store_object *record_single(struct store *store, struct record_read *read,
                                          const struct store_key *key,
                                          const struct store_head *head)
{
    struct span body = read->first.body;
    struct store_object *object;
    char *room;

    if (key->bytes.len + head->selector.len + head->head.len + body.len <= OBJECT_COMPACT_BYTES) {
        object = object_new_compact(store, key, head, read->first.id, &room);
        if (object != NULL && body.len > 0) {
            memcpy(room, body.ptr, body.len);
        }
        return object;
    }
    /* The text is copied into the object, the body stays where it is; so the pin must outlive the
     * copying even when it fails. */
    struct chunk *chunk =
        chunk_new_pinned(store, read->pin, disk_unpin, body.ptr, (uint32_t)body.len);
    read->pin = NULL;
    object = object_new_chunk(store, key, head, read->first.id, chunk_ref(chunk), body.ptr);
    chunk_unref(&chunk);
    return object;
}

static struct store_object *record_partial(struct store *store, struct record_read *read,
                                           const struct store_key *key,
                                           const struct store_head *head, enum err *err)
{
    uint32_t n = pieces_of(head->length);
    uint32_t at = 0;
    uint64_t position;
    uint32_t count;

    *err = ERR_CORRUPT;
    /* Before memory is taken for it: do the runs add up to the length? */
    for (size_t i = 0; codec_extent(read->idx.extents, i, &position, &count); i++) {
        if (count > n - at) {
            return NULL;
        }
        at += count;
    }
    if (at != n || read->first.body.len != piece_bytes(head->length, 0)) {
        return NULL;
    }
    *err = ERR_NOMEM;
    struct store_object *object = object_new_partial(store, key, head, read->first.id, n);
    if (object == NULL) {
        return NULL;
    }
    *err = ERR_OK;
    struct flow *flow = object->flow;
    at = 0;
    for (size_t i = 0; codec_extent(read->idx.extents, i, &position, &count); i++) {
        for (uint32_t j = 0; j < count; j++) {
            flow->slots[at++].position = position + j;
        }
    }
    object->on_disk_partial = true;
    flow->slots[0].chunk = chunk_new_pinned(store, read->pin, disk_unpin, read->first.body.ptr,
                                            (uint32_t)read->first.body.len);
    flow->resident_count = 1;
    read->pin = NULL;
    return object;
}

enum err record_load(struct store *store, const struct record_place *place, const struct span *key,
                     struct store_object **out)
{
    struct record_read read = {0};
    enum err err = record_read(store, place, key, &read);

    *out = NULL;
    if (err == ERR_OK) {
        const struct codec_first *first = &read.first;
        struct store_key whole_key = {.bytes = first->key, .hash = first->hash};
        struct store_head head = {.head = first->head,
                                  .selector = first->selector,
                                  .length = read.has_idx ? read.idx.length : first->length,
                                  .useless_after_s = first->useless_after_s,
                                  .date_s = read.has_idx ? read.idx.date_s : 0};
        memcpy(head.facts, first->facts, sizeof(head.facts));
        if (read.has_idx) {
            head.selector = read.idx.selector;
            if ((read.idx.flags & CODEC_IDX_OVERRIDE) != 0) {
                memcpy(head.facts, read.idx.facts.ptr, sizeof(head.facts));
                head.head = read.idx.head;
                head.useless_after_s = (int64_t)read.idx.useless_after_s;
            }
        }
        if (read.has_idx && (read.idx.flags & CODEC_IDX_EXTENTS) != 0) {
            *out = record_partial(store, &read, &whole_key, &head, &err);
        } else if (head.length != first->body.len) {
            err = ERR_CORRUPT;
        } else {
            *out = record_single(store, &read, &whole_key, &head);
            err = *out == NULL ? ERR_NOMEM : ERR_OK;
        }
    }
    record_close(&read);
    return err;
}

enum err record_load_piece(struct store *store, const struct store_object *object, uint32_t piece,
                           uint64_t position, struct chunk **out)
{
    void *pin;
    struct span value;
    struct codec_first first;
    struct codec_piece other;
    struct span body;
    enum err err = disk_get_body(store->disk, position, &pin, &value);

    *out = NULL;
    if (err != ERR_OK) {
        return err;
    }
    counter_add(&store->counters.read_count, 1);
    counter_add(&store->counters.read_bytes, value.len);
    if (piece == 0) {
        err = codec_first_decode(value, store->seed, &first);
        body = first.body;
        other = (struct codec_piece){.hash = first.hash, .id = first.id};
    } else {
        err = codec_piece_decode(value, store->seed, &other);
        body = other.body;
    }
    uint64_t length = store_object_length(object);
    uint32_t wanted =
        length == STORE_LENGTH_UNKNOWN ? STORE_PIECE_BYTES : piece_bytes(length, piece);
    if (err == ERR_OK &&
        (other.id != object->id || other.hash.hi != object->hash.hi ||
         other.hash.lo != object->hash.lo || other.piece != piece || body.len != wanted)) {
        err = ERR_CORRUPT;
    }
    if (err != ERR_OK) {
        disk_unpin(pin);
        return err;
    }
    *out = chunk_new_pinned(store, pin, disk_unpin, body.ptr, (uint32_t)body.len);
    return ERR_OK;
}
