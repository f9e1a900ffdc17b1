/* One range against a known length; If-Range (RFC 9110 13.1.5, 14). */
#include "helper.h"
#include "http/range.h"

struct row {
    const char *value;
    uint64_t length;
    enum http_range result;
    uint64_t first;
    uint64_t last;
};

static const struct row rows[] = {
    {"bytes=0-0", 10, HTTP_RANGE_PART, 0, 0},
    {"bytes=0-9", 10, HTTP_RANGE_PART, 0, 9},
    {"Bytes=2-5", 10, HTTP_RANGE_PART, 2, 5},
    {"bytes=5-", 10, HTTP_RANGE_PART, 5, 9},
    {"bytes=5-99", 10, HTTP_RANGE_PART, 5, 9},
    {"bytes=9-", 10, HTTP_RANGE_PART, 9, 9},
    {"bytes=10-", 10, HTTP_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=0-0", 0, HTTP_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-3", 10, HTTP_RANGE_PART, 7, 9},
    {"bytes=-10", 10, HTTP_RANGE_PART, 0, 9},
    {"bytes=-99", 10, HTTP_RANGE_PART, 0, 9},
    {"bytes=-0", 10, HTTP_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-1", 0, HTTP_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=5-4", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=-", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes", 10, HTTP_RANGE_NONE, 0, 0},
    {"", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=0-1,3-4", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=0 -1", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=+0-1", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=--1", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=0x0-1", 10, HTTP_RANGE_NONE, 0, 0},
    {"items=0-1", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=99999999999999999999-", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=0-99999999999999999999", 10, HTTP_RANGE_NONE, 0, 0},
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_range_part part = {0};
        enum http_range result = http_range_parse(span_str(rows[i].value), rows[i].length, &part);
        if (result != rows[i].result || part.first != rows[i].first || part.last != rows[i].last) {
            fail_msg("%s of %llu: %d %llu-%llu", rows[i].value, (unsigned long long)rows[i].length,
                     (int)result, (unsigned long long)part.first, (unsigned long long)part.last);
        }
    }
}

struct if_row {
    const char *request;
    const char *etag;
    enum http_range result;
};

#define LM "Sun, 06 Nov 1994 08:49:37 GMT"

static const struct if_row if_rows[] = {
    {"", "\"a\"", HTTP_RANGE_NONE},
    {"Range: bytes=0-1\r\n", "\"a\"", HTTP_RANGE_PART},
    {"Range: bytes=0-1\r\nRange: bytes=0-1\r\n", "\"a\"", HTTP_RANGE_NONE},
    {"Range: bytes=0-1\r\nIf-Range: \"a\"\r\n", "\"a\"", HTTP_RANGE_PART},
    {"Range: bytes=0-1\r\nIf-Range: \"b\"\r\n", "\"a\"", HTTP_RANGE_NONE},
    {"Range: bytes=0-1\r\nIf-Range: W/\"a\"\r\n", "W/\"a\"", HTTP_RANGE_NONE},
    {"Range: bytes=0-1\r\nIf-Range: \"a\"\r\n", "W/\"a\"", HTTP_RANGE_NONE},
    {"Range: bytes=0-1\r\nIf-Range: " LM "\r\n", "\"a\"", HTTP_RANGE_PART},
    {"Range: bytes=0-1\r\nIf-Range: Mon, 07 Nov 1994 08:49:37 GMT\r\n", "\"a\"", HTTP_RANGE_NONE},
    {"Range: bytes=0-1\r\nIf-Range:\r\n", "", HTTP_RANGE_NONE},
    {"Range: bytes=99-\r\nIf-Range: \"b\"\r\n", "\"a\"", HTTP_RANGE_NONE},
    {"Range: bytes=99-\r\n", "\"a\"", HTTP_RANGE_UNSATISFIABLE},
};

static void if_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(if_rows) / sizeof(if_rows[0]); i++) {
        struct message message;
        struct http_range_part part;
        const struct http_validators validators = {span_str(if_rows[i].etag), SPAN(LM)};
        enum http_range result = http_range_of_request(message_fields(&message, if_rows[i].request),
                                                       &validators, 10, &part);
        if (result != if_rows[i].result) {
            fail_msg("%s: %d", if_rows[i].request, (int)result);
        }
    }
}

static void content_range(void **state)
{
    char out[HTTP_CONTENT_RANGE_BYTES];
    const struct http_range_part part = {0, 499};
    const struct http_range_part largest = {UINT64_MAX, UINT64_MAX};

    (void)state;
    assert_span(span_of(out, http_content_range_write(out, &part, 1234)), "bytes 0-499/1234");
    assert_span(span_of(out, http_content_range_write(out, NULL, 1234)), "bytes */1234");
    assert_int_equal(http_content_range_write(out, &largest, UINT64_MAX), 6 + 20 * 3 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(if_range),
        cmocka_unit_test(content_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
