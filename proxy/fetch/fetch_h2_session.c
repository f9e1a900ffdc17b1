/*
 * fetch_h2_session - nghttp2 for one connection: requests as header blocks, what comes in as calls
 * of its callbacks, bytes in and out.
 *
 * nghttp2 refuses what RFC 9113 8.2 and 8.3 call malformed (names in upper case, fields of the
 * connection, pseudo fields out of place, lengths that do not hold); the heads it lets through are
 * judged once more as HTTP/1. Floods are bounded by its own limits on SETTINGS entries and replies
 * owed, and by a count of frames in a row that bring nothing.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "fetch/fetch_h2_private.h"

/* ---- what comes in ---- */

static struct fetch *fetch_h2_rider(nghttp2_session *session, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(session, stream);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct fetch *fetch = fetch_h2_rider(session, frame->hd.stream_id);

    (void)ctx;
    if (fetch != NULL && !fetch->head_done) {
        fetch->head_len = 0;
    }
    return 0;
}

/* One line of the head as HTTP/1 has it; what is too much is told by the length.
 * NOLINTNEXTLINE(readability-function-size): nghttp2 has it so */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ctx)
{
    struct fetch *fetch = fetch_h2_rider(session, frame->hd.stream_id);
    struct span name_span = span_of((const char *)name, name_len);
    struct span value_span = span_of((const char *)value, value_len);

    (void)flags;
    (void)ctx;
    if (fetch == NULL || fetch->head_done ||
        fetch->head_len > fetch->pool->options.head_bytes_max) {
        return 0; /* trailers are not looked at */
    }
    bool is_status = span_eq(name_span, SPAN(":status"));
    bool good = fetch_head_append(fetch, is_status ? SPAN("HTTP/1.1 ") : name_span) &&
                fetch_head_append(fetch, is_status ? value_span : SPAN(": ")) &&
                fetch_head_append(fetch, is_status ? SPAN(" ") : value_span) &&
                fetch_head_append(fetch, SPAN("\r\n"));
    return good ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* False: the fetch is gone. */
static bool on_head_complete(struct fetch *fetch)
{
    if (fetch->head_done) {
        return true;
    }
    if (!fetch_head_append(fetch, SPAN("\r\n"))) {
        fetch_end(fetch, FETCH_INTERNAL, "no memory for the response head", false);
        return false;
    }
    return fetch_feed_head(fetch);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct fetch_h2 *h2 = ctx;
    struct fetch *fetch = NULL;

    h2->idle_frames = frame->hd.type == NGHTTP2_HEADERS ? 0 : h2->idle_frames + 1;
    if (h2->idle_frames > FETCH_H2_IDLE_FRAMES_MAX) {
        h2->problem = "too many HTTP/2 frames that bring nothing";
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
        h2->is_settled = true;
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        h2->is_leaving = true;
    } else if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) {
        fetch = fetch_h2_rider(session, frame->hd.stream_id);
    }
    if (fetch != NULL && frame->hd.type == NGHTTP2_HEADERS && !on_head_complete(fetch)) {
        return 0;
    }
    if (fetch != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        fetch->stream_closed = !fetch->has_body || fetch->body_ended;
        fetch_feed_end(fetch);
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream,
                         const uint8_t *data, size_t len, void *ctx)
{
    struct fetch_h2 *h2 = ctx;
    struct fetch *fetch = fetch_h2_rider(session, stream);
    size_t used = len;

    (void)flags;
    h2->idle_frames = 0;
    (void)nghttp2_session_consume_connection(session, len);
    if (fetch != NULL && !fetch_feed_data(fetch, span_of((const char *)data, len), &used)) {
        return 0;
    }
    if (used > 0) {
        (void)nghttp2_session_consume_stream(session, stream, used);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *ctx)
{
    struct fetch *fetch = fetch_h2_rider(session, stream);

    (void)ctx;
    if (fetch != NULL) {
        fetch->stream_closed = true;
        if (code == NGHTTP2_HTTP_1_1_REQUIRED) {
            fetch->conn->peer->protocol = FETCH_PEER_H1;
        }
        bool is_refused = !fetch->stream_bad &&
                          (code == NGHTTP2_REFUSED_STREAM || code == NGHTTP2_HTTP_1_1_REQUIRED);
        fetch_feed_reset(fetch, nghttp2_http2_strerror(code), is_refused);
    }
    return 0;
}

/* ---- what goes out ---- */

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct fetch_h2 *h2 = ctx;
    struct fetch *fetch = fetch_h2_rider(session, frame->hd.stream_id);

    if (frame->hd.type == NGHTTP2_HEADERS && fetch != NULL) {
        fetch->result.request_sent = true;
    } else if (frame->hd.type == NGHTTP2_DATA) {
        h2->idle_frames = 0; /* the other side has windows to open */
    } else if (frame->hd.type == NGHTTP2_RST_STREAM && fetch != NULL) {
        fetch->stream_bad = true; /* whoever leaves by himself is no rider any more */
    } else if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        h2->problem = "the origin does not keep to HTTP/2";
    }
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2 has it so */
static ssize_t on_body_wanted(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
                              uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct fetch *fetch = fetch_h2_rider(session, stream);
    size_t got = 0;

    (void)source;
    (void)ctx;
    if (fetch == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    switch (fetch_feed_body(fetch, (char *)out, size, &got)) {
    case FETCH_FEED_GONE: /* its stream is reset, behind this */
    case FETCH_FEED_LATER:
        return NGHTTP2_ERR_DEFERRED;
    case FETCH_FEED_LAST:
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        break;
    case FETCH_FEED_MORE:
        break;
    }
    return (ssize_t)got;
}

static nghttp2_nv header_of(struct span name, struct span value)
{
    return (nghttp2_nv){
        .name = (uint8_t *)name.ptr,
        .value = (uint8_t *)value.ptr,
        .namelen = name.len,
        .valuelen = value.len,
    };
}

/* RFC 9113 8.2.2: not in HTTP/2, or said by other means. */
static bool is_of_http1(struct span name, struct span value)
{
    static const char *const names[] = {"host",       "connection",       "transfer-encoding",
                                        "keep-alive", "proxy-connection", "upgrade"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (span_eq(name, span_str(names[i]))) {
            return true;
        }
    }
    return span_eq(name, SPAN("te")) && !span_eq_nocase(value, SPAN("trailers"));
}

/* The lines of the head we put together for HTTP/1, whose names are made lower case in place. */
static size_t headers_take(char *text, size_t len, nghttp2_nv *out)
{
    struct span rest = span_of(text, len);
    struct span line[3] = {{0}}; /* method, target, version */
    size_t count = 4;

    for (size_t i = 0; i < 3; i++) {
        const char *end = memchr(rest.ptr, i < 2 ? ' ' : '\r', rest.len);
        CHECK(end != NULL);
        line[i] = span_of(rest.ptr, (size_t)(end - rest.ptr));
        size_t used = line[i].len + (i < 2 ? 1 : 2);
        rest = span_of(rest.ptr + used, rest.len - used);
    }
    out[0] = header_of(SPAN(":method"), line[0]);
    out[1] = header_of(SPAN(":scheme"), SPAN("https"));
    out[3] = header_of(SPAN(":path"), line[1]);
    while (rest.len > 2) {
        const char *end = memchr(rest.ptr, '\r', rest.len);
        const char *colon = memchr(rest.ptr, ':', rest.len);
        CHECK(end != NULL && colon != NULL && colon < end);
        struct span name = span_of(rest.ptr, (size_t)(colon - rest.ptr));
        struct span value = span_of(colon + 1, (size_t)(end - colon - 1));
        while (value.len > 0 && (*value.ptr == ' ' || *value.ptr == '\t')) {
            value = span_of(value.ptr + 1, value.len - 1);
        }
        for (size_t i = 0; i < name.len; i++) {
            text[(size_t)(name.ptr - text) + i] = ascii_lower(name.ptr[i]);
        }
        if (span_eq(name, SPAN("host"))) {
            out[2] = header_of(SPAN(":authority"), value);
        } else if (!is_of_http1(name, value)) {
            out[count++] = header_of(name, value);
        }
        rest = span_of(end + 2, rest.len - (size_t)(end + 2 - rest.ptr));
    }
    return count;
}

bool fetch_h2_submit(struct fetch_h2 *h2, struct fetch *fetch)
{
    const nghttp2_data_provider body = {.read_callback = on_body_wanted};
    size_t lines = 4;
    char *text = mem_try(fetch->text_len);

    for (size_t i = 0; i < fetch->text_len; i++) {
        lines += fetch->text[i] == '\n' ? 1 : 0;
    }
    nghttp2_nv *headers = mem_try(lines * sizeof(*headers));
    int32_t stream = -1;
    if (text != NULL && headers != NULL) {
        memcpy(text, fetch->text, fetch->text_len);
        size_t count = headers_take(text, fetch->text_len, headers);
        stream = nghttp2_submit_request(h2->session, NULL, headers, count,
                                        fetch->has_body ? &body : NULL, fetch);
    }
    mem_free(text);
    mem_free(headers);
    if (stream < 0) {
        h2->is_leaving = true; /* also when its streams are all used up */
        return false;
    }
    fetch->stream = stream;
    fetch->stream_closed = false;
    return true;
}

/* ---- bytes ---- */

bool fetch_h2_input(struct fetch_h2 *h2, const char *data, size_t len)
{
    h2->busy = true;
    ssize_t used = nghttp2_session_mem_recv(h2->session, (const uint8_t *)data, len);
    h2->busy = false;
    if (used == (ssize_t)len) {
        return true;
    }
    if (h2->problem == NULL) {
        h2->problem = used < 0 ? nghttp2_strerror((int)used) : "not HTTP/2";
    }
    return false;
}

bool fetch_h2_read(struct fetch_h2 *h2)
{
    char small[FETCH_H2_SMALL_BYTES];
    struct fetch_pool *pool = h2->conn->pool;
    /* Without riders it may be looked at while the scratch is in use. */
    bool is_small = h2->rider_count == 0;
    size_t room = is_small ? sizeof(small) : FETCH_SCRATCH_BYTES;
    char *place = is_small ? small : pool->scratch;
    size_t turn = 0;

    while (turn < FETCH_TURN_BYTES) {
        size_t count;
        switch (fetch_conn_read(h2->conn, place, room, &count)) {
        case FETCH_IO_DONE:
            h2->heard_us = loop_now_us(pool->loop);
            turn += count;
            if (!fetch_h2_input(h2, place, count)) {
                return false;
            }
            break;
        case FETCH_IO_AGAIN:
            return true;
        case FETCH_IO_END:
        case FETCH_IO_BROKEN:
            return false;
        }
    }
    fetch_h2_work_later(h2); /* there may be more, out of epoll's sight */
    return true;
}

/* Gathers frames. False: nghttp2 will not go on. */
static bool fetch_h2_gather(struct fetch_h2 *h2)
{
    h2->out_at = 0;
    h2->busy = true;
    while (h2->out_len + FETCH_H2_FRAME_BYTES <= sizeof(h2->out)) {
        const uint8_t *data;
        ssize_t count = nghttp2_session_mem_send(h2->session, &data);
        if (count <= 0) {
            h2->busy = false;
            return count == 0;
        }
        CHECK((size_t)count <= sizeof(h2->out) - h2->out_len);
        memcpy(h2->out + h2->out_len, data, (size_t)count);
        h2->out_len += (size_t)count;
    }
    h2->busy = false;
    return true;
}

bool fetch_h2_write(struct fetch_h2 *h2)
{
    size_t turn = 0;

    for (;;) {
        if (h2->out_len == 0 && !fetch_h2_gather(h2)) {
            return false;
        }
        if (h2->out_len == 0) {
            return true;
        }
        size_t count;
        switch (fetch_conn_write(h2->conn, h2->out + h2->out_at, h2->out_len, &count)) {
        case FETCH_IO_DONE:
            h2->out_at += count;
            h2->out_len -= count;
            turn += count;
            break;
        case FETCH_IO_AGAIN:
            return true;
        case FETCH_IO_END:
        case FETCH_IO_BROKEN:
            return false;
        }
        if (turn >= FETCH_TURN_BYTES) {
            fetch_h2_work_later(h2);
            return true;
        }
    }
}

/* ---- the session ---- */

static nghttp2_option *options_of(void)
{
    nghttp2_option *option = NULL;

    if (nghttp2_option_new(&option) == 0) {
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_max_send_header_block_length(option, 1024 * 1024);
    }
    return option;
}

static nghttp2_session_callbacks *callbacks_of(void)
{
    nghttp2_session_callbacks *calls = NULL;

    if (nghttp2_session_callbacks_new(&calls) == 0) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame_recv);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data_chunk);
        nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(calls, on_frame_sent);
    }
    return calls;
}

bool fetch_h2_session_new(struct fetch_h2 *h2)
{
    nghttp2_option *option = options_of();
    nghttp2_session_callbacks *calls = callbacks_of();
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, FETCH_H2_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)h2->conn->pool->options.head_bytes_max},
    };
    bool good = option != NULL && calls != NULL &&
                nghttp2_session_client_new2(&h2->session, calls, h2, option) == 0 &&
                nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
                                        ARRAY_LEN(settings)) == 0 &&
                nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
                                                      FETCH_H2_CONNECTION_WINDOW_BYTES) == 0;

    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(calls);
    if (!good) {
        nghttp2_session_del(h2->session);
    }
    return good;
}
