/* A 101 and what follows it: believed when it was asked for, bytes both ways, each side ends by itself. */
#include "kit.h"

static struct fetch_request switch_request(const char *target)
{
    struct fetch_request request = probe_request(origin, target);

    request.upgrade = SPAN("other, test");
    request.tunnel_idle_us = 5000000;
    return request;
}

static enum fetch_flow begin_head(void *ctx, const struct http_response *response)
{
    struct probe *it = ctx;

    (void)probe_head(ctx, response);
    assert_int_equal(response->status, 101);
    it->paused = true; /* batch sees to the rest, as if a client had been told */
    return FETCH_PAUSE;
}

static void begin_batch(void *ctx)
{
    struct probe *it = ctx;

    it->batches++;
    if (it->paused) {
        assert_int_equal(it->body.len, 0);
        assert_int_equal(it->upload_at, 0);
        it->paused = false;
        fetch_resume(it->fetch);
        fetch_resume_body(it->fetch);
    }
}

static void tunnel(const struct fetch_request *request)
{
    static struct fetch_handler handler;

    handler = probe_handler;
    handler.head = begin_head;
    handler.batch = begin_batch;
    probe.fetch = fetch_start(pool, request, &handler, &probe);
    run_loop(loop, HANG_MS, false);
}

static void test_echo(void **state)
{
    struct fetch_request request = switch_request("/switch/echo");

    (void)state;
    probe.upload = span_of(origin_body, 3000000);
    probe.upload_pauses = true;
    tunnel(&request);
    assert_int_equal(probe.result.fault, FETCH_OK);
    assert_false(probe.result.cut);
    assert_false(probe.result.reused_connection);
    assert_int_equal(probe.ends, 1);
    assert_int_equal(probe.body.len, 3000005);
    assert_memory_equal(probe.body.data, origin_body, 3000000);
    assert_memory_equal(probe.body.data + 3000000, "(end)", 5);
    assert_int_equal(atomic_load(&origin->tunnel_ends), 1);
}

/* Its end and its last bytes come with the 101; ours are still delivered, and then our end. */
static void test_origin_ends_first(void **state)
{
    struct fetch_request request = switch_request("/switch/end");

    (void)state;
    probe.upload = span_of(origin_body, 300000);
    probe.upload_pauses = true;
    probe.upload_piece = 30000;
    tunnel(&request);
    assert_int_equal(probe.result.fault, FETCH_OK);
    assert_false(probe.result.cut);
    assert_int_equal(probe.ends, 1);
    assert_int_equal(probe.body.len, 3);
    for (unsigned i = 0; i < 2000 && atomic_load(&origin->tunnel_ends) == 0; i++) {
        sleep_ms(10);
    }
    assert_int_equal(atomic_load(&origin->tunnel_bytes), 300000);
}

static void test_reset(void **state)
{
    struct fetch_request request = switch_request("/switch/cut");

    (void)state;
    probe.upload_stalls = true;
    tunnel(&request);
    assert_int_equal(probe.result.fault, FETCH_OK); /* it has answered */
    assert_true(probe.result.cut);
    assert_int_equal(probe.ends, 0);
}

static void test_idle(void **state)
{
    struct fetch_request request = switch_request("/switch/echo");

    (void)state;
    origin->address.idle_timeout_us = 50000;
    origin->address.total_timeout_us = 100000;
    request.tunnel_idle_us = 300000;
    probe.upload = span_of(origin_body, 10);
    probe.upload_stalls = true;
    tunnel(&request);
    assert_int_equal(probe.result.fault, FETCH_OK);
    assert_true(probe.result.cut);
    assert_int_equal(probe.body.len, 10);
    assert_true(probe.result.total_us >= 300000);
}

/* Cancelled at any moment: the probe sees to it that nothing is called after it. */
static void test_cancel(void **state)
{
    static const enum probe_stage stages[] = {PROBE_IN_DATA, PROBE_IN_BODY};

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(stages); i++) {
        struct fetch_request request = switch_request("/switch/echo");
        static struct fetch_handler handler;
        probe_again();
        probe.upload = span_of(origin_body, 100000);
        probe.cancel_at = stages[i / 2];
        probe.cancel_by_call = i % 2 == 1;
        handler = probe_handler;
        handler.head = begin_head;
        handler.batch = begin_batch;
        probe.fetch = fetch_start(pool, &request, &handler, &probe);
        for (unsigned wait = 0; wait < 100 && !probe.ends_cancelled; wait++) {
            run_loop(loop, 200, true);
        }
        run_loop(loop, 100, true);
        assert_true(probe.ends_cancelled);
        assert_int_equal(probe.dones, 0);
    }
}

/* Never on a kept connection, and none is kept. */
static void test_own_connection(void **state)
{
    struct fetch_request request = switch_request("/switch/echo");
    struct fetch_pool_figures figures;

    (void)state;
    get("/bytes/5");
    probe_again();
    tunnel(&request);
    probe_again();
    get("/bytes/5");
    fetch_pool_figures(pool, &figures);
    assert_int_equal(figures.connects, 2);
    assert_int_equal(figures.reused, 1);
}

/* Another answer is an ordinary one. */
static void test_declined(void **state)
{
    struct fetch_request request = switch_request("/echo");

    (void)state;
    run(&request);
    assert_int_equal(probe.status, 200);
    assert_true(body_has("\r\nConnection: Upgrade\r\nUpgrade: other, test\r\n\r\n"));
}

static void test_not_asked_for(void **state)
{
    struct fetch_request request = probe_request(origin, "/switch/echo");

    (void)state;
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_BAD_RESPONSE);
    assert_int_equal(probe.heads, 0);
    probe_again();
    request = switch_request("/switch/echo");
    request.upgrade = SPAN("other");
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_BAD_RESPONSE);
    assert_int_equal(probe.heads, 0);
}

/* How long to wait, by request: in place of the origin's, and changed with the head. */
static enum fetch_flow patient_head(void *ctx, const struct http_response *response)
{
    const struct fetch_patience patience = {.idle_us = 3000000};

    fetch_be_patient(((struct probe *)ctx)->fetch, &patience);
    return probe_head(ctx, response);
}

static void test_patience(void **state)
{
    struct fetch_request request = probe_request(origin, "/late/10");
    struct fetch_handler handler = probe_handler;

    (void)state;
    origin->address.first_byte_timeout_us = 50000;
    origin->address.idle_timeout_us = 100000;
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_FIRST_BYTE_TIMEOUT);
    probe_again();
    request.patience.first_byte_us = 5000000;
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_OK);
    probe_again();
    request = probe_request(origin, "/lull/400");
    request.patience.first_byte_us = 5000000;
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_IDLE_TIMEOUT);
    probe_again();
    handler.head = patient_head;
    probe.fetch = fetch_start(pool, &request, &handler, &probe);
    run_loop(loop, HANG_MS, false);
    assert_int_equal(probe.result.fault, FETCH_OK);
    probe_again();
    request.patience.idle_us = 5000000;
    request.patience.total_us = 200000;
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_TOTAL_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_echo),     KIT_TEST(test_origin_ends_first),
        KIT_TEST(test_reset),    KIT_TEST(test_idle),
        KIT_TEST(test_cancel),   KIT_TEST(test_own_connection),
        KIT_TEST(test_declined), KIT_TEST(test_not_asked_for),
        KIT_TEST(test_patience),
    };

    return cmocka_run_group_tests(tests, group_begin, group_end);
}
