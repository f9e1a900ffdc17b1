// layer: store
/* Store records from a hostile disk: decoding stays inside the input, and what decodes encodes
 * back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_idx(struct span in)
{
    struct codec_idx idx;
    uint64_t position;
    uint32_t count;

    if (codec_idx_decode(in, &idx) != ERR_OK) {
        return;
    }
    for (size_t i = 0; codec_extent(idx.extents, i, &position, &count); i++) {
    }
    size_t size = codec_idx_size(&idx);
    if (size != in.len) {
        abort();
    }
    uint8_t *out = mem_new(size);
    codec_idx_encode(out, &idx);
    out[2] = (uint8_t)in.ptr[2]; /* not used */
    out[3] = (uint8_t)in.ptr[3];
    if (memcmp(out, in.ptr, size) != 0) {
        abort();
    }
    mem_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hash_seed seed = {1};
    struct span in = span_of((const char *)data, size);
    struct codec_first first;
    struct codec_piece piece;
    struct hash128 hash;
    uint64_t id;

    if (codec_first_decode(in, seed, &first) == ERR_OK &&
        first.key.len + first.selector.len + first.head.len + first.body.len >= size) {
        abort();
    }
    if (codec_piece_decode(in, seed, &piece) == ERR_OK && piece.body.len >= size) {
        abort();
    }
    (void)(codec_idx_key_decode(in, &hash, &id) == ERR_OK);
    check_idx(in);
    return 0;
}
