/* The stored form of a response head: written, read back, searched. */
#include "helper.h"
#include "http/date.h"
#include "http/head.h"

struct row {
    const char *origin;
    struct http_head_options options;
    const char *stored;
};

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static const struct row rows[] = {
    {"HTTP/1.1 200 OK\r\nA: 1\r\nserver: x\r\n\r\n",
     {.date_s = HTTP_DATE_NONE},
     "HTTP/1.1 200 OK\r\nA: 1\r\nserver: x\r\n"},
    {"HTTP/1.0 404\r\n" DATE "A: 1\r\n\r\n",
     {.via = {"larder", 6}, .date_s = 5},
     "HTTP/1.1 404 Not Found\r\n" DATE "A: 1\r\nVia: 1.0 larder\r\n"},
    {"HTTP/1.1 200 OK\r\nVia: 1.1 other\r\nDate: junk\r\n\r\n",
     {.via = {"larder", 6}, .date_s = 784111777},
     "HTTP/1.1 200 OK\r\n" DATE "Via: 1.1 other\r\nVia: 1.1 larder\r\n"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
     {.date_s = HTTP_DATE_NONE},
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     {.has_content_length = true, .content_length = 0, .date_s = HTTP_DATE_NONE},
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
     {.has_content_length = true, .content_length = 7, .date_s = HTTP_DATE_NONE},
     "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n"},
    {"HTTP/1.1 200 OK\r\nConnection: X, close\r\nX: 1\r\nKeep-Alive: 2\r\nAge: 7\r\nETag: e\r\n"
     "Proxy-Authenticate: p\r\nTrailer: t\r\nUpgrade: u\r\n\r\n",
     {.date_s = HTTP_DATE_NONE},
     "HTTP/1.1 200 OK\r\nETag: e\r\n"},
    {"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
     {.date_s = HTTP_DATE_NONE},
     "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"},
    {"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
     {.drop_set_cookie = true, .date_s = HTTP_DATE_NONE},
     "HTTP/1.1 200 OK\r\n"},
    {"HTTP/1.1 200 OK\r\nCache-Control: private=\"x, set-cookie\"\r\nX: 1\r\nSet-Cookie: a\r\n"
     "Y: 2\r\n\r\n",
     {.date_s = HTTP_DATE_NONE, .private_fields = {"x, SET-cookie", 13}},
     "HTTP/1.1 200 OK\r\nCache-Control: private=\"x, set-cookie\"\r\nY: 2\r\n"},
};

static void writing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct message message;
        struct http_field items[16];
        struct http_fields fields;
        struct buf out;
        unsigned status = 0;
        buf_init(&out, 4096);
        http_head_write(&out, message_response(&message, rows[i].origin), &rows[i].options);
        assert_false(out.failed);
        assert_span(buf_span(&out), rows[i].stored);
        http_fields_init(&fields, items, 16);
        assert_true(http_head_read(buf_span(&out), &status, &fields));
        assert_int_equal(status, message.response.status);
        buf_free(&out);
    }
}

/* RFC 9111 5.2.2.7: what was kept out of the store, for the client whose request brought it. */
static void private_fields(void **state)
{
    struct message message;
    struct buf out;
    const struct http_head_options options = {
        .date_s = HTTP_DATE_NONE,
        .private_fields = SPAN("Set-Cookie, x, connection, y, content-length"),
    };

    (void)state;
    buf_init(&out, 1000);
    http_head_write_private(
        &out,
        message_response(&message, "HTTP/1.1 200 OK\r\nset-cookie: a\r\nA: 1\r\nX: 2\r\nY: 3\r\n"
                                   "Connection: y\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n"),
        &options);
    assert_span(buf_span(&out), "set-cookie: a\r\nX: 2\r\nSet-Cookie: b\r\n");
    buf_free(&out);
}

/* RFC 9111 5.2.2.4: what may not be used before the origin was asked. */
static void unvalidated(void **state)
{
    static const struct span names[] = {{"CDN-Cache-Control", 17}};
    const struct http_targeted targeted = {names, 1};
    static const struct {
        const char *stored;
        const char *seen;
    } heads[] = {
        {"HTTP/1.1 200 Fine\r\nCache-Control: no-cache=\"a, SET-COOKIE\"\r\nA: 1\r\n"
         "Set-Cookie: x\r\nB: 2\r\nset-cookie: y\r\n",
         "HTTP/1.1 200 Fine\r\nCache-Control: no-cache=\"a, SET-COOKIE\"\r\nB: 2\r\n"},
        {"HTTP/1.1 200 F\r\nCache-Control: no-cache=\"date, content-length, a\"\r\nDate: d\r\n"
         "Content-Length: 5\r\n",
         "HTTP/1.1 200 F\r\nCache-Control: no-cache=\"date, content-length, a\"\r\nDate: d\r\n"
         "Content-Length: 5\r\n"},
        {"HTTP/1.1 200 F\r\nCache-Control: no-cache=\"a\"\r\nCDN-Cache-Control: no-cache=\"b\"\r\n"
         "A: 1\r\nB: 2\r\n",
         "HTTP/1.1 200 F\r\nCache-Control: no-cache=\"a\"\r\nCDN-Cache-Control: no-cache=\"b\"\r\n"
         "A: 1\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct buf out;
        buf_init(&out, 1000);
        assert_true(http_head_write_unvalidated(&out, span_str(heads[i].stored), &targeted));
        assert_span(buf_span(&out), heads[i].seen);
        buf_free(&out);
    }
    struct buf out;
    buf_init(&out, 1000);
    assert_false(http_head_write_unvalidated(&out, SPAN("damaged"), &targeted));
    buf_free(&out);
}

static void too_large(void **state)
{
    struct message message;
    struct buf out;
    const struct http_head_options options = {.date_s = HTTP_DATE_NONE};

    (void)state;
    buf_init(&out, 20);
    http_head_write(&out, message_response(&message, "HTTP/1.1 200 OK\r\nA: 1\r\n\r\n"), &options);
    assert_true(out.failed);
    buf_free(&out);
}

static void damaged(void **state)
{
    static const char good[] = "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n";
    struct http_field items[2];
    struct http_fields fields;
    unsigned status;

    (void)state;
    for (size_t len = 0; len < sizeof(good) - 1; len++) {
        /* A cut at a line's end is a smaller head; the store's checksum finds that one. */
        bool whole = len > 0 && good[len - 1] == '\n';
        http_fields_init(&fields, items, 2);
        assert_int_equal(http_head_read(span_of(good, len), &status, &fields), whole);
    }
    http_fields_init(&fields, items, 1);
    assert_false(http_head_read(span_of(good, sizeof(good) - 1), &status, &fields));
}

static void finding(void **state)
{
    struct span head =
        SPAN("HTTP/1.1 200 Age: 4\r\nX-ETag: no\r\netag:\t\"a\" \r\nETag: \"b\"\r\nVary: \r\nAge");

    (void)state;
    assert_span(http_head_find(head, HTTP_FIELD_ETAG), "\"a\"");
    assert_non_null(http_head_find(head, HTTP_FIELD_VARY).ptr);
    assert_int_equal(http_head_find(head, HTTP_FIELD_VARY).len, 0);
    assert_null(http_head_find(head, HTTP_FIELD_AGE).ptr);
    assert_null(http_head_find(head, HTTP_FIELD_DATE).ptr);
    assert_null(http_head_find(SPAN(""), HTTP_FIELD_DATE).ptr);
    for (size_t len = 0; len <= head.len; len++) {
        (void)http_head_find(span_of(head.ptr, len), HTTP_FIELD_ETAG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing),     cmocka_unit_test(private_fields),
        cmocka_unit_test(unvalidated), cmocka_unit_test(too_large),
        cmocka_unit_test(damaged),     cmocka_unit_test(finding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
