/*
 * h1_write - responses: head and body leave in one system call.
 *
 * A head is put together in the worker's scratch and waits there for the first body bytes. A body
 * of up to CONN_JOIN_BYTES is copied behind it and sent with one plain send; larger ones go out
 * from where they lie, as the parts of one sendmsg. Bytes of our own making that the kernel does
 * not take (heads, chunk lines, joined bodies) are kept in the connection; large bodies are not:
 * the count returned is short and the handler offers them again. What lies in a file too leaves by
 * sendfile, but for the bytes that go with the head.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/conn.h"

enum {
    H1_PARTS_MAX = 32,        /* of the caller's, per system call */
    H1_TAIL_BYTES = 2 + 5,    /* CRLF after a chunk and the last chunk */
    H1_ADDED_BYTES_MAX = 160, /* fields the connection adds to a head */
};

/* The framing around the body bytes of one call, and what of all that left. */
struct h1_piece {
    char line[HTTP_CHUNK_HEAD_BYTES];
    size_t line_len;
    char tail[H1_TAIL_BYTES];
    size_t tail_len;
    size_t offer; /* body bytes of this call */
};

/* ---- bytes kept for a slow client ---- */

static bool h1_out_append(struct conn *conn, const char *data, size_t len)
{
    if (len == 0) {
        return true;
    }
    if (conn->out_end + len > conn->out_capacity) {
        size_t wanted = (conn->out_end + len) * 2;
        char *grown = wanted <= CONN_OUT_BYTES_MAX ? mem_try_resize(conn->out, wanted) : NULL;
        if (grown == NULL) {
            return false;
        }
        conn->out = grown;
        conn->out_capacity = wanted;
    }
    memcpy(conn->out + conn->out_end, data, len);
    conn->out_end += len;
    return true;
}

/* Bytes the kernel took: 0 when it is full, negative when the client is gone. */
static ssize_t h1_send_bytes(struct conn *conn, const char *data, size_t len)
{
    ssize_t sent = send(conn->watch.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : sent;
}

static void h1_progress(struct conn *conn)
{
    if (UNLIKELY(conn->eof)) {
        conn_leaving_set(conn);
    }
    if (conn->send_deadline_us != CONN_NEVER) {
        conn->send_stop_us = loop_now_us(conn->set->loop) + conn->set->limits.send_timeout_us;
    }
}

/* False: the client is gone. */
static bool h1_flush(struct conn *conn)
{
    ssize_t sent =
        h1_send_bytes(conn, conn->out + conn->out_begin, conn->out_end - conn->out_begin);

    if (sent < 0) {
        return false;
    }
    conn->out_begin += (size_t)sent;
    if (sent > 0) {
        h1_progress(conn);
    }
    if (!conn_has_output(conn)) {
        mem_free(conn->out);
        conn->out = NULL;
        conn->out_begin = conn->out_end = conn->out_capacity = 0;
    }
    return true;
}

bool h1_push(struct conn *conn, struct span bytes)
{
    ssize_t sent = 0;

    if (!conn_has_output(conn)) {
        sent = h1_send_bytes(conn, bytes.ptr, bytes.len);
    }
    if (sent < 0 || !h1_out_append(conn, bytes.ptr + sent, bytes.len - (size_t)sent)) {
        if (conn->state == CONN_BUSY) {
            conn_break(conn);
        }
        return false;
    }
    conn->stream.sent_bytes += bytes.len;
    if (conn_has_output(conn)) {
        conn_interest_update(conn);
    }
    return true;
}

bool h1_writable(struct conn *conn)
{
    if (conn_has_output(conn) && !h1_flush(conn)) {
        conn_gone(conn, ERR_CLOSED, false);
        return false;
    }
    if (conn_has_output(conn)) {
        return true;
    }
    if (UNLIKELY(conn_is_tunnel(conn))) {
        h1_tunnel_shut(conn);
    }
    if (conn->state == CONN_BUSY && conn->want_writable) {
        conn->want_writable = false;
        conn->in_handler = true;
        conn->set->handler->writable(&conn->stream);
        conn->in_handler = false;
    }
    if (!conn_settle(conn)) {
        return false;
    }
    conn_interest_update(conn);
    return h1_advance(conn);
}

/* ---- heads ---- */

enum {
    H1_HAS_DATE = 1,
    H1_HAS_CONNECTION = 2,
};

/* Which fields the caller wrote itself. */
static unsigned h1_lines_scan(struct span lines)
{
    const char *at = lines.ptr;
    const char *end = lines.ptr + lines.len;
    unsigned found = 0;

    while (at < end) {
        size_t left = (size_t)(end - at);
        char first = ascii_lower(*at);
        if (first == 'd' && left > 5 && span_eq_nocase(span_of(at, 5), SPAN("date:"))) {
            found |= H1_HAS_DATE;
        } else if (first == 'c' && left > 11 &&
                   span_eq_nocase(span_of(at, 11), SPAN("connection:"))) {
            found |= H1_HAS_CONNECTION;
        }
        const char *line_end = memchr(at, '\n', left);
        if (line_end == NULL) {
            break;
        }
        at = line_end + 1;
    }
    return found;
}

static char *h1_put(char *at, struct span text)
{
    if (text.len > 0) {
        memcpy(at, text.ptr, text.len);
    }
    return at + text.len;
}

/* Writes the fields of this hop and the empty line. Returns the end. */
static char *h1_head_end_write(struct conn *conn, char *at, unsigned has)
{
    unsigned minor = conn->stream.request->minor_version;

    if ((has & H1_HAS_DATE) == 0) {
        at = h1_put(at, SPAN("Date: "));
        at = h1_put(at, loop_http_date(conn->set->loop));
        at = h1_put(at, SPAN("\r\n"));
    }
    if (conn->chunked) {
        at = h1_put(at, SPAN("Transfer-Encoding: chunked\r\n"));
    }
    if ((has & H1_HAS_CONNECTION) == 0) {
        if (conn->close_after) {
            at = h1_put(at, SPAN("Connection: close\r\n"));
        } else if (minor == 0) {
            at = h1_put(at, SPAN("Connection: keep-alive\r\n"));
        }
    }
    return h1_put(at, SPAN("\r\n"));
}

void h1_scratch_release(struct conn *conn)
{
    struct listener_set *set = conn->set;

    set->scratch_owner = NULL;
    if (!h1_out_append(conn, set->scratch, conn->head_bytes)) {
        conn_break(conn);
    }
    conn->head_bytes = 0;
}

static void h1_head(struct stream *stream, struct span fields, struct span extra,
                    enum stream_body_kind kind)
{
    struct conn *conn = conn_of(stream);
    struct listener_set *set = conn->set;

    if (conn->state != CONN_BUSY) {
        return;
    }
    CHECK(!conn->head_made);
    conn->head_made = true;
    conn->kind = (uint8_t)kind;
    conn->chunked = kind == STREAM_BODY_UNKNOWN && stream->request->minor_version > 0;
    conn->cut_by_reset = kind == STREAM_BODY_UNKNOWN && !conn->chunked;
    conn->close_after = conn->close_after || conn->cut_by_reset || set->draining ||
                        (!conn->body_done && !h1_body_is_drainable(conn));
    if (UNLIKELY(kind == STREAM_BODY_TUNNEL)) {
        h1_tunnel_begin(conn);
    }
    if (set->scratch_owner != NULL) {
        h1_scratch_release(set->scratch_owner);
    }
    size_t most = fields.len + extra.len + H1_ADDED_BYTES_MAX;
    char *own = NULL;
    char *begin = set->scratch;
    if (most > CONN_SCRATCH_HEAD_BYTES || conn_has_output(conn)) {
        own = mem_try(most);
        if (own == NULL) {
            conn_break(conn);
            return;
        }
        begin = own;
    }
    char *at = h1_put(begin, fields);
    at = h1_put(at, extra);
    unsigned has = h1_lines_scan(fields) | h1_lines_scan(extra);
    /* Whoever writes Connection itself means to close. */
    conn->close_after = conn->close_after || (has & H1_HAS_CONNECTION) != 0;
    at = h1_head_end_write(conn, at, has);
    if (own == NULL) {
        conn->head_bytes = (size_t)(at - begin);
        set->scratch_owner = conn;
        return;
    }
    if (!h1_out_append(conn, own, (size_t)(at - own))) {
        conn_break(conn);
    }
    stream->sent_bytes += (size_t)(at - own);
    mem_free(own);
}

static void h1_informational(struct stream *stream, struct span head)
{
    struct conn *conn = conn_of(stream);

    if (conn->state == CONN_BUSY && !conn->head_made && stream->request->minor_version > 0) {
        (void)h1_push(conn, head);
    }
}

/* ---- bodies ---- */

static void h1_piece_frame(struct conn *conn, struct h1_piece *piece, bool last)
{
    piece->line_len = 0;
    piece->tail_len = 0;
    if (!conn->chunked) {
        return;
    }
    if (piece->offer > 0) {
        if (conn->chunk_left == 0) {
            piece->line_len = http_chunk_head_write(piece->line, piece->offer);
            conn->chunk_left = piece->offer;
        }
        if (piece->offer == conn->chunk_left) {
            memcpy(piece->tail, "\r\n", 2);
            piece->tail_len = 2;
        }
    }
    if (last) {
        memcpy(piece->tail + piece->tail_len, HTTP_CHUNK_END, 5);
        piece->tail_len += 5;
    }
}

/* Head, framing and body in one block. All of it is taken: by the kernel or into our own buffer. */
static ptrdiff_t h1_send_joined(struct conn *conn, const struct h1_piece *piece,
                                const struct iovec *parts, unsigned count)
{
    char *begin = conn->set->scratch;
    char *at = h1_put(begin + conn->head_bytes, span_of(piece->line, piece->line_len));
    size_t left = piece->offer;

    for (unsigned i = 0; i < count && left > 0; i++) {
        size_t len = parts[i].iov_len < left ? parts[i].iov_len : left;
        at = h1_put(at, span_of(parts[i].iov_base, len));
        left -= len;
    }
    at = h1_put(at, span_of(piece->tail, piece->tail_len));
    size_t total = (size_t)(at - begin);
    ssize_t sent = h1_send_bytes(conn, begin, total);
    if (sent < 0 || !h1_out_append(conn, begin + sent, total - (size_t)sent)) {
        return -1;
    }
    conn->turn_bytes += (size_t)sent;
    conn->stream.sent_bytes += total;
    return (ptrdiff_t)piece->offer;
}

/* Puts what is to leave into `out`. Returns how many entries. */
static unsigned h1_gather(const struct conn *conn, struct h1_piece *piece,
                          const struct iovec *parts, unsigned count, struct iovec *out)
{
    unsigned used = 0;
    size_t left = piece->offer;

    if (conn->head_bytes > 0) {
        out[used++] = (struct iovec){conn->set->scratch, conn->head_bytes};
    }
    if (piece->line_len > 0) {
        out[used++] = (struct iovec){piece->line, piece->line_len};
    }
    for (unsigned i = 0; i < count && left > 0; i++) {
        size_t len = parts[i].iov_len < left ? parts[i].iov_len : left;
        if (len > 0) {
            out[used++] = (struct iovec){parts[i].iov_base, len};
            left -= len;
        }
    }
    if (piece->tail_len > 0) {
        out[used++] = (struct iovec){piece->tail, piece->tail_len};
    }
    return used;
}

/* The body leaves from where it lies; what is ours and was not taken is kept. */
static ptrdiff_t h1_send_parts(struct conn *conn, struct h1_piece *piece, const struct iovec *parts,
                               unsigned count)
{
    struct iovec vector[H1_PARTS_MAX + 3];
    struct msghdr message = {.msg_iov = vector};

    message.msg_iovlen = h1_gather(conn, piece, parts, count, vector);
    ssize_t result = sendmsg(conn->watch.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (result < 0 && errno != EAGAIN && errno != EINTR) {
        return -1;
    }
    size_t sent = result < 0 ? 0 : (size_t)result;
    conn->turn_bytes += sent;
    size_t head = sent < conn->head_bytes ? sent : conn->head_bytes;
    size_t line = sent - head < piece->line_len ? sent - head : piece->line_len;
    size_t body = sent - head - line < piece->offer ? sent - head - line : piece->offer;
    size_t tail = sent - head - line - body;
    bool kept = h1_out_append(conn, conn->set->scratch + head, conn->head_bytes - head) &&
                h1_out_append(conn, piece->line + line, piece->line_len - line);
    conn->stream.sent_bytes += conn->head_bytes + piece->line_len + body;
    if (kept && body == piece->offer) {
        kept = h1_out_append(conn, piece->tail + tail, piece->tail_len - tail);
        conn->stream.sent_bytes += piece->tail_len;
    }
    return kept ? (ptrdiff_t)body : -1;
}

/* The head leaves with the first bytes, from memory; the rest from the file. */
static ptrdiff_t h1_send_rest(struct conn *conn, const struct h1_piece *piece,
                              const struct iovec *parts, unsigned count,
                              const struct stream_file *file)
{
    size_t joined = 0;

    if (conn->head_bytes > 0) {
        struct h1_piece first = {.offer = CONN_JOIN_BYTES};
        ptrdiff_t taken = h1_send_joined(conn, &first, parts, count);
        if (taken < 0 || conn_has_output(conn)) {
            return taken;
        }
        joined = (size_t)taken;
    }
    off_t at = file->offset + (off_t)joined;
    ssize_t sent = sendfile(conn->watch.fd, file->fd, &at, piece->offer - joined);
    if (sent == 0 || (sent < 0 && errno != EAGAIN && errno != EINTR)) {
        return -1;
    }
    size_t done = sent < 0 ? 0 : (size_t)sent;
    conn->turn_bytes += done;
    conn->stream.sent_bytes += done;
    return (ptrdiff_t)(joined + done);
}

/* How much this connection may still send in this round. */
static size_t h1_turn_left(struct conn *conn)
{
    uint64_t now = loop_now_us(conn->set->loop);

    if (conn->turn_us != now) {
        conn->turn_us = now;
        conn->turn_bytes = 0;
    }
    return conn->turn_bytes < CONN_TURN_BYTES ? CONN_TURN_BYTES - conn->turn_bytes : 0;
}

static ptrdiff_t h1_transmit(struct conn *conn, const struct stream_file *file,
                             const struct iovec *parts, unsigned count, size_t offer, bool last)
{
    struct h1_piece piece = {.offer = offer};
    ptrdiff_t taken = 0;

    h1_piece_frame(conn, &piece, last);
    if (conn_has_output(conn)) {
        /* Only an end without bytes gets here: it queues behind what waits. */
        CHECK(offer == 0 && conn->head_bytes == 0);
        taken = h1_out_append(conn, piece.tail, piece.tail_len) ? 0 : -1;
    } else if (UNLIKELY(file != NULL) && offer > CONN_JOIN_BYTES && !conn->chunked) {
        taken = h1_send_rest(conn, &piece, parts, count, file);
    } else if (conn->head_bytes > 0 && offer <= CONN_JOIN_BYTES) {
        taken = h1_send_joined(conn, &piece, parts, count);
    } else if (conn->head_bytes + piece.line_len + piece.tail_len + offer > 0) {
        taken = h1_send_parts(conn, &piece, parts, count);
    }
    if (conn->head_bytes > 0) {
        conn->head_bytes = 0;
        conn->set->scratch_owner = NULL;
    }
    if (taken < 0) {
        conn_break(conn);
        return -1;
    }
    if (conn->chunked) {
        conn->chunk_left -= (uint64_t)taken;
    }
    return taken;
}

static ptrdiff_t h1_send_file(struct stream *stream, const struct stream_file *file,
                              const struct iovec *parts, unsigned count, bool end)
{
    struct conn *conn = conn_of(stream);
    size_t total = 0;

    if (conn->state != CONN_BUSY) {
        conn->handler_told = true;
        return -1;
    }
    CHECK(conn->head_made && !conn->response_done);
    unsigned used = count < H1_PARTS_MAX ? count : H1_PARTS_MAX;
    for (unsigned i = 0; i < used; i++) {
        total += parts[i].iov_len;
    }
    CHECK(total == 0 || conn->kind != STREAM_BODY_NONE);
    if (conn->want_writable && total > 0) {
        return 0; /* asked again before handler.writable */
    }
    /* A head that had to leave the scratch waits without an event. */
    if (conn_has_output(conn) && (conn->watch.events & EPOLLOUT) == 0 && !h1_flush(conn)) {
        conn_break(conn);
        conn->handler_told = true;
        return -1;
    }
    size_t offer = conn_has_output(conn) ? 0 : h1_turn_left(conn);
    offer = total < offer ? total : offer;
    if (conn->chunk_left > 0 && offer > conn->chunk_left) {
        offer = (size_t)conn->chunk_left;
    }
    bool last = end && offer == total && used == count;
    CHECK(!last || conn->chunk_left == offer || conn->chunk_left == 0);
    uint64_t before = stream->sent_bytes;
    ptrdiff_t taken = h1_transmit(conn, file, parts, used, offer, last);
    if (taken < 0) {
        conn->handler_told = true;
        return -1;
    }
    if (stream->sent_bytes != before) {
        h1_progress(conn);
    }
    conn->response_done = last && (size_t)taken == total;
    conn->want_writable = (size_t)taken < total || used < count;
    conn_interest_update(conn);
    if (UNLIKELY(conn_is_tunnel(conn))) {
        h1_tunnel_shut(conn);
    }
    return taken;
}

static ptrdiff_t h1_send(struct stream *stream, const struct iovec *parts, unsigned count, bool end)
{
    return h1_send_file(stream, NULL, parts, count, end);
}

/* ---- letting go ---- */

/* What a handler's call leaves to do happens after it; calls from elsewhere act at once. */
static void h1_let_go(struct conn *conn)
{
    if (conn->in_handler) {
        return;
    }
    if (conn_settle(conn) && conn->state == CONN_HEAD && conn->begin < conn->end) {
        loop_task_defer(conn->set->loop, &conn->task);
    }
}

static void h1_let_go_as(struct conn *conn, enum conn_state state)
{
    CHECK(conn->state == CONN_BUSY || conn->state == CONN_BROKEN);
    if (conn->state == CONN_BROKEN) {
        conn->handler_told = true;
        return;
    }
    conn->state = (uint8_t)state;
    conn->piece = (struct span){0};
    h1_let_go(conn);
}

static void h1_end(struct stream *stream)
{
    struct conn *conn = conn_of(stream);

    h1_let_go_as(conn, conn->response_done ? CONN_ENDED : CONN_ABORTED);
}

static void h1_abort(struct stream *stream)
{
    h1_let_go_as(conn_of(stream), CONN_ABORTED);
}

const struct stream_ops h1_stream_ops = {
    .head = h1_head,
    .send = h1_send,
    .send_file = h1_send_file,
    .informational = h1_informational,
    .body_next = h1_body_next,
    .body_consume = h1_body_consume,
    .end = h1_end,
    .abort = h1_abort,
    .early = conn_early,
    .take = conn_take,
};
