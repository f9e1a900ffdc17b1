/*
 * fetch - life of one request to an origin: start, cancel, resume, deadline, the second try, the
 * end. What goes out is in fetch_request.c, what comes in in fetch_response.c.
 */
#include "fetch/fetch.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/mem.h"
#include "fetch/fetch_private.h"

#define FETCH_MAGIC 0x66657463u
/* libcurl's own timer ends a connect; ours stands behind it. */
#define FETCH_CONNECT_GRACE_US 1000000u

/* ---- the end ---- */

static void fetch_free(struct fetch *fetch)
{
    fetch->magic = 0;
    mem_free(fetch->text);
    mem_free(fetch->head);
    mem_free(fetch);
}

/* Its connection is of no use to it any more. */
static void fetch_leave(struct fetch *fetch)
{
    struct fetch_conn *conn = fetch->conn;

    if (conn == NULL) {
        return;
    }
    if (fetch->stream != 0) {
        fetch_h2_leave(fetch);
        return;
    }
    fetch->conn = NULL;
    if (conn->fetch != fetch) {
        list_remove(&fetch->ride_node); /* it only waited */
        conn->waiting_count--;
        if (conn->h2 != NULL) {
            fetch_h2_left(conn->h2, fetch);
        }
        return;
    }
    if (list_is_empty(&conn->waiting)) {
        fetch_conn_close(conn);
        return;
    }
    conn->fetch = CONTAINER_OF(list_pop(&conn->waiting), struct fetch, ride_node);
    conn->waiting_count--;
    conn->fetch->result.reused_connection = false;
}

/* Out of everything, and aside for the next request. */
static void fetch_release(struct fetch *fetch)
{
    struct fetch_pool *pool = fetch->pool;

    CHECK_OBJ(fetch, FETCH_MAGIC);
    fetch_tunnel_reset(fetch);
    fetch_leave(fetch);
    list_remove(&fetch->ride_node);
    loop_timer_clear(&fetch->deadline);
    list_remove(&fetch->work_node);
    list_remove(&fetch->node);
    pool->figures.active--;
    mem_free(fetch->piece);
    mem_free(fetch->held);
    if (pool->spare_count >= FETCH_SPARES_MAX || fetch->text_capacity > FETCH_TEXT_BYTES_KEPT ||
        fetch->head_capacity > FETCH_TEXT_BYTES_KEPT) {
        fetch_free(fetch);
        return;
    }
    list_push_front(&pool->spares, &fetch->node);
    pool->spare_count++;
}

static void fetch_result_set(struct fetch *fetch, enum fetch_fault fault, const char *detail)
{
    struct fetch_result *result = &fetch->result;

    result->total_us = loop_now_us(fetch->pool->loop) - fetch->start_us;
    if (result->fault == FETCH_OK && fault != FETCH_OK) {
        result->fault = fault;
        (void)snprintf(result->detail, sizeof(result->detail), "%s", detail == NULL ? "" : detail);
    }
    for (char *at = result->detail; *at != '\0'; at++) {
        if (*at < 0x20 || *at > 0x7e) {
            *at = '?';
        }
    }
}

void fetch_end(struct fetch *fetch, enum fetch_fault fault, const char *detail, bool keep)
{
    CHECK_OBJ(fetch, FETCH_MAGIC);
    CHECK(!fetch->busy && !fetch->over);
    fetch->over = true;
    if (fetch->cancelled) {
        fetch_release(fetch);
        return;
    }
    fetch_result_set(fetch, fault, detail);
    bool is_clean = keep && fetch->may_keep && fetch->out_len == 0 &&
                    (!fetch->has_body || (fetch->body_ended && !fetch->body_given_up));
    /* The connection is free for others before batch or done starts anything new. */
    if (fetch->conn != NULL && fetch->stream == 0 && is_clean) {
        uint64_t idle_us = fetch->origin->keepalive_idle_us;
        fetch_conn_keep(fetch->conn, fetch->origin->keepalive,
                        idle_us < fetch->keep_us ? idle_us : fetch->keep_us);
        fetch->conn = NULL;
    }
    fetch_leave(fetch);
    loop_timer_clear(&fetch->deadline);
    fetch->busy = true;
    if (fetch->dirty) {
        fetch->dirty = false;
        fetch->handler->batch(fetch->ctx);
    }
    if (!fetch->cancelled) {
        fetch->cancelled = true; /* a cancel from inside done finds nothing to do */
        fetch->handler->done(fetch->ctx, &fetch->result);
    }
    fetch->busy = false;
    fetch_release(fetch);
}

void fetch_cancel(struct fetch **fetch_ptr)
{
    struct fetch *fetch = *fetch_ptr;

    *fetch_ptr = NULL;
    if (fetch == NULL) {
        return;
    }
    CHECK_OBJ(fetch, FETCH_MAGIC);
    if (fetch->cancelled) {
        return; /* from inside done */
    }
    fetch->cancelled = true;
    if (!fetch->busy) {
        fetch_release(fetch);
    }
}

/* ---- going on ---- */

void fetch_work(struct fetch *fetch)
{
    if (list_is_empty(&fetch->work_node)) {
        list_push(&fetch->pool->work, &fetch->work_node);
    }
    loop_task_defer(fetch->pool->loop, &fetch->pool->task);
}

void fetch_resume(struct fetch *fetch)
{
    CHECK_OBJ(fetch, FETCH_MAGIC);
    if (fetch->paused) {
        fetch->paused = false;
        fetch->activity_us = loop_now_us(fetch->pool->loop); /* the origin was not waited for */
        fetch_halt_note(fetch);
        fetch_work(fetch);
    }
}

void fetch_resume_body(struct fetch *fetch)
{
    CHECK_OBJ(fetch, FETCH_MAGIC);
    if (fetch->body_paused) {
        fetch->body_paused = false;
        fetch_halt_note(fetch);
        fetch_work(fetch);
    }
}

void fetch_hold_back(struct fetch *fetch, bool is_held)
{
    CHECK_OBJ(fetch, FETCH_MAGIC);
    if (fetch->is_held && !is_held) {
        fetch->activity_us = loop_now_us(fetch->pool->loop);
    }
    fetch->is_held = is_held;
    fetch_halt_note(fetch);
}

void fetch_watch(struct fetch *fetch)
{
    uint32_t wanted = fetch->paused ? 0 : EPOLLIN;

    if (UNLIKELY(fetch->input_ended)) {
        wanted = EPOLLERR; /* a reset is still to be heard of */
    }

    if (fetch->out_len > 0) {
        wanted |= EPOLLOUT;
    }
    fetch_socket_watch(fetch->conn, wanted);
}

void fetch_ready(struct fetch *fetch, uint32_t events)
{
    CHECK_OBJ(fetch, FETCH_MAGIC);
    if ((events & EPOLLOUT) != 0 && !fetch_write(fetch, true)) {
        return;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
        return;
    }
    if (fetch->paused) {
        fetch_socket_watch(fetch->conn, 0); /* not to be told of its end again and again */
    } else {
        (void)fetch_read(fetch);
    }
}

/* What it was put on the work list for. */
static void fetch_attend(struct fetch *fetch)
{
    if (fetch->result.fault != FETCH_OK) {
        fetch_end(fetch, fetch->result.fault, NULL, false);
        return;
    }
    if (fetch->stream_ended) {
        fetch_feed_rest(fetch);
        return;
    }
    if (!fetch->connected) {
        if (fetch->conn->fetch == fetch) {
            fetch_conn_push(fetch->conn);
        }
        return;
    }
    if (fetch->stream != 0) {
        fetch_h2_resume(fetch);
        return;
    }
    if (fetch_write(fetch, true) && !fetch->paused) {
        (void)fetch_read(fetch);
    }
}

static void fetch_task_run(struct loop_task *task)
{
    struct fetch_pool *pool = CONTAINER_OF(task, struct fetch_pool, task);
    struct list now;
    struct list *node;

    /* Only what was asked for until now: what comes up meanwhile waits for the next round. */
    list_init(&now);
    while ((node = list_pop(&pool->work)) != NULL) {
        list_push(&now, node);
    }
    while ((node = list_pop(&now)) != NULL) {
        fetch_attend(CONTAINER_OF(node, struct fetch, work_node));
    }
    fetch_h2_work(pool);
    fetch_multi_run_due(pool);
}

/* ---- time ---- */

/* What may pass before the next sign of life. */
static uint64_t fetch_patience_us(const struct fetch *fetch)
{
    if (fetch->head_done) {
        return fetch->framing == FETCH_TUNNEL ? fetch->tunnel_idle_us : fetch->patience.idle_us;
    }
    return fetch->connected ? fetch->patience.first_byte_us
                            : fetch->origin->connect_timeout_us + FETCH_CONNECT_GRACE_US;
}

/* Is it for our own side to go on? */
static bool fetch_is_halted(const struct fetch *fetch)
{
    bool is_halted = fetch->paused || (fetch->body_paused && !fetch->body_given_up);

    /* In a tunnel silence is nobody's fault. */
    return fetch->is_held || (is_halted && fetch->framing != FETCH_TUNNEL);
}

void fetch_halt_note(struct fetch *fetch)
{
    uint64_t now = loop_now_us(fetch->pool->loop);

    if (fetch_is_halted(fetch)) {
        fetch->halt_us = fetch->halt_us == 0 ? now : fetch->halt_us;
    } else if (fetch->halt_us != 0) {
        fetch->halted_us += now - fetch->halt_us;
        fetch->halt_us = 0;
    }
}

/* What is left of its whole time; 0: it is over. */
static uint64_t fetch_total_left_us(const struct fetch *fetch, uint64_t now)
{
    uint64_t bound = fetch->framing == FETCH_TUNNEL ? 0 : fetch->patience.total_us;
    uint64_t halted = fetch->halted_us + (fetch->halt_us == 0 ? 0 : now - fetch->halt_us);
    uint64_t taken = now - fetch->start_us - halted;

    if (bound == 0) {
        return UINT64_MAX;
    }
    return taken < bound ? bound - taken : 0;
}

/* The deadline's timer fires early rather than being moved with each step. */
static uint64_t fetch_patience_least_us(const struct fetch *fetch)
{
    const struct fetch_patience *patience = &fetch->patience;
    uint64_t least = fetch->origin->connect_timeout_us + FETCH_CONNECT_GRACE_US;
    uint64_t total = patience->total_us == 0 ? UINT64_MAX : patience->total_us;

    least = patience->first_byte_us < least ? patience->first_byte_us : least;
    least = total < least ? total : least;
    return patience->idle_us < least ? patience->idle_us : least;
}

/* The timer comes back when the shortest of all that counts may be over. */
static void fetch_deadline_again(struct fetch *fetch, uint64_t left, uint64_t total_left)
{
    uint64_t least = fetch->framing == FETCH_TUNNEL ? left : fetch_patience_least_us(fetch);

    least = total_left < least ? total_left : least;
    loop_timer_set(fetch->pool->loop, &fetch->deadline, left < least ? left : least);
}

static void fetch_deadline_fire(struct loop_timer *timer)
{
    struct fetch *fetch = CONTAINER_OF(timer, struct fetch, deadline);
    uint64_t now = loop_now_us(fetch->pool->loop);
    uint64_t patience = fetch_patience_us(fetch);

    CHECK_OBJ(fetch, FETCH_MAGIC);
    if (fetch_is_halted(fetch)) {
        fetch->activity_us = now; /* it is not the origin we wait for */
    }
    uint64_t waited = now - fetch->activity_us;
    uint64_t total_left = fetch_total_left_us(fetch, now);
    if (total_left == 0) {
        fetch_end(fetch, FETCH_TOTAL_TIMEOUT, "the origin took too long for all of it", false);
    } else if (waited < patience) {
        /* What it waits for, and for how long, may have changed by then. */
        fetch_deadline_again(fetch, patience - waited, total_left);
    } else if (fetch->framing == FETCH_TUNNEL) {
        fetch_tunnel_cut(fetch);
    } else if (fetch->head_done) {
        fetch_end(fetch, FETCH_IDLE_TIMEOUT, "no bytes from the origin for too long", false);
    } else if (fetch->connected) {
        fetch_end(fetch, FETCH_FIRST_BYTE_TIMEOUT, "no response from the origin in time", false);
    } else {
        fetch_end(fetch, FETCH_CONNECT_TIMEOUT, "no connection to the origin in time", false);
    }
}

/* ---- the connection ---- */

static void fetch_send(struct fetch *fetch, bool pull)
{
    list_remove(&fetch->work_node); /* what was to be seen to before is so now */
    fetch->connected = true;
    fetch->activity_us = loop_now_us(fetch->pool->loop);
    fetch->out = fetch->text;
    fetch->out_len = fetch->text_len;
    (void)fetch_write(fetch, pull);
}

void fetch_connected(struct fetch *fetch)
{
    char detail[sizeof(fetch->result.detail)];

    CHECK_OBJ(fetch, FETCH_MAGIC);
    switch (fetch_conn_peek(fetch->conn)) {
    case FETCH_IO_AGAIN:
        fetch_send(fetch, true);
        break;
    case FETCH_IO_DONE:
        fetch_end(fetch, FETCH_BAD_RESPONSE, "the origin spoke before it was asked", false);
        break;
    case FETCH_IO_END:
    case FETCH_IO_BROKEN:
        if (fetch_tls_refused(fetch->conn, detail, sizeof(detail))) {
            fetch_end(fetch, FETCH_TLS, detail, false);
        } else {
            fetch_end(fetch, FETCH_CLOSED, "the origin closed before it was asked", false);
        }
        break;
    }
}

enum fetch_fault fetch_connect_fault(const struct fetch_conn *conn, CURLcode code, char *out,
                                     size_t size)
{
    enum fetch_fault fault = fetch_tls_fault(conn, code, out, size);

    if (fault != FETCH_OK) {
        return fault;
    }
    if (conn->is_homeless) {
        (void)snprintf(out, size, "the outgoing address cannot be used");
        return FETCH_OUTGOING; /* nor this */
    }
    if (conn->is_denied) {
        (void)snprintf(out, size, "no descriptor for a connection");
        return FETCH_INTERNAL; /* not the origin's */
    }
    (void)snprintf(out, size, "%s",
                   conn->error[0] != '\0' ? conn->error : curl_easy_strerror(code));
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return FETCH_DNS;
    case CURLE_COULDNT_CONNECT:
        return FETCH_CONNECT_REFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return FETCH_CONNECT_TIMEOUT;
    default:
        return FETCH_INTERNAL;
    }
}

/* It cannot even be tried; said in the next round. */
static void fetch_refused(struct fetch *fetch)
{
    fetch->result.fault = FETCH_INTERNAL;
    (void)snprintf(fetch->result.detail, sizeof(fetch->result.detail), "%s",
                   "no memory for the request");
    fetch_work(fetch);
}

void fetch_go(struct fetch *fetch)
{
    struct fetch_pool *pool = fetch->pool;
    const struct fetch_peer *peer = fetch->shares ? fetch_peer_find(pool, fetch->origin) : NULL;
    bool shares = fetch->shares && (peer == NULL || peer->protocol != FETCH_PEER_H1);

    if (shares && fetch_h2_board(fetch)) {
        return;
    }
    /* A kept connection may turn out dead: only for what can be asked a second time. */
    bool may_take =
        !shares && fetch->may_retry && fetch->origin->proxy_header == FETCH_PROXY_HEADER_NONE;
    fetch->conn = may_take ? fetch_conn_take(fetch) : NULL;
    if (fetch->conn != NULL) {
        fetch->conn->fetch = fetch;
        fetch->result.reused_connection = true;
        pool->figures.reused++;
        fetch_send(fetch, false);
        return;
    }
    fetch->conn = fetch_conn_open(fetch, shares);
    if (fetch->conn == NULL) {
        fetch_refused(fetch);
    }
}

void fetch_again(struct fetch *fetch)
{
    fetch_leave(fetch);
    fetch->connected = false;
    fetch->body_given_up = false;
    fetch->body_ended = false;
    fetch->result.reused_connection = false;
    fetch->result.fault = FETCH_OK;
    fetch->result.detail[0] = '\0';
    fetch->activity_us = loop_now_us(fetch->pool->loop);
    fetch->out_len = 0;
    fetch_go(fetch);
}

bool fetch_retry(struct fetch *fetch)
{
    if (!fetch->may_retry || !fetch->result.reused_connection || fetch->head_len > 0 ||
        fetch->head_done || fetch->informational_count > 0) {
        return false;
    }
    fetch->may_retry = false;
    fetch_again(fetch);
    return true;
}

/* ---- start ---- */

static void fetch_patience_set(struct fetch *fetch, const struct fetch_patience *patience)
{
    const struct fetch_origin *origin = fetch->origin;

    fetch->patience = (struct fetch_patience){
        .first_byte_us =
            patience->first_byte_us == 0 ? origin->first_byte_timeout_us : patience->first_byte_us,
        .idle_us = patience->idle_us == 0 ? origin->idle_timeout_us : patience->idle_us,
        .total_us = patience->total_us == 0 ? origin->total_timeout_us : patience->total_us,
    };
}

void fetch_be_patient(struct fetch *fetch, const struct fetch_patience *patience)
{
    CHECK_OBJ(fetch, FETCH_MAGIC);
    fetch_patience_set(fetch, patience);
    if (fetch->framing != FETCH_TUNNEL) {
        loop_timer_set(fetch->pool->loop, &fetch->deadline, fetch_patience_least_us(fetch));
    }
}

static struct fetch *fetch_take(struct fetch_pool *pool)
{
    struct list *spare = list_pop(&pool->spares);
    struct fetch *fetch;

    if (spare == NULL) {
        fetch = mem_new(sizeof(*fetch));
    } else {
        pool->spare_count--;
        fetch = CONTAINER_OF(spare, struct fetch, node);
        char *text = fetch->text;
        char *head = fetch->head;
        const size_t capacities[2] = {fetch->text_capacity, fetch->head_capacity};
        *fetch = (struct fetch){.text = text, .text_capacity = capacities[0]};
        fetch->head = head;
        fetch->head_capacity = capacities[1];
    }
    fetch->magic = FETCH_MAGIC;
    fetch->pool = pool;
    list_init(&fetch->work_node);
    list_init(&fetch->ride_node);
    loop_timer_init(&fetch->deadline, fetch_deadline_fire);
    return fetch;
}

struct fetch *fetch_start(struct fetch_pool *pool, const struct fetch_request *request,
                          const struct fetch_handler *handler, void *ctx)
{
    struct fetch *fetch = fetch_take(pool);

    fetch->handler = handler;
    fetch->ctx = ctx;
    fetch->origin = request->origin;
    (void)snprintf(fetch->address, sizeof(fetch->address), "%s",
                   request->address == NULL ? "" : request->address);
    fetch->start_us = loop_now_us(pool->loop);
    fetch->activity_us = fetch->start_us;
    fetch->is_head = span_eq(request->method, SPAN("HEAD"));
    fetch->has_body = request->has_body && !fetch->is_head;
    fetch->body_length = request->body_length;
    fetch->may_retry = request->may_retry && !fetch->has_body && request->upgrade.len == 0;
    fetch->shares = request->origin->tls != NULL && request->origin->tls->http2 &&
                    request->upgrade.len == 0 && !request->to_proxy;
    fetch->tunnel_idle_us = request->tunnel_idle_us;
    fetch_patience_set(fetch, &request->patience);
    list_push(&pool->active, &fetch->node);
    pool->figures.active++;
    pool->figures.requests++;
    loop_timer_set(pool->loop, &fetch->deadline, fetch_patience_least_us(fetch));
    if (fetch_text_build(fetch, request)) {
        fetch_go(fetch);
    } else {
        fetch_refused(fetch);
    }
    return fetch;
}

/* ---- the pool ---- */

void fetch_global_init(void)
{
    CHECK(curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK);
}

struct fetch_pool *fetch_pool_new(const struct fetch_pool_options *options)
{
    struct fetch_pool *pool = mem_new(sizeof(*pool));

    pool->loop = options->loop;
    pool->options = *options;
    list_init(&pool->active);
    list_init(&pool->spares);
    list_init(&pool->work);
    loop_task_init(&pool->task, fetch_task_run);
    fetch_peers_init(pool);
    fetch_conns_init(pool);
    fetch_multi_init(pool);
    return pool;
}

void fetch_pool_free(struct fetch_pool **pool_ptr)
{
    struct fetch_pool *pool = *pool_ptr;
    struct list *node;

    if (pool == NULL) {
        return;
    }
    *pool_ptr = NULL;
    CHECK(list_is_empty(&pool->active));
    while ((node = list_pop(&pool->spares)) != NULL) {
        fetch_free(CONTAINER_OF(node, struct fetch, node));
    }
    fetch_conns_fini(pool);
    fetch_peers_fini(pool);
    fetch_multi_fini(pool);
    loop_task_clear(&pool->task);
    mem_free(pool);
}

void fetch_pool_figures(const struct fetch_pool *pool, struct fetch_pool_figures *out)
{
    *out = pool->figures;
}
