/*
 * fetch_multi - libcurl's multi handle inside our loop: its timer, its sockets, its messages.
 *
 * A socket is libcurl's while it connects, and its connection's from then on: registered once, for
 * the life of the connection. libcurl closes a socket whose connect was given up without telling,
 * so what is known of a descriptor is forgotten when it is opened anew. And when it goes on to the
 * next address of a name it opens no socket until it is called once more, which nothing asks for:
 * we do, when it has let go of one while it connects.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "fetch/fetch_private.h"

/* ---- what it has to say ---- */

static void fetch_multi_settle(struct fetch_pool *pool)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        char *private = NULL;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) == CURLE_OK) {
            fetch_conn_opened((struct fetch_conn *)(void *)private, message->data.result);
        }
    }
}

/* ---- its timer ---- */

static int fetch_timer_want(CURLM *multi, long timeout_ms, void *ctx)
{
    struct fetch_pool *pool = ctx;

    (void)multi;
    pool->timeout_due = false;
    loop_timer_clear(&pool->timer);
    if (timeout_ms > 0) {
        loop_timer_set(pool->loop, &pool->timer, (uint64_t)timeout_ms * 1000);
    } else if (timeout_ms == 0) {
        pool->timeout_due = true;
        loop_task_defer(pool->loop, &pool->task);
    }
    return 0;
}

static void fetch_timer_run(struct fetch_pool *pool)
{
    int running;

    (void)curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    fetch_multi_settle(pool);
}

static void fetch_timer_fire(struct loop_timer *timer)
{
    fetch_timer_run(CONTAINER_OF(timer, struct fetch_pool, timer));
}

void fetch_multi_run_due(struct fetch_pool *pool)
{
    if (pool->timeout_due) {
        pool->timeout_due = false;
        fetch_timer_run(pool);
    }
}

/* ---- its sockets ---- */

static struct fetch_socket *fetch_socket_at(const struct fetch_pool *pool, int fd)
{
    return (size_t)fd < pool->socket_count ? pool->sockets[fd] : NULL;
}

static void fetch_conn_ready(struct fetch_conn *conn, uint32_t events)
{
    if (conn->h2 != NULL) {
        fetch_h2_run(conn->h2, (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0);
    } else if (conn->fetch != NULL) {
        fetch_ready(conn->fetch, events);
    } else if (fetch_conn_peek(conn) != FETCH_IO_AGAIN) {
        fetch_conn_close(conn); /* kept, and ended or spoken on without being asked */
    }
}

static void fetch_socket_ready(struct loop_watch *watch, uint32_t events)
{
    struct fetch_socket *sock = CONTAINER_OF(watch, struct fetch_socket, watch);
    struct fetch_pool *pool = sock->pool;
    int bits = 0;
    int running;

    if (sock->conn != NULL) {
        fetch_conn_ready(sock->conn, events);
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
    (void)curl_multi_socket_action(pool->multi, watch->fd, bits, &running);
    fetch_multi_settle(pool);
}

/* NULL without memory. */
static struct fetch_socket *fetch_socket_make(struct fetch_pool *pool, int fd)
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
    if (pool->sockets[at] == NULL) {
        struct fetch_socket *sock = mem_new(sizeof(*sock));
        sock->watch = (struct loop_watch){.ready = fetch_socket_ready, .fd = fd};
        sock->pool = pool;
        pool->sockets[at] = sock;
    }
    return pool->sockets[at];
}

/* libcurl lets go of a socket. */
static void fetch_socket_lost(CURL *easy)
{
    char *private = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private) == CURLE_OK && private != NULL) {
        struct fetch_conn *conn = (struct fetch_conn *)(void *)private;
        if (conn->fd < 0 && conn->fetch != NULL) {
            fetch_work(conn->fetch);
        }
    }
}

/* CURLMOPT_SOCKETFUNCTION: also for descriptors that are not ours, as those of its resolver. */
static int fetch_socket_want(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused)
{
    struct fetch_pool *pool = ctx;
    struct fetch_socket *sock = fetch_socket_make(pool, fd);
    uint32_t wanted = 0;

    (void)unused;
    if (what == CURL_POLL_REMOVE) {
        fetch_socket_lost(easy);
    }
    if (sock == NULL) {
        return 0; /* a refusal would end the multi handle for good; its timer ends the wait */
    }
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) {
        wanted |= EPOLLIN;
    }
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) {
        wanted |= EPOLLOUT;
    }
    if (sock->conn == NULL) {
        loop_watch_change(pool->loop, &sock->watch, wanted);
    }
    return 0;
}

/* It leaves from where its peer says. The port is chosen with the connection, so that as many can be
 * open as there are pairs. */
static bool fetch_socket_bind(struct fetch_conn *conn, int fd, int family)
{
    const struct sockaddr_storage *from = &conn->peer->from;
    socklen_t len = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    char text[INET6_ADDRSTRLEN] = "";
    char why[96];
    int on = 1;

    if (LIKELY(from->ss_family == AF_UNSPEC)) {
        return true;
    }
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (from->ss_family == family && bind(fd, (const struct sockaddr *)from, len) == 0) {
        return true;
    }
    int number = from->ss_family == family ? errno : EAFNOSUPPORT;
    conn->is_homeless = true;
    (void)inet_ntop(
        from->ss_family,
        from->ss_family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(const void *)from)->sin6_addr
            : (const void *)&((const struct sockaddr_in *)(const void *)from)->sin_addr,
        text, sizeof(text));
    log_warn_about(text, "outgoing_refused", "address=%s reason=\"%s\"", text,
                   strerror_r(number, why, sizeof(why)));
    return false;
}

curl_socket_t fetch_socket_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch_conn *conn = ctx;
    struct fetch_pool *pool = conn->pool;
    int fd = socket(address->family, address->socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->protocol);

    (void)purpose;
    if (fd < 0) {
        conn->is_denied = errno != EAFNOSUPPORT;
        log_warn("socket_refused", "what=origin");
        return CURL_SOCKET_BAD;
    }
    struct fetch_socket *sock = fetch_socket_make(pool, fd);
    if (sock == NULL || !fetch_socket_bind(conn, fd, address->family)) {
        conn->is_denied = true;
        (void)close(fd);
        return CURL_SOCKET_BAD;
    }
    loop_watch_forget(pool->loop, &sock->watch);
    sock->conn = NULL;
    return fd;
}

int fetch_socket_close(void *ctx, curl_socket_t fd)
{
    struct fetch_pool *pool = ctx;
    struct fetch_socket *sock = fetch_socket_at(pool, fd);

    if (sock != NULL) {
        loop_watch_forget(pool->loop, &sock->watch);
        sock->conn = NULL;
    }
    return close(fd);
}

bool fetch_socket_adopt(struct fetch_conn *conn)
{
    struct fetch_socket *sock = fetch_socket_at(conn->pool, conn->fd);

    if (sock == NULL) {
        return false;
    }
    sock->conn = conn;
    loop_watch_change(conn->pool->loop, &sock->watch, EPOLLIN);
    return true;
}

void fetch_socket_watch(const struct fetch_conn *conn, uint32_t events)
{
    struct fetch_socket *sock = fetch_socket_at(conn->pool, conn->fd);

    CHECK(sock != NULL && sock->conn == conn);
    if (sock->watch.events != events) {
        loop_watch_change(conn->pool->loop, &sock->watch, events);
    }
}

/* ---- the multi handle ---- */

void fetch_multi_init(struct fetch_pool *pool)
{
    loop_timer_init(&pool->timer, fetch_timer_fire);
    pool->multi = curl_multi_init();
    CHECK(pool->multi != NULL);
    bool good =
        curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, fetch_socket_want) == CURLM_OK &&
        curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool) == CURLM_OK &&
        curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, fetch_timer_want) == CURLM_OK &&
        curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool) == CURLM_OK &&
        curl_multi_setopt(pool->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) == CURLM_OK;
    CHECK(good);
}

void fetch_multi_fini(struct fetch_pool *pool)
{
    (void)curl_multi_cleanup(pool->multi);
    loop_timer_clear(&pool->timer);
    for (size_t i = 0; i < pool->socket_count; i++) {
        mem_free(pool->sockets[i]);
    }
    mem_free(pool->sockets);
}
