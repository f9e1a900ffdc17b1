#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H
/*
 * framing - the chunked transfer coding (RFC 9112 section 7.1), exact grammar, CRLF only.
 *
 * The decoder is a byte-driven state machine: it may be fed any pieces and hands out slices of the
 * input without copying. Chunk extensions are checked for controls and skipped; trailer fields are
 * checked and discarded (they never merge into the fields). Both are bounded.
 *
 * Threads: one owner; pure.
 * Errors:  HTTP_CHUNK_BAD: the connection is no longer usable.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

/* Bytes of extensions per body and of trailers per body, beyond which the body is refused. */
#define HTTP_CHUNK_EXTENSION_BYTES 16384
#define HTTP_CHUNK_TRAILER_BYTES 16384

enum http_chunk {
    HTTP_CHUNK_DATA, /* *out is a piece of the body: use it, then call again with the rest */
    HTTP_CHUNK_MORE, /* all input used; more is needed */
    HTTP_CHUNK_DONE, /* the body ended; bytes behind *used belong to the next message */
    HTTP_CHUNK_BAD,
};

struct http_chunk_decoder {
    uint64_t left;            /* bytes of the present chunk not yet seen */
    uint32_t extension_bytes; /* seen so far in all chunks */
    uint32_t trailer_bytes;
    uint8_t state;
    uint8_t digits;
};

/* All zero is the start state as well. */
void http_chunk_decoder_init(struct http_chunk_decoder *decoder);
/* Consumes a prefix of data[0..len) and says how long it was in *used. */
MUST_USE enum http_chunk http_chunk_decode(struct http_chunk_decoder *decoder, const char *data,
                                           size_t len, size_t *used, struct span *out);

/* Room http_chunk_head_write needs. */
#define HTTP_CHUNK_HEAD_BYTES 20
/* Writes the line before a chunk of `bytes` (1 or more): "1a\r\n". Returns its length. After the
 * data comes CRLF; after the last chunk HTTP_CHUNK_END. */
size_t http_chunk_head_write(char out[HTTP_CHUNK_HEAD_BYTES], uint64_t bytes);
#define HTTP_CHUNK_END "0\r\n\r\n"
#endif
