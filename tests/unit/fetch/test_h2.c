/* What origins may send over HTTP/2, row by row, whole and byte by byte; and what becomes of the
 * fetches that ride a connection together. See h2_origin.h. */
#include "h2_origin.h"

/* ---- the table ---- */

#define TIMES10(text) text text text text text text text text text text
#define LINE_100                                                                                   \
    "x-a: 345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345\n"
#define LINES_30 TIMES10(LINE_100 LINE_100 LINE_100)
static const char too_many[17000];

#define GETS(name_, fault_, status_, body_)                                                        \
    .name = (name_), .fault = (fault_), .status = (status_), .body = (body_)
#define SAYS(...) .script.parts = {__VA_ARGS__}

static const struct row {
    const char *name;
    struct script script;
    enum fetch_fault fault;
    unsigned status; /* 0: no head */
    const char *body;
    const char *method;    /* NULL: GET */
    const char *detail;    /* a part of it */
    const char *drip_body; /* byte by byte, where it differs */
    bool is_whole;         /* not byte by byte: nghttp2 1.52 counts reads as CONTINUATIONs */
    bool is_unsent;
    unsigned informational;
    unsigned requests; /* 0: one */
} rows[] = {
    {GETS("length", FETCH_OK, 200, "hello"), SAYS(OK_5, HELLO)},
    {GETS("no length", FETCH_OK, 200, "hello"),
     SAYS(HEAD(0, ":status: 200\n"), DATA(0, "hel"), DATA(ES, "lo"))},
    {GETS("empty last frame", FETCH_OK, 200, "hello"), SAYS(OK_5, DATA(0, "hello"), DATA(ES, ""))},
    {GETS("head only", FETCH_OK, 204, ""), SAYS(HEAD(ES, ":status: 204\n"))},
    {GETS("304", FETCH_OK, 304, ""), SAYS(HEAD(ES, ":status: 304\ncontent-length: 5\n"))},
    {GETS("to HEAD", FETCH_OK, 200, ""), SAYS(HEAD(ES, ":status: 200\ncontent-length: 5\n")),
     .method = "HEAD"},
    {GETS("body to HEAD", FETCH_BAD_RESPONSE, 200, ""), SAYS(OK_5, HELLO), .method = "HEAD"},
    {GETS("body of 204", FETCH_BAD_RESPONSE, 204, ""), SAYS(HEAD(0, ":status: 204\n"), HELLO)},
    {GETS("padding", FETCH_OK, 200, "hello"),
     SAYS(OK_5, BYTES(0, 8 | ES, THIS, "\003hello\0\0\0"))},
    {GETS("padding too long", FETCH_INCOMPLETE, 200, ""),
     SAYS(OK_5, BYTES(0, 8 | ES, THIS, "\011hello\0\0\0"))},
    /* lengths */
    {GETS("too short", FETCH_BAD_RESPONSE, 200, "hello"),
     SAYS(HEAD(0, ":status: 200\ncontent-length: 9\n"), HELLO)},
    {GETS("too long", FETCH_BAD_RESPONSE, 200, ""),
     SAYS(HEAD(0, ":status: 200\ncontent-length: 3\n"), HELLO), .drip_body = "hel"},
    {GETS("too long later", FETCH_BAD_RESPONSE, 200, "hello"), SAYS(OK_5, DATA(0, "hello"), HELLO)},
    {GETS("length without body", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(ES, ":status: 200\ncontent-length: 5\n"))},
    {GETS("two lengths", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\ncontent-length: 5\ncontent-length: 6\n"), HELLO)},
    {GETS("plus", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\ncontent-length: +5\n"), HELLO)},
    {GETS("no digits", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\ncontent-length: \n"), HELLO)},
    {GETS("length of 25 digits", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\ncontent-length: 9999999999999999999999999\n"), HELLO)},
    /* fields */
    {GETS("upper case", FETCH_BAD_RESPONSE, 0, ""), SAYS(HEAD(0, ":status: 200\nX-A: b\n"), HELLO)},
    {GETS("connection", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\nconnection: close\n"), HELLO)},
    {GETS("transfer-encoding", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\ntransfer-encoding: chunked\n"), HELLO)},
    {GETS("keep-alive", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\nkeep-alive: timeout=5\n"), HELLO)},
    {GETS("proxy-connection", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\nproxy-connection: close\n"), HELLO)},
    {GETS("upgrade", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\nupgrade: test\n"), HELLO)},
    {GETS("space in a name", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\nx a: b\n"), HELLO)},
    {GETS("CR in a value", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\nx-a: b\rc: d\n"), HELLO)},
    /* pseudo fields */
    {GETS("no status", FETCH_BAD_RESPONSE, 0, ""), SAYS(HEAD(0, "content-length: 5\n"), HELLO)},
    {GETS("no fields", FETCH_BAD_RESPONSE, 0, ""), SAYS(HEAD(0, ""), HELLO)},
    {GETS("two statuses", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\n:status: 200\n"), HELLO)},
    {GETS("status behind", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, "x-a: b\n:status: 200\n"), HELLO)},
    {GETS("of requests", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\n:path: /\n"), HELLO)},
    {GETS("unknown", FETCH_BAD_RESPONSE, 0, ""), SAYS(HEAD(0, ":status: 200\n:x: y\n"), HELLO)},
    {GETS("status 20", FETCH_BAD_RESPONSE, 0, ""), SAYS(HEAD(0, ":status: 20\n"), HELLO)},
    {GETS("status 2000", FETCH_BAD_RESPONSE, 0, ""), SAYS(HEAD(0, ":status: 2000\n"), HELLO)},
    {GETS("status 999", FETCH_BAD_RESPONSE, 0, ""), SAYS(HEAD(0, ":status: 999\n"), HELLO)},
    {GETS("status with words", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200 OK\n"), HELLO)},
    /* interim responses */
    {GETS("103", FETCH_OK, 200, "hello"), SAYS(HEAD(0, ":status: 103\nlink: </a>\n"), OK_5, HELLO),
     .informational = 1},
    {GETS("100", FETCH_OK, 200, "hello"), SAYS(HEAD(0, ":status: 100\n"), OK_5, HELLO)},
    {GETS("101", FETCH_BAD_RESPONSE, 0, ""), SAYS(HEAD(0, ":status: 101\n"), OK_5, HELLO)},
    {GETS("103 that ends", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(ES, ":status: 103\n"), OK_5, HELLO)},
    {GETS("103 with a body", FETCH_BAD_RESPONSE, 0, ""), SAYS(HEAD(0, ":status: 103\n"), HELLO),
     .informational = 1},
    {GETS("103 in upper case", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 103\nX-A: b\n"), OK_5, HELLO)},
    {GETS("103 without end", FETCH_BAD_RESPONSE, 0, ""),
     SAYS({1, EH, THIS, ":status: 103\n", 0, 40}, OK_5, HELLO), .informational = 32},
    /* order */
    {GETS("body first", FETCH_BAD_RESPONSE, 0, ""), SAYS(DATA(0, "hello"), OK_5, HELLO)},
    {GETS("second head", FETCH_BAD_RESPONSE, 200, ""), SAYS(OK_5, HEAD(ES, ":status: 200\n"))},
    {GETS("trailers", FETCH_OK, 200, "hello"),
     SAYS(OK_5, DATA(0, "hello"), HEAD(ES, "x-sum: 1\n"))},
    {GETS("trailers that do not end", FETCH_BAD_RESPONSE, 200, "hello"),
     SAYS(OK_5, DATA(0, "hello"), HEAD(0, "x-sum: 1\n"))},
    {GETS("trailers with a status", FETCH_BAD_RESPONSE, 200, "hello"),
     SAYS(OK_5, DATA(0, "hello"), HEAD(ES, ":status: 200\n"))},
    {GETS("trailers with a path", FETCH_BAD_RESPONSE, 200, "hello"),
     SAYS(OK_5, DATA(0, "hello"), HEAD(ES, ":path: /\n"))},
    {GETS("behind the end", FETCH_OK, 200, "hello"), SAYS(OK_5, HELLO, HELLO)},
    /* ends */
    {GETS("reset", FETCH_CLOSED, 0, ""), SAYS(RST("\0\0\0\002")), .detail = "INTERNAL_ERROR"},
    {GETS("reset without error", FETCH_CLOSED, 0, ""), SAYS(RST("\0\0\0\0"))},
    {GETS("reset within the body", FETCH_INCOMPLETE, 200, "hel"),
     SAYS(OK_5, DATA(0, "hel"), RST("\0\0\0\002")), .detail = "INTERNAL_ERROR"},
    {GETS("cancelled without a length", FETCH_INCOMPLETE, 200, "hel"),
     SAYS(HEAD(0, ":status: 200\n"), DATA(0, "hel"), RST("\0\0\0\010"))},
    {GETS("refused", FETCH_CLOSED, 0, ""), SAYS(RST("\0\0\0\007")), .is_unsent = true,
     .requests = 3},
    {GETS("refused behind a head", FETCH_INCOMPLETE, 200, ""), SAYS(OK_5, RST("\0\0\0\007"))},
    {GETS("refused behind a 103", FETCH_CLOSED, 0, ""),
     SAYS(HEAD(0, ":status: 103\n"), RST("\0\0\0\007")), .informational = 1},
    {GETS("reset of a short form", FETCH_BAD_RESPONSE, 0, ""), SAYS(RST("\0\0\007"))},
    {GETS("goaway below", FETCH_CLOSED, 0, ""), SAYS(BYTES(7, 0, 0, "\0\0\0\0\0\0\0\0")),
     .is_unsent = true, .requests = 3},
    {GETS("goaway above", FETCH_OK, 200, "hello"),
     SAYS(BYTES(7, 0, 0, "\0\0\0\001\0\0\0\0"), OK_5, HELLO)},
    {GETS("closed", FETCH_CLOSED, 0, ""), .script.ends = true},
    {GETS("closed within the body", FETCH_INCOMPLETE, 200, "hel"), SAYS(OK_5, DATA(0, "hel")),
     .script.ends = true},
    {GETS("closed without a length", FETCH_INCOMPLETE, 200, "hel"),
     SAYS(HEAD(0, ":status: 200\n"), DATA(0, "hel")), .script.ends = true},
    {GETS("closed behind the end", FETCH_OK, 200, "hello"), SAYS(OK_5, HELLO), .script.ends = true},
    /* what breaks the connection's rules */
    {GETS("push", FETCH_BAD_RESPONSE, 0, ""), SAYS(BYTES(5, EH, THIS, "\0\0\0\002\x82\x84\x87")),
     .detail = "HTTP/2"},
    {GETS("unknown stream", FETCH_BAD_RESPONSE, 0, ""), SAYS({1, EH, 99, ":status: 200\n", 0, 1})},
    {GETS("stream of the origin", FETCH_BAD_RESPONSE, 0, ""),
     SAYS({1, EH, 2, ":status: 200\n", 0, 1})},
    {GETS("body of the connection", FETCH_BAD_RESPONSE, 0, ""), SAYS({0, 0, 0, "hello", 0, 1})},
    {GETS("bad compression", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(BYTES(1, EH, THIS, "\xff\xff\xff\xff\xff\xff"))},
    {GETS("unknown frames", FETCH_OK, 200, "hello"),
     SAYS(BYTES(0x20, 0, 0, "x"), {11, 0, THIS, "", 0, 1}, OK_5, HELLO)},
    {GETS("frame too large", FETCH_INCOMPLETE, 200, ""),
     SAYS(OK_5, {0, 0, THIS, too_many, sizeof(too_many), 1})},
    {GETS("settings in part", FETCH_BAD_RESPONSE, 0, ""), SAYS(BYTES(4, 0, 0, "\0\004\0"))},
    {GETS("window of nothing", FETCH_BAD_RESPONSE, 0, ""), SAYS(BYTES(8, 0, 0, "\0\0\0\0"))},
    {GETS("window of too much", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(BYTES(8, 0, 0, "\x7f\xff\xff\xff"))},
    {GETS("stream's window of too much", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(BYTES(8, 0, THIS, "\x7f\xff\xff\xff"), OK_5, HELLO)},
    {GETS("head within a head", FETCH_BAD_RESPONSE, 0, ""),
     SAYS({1, 0, THIS, ":status: 200\n", 0, 1}, HELLO)},
    {GETS("continuation of nothing", FETCH_BAD_RESPONSE, 0, ""),
     SAYS({9, EH, THIS, "x-a: b\n", 0, 1})},
    {GETS("continuation", FETCH_OK, 200, "hello"),
     SAYS({1, 0, THIS, ":status: 200\n", 0, 1}, {9, EH, THIS, "content-length: 5\n", 0, 1}, HELLO),
     .is_whole = true},
    {GETS("not HTTP/2", FETCH_CLOSED, 0, ""), SAYS(BYTES('H', 'T', 0x502f312e, "1 200 OK\r\n\r\n")),
     .script.ends = true},
    /* too much of something */
    {GETS("head too large", FETCH_BAD_RESPONSE, 0, ""),
     SAYS({1, 0, THIS, ":status: 200\n", 0, 1}, {9, 0, THIS, LINES_30, 0, 2},
          {9, EH, THIS, LINES_30, 0, 1}, HELLO),
     .detail = "too large", .is_whole = true},
    {GETS("too many fields", FETCH_BAD_RESPONSE, 0, ""),
     SAYS(HEAD(0, ":status: 200\n" TIMES10(TIMES10("a: b\na: b\na: b\n"))), HELLO)},
    {GETS("continuations without end", FETCH_BAD_RESPONSE, 0, ""),
     SAYS({1, 0, THIS, ":status: 200\n", 0, 1}, {9, 0, THIS, "", 0, 20000})},
    {GETS("pings without end", FETCH_BAD_RESPONSE, 0, ""), SAYS({6, 0, 0, "12345678", 0, 20000})},
    {GETS("settings without end", FETCH_BAD_RESPONSE, 0, ""), SAYS({4, 0, 0, "", 0, 20000})},
    {GETS("priorities without end", FETCH_BAD_RESPONSE, 0, ""),
     SAYS({2, 0, THIS, "\0\0\0\0\0", 5, 20000})},
    {GETS("windows without end", FETCH_BAD_RESPONSE, 0, ""),
     SAYS({8, 0, 0, "\0\0\0\001", 4, 20000})},
    {GETS("empty bodies without end", FETCH_INCOMPLETE, 200, ""),
     SAYS(HEAD(0, ":status: 200\n"), {0, 0, THIS, "", 0, 20000})},
    {GETS("padding without end", FETCH_INCOMPLETE, 200, ""),
     SAYS(HEAD(0, ":status: 200\n"), {0, 8, THIS, "\002\0\0", 3, 20000})},
};

static bool row_holds(const struct row *row, const struct probe *probe)
{
    const struct fetch_result *result = &probe->result;
    const char *body = net.drips && row->drip_body != NULL ? row->drip_body : row->body;
    bool has_body = probe->body.len == strlen(body) &&
                    (body[0] == '\0' || memcmp(probe->body.data, body, probe->body.len) == 0);

    return result->fault == row->fault && probe->status == row->status && has_body &&
           probe->dones == 1 && probe->informational == row->informational &&
           result->request_sent == !row->is_unsent && result->head_seen == (row->status != 0) &&
           net.requests == (row->requests == 0 ? 1 : row->requests) &&
           (row->detail == NULL || strstr(result->detail, row->detail) != NULL);
}

static void table(bool drips)
{
    unsigned failures = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct fetch_request request = request_of(row->method == NULL ? "GET" : row->method);
        struct probe probe;
        if (drips && row->is_whole) {
            continue;
        }
        net_begin(&row->script, drips);
        probe_init(&probe, net.loop);
        start(&probe, &request);
        run_loop(net.loop, 8000, false);
        if (!row_holds(row, &probe)) {
            failures++;
            print_error("%s: fault %d, status %u, %zu bytes, %s, %u interim, %u requests (%s)\n",
                        row->name, (int)probe.result.fault, probe.status, probe.body.len,
                        probe.result.request_sent ? "sent" : "unsent", probe.informational,
                        net.requests, probe.result.detail);
        }
        probe_fini(&probe);
        net_end();
    }
    assert_int_equal(failures, 0);
}

static void test_rows(void **state)
{
    (void)state;
    table(false);
}

static void test_rows_byte_by_byte(void **state)
{
    (void)state;
    table(true);
}

/* ---- fetches together ---- */

enum {
    TOGETHER = 3
};

static struct probe probes[TOGETHER];

/* So many are under way, on one connection, and have been asked for. */
static void together_begin(unsigned count)
{
    const struct fetch_request request = request_of("GET");

    net_begin(NULL, false);
    for (unsigned i = 0; i < count; i++) {
        probe_init(&probes[i], net.loop);
        probes[i].stops = false;
        start(&probes[i], &request);
    }
    settle();
    assert_int_equal(net.requests, count);
    assert_int_equal(net.link_count, 1);
}

static void together_end(unsigned count)
{
    settle();
    for (unsigned i = 0; i < count; i++) {
        assert_null(probes[i].fetch);
        probe_fini(&probes[i]);
    }
    net_end();
}

static void say(unsigned link, uint32_t stream, const struct script *script)
{
    for (size_t i = 0; i < PARTS_MAX && script->parts[i].times > 0; i++) {
        part_put(&net.links[link], &script->parts[i], stream);
    }
    net.links[link].is_ended = script->ends;
}

static const struct script good = {.parts = {OK_5, HELLO}};
static const struct script leaving = {.parts = {BYTES(7, 0, 0, "\0\0\0\001\0\0\0\0")}};

/* What it looked at it answers; the others go elsewhere, and so does who comes later. */
static void test_goaway_between(void **state)
{
    (void)state;
    together_begin(3);
    net.again = &good;
    say(0, 0, &leaving);
    settle();
    assert_int_equal(probes[0].dones, 0);
    for (unsigned i = 1; i < 3; i++) {
        assert_int_equal(probes[i].result.fault, FETCH_OK);
        assert_true(probes[i].result.request_sent);
    }
    assert_int_equal(net.link_count, 2);
    assert_int_equal(net.requests, 5);
    say(0, 1, &good);
    settle();
    assert_int_equal(probes[0].result.fault, FETCH_OK);
    assert_null(net.links[0].easy); /* nobody is left on it */
    together_end(3);
}

/* A response that is all there outlives its connection; one that is not ends with it. */
static void test_paused_when_it_closes(void **state)
{
    static const struct script half = {.parts = {OK_5, DATA(0, "hel")}, .ends = true};

    (void)state;
    together_begin(2);
    probes[0].pause_head = probes[1].pause_head = true;
    say(0, 1, &good);
    say(0, 3, &half);
    /* The probe goes on by its timer, after the end was read. */
    probes[0].stops = true;
    run_loop(net.loop, 5000, false);
    assert_int_equal(probes[0].result.fault, FETCH_OK);
    assert_int_equal(probes[0].body.len, 5);
    assert_int_equal(probes[1].result.fault, FETCH_INCOMPLETE);
    together_end(2);
}

/* From each handler, and while the others ride on. */
static void test_cancel_inside(void **state)
{
    static const struct script interim = {.parts = {HEAD(0, ":status: 103\n"), OK_5, HELLO}};

    (void)state;
    for (enum probe_stage at = PROBE_IN_INFORMATIONAL; at <= PROBE_IN_DONE; at++) {
        for (unsigned by_call = 0; by_call < 2; by_call++) {
            if (at == PROBE_IN_BODY || (at == PROBE_IN_INFORMATIONAL && by_call == 0)) {
                continue;
            }
            together_begin(2);
            probes[0].cancel_at = at;
            probes[0].cancel_by_call = by_call != 0;
            say(0, 1, &interim);
            say(0, 3, &good);
            settle();
            assert_int_equal(probes[0].dones, at == PROBE_IN_DONE ? 1 : 0);
            probes[0].fetch = NULL;
            assert_int_equal(probes[1].result.fault, FETCH_OK);
            together_end(2);
        }
    }
}

/* ---- uploads ---- */

static void upload_begin(struct probe *probe, const struct script *script, size_t bytes,
                         uint64_t length)
{
    struct fetch_request request = request_of("POST");

    net_begin(script, false);
    probe_init(probe, net.loop);
    request.patience.first_byte_us = 200000;
    upload_start(probe, request, bytes, length);
}

/* Without a window the body waits, and the origin's time runs. */
static void test_upload_without_window(void **state)
{
    static const struct script shut = {.parts = {BYTES(4, 0, 0, "\0\004\0\0\0\0")}};
    struct probe probe;

    (void)state;
    upload_begin(&probe, &shut, 100000, 100000);
    run_loop(net.loop, 5000, false);
    assert_int_equal(probe.result.fault, FETCH_FIRST_BYTE_TIMEOUT);
    assert_true(probe.result.request_sent);
    assert_true(net.uploaded < 70000);
    assert_int_equal(net.resets, 1);
    probe_fini(&probe);
    net_end();
}

/* A window that shrinks below what was sent, and opens again. */
static void test_upload_by_windows(void **state)
{
    static const struct script shut = {.parts = {BYTES(4, 0, 0, "\0\004\0\0\0\012")}};
    static const struct script open = {.parts = {BYTES(8, 0, 0, "\0\001\0\0"),
                                                 BYTES(8, 0, THIS, "\0\001\0\0"),
                                                 BYTES(4, 0, 0, "\0\004\0\001\0\0"), OK_5, HELLO}};
    struct probe probe;

    (void)state;
    upload_begin(&probe, &shut, 100000, 100000);
    probe.stops = false;
    settle();
    assert_int_equal(net.uploaded, 65535);
    say(0, 1, &open);
    net.links[0].out.len -= 14; /* the end of its answer comes later */
    settle();
    assert_int_equal(net.uploaded, 100000);
    net.links[0].out.len += 14;
    settle();
    assert_int_equal(probe.result.fault, FETCH_OK);
    probe_fini(&probe);
    net_end();
}

/* A body that waits for its client is not asked for again because the stream is another one. */
static void test_upload_that_waits_is_refused(void **state)
{
    static const struct script refuses = {.parts = {RST("\0\0\0\007")}};
    struct probe probe;

    (void)state;
    net_begin(&refuses, false);
    net.again = &good;
    probe_init(&probe, net.loop);
    probe.upload_stalls = true;
    upload_start(&probe, request_of("POST"), 0, UINT64_MAX);
    run_loop(net.loop, 5000, false);
    assert_int_equal(probe.result.fault, FETCH_OK);
    assert_int_equal(probe.upload_asked, 1);
    assert_int_equal(net.requests, 2);
    probe_fini(&probe);
    net_end();
}

/* An origin that wants HTTP/1.1 instead gets the end of a body, too, that was found empty before. */
static void test_upload_over_http1_after_all(void **state)
{
    static const struct script other = {.parts = {RST("\0\0\0\015")}};
    const char *end = "\r\n\r\n0\r\n\r\n";
    struct probe probe;

    (void)state;
    net_begin(&other, false);
    net.only_h1_later = true;
    probe_init(&probe, net.loop);
    probe.stops = false;
    upload_start(&probe, request_of("POST"), 0, UINT64_MAX);
    settle();
    assert_int_equal(net.link_count, 2);
    assert_non_null(memmem(net.links[1].in.data, net.links[1].in.len, end, strlen(end)));
    fetch_cancel(&probe.fetch);
    probe_fini(&probe);
    net_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_rows_byte_by_byte),
        cmocka_unit_test(test_goaway_between),
        cmocka_unit_test(test_paused_when_it_closes),
        cmocka_unit_test(test_cancel_inside),
        cmocka_unit_test(test_upload_without_window),
        cmocka_unit_test(test_upload_by_windows),
        cmocka_unit_test(test_upload_that_waits_is_refused),
        cmocka_unit_test(test_upload_over_http1_after_all),
    };

    return cmocka_run_group_tests(tests, group_begin, group_end);
}
