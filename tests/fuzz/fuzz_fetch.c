// layer: fetch
/* Whatever an origin sends, in whatever pieces, to a handler that pauses and cancels as it likes:
 * the body given is that of a plain decoder over the whole, and done is called once, or never after
 * a cancel. First byte: which of those; second: seed of the pieces; the rest is what the origin
 * sends before it closes. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "fetch/fetch.h"
#include "http/framing.h"
#include "http/status.h"

enum {
    WITH_HEAD = 1, /* the method */
    WITH_PAUSES = 2,
    WITH_CANCEL = 4,
    WITH_PLACE = 8,
    HEAD_BYTES = 2048,
    HINTS_MAX = 32,
    FIELDS_MAX = 256,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct loop *loop;
    struct fetch_pool *pool;
    struct fetch_origin origin;
    struct loop_watch listener;
    struct loop_watch conn;
    struct loop_task send; /* one piece per round */
    struct loop_task resume;
    struct span left;
    unsigned how;
    uint32_t random;
    struct fetch *fetch;
    struct buf body;
    unsigned heads, dones;
    bool is_paused, is_cancelled;
    enum fetch_fault fault;
    char place[20000];
} now;

static uint32_t next_random(void)
{
    now.random = now.random * 1664525u + 1013904223u;
    return now.random >> 16;
}

/* ---- the origin ---- */

static void origin_send(struct loop_task *task)
{
    size_t len = next_random() % 4 == 0 ? now.left.len : next_random() % 40 + 1;

    len = len < now.left.len ? len : now.left.len;
    if (len > 0) {
        ssize_t sent = send(now.conn.fd, now.left.ptr, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        len = sent > 0 ? (size_t)sent : 0;
        if (sent < 0 && errno != EAGAIN) {
            return; /* it was cancelled, or has had enough */
        }
        now.left.ptr += len;
        now.left.len -= len;
    }
    if (now.left.len == 0) {
        (void)shutdown(now.conn.fd, SHUT_WR);
    } else {
        loop_task_defer(now.loop, task);
    }
}

static void origin_asked(struct loop_watch *watch, uint32_t events)
{
    char request[512];

    (void)events;
    if (recv(watch->fd, request, sizeof(request), MSG_DONTWAIT) > 0) {
        loop_task_defer(now.loop, &now.send);
    }
    loop_watch_remove(now.loop, watch);
}

static void origin_accept(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    int fd = accept(watch->fd, NULL, NULL);
    CHECK(fd >= 0 && now.conn.fd < 0);
    now.conn = (struct loop_watch){.ready = origin_asked, .fd = fd};
    CHECK(loop_watch_add(now.loop, &now.conn, EPOLLIN) == ERR_OK);
}

/* ---- the handler ---- */

static enum fetch_flow flow_now(void)
{
    CHECK(!now.is_cancelled && !now.is_paused && now.dones == 0);
    if ((now.how & WITH_CANCEL) != 0 && next_random() % 8 == 0) {
        now.is_cancelled = true;
        loop_stop(now.loop);
        if (next_random() % 2 == 0) {
            return FETCH_CANCEL;
        }
        fetch_cancel(&now.fetch);
        return FETCH_GO;
    }
    if ((now.how & WITH_PAUSES) != 0 && next_random() % 3 == 0) {
        now.is_paused = true;
        loop_task_defer(now.loop, &now.resume);
        return FETCH_PAUSE;
    }
    return FETCH_GO;
}

static void resume_run(struct loop_task *task)
{
    (void)task;
    if (now.is_paused && now.dones == 0) {
        now.is_paused = false;
        fetch_resume(now.fetch);
    }
}

static enum fetch_flow on_head(void *ctx, const struct http_response *response)
{
    (void)ctx;
    CHECK(response->status >= 200 && response->status <= 599);
    now.heads++;
    return flow_now();
}

static enum fetch_flow on_data(void *ctx, struct span data)
{
    (void)ctx;
    CHECK(now.heads == 1 && data.len > 0);
    buf_append(&now.body, data);
    return flow_now();
}

static char *on_place(void *ctx, size_t *room)
{
    (void)ctx;
    *room = next_random() % 2 == 0 ? sizeof(now.place) : 9000;
    return (now.how & WITH_PLACE) == 0 ? NULL : now.place;
}

static void on_batch(void *ctx)
{
    (void)ctx;
    CHECK(!now.is_cancelled && now.heads == 1);
}

static void on_done(void *ctx, const struct fetch_result *result)
{
    (void)ctx;
    CHECK(!now.is_cancelled && now.dones++ == 0);
    CHECK(result->received_bytes == now.body.len && result->head_seen == (now.heads == 1));
    now.fault = result->fault;
    loop_stop(now.loop);
}

/* ---- what it should be ---- */

static enum fetch_fault expect_body(const struct http_response *response, struct span rest,
                                    struct buf *body)
{
    struct http_chunk_decoder decoder = {0};
    enum http_chunk chunk = HTTP_CHUNK_DATA;

    if ((now.how & WITH_HEAD) != 0 || !http_status_has_body(response->status)) {
        return FETCH_OK;
    }
    while (response->chunked && chunk == HTTP_CHUNK_DATA) {
        struct span piece;
        size_t used;
        chunk = http_chunk_decode(&decoder, rest.ptr, rest.len, &used, &piece);
        rest = span_of(rest.ptr + used, rest.len - used);
        if (chunk == HTTP_CHUNK_DATA) {
            buf_append(body, piece);
        }
    }
    if (response->chunked) {
        return chunk == HTTP_CHUNK_DONE  ? FETCH_OK
               : chunk == HTTP_CHUNK_BAD ? FETCH_BAD_RESPONSE
                                         : FETCH_INCOMPLETE;
    }
    bool is_whole = !response->has_content_length || rest.len >= response->content_length;
    if (response->has_content_length && is_whole) {
        rest.len = (size_t)response->content_length;
    }
    buf_append(body, rest);
    return is_whole ? FETCH_OK : FETCH_INCOMPLETE;
}

static enum fetch_fault expect(struct span text, struct buf *body)
{
    const struct http_limits limits = {.head_bytes = HEAD_BYTES, .fields_count = FIELDS_MAX};
    struct http_field items[FIELDS_MAX];

    for (unsigned hints = 0;; hints++) {
        struct http_response response = {.fields = {.items = items, .capacity = FIELDS_MAX}};
        if (text.len == 0) {
            return FETCH_CLOSED;
        }
        size_t end = http_response_head_end(text, 0);
        if (!http_response_may_begin(text) || (end == 0 ? text.len : end) > HEAD_BYTES) {
            return FETCH_BAD_RESPONSE;
        }
        if (end == 0) {
            return FETCH_CLOSED;
        }
        if (http_response_parse(&response, span_of(text.ptr, end), &limits) != HTTP_PARSE_DONE ||
            response.status == 101 || (response.status < 200 && hints == HINTS_MAX)) {
            return FETCH_BAD_RESPONSE;
        }
        text = span_of(text.ptr + end, text.len - end);
        if (response.status >= 200) {
            return expect_body(&response, text, body);
        }
    }
}

/* ---- one input ---- */

static void begin(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    fetch_global_init();
    now.loop = loop_new();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 64) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    now.listener = (struct loop_watch){.ready = origin_accept, .fd = fd};
    CHECK(loop_watch_add(now.loop, &now.listener, EPOLLIN) == ERR_OK);
    loop_task_init(&now.send, origin_send);
    loop_task_init(&now.resume, resume_run);
    now.origin = (struct fetch_origin){
        .keepalive = 2,
        .keepalive_idle_us = 60000000,
        .name = "fuzz",
        .host = "127.0.0.1",
        .port = ntohs(address.sin_port),
        .connect_timeout_us = 60000000,
        .first_byte_timeout_us = 60000000,
        .idle_timeout_us = 60000000,
    };
    const struct fetch_pool_options options = {
        .loop = now.loop, .idle_connections = 2, .head_bytes_max = HEAD_BYTES};
    now.pool = fetch_pool_new(&options);
}

static void run(struct span text)
{
    static const struct fetch_handler handler = {
        .head = on_head,
        .data = on_data,
        .place = on_place,
        .batch = on_batch,
        .done = on_done,
    };
    const struct fetch_request request = {
        .origin = &now.origin,
        .method = (now.how & WITH_HEAD) != 0 ? SPAN("HEAD") : SPAN("GET"),
        .host = SPAN("example.org"),
        .target = SPAN("/"),
    };

    now.left = text;
    now.conn.fd = -1;
    now.heads = now.dones = 0;
    now.is_paused = now.is_cancelled = false;
    now.fetch = fetch_start(now.pool, &request, &handler, NULL);
    loop_run(now.loop);
    loop_task_clear(&now.send);
    loop_task_clear(&now.resume);
    loop_watch_remove(now.loop, &now.conn);
    (void)close(now.conn.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fetch_pool_figures figures;
    struct buf expected;

    if (size < 2) {
        return 0;
    }
    if (now.pool == NULL) {
        begin();
    }
    char *text = mem_try(size - 2);
    memcpy(text, data + 2, size - 2);
    now.how = data[0];
    now.random = data[1];
    buf_init(&now.body, 1 << 20);
    buf_init(&expected, 1 << 20);
    run(span_of(text, size - 2));
    enum fetch_fault fault = expect(span_of(text, size - 2), &expected);
    if (now.is_cancelled) {
        CHECK(now.body.len <= expected.len && now.dones == 0);
    } else {
        CHECK(now.dones == 1 && now.fault == fault && now.body.len == expected.len);
    }
    CHECK(now.body.len == 0 || memcmp(now.body.data, expected.data, now.body.len) == 0);
    fetch_pool_figures(now.pool, &figures);
    CHECK(figures.active == 0);
    buf_free(&now.body);
    buf_free(&expected);
    mem_free(text);
    return 0;
}
