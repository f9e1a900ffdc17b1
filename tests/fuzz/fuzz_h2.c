// layer: fetch
/* A hostile origin that chose HTTP/2, and up to eight fetches that ride its connections, pause, go
 * on and are cancelled when the input says so: each ends once or was cancelled, its head is one
 * HTTP/2 allows, its body no longer than announced, and nothing comes after the end.
 *
 * First byte: what handlers do (WITH_...), second: seed of when, and of the pieces bytes come in;
 * then steps, one a round, see step_run. make_h2_corpus.py writes seeds. */
#include <string.h>

#include "base/buf.h"
#include "curl_double.h"

enum {
    WITH_PAUSES = 1,
    WITH_CANCEL = 2,
    WITH_BODIES = 4,
    WITH_OTHERS = 8, /* handlers start fetches, and cancel one another's */
    WITH_SHORT_WRITES = 16,
    WITH_REFUSALS = 32, /* not every connection can be had, or speaks HTTP/2 */
    WITH_HEAD = 64,
    HEAD_BYTES = 2048,
    RIDERS_MAX = 8,
    LINKS_MAX = 16,
    OUT_BYTES = 1 << 20,
    ROUNDS_MAX = 50000, /* behind the last step */
};

enum step {
    STEP_FRAME = 0, /* up to 9, its type: flags, stream, length, payload */
    STEP_FILL = 10, /* DATA: stream, length in 64 bytes */
    STEP_RAW,       /* length, bytes */
    STEP_REPEAT,    /* the last frame: times, in 16 */
    STEP_END,       /* of the connection */
    STEP_BREAK,
    STEP_TURN, /* to another connection: which */
    STEP_START,
    STEP_CANCEL, /* which */
    STEP_RESUME,
    STEP_WAIT, /* rounds */
    STEP_COUNT,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rider {
    struct fetch *fetch;
    bool is_head, has_length, is_paused, is_body_paused, is_cancelled;
    unsigned heads, dones, status;
    uint64_t length, got, upload_left;
};

struct link {
    struct double_easy *easy; /* NULL: closed */
    struct buf out;           /* what the origin has sent */
    size_t at;
    bool is_ended, is_broken;
};

static struct {
    struct loop *loop;
    struct fetch_pool *pool;
    struct loop_task script;
    struct span left;
    unsigned how;
    uint32_t random;
    struct rider riders[RIDERS_MAX];
    unsigned rider_count;
    struct link links[LINKS_MAX];
    unsigned link_count;
    unsigned link;    /* whose turn it is */
    struct span last; /* frame */
    unsigned waits, rounds;
    bool is_last; /* all steps are taken */
} now;

static uint32_t next_random(void)
{
    now.random = now.random * 1664525u + 1013904223u;
    return now.random >> 16;
}

static bool happens(unsigned what, unsigned one_in)
{
    return (now.how & what) != 0 && next_random() % one_in == 0;
}

/* ---- the connections ---- */

static CURLcode double_connect(struct double_easy *easy)
{
    if (now.link_count == LINKS_MAX || happens(WITH_REFUSALS, 5)) {
        return CURLE_COULDNT_CONNECT;
    }
    struct link *link = &now.links[now.link_count];
    buf_init(&link->out, OUT_BYTES);
    link->easy = easy;
    easy->number = now.link_count;
    now.link = now.link_count++;
    easy->conn->speaks_h2 = !happens(WITH_REFUSALS, 5);
    return CURLE_OK;
}

static CURLcode double_recv(struct double_easy *easy, char *to, size_t size, size_t *count)
{
    struct link *link = &now.links[easy->number];
    size_t left = link->out.len - link->at;
    size_t len = next_random() % 3 == 0 ? left : next_random() % 40 + 1;

    *count = 0;
    if (left == 0) {
        return link->is_broken                 ? CURLE_RECV_ERROR
               : link->is_ended || now.is_last ? CURLE_OK
                                               : CURLE_AGAIN;
    }
    if (next_random() % 3 == 0) {
        return CURLE_AGAIN;
    }
    len = len < left ? len : left;
    len = len < size ? len : size;
    memcpy(to, link->out.data + link->at, len);
    link->at += len;
    *count = len;
    return CURLE_OK;
}

static CURLcode double_send(struct double_easy *easy, const char *from, size_t size, size_t *count)
{
    (void)from;
    if (now.links[easy->number].is_broken) {
        return CURLE_SEND_ERROR;
    }
    if (happens(WITH_SHORT_WRITES, 3)) {
        return CURLE_AGAIN;
    }
    *count = happens(WITH_SHORT_WRITES, 2) ? next_random() % size + 1 : size;
    return CURLE_OK;
}

static void double_closed(struct double_easy *easy)
{
    now.links[easy->number].easy = NULL;
}

/* ---- the handlers ---- */

static void rider_start(void);

static void rider_cancel(struct rider *rider)
{
    if (rider->fetch != NULL) {
        rider->is_cancelled = true;
        fetch_cancel(&rider->fetch);
    }
}

static enum fetch_flow flow_now(struct rider *rider)
{
    if (happens(WITH_OTHERS, 8)) {
        struct rider *other = &now.riders[next_random() % RIDERS_MAX];
        if (other != rider) {
            rider_cancel(other);
        }
    }
    if (happens(WITH_OTHERS, 8)) {
        rider_start();
    }
    if (happens(WITH_CANCEL, 8)) {
        if (next_random() % 2 == 0) {
            rider->is_cancelled = true;
            rider->fetch = NULL;
            return FETCH_CANCEL;
        }
        rider_cancel(rider);
        return FETCH_GO;
    }
    if (happens(WITH_PAUSES, 3)) {
        rider->is_paused = true;
        return FETCH_PAUSE;
    }
    return FETCH_GO;
}

static bool is_over(const struct rider *rider)
{
    return rider->is_cancelled || rider->dones > 0;
}

/* RFC 9113 8.2: once more, in plain words. */
static void check_field(const struct http_field *field)
{
    static const char *const never[] = {"connection", "proxy-connection", "keep-alive",
                                        "transfer-encoding", "upgrade"};
    const char *symbols = "!#$%&'*+-.^_`|~";

    CHECK(field->name.len > 0);
    for (size_t i = 0; i < field->name.len; i++) {
        char c = field->name.ptr[i];
        CHECK((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr(symbols, c) != NULL));
    }
    for (size_t i = 0; i < field->value.len; i++) {
        unsigned char c = (unsigned char)field->value.ptr[i];
        CHECK((c >= 0x20 && c != 0x7f) || c == '\t');
    }
    for (size_t i = 0; i < ARRAY_LEN(never); i++) {
        CHECK(!span_eq(field->name, span_str(never[i])));
    }
}

static void on_informational(void *ctx, struct span head)
{
    struct rider *rider = ctx;

    CHECK(!is_over(rider) && rider->heads == 0 && head.len <= HEAD_BYTES);
    if (happens(WITH_CANCEL, 8)) {
        rider_cancel(rider);
    }
}

static enum fetch_flow on_head(void *ctx, const struct http_response *response)
{
    struct rider *rider = ctx;
    uint64_t length = 0;
    size_t bytes = 0;

    CHECK(!is_over(rider) && rider->heads++ == 0);
    CHECK(response->status >= 200 && response->status <= 599 && !response->chunked);
    for (unsigned i = 0; i < response->fields.count; i++) {
        const struct http_field *field = &response->fields.items[i];
        check_field(field);
        bytes += field->name.len + field->value.len;
        if (span_eq(field->name, SPAN("content-length"))) {
            CHECK(span_to_u64(field->value, INT64_MAX, &length));
            CHECK(response->has_content_length && response->content_length == length);
        }
    }
    CHECK(bytes <= HEAD_BYTES);
    rider->status = response->status;
    rider->has_length = response->has_content_length;
    rider->length = response->content_length;
    return flow_now(rider);
}

static bool has_body(const struct rider *rider)
{
    return !rider->is_head && rider->status != 204 && rider->status != 304;
}

static enum fetch_flow on_data(void *ctx, struct span data)
{
    struct rider *rider = ctx;

    CHECK(!is_over(rider) && !rider->is_paused && rider->heads == 1 && data.len > 0);
    CHECK(has_body(rider));
    rider->got += data.len;
    CHECK(!rider->has_length || rider->got <= rider->length);
    return flow_now(rider);
}

static void on_batch(void *ctx)
{
    struct rider *rider = ctx;

    CHECK(!is_over(rider) && rider->heads == 1);
    if (happens(WITH_CANCEL, 16)) {
        rider_cancel(rider);
    }
}

static enum fetch_flow on_body(void *ctx, char *out, size_t size, size_t *count)
{
    struct rider *rider = ctx;
    size_t len = next_random() % 3 == 0 ? size : next_random() % 100 + 1;

    CHECK(!is_over(rider) && !rider->is_body_paused && size > 0);
    *count = 0;
    if (happens(WITH_CANCEL, 8)) {
        rider->is_cancelled = true;
        rider->fetch = NULL;
        return FETCH_CANCEL;
    }
    if (next_random() % 4 == 0) {
        rider->is_body_paused = true;
        return FETCH_PAUSE;
    }
    len = len < size ? len : size;
    len = len < rider->upload_left ? len : (size_t)rider->upload_left;
    memset(out, 'u', len);
    rider->upload_left -= len;
    *count = len;
    return FETCH_GO;
}

static void on_done(void *ctx, const struct fetch_result *result)
{
    struct rider *rider = ctx;

    CHECK(!is_over(rider));
    CHECK(result->head_seen == (rider->heads == 1) && result->received_bytes == rider->got);
    if (result->fault == FETCH_OK) {
        CHECK(rider->heads == 1 && !rider->is_paused);
        CHECK(!rider->has_length || !has_body(rider) || rider->got == rider->length);
    }
    rider->dones++;
    rider->fetch = NULL;
    if (happens(WITH_OTHERS, 4)) {
        rider_start();
    }
}

static void rider_start(void)
{
    static const struct fetch_tls tls = {
        .name = "127.0.0.1", .http2 = true, .min_version = FETCH_TLS_1_2};
    static const struct fetch_origin origin = {
        .keepalive = 2,
        .keepalive_idle_us = 60000000,
        .name = "fuzz",
        .host = "127.0.0.1",
        .port = 443,
        .tls = &tls,
        .connect_timeout_us = 60000000,
        .first_byte_timeout_us = 60000000,
        .idle_timeout_us = 60000000,
    };
    static const struct fetch_handler handler = {
        .informational = on_informational,
        .head = on_head,
        .data = on_data,
        .batch = on_batch,
        .done = on_done,
        .body = on_body,
    };
    struct fetch_request request = {
        .origin = &origin,
        .method = SPAN("GET"),
        .host = SPAN("example.org"),
        .target = SPAN("/"),
        .may_retry = true,
    };

    if (now.rider_count == RIDERS_MAX || now.is_last) {
        return;
    }
    struct rider *rider = &now.riders[now.rider_count++];
    if (happens(WITH_HEAD, 2)) {
        rider->is_head = true;
        request.method = SPAN("HEAD");
    } else if (happens(WITH_BODIES, 2)) {
        rider->upload_left = next_random() % 4 * 30000;
        request.method = SPAN("POST");
        request.has_body = true;
        request.may_retry = false;
        request.body_length = next_random() % 2 == 0 ? UINT64_MAX : rider->upload_left;
    }
    rider->fetch = fetch_start(now.pool, &request, &handler, rider);
}

/* ---- the script ---- */

static uint8_t next_byte(void)
{
    if (now.left.len == 0) {
        return 0;
    }
    uint8_t byte = (uint8_t)*now.left.ptr;
    now.left = span_of(now.left.ptr + 1, now.left.len - 1);
    return byte;
}

static struct span next_bytes(size_t len)
{
    len = len < now.left.len ? len : now.left.len;
    struct span bytes = span_of(now.left.ptr, len);
    now.left = span_of(now.left.ptr + len, now.left.len - len);
    return bytes;
}

static void send_bytes(struct span bytes)
{
    if (now.link < now.link_count && now.links[now.link].easy != NULL) {
        buf_append(&now.links[now.link].out, bytes);
    }
}

/* The stream's number: 0 to 63, or one very high, or with the reserved bit. */
static void send_frame(unsigned type, unsigned flags, unsigned stream, struct span payload)
{
    static char frame[9 + 256 * 64];

    CHECK(payload.len <= sizeof(frame) - 9);
    frame[0] = 0;
    frame[1] = (char)(payload.len >> 8);
    frame[2] = (char)payload.len;
    frame[3] = (char)type;
    frame[4] = (char)flags;
    frame[5] = (char)(stream & 0xc0);
    frame[6] = frame[7] = 0;
    frame[8] = (char)(stream & 0x3f);
    if (payload.len > 0) {
        memcpy(frame + 9, payload.ptr, payload.len);
    }
    now.last = span_of(frame, 9 + payload.len);
    send_bytes(now.last);
}

static void resume_all(void)
{
    for (unsigned i = 0; i < now.rider_count; i++) {
        struct rider *rider = &now.riders[i];
        if (rider->fetch != NULL && rider->is_paused) {
            rider->is_paused = false;
            fetch_resume(rider->fetch);
        }
        if (rider->fetch != NULL && rider->is_body_paused) {
            rider->is_body_paused = false;
            fetch_resume_body(rider->fetch);
        }
    }
}

static void step_send(unsigned step)
{
    static const char filler[256 * 64];

    if (step < STEP_FILL) {
        unsigned flags = next_byte();
        unsigned stream = next_byte();
        send_frame(step, flags, stream, next_bytes(next_byte()));
    } else if (step == STEP_FILL) {
        unsigned stream = next_byte();
        send_frame(0, 0, stream, span_of(filler, (size_t)next_byte() * 64));
    } else if (step == STEP_RAW) {
        send_bytes(next_bytes(next_byte()));
    } else {
        for (unsigned times = next_byte() * 16u; times > 0; times--) {
            send_bytes(now.last);
        }
    }
}

static void step_run(void)
{
    unsigned step = next_byte() % STEP_COUNT;
    struct link *link = &now.links[now.link];

    switch (step) {
    case STEP_END:
        link->is_ended = true;
        break;
    case STEP_BREAK:
        link->is_broken = true;
        break;
    case STEP_TURN:
        now.link = next_byte() % LINKS_MAX;
        break;
    case STEP_START:
        rider_start();
        break;
    case STEP_CANCEL:
        rider_cancel(&now.riders[next_byte() % RIDERS_MAX]);
        break;
    case STEP_RESUME:
        resume_all();
        break;
    case STEP_WAIT:
        now.waits = next_byte() % 16;
        break;
    default:
        step_send(step);
        break;
    }
}

static void script_run(struct loop_task *task)
{
    bool is_over_all = true;

    if (now.waits > 0) {
        now.waits--;
    } else if (now.left.len > 0) {
        step_run();
    } else {
        now.is_last = true;
        resume_all();
        CHECK(now.rounds++ < ROUNDS_MAX);
    }
    for (unsigned i = 0; i < now.rider_count; i++) {
        is_over_all = is_over_all && now.riders[i].fetch == NULL;
    }
    if (now.is_last && is_over_all) {
        loop_stop(now.loop);
    } else {
        loop_task_defer(now.loop, task);
    }
}

/* ---- one input ---- */

static void run(struct span steps)
{
    struct fetch_pool_figures figures;
    const struct fetch_pool_options options = {
        .loop = now.loop, .idle_connections = 2, .head_bytes_max = HEAD_BYTES};

    now.left = steps;
    memset(now.riders, 0, sizeof(now.riders));
    memset(now.links, 0, sizeof(now.links));
    now.rider_count = now.link_count = now.link = now.waits = now.rounds = 0;
    now.is_last = false;
    now.last = span_of(NULL, 0);
    now.pool = fetch_pool_new(&options);
    rider_start();
    loop_task_defer(now.loop, &now.script);
    loop_run(now.loop);
    for (unsigned i = 0; i < now.rider_count; i++) {
        CHECK(now.riders[i].dones + (now.riders[i].is_cancelled ? 1 : 0) == 1);
    }
    fetch_pool_figures(now.pool, &figures);
    CHECK(figures.active == 0);
    fetch_pool_free(&now.pool);
    for (unsigned i = 0; i < now.link_count; i++) {
        CHECK(now.links[i].easy == NULL);
        buf_free(&now.links[i].out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    if (now.loop == NULL) {
        fetch_global_init();
        now.loop = loop_new();
        loop_task_init(&now.script, script_run);
    }
    now.how = data[0];
    now.random = data[1];
    run(span_of((const char *)data + 2, size - 2));
    return 0;
}
