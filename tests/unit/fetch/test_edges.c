/* Deadlines at their edges, connections that must not be used again, loops that must not spin. */
#include <fcntl.h>
#include <sys/epoll.h>

#include "kit.h"

static unsigned rounds;

/* Stands before libc's. */
int epoll_wait(int fd, struct epoll_event *events, int count, int ms)
{
    rounds++;
    return epoll_pwait(fd, events, count, ms, NULL);
}

/* ---- deadlines ---- */

/* The wait for the first byte is long, that between bytes is short: the short one counts once the
 * head has come, however late. */
static void test_idle_timeout_behind_a_late_head(void **state)
{
    (void)state;
    origin->address.first_byte_timeout_us = 40000000;
    origin->address.idle_timeout_us = 100000;
    get("/tardy/777");
    assert_int_equal(probe.result.fault, FETCH_IDLE_TIMEOUT);
    assert_int_equal(probe.body.len, 777);
    assert_true(probe.result.total_us < 20000000);
}

static void quiet_batch(void *ctx)
{
    ((struct probe *)ctx)->batches++; /* nobody resumes */
}

/* A fetch that goes on has all its time before it: the rest comes after the time that ran from the
 * first half on, and, with three seconds to spare for a busy machine, within that from the resuming. */
static void test_resumed_fetch_has_its_time(void **state)
{
    struct fetch_request request = probe_request(origin, "/lull/4600");
    struct fetch_handler handler = probe_handler;

    (void)state;
    handler.batch = quiet_batch;
    origin->address.idle_timeout_us = 4000000;
    probe.pause_every = 1;
    probe.stops = false;
    probe.fetch = fetch_start(pool, &request, &handler, &probe);
    run_loop(loop, 4300, true);
    resume_to_the_end(1000);
}

/* 1xx heads are no answer. */
static void test_hints_do_not_hold_the_deadline_off(void **state)
{
    (void)state;
    origin->address.first_byte_timeout_us = 300000;
    get("/hints/100");
    assert_int_equal(probe.result.fault, FETCH_FIRST_BYTE_TIMEOUT);
    assert_true(probe.result.total_us < 20000000); /* else it never ends */
}

/* ---- answers before the end of the request ---- */

static void test_given_up_upload_does_not_spin(void **state)
{
    (void)state;
    rounds = 0;
    post("/early-slow", 20000000);
    assert_int_equal(probe.result.fault, FETCH_OK);
    assert_int_equal(probe.status, 413);
    assert_int_equal(probe.body.len, 10);
    assert_true(probe.result.total_us > 200000);
    assert_true(rounds < 1500);
}

/* ---- connections ---- */

static _Atomic bool closer_stops;

static void *closer_run(void *arg)
{
    int fd = *(int *)arg;

    while (!atomic_load(&closer_stops)) {
        int peer = accept(fd, NULL, NULL);
        if (peer >= 0) {
            close(peer);
        }
    }
    return NULL;
}

/* One that ends before it was asked anything gave no response; it did not give a bad one. */
static void test_closed_at_once(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct fetch_origin closing = origin->address;
    struct fetch_request request = probe_request(origin, "/");
    pthread_t thread;

    (void)state;
    int fd = origin_bind(&address, 8);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(thread_start(&thread, "closer", closer_run, &fd), ERR_OK);
    closing.port = ntohs(address.sin_port);
    request.origin = &closing;
    unsigned bad = 0;
    for (int i = 0; i < 200; i++) {
        probe_again();
        run(&request);
        bad += probe.result.fault != FETCH_CLOSED;
    }
    atomic_store(&closer_stops, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(fd);
    assert_int_equal(bad, 0);
}

#define OK_5 "Content-Length: 5\r\n"

static const struct origin_row kept_rows[] = {
    {"/plain", "HTTP/1.1 200 OK\r\n" OK_5 "\r\nhello", 0, true},
    {"/old-kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" OK_5 "\r\nhello", 0, true},
    {"/seconds", "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=9\r\n" OK_5 "\r\nhello", 0, true},
    {"/nonsense", "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=-1\r\n" OK_5 "\r\nhello", 0, true},
    {"/304", "HTTP/1.1 304 Not\r\n" OK_5 "\r\n", 0, true},
    {"/204", "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", 0, true},
};

static const struct origin_row lost_rows[] = {
    {"/old", "HTTP/1.0 200 OK\r\n" OK_5 "\r\nhello", 0, true},
    {"/both", "HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n" OK_5 "\r\nhello", 0, true},
    {"/lines", "HTTP/1.1 200 OK\r\nConnection: x\r\nConnection: y, Close\r\n" OK_5 "\r\nhello", 0,
     true},
    {"/two", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" OK_5 "\r\n1\r\na\r\n0\r\n\r\n", 0,
     true},
    {"/old-chunks",
     "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
     "1\r\na\r\n0\r\n\r\n",
     0, true},
    {"/no-time", "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\n" OK_5 "\r\nhello", 0, true},
    /* Who announces a body where there is none is likely to send it. */
    {"/204-length", "HTTP/1.1 204 No\r\n" OK_5 "\r\n", 0, true},
    {"/204-chunks", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", 0, true},
};

static void persistence(const struct origin_row *rows, size_t count, bool is_kept)
{
    struct origin *other = origin_start(rows, count);

    for (size_t i = 0; i < count; i++) {
        for (unsigned again = 0; again < 3; again++) {
            struct fetch_request request = probe_request(other, rows[i].path);
            probe_again();
            run(&request);
            assert_int_equal(probe.result.fault, FETCH_OK);
            if (probe.result.reused_connection != (is_kept && again + i > 0)) {
                print_error("%s: reused %d\n", rows[i].path, probe.result.reused_connection);
            }
            assert_int_equal(probe.result.reused_connection, is_kept && again + i > 0);
        }
    }
    origin_stop(other);
}

static void test_kept_connections(void **state)
{
    (void)state;
    persistence(kept_rows, ARRAY_LEN(kept_rows), true);
}

static void test_connections_that_must_go(void **state)
{
    (void)state;
    persistence(lost_rows, ARRAY_LEN(lost_rows), false);
}

/* The origin said how long it would wait. */
static void test_keep_alive_timeout(void **state)
{
    static const struct origin_row rows[] = {
        {"/second", "HTTP/1.1 200 OK\r\nKeep-Alive: max=5, Timeout=1\r\n" OK_5 "\r\nhello", 0,
         true},
    };
    struct origin *other = origin_start(rows, 1);
    struct fetch_request request = probe_request(other, "/second");

    (void)state;
    for (int i = 0; i < 3; i++) {
        run_loop(loop, i == 2 ? 1100 : 1, true);
        probe_again();
        run(&request);
        assert_int_equal(probe.result.fault, FETCH_OK);
        assert_int_equal(probe.result.reused_connection, i == 1);
    }
    origin_stop(other);
}

/* Also what was made for a fetch that was then not wanted any more. */
static void test_figures_count_connections(void **state)
{
    struct fetch_pool_figures figures;
    struct fetch_request request = probe_request(origin, "/silent");

    (void)state;
    get("/bytes/5");
    for (int i = 0; i < 2; i++) {
        probe_again();
        probe.fetch = fetch_start(pool, &request, &probe_handler, &probe);
        run_loop(loop, 50, true);
        fetch_cancel(&probe.fetch);
    }
    fetch_pool_figures(pool, &figures);
    assert_int_equal(figures.requests, 3);
    assert_int_equal(figures.connects, 2);
    assert_int_equal(figures.reused, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_idle_timeout_behind_a_late_head),
        KIT_TEST(test_resumed_fetch_has_its_time),
        KIT_TEST(test_hints_do_not_hold_the_deadline_off),
        KIT_TEST(test_given_up_upload_does_not_spin),
        KIT_TEST(test_closed_at_once),
        KIT_TEST(test_kept_connections),
        KIT_TEST(test_connections_that_must_go),
        KIT_TEST(test_keep_alive_timeout),
        KIT_TEST(test_figures_count_connections),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
