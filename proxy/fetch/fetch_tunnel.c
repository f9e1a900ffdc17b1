/*
 * fetch_tunnel - a connection that stops being HTTP: after a 101 that keeps to what was offered
 * (RFC 9110 7.8), bytes flow both ways as they come, and each direction ends by itself.
 *
 * What the origin sends goes to handler.data, its end to handler.ended; what it is sent comes from
 * handler.body, whose end shuts our sending side. The fetch is over when both have ended, or at
 * once when the connection breaks: then result.cut is set, and no fault, as the origin has answered.
 * A fetch that is cancelled leaves a reset behind, so that no half of a tunnel looks whole.
 *
 * Room for bytes on their way to the origin is held only while there are any.
 */
#include <sys/socket.h>

#include "base/mem.h"
#include "fetch/fetch_private.h"
#include "http/upgrade.h"

bool fetch_tunnel_begin(struct fetch *fetch)
{
    bool is_sent = !fetch->has_body || (fetch->body_ended && !fetch->body_given_up);

    if (!is_sent || fetch->out_len > 0 ||
        !http_upgrade_is_accepted(&fetch->response, fetch->upgrade)) {
        return false;
    }
    fetch->framing = FETCH_TUNNEL;
    fetch->may_keep = false;
    fetch->has_body = true;
    fetch->body_ended = false;
    fetch->body_paused = true; /* until fetch_resume_body: the client is still to hear of it */
    fetch->body_length = UINT64_MAX;
    mem_free(fetch->piece);
    fetch->piece = NULL;
    loop_timer_set(fetch->pool->loop, &fetch->deadline, fetch->tunnel_idle_us);
    return true;
}

enum fetch_io fetch_tunnel_input_ended(struct fetch *fetch)
{
    if (!fetch->input_ended) {
        fetch->input_ended = true;
        fetch->dirty = true;
        fetch->activity_us = loop_now_us(fetch->pool->loop);
        fetch->handler->ended(fetch->ctx);
    }
    return fetch->output_ended ? FETCH_IO_END : FETCH_IO_AGAIN;
}

bool fetch_tunnel_pull(struct fetch *fetch)
{
    enum fetch_flow flow = FETCH_PAUSE;
    size_t got = 0;

    if (fetch->piece == NULL) {
        fetch->piece = mem_try(FETCH_PIECE_BYTES);
    }
    if (fetch->piece == NULL) {
        fetch_tunnel_cut(fetch);
        return false;
    }
    fetch->busy = true;
    flow = fetch->handler->body(fetch->ctx, fetch->piece, FETCH_PIECE_BYTES, &got);
    fetch->busy = false;
    if (flow == FETCH_CANCEL || fetch->cancelled) {
        fetch->cancelled = true;
        fetch_end(fetch, FETCH_OK, NULL, false);
        return false;
    }
    CHECK(got <= FETCH_PIECE_BYTES);
    if (got > 0) {
        fetch->activity_us = loop_now_us(fetch->pool->loop);
        fetch->out = fetch->piece;
        fetch->out_len = got;
        return true;
    }
    mem_free(fetch->piece);
    fetch->piece = NULL;
    fetch->body_paused = flow == FETCH_PAUSE;
    fetch->body_ended = flow == FETCH_GO;
    return true;
}

bool fetch_tunnel_written(struct fetch *fetch)
{
    if (fetch->body_given_up && fetch->input_ended) {
        fetch_end(fetch, FETCH_OK, NULL, false); /* it has said all, and listens no more */
        return false;
    }
    if (fetch->body_given_up || fetch->output_ended || !fetch->body_ended || fetch->out_len > 0) {
        return true;
    }
    fetch->output_ended = true;
    fetch->activity_us = loop_now_us(fetch->pool->loop);
    /* TLS is closed both ways at once: libcurl has no other end of it. */
    if (fetch->input_ended || fetch->conn->peer->has_tls) {
        fetch_end(fetch, FETCH_OK, NULL, false);
        return false;
    }
    (void)shutdown(fetch->conn->fd, SHUT_WR);
    return true;
}

void fetch_tunnel_reset(const struct fetch *fetch)
{
    const struct linger cut = {.l_onoff = 1, .l_linger = 0};

    if (fetch->framing == FETCH_TUNNEL && fetch->conn != NULL && fetch->conn->fd >= 0) {
        (void)setsockopt(fetch->conn->fd, SOL_SOCKET, SO_LINGER, &cut, sizeof(cut));
    }
}

void fetch_tunnel_cut(struct fetch *fetch)
{
    fetch->result.cut = true;
    fetch_tunnel_reset(fetch);
    fetch_end(fetch, FETCH_OK, NULL, false);
}
