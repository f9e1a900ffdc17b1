/*
 * press_coder - zlib and brotli over a row of pieces into one buffer of the size that would still
 * be a gain: when that is full the body is not worth it, and nothing needs to grow.
 */
#include <brotli/encode.h>
#include <zlib.h>

#include "base/mem.h"
#include "press/press_private.h"

#define GZIP_WINDOW (15 + 16)      /* 32 KiB, with a gzip header and trailer */
#define GZIP_MEMORY 8              /* zlib's own default */
#define SLICE_BYTES (256u * 1024u) /* between two looks at is_closing */

/* The next piece of input, at most a slice; empty at the end. */
struct feed {
    const struct press_job *job;
    size_t piece;
    size_t at; /* in it */
};

static struct span feed_next(struct feed *feed)
{
    const struct press_job *job = feed->job;

    while (feed->piece < job->piece_count && feed->at == job->pieces[feed->piece].len) {
        feed->piece++;
        feed->at = 0;
    }
    if (feed->piece == job->piece_count) {
        return span_of(NULL, 0);
    }
    struct span piece = job->pieces[feed->piece];
    size_t left = piece.len - feed->at;
    struct span slice = span_of(piece.ptr + feed->at, left < SLICE_BYTES ? left : SLICE_BYTES);
    feed->at += slice.len;
    return slice;
}

static enum press_result gzip_feed(z_stream *stream, struct feed *feed,
                                   const _Atomic bool *is_closing)
{
    for (;;) {
        struct span slice = feed_next(feed);
        /* zlib takes what it only reads as non-const */
        stream->next_in = span_unconst(slice.ptr);
        stream->avail_in = (uInt)slice.len;
        int status = deflate(stream, slice.len == 0 ? Z_FINISH : Z_NO_FLUSH);
        if (status == Z_STREAM_END) {
            return PRESS_DONE;
        }
        if (stream->avail_out == 0 || slice.len == 0) {
            return PRESS_NO_GAIN; /* no room left */
        }
        CHECK(status == Z_OK || status == Z_BUF_ERROR);
        if (atomic_load_explicit(is_closing, memory_order_relaxed)) {
            return PRESS_CANCELLED;
        }
    }
}

static void gzip_encode(struct press_job *job, char *room, const _Atomic bool *is_closing)
{
    z_stream stream = {0};
    struct feed feed = {.job = job};

    if (deflateInit2(&stream, job->level, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        job->result = PRESS_FAILED;
        return;
    }
    stream.next_out = (Bytef *)room;
    stream.avail_out = (uInt)job->limit;
    job->result = gzip_feed(&stream, &feed, is_closing);
    job->len = job->limit - stream.avail_out;
    (void)deflateEnd(&stream);
}

static enum press_result brotli_feed(BrotliEncoderState *state, struct feed *feed, uint8_t *out,
                                     size_t *room, const _Atomic bool *is_closing)
{
    for (;;) {
        struct span slice = feed_next(feed);
        const uint8_t *in = (const uint8_t *)slice.ptr;
        size_t in_left = slice.len;
        BrotliEncoderOperation operation =
            slice.len == 0 ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS;
        if (!BrotliEncoderCompressStream(state, operation, &in_left, &in, room, &out, NULL)) {
            return PRESS_FAILED;
        }
        if (BrotliEncoderIsFinished(state)) {
            return PRESS_DONE;
        }
        if (in_left > 0 || *room == 0 || slice.len == 0) {
            return PRESS_NO_GAIN;
        }
        if (atomic_load_explicit(is_closing, memory_order_relaxed)) {
            return PRESS_CANCELLED;
        }
    }
}

static void brotli_encode(struct press_job *job, char *room, const _Atomic bool *is_closing)
{
    struct feed feed = {.job = job};
    size_t left = job->limit;
    BrotliEncoderState *state = BrotliEncoderCreateInstance(NULL, NULL, NULL);

    if (state == NULL) {
        job->result = PRESS_FAILED;
        return;
    }
    (void)BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, (uint32_t)job->level);
    (void)BrotliEncoderSetParameter(state, BROTLI_PARAM_SIZE_HINT, (uint32_t)job->length);
    job->result = brotli_feed(state, &feed, (uint8_t *)room, &left, is_closing);
    job->len = job->limit - left;
    BrotliEncoderDestroyInstance(state);
}

void press_encode(struct press_job *job, const _Atomic bool *is_closing)
{
    char *room = NULL;

    job->result = PRESS_CANCELLED;
    if (!atomic_load_explicit(is_closing, memory_order_relaxed)) {
        room = mem_try(job->limit);
        job->result = PRESS_FAILED;
        if (room != NULL && job->format == PRESS_GZIP) {
            gzip_encode(job, room, is_closing);
        } else if (room != NULL) {
            brotli_encode(job, room, is_closing);
        }
    }
    if (job->result == PRESS_DONE) {
        job->data = room;
        return;
    }
    job->len = 0;
    mem_free(room);
}
