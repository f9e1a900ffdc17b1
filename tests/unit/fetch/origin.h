#ifndef TESTS_UNIT_FETCH_ORIGIN_H
#define TESTS_UNIT_FETCH_ORIGIN_H
/*
 * origin - a scripted origin: a thread that accepts, and one per connection that reads a request
 * and does what its path says. Header only; for the tests of this folder.
 *
 *   a path of the table given   the raw bytes of its row, then close
 *   /bytes/N     N bytes with Content-Length      /chunks/N   N bytes, chunked
 *   /stall/N     announces 1000000, sends N       /silent     never answers
 *   /late/N      N bytes after 150 ms             /drip       a head, a line of it every 20 ms
 *   /echo        the request, head and body       /deaf       never reads the body
 *   /die         on a connection's first request  /twice/N    "once", and N ms later one more
 *                "alive", later just closes                   response
 *   /hang/N      N bytes, closes 1 ms later       /early      413 before it has read the body
 *   /hints/N     a 103 every N ms, without end    /lull/N     half of 1000 bytes, N ms later the rest
 *   /switch/...  101 to "test", then: echo  sends back what comes, at its end "(end)"
 *                                     end   "bye" and its end, reads on to ours
 *                                     cut   "x", then a reset
 *   /tardy/N     as /stall/N, 150 ms later        /early-slow half of its 413, the rest later
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "fetch/fetch.h"
#include "http/framing.h"

enum {
    ORIGIN_BODY_BYTES = 64 * 1024 * 1024,
    ORIGIN_CONNECTIONS_MAX = 512,
};

struct origin_row {
    const char *path;
    const char *raw;
    size_t raw_len; /* 0: strlen */
    bool stays;     /* does not close */
};

struct origin {
    int fd;
    struct fetch_origin address;
    const struct origin_row *rows;
    size_t row_count;
    pthread_t thread;
    pthread_t workers[ORIGIN_CONNECTIONS_MAX];
    _Atomic unsigned connections;
    _Atomic unsigned requests;
    _Atomic unsigned body_ends; /* request bodies read to their end */
    _Atomic unsigned body_cuts; /* broken off */
    _Atomic unsigned tunnel_bytes, tunnel_ends;
    _Atomic uint64_t sent; /* bytes the kernel took */
    _Atomic bool stopping;
    bool drips; /* rows are sent byte by byte */
};

struct origin_conn {
    struct origin *origin;
    int fd;
    unsigned requests;
    struct buf in;
};

static char *origin_body;

static inline void sleep_ms(long ms)
{
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&wait, NULL);
}

/* False: closed, or the test ends. */
static bool origin_read(struct origin_conn *conn)
{
    char data[16384];

    for (;;) {
        struct pollfd wait = {.fd = conn->fd, .events = POLLIN};
        if (atomic_load(&conn->origin->stopping)) {
            return false;
        }
        if (poll(&wait, 1, 20) == 1) {
            break;
        }
    }
    ssize_t got = recv(conn->fd, data, sizeof(data), 0);
    if (got <= 0) {
        return false;
    }
    buf_append(&conn->in, span_of(data, (size_t)got));
    return true;
}

static bool origin_send(struct origin_conn *conn, const char *data, size_t len)
{
    while (len > 0) {
        struct pollfd wait = {.fd = conn->fd, .events = POLLOUT};
        if (atomic_load(&conn->origin->stopping)) {
            return false;
        }
        if (poll(&wait, 1, 20) != 1) {
            continue;
        }
        ssize_t sent = send(conn->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            continue;
        }
        if (sent < 0) {
            return false;
        }
        atomic_fetch_add(&conn->origin->sent, (uint64_t)sent);
        data += sent;
        len -= (size_t)sent;
    }
    return true;
}

static bool origin_puts(struct origin_conn *conn, const char *text)
{
    return origin_send(conn, text, strlen(text));
}

static void origin_wait(struct origin_conn *conn, unsigned ms)
{
    uint64_t until_us = clock_mono_us() + (uint64_t)ms * 1000;

    while (clock_mono_us() < until_us && !atomic_load(&conn->origin->stopping)) {
        sleep_ms(5);
    }
}

/* Bytes of the request at the front of `in`, head and body; 0 when it never comes whole. */
static size_t origin_request_read(struct origin_conn *conn, size_t *head_len)
{
    const char *end;

    while ((end = conn->in.len == 0 ? NULL : memmem(conn->in.data, conn->in.len, "\r\n\r\n", 4)) ==
           NULL) {
        if (!origin_read(conn)) {
            return 0;
        }
    }
    *head_len = (size_t)(end + 4 - conn->in.data);
    const char *length = memmem(conn->in.data, *head_len, "\r\nContent-Length: ", 18);
    bool chunked = memmem(conn->in.data, *head_len, "\r\nTransfer-Encoding: chunked", 28) != NULL;
    if (memmem(conn->in.data, *head_len, " /deaf", 6) != NULL ||
        memmem(conn->in.data, *head_len, " /early", 7) != NULL) {
        return *head_len;
    }
    if (length != NULL) {
        size_t total = *head_len + (size_t)strtoul(length + 18, NULL, 10);
        while (conn->in.len < total) {
            if (!origin_read(conn)) {
                atomic_fetch_add(&conn->origin->body_cuts, 1);
                return 0;
            }
        }
        atomic_fetch_add(&conn->origin->body_ends, 1);
        return total;
    }
    while (chunked &&
           (conn->in.len < 5 || memcmp(conn->in.data + conn->in.len - 5, "0\r\n\r\n", 5) != 0)) {
        if (!origin_read(conn)) {
            atomic_fetch_add(&conn->origin->body_cuts, 1);
            return 0;
        }
    }
    if (chunked) {
        atomic_fetch_add(&conn->origin->body_ends, 1);
        return conn->in.len;
    }
    return *head_len;
}

static bool origin_bytes(struct origin_conn *conn, size_t count, size_t announced)
{
    char head[128];

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", announced);
    return origin_puts(conn, head) && origin_send(conn, origin_body, count);
}

static bool origin_chunks(struct origin_conn *conn, size_t count)
{
    char line[HTTP_CHUNK_HEAD_BYTES];

    if (!origin_puts(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")) {
        return false;
    }
    for (size_t at = 0; at < count;) {
        size_t len = count - at < 7000 ? count - at : 7000;
        if (!origin_send(conn, line, http_chunk_head_write(line, len)) ||
            !origin_send(conn, origin_body + at, len) || !origin_puts(conn, "\r\n")) {
            return false;
        }
        at += len;
    }
    return origin_puts(conn, "0\r\n\r\n");
}

#define ORIGIN_SWITCH "HTTP/1.1 101 Switch\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\n"

static void origin_switch(struct origin_conn *conn, const char *how, size_t total)
{
    struct linger cut = {.l_onoff = 1};

    (void)origin_puts(conn, strcmp(how, "end") == 0 ? ORIGIN_SWITCH "bye" : ORIGIN_SWITCH);
    if (strcmp(how, "end") == 0) {
        (void)shutdown(conn->fd, SHUT_WR);
    }
    if (strcmp(how, "cut") == 0) {
        (void)origin_puts(conn, "x");
        sleep_ms(30);
        (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &cut, sizeof(cut));
        return;
    }
    do {
        if (strcmp(how, "echo") == 0) {
            (void)origin_send(conn, conn->in.data + total, conn->in.len - total);
        }
        atomic_fetch_add(&conn->origin->tunnel_bytes, (unsigned)(conn->in.len - total));
        conn->in.len = total;
    } while (origin_read(conn));
    atomic_fetch_add(&conn->origin->tunnel_ends, 1);
    if (strcmp(how, "echo") == 0) {
        (void)origin_puts(conn, "(end)");
    }
}

/* False: the connection ends. */
static bool origin_answer(struct origin_conn *conn, const char *path, size_t total)
{
    const char *digits = strrchr(path, '/') + 1;
    size_t number = (size_t)strtoul(digits, NULL, 10);

    for (size_t i = 0; i < conn->origin->row_count; i++) {
        const struct origin_row *row = &conn->origin->rows[i];
        if (strcmp(path, row->path) == 0) {
            size_t len = row->raw_len > 0 ? row->raw_len : strlen(row->raw);
            size_t piece = conn->origin->drips ? 1 : len;
            for (size_t at = 0; at < len && origin_send(conn, row->raw + at, piece); at += piece) {
                sleep_ms(0);
            }
            if (row->stays) {
                return true;
            }
            origin_wait(conn, 30);
            return false;
        }
    }
    if (strncmp(path, "/bytes/", 7) == 0) {
        return origin_bytes(conn, number, number);
    }
    if (strncmp(path, "/chunks/", 8) == 0) {
        return origin_chunks(conn, number);
    }
    if (strncmp(path, "/switch/", 8) == 0) {
        origin_switch(conn, digits, total);
        return false;
    }
    if (strncmp(path, "/twice/", 7) == 0) {
        bool good = origin_puts(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nonce");
        sleep_ms((long)number);
        return good && origin_puts(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL");
    }
    if (strncmp(path, "/hang/", 6) == 0) {
        (void)origin_bytes(conn, number, number);
        sleep_ms(1);
        return false;
    }
    if (strncmp(path, "/lull/", 6) == 0) {
        bool good = origin_bytes(conn, 500, 1000);
        origin_wait(conn, (unsigned)number);
        return good && origin_send(conn, origin_body + 500, 500);
    }
    if (strncmp(path, "/hints/", 7) == 0) {
        while (origin_puts(conn, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")) {
            origin_wait(conn, (unsigned)number);
        }
        return false;
    }
    if (strncmp(path, "/stall/", 7) == 0 || strncmp(path, "/tardy/", 7) == 0) {
        origin_wait(conn, path[1] == 't' ? 150 : 0);
        (void)origin_bytes(conn, number, 1000000);
        while (origin_read(conn)) {
        }
        return false;
    }
    if (strncmp(path, "/late/", 6) == 0) {
        origin_wait(conn, 150);
        return origin_bytes(conn, number, number);
    }
    if (strcmp(path, "/silent") == 0 || strcmp(path, "/deaf") == 0) {
        /* Keeps what comes in the kernel, where it runs full. */
        while (!atomic_load(&conn->origin->stopping)) {
            struct pollfd gone = {.fd = conn->fd, .events = POLLRDHUP};
            if (poll(&gone, 1, 20) == 1) {
                break;
            }
        }
        return false;
    }
    if (strcmp(path, "/early-slow") == 0) {
        char data[16384];
        origin_wait(conn, 100);
        (void)origin_puts(conn, "HTTP/1.1 413 Large\r\nContent-Length: 10\r\n\r\nlarge");
        for (int i = 0; i < 40; i++) {
            while (recv(conn->fd, data, sizeof(data), MSG_DONTWAIT) > 0) {
            }
            sleep_ms(10);
        }
        (void)origin_puts(conn, "large");
        while (origin_read(conn)) {
        }
        return false;
    }
    if (strncmp(path, "/early", 6) == 0) {
        (void)origin_puts(conn, strcmp(path, "/early") == 0
                                    ? "HTTP/1.1 413 Large\r\nContent-Length: 5\r\n\r\nlarge"
                                    : "HTTP/1.1 413 Large\r\nTransfer-Encoding: chunked\r\n\r\n"
                                      "5\r\nlarge\r\n0\r\n\r\n");
        while (origin_read(conn)) {
        }
        return false;
    }
    if (strcmp(path, "/drip") == 0) {
        bool good = origin_puts(conn, "HTTP/1.1 200 OK\r\n");
        while (good) {
            good = origin_puts(conn, "X: y\r\n");
            origin_wait(conn, 20);
        }
        return false;
    }
    if (strcmp(path, "/die") == 0) {
        return conn->requests == 1 &&
               origin_puts(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nalive");
    }
    if (strcmp(path, "/echo") == 0) {
        char head[128];
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", total);
        return origin_puts(conn, head) && origin_send(conn, conn->in.data, total);
    }
    return origin_puts(conn, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
}

static void *origin_conn_run(void *arg)
{
    struct origin_conn *conn = arg;
    bool goes_on = true;

    while (goes_on) {
        char path[256] = "";
        size_t head_len;
        size_t total = origin_request_read(conn, &head_len);
        if (total == 0) {
            break;
        }
        atomic_fetch_add(&conn->origin->requests, 1);
        conn->requests++;
        (void)sscanf(conn->in.data, "%*s %255s", path);
        goes_on = path[0] == '/' && origin_answer(conn, path, total);
        memmove(conn->in.data, conn->in.data + total, conn->in.len - total);
        conn->in.len -= total;
    }
    close(conn->fd);
    buf_free(&conn->in);
    mem_free(conn);
    return NULL;
}

static void *origin_run(void *arg)
{
    struct origin *origin = arg;
    int one = 1;

    while (!atomic_load(&origin->stopping)) {
        struct pollfd wait = {.fd = origin->fd, .events = POLLIN};
        if (poll(&wait, 1, 20) != 1) {
            continue;
        }
        struct origin_conn *conn = mem_new(sizeof(*conn));
        conn->origin = origin;
        conn->fd = accept(origin->fd, NULL, NULL);
        assert_true(conn->fd >= 0);
        (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        buf_init(&conn->in, ORIGIN_BODY_BYTES);
        unsigned at = atomic_fetch_add(&origin->connections, 1);
        assert_true(at < ORIGIN_CONNECTIONS_MAX);
        assert_int_equal(thread_start(&origin->workers[at], "origin", origin_conn_run, conn),
                         ERR_OK);
    }
    return NULL;
}

/* A socket at address, which gets the port the kernel chose. backlog < 0: nobody listens. */
static inline int origin_bind(struct sockaddr_in *address, int backlog)
{
    socklen_t len = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
    assert_true(backlog < 0 || listen(fd, backlog) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
    return fd;
}

static inline struct origin *origin_start(const struct origin_row *rows, size_t count)
{
    struct origin *origin = mem_new(sizeof(*origin));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    if (origin_body == NULL) {
        origin_body = mem_try(ORIGIN_BODY_BYTES);
        assert_non_null(origin_body);
        for (size_t i = 0; i < ORIGIN_BODY_BYTES; i++) {
            origin_body[i] = (char)('a' + (i * 7 + i / 1000) % 26);
        }
    }
    origin->fd = origin_bind(&address, 128);
    origin->rows = rows;
    origin->row_count = count;
    origin->address = (struct fetch_origin){
        .name = "test",
        .host = "127.0.0.1",
        .port = ntohs(address.sin_port),
        .connect_timeout_us = 20000000, /* tests of a connection that does not come set their own */
        .first_byte_timeout_us = 5000000,
        .idle_timeout_us = 5000000,
        .keepalive = 8,
        .keepalive_idle_us = 60000000,
    };
    assert_int_equal(thread_start(&origin->thread, "origin", origin_run, origin), ERR_OK);
    return origin;
}

static inline void origin_stop(struct origin *origin)
{
    atomic_store(&origin->stopping, true);
    assert_int_equal(pthread_join(origin->thread, NULL), 0);
    for (unsigned i = 0; i < atomic_load(&origin->connections); i++) {
        assert_int_equal(pthread_join(origin->workers[i], NULL), 0);
    }
    close(origin->fd);
    mem_free(origin);
}
#endif
