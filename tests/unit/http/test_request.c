/* The request parser: what it accepts, what it refuses and with which status, at every split. */
#include "helper.h"

#define H "Host: a.example\r\n"

struct good_row {
    const char *head;
    enum http_method method;
    const char *authority;
    const char *path;
    enum http_body body;
    uint64_t content_length;
    bool keep_alive;
    bool expect_continue;
};

static const struct good_row good_rows[] = {
    {"GET / HTTP/1.1\r\n" H "\r\n", HTTP_GET, "a.example", "/", HTTP_BODY_NONE, 0, true, false},
    {"\r\n\r\nGET /x?y=%2e|{} HTTP/1.1\r\nhost:A.EXAMPLE:8080\r\n\r\n", HTTP_GET, "a.example:8080",
     "/x?y=%2e|{}", HTTP_BODY_NONE, 0, true, false},
    {"GET / HTTP/1.0\r\n\r\n", HTTP_GET, "", "/", HTTP_BODY_NONE, 0, false, false},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" H "\r\n", HTTP_GET, "a.example", "/",
     HTTP_BODY_NONE, 0, true, false},
    {"GET / HTTP/1.1\r\nConnection: foo, close\r\n" H "\r\n", HTTP_GET, "a.example", "/",
     HTTP_BODY_NONE, 0, false, false},
    {"GET / HTTP/1.7\r\n" H "\r\n", HTTP_GET, "a.example", "/", HTTP_BODY_NONE, 0, true, false},
    {"GET http://B.example/p?q HTTP/1.1\r\n" H "\r\n", HTTP_GET, "b.example", "/p?q",
     HTTP_BODY_NONE, 0, true, false},
    {"GET http://B.example?q=1 HTTP/1.1\r\n" H "\r\n", HTTP_GET, "b.example", "/?q=1",
     HTTP_BODY_NONE, 0, true, false},
    {"GET hTTps://b.example HTTP/1.1\r\n" H "\r\n", HTTP_GET, "b.example", "/", HTTP_BODY_NONE, 0,
     true, false},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", HTTP_OPTIONS, "a.example", "*", HTTP_BODY_NONE, 0, true,
     false},
    {"OPTIONS http://b.example HTTP/1.1\r\n" H "\r\n", HTTP_OPTIONS, "b.example", "*",
     HTTP_BODY_NONE, 0, true, false},
    {"CONNECT b.example:443 HTTP/1.1\r\n" H "\r\n", HTTP_CONNECT, "b.example:443", "",
     HTTP_BODY_NONE, 0, true, false},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0010\r\nExpect: 100-Continue\r\n\r\n", HTTP_POST,
     "a.example", "/", HTTP_BODY_LENGTH, 10, true, true},
    {"PUT / HTTP/1.1\r\n" H "Transfer-Encoding:\tChunked \r\n\r\n", HTTP_PUT, "a.example", "/",
     HTTP_BODY_CHUNKED, 0, true, false},
    {"M-SEARCH / HTTP/1.1\r\n" H "\r\n", HTTP_OTHER, "a.example", "/", HTTP_BODY_NONE, 0, true,
     false},
    {"get / HTTP/1.1\r\n" H "\r\n", HTTP_OTHER, "a.example", "/", HTTP_BODY_NONE, 0, true, false},
    {"GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n\r\n", HTTP_GET, "[2001:db8::1]:80", "/",
     HTTP_BODY_NONE, 0, true, false},
    {"GET / HTTP/1.1\r\nHost: a.example:\r\n\r\n", HTTP_GET, "a.example", "/", HTTP_BODY_NONE, 0,
     true, false},
    {"GET / HTTP/1.1\r\n" H "X: \xc3\xa9\t\x80 y\r\nEmpty:\r\n\r\n", HTTP_GET, "a.example", "/",
     HTTP_BODY_NONE, 0, true, false},
};

struct bad_row {
    const char *head;
    unsigned status;
};

static const struct bad_row bad_rows[] = {
    {"GET /\r\n", 400},
    {"GET / HTTP/0.9\r\n", 505},
    {"GET / HTTP/2.0\r\n", 505},
    {"GET / HTTP/1.1 \r\n", 400},
    {"GET / HTTP/11\r\n", 400},
    {"GET / http/1.1\r\n", 400},
    {"GET / HTTP/1.1\n", 400},
    {"GET  / HTTP/1.1\r\n", 400},
    {"GET /  HTTP/1.1\r\n", 400},
    {"GET\t/ HTTP/1.1\r\n", 400},
    {" GET / HTTP/1.1\r\n", 400},
    {"GE\x01T / HTTP/1.1\r\n", 400},
    {"G(T / HTTP/1.1\r\n", 400},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMN / HTTP/1.1\r\n", 501},
    {"GET /a#b HTTP/1.1\r\n", 400},
    {"GET /\xc3\xa9 HTTP/1.1\r\n", 400},
    {"GET /\x7f HTTP/1.1\r\n", 400},
    {"GET x HTTP/1.1\r\n", 400},
    {"GET * HTTP/1.1\r\n", 400},
    {"GET ftp://a.example/ HTTP/1.1\r\n", 400},
    {"GET http:///x HTTP/1.1\r\n", 400},
    {"GET http://u:p@a.example/ HTTP/1.1\r\n", 400},
    {"GET http://a.example:99999/ HTTP/1.1\r\n", 400},
    {"CONNECT a.example HTTP/1.1\r\n", 400},
    {"CONNECT a.example: HTTP/1.1\r\n", 400},
    {"CONNECT /x HTTP/1.1\r\n", 400},
    {"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n", 400},
    {"\nGET / HTTP/1.1\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "a: b\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "a: b\rc\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "a: b\r\n c\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "a : b\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "a b: c\r\n", 400},
    {"GET / HTTP/1.1\r\n" H ": c\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "abc\r\n", 400},
    {"GET / HTTP/1.1\r\n H\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "a: \x01\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "a: \x7f\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "a\x80: b\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "\n", 400},
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H H "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:0\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:080\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400},
    {"GET http://b.example/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET http://b.example/ HTTP/1.1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551621\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     400},
    {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"CONNECT a.example:1 HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n", 417},
};

/* Feeds len bytes, first `cut` of them alone when cut < len. */
static enum http_parse feed(struct message *message, const char *data, size_t len, size_t cut)
{
    size_t scanned = 0;

    assert_true(len <= sizeof(message->text));
    memcpy(message->text, data, len);
    http_fields_init(&message->request.fields, message->items, FIELDS_MAX);
    if (cut < len) {
        enum http_parse first = http_request_parse(&message->request, message->text, cut, &scanned,
                                                   &message->used, &test_limits);
        if (first != HTTP_PARSE_MORE) {
            return first;
        }
    }
    return http_request_parse(&message->request, message->text, len, &scanned, &message->used,
                              &test_limits);
}

static enum http_parse feed_bytewise(struct message *message, const char *data, size_t len)
{
    size_t scanned = 0;
    enum http_parse result = HTTP_PARSE_MORE;

    memcpy(message->text, data, len);
    http_fields_init(&message->request.fields, message->items, FIELDS_MAX);
    for (size_t i = 1; i <= len && result == HTTP_PARSE_MORE; i++) {
        result = http_request_parse(&message->request, message->text, i, &scanned, &message->used,
                                    &test_limits);
    }
    return result;
}

static void check_good(struct message *message, const struct good_row *row)
{
    const struct http_request *request = &message->request;

    assert_int_equal(request->method, row->method);
    assert_span(request->authority, row->authority);
    assert_span(request->path, row->path);
    assert_int_equal(request->body, row->body);
    assert_int_equal(request->content_length, row->content_length);
    assert_int_equal(request->keep_alive, row->keep_alive);
    assert_int_equal(request->expect_continue, row->expect_continue);
    assert_int_equal(message->used, strlen(row->head));
}

static void good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good_rows) / sizeof(good_rows[0]); i++) {
        const struct good_row *row = &good_rows[i];
        size_t len = strlen(row->head);
        for (size_t cut = 1; cut <= len; cut++) {
            struct message message = {0};
            enum http_parse result = feed(&message, row->head, len, cut);
            if (result != HTTP_PARSE_DONE) {
                fail_msg("%s: cut %zu: %s", row->head, cut, message.request.error_reason);
            }
            check_good(&message, row);
        }
        struct message message = {0};
        assert_int_equal(feed_bytewise(&message, row->head, len), HTTP_PARSE_DONE);
        check_good(&message, row);
    }
}

static void bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
        const struct bad_row *row = &bad_rows[i];
        size_t len = strlen(row->head);
        for (size_t cut = 1; cut <= len; cut++) {
            struct message message = {0};
            enum http_parse result = feed(&message, row->head, len, cut);
            if (result != HTTP_PARSE_BAD || message.request.error_status != row->status) {
                fail_msg("%s: cut %zu: result %d status %u", row->head, cut, (int)result,
                         message.request.error_status);
            }
            assert_non_null(message.request.error_reason);
        }
        struct message message = {0};
        assert_int_equal(feed_bytewise(&message, row->head, len), HTTP_PARSE_BAD);
        assert_int_equal(message.request.error_status, row->status);
    }
}

/* Every proper prefix of a good head is incomplete, nothing else. */
/* What a misconfigured balancer sends is named. */
static void proxy_header(void **state)
{
    static const struct {
        struct span data;
        bool is_one;
    } rows[] = {
        {{"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET", 39}, true},
        {{"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n", 40}, true},
        {{"PROXY UNKNOWN\r\n", 15}, true},
        {{"\r\n\r\n\0\r\nQUIT\n!\21\0\14", 16}, true},
        {{"PROXY /a b\r\n", 12}, false},
        {{"\0GET / HTTP/1.1\r\n", 18}, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message message = {0};
        assert_int_equal(feed(&message, rows[i].data.ptr, rows[i].data.len, rows[i].data.len),
                         HTTP_PARSE_BAD);
        assert_int_equal(message.request.error_status, 400);
        assert_int_equal(strstr(message.request.error_reason, "PROXY protocol") != NULL,
                         rows[i].is_one);
    }
}

static void prefixes(void **state)
{
    const char *head = "GET /some/path HTTP/1.1\r\n" H "Accept: */*\r\nCookie: a=b; c\r\n\r\n";

    (void)state;
    for (size_t len = 0; len < strlen(head); len++) {
        struct message message = {0};
        assert_int_equal(feed(&message, head, len, len), HTTP_PARSE_MORE);
    }
}

static void nul_byte(void **state)
{
    static const char in_value[] = "GET / HTTP/1.1\r\n" H "a: b\0c\r\n";
    static const char in_target[] = "GET /\0 HTTP/1.1\r\n";
    struct message message = {0};

    (void)state;
    assert_int_equal(feed(&message, in_value, sizeof(in_value) - 1, 99), HTTP_PARSE_BAD);
    assert_int_equal(feed(&message, in_target, sizeof(in_target) - 1, 99), HTTP_PARSE_BAD);
}

static void pipelined(void **state)
{
    const char *both = "GET /1 HTTP/1.1\r\n" H "\r\nGET /2 HTTP/1.1\r\n" H "\r\n";
    struct message message = {0};

    (void)state;
    assert_int_equal(feed(&message, both, strlen(both), strlen(both)), HTTP_PARSE_DONE);
    assert_span(message.request.path, "/1");
    assert_int_equal(message.used, strlen(both) / 2);
}

static size_t fill_head(char *out, size_t line, unsigned lines)
{
    size_t len = (size_t)snprintf(out, 64, "GET / HTTP/1.1\r\n" H);

    for (unsigned i = 0; i < lines; i++) {
        len += (size_t)snprintf(out + len, 16, "X-%03u: ", i);
        memset(out + len, 'v', line);
        len += line;
        memcpy(out + len, "\r\n", 2);
        len += 2;
    }
    memcpy(out + len, "\r\n", 2);
    return len + 2;
}

/* Limits: each exactly reached is fine, one more is not, whole and byte by byte. */
static void limits(void **state)
{
    char head[8192];
    struct message message = {0};

    (void)state;
    size_t len = fill_head(head, 10, 31);
    assert_int_equal(feed(&message, head, len, len), HTTP_PARSE_DONE);
    assert_int_equal(message.request.fields.count, 32);
    len = fill_head(head, 10, 32);
    assert_int_equal(feed(&message, head, len, len), HTTP_PARSE_BAD);
    assert_int_equal(message.request.error_status, 431);

    size_t fixed = fill_head(head, 0, 1);
    len = fill_head(head, 4096 - fixed, 1);
    assert_int_equal(len, 4096);
    assert_int_equal(feed_bytewise(&message, head, len), HTTP_PARSE_DONE);
    assert_int_equal(feed(&message, head, len, len), HTTP_PARSE_DONE);
    len = fill_head(head, 4097 - fixed, 1);
    assert_int_equal(feed_bytewise(&message, head, len), HTTP_PARSE_BAD);
    assert_int_equal(message.request.error_status, 431);
    assert_int_equal(feed(&message, head, len, len), HTTP_PARSE_BAD);
    assert_int_equal(message.request.error_status, 431);
}

static void target_limit(void **state)
{
    struct message message = {0};
    char head[8192];

    (void)state;
    for (size_t target = 1023; target < 3000; target += 7 + target / 3) {
        size_t len = (size_t)snprintf(head, 16, "GET /");
        memset(head + len, 'a', target - 1);
        len += target - 1;
        len += (size_t)snprintf(head + len, 64, " HTTP/1.1\r\n" H "\r\n");
        enum http_parse expected = target <= 1024 ? HTTP_PARSE_DONE : HTTP_PARSE_BAD;
        assert_int_equal(feed(&message, head, len, len), expected);
        assert_int_equal(message.request.error_status, expected == HTTP_PARSE_BAD ? 414 : 0);
        assert_int_equal(feed_bytewise(&message, head, len), expected);
        assert_int_equal(message.request.error_status, expected == HTTP_PARSE_BAD ? 414 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),         cmocka_unit_test(bad),          cmocka_unit_test(prefixes),
        cmocka_unit_test(nul_byte),     cmocka_unit_test(pipelined),    cmocka_unit_test(limits),
        cmocka_unit_test(target_limit), cmocka_unit_test(proxy_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
