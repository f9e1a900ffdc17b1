/*
 * conn - the life of a client connection: opened by the listener, driven by its descriptor, one
 * timer and one task, ended in conn_destroy.
 *
 * Deadlines are lazy: the connection keeps two points in time and its timer fires at or before the
 * earlier one and looks. A keep-alive request moves the points and leaves the timer alone.
 *
 * The handler may end or abort its stream from inside a call of ours or from anywhere else. Both
 * only mark the state; conn_settle acts on it, after the handler's call has returned.
 */
#include "net/conn.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define CONN_MAGIC 0x636f6e31u

/* The point of the 2 KB per idle connection: this struct, its share of the allocator, nothing else.
 */
_Static_assert(sizeof(struct conn) <= 1024, "an idle connection must stay small");

/* ---- blocks ---- */

struct conn_block *conn_block_take(struct listener_set *set, size_t bytes)
{
    struct conn_block *block = set->pool;

    if (bytes <= CONN_BLOCK_BYTES && block != NULL) {
        set->pool = block->next;
        set->pool_count--;
        return block;
    }
    bytes = bytes < CONN_BLOCK_BYTES ? CONN_BLOCK_BYTES : bytes;
    unsigned items = set->limits.head.fields_count;
    size_t head = sizeof(*block) + items * sizeof(block->items[0]);
    block = mem_try(head + bytes);
    if (block == NULL) {
        return NULL;
    }
    block->next = NULL;
    block->items_count = items;
    block->data = (char *)block + head;
    block->capacity = bytes;
    return block;
}

void conn_block_give(struct listener_set *set, struct conn_block *block)
{
    if (block == NULL) {
        return;
    }
    /* A block from before a reload may have another table. */
    if (block->capacity != CONN_BLOCK_BYTES || set->pool_count >= CONN_POOL_BLOCKS_MAX ||
        block->items_count != set->limits.head.fields_count) {
        mem_free(block);
        return;
    }
    block->next = set->pool;
    set->pool = block;
    set->pool_count++;
}

/* ---- deadlines ---- */

static void conn_timer_arm(struct conn *conn)
{
    uint64_t first = conn->read_deadline_us < conn->send_deadline_us ? conn->read_deadline_us
                                                                     : conn->send_deadline_us;
    if (first == CONN_NEVER || (!list_is_empty(&conn->timer.node) && conn->timer.at_us <= first)) {
        return;
    }
    uint64_t now = loop_now_us(conn->set->loop);
    loop_timer_set(conn->set->loop, &conn->timer, first > now ? first - now : 0);
}

void conn_read_deadline_set(struct conn *conn, uint64_t at_us)
{
    conn->read_deadline_us = at_us;
    conn_timer_arm(conn);
}

void conn_leaving_set(struct conn *conn)
{
    if (conn->eof && conn->state == CONN_BUSY && !conn_is_tunnel(conn)) {
        conn_read_deadline_set(conn, loop_now_us(conn->set->loop) + CONN_LEAVING_US);
    }
}

void conn_send_deadline_set(struct conn *conn, uint64_t at_us)
{
    conn->send_deadline_us = at_us;
    conn_timer_arm(conn);
}

static void conn_read_timed_out(struct conn *conn)
{
    switch ((enum conn_state)conn->state) {
    case CONN_HEAD:
        if (conn->is_idle) {
            net_count(&conn->set->counters->closed_idle, 1);
            conn_destroy(conn, false);
        } else if (conn->proxy_due) {
            net_count(&conn->set->counters->timed_out, 1);
            conn_destroy(conn, false);
        } else {
            net_count(&conn->set->counters->timed_out, 1);
            (void)h1_refuse(conn, 408, "the request head took too long");
        }
        return;
    case CONN_BUSY:
        if (conn->eof && (conn_has_output(conn) || conn->want_writable || conn->stream.is_held)) {
            conn_leaving_set(conn); /* it is for the client to go on */
            return;
        }
        if (conn->eof) {
            conn_gone(conn, ERR_CLOSED, false);
            return;
        }
        if (conn->want_body && !conn_pace_body_is_over(conn)) {
            return;
        }
        net_count(&conn->set->counters->timed_out, 1);
        conn_gone(conn, ERR_TIMEOUT, false);
        return;
    case CONN_DRAIN:
        net_count(&conn->set->counters->timed_out, 1);
        conn_gone(conn, ERR_TIMEOUT, false);
        return;
    case CONN_LINGER:
        conn_destroy(conn, false);
        return;
    case CONN_BROKEN:
    case CONN_ENDED:
    case CONN_ABORTED:
    case CONN_FLUSH:
        return;
    }
}

static void conn_timer_fire(struct loop_timer *timer)
{
    struct conn *conn = CONTAINER_OF(timer, struct conn, timer);
    uint64_t now = loop_now_us(conn->set->loop);

    CHECK_OBJ(conn, CONN_MAGIC);
    if (now >= conn->send_deadline_us) {
        if (conn_pace_send_is_over(conn)) {
            /* Nothing, or too little is taken: what the kernel still holds is not worth keeping. */
            net_count(&conn->set->counters->timed_out, 1);
            conn_gone(conn, ERR_TIMEOUT, true);
        }
    } else if (now >= conn->read_deadline_us) {
        conn->read_deadline_us = CONN_NEVER;
        conn_read_timed_out(conn);
    } else {
        conn_timer_arm(conn);
    }
}

/* ---- events ---- */

void conn_interest_update(struct conn *conn)
{
    /* EPOLLERR is always reported; asking for it keeps the registration when nothing else is
     * wanted. */
    uint32_t events = EPOLLERR;
    bool blocked = conn_has_output(conn) || conn->want_writable;

    if (conn->state == CONN_BROKEN || conn->is_opening) {
        return;
    }
    if (!conn->eof && !conn->read_full) {
        events |= EPOLLIN;
    } else if (conn->state == CONN_BUSY && !conn->eof && !conn->fin_seen) {
        events |= EPOLLRDHUP;
    }
    if (blocked) {
        events |= EPOLLOUT;
        if (conn->send_deadline_us == CONN_NEVER) {
            conn_pace_send_wait(conn);
        }
    } else if (conn->send_deadline_us != CONN_NEVER) {
        conn->send_deadline_us = CONN_NEVER;
        conn_pace_send_went(conn);
    }
    if (UNLIKELY(conn->is_shut) && (conn->eof || conn->read_full)) {
        events = 0; /* h1_tunnel.c says why */
    }
    loop_watch_change(conn->set->loop, &conn->watch, events);
}

/* The client has sent its FIN while what it sent before waits unread: is it a body without its end?
 */
static bool conn_is_cut(struct conn *conn)
{
    int unread = 0;

    conn->fin_seen = true; /* told once */
    conn_interest_update(conn);
    if (conn->state != CONN_BUSY || conn->body_done || conn_is_tunnel(conn) ||
        conn->block->request.body != HTTP_BODY_LENGTH ||
        ioctl(conn->watch.fd, FIONREAD, &unread) != 0 || unread < 0) {
        return false;
    }
    return (uint64_t)unread + (conn->end - conn->begin) < conn->body_left;
}

static void conn_ready(struct loop_watch *watch, uint32_t events)
{
    struct conn *conn = CONTAINER_OF(watch, struct conn, watch);

    CHECK_OBJ(conn, CONN_MAGIC);
    if (UNLIKELY((events & (EPOLLERR | EPOLLHUP)) != 0) &&
        !(conn->is_shut && (events & (EPOLLERR | EPOLLIN)) == EPOLLIN)) {
        conn_gone(conn, ERR_CLOSED, false);
        return;
    }
    if (UNLIKELY((events & EPOLLRDHUP) != 0) && conn->read_full && conn_is_cut(conn)) {
        conn_gone(conn, ERR_CLOSED, false);
        return;
    }
    if ((events & EPOLLOUT) != 0 && !h1_writable(conn)) {
        return;
    }
    if ((events & EPOLLIN) != 0) {
        (void)h1_readable(conn);
    }
}

static void conn_task_run(struct loop_task *task)
{
    struct conn *conn = CONTAINER_OF(task, struct conn, task);

    CHECK_OBJ(conn, CONN_MAGIC);
    if (conn->state == CONN_BROKEN) {
        conn_gone(conn, ERR_CLOSED, false);
    } else {
        (void)h1_advance(conn);
    }
}

/* ---- life ---- */

/* As text and, when it is an IPv4 address in IPv6 clothes, as what it is. */
void conn_peer_set(struct conn *conn, const struct sockaddr_storage *peer)
{
    const void *address = NULL;

    memset(&conn->peer, 0, sizeof(conn->peer));
    if (peer != NULL) {
        conn->peer = *peer;
    }
    if (conn->peer.ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const void *)&conn->peer;
        if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
            struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = six->sin6_port};
            memcpy(&four.sin_addr, &six->sin6_addr.s6_addr[12], sizeof(four.sin_addr));
            memset(&conn->peer, 0, sizeof(conn->peer));
            memcpy(&conn->peer, &four, sizeof(four));
        } else {
            address = &six->sin6_addr;
        }
    }
    if (conn->peer.ss_family == AF_INET) {
        address = &((const struct sockaddr_in *)(const void *)&conn->peer)->sin_addr;
    }
    if (address == NULL || inet_ntop(conn->peer.ss_family, address, conn->peer_name,
                                     sizeof(conn->peer_name)) == NULL) {
        memcpy(conn->peer_name, "unix", sizeof("unix"));
    }
    conn->stream.peer = &conn->peer;
    conn->stream.peer_text = span_str(conn->peer_name);
}

bool conn_enter(struct conn *conn)
{
    const struct listener_gate *gate = &conn->set->gate;

    if (gate->enter == NULL ||
        gate->enter(gate->ctx, (const struct sockaddr *)&conn->peer, &conn->ticket)) {
        return true;
    }
    net_count(&conn->set->counters->refused_gate, 1);
    return false;
}

/* At the limit of connections somebody has to go. False: it must be this one, and was counted. */
static bool conn_fits(struct conn *conn)
{
    struct listener_set *set = conn->set;
    unsigned open = atomic_load_explicit(&set->shared->connections, memory_order_relaxed);

    if (LIKELY(open <= set->limits.connections_max) || listener_make_room(set)) {
        return true;
    }
    net_count(&set->counters->refused_limit, 1);
    log_warn("connection_limit", "max=%u", set->limits.connections_max);
    return false;
}

void conn_open(struct listener *listener, int fd, const struct sockaddr_storage *peer,
               bool proxy_due)
{
    struct listener_set *set = listener->set;
    struct conn *conn = mem_try(sizeof(*conn));

    if (conn == NULL) {
        (void)close(fd);
        atomic_fetch_sub_explicit(&set->shared->connections, 1, memory_order_relaxed);
        return;
    }
    memset(conn, 0, sizeof(*conn));
    conn->magic = CONN_MAGIC;
    conn->set = set;
    conn->state = CONN_HEAD;
    conn->is_idle = true;
    conn->body_done = true;
    conn->proxy_due = proxy_due;
    conn->watch = (struct loop_watch){.ready = conn_ready, .fd = fd};
    loop_timer_init(&conn->timer, conn_timer_fire);
    loop_task_init(&conn->task, conn_task_run);
    conn->stream.ops = &h1_stream_ops;
    conn->stream.loop = set->loop;
    conn->stream.listener = listener;
    conn->stream.listener_ctx = listener->ctx;
    conn_peer_set(conn, peer);
    conn->send_deadline_us = CONN_NEVER;
    list_push(&set->conns, &conn->node);
    set->conn_count++;
    net_count(&set->counters->connections, 1);
    net_count(&set->counters->idle_connections, 1);
    conn_read_deadline_set(conn, loop_now_us(set->loop) + set->limits.idle_timeout_us);
    conn->is_opening = true;
    /* In this order: who may not enter is no reason to send others away. */
    if ((!proxy_due && !conn_enter(conn)) || !conn_fits(conn)) {
        conn_destroy(conn, false);
        return;
    }
    /* Under load the first request is there before its connection is accepted, and a connection for
     * one request then never meets epoll. */
    if (h1_readable(conn)) {
        conn->is_opening = false;
        conn_interest_update(conn);
        if (conn->watch.events == 0 && conn->state != CONN_BROKEN) {
            conn_gone(conn, ERR_NOMEM, false);
        }
    }
}

void conn_free(struct conn *conn)
{
    struct listener_set *set = conn->set;

    loop_timer_clear(&conn->timer);
    loop_task_clear(&conn->task);
    if (set->scratch_owner == conn) {
        set->scratch_owner = NULL;
    }
    if (conn->window != conn->block) {
        conn_block_give(set, conn->window);
    }
    conn_block_give(set, conn->block);
    mem_free(conn->out);
    if (UNLIKELY(conn->stream.keep != NULL)) {
        set->handler->left(conn->stream.keep);
    }
    list_remove(&conn->node);
    if (conn->is_idle) {
        net_count(&set->counters->idle_connections, (uint64_t)-1);
    }
    conn->magic = 0;
    mem_free(conn);
}

void conn_leave(struct listener_set *set, uint64_t ticket)
{
    if (ticket != 0) {
        set->gate.leave(set->gate.ctx, ticket);
    }
    set->conn_count--;
    net_count(&set->counters->connections, (uint64_t)-1);
    atomic_fetch_sub_explicit(&set->shared->connections, 1, memory_order_relaxed);
    if (set->draining && set->conn_count == 0) {
        loop_task_defer(set->loop, &set->done_task);
    }
}

void conn_destroy(struct conn *conn, bool reset)
{
    struct listener_set *set = conn->set;
    uint64_t ticket = conn->ticket;

    CHECK_OBJ(conn, CONN_MAGIC);
    CHECK(!conn->in_handler);
    if (reset) {
        struct linger cut = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(conn->watch.fd, SOL_SOCKET, SO_LINGER, &cut, sizeof(cut));
    }
    loop_watch_forget(set->loop, &conn->watch);
    (void)close(conn->watch.fd);
    conn_free(conn);
    conn_leave(set, ticket);
}

void conn_gone(struct conn *conn, enum err why, bool reset)
{
    if (conn->state == CONN_BUSY || (conn->state == CONN_BROKEN && !conn->handler_told)) {
        conn->in_handler = true;
        conn->set->handler->closed(&conn->stream, why);
        conn->in_handler = false;
    }
    conn_destroy(conn, reset);
}

void conn_break(struct conn *conn)
{
    loop_watch_remove(conn->set->loop, &conn->watch);
    conn->read_deadline_us = CONN_NEVER;
    conn->send_deadline_us = CONN_NEVER;
    conn->out_begin = conn->out_end = 0;
    conn->handler_told = false;
    conn->state = CONN_BROKEN;
    loop_task_defer(conn->set->loop, &conn->task);
}

bool conn_linger(struct conn *conn)
{
    if (conn->eof || shutdown(conn->watch.fd, SHUT_WR) != 0) {
        conn_destroy(conn, false);
        return false;
    }
    conn->state = CONN_LINGER;
    conn->drained_bytes = 0;
    conn->read_full = false;
    if (conn->window != conn->block) {
        conn_block_give(conn->set, conn->window);
    }
    conn_block_give(conn->set, conn->block);
    conn->block = NULL;
    conn->window = NULL;
    conn_interest_update(conn);
    conn_read_deadline_set(conn, loop_now_us(conn->set->loop) + CONN_LINGER_US);
    return true;
}

/* The handler let go of the stream with its response complete. */
static bool conn_finish(struct conn *conn)
{
    if (conn_has_output(conn)) {
        conn->state = CONN_FLUSH;
        conn_interest_update(conn);
        return true;
    }
    if (!conn->body_done) {
        if (conn->close_after || !h1_body_is_drainable(conn)) {
            return conn_linger(conn);
        }
        conn->state = CONN_DRAIN;
        conn->drained_bytes = 0;
        conn_interest_update(conn);
        conn_read_deadline_set(conn, loop_now_us(conn->set->loop) + CONN_LINGER_US);
        return h1_drain(conn);
    }
    if (conn->close_after) {
        /* Bytes not read would turn the close into a reset that may overtake the response. */
        if (conn->begin != conn->end || conn->read_full) {
            return conn_linger(conn);
        }
        conn_destroy(conn, false);
        return false;
    }
    return h1_next(conn);
}

bool conn_settle(struct conn *conn)
{
    if (conn->state == CONN_ENDED || (conn->state == CONN_FLUSH && !conn_has_output(conn))) {
        return conn_finish(conn);
    }
    if (conn->state == CONN_ABORTED) {
        conn_destroy(conn, conn->cut_by_reset);
        return false;
    }
    return true;
}
