/* Limits, deadlines, refusals, drain, running out of descriptors, memory of idle connections. */
#include <malloc.h>
#include <sys/resource.h>

#include "net/conn.h"
#include "server.h"

static struct server *server;

static void start(void (*change)(struct conn_limits *limits))
{
    struct conn_limits limits = server_limits();

    if (change != NULL) {
        change(&limits);
    }
    server = server_start(&limits);
}

static void stop(void)
{
    server_stop(server);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void test_refused_heads(void **state)
{
    static const struct {
        const char *begin;
        size_t fill; /* bytes behind it, without a line end */
        unsigned status;
    } rows[] = {
        {"GET  /x HTTP/1.1\r\n\r\n", 0, 400},
        {"\x16\x03\x01\x02\x01\n", 3000, 400},
        {"GET / HTTP/1.1\r\n\r\n", 0, 400},
        {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 0, 505},
        {"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 0, 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 0,
         400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: ", 40000, 431},
        {"GET /", 40000, 414},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: ", 1000000, 431}, /* more than anyone reads */
    };

    (void)state;
    start(NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf got;
        char want[32];
        int fd = client_open(server);
        buf_init(&got, 1 << 20);
        client_puts(fd, rows[i].begin);
        for (size_t at = 0; at < rows[i].fill; at += 1000) {
            char fill[1000];
            memset(fill, 'f', sizeof(fill));
            if (send(fd, fill, sizeof(fill), MSG_NOSIGNAL) < 0) {
                break;
            }
        }
        /* The reason is seen although more was sent than read, if only the client listens in time.
         */
        if (rows[i].fill < 100000) {
            assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
        } else {
            (void)client_read_all(fd, &got);
        }
        snprintf(want, sizeof(want), "HTTP/1.1 %u ", rows[i].status);
        if (got.len > 0) {
            assert_memory_equal(got.data, want, strlen(want));
            assert_true(buf_has(&got, "\r\nConnection: close\r\n"));
        }
        assert_int_equal(atomic_load(&server->refused_status), rows[i].status);
        close(fd);
        buf_free(&got);
    }
    assert_int_equal(atomic_load(&server->requests), 0);
    assert_int_equal(atomic_load(&server->refused), ARRAY_LEN(rows));
    assert_int_equal(atomic_load(&server->counters.bad_requests), ARRAY_LEN(rows));
    stop();
}

static void test_large_head_is_accepted_up_to_the_limit(void **state)
{
    (void)state;
    start(NULL);
    for (size_t split = 100; split < 32000; split += 7919) {
        struct buf text;
        struct buf got;
        int fd = client_open(server);
        buf_init(&text, 1 << 20);
        buf_init(&got, 1 << 20);
        buf_puts(&text, GET("/size/2")); /* so that the head does not begin the block */
        buf_puts(&text, "GET /size/3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ");
        while (text.len < 32500) {
            buf_putc(&text, 'f');
        }
        buf_puts(&text, "\r\n\r\n");
        client_send(fd, span_of(text.data, split));
        sleep_ms(5);
        client_send(fd, span_of(text.data + split, text.len - split));
        assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
        assert_true(buf_has(&got, "Content-Length: 3\r\n"));
        close(fd);
        buf_free(&text);
        buf_free(&got);
    }
    stop();
}

static void short_times(struct conn_limits *limits)
{
    limits->head_timeout_us = 200000;
    limits->body_timeout_us = 200000;
    limits->idle_timeout_us = 400000;
    limits->send_timeout_us = 300000;
}

static void test_deadlines(void **state)
{
    struct buf got;

    (void)state;
    start(short_times);
    buf_init(&got, 64 << 20);
    /* Nothing ever sent: closed without a word. */
    int idle = client_open(server);
    /* Part of a head, and more bytes now and then do not help. */
    int head = client_open(server);
    for (int i = 0; i < 12; i++) {
        if (send(head, "G", 1, MSG_NOSIGNAL) < 0) {
            break;
        }
        sleep_ms(25);
    }
    assert_int_equal(client_read_all(head, &got), CLIENT_EOF);
    assert_memory_equal(got.data, "HTTP/1.1 408 ", 13);
    assert_int_equal(atomic_load(&server->refused_status), 408);
    close(head);
    buf_clear(&got);
    assert_int_equal(client_read_all(idle, &got), CLIENT_EOF);
    assert_int_equal(got.len, 0);
    assert_int_equal(atomic_load(&server->counters.closed_idle), 1);
    close(idle);
    /* A body that stops. */
    int body = client_open(server);
    client_puts(body, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    wait_for(&server->closed, 1);
    assert_int_equal(atomic_load(&server->closed_why), ERR_TIMEOUT);
    close(body);
    /* A client that does not read. */
    int slow = client_open(server);
    client_puts(slow, GET("/size/30000000"));
    wait_for(&server->closed, 2);
    assert_int_equal(atomic_load(&server->closed_why), ERR_TIMEOUT);
    assert_int_equal(client_read_all(slow, &got), CLIENT_RESET);
    close(slow);
    assert_int_equal(atomic_load(&server->counters.timed_out), 3);
    /* A handler that takes its time is none of our business. */
    int late = client_open(server);
    client_puts(late, GET("/never"));
    wait_for(&server->requests, 3);
    sleep_ms(600);
    assert_int_equal(atomic_load(&server->shared.connections), 1);
    close(late);
    buf_free(&got);
    stop();
}

static void idle_for_two_seconds(struct conn_limits *limits)
{
    limits->idle_timeout_us = 2000000;
}

static void test_keep_alive_outlives_its_first_deadline(void **state)
{
    struct buf got;

    (void)state;
    start(idle_for_two_seconds);
    buf_init(&got, 1 << 20);
    int fd = client_open(server);
    for (int i = 0; i < 5; i++) {
        buf_clear(&got);
        client_puts(fd, GET("/size/3"));
        client_read_to(fd, &got, "\r\n\r\naho");
        sleep_ms(500);
    }
    buf_clear(&got);
    assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
    close(fd);
    buf_free(&got);
    stop();
}

static void three_connections(struct conn_limits *limits)
{
    limits->connections_max = 3;
}

static void test_connection_limit(void **state)
{
    struct buf got;
    int fds[3];

    (void)state;
    start(three_connections);
    buf_init(&got, 1 << 20);
    for (int i = 0; i < 3; i++) {
        fds[i] = client_open(server);
        client_puts(fds[i], GET("/never"));
    }
    wait_for(&server->requests, 3);
    int fd = client_open(server);
    (void)client_read_all(fd, &got);
    assert_int_equal(got.len, 0);
    assert_int_equal(atomic_load(&server->counters.refused_limit), 1);
    assert_int_equal(atomic_load(&server->counters.made_room), 0);
    close(fd);
    struct linger cut = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &cut, sizeof(cut)), 0);
    close(fds[0]);
    for (int i = 0; i < 1000 && atomic_load(&server->shared.connections) != 2; i++) {
        sleep_ms(1);
    }
    fds[0] = client_open(server);
    client_puts(fds[0], GET("/size/3"));
    client_read_to(fds[0], &got, "\r\n\r\naho");
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
    }
    buf_free(&got);
    stop();
}

static void ask_three(int fd)
{
    struct buf got;

    buf_init(&got, 1 << 20);
    client_puts(fd, GET("/size/3"));
    client_read_to(fd, &got, "\r\n\r\naho");
    buf_free(&got);
}

/* At the limit the connection that is idle for longest goes; one that is not idle never does. */
static void test_room_is_made(void **state)
{
    struct buf got;
    int fds[5];

    (void)state;
    start(three_connections);
    buf_init(&got, 1 << 20);
    for (int i = 0; i < 3; i++) {
        fds[i] = client_open(server);
        ask_three(fds[i]);
        sleep_ms(5);
    }
    ask_three(fds[0]); /* now the second is the oldest, the third next */
    sleep_ms(5);
    for (int i = 3; i < 5; i++) {
        fds[i] = client_open(server);
        ask_three(fds[i]);
        assert_int_equal(client_read(fds[i - 2], &got), CLIENT_EOF);
        assert_int_equal(atomic_load(&server->counters.made_room), (unsigned)i - 2);
        sleep_ms(5);
    }
    client_puts(fds[0], "GET /half"); /* these three are at something */
    client_puts(fds[3], GET("/never"));
    client_puts(fds[4], GET("/never"));
    wait_for(&server->requests, 8);
    sleep_ms(20);
    int fd = client_open(server);
    buf_clear(&got);
    (void)client_read_all(fd, &got);
    assert_int_equal(got.len, 0);
    assert_int_equal(atomic_load(&server->counters.refused_limit), 1);
    close(fd);
    client_puts(fds[0], " HTTP/1.1\r\nHost: a\r\n\r\n");
    client_read_to(fds[0], &got, "\r\n\r\n");
    for (int i = 0; i < 5; i++) {
        close(fds[i]);
    }
    buf_free(&got);
    stop();
}

/* ---- drain ---- */

static void drained(void *ctx)
{
    atomic_fetch_add(&((struct server *)ctx)->drained, 1);
}

static void drain(struct server *of)
{
    listener_set_drain(of->set, drained, of);
}

static void test_drain(void **state)
{
    struct buf got;

    (void)state;
    start(NULL);
    buf_init(&got, 1 << 20);
    int idle = client_open(server);
    int busy = client_open(server);
    int half = client_open(server);
    client_puts(busy, GET("/slow/9"));
    client_puts(half, "GET /size/4 HTTP/1.1\r\nHo");
    wait_for(&server->requests, 1);
    sleep_ms(10);
    server_call(server, drain);
    assert_int_equal(client_read_all(idle, &got), CLIENT_EOF);
    assert_int_equal(got.len, 0);
    assert_int_equal(atomic_load(&server->drained), 0);
    assert_int_equal(client_read_all(busy, &got), CLIENT_EOF);
    assert_true(buf_has(&got, "\r\nConnection: close\r\n"));
    assert_int_equal(buf_body(&got).len, 9);
    client_puts(half, "st: a\r\n\r\n");
    buf_clear(&got);
    assert_int_equal(client_read_all(half, &got), CLIENT_EOF);
    assert_true(buf_has(&got, "\r\nConnection: close\r\n"));
    wait_for(&server->drained, 1);
    /* Nobody listens any more. */
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
    close(fd);
    close(idle);
    close(busy);
    close(half);
    buf_free(&got);
    stop();
}

static void test_drain_with_nobody_there(void **state)
{
    (void)state;
    start(NULL);
    server_call(server, drain);
    wait_for(&server->drained, 1);
    stop();
}

/* ---- descriptors and memory ---- */

static uint64_t cpu_us(void)
{
    struct rusage use;

    assert_int_equal(getrusage(RUSAGE_SELF, &use), 0);
    return (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

static void test_out_of_descriptors(void **state)
{
    struct rlimit old;
    struct buf got;
    int fds[4];

    (void)state;
    start(NULL);
    buf_init(&got, 1 << 20);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 4; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fds[i] >= 0);
    }
    int highest = dup(0);
    close(highest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit few = {.rlim_cur = (rlim_t)highest, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    uint64_t before = cpu_us();
    for (int i = 0; i < 4; i++) {
        assert_int_equal(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
    }
    for (int i = 0; i < 4; i++) {
        (void)client_read_all(fds[i], &got); /* refused, each in its turn */
    }
    assert_int_equal(got.len, 0);
    assert_true(cpu_us() - before < 200000);
    assert_true(atomic_load(&server->counters.refused_descriptors) >= 4);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (int i = 0; i < 4; i++) {
        close(fds[i]);
    }
    int fd = client_open(server);
    client_puts(fd, GET("/size/3"));
    client_read_to(fd, &got, "\r\n\r\naho");
    close(fd);
    buf_free(&got);
    stop();
}

static void test_idle_connections_are_small(void **state)
{
    enum {
        CLIENTS = 400,
    };
    int fds[CLIENTS];
    struct buf got;

    (void)state;
    start(NULL);
    buf_init(&got, 1 << 20);
    print_message("sizeof(struct conn) = %zu\n", sizeof(struct conn));
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = client_open(server);
        buf_clear(&got);
        client_puts(fds[i], GET("/size/20000"));
        while (got.len < 20000 || buf_body(&got).len < 20000) {
            assert_int_equal(client_read(fds[i], &got), CLIENT_BYTES);
        }
    }
    for (int i = 0; i < 1000 && atomic_load(&server->counters.idle_connections) < CLIENTS; i++) {
        sleep_ms(1);
    }
    assert_int_equal(atomic_load(&server->counters.idle_connections), CLIENTS);
    struct mallinfo2 after = mallinfo2();
    if (before.uordblks > 0) { /* not under a sanitizer's allocator */
        size_t each = (after.uordblks - before.uordblks) / CLIENTS;
        print_message("idle connection: %zu bytes of heap\n", each);
        assert_true(each <= 2048);
    }
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    buf_free(&got);
    stop();
}

static void test_bind_addresses(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"127.0.0.1:0", true},
        {"0.0.0.0:0", true},
        {":0", true},
        {"[::1]:0", true},
        {"localhost:0", false},
        {"127.0.0.1", false},
        {"127.0.0.1:", false},
        {"1.2.3.4:99999", false},
        {"[::1:80", false},
        {"::1:80", false},
        {"", false},
        {"127.0.0.1:8x", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        errno = 0;
        int fd = listener_bind(rows[i].text, 10);
        if (rows[i].good) {
            /* A machine without IPv6 may refuse its addresses. */
            assert_true(fd >= 0 || strchr(rows[i].text, '[') != NULL);
            close(fd);
        } else {
            assert_int_equal(fd, -1);
            assert_int_not_equal(errno, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_heads),
        cmocka_unit_test(test_large_head_is_accepted_up_to_the_limit),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_keep_alive_outlives_its_first_deadline),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_room_is_made),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_with_nobody_there),
        cmocka_unit_test(test_out_of_descriptors),
        cmocka_unit_test(test_idle_connections_are_small),
        cmocka_unit_test(test_bind_addresses),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mem_free(server_body);
    return failed;
}
