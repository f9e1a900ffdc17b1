#ifndef TESTS_UNIT_FETCH_H2_ORIGIN_H
#define TESTS_UNIT_FETCH_H2_ORIGIN_H
/*
 * h2_origin - an origin that speaks HTTP/2 frame by frame, as a script has it, and counts what it
 * is sent. libcurl is stood in for (curl_double.h): no network, no TLS. Header only.
 */
#include "../../fuzz/curl_double.h"
#include "probe.h"

enum {
    LINKS_MAX = 8,
    PARTS_MAX = 6,
    HEAD_BYTES = 8192,
    THIS = 0x1000, /* the stream that asked */
};

/* One frame, or many. */
struct part {
    unsigned type; /* HEADERS and CONTINUATION: text is "name: value\n" lines */
    unsigned flags, stream;
    const char *text;
    size_t len; /* of other types; 0: strlen */
    unsigned times;
};

#define ES 1u /* END_STREAM, ACK */
#define EH 4u /* END_HEADERS */
#define HEAD(flags, lines)                                                                         \
    {                                                                                              \
        1, (flags) | EH, THIS, lines, 0, 1                                                         \
    }
#define DATA(flags, text)                                                                          \
    {                                                                                              \
        0, flags, THIS, text, 0, 1                                                                 \
    }
#define BYTES(type, flags, stream, bytes)                                                          \
    {                                                                                              \
        type, flags, stream, bytes, sizeof(bytes) - 1, 1                                           \
    }
#define RST(code) BYTES(3, 0, THIS, code)
#define OK_5 HEAD(0, ":status: 200\ncontent-length: 5\n")
#define HELLO DATA(ES, "hello")

/* What the origin says to each request. */
struct script {
    struct part parts[PARTS_MAX];
    bool ends;
};

struct link {
    struct double_easy *easy; /* NULL: closed */
    struct buf out, in;
    size_t out_at, in_at;
    unsigned reads;
    bool is_ended;
};

static struct {
    struct loop *loop;
    struct fetch_pool *pool;
    struct link links[LINKS_MAX];
    unsigned link_count;
    const struct script *script; /* the answer; NULL: none */
    const struct script *again;  /* from the second request on, if there is one */
    unsigned requests, rounds;
    uint64_t uploaded;  /* bytes in DATA frames */
    unsigned resets;    /* of ours */
    bool drips;         /* one byte a read */
    bool only_h1_later; /* the first connection has HTTP/2, further ones do not */
} net;

/* ---- the origin ---- */

static void frame_put(struct link *link, unsigned type, unsigned flags, uint32_t stream,
                      struct span payload)
{
    const uint8_t head[9] = {(uint8_t)(payload.len >> 16),
                             (uint8_t)(payload.len >> 8),
                             (uint8_t)payload.len,
                             (uint8_t)type,
                             (uint8_t)flags,
                             (uint8_t)(stream >> 24),
                             (uint8_t)(stream >> 16),
                             (uint8_t)(stream >> 8),
                             (uint8_t)stream};

    buf_append(&link->out, span_of((const char *)head, sizeof(head)));
    buf_append(&link->out, payload);
}

/* Each line as a literal field that is not indexed (RFC 7541 6.2.2). */
static void lines_put(struct buf *out, const char *text)
{
    while (*text != '\0') {
        const char *end = strchr(text, '\n');
        const char *colon = strchr(text + 1, ':');
        const char *value = colon + 2;
        buf_putc(out, 0);
        for (unsigned i = 0; i < 2; i++) {
            struct span part = i == 0 ? span_of(text, (size_t)(colon - text))
                                      : span_of(value, (size_t)(end - value));
            assert_true(part.len < 127);
            buf_putc(out, (char)part.len);
            buf_append(out, part);
        }
        text = end + 1;
    }
}

static void part_put(struct link *link, const struct part *part, uint32_t stream)
{
    struct buf block;

    buf_init(&block, 1 << 20);
    if ((part->type == 1 || part->type == 9) && part->len == 0) {
        lines_put(&block, part->text);
    } else {
        buf_append(&block, part->len > 0 ? span_of(part->text, part->len) : span_str(part->text));
    }
    for (unsigned i = 0; i < part->times; i++) {
        frame_put(link, part->type, part->flags, part->stream == THIS ? stream : part->stream,
                  buf_span(&block));
    }
    buf_free(&block);
}

static void answer(struct link *link, uint32_t stream)
{
    const struct script *script = net.requests++ > 0 && net.again != NULL ? net.again : net.script;

    for (size_t i = 0; script != NULL && i < PARTS_MAX && script->parts[i].times > 0; i++) {
        part_put(link, &script->parts[i], stream);
    }
    link->is_ended = script != NULL && script->ends;
}

static CURLcode double_connect(struct double_easy *easy)
{
    assert_true(net.link_count < LINKS_MAX);
    struct link *link = &net.links[net.link_count];
    buf_init(&link->out, 1 << 22);
    buf_init(&link->in, 1 << 22);
    link->easy = easy;
    easy->number = net.link_count++;
    easy->conn->speaks_h2 = !net.only_h1_later || easy->number == 0;
    if (easy->conn->speaks_h2) {
        frame_put(link, 4, 0, 0, SPAN(""));
        frame_put(link, 4, ES, 0, SPAN(""));
    }
    return CURLE_OK;
}

static CURLcode double_recv(struct double_easy *easy, char *to, size_t size, size_t *count)
{
    struct link *link = &net.links[easy->number];
    size_t left = link->out.len - link->out_at;

    *count = 0;
    if (left == 0) {
        return link->is_ended ? CURLE_OK : CURLE_AGAIN;
    }
    if (net.drips && link->reads++ % 5 == 0) {
        return CURLE_AGAIN;
    }
    left = net.drips ? 1 : left;
    *count = left < size ? left : size;
    memcpy(to, link->out.data + link->out_at, *count);
    link->out_at += *count;
    return CURLE_OK;
}

/* Reads the frames of ours, behind the preface. */
static void heard(struct link *link)
{
    const size_t preface = 24;

    link->in_at = link->in_at == 0 ? preface : link->in_at;
    while (link->in.len >= link->in_at + 9) {
        const uint8_t *head = (const uint8_t *)link->in.data + link->in_at;
        size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (link->in.len < link->in_at + 9 + len) {
            return;
        }
        link->in_at += 9 + len;
        net.uploaded += head[3] == 0 ? len : 0;
        net.resets += head[3] == 3 ? 1 : 0;
        if (head[3] == 1) {
            answer(link, (uint32_t)head[7] << 8 | head[8]);
        }
    }
}

static CURLcode double_send(struct double_easy *easy, const char *from, size_t size, size_t *count)
{
    struct link *link = &net.links[easy->number];

    *count = size;
    buf_append(&link->in, span_of(from, size));
    if (easy->conn->speaks_h2) {
        heard(link);
    }
    return CURLE_OK;
}

static void double_closed(struct double_easy *easy)
{
    net.links[easy->number].easy = NULL;
}

/* ---- one test ---- */

static const struct fetch_tls tls = {
    .name = "127.0.0.1", .http2 = true, .min_version = FETCH_TLS_1_2};
static const struct fetch_origin server = {
    .keepalive = 4,
    .keepalive_idle_us = 60000000,
    .name = "double",
    .host = "127.0.0.1",
    .port = 443,
    .tls = &tls,
    .connect_timeout_us = 10000000,
    .first_byte_timeout_us = 10000000,
    .idle_timeout_us = 10000000,
};

static void net_begin(const struct script *script, bool drips)
{
    memset(&net, 0, sizeof(net));
    net.script = script;
    net.drips = drips;
    net.loop = loop_new();
    const struct fetch_pool_options options = {
        .loop = net.loop, .idle_connections = 4, .head_bytes_max = HEAD_BYTES};
    net.pool = fetch_pool_new(&options);
}

static void net_end(void)
{
    struct fetch_pool_figures figures;

    fetch_pool_figures(net.pool, &figures);
    assert_int_equal(figures.active, 0);
    fetch_pool_free(&net.pool);
    loop_free(&net.loop);
    for (unsigned i = 0; i < net.link_count; i++) {
        assert_null(net.links[i].easy);
        buf_free(&net.links[i].out);
        buf_free(&net.links[i].in);
    }
}

static struct fetch_request request_of(const char *method)
{
    return (struct fetch_request){
        .origin = &server,
        .method = span_str(method),
        .host = SPAN("example.org"),
        .target = SPAN("/"),
        .may_retry = true,
    };
}

static void start(struct probe *probe, const struct fetch_request *request)
{
    probe->fetch = fetch_start(net.pool, request, &probe_handler, probe);
}

static void upload_start(struct probe *probe, struct fetch_request request, size_t bytes,
                         uint64_t length)
{
    static const char body[100000];

    request.method = SPAN("POST");
    request.has_body = true;
    request.may_retry = false;
    request.body_length = length;
    probe->upload = span_of(body, bytes);
    start(probe, &request);
}

static void settle_run(struct loop_task *task)
{
    if (--net.rounds == 0) {
        loop_stop(net.loop);
    } else {
        loop_task_defer(net.loop, task);
    }
}

/* So many rounds that whatever is under way without waiting for time has happened. */
static void settle(void)
{
    struct loop_task task;

    net.rounds = 300;
    loop_task_init(&task, settle_run);
    loop_task_defer(net.loop, &task);
    run_loop(net.loop, 20000, false);
    loop_task_clear(&task);
}
#endif
