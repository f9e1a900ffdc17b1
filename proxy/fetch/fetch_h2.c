/*
 * fetch_h2 - HTTP/2 to origins that choose it by ALPN (RFC 9113): one connection carries many
 * fetches, framed by nghttp2, bytes moved by libcurl as everywhere here.
 *
 * A response head is written out as the HTTP/1 head it stands for and judged by the same strict
 * parser; the rest of the exchange does not know the difference. What comes for a fetch that is
 * paused is held back and not acknowledged, so that its stream's window bounds it; the window of
 * the connection is given back at once, so that one slow reader holds up nobody else.
 *
 * While a connection is being opened, and until the origin's SETTINGS are there, others who want
 * the same wait for it (conn->waiting); when the origin turns out not to speak HTTP/2 they go their
 * own ways.
 *
 * Handlers are called from inside nghttp2's callbacks, where nghttp2 may not be asked to read or
 * write: what they cause is written when the callbacks are over (fetch_h2_work).
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/mem.h"
#include "fetch/fetch_h2_private.h"

/* ---- riders ---- */

struct fetch_h2 *fetch_h2_new(struct fetch_conn *conn)
{
    struct fetch_h2 *h2 = mem_new(sizeof(*h2));

    h2->conn = conn;
    list_init(&h2->riders);
    list_init(&h2->node);
    list_init(&h2->work_node);
    h2->heard_us = loop_now_us(conn->pool->loop);
    if (!fetch_h2_session_new(h2)) {
        mem_free(h2);
        return NULL;
    }
    list_push(&conn->pool->h2_all, &h2->node);
    return h2;
}

void fetch_h2_free(struct fetch_h2 *h2)
{
    CHECK(!h2->busy && list_is_empty(&h2->riders));
    list_remove(&h2->node);
    list_remove(&h2->work_node);
    nghttp2_session_del(h2->session);
    mem_free(h2);
}

void fetch_h2_work_later(struct fetch_h2 *h2)
{
    struct fetch_pool *pool = h2->conn->pool;

    if (list_is_empty(&h2->work_node)) {
        list_push(&pool->h2_work, &h2->work_node);
    }
    loop_task_defer(pool->loop, &pool->task);
}

/* May one more get on? */
static bool fetch_h2_has_room(const struct fetch_h2 *h2)
{
    uint32_t most =
        nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

    most = most < FETCH_H2_STREAMS_MAX ? most : FETCH_H2_STREAMS_MAX;
    return !h2->is_leaving && h2->is_settled && h2->rider_count < most;
}

/* Puts the fetch on the connection; its request goes out when the callbacks are over. */
static bool fetch_h2_ride(struct fetch_h2 *h2, struct fetch *fetch)
{
    fetch->conn = h2->conn;
    if (!fetch_h2_submit(h2, fetch)) {
        fetch->conn = NULL;
        return false;
    }
    list_push(&h2->riders, &fetch->ride_node);
    h2->rider_count++;
    h2->keepalive = fetch->origin->keepalive;
    h2->keepalive_idle_us = fetch->origin->keepalive_idle_us;
    fetch->connected = true;
    fetch->activity_us = loop_now_us(fetch->pool->loop);
    fetch_h2_work_later(h2);
    return true;
}

void fetch_h2_left(struct fetch_h2 *h2, const struct fetch *fetch)
{
    enum fetch_fault fault = fetch->result.fault;
    bool was_late = fault == FETCH_FIRST_BYTE_TIMEOUT || fault == FETCH_IDLE_TIMEOUT ||
                    fault == FETCH_CONNECT_TIMEOUT;

    /* Not a word from this connection since: it may be dead. */
    if (was_late && h2->heard_us <= fetch->activity_us) {
        h2->is_leaving = true;
    }
    fetch_h2_work_later(h2);
}

void fetch_h2_leave(struct fetch *fetch)
{
    struct fetch_h2 *h2 = fetch->conn->h2;

    fetch_h2_left(h2, fetch);
    list_remove(&fetch->ride_node);
    h2->rider_count--;
    (void)nghttp2_session_set_stream_user_data(h2->session, fetch->stream, NULL);
    if (!fetch->stream_closed) {
        (void)nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, fetch->stream,
                                        NGHTTP2_CANCEL);
    }
    fetch->stream = 0;
    fetch->conn = NULL;
}

/* ---- getting on ---- */

/* Is an unused one still good? What has come meanwhile is looked at; nobody rides it. */
static bool fetch_h2_is_fresh(struct fetch_h2 *h2)
{
    if (!h2->busy && !fetch_h2_read(h2)) {
        h2->is_leaving = true;
        fetch_h2_work_later(h2);
    }
    return !h2->is_leaving;
}

static struct fetch_conn *fetch_h2_find(struct fetch *fetch)
{
    struct fetch_peer *peer = fetch_peer_find(fetch->pool, fetch->origin);

    if (peer == NULL) {
        return NULL;
    }
    for (struct list *at = peer->shared.next; at != &peer->shared; at = at->next) {
        struct fetch_conn *conn = CONTAINER_OF(at, struct fetch_conn, share_node);
        struct fetch_h2 *h2 = conn->h2;
        if (strcmp(conn->address, fetch->address) != 0) {
            continue;
        }
        if (h2 == NULL || (!h2->is_settled && !h2->is_leaving)) {
            if (conn->waiting_count < FETCH_H2_STREAMS_MAX) {
                return conn;
            }
        } else if (fetch_h2_has_room(h2) && (h2->rider_count > 0 || fetch_h2_is_fresh(h2))) {
            return conn;
        }
    }
    return NULL;
}

bool fetch_h2_board(struct fetch *fetch)
{
    struct fetch_conn *conn = fetch_h2_find(fetch);

    if (conn == NULL) {
        return false;
    }
    fetch->result.reused_connection = true;
    fetch->pool->figures.reused++;
    fetch_conn_unkeep(conn);
    if (conn->h2 != NULL && conn->h2->is_settled) {
        return fetch_h2_ride(conn->h2, fetch);
    }
    fetch->conn = conn;
    list_push(&conn->waiting, &fetch->ride_node);
    conn->waiting_count++;
    return true;
}

bool fetch_h2_opened(struct fetch_conn *conn)
{
    struct fetch *first = conn->fetch;

    conn->h2 = fetch_h2_new(conn);
    if (conn->h2 == NULL || !fetch_h2_ride(conn->h2, first)) {
        first->conn = conn;
        return false;
    }
    conn->fetch = NULL;
    return true;
}

/* Those who wait get on as far as there is room; the others look for another one. */
static void fetch_h2_let_on(struct fetch_h2 *h2)
{
    struct fetch_conn *conn = h2->conn;
    struct list rest;
    struct list *node;

    list_init(&rest);
    while ((h2->is_settled || h2->is_leaving) && (node = list_pop(&conn->waiting)) != NULL) {
        struct fetch *fetch = CONTAINER_OF(node, struct fetch, ride_node);
        conn->waiting_count--;
        if (!fetch_h2_has_room(h2) || !fetch_h2_ride(h2, fetch)) {
            fetch->conn = NULL;
            fetch->result.reused_connection = false;
            list_push(&rest, node);
        }
    }
    while ((node = list_pop(&rest)) != NULL) {
        fetch_go(CONTAINER_OF(node, struct fetch, ride_node));
    }
}

/* ---- the end of a connection ---- */

/* Nothing more will come. Whoever is still on it, or waits for it, hears of it. */
static void fetch_h2_broken(struct fetch_h2 *h2)
{
    struct fetch_conn *conn = h2->conn;
    struct list *node;

    h2->is_leaving = true;
    while (!list_is_empty(&h2->riders)) {
        struct fetch *fetch = CONTAINER_OF(h2->riders.next, struct fetch, ride_node);
        fetch->stream_closed = true; /* there is nobody to tell */
        fetch_feed_broken(fetch, h2->problem);
    }
    while ((node = list_pop(&conn->waiting)) != NULL) {
        struct fetch *fetch = CONTAINER_OF(node, struct fetch, ride_node);
        conn->waiting_count--;
        fetch->conn = NULL;
        fetch_end(fetch, FETCH_CLOSED, "the origin closed before it was asked", false);
    }
    fetch_conn_close(conn);
}

/* Nobody rides it. */
static void fetch_h2_unused(struct fetch_h2 *h2)
{
    struct fetch_conn *conn = h2->conn;

    if (h2->is_leaving) {
        fetch_conn_close(conn);
    } else if (!fetch_conn_is_kept(conn)) {
        fetch_conn_keep(conn, h2->keepalive, h2->keepalive_idle_us);
    }
}

void fetch_h2_run(struct fetch_h2 *h2, bool may_read)
{
    struct fetch_conn *conn = h2->conn;

    CHECK(!h2->busy);
    if ((may_read && !fetch_h2_read(h2)) || !fetch_h2_write(h2)) {
        fetch_h2_broken(h2);
        return;
    }
    fetch_h2_let_on(h2);
    if (!list_is_empty(&h2->work_node)) {
        return; /* it comes again at once */
    }
    if (nghttp2_session_want_read(h2->session) == 0 &&
        nghttp2_session_want_write(h2->session) == 0 && h2->out_len == 0) {
        fetch_h2_broken(h2);
        return;
    }
    fetch_socket_watch(conn, EPOLLIN | (h2->out_len > 0 ? (uint32_t)EPOLLOUT : 0));
    if (h2->rider_count == 0 && list_is_empty(&conn->waiting)) {
        fetch_h2_unused(h2);
    }
}

void fetch_h2_work(struct fetch_pool *pool)
{
    struct list now;
    struct list *node;

    list_init(&now);
    while ((node = list_pop(&pool->h2_work)) != NULL) {
        list_push(&now, node);
    }
    while ((node = list_pop(&now)) != NULL) {
        fetch_h2_run(CONTAINER_OF(node, struct fetch_h2, work_node), true);
    }
}

/* ---- what the fetch itself asks for ---- */

void fetch_h2_resume(struct fetch *fetch)
{
    struct fetch_h2 *h2 = fetch->conn->h2;

    if (fetch->body_deferred && !fetch->body_paused) {
        fetch->body_deferred = false;
        (void)nghttp2_session_resume_data(h2->session, fetch->stream);
    }
    if (!fetch->paused && fetch->held_len > 0) {
        (void)nghttp2_session_consume_stream(h2->session, fetch->stream, fetch->held_len);
        (void)fetch_feed_held(fetch);
    }
    fetch_h2_work_later(h2);
}

void fetch_h2_close(struct fetch_h2 *h2)
{
    (void)nghttp2_session_terminate_session(h2->session, NGHTTP2_NO_ERROR);
    (void)fetch_h2_write(h2);
    fetch_h2_free(h2);
}

struct fetch_conn *fetch_h2_conn(const struct list *node)
{
    return CONTAINER_OF(node, struct fetch_h2, node)->conn;
}
