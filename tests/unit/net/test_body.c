/* Request bodies: both framings, limits, 100 (Continue), what is left unread. */
#include "server.h"

static struct server *server;

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

#define HEAD(fields) "POST /echo HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define CHUNKED HEAD("Transfer-Encoding: chunked\r\n")
#define NEXT "GET /size/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static void test_good_bodies(void **state)
{
    static const struct {
        const char *request;
        const char *body;
    } rows[] = {
        {HEAD("Content-Length: 5\r\n") "hello" NEXT, "hello"},
        {HEAD("Content-Length: 0\r\n") NEXT, ""},
        {CHUNKED "5\r\nhello\r\n0\r\n\r\n" NEXT, "hello"},
        {CHUNKED "0\r\n\r\n" NEXT, ""},
        {CHUNKED "1\r\na\r\n1\r\nb\r\n00a\r\n0123456789\r\n0\r\nX: y\r\n\r\n" NEXT, "ab0123456789"},
        {HEAD("") NEXT, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].request);
        for (size_t split = 1; split <= len; split += split < len - 1 ? 3 : 1) {
            struct buf got;
            int fd = client_open(server);
            buf_init(&got, 1 << 20);
            client_send(fd, span_of(rows[i].request, split));
            if (split < len) {
                sleep_ms(1);
                client_puts(fd, rows[i].request + split);
            }
            assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
            struct span body = buf_body(&got);
            assert_true(body.len > strlen(rows[i].body));
            assert_memory_equal(body.ptr, rows[i].body, strlen(rows[i].body));
            assert_memory_equal(body.ptr + strlen(rows[i].body), "HTTP/1.1 200 OK", 15);
            close(fd);
            buf_free(&got);
        }
    }
    assert_int_equal(atomic_load(&server->body_bad), 0);
}

static void test_bad_bodies(void **state)
{
    static const char *const rows[] = {
        CHUNKED "x\r\nhello\r\n0\r\n\r\n",      CHUNKED "5\r\nhelloX\r\n0\r\n\r\n",
        CHUNKED "5\nhello\r\n0\r\n\r\n",        CHUNKED "ffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        CHUNKED "-1\r\nhello\r\n0\r\n\r\n",     CHUNKED "5\r\nhel", /* then FIN */
        HEAD("Content-Length: 10\r\n") "hello",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf got;
        int fd = client_open(server);
        buf_init(&got, 1 << 20);
        client_puts(fd, rows[i]);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
        assert_memory_equal(got.data, "HTTP/1.1 400 Bad\r\n", 18);
        assert_true(buf_has(&got, "\r\nConnection: close\r\n"));
        assert_int_equal(atomic_load(&server->body_bad), i + 1);
        close(fd);
        buf_free(&got);
    }
    assert_int_equal(atomic_load(&server->requests), ARRAY_LEN(rows));
}

static void test_large_bodies_arrive_whole(void **state)
{
    enum {
        BYTES = 3000000,
    };

    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        struct buf got;
        char head[200];
        int fd = client_open(server);
        buf_init(&got, 2 * BYTES);
        snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n");
        client_puts(fd, head);
        if (chunked != 0) {
            client_puts(fd, "Transfer-Encoding: chunked\r\n\r\n");
            for (size_t at = 0; at < BYTES; at += 30000) {
                client_puts(fd, "7530\r\n");
                client_send(fd, span_of(server_body + at, 30000));
                client_puts(fd, "\r\n");
            }
            client_puts(fd, "0\r\n\r\n");
        } else {
            client_puts(fd, "Content-Length: 3000000\r\n\r\n");
            client_send(fd, span_of(server_body, BYTES));
        }
        assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
        assert_int_equal(buf_body(&got).len, BYTES);
        assert_memory_equal(buf_body(&got).ptr, server_body, BYTES);
        close(fd);
        buf_free(&got);
    }
}

static void test_large_head_leaves_room_for_the_body(void **state)
{
    struct buf text;
    struct buf got;

    (void)state;
    /* Heads around the size of a block, so that the body's window has to move. */
    for (size_t fill = 11000; fill < 17000; fill += 371) {
        int fd = client_open(server);
        buf_init(&text, 1 << 20);
        buf_init(&got, 1 << 20);
        buf_puts(&text, "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Fill: ");
        for (size_t i = 0; i < fill; i++) {
            buf_putc(&text, 'f');
        }
        buf_puts(&text, "\r\nContent-Length: 50000\r\n\r\n");
        buf_append(&text, span_of(server_body, 50000));
        client_send(fd, buf_span(&text));
        assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
        assert_int_equal(buf_body(&got).len, 50000);
        assert_memory_equal(buf_body(&got).ptr, server_body, 50000);
        close(fd);
        buf_free(&text);
        buf_free(&got);
    }
}

static void test_expect_continue(void **state)
{
    static const char head[] = HEAD("Content-Length: 5\r\nExpect: 100-continue\r\n");
    struct buf got;
    int fd = client_open(server);

    (void)state;
    buf_init(&got, 1 << 20);
    client_puts(fd, head);
    client_read_to(fd, &got, "\r\n\r\n");
    assert_string_equal(got.data, "HTTP/1.1 100 Continue\r\n\r\n");
    buf_clear(&got);
    client_puts(fd, "hello" NEXT);
    assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
    assert_memory_equal(buf_body(&got).ptr, "hello", 5);
    close(fd);
    /* The body came without waiting: no 100 any more. */
    buf_clear(&got);
    fd = client_open(server);
    client_puts(fd, HEAD("Content-Length: 5\r\nExpect: 100-continue\r\n") "hello" NEXT);
    assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
    assert_memory_equal(got.data, "HTTP/1.1 200", 12);
    close(fd);
    /* Answered without reading: the client may send the body or not, so the connection cannot go
     * on. */
    buf_clear(&got);
    fd = client_open(server);
    client_puts(fd, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                    "Expect: 100-continue\r\n\r\n");
    assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
    assert_memory_equal(got.data, "HTTP/1.1 200", 12);
    assert_true(buf_has(&got, "\r\nConnection: close\r\n"));
    close(fd);
    buf_free(&got);
}

static void test_too_large_bodies(void **state)
{
    struct buf got;
    int fd = client_open(server);

    (void)state;
    buf_init(&got, 1 << 20);
    client_puts(fd, HEAD("Content-Length: 4194305\r\n"));
    assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
    assert_memory_equal(got.data, "HTTP/1.1 413 ", 13);
    assert_int_equal(atomic_load(&server->refused_status), 413);
    assert_int_equal(atomic_load(&server->requests), 0);
    close(fd);

    buf_clear(&got);
    fd = client_open(server);
    client_puts(fd, CHUNKED);
    for (int i = 0; i < 5; i++) {
        client_puts(fd, "100000\r\n");
        client_send(fd, span_of(server_body, 1 << 20));
        client_puts(fd, "\r\n");
    }
    assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
    assert_memory_equal(got.data, "HTTP/1.1 400 Bad", 16);
    assert_int_equal(atomic_load(&server->too_large), 1);
    close(fd);
    buf_free(&got);
}

static void test_unread_body_is_drained_or_ends_the_connection(void **state)
{
    static const struct {
        size_t bytes;
        bool goes_on;
    } rows[] = {{10, true}, {60000, true}, {2000000, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf got;
        char head[200];
        int fd = client_open(server);
        buf_init(&got, 1 << 20);
        snprintf(head, sizeof(head),
                 "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", rows[i].bytes);
        client_puts(fd, head);
        client_read_to(fd, &got, "\r\n\r\nahovc"); /* answered before the body came */
        for (size_t at = 0; at < rows[i].bytes; at += 5000) {
            size_t len = rows[i].bytes - at < 5000 ? rows[i].bytes - at : 5000;
            if (send(fd, server_body, len, MSG_NOSIGNAL) < 0) {
                break; /* given up on */
            }
        }
        if (rows[i].goes_on) {
            client_puts(fd, NEXT);
        }
        (void)client_read_all(fd, &got);
        struct span body = buf_body(&got);
        assert_int_equal(rows[i].goes_on, body.len > 5);
        assert_int_equal(buf_has(&got, "Content-Length: 1\r\n"), rows[i].goes_on);
        close(fd);
        buf_free(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_good_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_bodies_arrive_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_head_leaves_room_for_the_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expect_continue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unread_body_is_drained_or_ends_the_connection, setup,
                                        teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mem_free(server_body);
    return failed;
}
