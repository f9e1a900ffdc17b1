/* What origins may send, row by row: many a client is lenient, we are not. */
#include "probe.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define LENGTH_5 "Content-Length: 5\r\n"
#define RAW(text) text, sizeof(text) - 1

static const struct row {
    const char *path;
    const char *raw;
    size_t raw_len;
    enum fetch_fault fault;
    const char *body;
    unsigned status;
    bool certain;
    bool unstorable;
    unsigned informational;
} rows[] = {
    {"/plain", RAW(OK_HEAD LENGTH_5 "\r\nhello"), FETCH_OK, "hello", 200, true, false, 0},
    {"/chunked", RAW(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), FETCH_OK,
     "hello", 200, true, false, 0},
    {"/both",
     RAW(OK_HEAD "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\n0\r\n\r\n"),
     FETCH_OK, "hello", 200, true, true, 0},
    {"/two-equal", RAW(OK_HEAD LENGTH_5 LENGTH_5 "\r\nhello"), FETCH_OK, "hello", 200, true, false,
     0},
    {"/two-lengths", RAW(OK_HEAD LENGTH_5 "Content-Length: 9\r\n\r\nhello1234"), FETCH_BAD_RESPONSE,
     "", 0, false, false, 0},
    {"/plus", RAW(OK_HEAD "Content-Length: +5\r\n\r\nhello"), FETCH_BAD_RESPONSE, "", 0, false,
     false, 0},
    {"/minus", RAW(OK_HEAD "Content-Length: -5\r\n\r\nhello"), FETCH_BAD_RESPONSE, "", 0, false,
     false, 0},
    {"/digits25", RAW(OK_HEAD "Content-Length: 9999999999999999999999999\r\n\r\nhello"),
     FETCH_BAD_RESPONSE, "", 0, false, false, 0},
    {"/space-colon", RAW(OK_HEAD "Content-Length : 5\r\n\r\nhello"), FETCH_BAD_RESPONSE, "", 0,
     false, false, 0},
    {"/fold", RAW(OK_HEAD "X-A: one\r\n two\r\n" LENGTH_5 "\r\nhello"), FETCH_BAD_RESPONSE, "", 0,
     false, false, 0},
    {"/bare-lf", RAW("HTTP/1.1 200 OK\nX-A: a\nContent-Length: 5\n\nhello"), FETCH_OK, "hello", 200,
     true, false, 0},
    {"/nul", RAW(OK_HEAD "X-A: a\0b\r\n" LENGTH_5 "\r\nhello"), FETCH_BAD_RESPONSE, "", 0, false,
     false, 0},
    {"/no-colon", RAW(OK_HEAD "badheader\r\n" LENGTH_5 "\r\nhello"), FETCH_BAD_RESPONSE, "", 0,
     false, false, 0},
    {"/http09", RAW("hello no headers"), FETCH_BAD_RESPONSE, "", 0, false, false, 0},
    {"/bad-chunk", RAW(OK_HEAD "Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n"),
     FETCH_BAD_RESPONSE, "", 200, true, false, 0},
    {"/code20", RAW("HTTP/1.1 20 X\r\n" LENGTH_5 "\r\nhello"), FETCH_BAD_RESPONSE, "", 0, false,
     false, 0},
    {"/code999", RAW("HTTP/1.1 999 Weird\r\n" LENGTH_5 "\r\nhello"), FETCH_BAD_RESPONSE, "", 0,
     false, false, 0},
    {"/http2", RAW("HTTP/2 200\r\n" LENGTH_5 "\r\nhello"), FETCH_BAD_RESPONSE, "", 0, false, false,
     0},
    {"/short", RAW(OK_HEAD "Content-Length: 500\r\n\r\nhello"), FETCH_INCOMPLETE, "hello", 200,
     true, false, 0},
    {"/short-chunks", RAW(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
     FETCH_INCOMPLETE, "hello", 200, true, false, 0},
    {"/short-chunk", RAW(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n9\r\nhello"), FETCH_INCOMPLETE,
     "hello", 200, true, false, 0},
    {"/until-close", RAW(OK_HEAD "\r\nhello until close"), FETCH_OK, "hello until close", 200,
     false, false, 0},
    {"/trailer",
     RAW(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: tv\r\n"
                 "Content-Length: 99\r\n\r\n"),
     FETCH_OK, "hello", 200, true, false, 0},
    {"/hints",
     RAW("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" OK_HEAD LENGTH_5 "\r\nhello"),
     FETCH_OK, "hello", 200, true, false, 1},
    {"/continue", RAW("HTTP/1.1 100 Continue\r\n\r\n" OK_HEAD LENGTH_5 "\r\nhello"), FETCH_OK,
     "hello", 200, true, false, 0},
    {"/bad-hint", RAW("HTTP/1.1 103 Hints\r\nBad Name: 1\r\n\r\n" OK_HEAD LENGTH_5 "\r\nhello"),
     FETCH_BAD_RESPONSE, "", 0, false, false, 0},
    {"/switch", RAW("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nabc"),
     FETCH_BAD_RESPONSE, "", 0, false, false, 0},
    {"/te-gzip", RAW(OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
     FETCH_BAD_RESPONSE, "", 0, false, false, 0},
    {"/te-unknown", RAW(OK_HEAD "Transfer-Encoding: xchunked\r\n" LENGTH_5 "\r\nhello!"), FETCH_OK,
     "hello!", 200, false, true, 0},
    {"/encoded", RAW(OK_HEAD "Content-Encoding: gzip\r\n" LENGTH_5 "\r\nhello"), FETCH_OK, "hello",
     200, true, false, 0},
    {"/redirect", RAW("HTTP/1.1 302 Found\r\nLocation: /plain\r\nContent-Length: 0\r\n\r\n"),
     FETCH_OK, "", 302, true, false, 0},
    {"/204", RAW("HTTP/1.1 204 No Content\r\n\r\n"), FETCH_OK, "", 204, true, false, 0},
    {"/304", RAW("HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\nETag: \"x\"\r\n\r\n"),
     FETCH_OK, "", 304, true, false, 0},
    {"/nothing", "", 0, FETCH_CLOSED, "", 0, false, false, 0},
    {"/half-head", RAW(OK_HEAD "X-A: b\r\nX-"), FETCH_CLOSED, "", 0, false, false, 0},
    /* The origin answers a request nobody made: it must not be given to the next one. */
    {"/extra", RAW(OK_HEAD LENGTH_5 "\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"),
     FETCH_OK, "hello", 200, true, false, 0},
    {"/extra304",
     RAW("HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"),
     FETCH_OK, "", 304, true, false, 0},
};

static void wire(bool drips)
{
    struct origin_row raws[ARRAY_LEN(rows)];
    struct loop *loop = loop_new();
    struct fetch_pool_options options = {
        .loop = loop, .idle_connections = 8, .head_bytes_max = 65536};
    struct fetch_pool *pool = fetch_pool_new(&options);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        raws[i] = (struct origin_row){rows[i].path, rows[i].raw, rows[i].raw_len, false};
    }
    struct origin *origin = origin_start(raws, ARRAY_LEN(raws));
    origin->drips = drips;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct probe probe;
        probe_init(&probe, loop);
        struct fetch_request request = probe_request(origin, row->path);
        probe.fetch = fetch_start(pool, &request, &probe_handler, &probe);
        run_loop(loop, HANG_MS, false);
        if (probe.result.fault != row->fault || probe.dones != 1) {
            print_error("%s: fault %d, wanted %d (%s)\n", row->path, (int)probe.result.fault,
                        (int)row->fault, probe.result.detail);
        }
        assert_int_equal(probe.result.fault, row->fault);
        assert_int_equal(probe.dones, 1);
        assert_int_equal(probe.status, row->status);
        assert_int_equal(probe.heads, row->status != 0);
        assert_int_equal(probe.result.head_seen, row->status != 0);
        assert_int_equal(probe.result.length_certain, row->certain);
        assert_int_equal(probe.unstorable, row->unstorable);
        assert_int_equal(probe.informational, row->informational);
        assert_int_equal(probe.body.len, strlen(row->body));
        assert_memory_equal(probe.body.data, row->body, strlen(row->body));
        assert_int_equal(probe.result.received_bytes, strlen(row->body));
        assert_int_equal(probe.result.fault != FETCH_OK, probe.result.detail[0] != '\0');
        probe_fini(&probe);
        if (drips) {
            run_loop(loop, 60, true); /* what the origin says too much is on its way yet */
        }
        /* Whatever happened, the next request is not touched by it. */
        probe_init(&probe, loop);
        request = probe_request(origin, "/bytes/6");
        probe.fetch = fetch_start(pool, &request, &probe_handler, &probe);
        run_loop(loop, HANG_MS, false);
        if (probe.result.fault != FETCH_OK) {
            print_error("after %s: %s\n", row->path, probe.result.detail);
        }
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_int_equal(probe.body.len, 6);
        assert_memory_equal(probe.body.data, origin_body, 6);
        probe_fini(&probe);
    }
    fetch_pool_free(&pool);
    loop_free(&loop);
    origin_stop(origin);
}

static void test_wire(void **state)
{
    (void)state;
    wire(false);
}

/* However the bytes are split, the verdict is the same. */
static void test_wire_byte_by_byte(void **state)
{
    (void)state;
    wire(true);
}

static void test_endless_head_is_cut(void **state)
{
    enum {
        LINES = 2000,
    };
    struct buf raw;
    struct probe probe;
    struct loop *loop = loop_new();
    struct fetch_pool_options options = {
        .loop = loop, .idle_connections = 8, .head_bytes_max = 65536};
    struct fetch_pool *pool = fetch_pool_new(&options);

    (void)state;
    buf_init(&raw, 1 << 20);
    buf_puts(&raw, OK_HEAD);
    for (int i = 0; i < LINES; i++) {
        buf_printf(&raw, "X-%d: %0100d\r\n", i, i);
    }
    buf_puts(&raw, LENGTH_5 "\r\nhello");
    struct buf hints;
    buf_init(&hints, 1 << 20);
    for (int i = 0; i < 100; i++) {
        buf_puts(&hints, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    }
    buf_puts(&hints, OK_HEAD LENGTH_5 "\r\nhello");
    struct origin_row raws[] = {{"/endless", raw.data, raw.len, false},
                                {"/hints", hints.data, hints.len, false}};
    struct origin *origin = origin_start(raws, 2);
    for (size_t i = 0; i < ARRAY_LEN(raws); i++) {
        probe_init(&probe, loop);
        struct fetch_request request = probe_request(origin, raws[i].path);
        probe.fetch = fetch_start(pool, &request, &probe_handler, &probe);
        run_loop(loop, HANG_MS, false);
        assert_int_equal(probe.result.fault, FETCH_BAD_RESPONSE);
        assert_int_equal(probe.heads, 0);
        assert_true(probe.informational <= 32);
        probe_fini(&probe);
    }
    fetch_pool_free(&pool);
    loop_free(&loop);
    origin_stop(origin);
    buf_free(&raw);
    buf_free(&hints);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire),
        cmocka_unit_test(test_wire_byte_by_byte),
        cmocka_unit_test(test_endless_head_is_cut),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
