/*
 * exchange_send - waits for a head that somebody fetches, and moves body bytes to the client at the
 * pace of the slower side.
 */
#include "exchange/exchange_forward.h"
#include "exchange/exchange_tunnel.h"
#include "fill/fill.h"
#include "http/vary.h"

/* Pieces offered in one call; the connection caps its turn by itself. */
#define PIECES_PER_SEND 4u
/* The end of a body leaves by copy, also where it lies in a file: the kernel keeps a huge page for
 * each byte of it that a client does not read, uncounted once the response is over for us. */
#define COPIED_AT_END (512u * 1024u)
/* A range that begins so far beyond what is there is fetched for itself. */
#define RANGE_AHEAD_MAX (1024u * 1024u)

enum exchange_next exchange_pass(struct exchange *x)
{
    enum exchange_next refused;
    if (UNLIKELY(x->site->guards.counts_misses) && !exchange_guard_origin(x, &refused)) {
        return refused;
    }
    x->collapsed = false;
    x->source = BYTES_ORIGIN;
    const struct http_request *request = x->stream->request;
    x->origin.fill = exchange_fill(
        x, &(struct fill_options){
               .twin = request->method == HTTP_HEAD ? x->stale : NULL,
               .apart = request->method == HTTP_POST && !x->policy->pass && x->tunnel == NULL,
           });
    x->object = store_object_ref(fill_object(x->origin.fill));
    x->reader = store_reader_open(x->env->store, x->object, 0, true, loop_mailbox(x->env->loop),
                                  exchange_wake, x);
    CHECK(x->reader != NULL);
    return exchange_go(x, EXCHANGE_STEP_HEAD);
}

enum exchange_next exchange_go_alone(struct exchange *x)
{
    exchange_release(x);
    if (x->origin.fill != NULL) {
        fill_detach(&x->origin.fill);
    }
    x->result = RESULT_MISS;
    x->collapsed = false;
    x->forward = x->forward == HTTP_FORWARD_NONE ? HTTP_FORWARD_MISS : x->forward;
    return exchange_go(x, EXCHANGE_STEP_PASS);
}

/* The origin said 304 to our own validation: send the renewed object. */
static enum exchange_next use_refreshed(struct exchange *x, struct store_object *refreshed)
{
    fill_detach(&x->origin.fill);
    x->origin.status = 304;
    return exchange_serve(x, refreshed, RESULT_REVALIDATED, HTTP_REASON_REVALIDATED);
}

static enum exchange_next look_again(struct exchange *x)
{
    exchange_release(x);
    return exchange_go(x, EXCHANGE_STEP_LOOKUP);
}

static bool is_selected(const struct exchange *x, const struct store_object *object)
{
    struct span selector = store_object_selector(object);
    return selector.len == 0 || http_selector_matches(selector, x->selecting);
}

/* Somebody fetches all of it, and what this client wants lies so far in that it would wait long. */
static bool is_far_ahead(const struct exchange *x)
{
    const struct http_fields *fields = &x->stream->request->fields;
    struct http_range_start start;
    if (!http_fields_has(fields, HTTP_FIELD_RANGE) || !http_range_start(fields, &start)) {
        return false;
    }
    uint64_t filled = store_object_filled(x->object);
    uint64_t length = store_object_length(x->object);
    if (start.is_suffix) {
        start.first = length == STORE_LENGTH_UNKNOWN ? length
                      : length > start.first         ? length - start.first
                                                     : 0;
    }
    return start.first >= filled && start.first - filled > RANGE_AHEAD_MAX && start.first < length;
}

/* May what somebody else fetched answer this request without asking again (RFC 9111 4)? */
static bool may_share(const struct exchange *x, const struct store_object *object)
{
    return http_judge(stored_facts(object), x->directives.flags == 0 ? NULL : &x->directives,
                      loop_wall_ms(x->env->loop)) != HTTP_VALIDATE;
}

/* Is what somebody else fetched for this request? If not, the next one under way is only waited for
 * where that may have another end: whom nothing fits asks alone, and at once. */
static bool fits(struct exchange *x, const struct store_object *object)
{
    if (!is_selected(x, object)) {
        x->apart = x->apart || http_selector_is_personal(store_object_selector(object));
        return false;
    }
    bool may = may_share(x, object);
    x->apart = x->apart || !may;
    return may;
}

/* The fetch this client waited for is over without a body of its own. What a 304 confirmed answers
 * it here and now: were it looked for, a purge that came since would send the client into the next
 * fetch, and purges one after another through one fetch after another. */
static enum exchange_next go_again(struct exchange *x)
{
    struct store_object *renewed = x->origin.fill == NULL && x->collapsed && !x->refuse_sole
                                       ? store_reader_renewed(x->reader)
                                       : NULL;

    if (renewed != NULL && fits(x, renewed)) {
        return exchange_serve(x, renewed, RESULT_HIT, HTTP_REASON_COLLAPSED);
    }
    store_object_unref(&renewed);
    if (x->origin.fill != NULL) {
        fill_detach(&x->origin.fill);
    }
    return look_again(x);
}

/* The origin has switched protocols. */
static enum exchange_next go_tunnel(struct exchange *x)
{
    enum exchange_next denied;
    if (x->forwarding != NULL && !exchange_judge_switch(x, &denied)) {
        return denied;
    }
    return exchange_go(x, EXCHANGE_STEP_TUNNEL);
}

enum exchange_next exchange_head(struct exchange *x)
{
    if (UNLIKELY(x->tunnel != NULL) && x->tunnel->head.len > 0) {
        return go_tunnel(x);
    }
    if (x->origin.fill != NULL) {
        struct store_object *refreshed = fill_take_refreshed(x->origin.fill);
        if (refreshed != NULL) {
            return use_refreshed(x, refreshed);
        }
    }
    uint32_t code = 0;
    switch (store_reader_head(x->reader, &code)) {
    case STORE_HEAD_WAIT:
        return EXCHANGE_PARK;
    case STORE_HEAD_READY:
        break;
    case STORE_HEAD_ALONE:
        exchange_release(x);
        x->result = RESULT_MISS;
        x->forward = HTTP_FORWARD_MISS;
        return exchange_go(x, EXCHANGE_STEP_PASS);
    case STORE_HEAD_AGAIN:
        return go_again(x);
    case STORE_HEAD_FAILED:
        return exchange_must_go_alone(x, code) ? exchange_go_alone(x)
                                               : exchange_origin_failed(x, code);
    }
    if (x->origin.fill == NULL && x->collapsed) {
        if (!fits(x, x->object)) {
            return look_again(x);
        }
        x->reason = HTTP_REASON_COLLAPSED;
    }
    if (x->origin.fill != NULL) {
        x->source = BYTES_ORIGIN;
    }
    if (UNLIKELY((stored_facts(x->object)->flags & HTTP_STORED_PARTS) != 0)) {
        /* Its bytes are in objects of their own, which are followed by everybody alike. */
        if (x->origin.fill != NULL) {
            fill_detach(&x->origin.fill);
        }
    } else if (x->collapsed && is_far_ahead(x)) {
        x->reason = HTTP_REASON_RANGE_ABSENT;
        return exchange_go_alone(x);
    }
    return exchange_go(x, EXCHANGE_STEP_REPLY);
}

void exchange_note_first_byte(struct exchange *x)
{
    if (x->first_byte_us == 0) {
        x->first_byte_us = loop_now_us(x->env->loop) - x->stream->begin_us + 1;
    }
}

/* [offset, end) was taken. */
static enum exchange_next stretch_sent(struct exchange *x)
{
    return exchange_go(x, UNLIKELY(x->plan != NULL) ? EXCHANGE_STEP_PART : EXCHANGE_STEP_DONE);
}

/* Up to where the body leaves from a file, if it lies in one and nobody counts the bytes; 0: not. */
static uint64_t file_end(const struct exchange *x)
{
    if (LIKELY(x->end - x->offset <= COPIED_AT_END) || x->meter != NULL ||
        store_object_file(x->object) < 0) {
        return 0;
    }
    return x->end - COPIED_AT_END;
}

static ptrdiff_t offer_file(struct exchange *x, const struct iovec *parts, unsigned count)
{
    const struct stream_file file = {.fd = store_object_file(x->object),
                                     .offset = (off_t)x->offset};
    return stream_send_file(x->stream, &file, parts, count, false);
}

/* Everything is in memory and stays: offer it straight from the pieces. */
static enum exchange_next send_whole(struct exchange *x)
{
    struct iovec parts[PIECES_PER_SEND];
    for (;;) {
        unsigned count = 0;
        uint64_t at = x->offset;
        uint64_t from_file_to = file_end(x);
        uint64_t to = from_file_to != 0 ? from_file_to : x->end;
        while (count < PIECES_PER_SEND && at < to) {
            struct span piece = store_object_piece(x->object, (size_t)(at / STORE_PIECE_BYTES));
            size_t skip = (size_t)(at % STORE_PIECE_BYTES);
            size_t len = piece.len - skip;
            if (len > to - at) {
                len = (size_t)(to - at);
            }
            parts[count++] =
                (struct iovec){.iov_base = span_unconst(piece.ptr + skip), .iov_len = len};
            at += len;
        }
        ptrdiff_t sent = UNLIKELY(from_file_to != 0)
                             ? offer_file(x, parts, count)
                             : exchange_offer(x, parts, count, at == x->end && x->plan == NULL);
        if (sent < 0) {
            return exchange_cut(x);
        }
        x->offset += (uint64_t)sent;
        if (x->offset == x->end) {
            return stretch_sent(x);
        }
        if (x->offset < at) {
            return EXCHANGE_PARK;
        }
    }
}

/* Ends a body whose length only its end tells. */
static enum exchange_next send_end(struct exchange *x)
{
    ptrdiff_t sent = exchange_offer(x, NULL, 0, true);
    return sent < 0 ? exchange_cut(x) : exchange_go(x, EXCHANGE_STEP_DONE);
}

static enum exchange_next send_read(struct exchange *x)
{
    for (;;) {
        struct span bytes;
        switch (store_reader_next(x->reader, &bytes)) {
        case STORE_READ_WAIT:
            /* A head whose body has not come yet must not wait for it. */
            if (x->stream->sent_bytes == 0 && exchange_offer(x, NULL, 0, false) < 0) {
                return exchange_cut(x);
            }
            return EXCHANGE_PARK;
        case STORE_READ_FAILED:
            return exchange_cut(x);
        case STORE_READ_END:
            /* A body that ended before its announced length is cut, never passed off as complete.
             */
            return x->end_known && x->offset < x->end ? exchange_cut(x) : send_end(x);
        case STORE_READ_BYTES:
            break;
        }
        if (UNLIKELY(x->forwarding != NULL) && !exchange_judge_grown(x, x->offset + bytes.len)) {
            return exchange_cut(x);
        }
        bool last = false;
        if (x->end_known && bytes.len >= x->end - x->offset) {
            bytes.len = (size_t)(x->end - x->offset);
            last = true;
        }
        struct iovec part = {.iov_base = span_unconst(bytes.ptr), .iov_len = bytes.len};
        ptrdiff_t sent = exchange_offer(x, &part, 1, last && x->plan == NULL);
        if (sent < 0) {
            return exchange_cut(x);
        }
        x->offset += (uint64_t)sent;
        store_reader_advance(x->reader, (size_t)sent);
        if ((size_t)sent < bytes.len) {
            return EXCHANGE_PARK;
        }
        if (last) {
            return stretch_sent(x);
        }
    }
}

bool exchange_seek(struct exchange *x)
{
    if (x->reader != NULL) {
        store_reader_close(&x->reader);
    }
    x->reader = store_reader_open(x->env->store, x->object, x->offset, x->origin.fill != NULL,
                                  loop_mailbox(x->env->loop), exchange_wake, x);
    return x->reader != NULL;
}

enum exchange_next exchange_send(struct exchange *x)
{
    if (x->first_byte_us == 0) {
        exchange_note_first_byte(x);
        /* The reader was opened at 0 before it was known which part is wanted. */
        if (x->reader != NULL && x->offset != 0 && !exchange_seek(x)) {
            return exchange_cut(x);
        }
    }
    if (x->end_known && x->offset == x->end) {
        return send_end(x);
    }
    if (x->whole) {
        return send_whole(x);
    }
    return send_read(x);
}
