/* What follows a 101: raw bytes, each side ends by itself, nothing spins. */
#include <sys/epoll.h>

#include "server.h"

#define REQUEST(path)                                                                              \
    "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n"

static struct server *server;
static _Atomic unsigned rounds;

/* Stands before libc's. */
int epoll_wait(int fd, struct epoll_event *events, int count, int ms)
{
    atomic_fetch_add(&rounds, 1);
    return epoll_pwait(fd, events, count, ms, NULL);
}

static int setup(void **state)
{
    (void)state;
    server = server_start(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    server_stop(server);
    return 0;
}

/* The 101 is read off; what else came is left in got. */
static void read_head(int fd, struct buf *got)
{
    while (!buf_has(got, "\r\n\r\n")) {
        assert_int_equal(client_read(fd, got), CLIENT_BYTES);
    }
    assert_memory_equal(got->data, "HTTP/1.1 101 Switching Protocols\r\n", 34);
    assert_true(buf_has(got, "\r\nConnection: Upgrade\r\nUpgrade: test\r\n"));
    assert_false(buf_has(got, "Connection: close"));
    assert_false(buf_has(got, "Transfer-Encoding"));
    assert_false(buf_has(got, "Content-Length"));
}

static void test_bytes_behind_the_request(void **state)
{
    struct buf got;
    int fd = client_open(server);

    (void)state;
    buf_init(&got, 1 << 20);
    client_puts(fd, REQUEST("/tunnel/echo") "GET /size/5 HTTP/1.1\r\n\r\n");
    read_head(fd, &got);
    client_read_to(fd, &got, "GET /size/5 HTTP/1.1\r\n\r\n");
    client_puts(fd, "more");
    client_read_to(fd, &got, "more");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
    assert_memory_equal(got.data + got.len - 9, "more(end)", 9);
    assert_int_equal(atomic_load(&server->requests), 1);
    close(fd);
    buf_free(&got);
}

static void test_byte_by_byte(void **state)
{
    static const char text[] = REQUEST("/tunnel/echo") "abcdefgh";
    struct buf got;
    int fd = client_open(server);

    (void)state;
    buf_init(&got, 1 << 20);
    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        client_send(fd, span_of(text + i, 1));
        sleep_ms(i % 16 == 0 ? 1 : 0);
    }
    read_head(fd, &got);
    client_read_to(fd, &got, "abcdefgh");
    close(fd);
    buf_free(&got);
    wait_for(&server->tunnel_ends, 1);
}

/* Many times what fits anywhere: sent and read in turns, so that both sides are held up. */
static void test_much_goes_both_ways(void **state)
{
    enum {
        BYTES = 12000000,
    };
    struct buf got;
    size_t sent = 0;
    int fd = client_open(server);

    (void)state;
    buf_init(&got, 2 * BYTES);
    client_puts(fd, REQUEST("/tunnel/echo"));
    read_head(fd, &got);
    got.len = 0;
    for (unsigned quiet = 0; got.len < BYTES;) {
        size_t left = BYTES - sent;
        ssize_t count = send(fd, server_body + sent, left, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += count > 0 ? (size_t)count : 0;
        quiet = count > 0 && left > 0 ? 0 : quiet + 1;
        if (quiet < 5 && left > 0) {
            sleep_ms(10); /* until it is full everywhere */
        } else {
            assert_int_equal(client_read(fd, &got), CLIENT_BYTES);
        }
    }
    assert_int_equal(got.len, BYTES);
    assert_memory_equal(got.data, server_body, BYTES);
    assert_true(atomic_load(&server->writables) > 0);
    close(fd);
    buf_free(&got);
    wait_for(&server->tunnel_ends, 1);
}

/* More comes with the head than its block holds. */
static void test_behind_another_request(void **state)
{
    enum {
        BYTES = 10000,
    };
    struct buf got;
    int fd = client_open(server);

    (void)state;
    buf_init(&got, 1 << 20);
    client_puts(fd, "GET /size/1 HTTP/1.1\r\nHost: a\r\n\r\n" REQUEST("/tunnel/echo"));
    client_send(fd, span_of(server_body, BYTES));
    while (got.len < BYTES ||
           memcmp(got.data + got.len - 100, server_body + BYTES - 100, 100) != 0) {
        assert_int_equal(client_read(fd, &got), CLIENT_BYTES);
    }
    assert_memory_equal(got.data + got.len - BYTES, server_body, BYTES);
    close(fd);
    buf_free(&got);
    wait_for(&server->tunnel_ends, 1);
}

/* Our end is seen; the client may go on, and its last bytes count, also with its end right behind. */
static void test_our_end_first(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        struct buf got;
        int fd = client_open(server);
        buf_init(&got, 1 << 20);
        client_puts(fd, REQUEST("/tunnel/end"));
        assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
        assert_memory_equal(got.data + got.len - 7, "\r\n\r\nbye", 7);
        sleep_ms(late * 50);
        client_send(fd, span_of(server_body, 500000));
        close(fd);
        wait_for(&server->tunnel_ends, late + 1);
        assert_int_equal(atomic_load(&server->tunnel_bytes), (late + 1) * 500000);
        buf_free(&got);
    }
    assert_int_equal(atomic_load(&server->closed), 0);
}

/* Both ends are there and what came is not read: the hang-up must not be told for ever. */
static void test_unread_bytes_do_not_spin(void **state)
{
    struct buf got;
    int fd = client_open(server);

    (void)state;
    buf_init(&got, 1 << 20);
    client_puts(fd, REQUEST("/tunnel/deaf"));
    assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
    client_send(fd, span_of(server_body, 60000));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    sleep_ms(50);
    atomic_store(&rounds, 0);
    sleep_ms(300);
    assert_true(atomic_load(&rounds) < 100);
    close(fd);
    buf_free(&got);
}

static void test_cut_by_us(void **state)
{
    struct buf got;
    int fd = client_open(server);

    (void)state;
    buf_init(&got, 1 << 20);
    client_puts(fd, REQUEST("/tunnel/cut"));
    assert_int_equal(client_read_all(fd, &got), CLIENT_RESET);
    close(fd);
    buf_free(&got);
}

static void test_cut_by_the_client(void **state)
{
    struct linger cut = {.l_onoff = 1};
    struct buf got;
    int fd = client_open(server);

    (void)state;
    buf_init(&got, 1 << 20);
    client_puts(fd, REQUEST("/tunnel/echo"));
    read_head(fd, &got);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &cut, sizeof(cut)), 0);
    close(fd);
    wait_for(&server->closed, 1);
    assert_int_equal(atomic_load(&server->closed_why), ERR_CLOSED);
    buf_free(&got);
}

#define TUNNEL_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TUNNEL_TEST(test_bytes_behind_the_request),
        TUNNEL_TEST(test_byte_by_byte),
        TUNNEL_TEST(test_much_goes_both_ways),
        TUNNEL_TEST(test_behind_another_request),
        TUNNEL_TEST(test_our_end_first),
        TUNNEL_TEST(test_unread_bytes_do_not_spin),
        TUNNEL_TEST(test_cut_by_us),
        TUNNEL_TEST(test_cut_by_the_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
