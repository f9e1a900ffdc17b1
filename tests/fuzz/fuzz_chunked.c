// layer: http
/* The chunk decoder gives the same bytes, end and verdict for any split of the input. */
#include "base/mem.h"
#include "http/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
    enum http_chunk result;
    char *body;
    size_t len;
    size_t used;
};

static struct decoded decode(const char *text, size_t size, size_t step)
{
    struct http_chunk_decoder decoder = {0};
    struct decoded out = {.result = HTTP_CHUNK_MORE, .body = mem_try(size)};

    while (out.result == HTTP_CHUNK_MORE && out.used < size) {
        size_t part = size - out.used < step ? size - out.used : step;
        size_t at = 0;
        do {
            struct span piece = {0};
            size_t used;
            out.result =
                http_chunk_decode(&decoder, text + out.used + at, part - at, &used, &piece);
            at += used;
            if (out.result == HTTP_CHUNK_DATA) {
                CHECK(piece.len > 0 && out.len + piece.len <= size);
                memcpy(out.body + out.len, piece.ptr, piece.len);
                out.len += piece.len;
            }
        } while (out.result == HTTP_CHUNK_DATA);
        CHECK(out.result != HTTP_CHUNK_MORE || at == part);
        out.used += at;
    }
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_try(size);

    memcpy(text, data, size);
    struct decoded whole = decode(text, size, size == 0 ? 1 : size);
    for (size_t step = 1; step < size; step += 1 + step / 2) {
        struct decoded split = decode(text, size, step);
        CHECK(split.result == whole.result && split.used == whole.used && split.len == whole.len);
        CHECK(memcmp(split.body, whole.body, whole.len) == 0);
        mem_free(split.body);
    }
    mem_free(whole.body);
    mem_free(text);
    return 0;
}
