/* Upgrade (RFC 9110 7.8): what is offered of a client's list, and which 101 keeps to it. */
#include "helper.h"
#include "http/upgrade.h"

struct offer_row {
    const char *head; /* of the request, without the last empty line */
    const char *offered;
};

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

static const struct offer_row offer_rows[] = {
    {GET "Connection: Upgrade\r\nUpgrade: websocket\r\n", "websocket"},
    {GET "Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n", "WebSocket"},
    {GET "Connection: keep-alive\r\nConnection: UPGRADE\r\nUpgrade: websocket\r\n", "websocket"},
    {GET "Connection: Upgrade\r\nUpgrade: h2c, websocket,foo/1.0,bar/1\r\n", "websocket, foo/1.0"},
    {GET "Connection: Upgrade\r\nUpgrade: foo/1.0\r\nUpgrade: websocket\r\n", "foo/1.0, websocket"},
    {GET "Connection: Upgrade\r\nUpgrade: websocket/13\r\n", "websocket/13"},
    {GET "Connection: Upgrade\r\nUpgrade: foo/2.0, foo\r\n", ""},
    {GET "Connection: Upgrade\r\nUpgrade: websocketx, web, web socket, \"websocket\"\r\n", ""},
    {GET "Connection: Upgrade\r\nUpgrade: websocket/1/2, websocket/\r\n", ""},
    {GET "Connection: Upgrade\r\nUpgrade:\r\n", ""},
    {GET "Connection: Upgrade\r\nUpgrade: ,,\r\n", ""},
    {GET "Connection: Upgrade\r\n", ""},
    {GET "Upgrade: websocket\r\n", ""},
    {GET "Connection: close\r\nUpgrade: websocket\r\n", ""},
    {"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", "websocket"},
    {"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n",
     ""},
    {GET "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", "websocket"},
    {"GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", ""},
};

static void test_offer(void **state)
{
    const struct span allowed[] = {SPAN("websocket"), SPAN("foo/1.0")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(offer_rows); i++) {
        char head[512];
        char room[512];
        struct http_field items[16];
        struct http_request request = {0};
        const struct http_limits limits = {sizeof(head), sizeof(head), ARRAY_LEN(items)};
        size_t scanned = 0;
        size_t used = 0;
        int len = snprintf(head, sizeof(head), "%s\r\n", offer_rows[i].head);

        http_fields_init(&request.fields, items, ARRAY_LEN(items));
        assert_int_equal(http_request_parse(&request, head, (size_t)len, &scanned, &used, &limits),
                         HTTP_PARSE_DONE);
        struct span offer = http_upgrade_offer(room, &request, allowed, ARRAY_LEN(allowed));
        if (!span_eq(offer, span_str(offer_rows[i].offered))) {
            fail_msg("row %zu: offered \"%.*s\"", i, (int)offer.len, offer.ptr);
        }
        assert_true(offer.len <= http_upgrade_room(&request));
        assert_int_equal(http_upgrade_offer(room, &request, NULL, 0).len, 0);
    }
}

struct accept_row {
    const char *head;
    const char *offered;
    bool accepted;
};

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\n"

static const struct accept_row accept_rows[] = {
    {SWITCH "Connection: Upgrade\r\nUpgrade: websocket\r\n", "websocket", true},
    {SWITCH "Connection: upgrade\r\nUpgrade: WebSocket\r\n", "websocket", true},
    {SWITCH "Connection: upgrade\r\nUpgrade: foo\r\n", "websocket, foo", true},
    {SWITCH "Connection: upgrade\r\nUpgrade: foo, websocket\r\n", "websocket, foo", true},
    {SWITCH "Connection: upgrade\r\nUpgrade: foo\r\nUpgrade: websocket\r\n", "websocket, foo",
     true},
    {SWITCH "Connection: upgrade\r\nUpgrade: h2c\r\n", "websocket", false},
    {SWITCH "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n", "websocket", false},
    {SWITCH "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n", "websocket", false},
    {SWITCH "Connection: upgrade\r\nUpgrade: websocket/13\r\n", "websocket", false},
    {SWITCH "Connection: upgrade\r\nUpgrade:\r\n", "websocket", false},
    {SWITCH "Connection: upgrade\r\n", "websocket", false},
    {SWITCH "Upgrade: websocket\r\n", "websocket", false},
    {SWITCH "Connection: close\r\nUpgrade: websocket\r\n", "websocket", false},
    {SWITCH "Connection: upgrade\r\nUpgrade: websocket\r\n", "", false},
    {SWITCH "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n", "websocket",
     false},
    {SWITCH "Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n",
     "websocket", false},
    {"HTTP/1.0 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", "websocket", false},
    {"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", "websocket", false},
};

static void test_accept(void **state)
{
    const struct http_limits limits = {.head_bytes = 4096, .fields_count = 16};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(accept_rows); i++) {
        struct http_field items[16];
        struct http_response response = {0};

        http_fields_init(&response.fields, items, ARRAY_LEN(items));
        assert_int_equal(http_response_parse(&response, span_str(accept_rows[i].head), &limits),
                         HTTP_PARSE_DONE);
        if (http_upgrade_is_accepted(&response, span_str(accept_rows[i].offered)) !=
            accept_rows[i].accepted) {
            fail_msg("row %zu", i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offer),
        cmocka_unit_test(test_accept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
