/*
 * framing - chunked-body = *chunk last-chunk trailer-section CRLF
 *           chunk = chunk-size [chunk-ext] CRLF chunk-data CRLF         (RFC 9112 7.1)
 *
 * White space around the size ("bad whitespace") is refused: those who allow it disagree on where.
 */
#include "http/framing.h"

#include "http/scan.h"

enum chunk_state {
    CHUNK_SIZE = 0,      /* hex digits of the size */
    CHUNK_EXTENSION,     /* behind ';', skipping to CR */
    CHUNK_SIZE_LF,       /* LF behind the size line */
    CHUNK_DATA,          /* `left` bytes of data */
    CHUNK_DATA_CR,       /* CR behind the data */
    CHUNK_DATA_LF,       /* its LF */
    CHUNK_TRAILER_START, /* first byte of a trailer line or of the end */
    CHUNK_TRAILER_NAME,  /* the name up to ':' */
    CHUNK_TRAILER_VALUE, /* the value up to CR */
    CHUNK_TRAILER_LF,    /* LF behind a trailer line */
    CHUNK_END_LF,        /* the very last LF */
    CHUNK_FINISHED,
    CHUNK_BROKEN,
};

void http_chunk_decoder_init(struct http_chunk_decoder *decoder)
{
    *decoder = (struct http_chunk_decoder){0};
}

static int chunk_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum chunk_state chunk_size(struct http_chunk_decoder *decoder, char c)
{
    int digit = chunk_hex(c);

    if (digit >= 0) {
        /* 15 digits cannot overflow 64 bits, nor its signed half. */
        if (decoder->digits == 15) {
            return CHUNK_BROKEN;
        }
        decoder->digits++;
        decoder->left = decoder->left * 16 + (unsigned)digit;
        return CHUNK_SIZE;
    }
    if (decoder->digits == 0) {
        return CHUNK_BROKEN;
    }
    if (c == ';') {
        decoder->extension_bytes++;
        return CHUNK_EXTENSION;
    }
    return c == '\r' ? CHUNK_SIZE_LF : CHUNK_BROKEN;
}

static enum chunk_state chunk_trailer(struct http_chunk_decoder *decoder, char c)
{
    if (++decoder->trailer_bytes > HTTP_CHUNK_TRAILER_BYTES) {
        return CHUNK_BROKEN;
    }
    switch ((enum chunk_state)decoder->state) {
    case CHUNK_TRAILER_START:
        if (c == '\r') {
            return CHUNK_END_LF;
        }
        return http_byte_is(c, HTTP_BYTE_TOKEN) ? CHUNK_TRAILER_NAME : CHUNK_BROKEN;
    case CHUNK_TRAILER_NAME:
        if (c == ':') {
            return CHUNK_TRAILER_VALUE;
        }
        return http_byte_is(c, HTTP_BYTE_TOKEN) ? CHUNK_TRAILER_NAME : CHUNK_BROKEN;
    case CHUNK_TRAILER_VALUE:
        if (c == '\r') {
            return CHUNK_TRAILER_LF;
        }
        return http_byte_is(c, HTTP_BYTE_VALUE) ? CHUNK_TRAILER_VALUE : CHUNK_BROKEN;
    default:
        return CHUNK_BROKEN;
    }
}

/* One byte that is not chunk data. */
static enum chunk_state chunk_byte(struct http_chunk_decoder *decoder, char c)
{
    switch ((enum chunk_state)decoder->state) {
    case CHUNK_SIZE:
        return chunk_size(decoder, c);
    case CHUNK_EXTENSION:
        if (c == '\r') {
            return CHUNK_SIZE_LF;
        }
        if (++decoder->extension_bytes > HTTP_CHUNK_EXTENSION_BYTES) {
            return CHUNK_BROKEN;
        }
        return http_byte_is(c, HTTP_BYTE_VALUE) ? CHUNK_EXTENSION : CHUNK_BROKEN;
    case CHUNK_SIZE_LF:
        if (c != '\n') {
            return CHUNK_BROKEN;
        }
        decoder->digits = 0;
        return decoder->left > 0 ? CHUNK_DATA : CHUNK_TRAILER_START;
    case CHUNK_DATA_CR:
        return c == '\r' ? CHUNK_DATA_LF : CHUNK_BROKEN;
    case CHUNK_DATA_LF:
        return c == '\n' ? CHUNK_SIZE : CHUNK_BROKEN;
    case CHUNK_TRAILER_START:
    case CHUNK_TRAILER_NAME:
    case CHUNK_TRAILER_VALUE:
        return chunk_trailer(decoder, c);
    case CHUNK_TRAILER_LF:
        return c == '\n' ? CHUNK_TRAILER_START : CHUNK_BROKEN;
    case CHUNK_END_LF:
        return c == '\n' ? CHUNK_FINISHED : CHUNK_BROKEN;
    case CHUNK_DATA:
    case CHUNK_FINISHED:
    case CHUNK_BROKEN:
        break;
    }
    return CHUNK_BROKEN;
}

enum http_chunk http_chunk_decode(struct http_chunk_decoder *decoder, const char *data, size_t len,
                                  size_t *used, struct span *out)
{
    size_t at = 0;

    while (at < len && decoder->state != CHUNK_FINISHED && decoder->state != CHUNK_BROKEN) {
        if (decoder->state == CHUNK_DATA) {
            size_t piece = len - at;
            if (piece > decoder->left) {
                piece = (size_t)decoder->left;
            }
            decoder->left -= piece;
            if (decoder->left == 0) {
                decoder->state = CHUNK_DATA_CR;
            }
            *out = span_of(data + at, piece);
            *used = at + piece;
            return HTTP_CHUNK_DATA;
        }
        decoder->state = (uint8_t)chunk_byte(decoder, data[at]);
        at++;
    }
    *used = at;
    if (decoder->state == CHUNK_FINISHED) {
        return HTTP_CHUNK_DONE;
    }
    return decoder->state == CHUNK_BROKEN ? HTTP_CHUNK_BAD : HTTP_CHUNK_MORE;
}

size_t http_chunk_head_write(char out[HTTP_CHUNK_HEAD_BYTES], uint64_t bytes)
{
    char digits[16];
    size_t count = 0;
    size_t len = 0;

    CHECK(bytes > 0);
    while (bytes > 0) {
        digits[count++] = "0123456789abcdef"[bytes & 15];
        bytes >>= 4;
    }
    while (count > 0) {
        out[len++] = digits[--count];
    }
    out[len++] = '\r';
    out[len++] = '\n';
    return len;
}
