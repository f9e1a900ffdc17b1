// SPDX-License-Identifier: MIT
/* The demo site over real sockets, with its visitors. */
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "demo/demo_origin.h"
#include "demo/demo_pages.h"
#include "demo/demo_traffic.h"

static size_t ask(unsigned port, const char *request, char *out, size_t size)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    size_t len = 0;
    ssize_t got;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    (void)send(fd, request, strlen(request), MSG_NOSIGNAL); /* it may be broken off already */
    while ((got = recv(fd, out + len, size - 1 - len, 0)) > 0) {
        len += (size_t)got;
    }
    close(fd);
    out[len] = '\0';
    return len;
}

static void pages_have_their_fields(void **state)
{
    static const struct {
        const char *request;
        const char *wanted[3];
        const char *unwanted;
    } TABLE[] = {
        {"GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n",
         {"HTTP/1.1 200 OK\r\n", "Cache-Control: max-age=60\r\n", "\r\n\r\nHello from"},
         "304"},
        {"HEAD /hello HTTP/1.1\r\nConnection: close\r\n\r\n",
         {"HTTP/1.1 200 OK\r\n", "Content-Length: 28\r\n", "ETag: \""},
         "Hello from"},
        {"GET /account HTTP/1.1\r\nConnection: close\r\n\r\n",
         {"HTTP/1.1 200", "Cache-Control: no-store\r\n", "Made for you"},
         "max-age"},
        {"GET /missing HTTP/1.1\r\nConnection: close\r\n\r\n",
         {"HTTP/1.1 404 Not Found\r\n", "max-age=10", "no such page"},
         "200 OK"},
        {"GET /article/0 HTTP/1.1\r\nConnection: close\r\n\r\n",
         {"HTTP/1.1 404", "", ""},
         "200 OK"},
        {"GET /article/201 HTTP/1.1\r\nConnection: close\r\n\r\n",
         {"HTTP/1.1 404", "", ""},
         "200 OK"},
        {"GET /article/200?x=1 HTTP/1.1\r\nConnection: close\r\n\r\n",
         {"HTTP/1.1 200", "Article 200", ""},
         "404"},
        {"GET /picture/12.svg HTTP/1.1\r\nConnection: close\r\n\r\n",
         {"HTTP/1.1 200", "image/svg+xml", "</svg>"},
         "404"},
        {"POST /hello HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
         {"HTTP/1.1 405 Method", "no-store", "Connection: close"},
         "200 OK"},
        {"GET /hello HTTP/1.1\r\n\r\nGET /api/time.json HTTP/1.1\r\nConnection: close\r\n\r\n",
         {"Hello from the demo origin.\nHTTP/1.1 200 OK", "application/json", "unix_s"},
         "404"},
    };
    struct demo_origin *origin = NULL;
    static char answer[64 << 10];

    (void)state;
    assert_int_equal(demo_origin_start("127.0.0.1", 0, 0, &origin), ERR_OK);
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        ask(demo_origin_port(origin), TABLE[i].request, answer, sizeof(answer));
        for (size_t j = 0; j < 3; j++) {
            assert_non_null(strstr(answer, TABLE[i].wanted[j]));
        }
        assert_null(strstr(answer, TABLE[i].unwanted));
    }
    assert_int_equal(demo_origin_requests(origin), sizeof(TABLE) / sizeof(TABLE[0]) + 1);
    demo_origin_stop(&origin);
    assert_null(origin);
}

static void etag_is_confirmed(void **state)
{
    struct demo_origin *origin = NULL;
    char answer[4096];
    char request[256];

    (void)state;
    assert_int_equal(demo_origin_start("127.0.0.1", 0, 0, &origin), ERR_OK);
    unsigned port = demo_origin_port(origin);
    ask(port, "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n", answer, sizeof(answer));
    const char *etag = strstr(answer, "ETag: ");
    assert_non_null(etag);
    snprintf(request, sizeof(request),
             "GET /hello HTTP/1.1\r\nif-none-match: %.18s\r\nConnection: close\r\n\r\n", etag + 6);
    ask(port, request, answer, sizeof(answer));
    assert_non_null(strstr(answer, "HTTP/1.1 304 Not Modified\r\n"));
    assert_null(strstr(answer, "Content-Length"));
    assert_null(strstr(answer, "Hello"));
    demo_origin_stop(&origin);
}

static void large_file_is_whole(void **state)
{
    struct demo_origin *origin = NULL;
    static char answer[33 << 20];
    char wanted[1000];

    (void)state;
    assert_int_equal(demo_origin_start("127.0.0.1", 0, 0, &origin), ERR_OK);
    size_t len =
        ask(demo_origin_port(origin), "GET /large.bin HTTP/1.1\r\nConnection: close\r\n\r\n",
            answer, sizeof(answer));
    const char *body = strstr(answer, "\r\n\r\n") + 4;
    assert_int_equal(len - (size_t)(body - answer), 32 << 20);
    demo_pattern_fill(wanted, sizeof(wanted), (32 << 20) - sizeof(wanted));
    assert_memory_equal(body + (32 << 20) - sizeof(wanted), wanted, sizeof(wanted));
    demo_origin_stop(&origin);
}

static void answer_waits(void **state)
{
    struct demo_origin *origin = NULL;
    char answer[4096];

    (void)state;
    assert_int_equal(demo_origin_start("127.0.0.1", 0, 120, &origin), ERR_OK);
    uint64_t begin_us = clock_mono_us();
    ask(demo_origin_port(origin), "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n", answer,
        sizeof(answer));
    assert_true(clock_mono_us() - begin_us >= 119000);
    demo_origin_stop(&origin);
}

static void taken_port_is_an_error(void **state)
{
    struct demo_origin *origin = NULL;
    struct demo_origin *second = NULL;

    (void)state;
    assert_int_equal(demo_origin_start("127.0.0.1", 0, 0, &origin), ERR_OK);
    assert_int_equal(demo_origin_start("127.0.0.1", demo_origin_port(origin), 0, &second), ERR_IO);
    assert_int_equal(demo_origin_start("no address", 0, 0, &second), ERR_IO);
    assert_null(second);
    demo_origin_stop(&origin);
}

static void flapping_has_times_of_both_kinds(void **state)
{
    static const char request[] = "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n";
    struct demo_origin *origin = NULL;
    char out[2048];

    (void)state;
    assert_int_equal(demo_origin_start("127.0.0.1", 0, 0, &origin), ERR_OK);
    unsigned port = demo_origin_port(origin);
    assert_true(ask(port, request, out, sizeof(out)) > 0);
    uint64_t begun_us = clock_mono_us();
    demo_origin_flap(origin, 3000, 1500); /* down from the beginning */
    unsigned refused = 0;
    while (ask(port, request, out, sizeof(out)) == 0 && clock_mono_us() - begun_us < 30000000) {
        refused++;
        poll(NULL, 0, 20);
    }
    assert_non_null(strstr(out, "Hello from"));
    assert_true(refused > 0 && clock_mono_us() - begun_us >= 1400000);
    while (ask(port, request, out, sizeof(out)) > 0) { /* and down again */
        assert_true(clock_mono_us() - begun_us < 30000000);
        poll(NULL, 0, 20);
    }
    demo_origin_flap(origin, 3000, 0);
    assert_true(ask(port, request, out, sizeof(out)) > 0);
    demo_origin_stop(&origin);
}

static void visitors_come_and_go(void **state)
{
    struct demo_origin *origin = NULL;
    struct demo_traffic *traffic = NULL;

    (void)state;
    assert_int_equal(demo_origin_start("127.0.0.1", 0, 1, &origin), ERR_OK);
    assert_int_equal(demo_traffic_start("127.0.0.1", demo_origin_port(origin), 200, &traffic),
                     ERR_OK);
    for (int i = 0; i < 500 && demo_traffic_requests(traffic) < 40; i++) {
        poll(NULL, 0, 20);
    }
    assert_true(demo_traffic_requests(traffic) >= 40);
    demo_traffic_stop(&traffic);
    assert_null(traffic);
    demo_origin_stop(&origin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_have_their_fields),
        cmocka_unit_test(etag_is_confirmed),
        cmocka_unit_test(large_file_is_whole),
        cmocka_unit_test(answer_waits),
        cmocka_unit_test(taken_port_is_an_error),
        cmocka_unit_test(visitors_come_and_go),
        cmocka_unit_test(flapping_has_times_of_both_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
