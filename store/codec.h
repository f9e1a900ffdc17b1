#ifndef STORE_CODEC_H
#define STORE_CODEC_H
/*
 * codec - the records of the store as bytes. Little-endian, fixed offsets, a version in each.
 *
 * body family:  position (8 bytes, big-endian) -> first record | piece record
 *   first: 136 bytes of header, key, selector, head, first body bytes
 *   piece: 48 bytes of header, body bytes
 * idx family:   hash (16, big-endian) + id (8, big-endian) -> where the records are and what the
 *   index must know; optionally the runs of positions of a large body and a newer head (after a
 * 304)
 *
 * Threads:   pure. Errors: decoding believes nothing: every length is checked against the input.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/span.h"
#include "store/store.h"

#define CODEC_FIRST_BYTES 136u
#define CODEC_PIECE_BYTES 48u
#define CODEC_IDX_BYTES 32u
#define CODEC_IDX_KEY_BYTES 24u
#define CODEC_EXTENT_BYTES 12u

struct codec_first {
    struct hash128 hash;
    uint64_t id;
    uint64_t length; /* of the whole body, or STORE_LENGTH_UNKNOWN: idx knows */
    int64_t useless_after_s;
    uint8_t facts[STORE_FACTS_BYTES];
    struct span key;
    struct span selector;
    struct span head;
    struct span body; /* of this record */
};

struct codec_piece {
    struct hash128 hash;
    uint64_t id;
    uint32_t piece;
    struct span body;
};

enum codec_idx_flag {
    CODEC_IDX_SOFT = 1,
    CODEC_IDX_OVERRIDE = 2, /* facts and head follow */
    CODEC_IDX_EXTENTS = 4,  /* more than one record */
    CODEC_IDX_SOFT_AT = 8,  /* the moment of the soft purge follows */
    CODEC_IDX_DATE = 16,    /* the date follows */
};

struct codec_idx {
    uint8_t flags;
    uint32_t useless_after_s;
    uint32_t date_s; /* DATE: Unix seconds; else 0 */
    uint32_t head_bytes;
    uint64_t position;  /* of the first record */
    uint64_t length;    /* of the body */
    int64_t soft_at_ms; /* SOFT_AT: Unix milliseconds; else 0 */
    struct span selector;
    struct span extents; /* encoded: read with codec_extent */
    struct span facts;   /* STORE_FACTS_BYTES, or empty */
    struct span head;
};

/* Writes the header; lengths are taken from the spans. seed: the store's. */
void codec_first_encode(uint8_t out[CODEC_FIRST_BYTES], const struct codec_first *record,
                        struct hash_seed seed);
/* The spans of out point into data. ERR_CORRUPT when anything is not as it was written. */
MUST_USE enum err codec_first_decode(struct span data, struct hash_seed seed,
                                     struct codec_first *out);
void codec_piece_encode(uint8_t out[CODEC_PIECE_BYTES], const struct codec_piece *record,
                        struct hash_seed seed);
MUST_USE enum err codec_piece_decode(struct span data, struct hash_seed seed,
                                     struct codec_piece *out);

void codec_idx_key(uint8_t out[CODEC_IDX_KEY_BYTES], struct hash128 hash, uint64_t id);
MUST_USE enum err codec_idx_key_decode(struct span key, struct hash128 *hash, uint64_t *id);
void codec_position_key(uint8_t out[8], uint64_t position);
uint64_t codec_position(const char *key);

/* Bytes codec_idx_encode writes. */
size_t codec_idx_size(const struct codec_idx *idx);
void codec_idx_encode(uint8_t *out, const struct codec_idx *idx);
MUST_USE enum err codec_idx_decode(struct span data, struct codec_idx *out);
/* Run i of a decoded idx value; false past the end. */
bool codec_extent(struct span extents, size_t i, uint64_t *position, uint32_t *count);
void codec_extent_encode(uint8_t out[CODEC_EXTENT_BYTES], uint64_t position, uint32_t count);
#endif
