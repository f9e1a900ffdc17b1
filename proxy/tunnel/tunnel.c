/*
 * tunnel - events, limits and the end; tunnel_move.c moves the bytes.
 *
 * Both descriptors are registered once, edge-triggered, for everything: what may be read and written
 * is remembered in each end, so that neither back-pressure nor its release costs a system call.
 */
#include "tunnel/tunnel.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/mem.h"
#include "tunnel/tunnel_private.h"

#define TUNNEL_MAGIC 0x74756e6eu
/* Silent for so long: the kernel is told to look whether both sides are still there. */
#define KEEPALIVE_US ((uint64_t)60000000)
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_EVERY_S 30
#define KEEPALIVE_TRIES 4

uint32_t tunnel_events(void)
{
    return (uint32_t)EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
}

/* ---- the kit ---- */

struct tunnel_kit *tunnel_kit_new(struct loop *loop)
{
    struct tunnel_kit *kit = mem_new(sizeof(*kit));
    kit->loop = loop;
    list_init(&kit->free_pipes);
    list_init(&kit->used_pipes);
    return kit;
}

void tunnel_kit_free(struct tunnel_kit **kit_at)
{
    struct tunnel_kit *kit = *kit_at;

    *kit_at = NULL;
    if (kit != NULL) {
        tunnel_pipes_close(kit);
        mem_free(kit->scratch);
        mem_free(kit);
    }
}

/* ---- the end ---- */

void tunnel_stop(struct tunnel *tunnel)
{
    CHECK_OBJ(tunnel, TUNNEL_MAGIC);
    for (unsigned i = 0; i < TUNNEL_PEERS; i++) {
        loop_watch_forget(tunnel->kit->loop, &tunnel->ends[i].watch);
        tunnel_drop(tunnel->kit, &tunnel->ends[i]);
    }
    loop_timer_clear(&tunnel->timer);
    loop_task_clear(&tunnel->task);
    tunnel->magic = 0;
}

static void finish(struct tunnel *tunnel, enum tunnel_outcome outcome)
{
    tunnel_stop(tunnel);
    tunnel->handler->over(tunnel, outcome);
}

/* ---- deadlines ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The timer fires at or before the earliest of them, and looks. */
void tunnel_arm(struct tunnel *tunnel)
{
    uint64_t at = tunnel->until_us;
    uint64_t now = loop_now_us(tunnel->kit->loop);

    if (tunnel->idle_us != 0) {
        at = earlier(at, tunnel->moved_us + tunnel->idle_us);
    }
    if (!tunnel->is_keepalive) {
        at = earlier(at, tunnel->moved_us + KEEPALIVE_US);
    }
    for (unsigned i = 0; i < TUNNEL_PEERS; i++) {
        uint64_t held_us = tunnel->ends[i].held_us;
        at = held_us == 0 ? at : earlier(at, held_us);
    }
    bool is_set = !list_is_empty(&tunnel->timer.node);
    if (at != UINT64_MAX && !(is_set && tunnel->timer.at_us <= at)) {
        loop_timer_set(tunnel->kit->loop, &tunnel->timer, at > now ? at - now : 0);
    }
}

static void keep_alive(struct tunnel *tunnel)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TRIES},
    };

    tunnel->is_keepalive = true;
    for (unsigned i = 0; i < TUNNEL_PEERS; i++) {
        for (unsigned j = 0; j < ARRAY_LEN(options); j++) {
            (void)setsockopt(tunnel->ends[i].watch.fd, options[j].level, options[j].name,
                             &options[j].value, sizeof(options[j].value));
        }
    }
}

/* ---- going on ---- */

/* One side is broken: what it had sent before is still for the other, as it would be without us
 * (a server that answers, and resets because it read no further). */
static void say_last_words(struct tunnel *tunnel)
{
    tunnel->is_dying = true;
    for (unsigned i = 0; i < TUNNEL_PEERS; i++) {
        tunnel->is_broken = false;
        tunnel->ends[i].readable = true; /* its event may still wait for its turn */
        tunnel_move(tunnel, (enum tunnel_peer)i);
    }
    tunnel->is_broken = true;
}

static void go_on(struct tunnel *tunnel)
{
    tunnel_move(tunnel, TUNNEL_CLIENT);
    if (!tunnel->is_broken) {
        tunnel_move(tunnel, TUNNEL_SERVER);
    }
    if (tunnel->is_broken) {
        say_last_words(tunnel);
    }
    if (tunnel->is_broken || tunnel->is_spent) {
        finish(tunnel, tunnel->is_broken ? TUNNEL_BROKEN : TUNNEL_SPENT);
        return;
    }
    if (tunnel->ends[TUNNEL_CLIENT].is_shut && tunnel->ends[TUNNEL_SERVER].is_shut) {
        finish(tunnel, TUNNEL_OVER);
        return;
    }
    if (tunnel_is_due(tunnel, TUNNEL_CLIENT) || tunnel_is_due(tunnel, TUNNEL_SERVER)) {
        loop_task_defer(tunnel->kit->loop, &tunnel->task); /* others have their turn */
    }
}

static void on_ready(struct tunnel *tunnel, enum tunnel_peer peer, uint32_t events)
{
    struct tunnel_end *end = &tunnel->ends[peer];

    CHECK_OBJ(tunnel, TUNNEL_MAGIC);
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        end->fin_seen = true;
        end->readable = true;
        end->writable = end->writable || (events & (EPOLLHUP | EPOLLERR)) != 0;
        /* Its end was read before: nothing else would tell. */
        tunnel->is_broken = tunnel->is_broken || ((events & EPOLLERR) != 0 && end->ended);
    }
    end->readable = end->readable || (events & EPOLLIN) != 0;
    end->writable = end->writable || (events & EPOLLOUT) != 0;
    go_on(tunnel);
}

static void on_client_ready(struct loop_watch *watch, uint32_t events)
{
    on_ready(CONTAINER_OF(watch, struct tunnel, ends[TUNNEL_CLIENT].watch), TUNNEL_CLIENT, events);
}

static void on_server_ready(struct loop_watch *watch, uint32_t events)
{
    on_ready(CONTAINER_OF(watch, struct tunnel, ends[TUNNEL_SERVER].watch), TUNNEL_SERVER, events);
}

static void on_task(struct loop_task *task)
{
    struct tunnel *tunnel = CONTAINER_OF(task, struct tunnel, task);

    CHECK_OBJ(tunnel, TUNNEL_MAGIC);
    go_on(tunnel);
}

static void on_timer(struct loop_timer *timer)
{
    struct tunnel *tunnel = CONTAINER_OF(timer, struct tunnel, timer);
    uint64_t now = loop_now_us(tunnel->kit->loop);
    bool is_released = false;

    CHECK_OBJ(tunnel, TUNNEL_MAGIC);
    if (now >= tunnel->until_us) {
        finish(tunnel, TUNNEL_TIMED_OUT);
        return;
    }
    if (tunnel->ends[TUNNEL_CLIENT].held_us != 0 || tunnel->ends[TUNNEL_SERVER].held_us != 0) {
        tunnel->moved_us = now; /* it is we who keep it silent */
    }
    if (tunnel->idle_us != 0 && now - tunnel->moved_us >= tunnel->idle_us) {
        finish(tunnel, TUNNEL_IDLE);
        return;
    }
    if (!tunnel->is_keepalive && now - tunnel->moved_us >= KEEPALIVE_US) {
        keep_alive(tunnel);
    }
    for (unsigned i = 0; i < TUNNEL_PEERS; i++) {
        if (tunnel->ends[i].held_us != 0 && now >= tunnel->ends[i].held_us) {
            tunnel->ends[i].held_us = 0;
            is_released = true;
        }
    }
    tunnel_arm(tunnel);
    if (is_released) {
        go_on(tunnel);
    }
}

/* ---- the begin ---- */

void tunnel_init(struct tunnel *tunnel, struct tunnel_kit *kit,
                 const struct tunnel_handler *handler, const struct tunnel_limits *limits)
{
    uint64_t now = loop_now_us(kit->loop);

    memset(tunnel, 0, sizeof(*tunnel));
    tunnel->magic = TUNNEL_MAGIC;
    tunnel->kit = kit;
    tunnel->handler = handler;
    tunnel->moved_us = now;
    tunnel->idle_us = limits->idle_us;
    tunnel->until_us = limits->time_us == 0 ? UINT64_MAX : now + limits->time_us;
    loop_timer_init(&tunnel->timer, on_timer);
    loop_task_init(&tunnel->task, on_task);
    tunnel->ends[TUNNEL_CLIENT].watch = (struct loop_watch){.ready = on_client_ready, .fd = -1};
    tunnel->ends[TUNNEL_SERVER].watch = (struct loop_watch){.ready = on_server_ready, .fd = -1};
    tunnel->ends[TUNNEL_CLIENT].writable = tunnel->ends[TUNNEL_SERVER].writable = true;
    if (kit->scratch == NULL) {
        kit->scratch = mem_new(TUNNEL_SCRATCH_BYTES);
    }
}

void tunnel_start(struct tunnel *tunnel)
{
    CHECK_OBJ(tunnel, TUNNEL_MAGIC);
    for (unsigned i = 0; i < TUNNEL_PEERS; i++) {
        tunnel->is_broken = tunnel->is_broken || tunnel->ends[i].watch.events == 0;
    }
    tunnel_arm(tunnel);
    if (tunnel->is_broken) {
        loop_task_defer(tunnel->kit->loop, &tunnel->task);
    }
}

uint64_t tunnel_sent(const struct tunnel *tunnel, enum tunnel_peer peer)
{
    return tunnel->ends[peer].sent;
}
