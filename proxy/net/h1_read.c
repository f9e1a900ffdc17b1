/*
 * h1_read - what clients send: heads, one after the other, and the bodies of the one under way.
 *
 * Bytes are received into a block and parsed in place. [begin, end) of the window is received but
 * not parsed; floor is where the window may start over without touching the head, whose spans the
 * handler uses. One recv per event: a short read means the socket is empty, and if it is not, the
 * level-triggered event comes again.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "http/status.h"
#include "net/conn.h"

/* ---- receiving ---- */

/* Is there little room behind the head, measured by what is to come? */
static bool h1_window_is_small(const struct conn *conn)
{
    size_t room = conn->window->capacity - conn->floor;

    return room < CONN_WINDOW_BYTES_MIN &&
           (conn->block->request.body != HTTP_BODY_LENGTH || room < conn->body_left);
}

/* Makes room behind `end`, if the bytes there are all used up. */
static void h1_window_reset(struct conn *conn)
{
    if (conn->piece.len > 0 || conn->begin != conn->end) {
        return;
    }
    if (!conn->body_done && conn->window == conn->block && h1_window_is_small(conn)) {
        struct conn_block *block = conn_block_take(conn->set, CONN_BODY_BYTES);
        if (block != NULL) {
            conn->window = block;
            conn->floor = 0;
        }
    }
    conn->begin = conn->floor;
    conn->end = conn->floor;
    if (conn->read_full) {
        conn->read_full = false;
        conn_interest_update(conn);
    }
}

static bool h1_receive(struct conn *conn)
{
    if (conn->window == NULL) {
        conn->block = conn_block_take(conn->set, CONN_BLOCK_BYTES);
        conn->window = conn->block;
        conn->floor = conn->begin = conn->end = conn->scanned = 0;
        if (conn->block == NULL) {
            conn_destroy(conn, false);
            return false;
        }
    }
    if (UNLIKELY(conn_is_tunnel(conn))) {
        h1_tunnel_widen(conn);
    }
    size_t room = conn->window->capacity - conn->end;
    if (room == 0) {
        conn->read_full = true;
        conn_interest_update(conn);
        return true;
    }
    ssize_t got = recv(conn->watch.fd, conn->window->data + conn->end, room, MSG_DONTWAIT);
    if (got > 0) {
        conn->end += (size_t)got;
        conn->upload.bytes += (size_t)got;
    } else if (got == 0) {
        conn->eof = true;
        conn_interest_update(conn);
        conn_leaving_set(conn);
    } else if (errno != EAGAIN && errno != EINTR) {
        conn_gone(conn, ERR_CLOSED, false);
        return false;
    }
    return true;
}

static bool h1_linger_read(struct conn *conn)
{
    char sink[16384];
    ssize_t got = recv(conn->watch.fd, sink, sizeof(sink), MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (got > 0) {
        conn->drained_bytes += (uint64_t)got;
        if (conn->drained_bytes <= 4 * CONN_DRAIN_BYTES_MAX) {
            return true;
        }
    }
    conn_destroy(conn, false);
    return false;
}

static bool h1_body_arrived(struct conn *conn)
{
    if (!conn->want_body) {
        return true;
    }
    conn->want_body = false;
    conn->read_deadline_us = CONN_NEVER;
    conn_pace_body_came(conn);
    conn->in_handler = true;
    conn->set->handler->body(&conn->stream);
    conn->in_handler = false;
    return conn_settle(conn) && h1_advance(conn);
}

bool h1_readable(struct conn *conn)
{
    if (conn->state == CONN_LINGER) {
        return h1_linger_read(conn);
    }
    if (!h1_receive(conn)) {
        return false;
    }
    switch ((enum conn_state)conn->state) {
    case CONN_HEAD:
        if (conn->begin == conn->end) {
            if (conn->eof) {
                conn_destroy(conn, false);
                return false;
            }
            conn_block_give(conn->set, conn->block);
            conn->block = conn->window = NULL;
            return true;
        }
        return h1_advance(conn);
    case CONN_BUSY:
        return h1_body_arrived(conn);
    case CONN_DRAIN:
        return h1_drain(conn) && h1_advance(conn);
    case CONN_BROKEN:
    case CONN_ENDED:
    case CONN_ABORTED:
    case CONN_FLUSH:
    case CONN_LINGER:
        break;
    }
    return true;
}

/* ---- heads ---- */

/* An incomplete head fills the block: moves it to the front or into a larger one. The parser starts
 * over, since its spans pointed into the old place; sizes double, so the work stays linear. */
static bool h1_head_grow(struct conn *conn)
{
    size_t len = conn->end - conn->begin;
    struct conn_block *old = conn->block;

    if (conn->end < old->capacity) {
        return true;
    }
    if (conn->begin > 0) {
        memmove(old->data, old->data + conn->begin, len);
    } else {
        struct conn_block *block = conn_block_take(conn->set, old->capacity * 2);
        if (block == NULL) {
            return false;
        }
        memcpy(block->data, old->data, len);
        conn->block = conn->window = block;
        conn_block_give(conn->set, old);
    }
    conn->begin = 0;
    conn->end = len;
    conn->scanned = 0;
    return true;
}

bool h1_head_wait(struct conn *conn)
{
    /* The parser refuses a head that cannot fit (431) before it grows past its limit. */
    if (conn->eof || !h1_head_grow(conn)) {
        conn_destroy(conn, false);
        return false;
    }
    if (conn->read_full) {
        conn->read_full = false;
        conn_interest_update(conn);
    }
    conn_read_deadline_set(conn, conn->stream.begin_us + conn->set->limits.head_timeout_us);
    return true;
}

static void h1_head_begin(struct conn *conn)
{
    struct http_request *request = &conn->block->request;

    if (conn->is_idle) {
        conn->is_idle = false;
        net_count(&conn->set->counters->idle_connections, (uint64_t)-1);
    }
    if (conn->stream.begin_us == 0) {
        conn->stream.begin_us = loop_now_us(conn->set->loop);
    }
    if (conn->scanned == 0) {
        http_fields_init(&request->fields, conn->block->items, conn->block->items_count);
    }
}

static bool h1_is_last_request(const struct conn *conn)
{
    unsigned most = conn->set->limits.requests_max;

    return UNLIKELY(most > 0) && conn->requests >= most;
}

/* A whole head is there: gives it to the handler. */
static bool h1_dispatch(struct conn *conn)
{
    struct http_request *request = &conn->block->request;
    struct stream *stream = &conn->stream;

    stream->request = request;
    stream->exchange = NULL;
    stream->sent_bytes = 0;
    stream->body_too_large = false;
    stream->is_held = false;
    conn->read_deadline_us = CONN_NEVER;
    if (request->body == HTTP_BODY_LENGTH &&
        request->content_length > conn->set->limits.request_body_bytes) {
        return h1_refuse(conn, 413, "the request body is larger than allowed");
    }
    conn->state = CONN_BUSY;
    conn->floor = conn->begin;
    conn->requests++;
    conn->close_after = !request->keep_alive || h1_is_last_request(conn);
    conn->want_body = false;
    conn->want_writable = false;
    conn->body_done = request->body == HTTP_BODY_NONE ||
                      (request->body == HTTP_BODY_LENGTH && request->content_length == 0);
    conn->body_bad = false;
    conn->continue_due = request->expect_continue && !conn->body_done;
    conn->head_made = false;
    conn->response_done = false;
    conn->chunked = false;
    conn->cut_by_reset = false;
    conn->chunk_left = 0;
    if (!conn->body_done) {
        conn->body_left = request->content_length;
        conn->body_bytes = 0;
        conn->upload = (struct conn_pace){0};
        http_chunk_decoder_init(&conn->decoder);
    }
    if (UNLIKELY(conn->eof)) {
        conn_leaving_set(conn);
    }
    conn->in_handler = true;
    conn->set->handler->request(stream);
    conn->in_handler = false;
    return conn_settle(conn);
}

bool h1_advance(struct conn *conn)
{
    for (unsigned turn = 0; conn->state == CONN_HEAD && conn->begin < conn->end; turn++) {
        size_t used = 0;

        if (turn == CONN_PIPELINE_MAX) {
            loop_task_defer(conn->set->loop, &conn->task);
            return true;
        }
        h1_head_begin(conn);
        if (UNLIKELY(conn->proxy_due)) {
            if (!conn_proxy_advance(conn)) {
                return false;
            }
            if (conn->proxy_due || conn->is_idle) {
                return true;
            }
            continue;
        }
        struct http_request *request = &conn->block->request;
        switch (http_request_parse(request, conn->block->data + conn->begin,
                                   conn->end - conn->begin, &conn->scanned, &used,
                                   &conn->set->limits.head)) {
        case HTTP_PARSE_MORE:
            return h1_head_wait(conn);
        case HTTP_PARSE_BAD:
            return h1_refuse(conn, request->error_status, request->error_reason);
        case HTTP_PARSE_DONE:
            conn->begin += used;
            conn->scanned = 0;
            if (!h1_dispatch(conn)) {
                return false;
            }
            break;
        }
    }
    return true;
}

bool h1_next(struct conn *conn)
{
    struct listener_set *set = conn->set;

    conn->state = CONN_HEAD;
    conn->piece = (struct span){0};
    conn->stream.request = NULL;
    conn->stream.begin_us = 0;
    conn->scanned = 0;
    if (UNLIKELY(conn->download.waited_us != 0 || conn->download.bytes != 0)) {
        conn->download = (struct conn_pace){0};
    }
    if (set->draining) {
        conn_destroy(conn, false);
        return false;
    }
    if (conn->window != conn->block) {
        conn_block_give(set, conn->block);
        conn->block = conn->window;
    }
    if (conn->begin == conn->end) {
        if (conn->eof) {
            conn_destroy(conn, false);
            return false;
        }
        conn_block_give(set, conn->block);
        conn->block = conn->window = NULL;
        conn->is_idle = true;
        net_count(&set->counters->idle_connections, 1);
        conn_read_deadline_set(conn, loop_now_us(set->loop) + set->limits.idle_timeout_us);
    }
    conn->read_full = false;
    conn_interest_update(conn);
    return true;
}

bool h1_refuse(struct conn *conn, unsigned status, const char *reason)
{
    struct listener_set *set = conn->set;
    char body[256];
    char head[512];

    int body_len = snprintf(body, sizeof(body), "%u %s\n%s\n", status, http_status_reason(status),
                            reason == NULL ? "" : reason);
    struct span date = loop_http_date(set->loop);
    int head_len =
        snprintf(head, sizeof(head),
                 "HTTP/1.1 %u %s\r\nDate: %.*s\r\nContent-Type: text/plain; "
                 "charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
                 status, http_status_reason(status), (int)date.len, date.ptr, body_len, body);
    CHECK(body_len > 0 && (size_t)body_len < sizeof(body));
    CHECK(head_len > 0 && (size_t)head_len < sizeof(head));
    if (status != 408) {
        net_count(&set->counters->bad_requests, 1);
    }
    conn->read_deadline_us = CONN_NEVER;
    /* The request's own framing is not to be trusted: what follows is only read off. */
    conn->body_done = false;
    conn->close_after = true;
    if (!h1_push(conn, span_of(head, (size_t)head_len))) {
        conn_destroy(conn, false);
        return false;
    }
    conn->in_handler = true;
    set->handler->refused(&conn->stream, status, (size_t)head_len);
    conn->in_handler = false;
    conn->state = CONN_ENDED;
    return conn_settle(conn);
}

/* ---- request bodies ---- */

/* Decodes the next piece from what was received, if there is one: sets piece, body_done or
 * body_bad. */
static void h1_piece_make(struct conn *conn)
{
    const char *data = conn->window->data + conn->begin;
    size_t len = conn->end - conn->begin;
    size_t used = 0;

    if (conn->block->request.body == HTTP_BODY_LENGTH) {
        used = len < conn->body_left ? len : (size_t)conn->body_left;
        conn->piece = span_of(data, used);
        conn->body_left -= used;
        conn->body_done = conn->body_left == 0;
    } else {
        switch (http_chunk_decode(&conn->decoder, data, len, &used, &conn->piece)) {
        case HTTP_CHUNK_DATA:
            break;
        case HTTP_CHUNK_MORE:
            conn->piece = (struct span){0};
            break;
        case HTTP_CHUNK_DONE:
            conn->piece = (struct span){0};
            conn->body_done = true;
            break;
        case HTTP_CHUNK_BAD:
            conn->piece = (struct span){0};
            conn->body_bad = true;
            break;
        }
    }
    conn->begin += used;
    conn->body_bytes += conn->piece.len;
    if (conn->body_bytes > conn->set->limits.request_body_bytes) {
        conn->piece = (struct span){0};
        conn->body_bad = true;
        conn->stream.body_too_large = true;
    }
}

enum stream_body h1_body_next(struct stream *stream, struct span *out)
{
    struct conn *conn = conn_of(stream);

    if (conn->state != CONN_BUSY) {
        return STREAM_BODY_BAD;
    }
    if (UNLIKELY(conn_is_tunnel(conn))) {
        return h1_tunnel_next(conn, out);
    }
    if (conn->continue_due && conn->begin == conn->end && !conn->head_made &&
        !h1_push(conn, SPAN("HTTP/1.1 100 Continue\r\n\r\n"))) {
        return STREAM_BODY_BAD;
    }
    conn->continue_due = false;
    if (conn->piece.len == 0 && !conn->body_done && !conn->body_bad && conn->begin < conn->end) {
        h1_piece_make(conn);
    }
    if (conn->piece.len > 0) {
        *out = conn->piece;
        return STREAM_BODY_BYTES;
    }
    if (conn->body_done) {
        return STREAM_BODY_END;
    }
    if (conn->body_bad || conn->eof) {
        conn->body_bad = true;
        return STREAM_BODY_BAD;
    }
    h1_window_reset(conn);
    conn->want_body = true;
    conn_pace_body_wait(conn);
    return STREAM_BODY_WAIT;
}

void h1_body_consume(struct stream *stream, size_t count)
{
    struct conn *conn = conn_of(stream);

    if (UNLIKELY(conn_is_tunnel(conn))) {
        h1_tunnel_consume(conn, count);
        return;
    }
    CHECK(count <= conn->piece.len);
    conn->piece.ptr += count;
    conn->piece.len -= count;
    if (conn->state == CONN_BUSY && !conn->body_done) {
        h1_window_reset(conn);
    }
}

bool h1_body_is_drainable(const struct conn *conn)
{
    return !conn->eof && !conn->body_bad && !conn->continue_due &&
           (conn->block->request.body != HTTP_BODY_LENGTH ||
            conn->body_left <= CONN_DRAIN_BYTES_MAX);
}

bool h1_drain(struct conn *conn)
{
    while (!conn->body_done && !conn->body_bad && conn->begin < conn->end) {
        h1_piece_make(conn);
        conn->drained_bytes += conn->piece.len;
    }
    conn->piece = (struct span){0};
    if (conn->body_done) {
        return h1_next(conn);
    }
    if (conn->body_bad || conn->eof || conn->drained_bytes > CONN_DRAIN_BYTES_MAX) {
        return conn_linger(conn);
    }
    h1_window_reset(conn);
    return true;
}
