/* The event streams over real sockets. */
#include "server_kit.h"

static int open_stream(void)
{
    static const char request[] =
        "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n" READER "\r\n";
    int fd = connect_tcp();

    put_all(fd, request, sizeof(request) - 1);
    return fd;
}

/* Reads until the text was seen, at most three seconds. */
static bool wait_for(int fd, const char *text)
{
    uint64_t until_us = clock_mono_us() + 3000000;
    char block[65536];

    buf_clear(&reply);
    while (clock_mono_us() < until_us) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 100) != 1) {
            continue;
        }
        ssize_t got = recv(fd, block, sizeof(block), 0);
        if (got <= 0) {
            return false;
        }
        buf_append(&reply, span_of(block, (size_t)got));
        if (says(text)) {
            return true;
        }
    }
    return false;
}

static void test_stream(void **state)
{
    (void)state;
    int fd = open_stream();

    assert_true(wait_for(fd, "event: tick\ndata: {\"t\":"));
    assert_true(says("HTTP/1.1 200 OK"));
    assert_true(says("Content-Type: text/event-stream"));
    const char *snapshot = strstr(reply.data, "event: snapshot\ndata: {\"status\":{");
    assert_non_null(snapshot);
    assert_true(snapshot < strstr(reply.data, "event: tick"));
    assert_int_equal(ask("POST /api/v1/purges", ADMIN JSON,
                         "{\"select\":{\"urls\":[\"http://h/stored\"]},\"mode\":\"hard\"}"),
                     200);
    assert_true(wait_for(fd, "event: purge\ndata: {\"id\":\"p_"));
    assert_true(wait_for(fd, "\nid: "));
    (void)close(fd);
    /* HEAD takes no place. */
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(ask("HEAD /api/v1/events", READER, NULL), 200);
    }
}

static void test_streams_are_bounded(void **state)
{
    (void)state;
    int fds[32];

    for (unsigned i = 0; i < 32; i++) {
        fds[i] = open_stream();
        assert_true(wait_for(fds[i], "event: snapshot"));
    }
    assert_int_equal(ask("GET /api/v1/events", READER, NULL), 503);
    assert_true(says("Retry-After"));
    assert_int_equal(ask("GET /healthz", "", NULL), 200);
    /* One that goes away is noticed within a tick or two. */
    (void)close(fds[0]);
    int fd = -1;
    for (unsigned i = 0; i < 120 && fd < 0; i++) {
        (void)usleep(250000);
        fd = open_stream();
        if (!wait_for(fd, "event: snapshot")) {
            (void)close(fd);
            fd = -1;
        }
    }
    assert_true(fd >= 0);
    (void)close(fd);
    stop(); /* with open streams */
    for (unsigned i = 1; i < 32; i++) {
        (void)close(fds[i]);
    }
    start("metrics on;");
}

static void test_logged_out_stream_ends(void **state)
{
    (void)state;
    char cookie[128];
    char csrf[128];
    char head[512];

    log_in("{\"token\":\"t-read\"}", cookie, csrf, sizeof(cookie));
    int fd = connect_tcp();
    (void)snprintf(head, sizeof(head), "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                   cookie);
    put_all(fd, head, strlen(head));
    assert_true(wait_for(fd, "event: snapshot"));
    (void)snprintf(head, sizeof(head), "%s%s", cookie, csrf);
    assert_int_equal(ask("DELETE /api/v1/session", head, NULL), 204);
    assert_true(wait_for(fd, "0\r\n\r\n")); /* the last chunk */
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_stream),
        TEST(test_streams_are_bounded),
        TEST(test_logged_out_stream_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
