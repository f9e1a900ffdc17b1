/*
 * fetch_request - what goes out: one head put together from a whitelist, then the body as it comes
 * from the client, framed by its length or in chunks.
 *
 * A body that breaks off is never given an end the origin could take for the whole (RFC 9112 7.1,
 * 8). An origin that answers without waiting for the body is listened to; after a final status of
 * 300 or more it gets no more of it.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "fetch/fetch_private.h"

/* "Content-Length: " and 20 digits, or "Transfer-Encoding: chunked", line ends, spaces, version. */
#define TEXT_OWN_BYTES 96
#define TEXT_SCHEME SPAN("http://")
#define TEXT_UPGRADE SPAN("Connection: Upgrade\r\nUpgrade: ")

/* ---- the head ---- */

static char *fetch_text_put(char *at, struct span text)
{
    if (text.len > 0) {
        memcpy(at, text.ptr, text.len);
    }
    return at + text.len;
}

/* Without white space behind an empty value. */
static char *fetch_line_put(char *at, struct span line)
{
    while (line.len > 0 && (line.ptr[line.len - 1] == ' ' || line.ptr[line.len - 1] == '\t')) {
        line.len--;
    }
    at = fetch_text_put(at, line);
    return fetch_text_put(at, SPAN("\r\n"));
}

static bool fetch_text_reserve(struct fetch *fetch, const struct fetch_request *request)
{
    size_t bytes = request->method.len + request->target.len + request->host.len + TEXT_OWN_BYTES;

    for (unsigned i = 0; i < request->line_count; i++) {
        bytes += request->lines[i].len + 2;
    }
    if (UNLIKELY(request->origin->proxy_header != FETCH_PROXY_HEADER_NONE)) {
        bytes += FETCH_PROXY_HEADER_BYTES;
    }
    if (UNLIKELY(request->to_proxy)) {
        bytes += TEXT_SCHEME.len + request->host.len;
    }
    if (UNLIKELY(request->upgrade.len > 0)) {
        bytes += TEXT_UPGRADE.len + request->upgrade.len + 2;
    }
    if (bytes > fetch->text_capacity) {
        char *grown = mem_try(bytes * 2);
        if (grown == NULL) {
            return false;
        }
        mem_free(fetch->text);
        fetch->text = grown;
        fetch->text_capacity = bytes * 2;
    }
    return true;
}

bool fetch_text_build(struct fetch *fetch, const struct fetch_request *request)
{
    if (!fetch_text_reserve(fetch, request)) {
        return false;
    }
    if (fetch->has_body) {
        fetch->piece = mem_try(FETCH_PIECE_BYTES + HTTP_CHUNK_HEAD_BYTES + 2);
        if (fetch->piece == NULL) {
            return false;
        }
    }
    char *at = fetch->text + fetch_proxy_header_write(fetch->text, request);
    at = fetch_text_put(at, request->method);
    *at++ = ' ';
    if (UNLIKELY(request->to_proxy)) {
        at = fetch_text_put(at, TEXT_SCHEME);
        at = fetch_text_put(at, request->host);
    }
    /* RFC 9112 3.2.4: asked of the server itself, it has no path behind its name. */
    if (LIKELY(!request->to_proxy || !span_eq(request->target, SPAN("*")))) {
        at = fetch_text_put(at, request->target);
    }
    at = fetch_text_put(at, SPAN(" HTTP/1.1\r\nHost: "));
    at = fetch_line_put(at, request->host);
    for (unsigned i = 0; i < request->line_count; i++) {
        at = fetch_line_put(at, request->lines[i]);
    }
    if (fetch->has_body && request->body_length == UINT64_MAX) {
        at = fetch_text_put(at, SPAN("Transfer-Encoding: chunked\r\n"));
    } else if (fetch->has_body) {
        at += snprintf(at, TEXT_OWN_BYTES / 2, "Content-Length: %llu\r\n",
                       (unsigned long long)request->body_length);
    }
    if (UNLIKELY(request->upgrade.len > 0)) {
        at = fetch_text_put(at, TEXT_UPGRADE);
        fetch->upgrade = span_of(at, request->upgrade.len);
        at = fetch_line_put(at, request->upgrade);
    }
    at = fetch_text_put(at, SPAN("\r\n"));
    fetch->text_len = (size_t)(at - fetch->text);
    CHECK(fetch->text_len <= fetch->text_capacity);
    return true;
}

/* ---- the body ---- */

/* Puts `got` bytes, read to their place behind room for a chunk's line, into `out`. */
static void fetch_piece_frame(struct fetch *fetch, size_t got)
{
    char line[HTTP_CHUNK_HEAD_BYTES];
    char *data = fetch->piece + HTTP_CHUNK_HEAD_BYTES;

    fetch->out = data;
    fetch->out_len = got;
    if (fetch->body_length != UINT64_MAX) {
        return;
    }
    if (got == 0) {
        fetch->out = HTTP_CHUNK_END;
        fetch->out_len = sizeof(HTTP_CHUNK_END) - 1;
        return;
    }
    size_t line_len = http_chunk_head_write(line, got);
    memcpy(data - line_len, line, line_len);
    data[got] = '\r';
    data[got + 1] = '\n';
    fetch->out = data - line_len;
    fetch->out_len = line_len + got + 2;
}

/* Asks the handler for more. False: the fetch is gone. */
static bool fetch_body_pull(struct fetch *fetch)
{
    uint64_t left = fetch->body_length - fetch->body_sent;
    size_t room = FETCH_PIECE_BYTES;
    size_t got = 0;
    enum fetch_flow flow = FETCH_GO;

    if (fetch->body_length != UINT64_MAX && room > left) {
        room = (size_t)left;
    }
    if (room > 0) {
        fetch->busy = true;
        flow = fetch->handler->body(fetch->ctx, fetch->piece + HTTP_CHUNK_HEAD_BYTES, room, &got);
        fetch->busy = false;
    }
    if (flow == FETCH_CANCEL || fetch->cancelled) {
        fetch->cancelled = true;
        fetch_end(fetch, FETCH_OK, NULL, false);
        return false;
    }
    CHECK(got <= room);
    if (got == 0 && flow == FETCH_PAUSE) {
        fetch->body_paused = true;
        fetch_halt_note(fetch);
        return true;
    }
    if (got == 0 && left > 0 && fetch->body_length != UINT64_MAX) {
        fetch_end(fetch, FETCH_BODY_BAD, "request body shorter than announced", false);
        return false;
    }
    fetch->activity_us = loop_now_us(fetch->pool->loop);
    fetch->body_sent += got;
    fetch->result.body_taken = fetch->body_sent > 0;
    fetch->body_ended = got == 0 || fetch->body_sent == fetch->body_length;
    fetch_piece_frame(fetch, got);
    return true;
}

/* Writes `out`. False: not all of it went. */
static bool fetch_out_write(struct fetch *fetch)
{
    while (fetch->out_len > 0) {
        size_t count;
        switch (fetch_conn_write(fetch->conn, fetch->out, fetch->out_len, &count)) {
        case FETCH_IO_DONE:
            fetch->out += count;
            fetch->out_len -= count;
            fetch->result.request_sent = true;
            fetch->activity_us = loop_now_us(fetch->pool->loop);
            break;
        case FETCH_IO_AGAIN:
            return false;
        case FETCH_IO_END:
        case FETCH_IO_BROKEN:
            /* What the origin said before it closed, or that it said nothing, is found by reading.
             */
            fetch->out_len = 0;
            fetch->body_given_up = true;
            fetch_halt_note(fetch);
            return false;
        }
    }
    return true;
}

bool fetch_write(struct fetch *fetch, bool pull)
{
    size_t written = 0;

    while (!fetch->body_given_up) {
        written += fetch->out_len;
        if (!fetch_out_write(fetch)) {
            break;
        }
        if (!pull || !fetch->has_body || fetch->body_ended || fetch->body_paused) {
            break;
        }
        if (written >= FETCH_TURN_BYTES) {
            fetch_work(fetch);
            break;
        }
        if (!(fetch->framing == FETCH_TUNNEL ? fetch_tunnel_pull(fetch) : fetch_body_pull(fetch))) {
            return false;
        }
    }
    if (UNLIKELY(fetch->framing == FETCH_TUNNEL) && !fetch_tunnel_written(fetch)) {
        return false;
    }
    fetch_watch(fetch);
    return true;
}
