/* Life of fetches and connections: time, cancelling, reuse. */
#include <dirent.h>

#include "kit.h"

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
        {"/silent", 150000, 30000000, FETCH_FIRST_BYTE_TIMEOUT, 0},
        {"/drip", 300000, 30000000, FETCH_FIRST_BYTE_TIMEOUT, 0},
        {"/stall/777", 30000000, 150000, FETCH_IDLE_TIMEOUT, 777},
        {"/late/10", 5000000, 5000000, FETCH_OK, 10},
        {"/late/10", 5000000, 50000, FETCH_OK, 10}, /* idle does not count before the head */
        {"/late/10", 50000, 30000000, FETCH_FIRST_BYTE_TIMEOUT, 0},
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
        assert_true(probe.result.total_us < 15000000);
    }
    /* A paused download does not run into the idle time-out. */
    origin->address.idle_timeout_us = 1000000;
    origin->address.first_byte_timeout_us = 5000000;
    struct fetch_request request = probe_request(origin, "/bytes/900000");
    probe_again();
    probe.pause_every = 3;
    probe.stops = false;
    probe.fetch = fetch_start(pool, &request, &probe_handler, &probe);
    for (int i = 0; i < 1000 && !probe.paused; i++) {
        run_loop(loop, 10, true);
        loop_timer_clear(&probe.timer);
    }
    assert_true(probe.paused);
    run_loop(loop, 1500, true);
    assert_int_equal(probe.dones, 0);
    resume_to_the_end(900000);
}

/* All of it has a bound, however steadily it comes; what a paused reader takes does not count. */
static void test_total(void **state)
{
    struct fetch_request request = probe_request(origin, "/drip");

    (void)state;
    probe_again();
    origin->address.first_byte_timeout_us = 5000000;
    origin->address.idle_timeout_us = 5000000;
    origin->address.total_timeout_us = 200000;
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_TOTAL_TIMEOUT);
    assert_true(probe.result.total_us >= 200000);
    request = probe_request(origin, "/bytes/900000");
    probe_again();
    probe.pause_every = 3;
    probe.stops = false;
    probe.fetch = fetch_start(pool, &request, &probe_handler, &probe);
    for (int i = 0; i < 1000 && !probe.paused; i++) {
        run_loop(loop, 10, true);
        loop_timer_clear(&probe.timer);
    }
    assert_true(probe.paused);
    run_loop(loop, 500, true);
    assert_int_equal(probe.dones, 0);
    resume_to_the_end(900000);
    origin->address.total_timeout_us = 0;
}

static void test_upload_nobody_reads_times_out(void **state)
{
    (void)state;
    origin->address.first_byte_timeout_us = 300000;
    post("/deaf", ORIGIN_BODY_BYTES);
    assert_int_equal(probe.result.fault, FETCH_FIRST_BYTE_TIMEOUT);
    assert_true(probe.upload_at < ORIGIN_BODY_BYTES);
}

static void test_no_connection(void **state)
{
    struct fetch_origin nowhere = origin->address;
    struct fetch_request request = probe_request(origin, "/bytes/1");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    (void)state;
    int fd = origin_bind(&address, -1);
    nowhere.port = ntohs(address.sin_port); /* bound, but nobody listens */
    request.origin = &nowhere;
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_CONNECT_REFUSED);
    close(fd);
    address.sin_port = 0;
    struct full_queue queue = full_queue_at(&address);
    nowhere.port = ntohs(address.sin_port);
    nowhere.connect_timeout_us = 200000;
    probe_again();
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_CONNECT_TIMEOUT);
    full_queue_close(&queue);
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
                request = post_request("/bytes/300000", 1000);
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

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");

    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

/* However a fetch ends, its connection goes back to the pool or is closed. */
static void test_no_descriptor_is_left(void **state)
{
    static const char *const targets[] = {"/bytes/30000000", "/silent", "/stall/100",
                                          "/bytes/5",        "/die",    "/twice/0"};
    struct loop *own_loop = loop_new();
    unsigned before = descriptors();
    struct fetch_pool_options options = {
        .loop = own_loop, .idle_connections = 4, .head_bytes_max = 65536};
    struct fetch_pool *own = fetch_pool_new(&options);

    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        struct fetch_request request = probe_request(origin, targets[i % ARRAY_LEN(targets)]);
        struct probe one;
        probe_init(&one, own_loop);
        one.fetch = fetch_start(own, &request, &probe_handler, &one);
        run_loop(own_loop, i % 5 == 0 ? 0 : 10, true);
        fetch_cancel(&one.fetch);
        probe_fini(&one);
    }
    fetch_pool_free(&own);
    /* The origin lives in this process too and closes its ends a little later. */
    for (int i = 0; i < 1000 && descriptors() != before; i++) {
        sleep_ms(20);
    }
    assert_int_equal(descriptors(), before);
    loop_free(&own_loop);
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

/* As many as the origin's settings say, and for so long. */
static void test_kept_connections_are_bounded(void **state)
{
    struct fetch_request request = probe_request(origin, "/bytes/100");
    struct fetch_pool_figures figures;

    (void)state;
    origin->address.keepalive = 3;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(others); i++) {
            probe_init(&others[i], loop);
            others[i].stops = false;
            others[i].fetch = fetch_start(pool, &request, &probe_handler, &others[i]);
        }
        run_loop(loop, 300, true);
        for (size_t i = 0; i < ARRAY_LEN(others); i++) {
            assert_int_equal(others[i].result.fault, FETCH_OK);
            probe_fini(&others[i]);
        }
    }
    fetch_pool_figures(pool, &figures);
    assert_int_equal(figures.reused, 3);
    origin->address.keepalive_idle_us = 30000;
    get("/bytes/1");
    assert_true(probe.result.reused_connection);
    run_loop(loop, 60, true);
    origin->address.keepalive = 0;
    get("/bytes/2"); /* takes one that was kept for longer, and keeps none */
    get("/bytes/3");
    get("/bytes/4");
    get("/bytes/5");
    assert_false(probe.result.reused_connection);
}

/* What a caller who would ask another server must know. */
static void test_what_was_sent_is_said(void **state)
{
    struct fetch_request request = post_request("/silent", 1000);

    (void)state;
    origin->address.first_byte_timeout_us = 100000;
    run(&request);
    assert_true(probe.result.request_sent && probe.result.body_taken);
    get("/silent");
    assert_true(probe.result.request_sent && !probe.result.body_taken);
    origin->address.host = "127.0.0.77";
    get("/silent");
    assert_int_equal(probe.result.fault, FETCH_CONNECT_REFUSED);
    assert_false(probe.result.request_sent || probe.result.body_taken);
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
        post("/die", 3);
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
        KIT_TEST(test_timeouts),
        KIT_TEST(test_total),
        KIT_TEST(test_upload_nobody_reads_times_out),
        KIT_TEST(test_no_connection),
        KIT_TEST(test_cancel_at_every_stage),
        KIT_TEST(test_cancel_from_outside),
        KIT_TEST(test_no_descriptor_is_left),
        KIT_TEST(test_one_may_cancel_others),
        KIT_TEST(test_connections_are_reused),
        KIT_TEST(test_kept_connections_are_bounded),
        KIT_TEST(test_what_was_sent_is_said),
        KIT_TEST(test_dead_pooled_connection_is_tried_again),
        KIT_TEST(test_a_response_too_many_answers_nobody),
        KIT_TEST(test_unsafe_requests_never_go_out_twice),
        KIT_TEST(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
