/* One fetch: what goes out, and the flow of bodies both ways. */
#include "kit.h"

/* ---- what goes out ---- */

static void test_request_on_the_wire(void **state)
{
    static const struct span lines[] = {
        {"X-Lower: KeepCase", 17},
        {"x-empty:", 8},
        {"X-Blank:  ", 10},
        {"User-Agent: t/1", 15},
    };

    (void)state;
    struct fetch_request request = probe_request(origin, "/echo");
    request.lines = lines;
    request.line_count = ARRAY_LEN(lines);
    run(&request);
    buf_putc(&probe.body, '\0');
    assert_string_equal(probe.body.data,
                        "GET /echo HTTP/1.1\r\nHost: example.org\r\nX-Lower: KeepCase\r\n"
                        "x-empty:\r\nX-Blank:\r\nUser-Agent: t/1\r\n\r\n");
    /* The target goes verbatim; unless given, nothing is added. */
    probe_again();
    request = probe_request(origin, "/a/../b//%2e|<>?x=^`{}");
    request.method = SPAN("MKCOL");
    run(&request);
    assert_int_equal(probe.status, 404);
    probe_again();
    request = probe_request(origin, "/echo");
    request.method = SPAN("OPTIONS");
    run(&request);
    buf_putc(&probe.body, '\0');
    assert_string_equal(probe.body.data, "OPTIONS /echo HTTP/1.1\r\nHost: example.org\r\n\r\n");
}

static void test_methods_do_not_stick_to_handles(void **state)
{
    static const struct {
        const char *method;
        const char *upload; /* NULL: no body */
        bool chunked;
        const char *has;
    } rows[] = {
        {"POST", "abc", false,
         "POST /echo HTTP/1.1\r\nHost: example.org\r\nContent-Length: 3\r\n\r\nabc"},
        {"GET", NULL, false, "GET /echo HTTP/1.1\r\nHost: example.org\r\n\r\n"},
        {"HEAD", NULL, false, ""},
        {"PUT", "abc", true,
         "PUT /echo HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\nabc\r\n0\r\n\r\n"},
        {"HEAD", NULL, false, ""},
        {"POST", "", false,
         "POST /echo HTTP/1.1\r\nHost: example.org\r\nContent-Length: 0\r\n\r\n"},
        {"DELETE", NULL, false, "DELETE /echo HTTP/1.1\r\nHost: example.org\r\n\r\n"},
        {"GET", "q", false,
         "GET /echo HTTP/1.1\r\nHost: example.org\r\nContent-Length: 1\r\n\r\nq"},
        {"GET", NULL, false, "GET /echo HTTP/1.1\r\nHost: example.org\r\n\r\n"},
        {"POST", "", true,
         "POST /echo HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fetch_request request = probe_request(origin, "/echo");
        probe_again();
        request.method = span_str(rows[i].method);
        if (rows[i].upload != NULL) {
            request.has_body = true;
            request.may_retry = false;
            request.body_length = rows[i].chunked ? UINT64_MAX : strlen(rows[i].upload);
            probe.upload = span_str(rows[i].upload);
        }
        run(&request);
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_int_equal(probe.status, 200);
        buf_putc(&probe.body, '\0');
        assert_string_equal(probe.body.data, rows[i].has);
    }
}

/* ---- flow ---- */

/* A handler that has a place for the bytes, of odd sizes, as the store's pieces are. */
static struct {
    char *bytes;
    size_t at;
    size_t room;
    unsigned direct;
} placing;

static char *placing_place(void *ctx, size_t *room)
{
    (void)ctx;
    *room = placing.room;
    return placing.room == 0 ? NULL : placing.bytes + placing.at;
}

static enum fetch_flow placing_data(void *ctx, struct span data)
{
    (void)ctx;
    if (data.ptr == placing.bytes + placing.at) {
        placing.direct++;
    } else {
        memcpy(placing.bytes + placing.at, data.ptr, data.len);
    }
    placing.at += data.len;
    return FETCH_GO;
}

static void test_bodies_are_read_to_their_place(void **state)
{
    static const struct {
        const char *target;
        size_t bytes;
        size_t room;
        bool direct;
    } rows[] = {
        {"/bytes/9000000", 9000000, 262144, true},   {"/bytes/9000000", 9000000, 100001, true},
        {"/bytes/9000000", 9000000, 1, false},       {"/bytes/9000000", 9000000, 0, false},
        {"/bytes/9000000", 9000000, 20000000, true}, {"/bytes/1000", 1000, 262144, false},
        {"/chunks/900000", 900000, 262144, false},
    };
    struct fetch_handler handler = probe_handler;

    (void)state;
    handler.place = placing_place;
    handler.data = placing_data;
    placing.bytes = mem_try(20000000);
    assert_non_null(placing.bytes);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fetch_request request = probe_request(origin, rows[i].target);
        probe_again();
        placing.at = placing.direct = 0;
        placing.room = rows[i].room;
        probe.fetch = fetch_start(pool, &request, &handler, &probe);
        run_loop(loop, HANG_MS, false);
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_int_equal(placing.at, rows[i].bytes);
        assert_int_equal(placing.direct > 0, rows[i].direct);
        assert_memory_equal(placing.bytes, origin_body, rows[i].bytes);
        assert_int_equal(probe.result.received_bytes, rows[i].bytes);
    }
    mem_free(placing.bytes);
}

static void test_bodies_arrive_whole(void **state)
{
    static const char *const targets[] = {"/bytes/0",       "/bytes/1",       "/bytes/100000",
                                          "/bytes/9000000", "/chunks/100000", "/chunks/9000000"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        for (unsigned pauses = 0; pauses < 4; pauses++) {
            size_t bytes = (size_t)strtoul(targets[i] + (targets[i][1] == 'b' ? 7 : 8), NULL, 10);
            struct fetch_request request = probe_request(origin, targets[i]);
            probe_again();
            probe.pause_every = bytes > 200000 ? 40 * pauses : pauses; /* each takes its time */
            probe.pause_head = pauses > 1;
            run(&request);
            assert_int_equal(probe.result.fault, FETCH_OK);
            assert_true(probe.result.length_certain);
            assert_int_equal(probe.body.len, bytes);
            assert_memory_equal(probe.body.data, origin_body, bytes);
            assert_true(probe.batches <= probe.datas + probe.heads);
        }
    }
}

static void test_paused_download_stops_the_origin(void **state)
{
    struct fetch_request request = probe_request(origin, "/bytes/60000000");

    (void)state;
    probe.pause_every = 1;
    probe.stops = false;
    probe.fetch = fetch_start(pool, &request, &probe_handler, &probe);
    probe.paused = false;
    /* Resumed never: the timer is taken away whenever it was set. */
    for (int i = 0; i < 400; i++) {
        run_loop(loop, 50, true);
        loop_timer_clear(&probe.timer);
        if (probe.paused) {
            break;
        }
    }
    run_loop(loop, 200, true);
    uint64_t sent = atomic_load(&origin->sent);
    run_loop(loop, 300, true);
    /* What is under way is in the kernel, and ours is what was handed on and one buffer. */
    assert_int_equal(atomic_load(&origin->sent), sent);
    assert_true(sent < 20000000);
    assert_true(probe.body.len <= 500000); /* a piece per resume of the timer's slots */
    /* Far longer than the idle time-out, which is not the origin's fault, so it goes on. */
    resume_to_the_end(60000000);
    assert_memory_equal(probe.body.data, origin_body, 60000000);
}

static void test_uploads_arrive_whole(void **state)
{
    static const struct {
        size_t bytes;
        size_t piece;
        bool pauses;
    } rows[] = {{1, 1, false},
                {100000, SIZE_MAX, false},
                {5000000, 50000, false},
                {1000, 100, true},
                {300000, 7000, true}};

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        struct fetch_request request = probe_request(origin, "/echo");
        probe_again();
        request.method = SPAN("POST");
        request.has_body = true;
        request.may_retry = false;
        request.body_length = i % 2 == 0 ? rows[i / 2].bytes : UINT64_MAX;
        probe.upload = span_of(origin_body, rows[i / 2].bytes);
        probe.upload_piece = rows[i / 2].piece;
        probe.upload_pauses = rows[i / 2].pauses;
        run(&request);
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_true(body_has(i % 2 == 0 ? "Content-Length: " : "Transfer-Encoding: chunked\r\n"));
        assert_false(body_has("Expect"));
        if (i % 2 == 0) {
            assert_memory_equal(probe.body.data + probe.body.len - rows[i / 2].bytes, origin_body,
                                rows[i / 2].bytes);
        }
        assert_int_equal(atomic_load(&origin->body_ends), i + 1);
    }
}

static void test_broken_uploads_are_never_completed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct fetch_request request = probe_request(origin, "/echo");
        probe_again();
        request.method = SPAN("POST");
        request.has_body = true;
        request.may_retry = false;
        request.body_length = i % 2 == 0 ? 100000 : UINT64_MAX;
        probe.upload = span_of(origin_body, 5000);
        probe.upload_piece = 1000;
        probe.upload_pauses = true;
        probe.upload_breaks = i < 2;
        probe.fetch = fetch_start(pool, &request, &probe_handler, &probe);
        if (i < 2) {
            /* The handler said cancel: no done. */
            for (int wait = 0; wait < 100 && !probe.ends_cancelled; wait++) {
                run_loop(loop, 100, true);
            }
            run_loop(loop, 100, true);
            assert_true(probe.ends_cancelled);
            assert_int_equal(probe.dones, 0);
        } else if (i == 2) {
            /* An early end of an announced length. */
            run_loop(loop, HANG_MS, false);
            assert_int_equal(probe.result.fault, FETCH_BODY_BAD);
        } else {
            run_loop(loop, HANG_MS, false); /* an end is an end with chunks */
            assert_int_equal(probe.result.fault, FETCH_OK);
        }
    }
    for (int wait = 0; wait < 200 && atomic_load(&origin->body_cuts) < 3; wait++) {
        sleep_ms(50);
    }
    assert_int_equal(atomic_load(&origin->body_ends), 1);
    assert_int_equal(atomic_load(&origin->body_cuts), 3);
}

static void test_answer_before_the_body_has_come(void **state)
{
    static const struct {
        const char *target;
        uint64_t length;
        size_t upload;
    } rows[] = {
        {"/early", 1000, 0},
        {"/early", UINT64_MAX, 0},
        {"/early-chunks", 1000, 0},
        {"/early-chunks", UINT64_MAX, 0},
        {"/early", 1000, 500},
        {"/early", UINT64_MAX, 500},
        {"/early", 40000000, 40000000},
        {"/early", UINT64_MAX, 40000000},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fetch_request request = probe_request(origin, rows[i].target);
        probe_again();
        request.method = SPAN("POST");
        request.has_body = true;
        request.may_retry = false;
        request.body_length = rows[i].length;
        probe.upload = span_of(origin_body, rows[i].upload);
        probe.upload_piece = 10000;
        probe.upload_stalls = true; /* the client gives no more, without ending */
        run(&request);
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_int_equal(probe.status, 413);
        assert_memory_equal(probe.body.data, "large", 5);
        assert_true(probe.result.total_us < 20000000); /* else never */
        /* On that connection the origin would take it for the rest of the body. */
        get("/bytes/3");
        assert_int_equal(probe.body.len, 3);
    }
    assert_int_equal(atomic_load(&origin->body_ends), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_request_on_the_wire),
        KIT_TEST(test_methods_do_not_stick_to_handles),
        KIT_TEST(test_bodies_are_read_to_their_place),
        KIT_TEST(test_bodies_arrive_whole),
        KIT_TEST(test_paused_download_stops_the_origin),
        KIT_TEST(test_uploads_arrive_whole),
        KIT_TEST(test_broken_uploads_are_never_completed),
        KIT_TEST(test_answer_before_the_body_has_come),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
