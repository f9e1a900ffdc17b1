/* Clients below the least rate are cut a window later; above it, or while we are what is waited for, never. */
#include "base/clock.h"
#include "server.h"

#define WINDOW_MS 1000

static struct server *server;

static int setup_with(const struct conn_limits *limits)
{
    server = server_start(limits);
    return 0;
}

static int setup(void **state)
{
    struct conn_limits limits = server_limits();

    (void)state;
    limits.rate_bytes_s = 1000;
    limits.rate_window_us = WINDOW_MS * 1000;
    limits.body_timeout_us = 300000;
    limits.send_timeout_us = 300000;
    return setup_with(&limits);
}

/* Long before the deadline of silence. */
static int setup_patient(void **state)
{
    struct conn_limits limits = server_limits();

    (void)state;
    limits.rate_bytes_s = 1000;
    limits.rate_window_us = WINDOW_MS * 1000;
    return setup_with(&limits);
}

static int setup_unlimited(void **state)
{
    struct conn_limits limits = server_limits();

    (void)state;
    limits.rate_window_us = 50000; /* counts for nothing without a rate */
    limits.send_timeout_us = 300000;
    return setup_with(&limits);
}

static int teardown(void **state)
{
    (void)state;
    server_stop(server);
    return 0;
}

static uint64_t too_slow(void)
{
    return atomic_load(&server->counters.too_slow);
}

/* Sends a body in pieces, one each 20 ms; milliseconds until the server has ended it, or 0. */
static long body_sent(size_t pieces, size_t piece)
{
    char head[128];
    uint64_t begin_us = clock_mono_us();
    struct pollfd wait = {.fd = client_open(server), .events = POLLIN};

    snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
             pieces * piece);
    client_puts(wait.fd, head);
    for (size_t i = 0; i < pieces; i++) {
        if (send(wait.fd, server_body, piece, MSG_NOSIGNAL) < 0 || poll(&wait, 1, 20) != 0) {
            if (i + 1 < pieces) {
                close(wait.fd);
                return (long)((clock_mono_us() - begin_us) / 1000);
            }
        }
    }
    struct buf got;
    buf_init(&got, 1 << 20);
    while (!buf_has(&got, "\r\n\r\n")) {
        assert_int_equal(client_read(wait.fd, &got), CLIENT_BYTES);
    }
    assert_memory_equal(got.data, "HTTP/1.1 200", 12);
    close(wait.fd);
    buf_free(&got);
    return 0;
}

static void test_bodies(void **state)
{
    (void)state;
    /* 50000 a second, over four windows: one piece is enough for each. */
    assert_int_equal(body_sent(200, 1000), 0);
    assert_int_equal(too_slow(), 0);
    long ms = body_sent(500, 5); /* 250 a second; body_timeout is far */
    assert_true(ms >= WINDOW_MS / 2);
    assert_int_equal(too_slow(), 1);
    assert_int_equal(atomic_load(&server->closed_why), ERR_TIMEOUT);
    assert_int_equal(body_sent(10, 5), 0); /* shorter than a window: whatever it takes */
    assert_int_equal(too_slow(), 1);
}

/* A window passes only while bytes are waited for: here the answer is late, not the client. */
static void test_late_answers(void **state)
{
    struct buf got;
    int fd = client_open(server);

    (void)state;
    buf_init(&got, 1 << 20);
    client_puts(fd, "POST /never HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    sleep_ms(2 * WINDOW_MS);
    assert_int_equal(too_slow(), 0);
    assert_int_equal(atomic_load(&server->counters.timed_out), 0);
    assert_int_equal(atomic_load(&server->shared.connections), 1);
    close(fd);
    buf_free(&got);
}

static int slow_reader(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int room = 4096;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    client_puts(fd, "GET /size/30000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_for(&server->requests, 1);
    return fd;
}

/* Reads a piece each 20 ms for so long, or until nobody is there any more. */
static void read_slowly(int fd, size_t piece, long ms)
{
    char data[65536];

    for (long i = 0; i < ms / 20 && atomic_load(&server->shared.connections) > 0; i++) {
        sleep_ms(20);
        (void)recv(fd, data, piece, MSG_DONTWAIT);
    }
}

static void test_readers(void **state)
{
    int fd = slow_reader();

    (void)state;
    read_slowly(fd, 3, 8000); /* 150 a second */
    assert_int_equal(too_slow(), 1);
    assert_int_equal(atomic_load(&server->counters.timed_out), 1);
    assert_int_equal(atomic_load(&server->shared.connections), 0);
    close(fd);
}

/* The kernel asks for more only when a third of what it holds is gone, long after send_timeout: what
 * the client has acknowledged by then counts. */
static void test_steady_readers(void **state)
{
    int fd = slow_reader();

    (void)state;
    read_slowly(fd, 2000, 3 * WINDOW_MS);
    assert_int_equal(atomic_load(&server->counters.timed_out), 0);
    assert_int_equal(atomic_load(&server->shared.connections), 1);
    close(fd);
}

static void test_no_rate(void **state)
{
    int fd = slow_reader();

    (void)state;
    read_slowly(fd, 500, 1500);
    assert_int_equal(too_slow(), 0);
    assert_int_equal(atomic_load(&server->shared.connections), 1);
    /* nothing at all is taken: that is the other deadline's */
    for (int i = 0; i < 1500 && atomic_load(&server->counters.timed_out) == 0; i++) {
        sleep_ms(10);
    }
    assert_int_equal(too_slow(), 0);
    assert_int_equal(atomic_load(&server->counters.timed_out), 1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bodies, setup_patient, teardown),
        cmocka_unit_test_setup_teardown(test_late_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readers, setup_patient, teardown),
        cmocka_unit_test_setup_teardown(test_steady_readers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_rate, setup_unlimited, teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mem_free(server_body);
    return failed;
}
