/*
 * listener - accepts in bounded batches and keeps the books of a worker's connections.
 *
 * Out of descriptors: the kernel would report the waiting client for ever and the loop would spin.
 * A reserve descriptor is given up, the client accepted with it and closed at once, and accepting
 * rests for a moment; connections that end meanwhile make room.
 */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/conn.h"

enum {
    ACCEPT_BATCH = 64,    /* per listener and round */
    MAKE_ROOM_LOOKS = 64, /* connections looked at for one to be closed */
};
#define ACCEPT_PAUSE_US ((uint64_t)100000)

/* ---- accepting ---- */

static void listener_reserve_open(struct listener_set *set)
{
    if (set->reserve < 0) {
        set->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

static void listener_set_pause(struct listener_set *set)
{
    for (struct list *at = set->listeners.next; at != &set->listeners; at = at->next) {
        loop_watch_remove(set->loop, &CONTAINER_OF(at, struct listener, node)->watch);
    }
    loop_timer_set(set->loop, &set->pause, ACCEPT_PAUSE_US);
}

static void listener_set_resume(struct loop_timer *timer)
{
    struct listener_set *set = CONTAINER_OF(timer, struct listener_set, pause);

    listener_reserve_open(set);
    for (struct list *at = set->listeners.next; at != &set->listeners; at = at->next) {
        struct listener *listener = CONTAINER_OF(at, struct listener, node);
        if (listener->watch.events == 0 &&
            loop_watch_add(set->loop, &listener->watch, EPOLLIN) != ERR_OK) {
            loop_timer_set(set->loop, &set->pause, ACCEPT_PAUSE_US);
        }
    }
}

static void listener_refuse(struct listener *listener)
{
    struct listener_set *set = listener->set;

    log_warn("descriptors_exhausted", "what=client");
    net_count(&set->counters->refused_descriptors, 1);
    if (set->reserve >= 0) {
        (void)close(set->reserve);
        set->reserve = -1;
        int fd = accept4(listener->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            (void)close(fd);
        }
        listener_reserve_open(set);
    }
    listener_set_pause(set);
}

/* Has its next request not come in the meantime? */
static bool listener_is_silent(const struct conn *conn)
{
    char byte;
    return recv(conn->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

bool listener_make_room(struct listener_set *set)
{
    struct conn *oldest = NULL;

    for (unsigned i = 0; i < MAKE_ROOM_LOOKS && i < set->conn_count; i++) {
        struct list *node = list_pop(&set->conns);
        if (node == NULL) {
            break; /* all are seats */
        }
        struct conn *conn = CONTAINER_OF(node, struct conn, node);
        list_push(&set->conns, &conn->node);
        /* The deadlines of idle connections are in the order in which they became idle. */
        if (conn->is_idle && !conn->is_opening &&
            (oldest == NULL || conn->read_deadline_us < oldest->read_deadline_us) &&
            listener_is_silent(conn)) {
            oldest = conn;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    net_count(&set->counters->made_room, 1);
    conn_destroy(oldest, false);
    return true;
}

/* False: no more for now. */
static bool listener_accept_one(struct listener *listener)
{
    struct listener_set *set = listener->set;
    struct sockaddr_storage peer = {0};
    socklen_t peer_len = sizeof(peer);
    int fd = accept4(listener->watch.fd, (struct sockaddr *)&peer, &peer_len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if ((errno == EMFILE || errno == ENFILE) && listener_make_room(set)) {
            return true;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            listener_refuse(listener);
            return false;
        }
        /* A client that left while it waited is no reason to stop. */
        return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
    }
    atomic_fetch_add_explicit(&set->shared->connections, 1, memory_order_relaxed);
    net_count(&set->counters->accepted, 1);
    enum listener_proxy proxy = LISTENER_PLAIN;
    if (set->proxy != NULL) {
        proxy = set->proxy(listener->ctx, listener->index, (const struct sockaddr *)&peer);
    }
    if (proxy == LISTENER_PROXY_REFUSED) {
        net_count(&set->counters->refused_proxy, 1);
        atomic_fetch_sub_explicit(&set->shared->connections, 1, memory_order_relaxed);
        (void)close(fd);
        return true;
    }
    conn_open(listener, fd, &peer, proxy == LISTENER_PROXY_HEADER);
    return true;
}

static void listener_ready(struct loop_watch *watch, uint32_t events)
{
    struct listener *listener = CONTAINER_OF(watch, struct listener, watch);

    (void)events;
    for (unsigned i = 0; i < ACCEPT_BATCH && listener_accept_one(listener); i++) {
    }
}

/* ---- the set ---- */

static void listener_set_done(struct loop_task *task)
{
    struct listener_set *set = CONTAINER_OF(task, struct listener_set, done_task);

    if (set->done != NULL) {
        void (*done)(void *ctx) = set->done;
        set->done = NULL;
        done(set->done_ctx);
    }
}

struct listener_set *listener_set_new(const struct listener_set_options *options)
{
    struct listener_set *set = mem_new(sizeof(*set));

    set->loop = options->loop;
    set->handler = options->handler;
    set->proxy = options->proxy;
    set->gate = options->gate;
    set->limits = options->limits;
    set->shared = options->shared;
    set->counters = options->counters;
    list_init(&set->listeners);
    list_init(&set->conns);
    list_init(&set->seats);
    loop_timer_init(&set->pause, listener_set_resume);
    loop_task_init(&set->done_task, listener_set_done);
    set->reserve = -1;
    listener_reserve_open(set);
    return set;
}

enum err listener_set_add(struct listener_set *set, int fd, void *ctx)
{
    struct listener *listener = mem_new(sizeof(*listener));

    CHECK(!set->draining);
    listener->set = set;
    listener->ctx = ctx;
    listener->index = set->listener_count++;
    listener->watch = (struct loop_watch){.ready = listener_ready, .fd = fd};
    enum err err = loop_watch_add(set->loop, &listener->watch, EPOLLIN);
    if (err != ERR_OK) {
        mem_free(listener);
        return err;
    }
    list_push(&set->listeners, &listener->node);
    return ERR_OK;
}

unsigned listener_index(const struct listener *listener)
{
    return listener->index;
}

static void listener_pool_drop(struct listener_set *set)
{
    while (set->pool != NULL) {
        struct conn_block *block = set->pool;
        set->pool = block->next;
        mem_free(block);
    }
    set->pool_count = 0;
}

void listener_set_limits(struct listener_set *set, const struct conn_limits *limits)
{
    if (set->limits.head.fields_count != limits->head.fields_count) {
        listener_pool_drop(set); /* their tables are of another size */
    }
    set->limits = *limits;
}

/* Connections name their listener, so it is freed only when they are gone. */
static void listener_set_stop(struct listener_set *set)
{
    loop_timer_clear(&set->pause);
    for (struct list *at = set->listeners.next; at != &set->listeners; at = at->next) {
        struct listener *listener = CONTAINER_OF(at, struct listener, node);
        if (listener->watch.fd >= 0) {
            loop_watch_remove(set->loop, &listener->watch);
            (void)close(listener->watch.fd);
            listener->watch.fd = -1;
        }
    }
}

void listener_set_drain(struct listener_set *set, void (*done)(void *ctx), void *ctx)
{
    set->draining = true;
    set->done = done;
    set->done_ctx = ctx;
    listener_set_stop(set);
    for (struct list *at = set->conns.next; at != &set->conns;) {
        struct conn *conn = CONTAINER_OF(at, struct conn, node);
        at = at->next;
        if (conn->is_idle) {
            conn_destroy(conn, false);
        }
    }
    if (set->conn_count == 0) {
        loop_task_defer(set->loop, &set->done_task);
    }
}

void listener_set_free(struct listener_set **set_ptr)
{
    struct listener_set *set = *set_ptr;

    if (set == NULL) {
        return;
    }
    *set_ptr = NULL;
    listener_set_stop(set);
    /* One at a time from the front: a handler told of one end may end others. */
    while (!list_is_empty(&set->conns)) {
        conn_gone(CONTAINER_OF(set->conns.next, struct conn, node), ERR_CLOSED, false);
    }
    while (!list_is_empty(&set->seats)) {
        struct stream_seat *seat = CONTAINER_OF(set->seats.next, struct stream_seat, node);
        seat->cut(seat);
    }
    loop_task_clear(&set->done_task);
    for (struct list *at = list_pop(&set->listeners); at != NULL; at = list_pop(&set->listeners)) {
        mem_free(CONTAINER_OF(at, struct listener, node));
    }
    listener_pool_drop(set);
    if (set->reserve >= 0) {
        (void)close(set->reserve);
    }
    mem_free(set);
}

/* ---- binding ---- */

/* "host:port", "[v6]:port", ":port". Returns the length of the address, 0 when the text is not one.
 */
static socklen_t listener_address_parse(const char *text, struct sockaddr_storage *out)
{
    const char *colon = strrchr(text, ':');
    char host[64] = "";
    uint64_t port;

    memset(out, 0, sizeof(*out));
    if (colon == NULL || !span_to_u64(span_str(colon + 1), 65535, &port)) {
        return 0;
    }
    struct span name = span_of(text, (size_t)(colon - text));
    bool bracketed = name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']';
    if (bracketed) {
        name = span_of(name.ptr + 1, name.len - 2);
    }
    if (name.len >= sizeof(host)) {
        return 0;
    }
    if (name.len > 0) {
        memcpy(host, name.ptr, name.len);
    }
    if (bracketed || name.len == 0) {
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        if (name.len > 0 && inet_pton(AF_INET6, host, &six.sin6_addr) != 1) {
            return 0;
        }
        memcpy(out, &six, sizeof(six));
        return sizeof(six);
    }
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &four.sin_addr) != 1) {
        return 0;
    }
    memcpy(out, &four, sizeof(four));
    return sizeof(four);
}

static int listener_socket(const struct sockaddr_storage *address, socklen_t len, int both_families,
                           int backlog)
{
    int one = 1;
    int v6_only = !both_families;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    /* TCP_NODELAY is inherited by what is accepted. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
        (address->ss_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)) != 0) ||
        bind(fd, (const struct sockaddr *)address, len) != 0 || listen(fd, backlog) != 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

int listener_bind(const char *text, int backlog)
{
    struct sockaddr_storage address;
    socklen_t len = listener_address_parse(text, &address);

    if (len == 0) {
        errno = EINVAL;
        return -1;
    }
    bool any = text[0] == ':';
    int fd = listener_socket(&address, len, any, backlog);
    if (fd < 0 && any && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        /* A kernel without IPv6. */
        struct sockaddr_in6 six;
        memcpy(&six, &address, sizeof(six));
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = six.sin6_port};
        memset(&address, 0, sizeof(address));
        memcpy(&address, &four, sizeof(four));
        fd = listener_socket(&address, sizeof(four), false, backlog);
    }
    return fd;
}

unsigned listener_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {.sin6_port = 0}};
    socklen_t len = sizeof(address);

    if (getsockname(fd, &address.any, &len) != 0) {
        return 0;
    }
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

bool listener_is_taken(const char *text)
{
    struct sockaddr_storage address;
    socklen_t len = listener_address_parse(text, &address);
    int one = 1;
    int v6_only = text[0] != ':';
    int fd = len == 0 ? -1 : socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return false;
    }
    bool taken = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
                 (address.ss_family != AF_INET6 ||
                  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)) == 0) &&
                 bind(fd, (const struct sockaddr *)&address, len) != 0 && errno == EADDRINUSE;
    (void)close(fd);
    return taken;
}
