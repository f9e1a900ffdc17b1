/*
 * fetch_feed - what a stream of HTTP/2 brings for its fetch, and takes from it: the same heads,
 * pieces and ends that fetch_response.c finds in the bytes of HTTP/1.
 *
 * A response is whole when its stream ends, not before: bytes beyond the announced length are a
 * fault here as there.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "fetch/fetch_private.h"

/* Behind the calls of its handlers. False: the fetch is gone. */
static bool fetch_feed_settle(struct fetch *fetch, enum fetch_step step)
{
    if (step != FETCH_STEP_BAD && fetch->dirty && !fetch->cancelled) {
        fetch->dirty = false;
        fetch->handler->batch(fetch->ctx);
    }
    fetch->busy = false;
    if (fetch->cancelled) {
        fetch_end(fetch, FETCH_OK, NULL, false);
        return false;
    }
    if (step == FETCH_STEP_BAD) {
        fetch_end(fetch, fetch->result.fault, NULL, false);
        return false;
    }
    return true;
}

bool fetch_feed_head(struct fetch *fetch)
{
    struct span head = span_of(fetch->head, fetch->head_len);

    if (head.len > fetch->pool->options.head_bytes_max) {
        fetch_end(fetch, FETCH_BAD_RESPONSE, "response head too large", false);
        return false;
    }
    fetch->busy = true;
    fetch->head_len = 0; /* its bytes stay for the call */
    return fetch_feed_settle(fetch, fetch_head_judge(fetch, head));
}

/* Keeps what the handler does not want yet. */
static bool fetch_feed_hold(struct fetch *fetch, struct span data)
{
    size_t wanted = fetch->held_len + data.len;

    if (wanted > fetch->held_capacity) {
        char *grown = mem_try_resize(fetch->held, wanted * 2);
        if (grown == NULL) {
            return false;
        }
        fetch->held = grown;
        fetch->held_capacity = wanted * 2;
    }
    memcpy(fetch->held + fetch->held_len, data.ptr, data.len);
    fetch->held_len = wanted;
    return true;
}

bool fetch_feed_data(struct fetch *fetch, struct span data, size_t *used)
{
    bool is_too_much =
        fetch->framing == FETCH_BODY_NONE ||
        (fetch->framing == FETCH_BODY_LENGTH && data.len > fetch->body_left - fetch->held_len);

    *used = data.len;
    if (!fetch->head_done || is_too_much) {
        fetch_end(fetch, FETCH_BAD_RESPONSE, "more bytes of body than announced", false);
        return false;
    }
    if (fetch->paused || fetch->held_len > 0) {
        *used = 0;
        if (!fetch_feed_hold(fetch, data)) {
            fetch_end(fetch, FETCH_INTERNAL, "no memory for what was read", false);
            return false;
        }
        return true;
    }
    fetch->busy = true;
    return fetch_feed_settle(fetch, fetch_length_take(fetch, &data));
}

bool fetch_feed_held(struct fetch *fetch)
{
    char *held = fetch->held;
    struct span data = span_of(held, fetch->held_len);

    fetch->held = NULL;
    fetch->held_len = 0;
    fetch->held_capacity = 0;
    fetch->busy = true;
    bool lives = fetch_feed_settle(fetch, fetch_length_take(fetch, &data));
    mem_free(held);
    return lives;
}

/* All of it was handed on. */
static void fetch_feed_finish(struct fetch *fetch)
{
    if (fetch->framing == FETCH_BODY_LENGTH && fetch->body_left > 0) {
        fetch_end(fetch, FETCH_INCOMPLETE, "the stream ended before the end of the body", false);
    } else {
        fetch_end(fetch, FETCH_OK, NULL, false);
    }
}

void fetch_feed_end(struct fetch *fetch)
{
    if (!fetch->head_done) {
        fetch_end(fetch, FETCH_BAD_RESPONSE, "the stream ended without a response", false);
        return;
    }
    if (fetch->paused || fetch->held_len > 0) {
        fetch->stream_ended = true;
        fetch_h2_leave(fetch); /* what is held back needs no connection */
        return;
    }
    fetch_feed_finish(fetch);
}

void fetch_feed_rest(struct fetch *fetch)
{
    if (fetch->held_len > 0 && !fetch->paused && !fetch_feed_held(fetch)) {
        return;
    }
    if (!fetch->paused) {
        fetch_feed_finish(fetch);
    }
}

/* Nobody has acted on the request: once more, on another connection, if that can be. */
static void fetch_feed_refused(struct fetch *fetch)
{
    fetch->result.request_sent = false;
    if (fetch->result.body_taken || fetch->refusals >= FETCH_REFUSALS_MAX) {
        fetch_end(fetch, FETCH_CLOSED, "the origin did not take the request", false);
        return;
    }
    fetch->refusals++;
    fetch_again(fetch);
}

void fetch_feed_reset(struct fetch *fetch, const char *reason, bool is_refused)
{
    char detail[sizeof(fetch->result.detail)];

    if (is_refused && !fetch->head_done && fetch->informational_count == 0) {
        fetch_feed_refused(fetch);
        return;
    }
    (void)snprintf(detail, sizeof(detail), "the origin broke its response off: %.40s", reason);
    if (fetch->stream_bad) {
        fetch_end(fetch, FETCH_BAD_RESPONSE, "malformed HTTP/2 response", false);
    } else if (fetch->head_done) {
        fetch_end(fetch, FETCH_INCOMPLETE, detail, false);
    } else {
        fetch_end(fetch, FETCH_CLOSED, detail, false);
    }
}

void fetch_feed_broken(struct fetch *fetch, const char *problem)
{
    if (!fetch->head_done && !fetch->result.request_sent && problem == NULL) {
        fetch_feed_refused(fetch);
    } else if (fetch->head_done) {
        fetch_end(fetch, FETCH_INCOMPLETE, "the connection broke before the end of the body",
                  false);
    } else if (problem != NULL) {
        fetch_end(fetch, FETCH_BAD_RESPONSE, problem, false);
    } else if (!fetch_retry(fetch)) {
        fetch_end(fetch, FETCH_CLOSED, "the connection broke before a response", false);
    }
}

enum fetch_feed fetch_feed_body(struct fetch *fetch, char *out, size_t size, size_t *got)
{
    uint64_t left = fetch->body_length - fetch->body_sent;
    enum fetch_flow flow = FETCH_GO;

    *got = 0;
    if (fetch->body_given_up || fetch->body_paused) { /* the latter: on another stream before */
        fetch->body_deferred = true;
        return FETCH_FEED_LATER;
    }
    if (fetch->body_length != UINT64_MAX && size > left) {
        size = (size_t)left;
    }
    if (size > 0) {
        fetch->busy = true;
        flow = fetch->handler->body(fetch->ctx, out, size, got);
        fetch->busy = false;
    }
    if (flow == FETCH_CANCEL || fetch->cancelled) {
        fetch->cancelled = true;
        fetch_end(fetch, FETCH_OK, NULL, false);
        return FETCH_FEED_GONE;
    }
    CHECK(*got <= size);
    if (*got == 0 && flow == FETCH_PAUSE) {
        fetch->body_paused = true;
        fetch->body_deferred = true;
        fetch_halt_note(fetch);
        return FETCH_FEED_LATER;
    }
    if (*got == 0 && left > 0 && fetch->body_length != UINT64_MAX) {
        fetch_end(fetch, FETCH_BODY_BAD, "request body shorter than announced", false);
        return FETCH_FEED_GONE;
    }
    fetch->activity_us = loop_now_us(fetch->pool->loop);
    fetch->body_sent += *got;
    fetch->result.body_taken = fetch->body_sent > 0;
    fetch->body_ended = *got == 0 || fetch->body_sent == fetch->body_length;
    return fetch->body_ended ? FETCH_FEED_LAST : FETCH_FEED_MORE;
}
