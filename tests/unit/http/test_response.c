/* Validation of origin heads: engine.md section 2 row by row. */
#include "helper.h"

struct row {
    const char *head;
    bool good;
    unsigned status;
    int64_t length; /* -1: none */
    bool chunked;
    bool unstorable;
};

#define OK "HTTP/1.1 200 OK\r\n"

static const struct row rows[] = {
    {OK "\r\n", true, 200, -1, false, false},
    {OK, true, 200, -1, false, false},
    {"HTTP/1.0 404 Not Found\r\nContent-Length: 5\r\n\r\n", true, 404, 5, false, false},
    {"HTTP/1.1 200\r\n\r\n", true, 200, -1, false, false},
    {"HTTP/1.1 200 \r\n\r\n", true, 200, -1, false, false},
    {"HTTP/1.1 599 \xc3\xa9\r\n\r\n", true, 599, -1, false, false},
    {"HTTP/1.1 200 OK\nContent-Length: 5\n\n", true, 200, 5, false, false},
    {OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", true, 200, 5, false, false},
    {OK "Transfer-Encoding: Chunked\r\n\r\n", true, 200, -1, true, false},
    {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", true, 200, -1, true, true},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, 200, -1, true, true},
    /* RFC 9112 6.3: a final coding that is not chunked leaves the end to the connection */
    {OK "Transfer-Encoding: gzip\r\n\r\n", true, 200, -1, false, true},
    {OK "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n", true, 200, -1, false, true},
    {OK "Transfer-Encoding: xchunked, odd;q=\"a,b\"\r\n\r\n", true, 200, -1, false, true},
    {OK "Transfer-Encoding:\r\n\r\n", true, 200, -1, false, true},
    {OK "X: a\xff\r\nEmpty:\r\n\r\n", true, 200, -1, false, false},
    {"HTTP/1.1 200 OK", false, 0, 0, false, false},
    {"", false, 0, 0, false, false},
    {"\r\n", false, 0, 0, false, false},
    {"HTTP/2 200\r\n\r\n", false, 0, 0, false, false},
    {"HTTP/1.1  200 OK\r\n\r\n", false, 0, 0, false, false},
    {"HTTP/1.1 099 X\r\n\r\n", false, 0, 0, false, false},
    {"HTTP/1.1 999 X\r\n\r\n", false, 0, 0, false, false},
    {"HTTP/1.1 20 X\r\n\r\n", false, 0, 0, false, false},
    {"HTTP/1.1 2000 X\r\n\r\n", false, 0, 0, false, false},
    {"HTTP/1.1 200 O\x01K\r\n\r\n", false, 0, 0, false, false},
    {"HTTP/1.1 200 O\rK\r\n\r\n", false, 0, 0, false, false},
    {"ICY 200 OK\r\n\r\n", false, 0, 0, false, false},
    {OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", false, 0, 0, false, false},
    {OK "Content-Length: +5\r\n\r\n", false, 0, 0, false, false},
    {OK "Content-Length: 5, 5\r\n\r\n", false, 0, 0, false, false},
    {OK "Content-Length: -5\r\n\r\n", false, 0, 0, false, false},
    {OK "Content-Length: 1234567890123456789012345\r\n\r\n", false, 0, 0, false, false},
    {OK "Content-Length : 5\r\n\r\n", false, 0, 0, false, false},
    {OK "A: b\r\n c\r\n\r\n", false, 0, 0, false, false},
    {OK "A: b\rc\r\n\r\n", false, 0, 0, false, false},
    {OK "A: b\x01\r\n\r\n", false, 0, 0, false, false},
    {OK "no colon\r\n\r\n", false, 0, 0, false, false},
    {OK "nocolon\r\n\r\n", false, 0, 0, false, false},
    {OK ": x\r\n\r\n", false, 0, 0, false, false},
    {OK "A: b", false, 0, 0, false, false},
    {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", false, 0, 0, false, false},
    {OK "Transfer-Encoding: chunked, gzip\r\n\r\n", false, 0, 0, false, false},
    {OK "Transfer-Encoding: chunked;a=b\r\n\r\n", false, 0, 0, false, false},
    {OK "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", false, 0, 0, false, false},
    {OK "\r\nA: b\r\n", false, 0, 0, false, false},
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct http_field items[8];
        struct http_response response;
        http_fields_init(&response.fields, items, 8);
        enum http_parse result = http_response_parse(&response, span_str(row->head), &test_limits);
        if (result != (row->good ? HTTP_PARSE_DONE : HTTP_PARSE_BAD)) {
            fail_msg("%s: %d %s", row->head, (int)result, response.error_reason);
        }
        if (!row->good) {
            assert_non_null(response.error_reason);
            continue;
        }
        assert_int_equal(response.status, row->status);
        assert_int_equal(response.has_content_length, row->length >= 0);
        assert_int_equal(response.content_length, row->length >= 0 ? row->length : 0);
        assert_int_equal(response.chunked, row->chunked);
        assert_int_equal(response.unstorable, row->unstorable);
    }
}

static void nul_and_limits(void **state)
{
    static const char nul[] = OK "A: b\0\r\n\r\n";
    struct http_field items[2];
    struct http_response response;
    struct http_limits small = test_limits;

    (void)state;
    http_fields_init(&response.fields, items, 2);
    assert_int_equal(http_response_parse(&response, span_of(nul, sizeof(nul) - 1), &test_limits),
                     HTTP_PARSE_BAD);
    struct span three = span_str(OK "A: 1\r\nB: 2\r\nC: 3\r\n\r\n");
    assert_int_equal(http_response_parse(&response, three, &test_limits), HTTP_PARSE_BAD);
    struct span two = span_str(OK "A: 1\r\nB: 2\r\n\r\n");
    assert_int_equal(http_response_parse(&response, two, &test_limits), HTTP_PARSE_DONE);
    small.head_bytes = two.len;
    assert_int_equal(http_response_parse(&response, two, &small), HTTP_PARSE_DONE);
    small.head_bytes = two.len - 1;
    assert_int_equal(http_response_parse(&response, two, &small), HTTP_PARSE_BAD);
}

static void contents(void **state)
{
    struct message message = {0};

    (void)state;
    struct http_response *response =
        message_response(&message, "HTTP/1.0 301 Gone  there\r\nLocation: \t/x \r\n\r\n");
    assert_int_equal(response->minor_version, 0);
    assert_span(response->reason, "Gone  there");
    assert_span(http_fields_find(&response->fields, HTTP_FIELD_LOCATION), "/x");
}

static void where_a_head_ends(void **state)
{
    static const struct {
        const char *bytes;
        size_t end;
    } heads[] = {
        {OK "\r\nbody", 19},
        {OK "A: b\r\n\r\n\r\n", 25},
        {OK "A: b\n\nbody", 23},
        {OK "A: b\r\n\nbody", 24},
        {OK "A: b\n\r\nbody", 24},
        {OK "A: b\r\n\r", 0},
        {OK "A: b\r\n", 0},
        {"", 0},
        {"\n", 0},
        {OK "A: b\r\n\rx\n", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct span all = span_str(heads[i].bytes);
        assert_int_equal(http_response_head_end(all, 0), heads[i].end);
        /* Searched again with each byte that comes, it is found with the very last one. */
        for (size_t len = 1; len <= all.len; len++) {
            size_t from = len > 4 ? len - 4 : 0;
            size_t end = http_response_head_end(span_of(all.ptr, len), from);
            assert_int_equal(end, heads[i].end == len ? len : 0);
            if (end > 0) {
                break;
            }
        }
    }
}

static void what_may_begin_a_response(void **state)
{
    static const struct {
        const char *bytes;
        bool may;
    } begins[] = {
        {"", true},
        {"H", true},
        {"HTTP/1.", true},
        {"HTTP/1.1 200 OK", true},
        {"HTTP/2 200", false},
        {"http/1.1", false},
        {"\r\nHTTP/1.1", false},
        {"hello", false},
        {"HTTP/1,", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        assert_int_equal(http_response_may_begin(span_str(begins[i].bytes)), begins[i].may);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(nul_and_limits),
        cmocka_unit_test(contents),
        cmocka_unit_test(where_a_head_ends),
        cmocka_unit_test(what_may_begin_a_response),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
