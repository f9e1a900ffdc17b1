#ifndef STORE_RECORD_H
#define STORE_RECORD_H
/*
 * record - objects and pieces out of the log. Identity is proved on every read: hash, id, piece
 * number, and the full key where it is known; a stale index entry can give a miss, never other
 * bytes.
 */
#include "store/object.h"

/* What the index knows about an object on disk. */
struct record_place {
    struct hash128 hash;
    uint64_t id;
    uint64_t position;
    bool needs_idx; /* extents or a newer head: the idx value must be read */
};

/* key: NULL when not known. ERR_ABSENT: left the log; ERR_CORRUPT; ERR_IO; ERR_NOMEM. */
MUST_USE enum err record_load(struct store *store, const struct record_place *place,
                              const struct span *key, struct store_object **out);
MUST_USE enum err record_load_piece(struct store *store, const struct store_object *object,
                                    uint32_t piece, uint64_t position, struct chunk **out);
#endif
