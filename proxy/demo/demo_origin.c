// SPDX-License-Identifier: MIT
/*
 * One thread and poll(2): a connection reads a request head, waits until its answer is due, then
 * sends head and body. 64 connections and a fixed buffer each are plenty for a demonstration, and
 * the bodies of the large file are made as they leave, so memory stays small.
 */
#include "demo/demo_origin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "demo/demo_pages.h"

enum {
    CONN_MAX = 64,
    HEAD_MAX_BYTES = 8192,
    PIECE_BYTES = 64 << 10,
    IDLE_MAX_MS = 60000,
    ORIGIN_MAGIC = 0x64656d6f,
};

enum conn_state {
    CONN_FREE,    /* no socket */
    CONN_READING, /* a request head is not complete yet */
    CONN_WAITING, /* the answer is made and due at due_us */
    CONN_SENDING, /* head, then body */
};

struct conn {
    int fd;
    enum conn_state state;
    uint64_t due_us; /* WAITING: when to answer; else: when to give the connection up */
    char in[HEAD_MAX_BYTES];
    size_t in_len;
    char head[512];
    size_t head_len;
    size_t head_sent;
    struct demo_page page;
    uint64_t body_len;
    uint64_t body_sent;
    bool close_after;
};

struct demo_origin {
    uint32_t magic;
    int listen_fd;
    int stop_fd;
    unsigned port;
    unsigned delay_ms;
    pthread_t thread;
    _Atomic uint64_t requests;
    _Atomic uint64_t flap_us; /* when it began to flap, monotonic */
    _Atomic unsigned period_ms;
    _Atomic unsigned down_ms; /* of each period; 0: it does not flap */
    struct conn conns[CONN_MAX];
    char piece[PIECE_BYTES];
};

static void conn_close(struct conn *conn)
{
    if (conn->state == CONN_FREE) {
        return;
    }
    close(conn->fd);
    buf_free(&conn->page.body);
    memset(conn, 0, sizeof(*conn));
    conn->fd = -1;
}

/* The value of a field in a head of CRLF lines; an empty span when it is not there. */
static struct span head_field(struct span head, struct span name)
{
    const char *at = head.ptr;
    const char *end = head.ptr + head.len;

    while (at < end) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));
        struct span line = span_of(at, (size_t)((eol == NULL ? end : eol) - at));
        if (line.len > name.len && line.ptr[name.len] == ':' &&
            span_eq_nocase(span_of(line.ptr, name.len), name)) {
            struct span value = span_of(line.ptr + name.len + 1, line.len - name.len - 1);
            while (value.len > 0 && value.ptr[value.len - 1] == '\r') {
                value.len--;
            }
            return span_trim(value);
        }
        at = eol == NULL ? end : eol + 1;
    }
    return span_of("", 0);
}

static void date_print(char *out, size_t size, int64_t now_ms)
{
    time_t now_s = (time_t)(now_ms / 1000);
    struct tm parts;

    gmtime_r(&now_s, &parts);
    if (strftime(out, size, "%a, %d %b %Y %H:%M:%S GMT", &parts) == 0) {
        out[0] = '\0';
    }
}

static const char *status_reason(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 304:
        return "Not Modified";
    case 405:
        return "Method Not Allowed";
    default:
        return "Not Found";
    }
}

/* Writes the answer's head. length: of the body a GET gets, in bytes. */
static void head_print(struct conn *conn, const char *etag, uint64_t length)
{
    const struct demo_page *page = &conn->page;
    size_t size = sizeof(conn->head);
    char date[64];

    date_print(date, sizeof(date), clock_wall_ms());
    int len = snprintf(conn->head, size,
                       "HTTP/1.1 %u %s\r\nServer: larder-demo-origin\r\nDate: %s\r\n"
                       "Cache-Control: %s\r\nETag: %s\r\n",
                       page->status, status_reason(page->status), date, page->cache_control, etag);
    if (page->status != 304) {
        len += snprintf(conn->head + len, size - (size_t)len,
                        "Content-Type: %s\r\nContent-Length: %llu\r\n", page->type,
                        (unsigned long long)length);
    }
    len += snprintf(conn->head + len, size - (size_t)len, "%s\r\n",
                    conn->close_after ? "Connection: close\r\n" : "");
    CHECK((size_t)len < size);
    conn->head_len = (size_t)len;
    conn->head_sent = 0;
}

/* Takes the first head of head_len bytes and prepares the answer. */
static void request_answer(struct demo_origin *origin, struct conn *conn, size_t head_len)
{
    struct span head = span_of(conn->in, head_len);
    const char *line_end = memchr(head.ptr, '\r', head.len);
    struct span line = span_of(head.ptr, line_end == NULL ? 0 : (size_t)(line_end - head.ptr));
    const char *first = memchr(line.ptr, ' ', line.len);
    const char *last = memrchr(line.ptr, ' ', line.len);
    struct span method = span_of(line.ptr, first == NULL ? 0 : (size_t)(first - line.ptr));
    struct span path = SPAN("/missing");
    struct demo_page *page = &conn->page;
    char etag[24];

    if (first != NULL && last > first) {
        path = span_of(first + 1, (size_t)(last - first - 1));
    }
    demo_page_make(path, clock_wall_ms(), page);
    (void)snprintf(etag, sizeof(etag), "\"%016llx\"", (unsigned long long)page->etag);
    bool is_head = span_eq(method, SPAN("HEAD"));
    if (!is_head && !span_eq(method, SPAN("GET"))) {
        page->status = 405;
        page->cache_control = "no-store";
        conn->close_after = true; /* a body may follow that nobody reads */
    } else if (page->status == 200 &&
               span_eq(head_field(head, SPAN("If-None-Match")), span_str(etag))) {
        page->status = 304;
    }
    if (span_eq_nocase(head_field(head, SPAN("Connection")), SPAN("close"))) {
        conn->close_after = true;
    }
    uint64_t length = page->pattern_bytes != 0 ? page->pattern_bytes : page->body.len;
    head_print(conn, etag, length);
    conn->body_len = is_head || page->status == 304 ? 0 : length;
    conn->body_sent = 0;
    conn->in_len -= head_len;
    memmove(conn->in, conn->in + head_len, conn->in_len);
    conn->state = CONN_WAITING;
    conn->due_us = clock_mono_us() + (uint64_t)origin->delay_ms * 1000;
    atomic_fetch_add_explicit(&origin->requests, 1, memory_order_relaxed);
}

/* Looks for a whole head among the bytes read so far. */
static void conn_parse(struct demo_origin *origin, struct conn *conn)
{
    const char *end = memmem(conn->in, conn->in_len, "\r\n\r\n", 4);

    if (end != NULL) {
        request_answer(origin, conn, (size_t)(end - conn->in) + 4);
    } else if (conn->in_len == sizeof(conn->in)) {
        conn_close(conn);
    }
}

static void conn_read(struct demo_origin *origin, struct conn *conn)
{
    ssize_t got =
        recv(conn->fd, conn->in + conn->in_len, sizeof(conn->in) - conn->in_len, MSG_DONTWAIT);

    if (got > 0) {
        conn->in_len += (size_t)got;
        conn_parse(origin, conn);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        conn_close(conn);
    }
}

/* The next bytes of the body. */
static struct span body_piece(struct demo_origin *origin, const struct conn *conn)
{
    uint64_t left = conn->body_len - conn->body_sent;

    if (conn->page.pattern_bytes == 0) {
        return span_of(conn->page.body.data + conn->body_sent, (size_t)left);
    }
    size_t len = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    demo_pattern_fill(origin->piece, len, conn->body_sent);
    return span_of(origin->piece, len);
}

static void conn_send(struct demo_origin *origin, struct conn *conn)
{
    while (conn->head_sent < conn->head_len || conn->body_sent < conn->body_len) {
        bool in_head = conn->head_sent < conn->head_len;
        struct span data =
            in_head ? span_of(conn->head + conn->head_sent, conn->head_len - conn->head_sent)
                    : body_piece(origin, conn);
        int more = in_head && conn->body_len > 0 ? MSG_MORE : 0;
        ssize_t sent = send(conn->fd, data.ptr, data.len, MSG_DONTWAIT | MSG_NOSIGNAL | more);
        if (sent < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                conn_close(conn);
            }
            return;
        }
        if (in_head) {
            conn->head_sent += (size_t)sent;
        } else {
            conn->body_sent += (uint64_t)sent;
        }
        conn->due_us = clock_mono_us() + (uint64_t)IDLE_MAX_MS * 1000;
    }
    buf_free(&conn->page.body);
    if (conn->close_after) {
        conn_close(conn);
        return;
    }
    conn->state = CONN_READING;
    conn->due_us = clock_mono_us() + (uint64_t)IDLE_MAX_MS * 1000;
    conn_parse(origin, conn);
}

static bool is_down(const struct demo_origin *origin, uint64_t now_us)
{
    uint64_t down_ms = atomic_load(&origin->down_ms);
    uint64_t period_ms = atomic_load(&origin->period_ms);

    return down_ms > 0 && (now_us - atomic_load(&origin->flap_us)) / 1000 % period_ms < down_ms;
}

/* Breaks a connection off, as a process that dies does. */
static void send_away(int fd)
{
    const struct linger now = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void origin_accept(struct demo_origin *origin)
{
    int fd = accept4(origin->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int one = 1;

    if (fd < 0) {
        return;
    }
    if (is_down(origin, clock_mono_us())) {
        send_away(fd);
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    for (size_t i = 0; i < CONN_MAX; i++) {
        struct conn *conn = &origin->conns[i];
        if (conn->state == CONN_FREE) {
            conn->fd = fd;
            conn->state = CONN_READING;
            conn->due_us = clock_mono_us() + (uint64_t)IDLE_MAX_MS * 1000;
            return;
        }
    }
    close(fd);
}

/* Acts on what is due and returns how long poll may sleep. */
static int origin_timers(struct demo_origin *origin)
{
    uint64_t now_us = clock_mono_us();
    uint64_t next_us = now_us + 1000000;
    bool down = is_down(origin, now_us);

    for (size_t i = 0; i < CONN_MAX; i++) {
        struct conn *conn = &origin->conns[i];
        if (conn->state == CONN_FREE) {
            continue;
        }
        if (down) {
            send_away(conn->fd);
            conn_close(conn);
            continue;
        }
        if (conn->due_us <= now_us) {
            if (conn->state == CONN_WAITING) {
                conn->state = CONN_SENDING;
                conn->due_us = now_us + (uint64_t)IDLE_MAX_MS * 1000;
            } else {
                conn_close(conn);
            }
        } else if (conn->due_us < next_us) {
            next_us = conn->due_us;
        }
    }
    return (int)((next_us - now_us + 999) / 1000);
}

/* What poll is to watch: every connection that is not resting, the listener, the stop. */
static void origin_watch(const struct demo_origin *origin, struct pollfd *fds)
{
    for (size_t i = 0; i < CONN_MAX; i++) {
        const struct conn *conn = &origin->conns[i];
        bool is_quiet = conn->state == CONN_FREE || conn->state == CONN_WAITING;
        fds[i].fd = is_quiet ? -1 : conn->fd;
        fds[i].events = conn->state == CONN_SENDING ? POLLOUT : POLLIN;
        fds[i].revents = 0;
    }
    fds[CONN_MAX] = (struct pollfd){.fd = origin->listen_fd, .events = POLLIN};
    fds[CONN_MAX + 1] = (struct pollfd){.fd = origin->stop_fd, .events = POLLIN};
}

static void origin_act(struct demo_origin *origin, const struct pollfd *fds)
{
    for (size_t i = 0; i < CONN_MAX; i++) {
        struct conn *conn = &origin->conns[i];
        if (fds[i].revents == 0) {
            continue;
        }
        if (conn->state == CONN_SENDING) {
            conn_send(origin, conn);
        } else if (conn->state == CONN_READING) {
            conn_read(origin, conn);
        }
    }
    if ((fds[CONN_MAX].revents & POLLIN) != 0) {
        origin_accept(origin);
    }
}

static void *origin_run(void *arg)
{
    struct demo_origin *origin = arg;
    struct pollfd fds[CONN_MAX + 2];

    CHECK_OBJ(origin, ORIGIN_MAGIC);
    for (;;) {
        int timeout_ms = origin_timers(origin);
        origin_watch(origin, fds);
        if (poll(fds, CONN_MAX + 2, timeout_ms) < 0) {
            if (errno != EINTR) {
                break;
            }
            continue;
        }
        if (fds[CONN_MAX + 1].revents != 0) {
            break;
        }
        origin_act(origin, fds);
    }
    for (size_t i = 0; i < CONN_MAX; i++) {
        conn_close(&origin->conns[i]);
    }
    return NULL;
}

/* Binds and listens. Returns the descriptor or -1. */
static int origin_listen(const char *addr, unsigned port, unsigned *port_out)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t at_len = sizeof(at);
    int one = 1;

    if (port > UINT16_MAX || inet_pton(AF_INET, addr, &at.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 256) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &at_len) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    *port_out = ntohs(at.sin_port);
    return fd;
}

enum err demo_origin_start(const char *addr, unsigned port, unsigned delay_ms,
                           struct demo_origin **out)
{
    struct demo_origin *origin = mem_new(sizeof(*origin));
    enum err err = ERR_IO;

    origin->magic = ORIGIN_MAGIC;
    origin->delay_ms = delay_ms;
    for (size_t i = 0; i < CONN_MAX; i++) {
        origin->conns[i].fd = -1;
    }
    origin->listen_fd = origin_listen(addr, port, &origin->port);
    if (origin->listen_fd < 0) {
        goto fail;
    }
    origin->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (origin->stop_fd < 0) {
        close(origin->listen_fd);
        goto fail;
    }
    err = thread_start(&origin->thread, "demo-origin", origin_run, origin);
    if (err != ERR_OK) {
        close(origin->stop_fd);
        close(origin->listen_fd);
        goto fail;
    }
    *out = origin;
    return ERR_OK;
fail:
    mem_free(origin);
    return err;
}

void demo_origin_flap(struct demo_origin *origin, unsigned period_ms, unsigned down_ms)
{
    CHECK_OBJ(origin, ORIGIN_MAGIC);
    CHECK(down_ms == 0 || down_ms < period_ms);
    atomic_store(&origin->flap_us, clock_mono_us());
    atomic_store(&origin->period_ms, period_ms);
    atomic_store(&origin->down_ms, down_ms); /* the last: with it the others count */
}

unsigned demo_origin_port(const struct demo_origin *origin)
{
    return origin->port;
}

uint64_t demo_origin_requests(const struct demo_origin *origin)
{
    return atomic_load_explicit(&origin->requests, memory_order_relaxed);
}

void demo_origin_stop(struct demo_origin **origin_ptr)
{
    struct demo_origin *origin = *origin_ptr;
    uint64_t one = 1;

    if (origin == NULL) {
        return;
    }
    CHECK_OBJ(origin, ORIGIN_MAGIC);
    *origin_ptr = NULL;
    CHECK(write(origin->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
    CHECK(pthread_join(origin->thread, NULL) == 0);
    close(origin->listen_fd);
    close(origin->stop_fd);
    origin->magic = 0;
    mem_free(origin);
}
