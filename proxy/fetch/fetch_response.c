/*
 * fetch_response - what comes in. Heads are judged whole by the strict parser (http/response.h)
 * before anything of them is believed; bodies are framed by their length, in chunks, or end with
 * the connection (RFC 9112 6.3). Trailers are checked and dropped.
 *
 * A head that comes in one piece is judged where it was read; so is a body of known length read, as
 * far as the handler offers a place for it. After a piece the handler pauses at, what was read
 * beyond it is held back.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "fetch/fetch_private.h"
#include "http/status.h"

static enum fetch_step fetch_bad(struct fetch *fetch, enum fetch_fault fault, const char *detail)
{
    if (fetch->result.fault == FETCH_OK) {
        fetch->result.fault = fault;
        (void)snprintf(fetch->result.detail, sizeof(fetch->result.detail), "%s", detail);
    }
    return FETCH_STEP_BAD;
}

static enum fetch_step fetch_flow_step(struct fetch *fetch, enum fetch_flow flow)
{
    if (flow == FETCH_PAUSE) {
        fetch->paused = true;
        fetch_halt_note(fetch);
    }
    fetch->cancelled = fetch->cancelled || flow == FETCH_CANCEL;
    return fetch->cancelled ? FETCH_STEP_GONE : FETCH_STEP_MORE;
}

/* ---- heads ---- */

/* RFC 9112 9.3. */
static bool fetch_may_persist(const struct http_response *response)
{
    const struct http_fields *fields = &response->fields;

    if (response->unstorable) {
        return false; /* two framings: nobody knows where this one ends */
    }
    if (http_fields_has_token(fields, HTTP_FIELD_CONNECTION, SPAN("close"))) {
        return false;
    }
    if (response->status == 204 && (response->chunked || response->content_length > 0)) {
        return false; /* who announces a body where there is none may send it */
    }
    return response->minor_version > 0 ||
           http_fields_has_token(fields, HTTP_FIELD_CONNECTION, SPAN("keep-alive"));
}

#define FETCH_KEEP_SECONDS_MAX UINT64_C(1000000000)

/* For how long the origin lets an unused connection live: "Keep-Alive: timeout=5, max=100". */
static uint64_t fetch_keep_us(const struct http_fields *fields)
{
    const struct span name = SPAN("timeout=");
    const struct http_field *field;
    unsigned at = 0;

    while ((field = http_fields_next(fields, HTTP_FIELD_KEEP_ALIVE, &at)) != NULL) {
        struct span value = field->value;
        struct span member;
        uint64_t seconds;
        while (http_list_next(&value, &member)) {
            if (member.len > name.len && span_eq_nocase(span_of(member.ptr, name.len), name) &&
                span_to_u64(span_of(member.ptr + name.len, member.len - name.len),
                            FETCH_KEEP_SECONDS_MAX, &seconds)) {
                return seconds * 1000000;
            }
        }
    }
    return UINT64_MAX;
}

static void fetch_framing_set(struct fetch *fetch, const struct http_response *response)
{
    fetch->body_left = 0;
    if (fetch->is_head || !http_status_has_body(response->status)) {
        fetch->framing = FETCH_BODY_NONE;
    } else if (response->chunked) {
        fetch->framing = FETCH_BODY_CHUNKED;
        http_chunk_decoder_init(&fetch->chunks);
    } else if (response->has_content_length) {
        fetch->framing = response->content_length > 0 ? FETCH_BODY_LENGTH : FETCH_BODY_NONE;
        fetch->body_left = response->content_length;
    } else {
        fetch->framing = fetch->stream != 0 ? FETCH_BODY_STREAM : FETCH_BODY_CLOSE;
    }
    fetch->keep_us = fetch_keep_us(&response->fields);
    fetch->may_keep =
        fetch->framing != FETCH_BODY_CLOSE && fetch->keep_us > 0 && fetch_may_persist(response);
    if (UNLIKELY(fetch->origin->proxy_header != FETCH_PROXY_HEADER_NONE)) {
        fetch->may_keep = false; /* it speaks for one client */
    }
    fetch->result.length_certain = fetch->framing != FETCH_BODY_CLOSE;
}

static enum fetch_step fetch_head_informational(struct fetch *fetch, struct span head)
{
    if (++fetch->informational_count > FETCH_INFORMATIONAL_MAX) {
        return fetch_bad(fetch, FETCH_BAD_RESPONSE, "too many 1xx responses");
    }
    if (fetch->response.status != 100 && fetch->handler->informational != NULL) {
        fetch->handler->informational(fetch->ctx, head);
    }
    return fetch_flow_step(fetch, FETCH_GO);
}

enum fetch_step fetch_head_judge(struct fetch *fetch, struct span head)
{
    struct fetch_pool *pool = fetch->pool;
    struct http_response *response = &fetch->response;
    const struct http_limits limits = {.head_bytes = pool->options.head_bytes_max,
                                       .fields_count = FETCH_FIELDS_MAX};

    http_fields_init(&response->fields, pool->items, FETCH_FIELDS_MAX);
    if (http_response_parse(response, head, &limits) != HTTP_PARSE_DONE) {
        return fetch_bad(fetch, FETCH_BAD_RESPONSE, response->error_reason);
    }
    if (response->status == 101 && !fetch_tunnel_begin(fetch)) {
        return fetch_bad(fetch, FETCH_BAD_RESPONSE, "101 to what was not asked for");
    }
    if (response->status < 200 && response->status != 101) {
        return fetch_head_informational(fetch, head);
    }
    fetch->activity_us = loop_now_us(pool->loop); /* a 1xx is no answer, however many come */
    fetch->head_done = true;
    fetch->dirty = true;
    fetch->result.head_seen = true;
    fetch->result.first_byte_us = fetch->activity_us - fetch->start_us;
    if (LIKELY(response->status != 101)) {
        fetch_framing_set(fetch, response);
    }
    if (fetch->has_body && !fetch->body_ended && response->status >= 300) {
        fetch->body_given_up = true;
        fetch->out_len = 0; /* nor is there any waiting for room to write */
        fetch_halt_note(fetch);
    }
    enum fetch_step step = fetch_flow_step(fetch, fetch->handler->head(fetch->ctx, response));
    return step == FETCH_STEP_MORE && fetch->framing == FETCH_BODY_NONE ? FETCH_STEP_WHOLE : step;
}

bool fetch_head_append(struct fetch *fetch, struct span data)
{
    size_t wanted = fetch->head_len + data.len;

    if (wanted > fetch->head_capacity) {
        size_t capacity = wanted * 2 > 2048 ? wanted * 2 : 2048;
        char *grown = mem_try_resize(fetch->head, capacity);
        if (grown == NULL) {
            return false;
        }
        fetch->head = grown;
        fetch->head_capacity = capacity;
    }
    memcpy(fetch->head + fetch->head_len, data.ptr, data.len);
    fetch->head_len = wanted;
    return true;
}

/* Takes a head, or a part of one, off the front of data. */
static enum fetch_step fetch_head_take(struct fetch *fetch, struct span *data)
{
    size_t head_bytes_max = fetch->pool->options.head_bytes_max;
    size_t before = fetch->head_len;
    struct span head = *data;

    if (before > 0) {
        if (!fetch_head_append(fetch, *data)) {
            return fetch_bad(fetch, FETCH_INTERNAL, "no memory for the response head");
        }
        head = span_of(fetch->head, fetch->head_len);
    }
    if (!http_response_may_begin(head)) {
        return fetch_bad(fetch, FETCH_BAD_RESPONSE, "not an HTTP/1 response");
    }
    size_t end = http_response_head_end(head, before > 3 ? before - 3 : 0);
    if ((end == 0 ? head.len : end) > head_bytes_max) {
        return fetch_bad(fetch, FETCH_BAD_RESPONSE, "response head too large");
    }
    if (end == 0) {
        if (before == 0 && !fetch_head_append(fetch, *data)) {
            return fetch_bad(fetch, FETCH_INTERNAL, "no memory for the response head");
        }
        data->len = 0;
        return FETCH_STEP_MORE;
    }
    head.len = end;
    data->ptr += end - before;
    data->len -= end - before;
    fetch->head_len = 0; /* its bytes stay for the call */
    return fetch_head_judge(fetch, head);
}

/* ---- bodies ---- */

static enum fetch_step fetch_body_give(struct fetch *fetch, struct span data)
{
    fetch->activity_us = loop_now_us(fetch->pool->loop);
    fetch->result.received_bytes += data.len;
    fetch->dirty = true;
    return fetch_flow_step(fetch, fetch->handler->data(fetch->ctx, data));
}

enum fetch_step fetch_length_take(struct fetch *fetch, struct span *data)
{
    struct span piece = *data;

    if (fetch->framing == FETCH_BODY_LENGTH && piece.len > fetch->body_left) {
        piece.len = (size_t)fetch->body_left;
    }
    data->ptr += piece.len;
    data->len -= piece.len;
    if (fetch->framing == FETCH_BODY_LENGTH) {
        fetch->body_left -= piece.len;
    }
    enum fetch_step step = fetch_body_give(fetch, piece);
    bool is_whole = fetch->framing == FETCH_BODY_LENGTH && fetch->body_left == 0;
    return step == FETCH_STEP_MORE && is_whole ? FETCH_STEP_WHOLE : step;
}

static enum fetch_step fetch_chunk_take(struct fetch *fetch, struct span *data)
{
    size_t used;
    struct span piece;
    enum http_chunk chunk = http_chunk_decode(&fetch->chunks, data->ptr, data->len, &used, &piece);

    data->ptr += used;
    data->len -= used;
    switch (chunk) {
    case HTTP_CHUNK_DATA:
        return fetch_body_give(fetch, piece);
    case HTTP_CHUNK_MORE:
        return FETCH_STEP_MORE;
    case HTTP_CHUNK_DONE:
        return FETCH_STEP_WHOLE;
    case HTTP_CHUNK_BAD:
        break;
    }
    return fetch_bad(fetch, FETCH_BAD_RESPONSE, "invalid chunked coding");
}

/* Keeps what the handler does not want yet. */
static enum fetch_step fetch_hold(struct fetch *fetch, struct span data)
{
    CHECK(fetch->held == NULL);
    fetch->held = mem_try(data.len);
    if (fetch->held == NULL) {
        return fetch_bad(fetch, FETCH_INTERNAL, "no memory for what was read");
    }
    memcpy(fetch->held, data.ptr, data.len);
    fetch->held_len = data.len;
    return FETCH_STEP_MORE;
}

/* Hands on what was read. *rest: bytes nobody asked for, behind a whole response. */
static enum fetch_step fetch_take(struct fetch *fetch, struct span data, size_t *rest)
{
    enum fetch_step step = FETCH_STEP_MORE;

    while (data.len > 0 && step == FETCH_STEP_MORE) {
        if (fetch->paused) {
            return fetch_hold(fetch, data);
        }
        if (!fetch->head_done) {
            step = fetch_head_take(fetch, &data);
        } else if (fetch->framing == FETCH_BODY_CHUNKED) {
            step = fetch_chunk_take(fetch, &data);
        } else {
            step = fetch_length_take(fetch, &data);
        }
    }
    *rest = data.len;
    return step;
}

/* ---- the end of the connection ---- */

static enum fetch_step fetch_ended(struct fetch *fetch, bool in_order)
{
    char detail[sizeof(fetch->result.detail)];

    /* TLS 1.3: that our certificate is missing or not liked comes after the handshake. */
    if (!in_order && !fetch->head_done && !fetch->result.reused_connection &&
        fetch_tls_refused(fetch->conn, detail, sizeof(detail))) {
        return fetch_bad(fetch, FETCH_TLS, detail);
    }
    if (fetch->head_done && fetch->framing == FETCH_BODY_CLOSE && in_order) {
        return FETCH_STEP_WHOLE;
    }
    if (fetch->head_done && fetch->framing == FETCH_TUNNEL) {
        fetch->result.cut = !in_order && !fetch->input_ended;
        bool is_over = !in_order || fetch_tunnel_input_ended(fetch) == FETCH_IO_END;
        return is_over ? FETCH_STEP_WHOLE : FETCH_STEP_MORE;
    }
    if (fetch->head_done) {
        return fetch_bad(fetch, FETCH_INCOMPLETE,
                         in_order ? "the origin closed before the end of the body"
                                  : "the connection broke before the end of the body");
    }
    if (fetch->head_len > 0) {
        return fetch_bad(fetch, FETCH_CLOSED, "the origin closed within the response head");
    }
    return fetch_bad(fetch, FETCH_CLOSED,
                     in_order ? "the origin closed without a response"
                              : "the connection broke before a response");
}

/* ---- reading ---- */

/* Where the next bytes go: to their place, if the handler has one, else to the pool's scratch. */
static char *fetch_place(struct fetch *fetch, size_t *room)
{
    if (fetch->head_done && fetch->framing == FETCH_BODY_LENGTH &&
        fetch->body_left >= FETCH_DIRECT_BYTES && fetch->handler->place != NULL) {
        char *place = fetch->handler->place(fetch->ctx, room);
        if (place != NULL && *room >= FETCH_DIRECT_BYTES) {
            *room = *room < fetch->body_left ? *room : (size_t)fetch->body_left;
            return place;
        }
    }
    /* Not too much of a body that has a place: what comes with its head is copied. */
    *room = fetch->head_done ? FETCH_SCRATCH_BYTES : FETCH_FIRST_BYTES;
    return fetch->pool->scratch;
}

static enum fetch_step fetch_held_take(struct fetch *fetch, size_t *rest)
{
    char *held = fetch->held;

    fetch->held = NULL;
    enum fetch_step step = fetch_take(fetch, span_of(held, fetch->held_len), rest);
    mem_free(held);
    return step;
}

/* Reads until it would wait, the turn is over, or something has ended. */
static enum fetch_step fetch_read_all(struct fetch *fetch, size_t *rest)
{
    enum fetch_step step = FETCH_STEP_MORE;
    size_t turn = 0;

    if (fetch->held != NULL && !fetch->paused) {
        step = fetch_held_take(fetch, rest);
    }
    while (step == FETCH_STEP_MORE && !fetch->paused && turn < FETCH_TURN_BYTES) {
        size_t room;
        size_t count;
        char *place = fetch_place(fetch, &room);
        enum fetch_io io = fetch_conn_read(fetch->conn, place, room, &count);
        if (io == FETCH_IO_AGAIN) {
            break;
        }
        if (io != FETCH_IO_DONE) {
            return fetch_ended(fetch, io == FETCH_IO_END);
        }
        step = fetch_take(fetch, span_of(place, count), rest);
        /* Short: there is no more now. Of TLS there may be a record more, out of epoll's sight. */
        turn += count < room && !fetch->conn->peer->has_tls ? FETCH_TURN_BYTES : count;
    }
    if (step == FETCH_STEP_MORE && turn >= FETCH_TURN_BYTES && fetch->conn->peer->has_tls) {
        fetch_work(fetch);
    }
    return step;
}

bool fetch_read(struct fetch *fetch)
{
    size_t rest = 0;

    fetch->busy = true;
    enum fetch_step step = fetch_read_all(fetch, &rest);
    if (step == FETCH_STEP_MORE && fetch->dirty) {
        fetch->dirty = false;
        fetch->handler->batch(fetch->ctx);
    }
    fetch->busy = false;
    if (fetch->cancelled) {
        step = FETCH_STEP_GONE;
    }
    switch (step) {
    case FETCH_STEP_MORE:
        fetch_watch(fetch);
        return true;
    case FETCH_STEP_WHOLE:
        fetch_end(fetch, FETCH_OK, NULL, rest == 0);
        return false;
    case FETCH_STEP_BAD:
        if (fetch->result.fault == FETCH_CLOSED && fetch_retry(fetch)) {
            return true;
        }
        fetch_end(fetch, fetch->result.fault, NULL, false);
        return false;
    case FETCH_STEP_GONE:
        break;
    }
    fetch_end(fetch, FETCH_OK, NULL, false);
    return false;
}
