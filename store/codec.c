/* codec - see codec.h for the formats. A header's checksum covers all but the body, which RocksDB's
 * block checksum guards. */
#include "store/codec.h"

#include <string.h>

#define CODEC_FIRST_MAGIC 0x4c523031u
#define CODEC_PIECE_MAGIC 0x4c523032u
#define CODEC_VERSION 1u
#define CODEC_POSITION_MAX ((UINT64_C(1) << 48) - 1)
#define CODEC_LENGTH_MAX ((UINT64_C(1) << 47) - 1)

static void put32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static void put64(uint8_t *at, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint32_t get32(const char *at)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 4; i++) {
        value |= (uint32_t)(uint8_t)at[i] << (8 * i);
    }
    return value;
}

static uint64_t get64(const char *at)
{
    return (uint64_t)get32(at) | (uint64_t)get32(at + 4) << 32;
}

static void put64_big(uint8_t *at, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        at[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static uint64_t get64_big(const char *at)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++) {
        value = value << 8 | (uint8_t)at[i];
    }
    return value;
}

static uint64_t codec_check(struct hash_seed seed, const char *header, size_t len, struct span key,
                            struct span selector, struct span head)
{
    struct hash_seed chain = {hash64(seed, span_of(header, len))};

    chain.value = hash64(chain, key);
    if (selector.len > 0) {
        chain.value = hash64(chain, selector);
    }
    return hash64(chain, head);
}

void codec_first_encode(uint8_t out[CODEC_FIRST_BYTES], const struct codec_first *record,
                        struct hash_seed seed)
{
    put32(out, CODEC_FIRST_MAGIC);
    put32(out + 4, CODEC_VERSION);
    put64(out + 8, record->id);
    put64(out + 16, record->hash.hi);
    put64(out + 24, record->hash.lo);
    put64(out + 32, record->length);
    put64(out + 40, (uint64_t)record->useless_after_s);
    put32(out + 48, (uint32_t)record->key.len);
    put32(out + 52, (uint32_t)record->selector.len);
    put32(out + 56, (uint32_t)record->head.len);
    put32(out + 60, (uint32_t)record->body.len);
    memcpy(out + 64, record->facts, STORE_FACTS_BYTES);
    put64(out + 128,
          codec_check(seed, (const char *)out, 128, record->key, record->selector, record->head));
}

enum err codec_first_decode(struct span data, struct hash_seed seed, struct codec_first *out)
{
    const char *at = data.ptr;

    if (data.len < CODEC_FIRST_BYTES || get32(at) != CODEC_FIRST_MAGIC ||
        get32(at + 4) != CODEC_VERSION) {
        return ERR_CORRUPT;
    }
    uint64_t key_len = get32(at + 48);
    uint64_t selector_len = get32(at + 52);
    uint64_t head_len = get32(at + 56);
    uint64_t body_len = get32(at + 60);
    if (key_len + selector_len + head_len + body_len != data.len - CODEC_FIRST_BYTES ||
        body_len > STORE_PIECE_BYTES) {
        return ERR_CORRUPT;
    }
    out->id = get64(at + 8);
    out->hash = (struct hash128){.hi = get64(at + 16), .lo = get64(at + 24)};
    out->length = get64(at + 32);
    out->useless_after_s = (int64_t)get64(at + 40);
    memcpy(out->facts, at + 64, STORE_FACTS_BYTES);
    const char *text = at + CODEC_FIRST_BYTES;
    out->key = span_of(text, (size_t)key_len);
    out->selector = span_of(text + key_len, (size_t)selector_len);
    out->head = span_of(text + key_len + selector_len, (size_t)head_len);
    out->body = span_of(text + key_len + selector_len + head_len, (size_t)body_len);
    bool is_sane = out->length == STORE_LENGTH_UNKNOWN ||
                   (out->length <= CODEC_LENGTH_MAX && body_len <= out->length &&
                    (body_len == out->length || body_len == STORE_PIECE_BYTES));
    if (!is_sane ||
        get64(at + 128) != codec_check(seed, at, 128, out->key, out->selector, out->head)) {
        return ERR_CORRUPT;
    }
    return ERR_OK;
}

void codec_piece_encode(uint8_t out[CODEC_PIECE_BYTES], const struct codec_piece *record,
                        struct hash_seed seed)
{
    put32(out, CODEC_PIECE_MAGIC);
    put32(out + 4, CODEC_VERSION);
    put64(out + 8, record->id);
    put64(out + 16, record->hash.hi);
    put64(out + 24, record->hash.lo);
    put32(out + 32, record->piece);
    put32(out + 36, (uint32_t)record->body.len);
    put64(out + 40, hash64(seed, span_of((const char *)out, 40)));
}

enum err codec_piece_decode(struct span data, struct hash_seed seed, struct codec_piece *out)
{
    const char *at = data.ptr;

    if (data.len < CODEC_PIECE_BYTES || get32(at) != CODEC_PIECE_MAGIC ||
        get32(at + 4) != CODEC_VERSION || get32(at + 36) != data.len - CODEC_PIECE_BYTES ||
        get64(at + 40) != hash64(seed, span_of(at, 40))) {
        return ERR_CORRUPT;
    }
    out->id = get64(at + 8);
    out->hash = (struct hash128){.hi = get64(at + 16), .lo = get64(at + 24)};
    out->piece = get32(at + 32);
    out->body = span_of(at + CODEC_PIECE_BYTES, data.len - CODEC_PIECE_BYTES);
    return out->body.len <= STORE_PIECE_BYTES ? ERR_OK : ERR_CORRUPT;
}

void codec_idx_key(uint8_t out[CODEC_IDX_KEY_BYTES], struct hash128 hash, uint64_t id)
{
    put64_big(out, hash.hi);
    put64_big(out + 8, hash.lo);
    put64_big(out + 16, id);
}

enum err codec_idx_key_decode(struct span key, struct hash128 *hash, uint64_t *id)
{
    if (key.len != CODEC_IDX_KEY_BYTES) {
        return ERR_CORRUPT;
    }
    hash->hi = get64_big(key.ptr);
    hash->lo = get64_big(key.ptr + 8);
    *id = get64_big(key.ptr + 16);
    return *id <= CODEC_POSITION_MAX ? ERR_OK : ERR_CORRUPT;
}

void codec_position_key(uint8_t out[8], uint64_t position)
{
    put64_big(out, position);
}

uint64_t codec_position(const char *key)
{
    return get64_big(key);
}

size_t codec_idx_size(const struct codec_idx *idx)
{
    size_t size = CODEC_IDX_BYTES + idx->selector.len;

    if ((idx->flags & CODEC_IDX_EXTENTS) != 0) {
        size += 4 + idx->extents.len;
    }
    if ((idx->flags & CODEC_IDX_OVERRIDE) != 0) {
        size += STORE_FACTS_BYTES + 4 + idx->head.len;
    }
    if ((idx->flags & CODEC_IDX_SOFT_AT) != 0) {
        size += 8;
    }
    if ((idx->flags & CODEC_IDX_DATE) != 0) {
        size += 4;
    }
    return size;
}

void codec_idx_encode(uint8_t *out, const struct codec_idx *idx)
{
    out[0] = CODEC_VERSION;
    out[1] = idx->flags;
    out[2] = 0;
    out[3] = 0;
    put32(out + 4, idx->useless_after_s);
    put64(out + 8, idx->position);
    put64(out + 16, idx->length);
    put32(out + 24, idx->head_bytes);
    put32(out + 28, (uint32_t)idx->selector.len);
    out += CODEC_IDX_BYTES;
    if (idx->selector.len > 0) {
        memcpy(out, idx->selector.ptr, idx->selector.len);
        out += idx->selector.len;
    }
    if ((idx->flags & CODEC_IDX_EXTENTS) != 0) {
        put32(out, (uint32_t)(idx->extents.len / CODEC_EXTENT_BYTES));
        memcpy(out + 4, idx->extents.ptr, idx->extents.len);
        out += 4 + idx->extents.len;
    }
    if ((idx->flags & CODEC_IDX_OVERRIDE) != 0) {
        memcpy(out, idx->facts.ptr, STORE_FACTS_BYTES);
        put32(out + STORE_FACTS_BYTES, (uint32_t)idx->head.len);
        memcpy(out + STORE_FACTS_BYTES + 4, idx->head.ptr, idx->head.len);
        out += STORE_FACTS_BYTES + 4 + idx->head.len;
    }
    if ((idx->flags & CODEC_IDX_SOFT_AT) != 0) {
        put64(out, (uint64_t)idx->soft_at_ms);
        out += 8;
    }
    if ((idx->flags & CODEC_IDX_DATE) != 0) {
        put32(out, idx->date_s);
    }
}

/* Takes len bytes off the front. */
static bool codec_take(struct span *data, uint64_t len, struct span *out)
{
    if (len > data->len) {
        return false;
    }
    *out = span_of(data->ptr, (size_t)len);
    data->ptr += len;
    data->len -= (size_t)len;
    return true;
}

enum err codec_idx_decode(struct span data, struct codec_idx *out)
{
    struct span part;

    memset(out, 0, sizeof(*out));
    if (!codec_take(&data, CODEC_IDX_BYTES, &part) || (uint8_t)part.ptr[0] != CODEC_VERSION) {
        return ERR_CORRUPT;
    }
    out->flags = (uint8_t)part.ptr[1];
    out->useless_after_s = get32(part.ptr + 4);
    out->position = get64(part.ptr + 8);
    out->length = get64(part.ptr + 16);
    out->head_bytes = get32(part.ptr + 24);
    if (out->position == 0 || out->position > CODEC_POSITION_MAX ||
        out->length > CODEC_LENGTH_MAX ||
        !codec_take(&data, get32(part.ptr + 28), &out->selector)) {
        return ERR_CORRUPT;
    }
    if ((out->flags & CODEC_IDX_EXTENTS) != 0) {
        if (!codec_take(&data, 4, &part) ||
            !codec_take(&data, (uint64_t)get32(part.ptr) * CODEC_EXTENT_BYTES, &out->extents)) {
            return ERR_CORRUPT;
        }
    }
    if ((out->flags & CODEC_IDX_OVERRIDE) != 0) {
        if (!codec_take(&data, STORE_FACTS_BYTES, &out->facts) || !codec_take(&data, 4, &part) ||
            !codec_take(&data, get32(part.ptr), &out->head)) {
            return ERR_CORRUPT;
        }
    }
    if ((out->flags & CODEC_IDX_SOFT_AT) != 0) {
        if (!codec_take(&data, 8, &part)) {
            return ERR_CORRUPT;
        }
        out->soft_at_ms = (int64_t)get64(part.ptr);
    }
    if ((out->flags & CODEC_IDX_DATE) != 0) {
        if (!codec_take(&data, 4, &part)) {
            return ERR_CORRUPT;
        }
        out->date_s = get32(part.ptr);
    }
    return data.len == 0 ? ERR_OK : ERR_CORRUPT;
}

bool codec_extent(struct span extents, size_t i, uint64_t *position, uint32_t *count)
{
    if (i >= extents.len / CODEC_EXTENT_BYTES) {
        return false;
    }
    *position = get64(extents.ptr + i * CODEC_EXTENT_BYTES);
    *count = get32(extents.ptr + i * CODEC_EXTENT_BYTES + 8);
    return *position <= CODEC_POSITION_MAX;
}

void codec_extent_encode(uint8_t out[CODEC_EXTENT_BYTES], uint64_t position, uint32_t count)
{
    put64(out, position);
    put32(out + 8, count);
}
