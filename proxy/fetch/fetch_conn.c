/*
 * fetch_conn - connections to origins: opened by libcurl, kept for the next request, closed.
 *
 * CURLOPT_CONNECT_ONLY: libcurl connects, for https also shakes hands, and hands over a connection
 * that is read and written with curl_easy_recv and curl_easy_send. The handle stays with its
 * connection for life; both sends and receives hold libcurl's own pruning of idle connections off.
 *
 * A kept connection stays registered for input. Whatever it reports is reason to close it: its end,
 * or bytes nobody asked for, which would answer the next request (response splitting). What arrives
 * between the loop's look and the next use is found by a last look just before it
 * (fetch_conn_take).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "fetch/fetch_private.h"

#define CONN_MAGIC 0x66636f6eu
#define CONN_DNS_CACHE_S 60L
/* The most libcurl reads at once. */
#define CONN_READ_BYTES (256L * 1024)

/* ---- handles ---- */

/* The handle lets go of the sessions of its peer. It always has some share: used without, libcurl
 * 7.88 gives it sessions of its own, and forgets to free them when it gets a share later. */
static bool fetch_conn_forget(struct fetch_conn *conn)
{
    return curl_easy_setopt(conn->easy, CURLOPT_SHARE, conn->pool->no_sessions) == CURLE_OK;
}

/* What never changes. libcurl obeys http_proxy unless told otherwise. */
static bool fetch_conn_setup(struct fetch_conn *conn)
{
    CURL *easy = conn->easy;
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_CONNECT_ONLY, 1},
        {CURLOPT_FRESH_CONNECT, 1},
        {CURLOPT_BUFFERSIZE, CONN_READ_BYTES},
        {CURLOPT_DNS_CACHE_TIMEOUT, CONN_DNS_CACHE_S},
        {CURLOPT_TCP_NODELAY, 1},
        /* Giving up does not wait for the thread that resolves the name. */
        {CURLOPT_QUICK_EXIT, 1},
    };
    bool good = true;

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        good = curl_easy_setopt(easy, numbers[i].option, numbers[i].value) == CURLE_OK && good;
    }
    return good && curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, fetch_socket_open) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, conn) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, fetch_socket_close) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, conn->pool) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, conn->error) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, conn) == CURLE_OK && fetch_conn_forget(conn);
}

static void fetch_conn_free(struct fetch_conn *conn)
{
    curl_easy_cleanup(conn->easy);
    curl_slist_free_all(conn->connect_to);
    conn->magic = 0;
    mem_free(conn);
}

static struct fetch_conn *fetch_conn_new(struct fetch_pool *pool)
{
    struct list *spare = list_pop(&pool->spare_conns);

    if (spare != NULL) {
        pool->spare_conn_count--;
        return CONTAINER_OF(spare, struct fetch_conn, node);
    }
    struct fetch_conn *conn = mem_new(sizeof(*conn));
    conn->magic = CONN_MAGIC;
    conn->pool = pool;
    conn->fd = -1;
    list_init(&conn->node);
    list_init(&conn->idle_node);
    list_init(&conn->age_node);
    list_init(&conn->share_node);
    list_init(&conn->waiting);
    conn->easy = curl_easy_init();
    if (conn->easy == NULL || !fetch_conn_setup(conn)) {
        fetch_conn_free(conn);
        return NULL;
    }
    return conn;
}

/* Tells libcurl where to. The URL of a TLS connection has the name that is verified and sent as
 * SNI; where it goes is told apart. */
static bool fetch_conn_aim(struct fetch_conn *conn)
{
    const struct fetch_peer *peer = conn->peer;
    const char *where = conn->address[0] != '\0' ? conn->address : peer->host;
    const char *host = peer->has_tls ? peer->tls.name : where;
    char url[FETCH_URL_BYTES];
    char to[FETCH_URL_BYTES];
    int len =
        snprintf(url, sizeof(url), strchr(host, ':') != NULL ? "%s://[%s]:%u/" : "%s://%s:%u/",
                 peer->has_tls ? "https" : "http", host, peer->port);
    int to_len = snprintf(to, sizeof(to), strchr(where, ':') != NULL ? "::[%s]:%u" : "::%s:%u",
                          where, peer->port);

    if (len <= 0 || len >= FETCH_URL_BYTES || to_len <= 0 || to_len >= FETCH_URL_BYTES) {
        return false;
    }
    curl_slist_free_all(conn->connect_to);
    conn->connect_to = host == where ? NULL : curl_slist_append(NULL, to);
    if ((host != where && conn->connect_to == NULL) ||
        curl_easy_setopt(conn->easy, CURLOPT_CONNECT_TO, conn->connect_to) != CURLE_OK) {
        return false;
    }
    if (strcmp(url, conn->url) != 0) {
        conn->url[0] = '\0';
        if (curl_easy_setopt(conn->easy, CURLOPT_URL, url) != CURLE_OK) {
            return false;
        }
        memcpy(conn->url, url, sizeof(url));
    }
    return !peer->has_tls || fetch_tls_setup(conn);
}

/* How long libcurl may take. */
static bool fetch_conn_limit(struct fetch_conn *conn, uint64_t timeout_us)
{
    if (conn->told_connect_timeout_us == timeout_us) {
        return true;
    }
    conn->told_connect_timeout_us = timeout_us;
    return curl_easy_setopt(conn->easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long)((timeout_us + 999) / 1000)) == CURLE_OK;
}

/* ---- opening and closing ---- */

struct fetch_conn *fetch_conn_open(struct fetch *fetch, bool is_shared)
{
    struct fetch_pool *pool = fetch->pool;
    struct fetch_conn *conn = fetch_conn_new(pool);

    if (conn == NULL) {
        return NULL;
    }
    conn->is_used = false;
    conn->error[0] = '\0';
    conn->alert = 0;
    conn->is_denied = false;
    conn->is_homeless = false;
    conn->is_shared = is_shared;
    conn->speaks_h2 = false;
    memcpy(conn->address, fetch->address, sizeof(conn->address));
    conn->peer = fetch_peer_join(pool, fetch->origin);
    if (!fetch_conn_aim(conn) || !fetch_conn_limit(conn, fetch->origin->connect_timeout_us) ||
        curl_multi_add_handle(pool->multi, conn->easy) != CURLM_OK) {
        struct fetch_peer *peer = conn->peer;
        fetch_conn_free(conn);
        fetch_peer_leave(peer);
        return NULL;
    }
    conn->in_multi = true;
    conn->fetch = fetch;
    if (is_shared) {
        list_push(&conn->peer->shared, &conn->share_node);
    }
    return conn;
}

void fetch_conn_push(struct fetch_conn *conn)
{
    /* The end of a pause makes it run; nothing else of it matters before there is a transfer. */
    (void)curl_easy_pause(conn->easy, CURLPAUSE_RECV);
    (void)curl_easy_pause(conn->easy, CURLPAUSE_CONT);
    conn->pool->timeout_due = true;
}

/* Whoever wanted it hears why it could not be had. */
static void fetch_conn_failed(struct fetch_conn *conn, CURLcode code)
{
    char detail[CURL_ERROR_SIZE];
    enum fetch_fault fault = fetch_connect_fault(conn, code, detail, sizeof(detail));
    struct list all;
    struct list *node;

    list_init(&all);
    list_push(&all, &conn->fetch->ride_node);
    while ((node = list_pop(&conn->waiting)) != NULL) {
        list_push(&all, node);
    }
    for (node = all.next; node != &all; node = node->next) {
        CONTAINER_OF(node, struct fetch, ride_node)->conn = NULL;
    }
    conn->waiting_count = 0;
    fetch_conn_close(conn);
    while ((node = list_pop(&all)) != NULL) {
        fetch_end(CONTAINER_OF(node, struct fetch, ride_node), fault, detail, false);
    }
}

/* It is for one at a time after all: the others look for connections of their own. */
static void fetch_conn_unshare(struct fetch_conn *conn)
{
    struct list all;
    struct list *node;

    conn->peer->protocol = FETCH_PEER_H1;
    list_remove(&conn->share_node);
    list_init(&all);
    while ((node = list_pop(&conn->waiting)) != NULL) {
        CONTAINER_OF(node, struct fetch, ride_node)->conn = NULL;
        list_push(&all, node);
    }
    conn->waiting_count = 0;
    while ((node = list_pop(&all)) != NULL) {
        struct fetch *fetch = CONTAINER_OF(node, struct fetch, ride_node);
        fetch->result.reused_connection = false;
        fetch_go(fetch);
    }
}

void fetch_conn_opened(struct fetch_conn *conn, CURLcode code)
{
    CHECK_OBJ(conn, CONN_MAGIC);
    curl_socket_t fd = CURL_SOCKET_BAD;

    CHECK(conn->fetch != NULL && conn->fd < 0);
    if (code == CURLE_OK &&
        (curl_easy_getinfo(conn->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
         fd == CURL_SOCKET_BAD)) {
        code = CURLE_COULDNT_CONNECT;
    }
    conn->fd = fd;
    if (code == CURLE_OK && !fetch_socket_adopt(conn)) {
        code = CURLE_OUT_OF_MEMORY;
    }
    if (code != CURLE_OK) {
        fetch_conn_failed(conn, code);
        return;
    }
    conn->pool->figures.connects++;
    conn->fetch->result.connect_us = fetch_conn_connect_us(conn);
    if (conn->speaks_h2) {
        conn->peer->protocol = FETCH_PEER_H2;
        if (!fetch_h2_opened(conn)) {
            fetch_conn_failed(conn, CURLE_OUT_OF_MEMORY);
        }
        return;
    }
    if (conn->is_shared) {
        fetch_conn_unshare(conn);
    }
    fetch_connected(conn->fetch);
}

bool fetch_conn_is_kept(const struct fetch_conn *conn)
{
    return !list_is_empty(&conn->age_node);
}

void fetch_conn_unkeep(struct fetch_conn *conn)
{
    struct fetch_peer *peer = conn->peer;

    if (!fetch_conn_is_kept(conn)) {
        return;
    }
    CHECK(peer != NULL && peer->idle_count > 0);
    list_remove(&conn->age_node);
    list_remove(&conn->idle_node);
    conn->pool->idle_count--;
    peer->idle_count--;
}

void fetch_conn_close(struct fetch_conn *conn)
{
    CHECK_OBJ(conn, CONN_MAGIC);
    struct fetch_pool *pool = conn->pool;
    struct fetch_peer *peer = conn->peer;

    CHECK(peer != NULL);
    CHECK(list_is_empty(&conn->waiting));
    fetch_conn_unkeep(conn);
    list_remove(&conn->share_node);
    if (conn->h2 != NULL) {
        fetch_h2_close(conn->h2);
        conn->h2 = NULL;
    }
    conn->fetch = NULL;
    conn->fd = -1;
    if (conn->in_multi) {
        /* Of a connection made with CONNECT_ONLY this is the end: libcurl closes it. */
        conn->in_multi = false;
        (void)curl_multi_remove_handle(pool->multi, conn->easy);
    }
    if (peer->has_tls) {
        (void)fetch_conn_forget(conn);
    }
    fetch_peer_leave(peer);
    conn->peer = NULL;
    if (pool->spare_conn_count >= FETCH_SPARES_MAX) {
        fetch_conn_free(conn);
        return;
    }
    list_push_front(&pool->spare_conns, &conn->node);
    pool->spare_conn_count++;
}

/* ---- kept ones ---- */

/* Expiries close together are seen to at once. */
#define IDLE_STEP_US 100000u

static void fetch_idle_timer_set(struct fetch_pool *pool, uint64_t due_us)
{
    uint64_t now = loop_now_us(pool->loop);

    pool->idle_due_us = due_us;
    loop_timer_set(pool->loop, &pool->idle_timer, (due_us > now ? due_us - now : 0) + IDLE_STEP_US);
}

static void fetch_idle_fire(struct loop_timer *timer)
{
    struct fetch_pool *pool = CONTAINER_OF(timer, struct fetch_pool, idle_timer);
    uint64_t now = loop_now_us(pool->loop);
    uint64_t next_us = UINT64_MAX;

    for (struct list *at = pool->idle.next; at != &pool->idle;) {
        struct fetch_conn *conn = CONTAINER_OF(at, struct fetch_conn, age_node);
        at = at->next;
        if (conn->idle_until_us <= now) {
            fetch_conn_close(conn);
        } else if (conn->idle_until_us < next_us) {
            next_us = conn->idle_until_us;
        }
    }
    pool->idle_due_us = UINT64_MAX;
    if (next_us != UINT64_MAX) {
        fetch_idle_timer_set(pool, next_us);
    }
}

/* Makes room for one more. False: none are kept. */
static bool fetch_idle_room(struct fetch_pool *pool, struct fetch_peer *peer, unsigned most)
{
    if (most == 0 || pool->options.idle_connections == 0) {
        return false;
    }
    while (peer->idle_count >= most) {
        fetch_conn_close(CONTAINER_OF(peer->idle.prev, struct fetch_conn, idle_node));
    }
    if (pool->idle_count >= pool->options.idle_connections) {
        fetch_conn_close(CONTAINER_OF(pool->idle.next, struct fetch_conn, age_node));
    }
    return true;
}

void fetch_conn_keep(struct fetch_conn *conn, unsigned most, uint64_t max_us)
{
    CHECK_OBJ(conn, CONN_MAGIC);
    struct fetch_pool *pool = conn->pool;
    struct fetch_peer *peer = conn->peer;

    if (!fetch_idle_room(pool, peer, most)) {
        fetch_conn_close(conn);
        return;
    }
    conn->fetch = NULL;
    conn->idle_until_us = loop_now_us(pool->loop) + max_us;
    fetch_socket_watch(conn, EPOLLIN);
    if (conn->idle_until_us < pool->idle_due_us) {
        fetch_idle_timer_set(pool, conn->idle_until_us);
    }
    list_push(&pool->idle, &conn->age_node);
    list_push_front(&peer->idle, &conn->idle_node);
    pool->idle_count++;
    peer->idle_count++;
}

/* The one last used to where the fetch wants to go. */
static struct fetch_conn *fetch_idle_find(const struct fetch *fetch)
{
    struct fetch_peer *peer = fetch_peer_find(fetch->pool, fetch->origin);

    if (peer != NULL) {
        for (struct list *at = peer->idle.next; at != &peer->idle; at = at->next) {
            struct fetch_conn *conn = CONTAINER_OF(at, struct fetch_conn, idle_node);
            if (conn->h2 == NULL && strcmp(conn->address, fetch->address) == 0) {
                return conn;
            }
        }
    }
    return NULL;
}

struct fetch_conn *fetch_conn_take(const struct fetch *fetch)
{
    struct fetch_conn *conn;

    /* Closing the last connection of a peer is its end: looked up anew each time. */
    while ((conn = fetch_idle_find(fetch)) != NULL) {
        if (loop_now_us(fetch->pool->loop) < conn->idle_until_us &&
            fetch_conn_peek(conn) == FETCH_IO_AGAIN) {
            fetch_conn_unkeep(conn);
            return conn;
        }
        fetch_conn_close(conn);
    }
    return NULL;
}

/* ---- bytes ---- */

enum fetch_io fetch_conn_peek(struct fetch_conn *conn)
{
    char byte;
    size_t count;

    if (conn->peer->has_tls) {
        /* What the socket holds may be for TLS itself, such as a session to resume. */
        return fetch_conn_read(conn, &byte, 1, &count);
    }
    ssize_t got = recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (got >= 0) {
        return got > 0 ? FETCH_IO_DONE : FETCH_IO_END;
    }
    return errno == EAGAIN || errno == EINTR ? FETCH_IO_AGAIN : FETCH_IO_BROKEN;
}

enum fetch_io fetch_conn_read(struct fetch_conn *conn, char *to, size_t size, size_t *count)
{
    CURLcode code = curl_easy_recv(conn->easy, to, size, count);

    if (code == CURLE_OK) {
        return *count > 0 ? FETCH_IO_DONE : FETCH_IO_END;
    }
    *count = 0;
    return code == CURLE_AGAIN ? FETCH_IO_AGAIN : FETCH_IO_BROKEN;
}

enum fetch_io fetch_conn_write(struct fetch_conn *conn, const char *from, size_t size,
                               size_t *count)
{
    CURLcode code = curl_easy_send(conn->easy, from, size, count);

    if (code == CURLE_OK) {
        return FETCH_IO_DONE;
    }
    *count = 0;
    return code == CURLE_AGAIN ? FETCH_IO_AGAIN : FETCH_IO_BROKEN;
}

uint64_t fetch_conn_connect_us(const struct fetch_conn *conn)
{
    curl_off_t connect_us = 0;

    (void)curl_easy_getinfo(
        conn->easy, conn->peer->has_tls ? CURLINFO_APPCONNECT_TIME_T : CURLINFO_CONNECT_TIME_T,
        &connect_us);
    return connect_us > 0 ? (uint64_t)connect_us : 1;
}

void fetch_conns_init(struct fetch_pool *pool)
{
    list_init(&pool->idle);
    pool->idle_due_us = UINT64_MAX;
    list_init(&pool->spare_conns);
    pool->no_sessions = curl_share_init();
    CHECK(pool->no_sessions != NULL);
    (void)curl_share_setopt(pool->no_sessions, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    list_init(&pool->h2_all);
    list_init(&pool->h2_work);
    loop_timer_init(&pool->idle_timer, fetch_idle_fire);
}

void fetch_conns_fini(struct fetch_pool *pool)
{
    struct list *node;

    while (!list_is_empty(&pool->h2_all)) {
        fetch_conn_close(fetch_h2_conn(pool->h2_all.next));
    }
    while (!list_is_empty(&pool->idle)) {
        fetch_conn_close(CONTAINER_OF(pool->idle.next, struct fetch_conn, age_node));
    }
    while ((node = list_pop(&pool->spare_conns)) != NULL) {
        fetch_conn_free(CONTAINER_OF(node, struct fetch_conn, node));
    }
    (void)curl_share_cleanup(pool->no_sessions);
    loop_timer_clear(&pool->idle_timer);
}
