/* One fetch and the pool: what goes out, flow both ways, time, cancelling, reuse. */
#include "origin.h"

static struct loop *loop;
static struct fetch_pool *pool;
static struct origin *origin;
static struct probe probe;

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    struct fetch_pool_options options = {
        .loop = loop, .idle_connections = 8, .head_bytes_max = 65536};
    pool = fetch_pool_new(&options);
    origin = origin_start(NULL, 0);
    probe_init(&probe, loop);
    return 0;
}

static int teardown(void **state)
{
    struct fetch_pool_figures figures;

    (void)state;
    probe_fini(&probe);
    fetch_pool_figures(pool, &figures);
    assert_int_equal(figures.active, 0);
    fetch_pool_free(&pool);
    loop_free(&loop);
    origin_stop(origin);
    return 0;
}

static void probe_again(void)
{
    probe_fini(&probe);
    probe_init(&probe, loop);
}

static void run(const struct fetch_request *request)
{
    probe.fetch = fetch_start(pool, request, &probe_handler, &probe);
    assert_int_equal(probe.heads + probe.dones, 0); /* nothing from inside */
    run_loop(loop, 15000, false);
}

static void get(const char *target)
{
    struct fetch_request request = probe_request(origin, target);

    probe_again();
    run(&request);
}

static bool body_has(const char *text)
{
    return probe.body.len > 0 &&
           memmem(probe.body.data, probe.body.len, text, strlen(text)) != NULL;
}

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
            probe.pause_every = pauses == 1 && bytes > 200000 ? 40 : pauses;
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
    for (int i = 0; i < 10; i++) {
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
    assert_true(probe.body.len <= 200000);
    /* Far longer than the idle time-out, which is not the origin's fault, so it goes on. */
    probe.pause_every = 0;
    probe.paused = false;
    probe.stops = true;
    fetch_resume(probe.fetch);
    run_loop(loop, 15000, false);
    assert_int_equal(probe.result.fault, FETCH_OK);
    assert_int_equal(probe.body.len, 60000000);
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
            run_loop(loop, 300, true);
            assert_true(probe.ends_cancelled);
            assert_int_equal(probe.dones, 0);
        } else if (i == 2) {
            /* An early end of an announced length. */
            run_loop(loop, 5000, false);
            assert_int_equal(probe.result.fault, FETCH_BODY_BAD);
        } else {
            run_loop(loop, 5000, false); /* an end is an end with chunks */
            assert_int_equal(probe.result.fault, FETCH_OK);
        }
    }
    sleep_ms(50);
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
        assert_true(probe.result.total_us < 3000000);
        /* On that connection the origin would take it for the rest of the body. */
        get("/bytes/3");
        assert_int_equal(probe.body.len, 3);
    }
    assert_int_equal(atomic_load(&origin->body_ends), 0);
}

/* ---- time ---- */

static void test_timeouts(void **state)
{
    static const struct {
        const char *target;
        uint64_t first_byte_us;
        uint64_t idle_us;
        enum fetch_fault fault;
        size_t body;
    } rows[] = {
        {"/silent", 150000, 5000000, FETCH_FIRST_BYTE_TIMEOUT, 0},
        {"/drip", 300000, 5000000, FETCH_FIRST_BYTE_TIMEOUT, 0},
        {"/stall/777", 5000000, 150000, FETCH_IDLE_TIMEOUT, 777},
        {"/late/10", 5000000, 5000000, FETCH_OK, 10},
        {"/late/10", 5000000, 50000, FETCH_OK, 10}, /* idle does not count before the head */
        {"/late/10", 50000, 5000000, FETCH_FIRST_BYTE_TIMEOUT, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fetch_request request = probe_request(origin, rows[i].target);
        probe_again();
        origin->address.first_byte_timeout_us = rows[i].first_byte_us;
        origin->address.idle_timeout_us = rows[i].idle_us;
        run(&request);
        assert_int_equal(probe.result.fault, rows[i].fault);
        assert_int_equal(probe.body.len, rows[i].body);
        assert_true(probe.result.total_us < 3000000);
    }
    /* A paused download does not run into the idle time-out. */
    origin->address.idle_timeout_us = 100000;
    origin->address.first_byte_timeout_us = 5000000;
    struct fetch_request request = probe_request(origin, "/bytes/900000");
    probe_again();
    probe.pause_every = 10;
    probe.stops = false;
    probe.fetch = fetch_start(pool, &request, &probe_handler, &probe);
    for (int i = 0; i < 10 && !probe.paused; i++) {
        run_loop(loop, 10, true);
        loop_timer_clear(&probe.timer);
    }
    assert_true(probe.paused);
    run_loop(loop, 400, true);
    assert_int_equal(probe.dones, 0);
    probe.stops = true;
    probe.paused = false;
    probe.pause_every = 0;
    fetch_resume(probe.fetch);
    run_loop(loop, 5000, false);
    assert_int_equal(probe.result.fault, FETCH_OK);
    assert_int_equal(probe.body.len, 900000);
}

static void test_upload_nobody_reads_times_out(void **state)
{
    struct fetch_request request = probe_request(origin, "/deaf");

    (void)state;
    origin->address.first_byte_timeout_us = 300000;
    request.method = SPAN("POST");
    request.has_body = true;
    request.may_retry = false;
    request.body_length = ORIGIN_BODY_BYTES;
    probe.upload = span_of(origin_body, ORIGIN_BODY_BYTES);
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_FIRST_BYTE_TIMEOUT);
    assert_true(probe.upload_at < ORIGIN_BODY_BYTES);
}

static void test_no_connection(void **state)
{
    struct fetch_origin nowhere = origin->address;
    struct fetch_request request = probe_request(origin, "/bytes/1");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    nowhere.port = ntohs(address.sin_port); /* bound, but nobody listens */
    request.origin = &nowhere;
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_CONNECT_REFUSED);
    close(fd);
    /* A queue that is full: the handshake never ends. */
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_port = 0;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    int full[3];
    for (int i = 0; i < 3; i++) {
        full[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(full[i], (struct sockaddr *)&address, sizeof(address));
    }
    nowhere.port = ntohs(address.sin_port);
    nowhere.connect_timeout_us = 200000;
    probe_again();
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_CONNECT_TIMEOUT);
    for (int i = 0; i < 3; i++) {
        close(full[i]);
    }
    close(fd);
    nowhere.host = "no-such-host.invalid";
    nowhere.connect_timeout_us = 5000000;
    probe_again();
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_DNS);
    assert_true(probe.result.detail[0] != '\0');
}

/* ---- cancelling ---- */

static void test_cancel_at_every_stage(void **state)
{
    static const enum probe_stage stages[] = {PROBE_IN_HEAD, PROBE_IN_DATA, PROBE_IN_BATCH,
                                              PROBE_IN_BODY, PROBE_IN_DONE};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
        for (int by_call = 0; by_call < 2; by_call++) {
            struct fetch_request request = probe_request(origin, "/bytes/300000");
            probe_again();
            if (stages[i] == PROBE_IN_BODY) {
                request.method = SPAN("POST");
                request.has_body = true;
                request.may_retry = false;
                request.body_length = 1000;
                probe.upload = span_of(origin_body, 1000);
            }
            probe.cancel_at = stages[i];
            probe.cancel_by_call = by_call != 0;
            probe.fetch = fetch_start(pool, &request, &probe_handler, &probe);
            run_loop(loop, 150, stages[i] != PROBE_IN_DONE);
            assert_int_equal(probe.dones, stages[i] == PROBE_IN_DONE);
            assert_int_equal(probe.ends_cancelled, stages[i] != PROBE_IN_DONE);
            /* The pool works on. */
            get("/bytes/1000");
            assert_int_equal(probe.result.fault, FETCH_OK);
        }
    }
}

static void test_cancel_from_outside(void **state)
{
    static const unsigned waits_ms[] = {0, 1, 5, 40};
    static const char *const targets[] = {"/bytes/30000000", "/silent", "/stall/100", "/late/5"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(waits_ms) * ARRAY_LEN(targets); i++) {
        struct fetch_request request = probe_request(origin, targets[i % ARRAY_LEN(targets)]);
        probe_again();
        probe.stops = false;
        probe.pause_every = (unsigned)i % 3;
        probe.fetch = fetch_start(pool, &request, &probe_handler, &probe);
        if (waits_ms[i / ARRAY_LEN(targets)] > 0) {
            run_loop(loop, waits_ms[i / ARRAY_LEN(targets)], true);
        }
        unsigned told = probe.heads + probe.datas + probe.batches;
        if (probe.dones == 0) {
            if (i % 2 == 0 && probe.paused) {
                fetch_resume(probe.fetch); /* asked for, and then not wanted any more */
            }
            fetch_cancel(&probe.fetch);
        }
        assert_null(probe.fetch);
        run_loop(loop, 20, true);
        assert_int_equal(told, probe.heads + probe.datas + probe.batches);
    }
    struct fetch *none = NULL;
    fetch_cancel(&none);
}

static struct probe others[8];

static enum fetch_flow cancel_others(void *ctx, const struct http_response *response)
{
    (void)ctx;
    (void)response;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        fetch_cancel(&others[i].fetch);
    }
    return FETCH_GO;
}

static void test_one_may_cancel_others(void **state)
{
    struct fetch_handler handler = probe_handler;

    (void)state;
    handler.head = cancel_others;
    handler.batch = NULL;
    /* All are under way in the same rounds; the one in the middle ends the rest, itself included in
     * the batch that follows. */
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct fetch_request request = probe_request(origin, "/bytes/20000");
        probe_init(&others[i], loop);
        others[i].stops = false;
        others[i].fetch =
            fetch_start(pool, &request, i == 4 ? &handler : &probe_handler, &others[i]);
    }
    run_loop(loop, 300, true);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_null(others[i].fetch);
        probe_fini(&others[i]);
    }
}

/* ---- connections ---- */

static void test_connections_are_reused(void **state)
{
    struct fetch_pool_figures figures;

    (void)state;
    for (int i = 0; i < 20; i++) {
        get(i % 2 == 0 ? "/bytes/1000" : "/chunks/20000");
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_int_equal(probe.result.reused_connection, i > 0);
        assert_int_equal(probe.result.connect_us == 0, i > 0);
    }
    assert_int_equal(atomic_load(&origin->connections), 1);
    fetch_pool_figures(pool, &figures);
    assert_int_equal(figures.requests, 20);
    assert_int_equal(figures.connects, 1);
    assert_int_equal(figures.reused, 19);
}

static void test_dead_pooled_connection_is_tried_again(void **state)
{
    (void)state;
    /* More often than libcurl repeats in the life of one handle. */
    for (int i = 0; i < 20; i++) {
        get("/die");
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_memory_equal(probe.body.data, "alive", 5);
    }
    /* Closed while idle: noticed before it is used. */
    for (int i = 0; i < 5; i++) {
        get("/hang/10");
        assert_int_equal(probe.result.fault, FETCH_OK);
        sleep_ms(10);
    }
    /* A fresh connection that dies is the origin's answer. */
    assert_int_equal(probe.result.reused_connection, false);
}

static void test_a_response_too_many_answers_nobody(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        get(i % 2 == 0 ? "/twice/0" : "/twice/5");
        assert_memory_equal(probe.body.data, "once", 4);
        sleep_ms(30);
        if (i >= 3) {
            run_loop(loop, 20, true); /* the loop sees it come */
        }
        get("/bytes/4");
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_int_equal(probe.body.len, 4);
        assert_memory_equal(probe.body.data, origin_body, 4);
        /* Neither does it to one that must not be repeated. */
        struct fetch_request request = probe_request(origin, "/bytes/4");
        get("/twice/0");
        sleep_ms(30);
        probe_again();
        request.method = SPAN("DELETE");
        request.may_retry = false;
        run(&request);
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_memory_equal(probe.body.data, origin_body, 4);
    }
}

static void test_unsafe_requests_never_go_out_twice(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        get("/die");
        unsigned before = atomic_load(&origin->requests);
        struct fetch_request request = probe_request(origin, "/die");
        probe_again();
        request.method = SPAN("POST");
        request.has_body = true;
        request.may_retry = false;
        request.body_length = 3;
        probe.upload = SPAN("abc");
        run(&request);
        /* A connection of its own, so that it can be neither dead nor repeated. */
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_int_equal(probe.result.reused_connection, false);
        assert_int_equal(atomic_load(&origin->requests), before + 1);
    }
}

static void test_many_at_once(void **state)
{
    enum {
        COUNT = 100,
    };
    static struct probe many[COUNT];
    unsigned done = 0;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        struct fetch_request request =
            probe_request(origin, i % 3 == 0 ? "/late/5000" : "/chunks/70000");
        probe_init(&many[i], loop);
        many[i].stops = false;
        many[i].pause_every = (unsigned)i % 4;
        many[i].fetch = fetch_start(pool, &request, &probe_handler, &many[i]);
    }
    for (int round = 0; round < 200 && done < COUNT; round++) {
        run_loop(loop, 50, true);
        done = 0;
        for (size_t i = 0; i < COUNT; i++) {
            done += many[i].dones;
        }
    }
    assert_int_equal(done, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        size_t bytes = i % 3 == 0 ? 5000 : 70000;
        assert_int_equal(many[i].result.fault, FETCH_OK);
        assert_int_equal(many[i].body.len, bytes);
        assert_memory_equal(many[i].body.data, origin_body, bytes);
        probe_fini(&many[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_request_on_the_wire, setup, teardown),
        cmocka_unit_test_setup_teardown(test_methods_do_not_stick_to_handles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bodies_arrive_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_paused_download_stops_the_origin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uploads_arrive_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_uploads_are_never_completed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answer_before_the_body_has_come, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timeouts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upload_nobody_reads_times_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel_at_every_stage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel_from_outside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_may_cancel_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connections_are_reused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_pooled_connection_is_tried_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_response_too_many_answers_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unsafe_requests_never_go_out_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_at_once, setup, teardown),
    };
    fetch_global_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mem_free(origin_body);
    return failed;
}
