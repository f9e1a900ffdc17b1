/* Bytes both ways whatever the sizes, ends in every order, resets, limits, a meter, pipes. */
#include "kit.h"
#include "tunnel/tunnel_private.h"

static const struct tunnel_limits no_limits;

/* So many bytes in each direction at the same time, sent and received in such steps. */
static void run_flows(uint64_t up, uint64_t down, size_t send_step, size_t receive_step, int sndbuf)
{
    struct bench bench;
    struct flow flows[TUNNEL_PEERS] = {0};
    const uint64_t totals[TUNNEL_PEERS] = {up, down};

    bench_open(&bench, &no_limits, sndbuf);
    tunnel_start(&bench.tunnel);
    while (!flows[TUNNEL_CLIENT].is_ended || !flows[TUNNEL_SERVER].is_ended) {
        for (unsigned i = 0; i < TUNNEL_PEERS; i++) {
            flow_send(&bench, &flows[i], (enum tunnel_peer)i, totals[i], send_step);
            flow_receive(&bench, &flows[i], (enum tunnel_peer)i, receive_step);
            assert_true(bench.tunnel.ends[i].rest_len <= TUNNEL_PIPE_BYTES);
        }
        loop_stop(bench.loop);
        loop_run(bench.loop);
    }
    assert_int_equal(flows[TUNNEL_CLIENT].got, up);
    assert_int_equal(flows[TUNNEL_SERVER].got, down);
    assert_true(bench.is_over);
    assert_int_equal(bench.outcome, TUNNEL_OVER);
    assert_int_equal(bench.moved[TUNNEL_CLIENT], up);
    assert_int_equal(bench.moved[TUNNEL_SERVER], down);
    assert_int_equal(tunnel_sent(&bench.tunnel, TUNNEL_SERVER), up);
    assert_int_equal(tunnel_sent(&bench.tunnel, TUNNEL_CLIENT), down);
    assert_int_equal(bench.kit->used_count, 0);
    bench_close(&bench);
}

static void test_sizes(void **state)
{
    static const struct {
        uint64_t up, down;
        size_t send_step, receive_step;
        int sndbuf;
    } table[] = {
        {0, 0, 1, 1, 0},
        {1, 0, 1, 1, 0},
        {0, 70000, 100, 100000, 0},
        {5000, 5000, 1, 7, 0},
        {65536, 65536, 65536, 65536, 0},
        {65537, 131072, 65537, 3000, 0},
        {3000000, 3000000, 1 << 20, 1 << 20, 0}, /* bulk */
        {3000000, 100, 1 << 20, 1000, 0},        /* and a slow reader */
        {300000, 300000, 1 << 20, 500, 4608},    /* with hardly any room in the kernel */
        {2000000, 2000000, 20000, 60000, 20000},
        {8000000, 8000000, 1 << 20, 40000, 65536},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        run_flows(table[i].up, table[i].down, table[i].send_step, table[i].receive_step,
                  table[i].sndbuf);
    }
}

/* Bulk goes through a pipe, which is given back as soon as nothing waits in it; small messages do
 * not take one. */
static void test_pipes(void **state)
{
    struct bench bench;
    struct flow flow = {0};

    (void)state;
    bench_open(&bench, &no_limits, 0);
    tunnel_start(&bench.tunnel);
    for (unsigned i = 0; i < 50; i++) {
        flow_send(&bench, &flow, TUNNEL_SERVER, 1 << 30, 1000);
        bench_turn(&bench, 1);
        flow_receive(&bench, &flow, TUNNEL_SERVER, 1 << 20);
    }
    assert_int_equal(bench.kit->free_count + bench.kit->used_count, 0);
    for (unsigned i = 0; i < 50; i++) {
        flow_send(&bench, &flow, TUNNEL_SERVER, 1 << 30, 1 << 20);
        bench_turn(&bench, 1);
        flow_receive(&bench, &flow, TUNNEL_SERVER, 1 << 20);
    }
    assert_int_equal(bench.kit->free_count + bench.kit->used_count, 1);
    /* The reader stops: some waits in the pipe. */
    for (unsigned i = 0; i < 50; i++) {
        flow_send(&bench, &flow, TUNNEL_SERVER, 1 << 30, 1 << 20);
        bench_turn(&bench, 1);
    }
    assert_int_equal(bench.kit->used_count, 1);
    assert_true(tunnel_has_rest(&bench.tunnel.ends[TUNNEL_CLIENT]));
    uint64_t moved = bench.moved[TUNNEL_SERVER];
    bench_turn(&bench, 20);
    assert_int_equal(bench.moved[TUNNEL_SERVER], moved);
    while (flow.got < flow.sent) {
        flow_receive(&bench, &flow, TUNNEL_SERVER, 1 << 20);
        bench_turn(&bench, 1);
    }
    assert_int_equal(bench.kit->used_count, 0);
    assert_int_equal(bench.kit->free_count, 1);
    bench_close(&bench);
}

/* All pipes taken by tunnels whose readers do not read: whoever comes has one, the oldest loses it and
 * no byte. */
static void test_pipes_are_not_hoarded(void **state)
{
    struct bench bench;
    struct flow flow = {0};
    static struct tunnel_end ends[TUNNEL_PIPES_MAX];

    (void)state;
    bench_open(&bench, &no_limits, 0);
    tunnel_start(&bench.tunnel);
    while (bench.kit->used_count == 0) { /* nobody reads: bytes wait in the first one */
        flow_send(&bench, &flow, TUNNEL_SERVER, 1 << 30, 1 << 20);
        bench_turn(&bench, 1);
    }
    for (unsigned i = 0; i + 1 < TUNNEL_PIPES_MAX; i++) {
        ends[i] = (struct tunnel_end){0};
        assert_true(tunnel_pipe_take(bench.kit, &ends[i]));
    }
    struct tunnel_end late = {0};
    assert_false(tunnel_pipe_take(bench.kit, &late)); /* a moment ago they have all moved */
    bench_turn(&bench, 1100);
    assert_true(tunnel_pipe_take(bench.kit, &late));
    assert_null(bench.tunnel.ends[TUNNEL_CLIENT].pipe);
    assert_true(bench.tunnel.ends[TUNNEL_CLIENT].rest_len > 0);
    tunnel_pipe_give(bench.kit, &late);
    while (flow.got < flow.sent) {
        flow_receive(&bench, &flow, TUNNEL_SERVER, 1 << 20);
        bench_turn(&bench, 1);
    }
    for (unsigned i = 0; i + 1 < TUNNEL_PIPES_MAX; i++) {
        tunnel_pipe_give(bench.kit, &ends[i]);
    }
    assert_int_equal(bench.kit->used_count, 0);
    assert_int_equal(bench.kit->free_count, TUNNEL_PIPES_KEPT);
    bench_close(&bench);
}

/* What goes first is sent before anything else, and waits if it must. */
static void test_given(void **state)
{
    struct bench bench;
    char got[64];
    static char early[100000];

    (void)state;
    bench_open(&bench, &no_limits, 4608);
    assert_int_equal(send(bench.near[TUNNEL_CLIENT], "later", 5, 0), 5);
    memset(early, 'e', sizeof(early));
    tunnel_give(&bench.tunnel, TUNNEL_SERVER, span_of(early, sizeof(early)));
    tunnel_give(&bench.tunnel, TUNNEL_CLIENT, SPAN("HTTP/1.1 200 OK\r\n\r\n"));
    tunnel_start(&bench.tunnel);
    bench_turn(&bench, 5);
    assert_int_equal(recv(bench.near[TUNNEL_CLIENT], got, sizeof(got), 0), 19);
    size_t count = 0;
    while (count < sizeof(early) + 5) {
        static char data[200000];
        ssize_t some = recv(bench.near[TUNNEL_SERVER], data, sizeof(data), MSG_DONTWAIT);
        for (ssize_t i = 0; i < some; i++, count++) {
            assert_int_equal(data[i], count < sizeof(early) ? 'e' : "later"[count - sizeof(early)]);
        }
        bench_turn(&bench, 1);
    }
    assert_int_equal(tunnel_sent(&bench.tunnel, TUNNEL_SERVER), sizeof(early) + 5);
    assert_int_equal(bench.moved[TUNNEL_CLIENT], 5);
    bench_close(&bench);
}

/* A reset of either side, also after its end or the other's, ends it as broken; nothing else does. */
static void test_resets(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 8; kind++) {
        enum tunnel_peer peer = kind & 1;
        struct bench bench;
        char got[16];
        bench_open(&bench, &no_limits, 0);
        tunnel_start(&bench.tunnel);
        assert_int_equal(send(bench.near[peer], "data", 4, 0), 4);
        bench_turn(&bench, 2);
        if ((kind & 2) != 0) {
            assert_int_equal(shutdown(bench.near[peer], SHUT_WR), 0);
            bench_turn(&bench, 2);
        }
        if ((kind & 4) != 0) {
            assert_int_equal(shutdown(bench.near[!peer], SHUT_WR), 0);
            bench_turn(&bench, 2);
        }
        if ((kind & 6) == 6) {
            assert_true(bench.is_over);
            assert_int_equal(bench.outcome, TUNNEL_OVER);
            bench_close(&bench);
            continue;
        }
        assert_false(bench.is_over);
        reset_near(&bench, peer);
        bench_turn(&bench, 5);
        assert_true(bench.is_over);
        assert_int_equal(bench.outcome, TUNNEL_BROKEN);
        assert_int_equal(recv(bench.near[!peer], got, sizeof(got), 0), 4);
        if ((kind & 2) != 0) { /* its end came first */
            assert_int_equal(recv(bench.near[!peer], got, sizeof(got), 0),
                             (kind & 4) != 0 ? -1 : 0);
        } else {
            assert_int_equal(recv(bench.near[!peer], got, sizeof(got), 0), -1);
            assert_int_equal(errno, ECONNRESET);
        }
        bench_close(&bench);
    }
}

/* A server that answers and resets because it read no further: its answer arrives, whoever is looked
 * at first. */
static void test_last_words(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TUNNEL_PEERS; i++) {
        enum tunnel_peer peer = (enum tunnel_peer)i;
        struct bench bench;
        char got[16];
        bench_open(&bench, &no_limits, 0);
        tunnel_start(&bench.tunnel);
        assert_int_equal(send(bench.near[!peer], "question", 8, 0), 8);
        bench_turn(&bench, 2);
        assert_int_equal(send(bench.near[!peer], "more", 4, 0), 4);
        assert_int_equal(send(bench.near[peer], "answer", 6, 0), 6);
        close(bench.near[peer]); /* unread bytes: a reset */
        bench.near[peer] = -1;
        bench_turn(&bench, 5);
        assert_true(bench.is_over);
        assert_int_equal(bench.outcome, TUNNEL_BROKEN);
        assert_int_equal(recv(bench.near[!peer], got, sizeof(got), 0), 6);
        assert_memory_equal(got, "answer", 6);
        assert_int_equal(recv(bench.near[!peer], got, sizeof(got), 0), -1);
        assert_int_equal(errno, ECONNRESET);
        bench_close(&bench);
    }
}

static void test_limits_of_time(void **state)
{
    const struct tunnel_limits idle = {.idle_us = 100000};
    const struct tunnel_limits time = {.time_us = 150000};
    struct bench bench;

    (void)state;
    bench_open(&bench, &idle, 0);
    tunnel_start(&bench.tunnel);
    for (unsigned i = 0; i < 6; i++) {
        bench_turn(&bench, 50);
        assert_int_equal(send(bench.near[i % 2], "x", 1, 0), 1);
    }
    assert_false(bench.is_over);
    bench_turn(&bench, 200);
    assert_true(bench.is_over);
    assert_int_equal(bench.outcome, TUNNEL_IDLE);
    bench_close(&bench);
    bench_open(&bench, &time, 0);
    tunnel_start(&bench.tunnel);
    for (unsigned i = 0; i < 10 && !bench.is_over; i++) {
        assert_int_equal(send(bench.near[i % 2], "x", 1, 0), 1);
        bench_turn(&bench, 30);
    }
    assert_true(bench.is_over);
    assert_int_equal(bench.outcome, TUNNEL_TIMED_OUT);
    bench_close(&bench);
}

/* ---- a meter ---- */

struct bucket {
    struct loop *loop;
    size_t left;
    uint64_t refill_us; /* 1000 more then; UINT64_MAX: never */
    uint64_t allowed, spared;
};

static size_t bucket_allow(void *ctx, enum tunnel_peer from, size_t wanted, uint64_t *again_us)
{
    struct bucket *bucket = ctx;

    (void)from;
    if (bucket->left == 0 && bucket->refill_us <= loop_now_us(bucket->loop)) {
        bucket->left = 1000;
        bucket->refill_us = loop_now_us(bucket->loop) + 20000;
    }
    size_t count = wanted < bucket->left ? wanted : bucket->left;
    bucket->left -= count;
    bucket->allowed += count;
    *again_us = bucket->refill_us;
    return count;
}

static void bucket_spare(void *ctx, enum tunnel_peer from, size_t bytes)
{
    struct bucket *bucket = ctx;

    (void)from;
    bucket->left += bytes;
    bucket->spared += bytes;
}

static void test_meter(void **state)
{
    static const struct tunnel_meter meter = {.allow = bucket_allow, .spare = bucket_spare};
    struct bench bench;
    struct bucket bucket;
    struct flow flow = {0};

    (void)state;
    bench_open(&bench, &no_limits, 0);
    bucket = (struct bucket){.loop = bench.loop};
    bench.tunnel.meter = &meter;
    bench.tunnel.meter_ctx = &bucket;
    tunnel_start(&bench.tunnel);
    flow_send(&bench, &flow, TUNNEL_SERVER, 100000, 100000);
    bench_turn(&bench, 210); /* 1000 at once, then 1000 each 20 ms (timers: 16 ms) */
    assert_in_range(bench.moved[TUNNEL_SERVER], 4000, 11000);
    flow_receive(&bench, &flow, TUNNEL_SERVER, 1 << 20);
    assert_int_equal(flow.got, bench.moved[TUNNEL_SERVER]);
    assert_int_equal(bucket.allowed - bucket.spared, bench.moved[TUNNEL_SERVER]);
    bucket.refill_us = UINT64_MAX;
    bench_turn(&bench, 60);
    assert_true(bench.is_over);
    assert_int_equal(bench.outcome, TUNNEL_SPENT);
    bench_close(&bench);
}

/* A flood has its turns, and no more: another watch of the loop is served between them. */
static void test_turns(void **state)
{
    struct bench bench;
    struct flow flow = {0};

    (void)state;
    bench_open(&bench, &no_limits, 0);
    tunnel_start(&bench.tunnel);
    for (unsigned i = 0; i < 200; i++) {
        flow_send(&bench, &flow, TUNNEL_SERVER, 1 << 30, 1 << 20);
        uint64_t before = bench.moved[TUNNEL_SERVER];
        loop_stop(bench.loop);
        loop_run(bench.loop);
        assert_true(bench.moved[TUNNEL_SERVER] - before <= 2 * TUNNEL_TURN_BYTES);
        flow_receive(&bench, &flow, TUNNEL_SERVER, 1 << 20);
    }
    assert_true(flow.got > 10 * 1000 * 1000);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_pipes),
        cmocka_unit_test(test_pipes_are_not_hoarded),
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_last_words),
        cmocka_unit_test(test_limits_of_time),
        cmocka_unit_test(test_meter),
        cmocka_unit_test(test_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
