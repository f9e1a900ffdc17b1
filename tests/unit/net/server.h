#ifndef TESTS_UNIT_NET_SERVER_H
#define TESTS_UNIT_NET_SERVER_H
/*
 * server - the net layer on a thread of its own, with a handler whose behaviour the request path
 * chooses, and blocking clients with a deadline for the test's thread. Header only; for the tests
 * of this folder.
 *
 *   /size/N      N bytes, Content-Length           /chunked/N   N bytes of unknown length, 1000 at
 * a time /slow/N      the same as /size/N, 60 ms later  /late/N      head at once, body 60 ms later
 *   /echo        reads the body, sends it back     /early       "early", leaves the body unread
 *   /abort/N     announces 1000000, sends N, cuts  /cut/N       unknown length, sends N, cuts
 *   /file/N      as /size/N, the bytes in a file too, there in capitals; /filed-chunks/N of unknown
 * length
 *   /hint        103, then "hint"                  /never       no answer
 *   /tunnel/...  101, then: echo  what comes goes back; at its end "(end)" and ours
 *                           end   "bye" and our end, then counts what comes
 *                           deaf  our end, reads nothing       cut  "x", then a reset
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/thread.h"
#include "http/framing.h"
#include "net/listener.h"

enum {
    SERVER_BODY_BYTES = 32 * 1024 * 1024,
    CLIENT_WAIT_MS = 10000,
};

struct server {
    struct loop *loop;
    struct listener_set *set;
    struct conn_shared shared;
    struct net_counters counters;
    struct conn_limits limits;
    pthread_t thread;
    int port;
    struct mail mail; /* runs call() on the loop's thread */
    void (*call)(struct server *server);
    _Atomic bool called;
    _Atomic unsigned requests, closed, refused, drained, writables, too_large;
    _Atomic unsigned closed_why, refused_status, body_bad;
    _Atomic unsigned tunnel_bytes, tunnel_ends;
};

/* One request being answered. */
struct job {
    struct server *server;
    struct stream *stream;
    struct loop_timer timer;
    struct buf body;
    size_t offset;
    size_t total;
    bool is_chunked;
    bool is_late;
    bool cuts;
    bool is_tunnel;
    bool said_end;
};

static char *server_body;
static int server_file = -1; /* the same in capitals */

static size_t path_number(struct span path)
{
    size_t value = 0;

    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] >= '0' && path.ptr[i] <= '9') {
            value = value * 10 + (size_t)(path.ptr[i] - '0');
        }
    }
    return value;
}

static bool path_is(const struct job *job, const char *prefix)
{
    return span_starts(job->stream->request->path, span_str(prefix));
}

static void job_free(struct job *job)
{
    loop_timer_clear(&job->timer);
    buf_free(&job->body);
    mem_free(job);
}

static void job_end(struct job *job)
{
    struct stream *stream = job->stream;
    bool cuts = job->cuts;

    stream->exchange = NULL;
    job_free(job);
    if (cuts) {
        stream_abort(stream);
    } else {
        stream_end(stream);
    }
}

static void job_send(struct job *job)
{
    for (;;) {
        size_t left = job->total - job->offset;
        size_t piece = job->is_chunked && left > 1000 ? 1000 : left;
        const char *data = job->body.len > 0 ? job->body.data : server_body;
        struct iovec part = {.iov_base = (char *)(uintptr_t)(data + job->offset), .iov_len = piece};
        bool end = piece == left && !job->cuts;
        struct stream_file file = {.fd = server_file, .offset = (off_t)job->offset};
        ptrdiff_t sent = path_is(job, "/file") ? stream_send_file(job->stream, &file, &part, 1, end)
                                               : stream_send(job->stream, &part, 1, end);
        if (sent < 0) {
            job_free(job);
            return;
        }
        job->offset += (size_t)sent;
        if (job->offset == job->total) {
            job_end(job);
            return;
        }
        if ((size_t)sent < piece) {
            return;
        }
    }
}

static void job_head(struct job *job, const char *status)
{
    char head[256];
    const struct http_request *request = job->stream->request;
    bool is_head = request->method == HTTP_HEAD;
    size_t length = path_is(job, "/abort") ? 1000000 : job->total;
    int len = job->is_chunked ? snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nX-Test: 1\r\n", status)
                              : snprintf(head, sizeof(head),
                                         "HTTP/1.1 %s\r\nDate: Sun, 06 Nov 1994 08:49:37 "
                                         "GMT\r\nContent-Length: %zu\r\n",
                                         status, length);

    stream_head(job->stream, span_of(head, (size_t)len), SPAN("X-Extra: 1\r\n"),
                is_head           ? STREAM_BODY_NONE
                : job->is_chunked ? STREAM_BODY_UNKNOWN
                                  : STREAM_BODY_LENGTH);
    if (is_head) {
        job->total = 0;
    }
}

static void job_answer(struct job *job)
{
    job_head(job, "200 OK");
    job_send(job);
}

static void job_timer(struct loop_timer *timer)
{
    struct job *job = CONTAINER_OF(timer, struct job, timer);

    if (!job->is_late) {
        job_head(job, "200 OK");
    }
    job_send(job);
}

static void job_echo(struct job *job)
{
    struct span bytes;

    for (;;) {
        switch (stream_body_next(job->stream, &bytes)) {
        case STREAM_BODY_BYTES:
            /* In two steps, so that a rest is seen. */
            if (bytes.len > 1) {
                bytes.len -= bytes.len / 2;
            }
            buf_append(&job->body, bytes);
            stream_body_consume(job->stream, bytes.len);
            break;
        case STREAM_BODY_WAIT:
            return;
        case STREAM_BODY_END:
            job->total = job->body.len;
            job_answer(job);
            return;
        case STREAM_BODY_BAD:
            atomic_fetch_add(&job->server->body_bad, 1);
            if (job->stream->body_too_large) {
                atomic_fetch_add(&job->server->too_large, 1);
            }
            job->body.len = 0;
            job->total = 3;
            job_head(job, "400 Bad");
            job_send(job);
            return;
        }
    }
}

static bool job_put(struct job *job, const char *text, bool end)
{
    struct iovec part = {.iov_base = (char *)(uintptr_t)text, .iov_len = strlen(text)};

    job->said_end = end;
    return stream_send(job->stream, &part, 1, end) == (ptrdiff_t)strlen(text);
}

/* Goes on with what came and what the client takes. */
static void job_tunnel(struct job *job)
{
    bool echoes = path_is(job, "/tunnel/echo");
    struct span bytes;

    for (;;) {
        switch (stream_body_next(job->stream, &bytes)) {
        case STREAM_BODY_BYTES: {
            struct iovec part = {.iov_base = (char *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
            ptrdiff_t taken = (ptrdiff_t)bytes.len;
            if (path_is(job, "/tunnel/deaf")) {
                return;
            }
            taken = echoes ? stream_send(job->stream, &part, 1, false) : taken;
            if (taken < 0) {
                job_end(job);
                return;
            }
            stream_body_consume(job->stream, (size_t)taken);
            atomic_fetch_add(&job->server->tunnel_bytes, (unsigned)taken);
            if ((size_t)taken < bytes.len) {
                return; /* writable goes on */
            }
            break;
        }
        case STREAM_BODY_WAIT:
            return;
        case STREAM_BODY_END:
            atomic_fetch_add(&job->server->tunnel_ends, 1);
            if (!job->said_end) {
                assert_true(job_put(job, "(end)", true));
            }
            job_end(job);
            return;
        case STREAM_BODY_BAD:
            fail();
        }
    }
}

static void job_tunnel_begin(struct job *job)
{
    job->is_tunnel = true;
    stream_head(job->stream, SPAN("HTTP/1.1 101 Switching Protocols\r\nX-Test: 1\r\n"),
                SPAN("Connection: Upgrade\r\nUpgrade: test\r\n"), STREAM_BODY_TUNNEL);
    assert_int_equal(stream_send(job->stream, NULL, 0, false), 0);
    if (path_is(job, "/tunnel/cut")) {
        assert_true(job_put(job, "x", false));
        job->cuts = true;
        job_end(job);
        return;
    }
    if (!path_is(job, "/tunnel/echo")) {
        assert_true(job_put(job, path_is(job, "/tunnel/end") ? "bye" : "", true));
    }
    job_tunnel(job);
}

static void on_request(struct stream *stream)
{
    struct server *server = stream->listener_ctx;
    struct job *job = mem_new(sizeof(*job));

    atomic_fetch_add(&server->requests, 1);
    job->server = server;
    job->stream = stream;
    stream->exchange = job;
    loop_timer_init(&job->timer, job_timer);
    buf_init(&job->body, SERVER_BODY_BYTES);
    job->total = path_number(stream->request->path);
    job->cuts = path_is(job, "/abort") || path_is(job, "/cut");
    job->is_chunked =
        path_is(job, "/chunked") || path_is(job, "/cut") || path_is(job, "/filed-chunks");
    job->is_late = path_is(job, "/late");
    if (path_is(job, "/tunnel")) {
        job_tunnel_begin(job);
    } else if (path_is(job, "/echo")) {
        job_echo(job);
    } else if (path_is(job, "/slow")) {
        loop_timer_set(stream->loop, &job->timer, 60000);
    } else if (job->is_late) {
        job_head(job, "200 OK");
        loop_timer_set(stream->loop, &job->timer, 60000);
    } else if (path_is(job, "/early")) {
        job->total = 5;
        job_answer(job);
    } else if (path_is(job, "/hint")) {
        stream_informational(stream, SPAN("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"));
        job->total = 4;
        job_answer(job);
    } else if (!path_is(job, "/never")) {
        job_answer(job);
    }
}

static void on_writable(struct stream *stream)
{
    struct job *job = stream->exchange;

    atomic_fetch_add(&job->server->writables, 1);
    if (job->is_tunnel) {
        job_tunnel(job);
        return;
    }
    job_send(job);
}

static void on_body(struct stream *stream)
{
    struct job *job = stream->exchange;

    if (job->is_tunnel) {
        job_tunnel(job);
    } else {
        job_echo(job);
    }
}

static void on_closed(struct stream *stream, enum err why)
{
    struct job *job = stream->exchange;

    atomic_fetch_add(&job->server->closed, 1);
    atomic_store(&job->server->closed_why, (unsigned)why);
    job_free(job);
}

static void on_refused(struct stream *stream, unsigned status, size_t bytes_sent)
{
    struct server *server = stream->listener_ctx;

    assert_true(bytes_sent > 0);
    atomic_fetch_add(&server->refused, 1);
    atomic_store(&server->refused_status, status);
}

static const struct stream_handler server_handler = {
    .request = on_request,
    .writable = on_writable,
    .body = on_body,
    .closed = on_closed,
    .refused = on_refused,
};

static struct conn_limits server_limits(void)
{
    return (struct conn_limits){
        .head = {.head_bytes = 32768, .target_bytes = 8192, .fields_count = 100},
        .request_body_bytes = 4 * 1024 * 1024,
        .head_timeout_us = 5000000,
        .body_timeout_us = 5000000,
        .idle_timeout_us = 30000000,
        .send_timeout_us = 10000000,
        .connections_max = 10000,
    };
}

static void *server_run(void *arg)
{
    struct server *server = arg;

    loop_run(server->loop);
    listener_set_free(&server->set);
    loop_free(&server->loop);
    return NULL;
}

static struct server *server_start(const struct conn_limits *limits)
{
    struct server *server = mem_new(sizeof(*server));
    struct sockaddr_in address;
    socklen_t len = sizeof(address);

    if (server_body == NULL) {
        server_body = mem_try(SERVER_BODY_BYTES);
        assert_non_null(server_body);
        for (size_t i = 0; i < SERVER_BODY_BYTES; i++) {
            server_body[i] = (char)('a' + (i * 7 + i / 1000) % 26);
        }
        char *capitals = mem_try(SERVER_BODY_BYTES);
        for (size_t i = 0; i < SERVER_BODY_BYTES; i++) {
            capitals[i] = (char)toupper(server_body[i]);
        }
        server_file = memfd_create("body", MFD_CLOEXEC);
        assert_int_equal(write(server_file, capitals, SERVER_BODY_BYTES), SERVER_BODY_BYTES);
        mem_free(capitals);
    }
    server->limits = limits == NULL ? server_limits() : *limits;
    server->loop = loop_new();
    assert_non_null(server->loop);
    struct listener_set_options options = {
        .loop = server->loop,
        .handler = &server_handler,
        .limits = server->limits,
        .shared = &server->shared,
        .counters = &server->counters,
    };
    server->set = listener_set_new(&options);
    int fd = listener_bind("127.0.0.1:0", 1024);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(listener_set_add(server->set, fd, server), ERR_OK);
    assert_int_equal(thread_start(&server->thread, "server", server_run, server), ERR_OK);
    return server;
}

static void server_stop(struct server *server)
{
    loop_stop(server->loop);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    assert_int_equal(atomic_load(&server->shared.connections), 0);
    assert_int_equal(atomic_load(&server->counters.connections), 0);
    assert_int_equal(atomic_load(&server->counters.idle_connections), 0);
    mem_free(server);
}

static inline void sleep_ms(long ms)
{
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&wait, NULL);
}

static void server_mail(struct mail *mail)
{
    struct server *server = CONTAINER_OF(mail, struct server, mail);

    server->call(server);
    atomic_store(&server->called, true);
}

/* Runs a function on the loop's thread and waits for it. */
static inline void server_call(struct server *server, void (*call)(struct server *server))
{
    server->call = call;
    server->mail.deliver = server_mail;
    atomic_store(&server->called, false);
    mailbox_post(loop_mailbox(server->loop), &server->mail);
    while (!atomic_load(&server->called)) {
        sleep_ms(1);
    }
}

/* Waits until a counter of the server reaches a value. */
static inline void wait_for(_Atomic unsigned *counter, unsigned value)
{
    for (int i = 0; i < CLIENT_WAIT_MS && atomic_load(counter) < value; i++) {
        sleep_ms(1);
    }
    assert_true(atomic_load(counter) >= value);
}

/* ---- clients ---- */

static int client_open(const struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
    return fd;
}

static void client_send(int fd, struct span data)
{
    while (data.len > 0) {
        ssize_t sent = send(fd, data.ptr, data.len, MSG_NOSIGNAL);
        assert_true(sent > 0);
        data.ptr += sent;
        data.len -= (size_t)sent;
    }
}

static inline void client_puts(int fd, const char *text)
{
    client_send(fd, span_str(text));
}

enum client_end {
    CLIENT_BYTES, /* some came */
    CLIENT_EOF,
    CLIENT_RESET,
};

/* Receives once into buf. */
static enum client_end client_read(int fd, struct buf *buf)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    static char data[65536];

    assert_int_equal(poll(&wait, 1, CLIENT_WAIT_MS), 1);
    ssize_t got = recv(fd, data, sizeof(data), 0);
    if (got < 0) {
        assert_int_equal(errno, ECONNRESET);
        return CLIENT_RESET;
    }
    if (got == 0) {
        return CLIENT_EOF;
    }
    buf_append(buf, span_of(data, (size_t)got));
    return CLIENT_BYTES;
}

static inline enum client_end client_read_all(int fd, struct buf *buf)
{
    enum client_end end;

    while ((end = client_read(fd, buf)) == CLIENT_BYTES) {
    }
    return end;
}

/* Until buf ends with text. */
static inline void client_read_to(int fd, struct buf *buf, const char *text)
{
    size_t len = strlen(text);

    while (buf->len < len || memcmp(buf->data + buf->len - len, text, len) != 0) {
        assert_int_equal(client_read(fd, buf), CLIENT_BYTES);
    }
}

static inline bool buf_has(const struct buf *buf, const char *text)
{
    return buf->data != NULL && memmem(buf->data, buf->len, text, strlen(text)) != NULL;
}

/* The bytes behind the first empty line. */
static inline struct span buf_body(const struct buf *buf)
{
    const char *end = buf->data == NULL ? NULL : memmem(buf->data, buf->len, "\r\n\r\n", 4);

    assert_non_null(end);
    return span_of(end + 4, buf->len - (size_t)(end + 4 - buf->data));
}
#endif
