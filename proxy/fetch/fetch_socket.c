/*
 * fetch_socket - libcurl's sockets in our loop.
 *
 * A connection that libcurl puts aside stays registered for input: its next request then needs no
 * epoll call. If it becomes readable while idle (the origin closed it, or sent what nobody asked
 * for), the registration goes at that first event; libcurl finds out by itself before it would
 * reuse it. Only sockets we opened are treated so, since only of those we hear when they are
 * closed.
 *
 * libcurl 7.88 takes a kept connection with unread bytes for a good one, and tells in no callback
 * which socket it chose but by the local port, just before the request goes out. There the socket
 * is looked at.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "fetch/fetch_private.h"

void fetch_sockets_init(struct fetch_pool *pool)
{
    list_init(&pool->nameless);
    for (unsigned i = 0; i < FETCH_PORT_SLOTS; i++) {
        list_init(&pool->ports[i]);
    }
}

void fetch_sockets_fini(struct fetch_pool *pool)
{
    for (size_t i = 0; i < pool->socket_count; i++) {
        mem_free(pool->sockets[i]);
    }
    mem_free(pool->sockets);
}

static struct fetch_socket *fetch_socket_at(struct fetch_pool *pool, int fd)
{
    size_t at = (size_t)fd;

    if (at >= pool->socket_count) {
        size_t count = (at + 1) * 2 > 64 ? (at + 1) * 2 : 64;
        struct fetch_socket **grown =
            mem_try_resize(pool->sockets, count * sizeof(struct fetch_socket *));
        if (grown == NULL) {
            return NULL;
        }
        memset(grown + pool->socket_count, 0,
               (count - pool->socket_count) * sizeof(struct fetch_socket *));
        pool->sockets = grown;
        pool->socket_count = count;
    }
    return pool->sockets[at];
}

static void fetch_socket_ready(struct loop_watch *watch, uint32_t events)
{
    struct fetch_socket *sock = CONTAINER_OF(watch, struct fetch_socket, watch);
    struct fetch_pool *pool = sock->pool;
    uint32_t wanted = sock->wanted;
    int bits = 0;
    int running;

    if ((events & (EPOLLERR | EPOLLHUP)) == 0) {
        events &= wanted;
    }
    if (wanted == 0 || events == 0) {
        /* Registered for more than libcurl waits for now: bring it in line, or it would spin. */
        loop_watch_change(pool->loop, watch, wanted);
        return;
    }
    if ((events & (EPOLLIN | EPOLLHUP)) != 0) {
        bits |= CURL_CSELECT_IN;
    }
    if ((events & EPOLLOUT) != 0) {
        bits |= CURL_CSELECT_OUT;
    }
    if ((events & EPOLLERR) != 0) {
        bits |= CURL_CSELECT_ERR;
    }
    pool->in_curl = true;
    (void)curl_multi_socket_action(pool->multi, watch->fd, bits, &running);
    pool->in_curl = false;
    fetch_settle(pool);
}

static struct fetch_socket *fetch_socket_make(struct fetch_pool *pool, int fd)
{
    struct fetch_socket *sock = fetch_socket_at(pool, fd);

    if (sock == NULL && (size_t)fd < pool->socket_count) {
        sock = mem_new(sizeof(*sock));
        sock->watch = (struct loop_watch){.ready = fetch_socket_ready, .fd = fd};
        sock->pool = pool;
        list_init(&sock->port_node);
        pool->sockets[fd] = sock;
    }
    return sock;
}

int fetch_socket_want(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused)
{
    struct fetch_pool *pool = ctx;
    struct fetch_socket *sock = fetch_socket_make(pool, fd);
    uint32_t wanted = 0;

    (void)easy;
    (void)unused;
    if (sock == NULL) {
        return -1;
    }
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) {
        wanted |= EPOLLIN;
    }
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) {
        wanted |= EPOLLOUT;
    }
    sock->wanted = wanted;
    if (wanted == 0 && sock->is_ours && what == CURL_POLL_REMOVE && sock->watch.events == EPOLLIN) {
        return 0;
    }
    loop_watch_change(pool->loop, &sock->watch, wanted);
    return 0;
}

curl_socket_t fetch_socket_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch_pool *pool = ctx;
    int fd = socket(address->family, address->socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->protocol);

    (void)purpose;
    if (fd < 0) {
        log_warn("socket_refused", "what=origin");
        return CURL_SOCKET_BAD;
    }
    struct fetch_socket *sock = fetch_socket_make(pool, fd);
    if (sock == NULL) {
        (void)close(fd);
        return CURL_SOCKET_BAD;
    }
    /* libcurl closes a socket whose connect was given up without telling: what is known of this
     * descriptor may be of that one. */
    loop_watch_forget(pool->loop, &sock->watch);
    list_remove(&sock->port_node);
    sock->wanted = 0;
    sock->is_ours = true;
    sock->used = false;
    sock->local_port = 0;
    list_push(&pool->nameless, &sock->port_node);
    return fd;
}

int fetch_socket_close(void *ctx, curl_socket_t fd)
{
    struct fetch_pool *pool = ctx;
    struct fetch_socket *sock = fetch_socket_at(pool, fd);

    if (sock != NULL) {
        loop_watch_forget(pool->loop, &sock->watch);
        sock->wanted = 0;
        sock->is_ours = false;
        list_remove(&sock->port_node);
    }
    return close(fd);
}

static uint16_t fetch_port_of(const struct sockaddr_storage *address)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;

    if (address->ss_family == AF_INET6) {
        memcpy(&six, address, sizeof(six));
        return ntohs(six.sin6_port);
    }
    memcpy(&four, address, sizeof(four));
    return ntohs(four.sin_port);
}

/* Gives each socket opened since its place by local port, the one name by which libcurl tells us
 * later which connection it chose. */
static void fetch_sockets_name(struct fetch_pool *pool)
{
    for (struct list *at = pool->nameless.next; at != &pool->nameless;) {
        struct fetch_socket *sock = CONTAINER_OF(at, struct fetch_socket, port_node);
        struct sockaddr_storage address = {0};
        socklen_t len = sizeof(address);

        at = at->next;
        if (getsockname(sock->watch.fd, (struct sockaddr *)&address, &len) != 0) {
            continue;
        }
        sock->local_port = fetch_port_of(&address);
        len = sizeof(address);
        if (sock->local_port != 0 &&
            getpeername(sock->watch.fd, (struct sockaddr *)&address, &len) == 0) {
            sock->peer_port = fetch_port_of(&address);
            list_remove(&sock->port_node);
            list_push(&pool->ports[sock->local_port % FETCH_PORT_SLOTS], &sock->port_node);
        }
    }
}

enum fetch_line fetch_line_check(struct fetch_pool *pool, int local_port, int peer_port)
{
    enum fetch_line line = FETCH_LINE_CLEAN;

    fetch_sockets_name(pool);
    const struct list *slot = &pool->ports[(unsigned)local_port % FETCH_PORT_SLOTS];
    /* Two connections to different origins may share a port: both are looked at, at worst one for
     * nothing. */
    for (struct list *at = slot->next; at != slot; at = at->next) {
        struct fetch_socket *sock = CONTAINER_OF(at, struct fetch_socket, port_node);
        char byte;
        if (sock->local_port != local_port || sock->peer_port != peer_port) {
            continue;
        }
        bool used = sock->used;
        sock->used = true;
        ssize_t got = recv(sock->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            continue;
        }
        if (used) {
            return FETCH_LINE_STALE;
        }
        line = got > 0 ? FETCH_LINE_TALKING : line;
    }
    return line;
}
