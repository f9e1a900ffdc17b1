#ifndef TESTS_UNIT_FETCH_KIT_H
#define TESTS_UNIT_FETCH_KIT_H
/* kit - a pool, an origin and a probe for each test of one fetch. Header only. */
#include "origin.h"

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
    run_loop(loop, 15000, false);
}

static inline void get(const char *target)
{
    struct fetch_request request = probe_request(origin, target);

    probe_again();
    run(&request);
}

static inline bool body_has(const char *text)
{
    return probe.body.len > 0 &&
           memmem(probe.body.data, probe.body.len, text, strlen(text)) != NULL;
}

#endif
