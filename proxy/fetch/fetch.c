/*
 * fetch - one transfer: what libcurl's callbacks do.
 *
 * libcurl hands on whatever an origin sends, line by line. The raw lines are put together again and
 * judged as one head by the strict parser; nothing is believed before. A refused head ends the
 * transfer inside libcurl, which closes the connection then. Lines after the final head are
 * trailers: ignored.
 *
 * Pausing: libcurl keeps and repeats data for which a callback says "pause", so the piece the
 * handler took is accepted, and the next one refused.
 */
#include "fetch/fetch.h"

#include <stdio.h>

#include "base/mem.h"
#include "fetch/fetch_private.h"
#include "http/status.h"

#define FETCH_MAGIC 0x66657463u

static void fetch_fault_set(struct fetch *fetch, enum fetch_fault fault, const char *detail)
{
    if (fetch->result.fault == FETCH_OK) {
        fetch->result.fault = fault;
        (void)snprintf(fetch->result.detail, sizeof(fetch->result.detail), "%.*s",
                       (int)sizeof(fetch->result.detail) - 1, detail == NULL ? "" : detail);
    }
}

/* False: the transfer ends here. */
static bool fetch_flow_apply(struct fetch *fetch, enum fetch_flow flow)
{
    switch (flow) {
    case FETCH_GO:
        break;
    case FETCH_PAUSE:
        fetch->paused = true;
        break;
    case FETCH_CANCEL:
        fetch->cancelled = true;
        break;
    }
    if (fetch->cancelled) {
        fetch_work(fetch, &fetch->pool->doomed);
        return false;
    }
    return true;
}

/* libcurl waits for the rest of a request body that may never come, although the response is
 * through. Ends such a transfer; its connection is not used again. A chunked response's end only
 * libcurl sees: it gives up the body by itself after a status of 300 or more, but not while that is
 * paused. */
static void fetch_early_check(struct fetch *fetch)
{
    const struct http_response *response = &fetch->response;
    struct fetch_pool *pool = fetch->pool;

    if (!fetch->has_body || fetch->body_ended || fetch->cancelled) {
        return;
    }
    bool is_complete = !http_status_has_body(response->status) ||
                       (response->has_content_length && !response->chunked &&
                        fetch->result.received_bytes >= response->content_length);
    if (is_complete) {
        fetch_work(fetch, &pool->early);
    } else if (fetch->body_paused && response->status >= 300) {
        fetch->body_paused = false;
        fetch_work(fetch, &pool->resumed);
        loop_task_defer(pool->loop, &pool->task);
    }
}

/* ---- heads ---- */

static bool fetch_head_append(struct fetch *fetch, const char *data, size_t len)
{
    size_t wanted = fetch->head_len + len;

    if (wanted > fetch->pool->options.head_bytes_max) {
        fetch_fault_set(fetch, FETCH_BAD_RESPONSE, "response head too large");
        return false;
    }
    if (wanted > fetch->head_capacity) {
        size_t capacity = wanted * 2 > 2048 ? wanted * 2 : 2048;
        char *grown = mem_try_resize(fetch->head, capacity);
        if (grown == NULL) {
            fetch_fault_set(fetch, FETCH_INTERNAL, "no memory for the response head");
            return false;
        }
        fetch->head = grown;
        fetch->head_capacity = capacity;
    }
    memcpy(fetch->head + fetch->head_len, data, len);
    fetch->head_len = wanted;
    return true;
}

static bool fetch_head_informational(struct fetch *fetch)
{
    struct span head = span_of(fetch->head, fetch->head_len);

    /* Nobody asked for an upgrade. */
    if (fetch->response.status == 101) {
        fetch_fault_set(fetch, FETCH_BAD_RESPONSE, "101 without an upgrade");
        return false;
    }
    if (++fetch->informational_count > FETCH_INFORMATIONAL_MAX) {
        fetch_fault_set(fetch, FETCH_BAD_RESPONSE, "too many 1xx responses");
        return false;
    }
    if (fetch->response.status != 100 && fetch->handler->informational != NULL) {
        fetch->handler->informational(fetch->ctx, head);
    }
    fetch->head_len = 0;
    return fetch_flow_apply(fetch, FETCH_GO);
}

static bool fetch_head_complete(struct fetch *fetch)
{
    struct fetch_pool *pool = fetch->pool;
    struct http_response *response = &fetch->response;
    const struct http_limits limits = {.head_bytes = pool->options.head_bytes_max,
                                       .fields_count = FETCH_FIELDS_MAX};

    fetch->activity_us = loop_now_us(pool->loop);
    memset(response, 0, sizeof(*response));
    http_fields_init(&response->fields, pool->items, FETCH_FIELDS_MAX);
    if (http_response_parse(response, span_of(fetch->head, fetch->head_len), &limits) !=
        HTTP_PARSE_DONE) {
        fetch_fault_set(fetch, FETCH_BAD_RESPONSE, response->error_reason);
        return false;
    }
    if (response->status < 200) {
        return fetch_head_informational(fetch);
    }
    fetch->head_done = true;
    fetch->result.head_seen = true;
    fetch->result.first_byte_us = fetch->activity_us - fetch->start_us;
    fetch->result.length_certain = response->has_content_length || response->chunked ||
                                   fetch->is_head || response->status == 204 ||
                                   response->status == 304;
    fetch_dirty(fetch);
    bool goes_on = fetch_flow_apply(fetch, fetch->handler->head(fetch->ctx, response));
    fetch_early_check(fetch);
    return goes_on;
}

size_t fetch_on_head(char *data, size_t size, size_t count, void *ctx)
{
    struct fetch *fetch = ctx;
    size_t len = size * count;

    CHECK_OBJ(fetch, FETCH_MAGIC);
    if (fetch->cancelled) {
        return 0;
    }
    if (fetch->head_done) {
        return len;
    }
    if (!fetch_head_append(fetch, data, len)) {
        return 0;
    }
    bool is_end = (len == 2 && data[0] == '\r' && data[1] == '\n') || (len == 1 && data[0] == '\n');
    return !is_end || fetch_head_complete(fetch) ? len : 0;
}

/* ---- bodies ---- */

size_t fetch_on_data(char *data, size_t size, size_t count, void *ctx)
{
    struct fetch *fetch = ctx;
    size_t len = size * count;

    CHECK_OBJ(fetch, FETCH_MAGIC);
    if (fetch->cancelled) {
        return 0;
    }
    if (fetch->paused) {
        return CURL_WRITEFUNC_PAUSE;
    }
    if (!fetch->head_done) {
        fetch_fault_set(fetch, FETCH_BAD_RESPONSE, "body without a head");
        return 0;
    }
    fetch->activity_us = loop_now_us(fetch->pool->loop);
    fetch->result.received_bytes += len;
    fetch_dirty(fetch);
    enum fetch_flow flow = fetch->handler->data(fetch->ctx, span_of(data, len));
    if (!fetch_flow_apply(fetch, flow)) {
        return 0;
    }
    fetch_early_check(fetch);
    return len;
}

size_t fetch_on_body(char *out, size_t size, size_t count, void *ctx)
{
    struct fetch *fetch = ctx;
    size_t room = size * count;
    size_t got = 0;

    CHECK_OBJ(fetch, FETCH_MAGIC);
    if (fetch->cancelled || !fetch->has_body) {
        return CURL_READFUNC_ABORT;
    }
    uint64_t left = fetch->body_length - fetch->body_sent;
    if (fetch->body_length != UINT64_MAX && room > left) {
        room = (size_t)left;
    }
    if (room == 0) {
        fetch->body_ended = true;
        return 0;
    }
    fetch->activity_us = loop_now_us(fetch->pool->loop);
    enum fetch_flow flow = fetch->handler->body(fetch->ctx, out, room, &got);
    if (flow == FETCH_CANCEL || fetch->cancelled) {
        (void)fetch_flow_apply(fetch, FETCH_CANCEL);
        return CURL_READFUNC_ABORT;
    }
    CHECK(got <= room);
    if (got == 0 && flow == FETCH_PAUSE) {
        fetch->body_paused = true;
        return CURL_READFUNC_PAUSE;
    }
    if (got == 0 && fetch->body_length != UINT64_MAX) {
        /* Fewer bytes than announced: the origin must not wait for the rest, nor see an end. */
        fetch_fault_set(fetch, FETCH_BODY_BAD, "request body shorter than announced");
        return CURL_READFUNC_ABORT;
    }
    fetch->body_sent += got;
    fetch->body_ended = got == 0 || fetch->body_sent == fetch->body_length;
    return got;
}

/* ---- time ---- */

/* The last moment before the request goes out. libcurl takes a kept connection with unread bytes
 * for a good one and would read them as the answer: a response too many, sent to the last request
 * by mistake or in malice, would be given to this one. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
int fetch_on_connected(void *ctx, char *peer, char *local, int peer_port, int local_port)
{
    struct fetch *fetch = ctx;

    (void)peer;
    (void)local;
    CHECK_OBJ(fetch, FETCH_MAGIC);
    switch (fetch_line_check(fetch->pool, local_port, peer_port)) {
    case FETCH_LINE_CLEAN:
        break;
    case FETCH_LINE_STALE:
        fetch->line_stale = true;
        return CURL_PREREQFUNC_ABORT;
    case FETCH_LINE_TALKING:
        fetch_fault_set(fetch, FETCH_BAD_RESPONSE, "the origin spoke before it was asked");
        return CURL_PREREQFUNC_ABORT;
    }
    fetch->connected = true;
    fetch->activity_us = loop_now_us(fetch->pool->loop);
    return CURL_PREREQFUNC_OK;
}

/* What may pass before the next sign of life. */
static uint64_t fetch_patience_us(const struct fetch *fetch)
{
    if (fetch->head_done) {
        return fetch->idle_timeout_us;
    }
    /* libcurl's own timer ends a connect; ours stands behind it. */
    return fetch->connected ? fetch->first_byte_timeout_us : fetch->connect_timeout_us + 1000000;
}

void fetch_deadline_fire(struct loop_timer *timer)
{
    struct fetch *fetch = CONTAINER_OF(timer, struct fetch, deadline);
    uint64_t now = loop_now_us(fetch->pool->loop);
    uint64_t patience = fetch_patience_us(fetch);

    CHECK_OBJ(fetch, FETCH_MAGIC);
    if (fetch->paused || (fetch->body_paused && !fetch->head_done)) {
        fetch->activity_us = now; /* it is not the origin we wait for */
    }
    uint64_t waited = now - fetch->activity_us;
    if (waited < patience) {
        loop_timer_set(fetch->pool->loop, timer, patience - waited);
    } else if (fetch->head_done) {
        fetch_fail(fetch, FETCH_IDLE_TIMEOUT, "no bytes from the origin for too long");
    } else if (fetch->connected) {
        fetch_fail(fetch, FETCH_FIRST_BYTE_TIMEOUT, "no response from the origin in time");
    } else {
        fetch_fail(fetch, FETCH_CONNECT_TIMEOUT, "no connection to the origin in time");
    }
}

/* ---- results ---- */

static enum fetch_fault fetch_fault_of(const struct fetch *fetch, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return fetch->head_done ? FETCH_OK : FETCH_CLOSED;
    case CURLE_COULDNT_RESOLVE_HOST:
        return FETCH_DNS;
    case CURLE_COULDNT_CONNECT:
        return FETCH_CONNECT_REFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return FETCH_CONNECT_TIMEOUT;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        return FETCH_BAD_RESPONSE;
    case CURLE_PARTIAL_FILE:
        return FETCH_INCOMPLETE;
    case CURLE_ABORTED_BY_CALLBACK:
        return fetch->line_stale ? FETCH_CLOSED : FETCH_BODY_BAD;
    case CURLE_RECV_ERROR:
        /* One code for a lost connection, for a chunk size that is none and for an endless head. */
        if (strstr(fetch->error, "hunk") != NULL || strstr(fetch->error, "Too large") != NULL) {
            return FETCH_BAD_RESPONSE;
        }
        return fetch->head_done ? FETCH_INCOMPLETE : FETCH_CLOSED;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
        return fetch->head_done ? FETCH_INCOMPLETE : FETCH_CLOSED;
    default:
        return fetch->head_done ? FETCH_INCOMPLETE : FETCH_INTERNAL;
    }
}

void fetch_result_set(struct fetch *fetch, CURLcode code)
{
    struct fetch_result *result = &fetch->result;
    long connects = 0;
    curl_off_t connect_us = 0;

    result->total_us = loop_now_us(fetch->pool->loop) - fetch->start_us;
    (void)curl_easy_getinfo(fetch->easy, CURLINFO_NUM_CONNECTS, &connects);
    if (connects > 0) {
        (void)curl_easy_getinfo(fetch->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
        result->connect_us = connect_us > 0 ? (uint64_t)connect_us : 0;
    } else {
        result->reused_connection = fetch->connected;
    }
    enum fetch_fault fault = fetch_fault_of(fetch, code);
    if (fault != FETCH_OK) {
        fetch_fault_set(fetch, fault,
                        fetch->error[0] != '\0' ? fetch->error : curl_easy_strerror(code));
    }
    for (char *at = result->detail; *at != '\0'; at++) {
        if (*at < 0x20 || *at > 0x7e) {
            *at = '?';
        }
    }
}
