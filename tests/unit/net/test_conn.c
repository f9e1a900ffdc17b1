/* Responses: keep-alive, pipelining, framing, back-pressure, endings. */
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

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_CLOSE(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

/* Sends text in the given pieces and returns all that comes until the server closes. */
static void ask(const char *text, size_t split, struct buf *out)
{
    int fd = client_open(server);
    size_t len = strlen(text);

    client_send(fd, span_of(text, split));
    if (split < len) {
        sleep_ms(1);
        client_send(fd, span_of(text + split, len - split));
    }
    assert_int_equal(client_read_all(fd, out), CLIENT_EOF);
    close(fd);
}

static void test_pipelining_split_at_every_byte(void **state)
{
    static const char text[] =
        GET("/size/10") "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde"
                        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "3;x=y\r\nfgh\r\n2\r\nij\r\n0\r\nT: 1\r\n\r\n" GET_CLOSE("/chunked/1500");
    struct buf whole;
    struct buf split;

    (void)state;
    buf_init(&whole, 1 << 20);
    buf_init(&split, 1 << 20);
    ask(text, sizeof(text) - 1, &whole);
    assert_true(buf_has(&whole, "abcde"));
    assert_true(buf_has(&whole, "fghij"));
    assert_true(buf_has(&whole, "\r\n0\r\n\r\n"));
    const char *chunked = memmem(whole.data, whole.len, "X-Test", 6);
    for (size_t at = 1; at < sizeof(text) - 1; at++) {
        buf_clear(&split);
        ask(text, at, &split);
        /* Date of the last one may differ. */
        size_t same = (size_t)(chunked - whole.data);
        assert_int_equal(split.len, whole.len);
        assert_memory_equal(split.data, whole.data, same);
    }
    buf_free(&whole);
    buf_free(&split);
}

static void test_byte_by_byte(void **state)
{
    static const char text[] = GET("/size/3") GET_CLOSE("/size/4");
    struct buf got;
    int fd = client_open(server);

    (void)state;
    buf_init(&got, 1 << 20);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        client_send(fd, span_of(text + i, 1));
        sleep_ms(1);
    }
    assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
    assert_true(buf_has(&got, "Content-Length: 3\r\n"));
    assert_memory_equal(got.data + got.len - 4, server_body, 4);
    close(fd);
    buf_free(&got);
}

static void test_a_thousand_pipelined_keep_their_order(void **state)
{
    struct buf text;
    struct buf got;
    int fd = client_open(server);
    char needle[64];

    (void)state;
    buf_init(&text, 1 << 20);
    buf_init(&got, 8 << 20);
    for (int i = 0; i < 1000; i++) {
        /* Some end later than they begin: what follows must wait. */
        buf_printf(&text, "GET /%s/%d HTTP/1.1\r\nHost: a\r\n%s\r\n",
                   i % 250 == 7 ? "slow" : "size", i, i == 999 ? "Connection: close\r\n" : "");
    }
    client_send(fd, buf_span(&text));
    assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
    const char *at = got.data;
    for (int i = 0; i < 1000; i++) {
        snprintf(needle, sizeof(needle), "Content-Length: %d\r\n", i);
        at = memmem(at, got.len - (size_t)(at - got.data), needle, strlen(needle));
        assert_non_null(at);
    }
    close(fd);
    buf_free(&text);
    buf_free(&got);
}

static void test_versions_and_persistence(void **state)
{
    static const struct {
        const char *request;
        bool keeps;
        const char *has;
        const char *has_not;
        size_t body;
    } rows[] = {
        {GET("/size/5"), true, "X-Extra: 1\r\n", "Connection:", 5},
        {GET_CLOSE("/size/5"), false, "\r\nConnection: close\r\n", "keep-alive", 5},
        {"GET /size/5 HTTP/1.0\r\n\r\n", false, "\r\nConnection: close\r\n", "keep-alive", 5},
        {"GET /size/5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true,
         "\r\nConnection: keep-alive\r\n", "close", 5},
        {"GET /chunked/5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false,
         "\r\nConnection: close\r\n", "chunked", 5},
        {"HEAD /size/5 HTTP/1.1\r\nHost: a\r\n\r\n", true, "Content-Length: 5\r\n", "Connection",
         0},
        {GET("/size/0"), true, "Content-Length: 0\r\n", "chunked", 0},
        {"\r\nGET /size/5 HTTP/1.1\r\nHost: a\r\n\r\n", true, "200 OK", "close", 5},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf got;
        int fd = client_open(server);
        buf_init(&got, 1 << 20);
        client_puts(fd, rows[i].request);
        if (rows[i].keeps) {
            client_puts(fd, GET_CLOSE("/size/7"));
        }
        assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
        assert_true(buf_has(&got, rows[i].has));
        struct span body = buf_body(&got);
        assert_null(memmem(got.data, (size_t)(body.ptr - got.data), rows[i].has_not,
                           strlen(rows[i].has_not)));
        assert_true(body.len >= rows[i].body);
        assert_memory_equal(body.ptr, server_body, rows[i].body);
        if (rows[i].keeps) {
            assert_memory_equal(body.ptr + rows[i].body, "HTTP/1.1 200 OK\r\n", 17);
        } else {
            assert_int_equal(body.len, rows[i].body);
        }
        close(fd);
        buf_free(&got);
    }
}

/* Decodes in place; returns the body's length, or -1 when the last chunk is missing. */
static ptrdiff_t unchunk(struct span body, char *out)
{
    struct http_chunk_decoder decoder;
    struct span piece;
    size_t at = 0;
    size_t len = 0;

    http_chunk_decoder_init(&decoder);
    for (;;) {
        size_t used;
        enum http_chunk kind =
            http_chunk_decode(&decoder, body.ptr + at, body.len - at, &used, &piece);
        at += used;
        if (kind == HTTP_CHUNK_DATA) {
            memcpy(out + len, piece.ptr, piece.len);
            len += piece.len;
        } else {
            return kind == HTTP_CHUNK_DONE && at == body.len ? (ptrdiff_t)len : -1;
        }
    }
}

static void test_chunked_response(void **state)
{
    static const size_t sizes[] = {0, 1, 999, 1000, 1001, 20000, 3000000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct buf got;
        char request[100];
        int fd = client_open(server);
        buf_init(&got, 8 << 20);
        snprintf(request, sizeof(request),
                 "GET /chunked/%zu HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", sizes[i]);
        client_puts(fd, request);
        if (sizes[i] > 1000000) {
            sleep_ms(100); /* lets the socket fill in the middle of a chunk */
        }
        assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
        assert_true(buf_has(&got, "\r\nTransfer-Encoding: chunked\r\n"));
        assert_true(buf_has(&got, "\r\nDate: "));
        char *body = mem_new(sizes[i] + 1);
        assert_int_equal(unchunk(buf_body(&got), body), sizes[i]);
        assert_memory_equal(body, server_body, sizes[i]);
        mem_free(body);
        buf_free(&got);
        close(fd);
    }
}

static void test_slow_reader_gets_every_byte(void **state)
{
    enum {
        BYTES = 12000000,
    };
    struct buf got;
    int fd = client_open(server);
    int small = 65536;

    (void)state;
    buf_init(&got, 2 * BYTES);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    client_puts(fd, GET_CLOSE("/size/12000000"));
    for (int i = 0; i < 40; i++) {
        assert_int_equal(client_read(fd, &got), CLIENT_BYTES);
        sleep_ms(2);
        if (i == 20) {
            /* The server took its turn for others meanwhile. */
            struct buf other;
            buf_init(&other, 1 << 20);
            ask(GET_CLOSE("/size/3"), strlen(GET_CLOSE("/size/3")), &other);
            buf_free(&other);
        }
    }
    assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
    struct span body = buf_body(&got);
    assert_int_equal(body.len, BYTES);
    assert_memory_equal(body.ptr, server_body, BYTES);
    assert_true(atomic_load(&server->writables) > 10);
    close(fd);
    buf_free(&got);
}

/* The same bytes in small letters from memory, in capitals from the file. Returns how many were
 * capitals. */
static size_t check_either(struct span body, size_t bytes)
{
    size_t capitals = 0;

    assert_int_equal(body.len, bytes);
    for (size_t i = 0; i < bytes; i++) {
        bool is_capital = body.ptr[i] >= 'A' && body.ptr[i] <= 'Z';
        capitals += is_capital;
        assert_int_equal(is_capital ? tolower(body.ptr[i]) : body.ptr[i], server_body[i]);
    }
    return capitals;
}

/* Large bodies leave from the file, but for what goes with the head and a little rest. */
static void test_from_a_file(void **state)
{
    static const size_t sizes[] = {0, 1, 16384, 16385, 20000, 262144, 300000, 9000000};
    char text[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct buf got;
        buf_init(&got, 1 << 24);
        snprintf(text, sizeof(text),
                 "GET /file/%zu HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", sizes[i]);
        ask(text, strlen(text), &got);
        size_t capitals = check_either(buf_body(&got), sizes[i]);
        size_t beyond = sizes[i] > 16384 ? sizes[i] - 16384 : 0;
        assert_true(capitals <= beyond && capitals + 16384 >= beyond);
        buf_free(&got);
    }
    /* Chunk lines lie between the bytes: from memory. */
    struct buf got;
    buf_init(&got, 1 << 24);
    ask(GET_CLOSE("/filed-chunks/300000"), strlen(GET_CLOSE("/filed-chunks/300000")), &got);
    char *body = mem_try(got.len);
    assert_int_equal(unchunk(buf_body(&got), body), 300000);
    assert_memory_equal(body, server_body, 300000);
    mem_free(body);
    buf_free(&got);
}

/* Several on one connection, read slowly, each whole and in its place. */
static void test_files_in_a_row(void **state)
{
    enum {
        BYTES = 3000000,
        COUNT = 4,
    };
    struct buf got;
    int fd = client_open(server);
    int small = 65536;

    (void)state;
    buf_init(&got, (BYTES + 1000) * (COUNT + 1));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    for (int i = 1; i < COUNT; i++) {
        client_puts(fd, "GET /file/3000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    client_puts(fd, GET_CLOSE("/file/3000000"));
    for (int i = 0; i < 40; i++) {
        assert_int_equal(client_read(fd, &got), CLIENT_BYTES);
        sleep_ms(2);
    }
    assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
    struct span rest = buf_span(&got);
    for (int i = 0; i < COUNT; i++) {
        size_t head = (size_t)((char *)memmem(rest.ptr, rest.len, "\r\n\r\n", 4) - rest.ptr) + 4;
        assert_true(rest.len >= head + BYTES);
        assert_true(check_either(span_of(rest.ptr + head, BYTES), BYTES) > BYTES / 2);
        rest = span_of(rest.ptr + head + BYTES, rest.len - head - BYTES);
    }
    assert_int_equal(rest.len, 0);
    close(fd);
    buf_free(&got);
}

static void test_heads_that_wait_do_not_mix(void **state)
{
    enum {
        CLIENTS = 5,
    };
    int fds[CLIENTS];

    (void)state;
    for (size_t i = 0; i < CLIENTS; i++) {
        char request[100];
        fds[i] = client_open(server);
        snprintf(request, sizeof(request),
                 "GET /late/%zu HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 1000 + i);
        client_puts(fds[i], request);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        struct buf got;
        char needle[64];
        buf_init(&got, 1 << 20);
        assert_int_equal(client_read_all(fds[i], &got), CLIENT_EOF);
        snprintf(needle, sizeof(needle), "Content-Length: %zu\r\n", 1000 + i);
        assert_true(buf_has(&got, needle));
        assert_int_equal(buf_body(&got).len, 1000 + i);
        assert_memory_equal(buf_body(&got).ptr, server_body, 1000 + i);
        close(fds[i]);
        buf_free(&got);
    }
}

static void test_cut_responses_look_cut(void **state)
{
    struct buf got;
    char body[8192];

    (void)state;
    buf_init(&got, 1 << 20);
    int fd = client_open(server);
    client_puts(fd, GET("/abort/3000"));
    (void)client_read_all(fd, &got);
    assert_int_equal(buf_body(&got).len, 3000);
    close(fd);

    buf_clear(&got);
    fd = client_open(server);
    client_puts(fd, GET("/cut/3000"));
    (void)client_read_all(fd, &got);
    assert_int_equal(unchunk(buf_body(&got), body), -1);
    close(fd);

    /* Where only the end of the connection ends the body, a plain close would pass for complete. */
    buf_clear(&got);
    fd = client_open(server);
    client_puts(fd, "GET /cut/3000 HTTP/1.0\r\n\r\n");
    assert_int_equal(client_read_all(fd, &got), CLIENT_RESET);
    close(fd);
    buf_free(&got);
}

static void test_informational(void **state)
{
    struct buf got;

    (void)state;
    buf_init(&got, 1 << 20);
    ask(GET_CLOSE("/hint"), strlen(GET_CLOSE("/hint")), &got);
    assert_memory_equal(got.data,
                        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n", 57);
    buf_clear(&got);
    ask("GET /hint HTTP/1.0\r\n\r\n", 22, &got);
    assert_memory_equal(got.data, "HTTP/1.1 200 OK\r\n", 17);
    buf_free(&got);
}

static void test_half_closed_client_gets_its_answer(void **state)
{
    static const char *const requests[] = {GET("/slow/500"), GET("/size/500"), GET("/late/500"),
                                           GET("/size/2") GET("/slow/500")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct buf got;
        int fd = client_open(server);
        buf_init(&got, 1 << 20);
        client_puts(fd, requests[i]);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        assert_int_equal(client_read_all(fd, &got), CLIENT_EOF);
        assert_true(got.len > 500);
        assert_memory_equal(got.data + got.len - 500, server_body, 500);
        close(fd);
        buf_free(&got);
    }
}

static void test_half_closed_client_is_not_waited_for(void **state)
{
    int fd = client_open(server);

    (void)state;
    client_puts(fd, GET("/never"));
    wait_for(&server->requests, 1);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    wait_for(&server->closed, 1);
    assert_int_equal(atomic_load(&server->closed_why), ERR_CLOSED);
    assert_int_equal(atomic_load(&server->counters.timed_out), 0);
    close(fd);
}

static void test_client_gone_closes_the_stream(void **state)
{
    struct linger cut = {.l_onoff = 1};
    int fd = client_open(server);

    (void)state;
    client_puts(fd, GET("/never"));
    wait_for(&server->requests, 1);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &cut, sizeof(cut)), 0);
    close(fd);
    wait_for(&server->closed, 1);
    assert_int_equal(atomic_load(&server->closed_why), ERR_CLOSED);
    /* In the middle of a large response: the handler learns it from either side, once. */
    fd = client_open(server);
    client_puts(fd, GET("/size/30000000"));
    wait_for(&server->requests, 2);
    sleep_ms(20);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &cut, sizeof(cut)), 0);
    close(fd);
    for (int i = 0; i < 15000 && atomic_load(&server->shared.connections) > 0; i++) {
        sleep_ms(1);
    }
    assert_int_equal(atomic_load(&server->shared.connections), 0);
}

static void test_stop_with_requests_under_way(void **state)
{
    int fds[3];

    (void)state;
    fds[0] = client_open(server);
    fds[1] = client_open(server);
    fds[2] = client_open(server);
    client_puts(fds[0], GET("/never"));
    client_puts(fds[1], GET("/late/50"));
    client_puts(fds[2], "GET /ne");
    wait_for(&server->requests, 2);
    server_stop(server); /* checks that nothing is left */
    server = server_start(NULL);
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pipelining_split_at_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_byte_by_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_thousand_pipelined_keep_their_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_versions_and_persistence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chunked_response, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_reader_gets_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_from_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_in_a_row, setup, teardown),
        cmocka_unit_test_setup_teardown(test_heads_that_wait_do_not_mix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_responses_look_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_informational, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_closed_client_gets_its_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_closed_client_is_not_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_gone_closes_the_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_with_requests_under_way, setup, teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mem_free(server_body);
    return failed;
}
