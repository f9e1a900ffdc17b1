#ifndef TESTS_UNIT_FETCH_KIT_H
#define TESTS_UNIT_FETCH_KIT_H
/* kit - a pool, an origin and a probe for each test of one fetch. Header only. */
#include "probe.h"

static struct loop *loop;
static struct fetch_pool *pool;
static struct origin *origin;
static struct probe probe;

static inline int setup(void **state)
{
    (void)state;
    origin = origin_start(NULL,
                          0); /* first: it takes a while, and a loop's clock stands until it runs */
    loop = loop_new();
    struct fetch_pool_options options = {
        .loop = loop, .idle_connections = 8, .head_bytes_max = 65536};
    pool = fetch_pool_new(&options);
    probe_init(&probe, loop);
    return 0;
}

static inline int teardown(void **state)
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

static inline void probe_again(void)
{
    probe_fini(&probe);
    probe_init(&probe, loop);
}

static inline void run(const struct fetch_request *request)
{
    probe.fetch = fetch_start(pool, request, &probe_handler, &probe);
    assert_int_equal(probe.heads + probe.dones, 0); /* nothing from inside */
    run_loop(loop, HANG_MS, false);
}

static inline void get(const char *target)
{
    struct fetch_request request = probe_request(origin, target);

    probe_again();
    run(&request);
}

/* A POST of so many bytes that must not go out twice. */
static inline struct fetch_request post_request(const char *target, size_t bytes)
{
    struct fetch_request request = probe_request(origin, target);

    request.method = SPAN("POST");
    request.has_body = true;
    request.may_retry = false;
    request.body_length = bytes;
    probe.upload = span_of(origin_body, bytes);
    return request;
}

static inline void post(const char *target, size_t bytes)
{
    probe_again();
    struct fetch_request request = post_request(target, bytes);
    run(&request);
}

/* A download that is paused goes on, and arrives whole. */
static inline void resume_to_the_end(size_t bytes)
{
    assert_true(probe.paused);
    probe.stops = true;
    probe.paused = false;
    probe.pause_every = 0;
    fetch_resume(probe.fetch);
    run_loop(loop, HANG_MS, false);
    assert_int_equal(probe.result.fault, FETCH_OK);
    assert_int_equal(probe.body.len, bytes);
}

/* A listener whose queue is full: the handshake never ends. */
struct full_queue {
    int fds[4];
};

static inline struct full_queue full_queue_at(struct sockaddr_in *address)
{
    struct full_queue queue = {.fds = {origin_bind(address, 0)}};

    for (size_t i = 1; i < ARRAY_LEN(queue.fds); i++) {
        queue.fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(queue.fds[i], (struct sockaddr *)address, sizeof(*address));
    }
    return queue;
}

static inline void full_queue_close(const struct full_queue *queue)
{
    for (size_t i = ARRAY_LEN(queue->fds); i > 0; i--) {
        close(queue->fds[i - 1]);
    }
}

#define KIT_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static inline bool body_has(const char *text)
{
    return probe.body.len > 0 &&
           memmem(probe.body.data, probe.body.len, text, strlen(text)) != NULL;
}

#endif
