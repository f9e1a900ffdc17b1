/* Conditional requests and the merging of a 304 (RFC 9110 13, RFC 9111 3.2, 4.3). */
#include "helper.h"
#include "http/condition.h"
#include "http/date.h"

#define NOW_S 784111777
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER "Sun, 06 Nov 1994 07:49:37 GMT"
#define LATER "Sun, 06 Nov 1994 09:49:37 GMT"

struct row {
    const char *request;
    const char *etag;
    const char *last_modified;
    bool not_modified;
};

static const struct row rows[] = {
    {"", "\"a\"", DATE, false},
    {"If-None-Match: \"a\"\r\n", "\"a\"", "", true},
    {"If-None-Match: \"b\"\r\n", "\"a\"", "", false},
    {"If-None-Match: \"A\"\r\n", "\"a\"", "", false},
    {"If-None-Match: W/\"a\"\r\n", "\"a\"", "", true},
    {"If-None-Match: \"a\"\r\n", "W/\"a\"", "", true},
    {"If-None-Match: w/\"a\"\r\n", "\"a\"", "", false},
    {"If-None-Match: \"x\", W/\"y\" , \"a\"\r\n", "\"a\"", "", true},
    {"If-None-Match: ,,\"a\"\r\n", "\"a\"", "", true},
    {"If-None-Match: \"x\"\r\nIf-None-Match: \"a\"\r\n", "\"a\"", "", true},
    {"If-None-Match: \"x,y\"\r\n", "\"x,y\"", "", true},
    {"If-None-Match: \"x\\\", \"a\"\r\n", "\"a\"", "", true},
    {"If-None-Match: \"x,\"a\"\r\n", "\"a\"", "", false},
    {"If-None-Match: bare\r\n", "bare", "", true},
    {"If-None-Match: *\r\n", "\"a\"", "", true},
    {"If-None-Match: *\r\n", "", "", true},
    {"If-None-Match: \"\"\r\n", "", "", false},
    {"If-None-Match: \"\"\r\n", "\"\"", "", true},
    {"If-None-Match: \"a\",\"b\"\r\n", "\"b\"", "", true},
    {"If-None-Match: \"b\" \t,\t\"a\"\r\n", "\"b\"", "", true},
    {"If-None-Match: a, \"b\", c\r\n", "c", "", true},
    {"If-None-Match: 'a'\r\n", "'a'", "", true},
    {"If-None-Match: \"a\"\r\n", "a", "", false},
    {"If-None-Match: \"a\r\n", "\"a", "", true},
    {"If-None-Match: W/a, \"b\"\r\n", "W/a", "", true},
    {"If-None-Match: \"a\"x\r\n", "\"a\"", "", false},
    {"If-None-Match: \"x\", *\r\n", "\"a\"", "", false},
    {"If-None-Match: \"\xe4\"\r\n", "\"\xe4\"", "", true},
    {"If-None-Match:\r\n", "", "", false},
    {"If-Modified-Since: " DATE "\r\n", "", DATE, true},
    {"If-Modified-Since: " LATER "\r\n", "", DATE, true},
    {"If-Modified-Since: " EARLIER "\r\n", "", DATE, false},
    {"If-Modified-Since: " DATE "\r\n", "", "", true}, /* compared with Date */
    {"If-Modified-Since: " EARLIER "\r\n", "", "", false},
    {"If-Modified-Since: tomorrow\r\n", "", DATE, false},
    {"If-Modified-Since: " DATE "\r\nIf-Modified-Since: " DATE "\r\n", "", DATE, false},
    {"If-None-Match: \"b\"\r\nIf-Modified-Since: " LATER "\r\n", "\"a\"", DATE, false},
    {"If-None-Match: \"a\"\r\nIf-Modified-Since: " EARLIER "\r\n", "\"a\"", DATE, true},
};

static void not_modified(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct message message;
        const struct http_validators validators = {span_str(row->etag),
                                                   span_str(row->last_modified)};
        struct http_stored stored = {.status = 200, .date_s = NOW_S};
        stored.last_modified_s = http_date_parse(validators.last_modified, NOW_S);
        struct http_fields *fields = message_fields(&message, row->request);
        assert_int_equal(http_is_conditional(fields), row->request[0] != '\0');
        if (http_not_modified(fields, &stored, &validators, NOW_S) != row->not_modified) {
            fail_msg("%s against %s %s", row->request, row->etag, row->last_modified);
        }
        stored.status = 404;
        assert_false(http_not_modified(fields, &stored, &validators, NOW_S));
    }
}

static void comparison(void **state)
{
    (void)state;
    assert_true(http_etag_match_strong(SPAN("\"a\""), SPAN("\"a\"")));
    assert_false(http_etag_match_strong(SPAN("W/\"a\""), SPAN("W/\"a\"")));
    assert_false(http_etag_match_strong(SPAN("\"a\""), SPAN("W/\"a\"")));
    assert_false(http_etag_match_strong(SPAN(""), SPAN("")));
    assert_false(http_etag_match_weak(SPAN(""), SPAN("")));
}

static void written(void **state)
{
    struct buf out;
    const struct http_validators both = {SPAN("W/\"a\""), SPAN("yesterday")};
    const struct http_validators none = {{0}, {0}};

    (void)state;
    buf_init(&out, 1000);
    http_condition_write(&out, &none);
    assert_int_equal(out.len, 0);
    http_condition_write(&out, &both);
    assert_span(buf_span(&out), "If-None-Match: W/\"a\"\r\nIf-Modified-Since: yesterday\r\n");
    buf_free(&out);
}

struct merge_row {
    const char *stored;
    const char *update;
    int64_t date_s;
    enum http_merge result;
    const char *merged;
};

#define S "HTTP/1.1 200 Fine\r\n"

static const struct merge_row merge_rows[] = {
    {S "Date: old\r\nA: 1\r\nB: 2\r\n", "Date: new\r\nb: 3\r\nC: 4\r\n", HTTP_DATE_NONE,
     HTTP_MERGE_DONE, S "A: 1\r\nDate: new\r\nb: 3\r\nC: 4\r\n"},
    {S "A: 1\r\nA: 2\r\nB: 1\r\n", "A: 3\r\n", HTTP_DATE_NONE, HTTP_MERGE_DONE,
     S "B: 1\r\nA: 3\r\n"},
    {S "A: 1\r\n", "A: 3\r\na: 4\r\n", HTTP_DATE_NONE, HTTP_MERGE_DONE, S "A: 3\r\na: 4\r\n"},
    {S "Date: old\r\nA: 1\r\n", "A: 1\r\n", NOW_S, HTTP_MERGE_DONE, S "A: 1\r\nDate: " DATE "\r\n"},
    {S "Date: old\r\n", "", HTTP_DATE_NONE, HTTP_MERGE_DONE, S},
    {S "Content-Length: 5\r\nContent-Encoding: gzip\r\nContent-Range: r\r\nVia: v\r\n",
     "Content-Length: 0\r\nContent-Encoding: br\r\nContent-Range: s\r\nVia: w\r\nAge: 5\r\n"
     "Set-Cookie: c\r\nConnection: x, Keep-Alive\r\nX: 1\r\nKeep-Alive: 1\r\n",
     HTTP_DATE_NONE, HTTP_MERGE_DONE,
     S "Content-Length: 5\r\nContent-Encoding: gzip\r\nContent-Range: r\r\nVia: v\r\n"},
    {S "ETag: \"a\"\r\n", "ETag: \"a\"\r\nA: 1\r\n", HTTP_DATE_NONE, HTTP_MERGE_DONE,
     S "ETag: \"a\"\r\nA: 1\r\n"},
    {S "ETag: \"a\"\r\n", "ETag: W/\"a\"\r\n", HTTP_DATE_NONE, HTTP_MERGE_DONE,
     S "ETag: \"a\"\r\n"},
    {S "ETag: W/\"a\"\r\n", "ETag: \"a\"\r\nA: 1\r\n", HTTP_DATE_NONE, HTTP_MERGE_DONE,
     S "ETag: W/\"a\"\r\nA: 1\r\n"},
    {S "ETag: \"a\"\r\n", "ETag: \"b\"\r\n", HTTP_DATE_NONE, HTTP_MERGE_MISMATCH, NULL},
    {S "ETag: \"a\"\r\n", "ETag: W/\"b\"\r\n", HTTP_DATE_NONE, HTTP_MERGE_MISMATCH, NULL},
    {S "A: 1\r\n", "ETag: \"b\"\r\n", HTTP_DATE_NONE, HTTP_MERGE_MISMATCH, NULL},
    {"garbage", "A: 1\r\n", HTTP_DATE_NONE, HTTP_MERGE_FAILED, NULL},
    {S "broken\r\n", "A: 1\r\n", HTTP_DATE_NONE, HTTP_MERGE_FAILED, NULL},
};

static void merging(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(merge_rows) / sizeof(merge_rows[0]); i++) {
        const struct merge_row *row = &merge_rows[i];
        struct message message;
        char head[1024];
        struct buf out;
        buf_init(&out, 1000);
        (void)snprintf(head, sizeof(head), "HTTP/1.1 304 Not Modified\r\n%s", row->update);
        struct http_response *update = message_response(&message, head);
        enum http_merge result =
            http_condition_merge_dated(&out, span_str(row->stored), update, row->date_s);
        if (result != row->result) {
            fail_msg("%s + %s: %d", row->stored, row->update, (int)result);
        }
        if (row->merged != NULL) {
            assert_span(buf_span(&out), row->merged);
        }
        buf_free(&out);
    }
}

static void merge_limit(void **state)
{
    struct message message;
    struct buf out;

    (void)state;
    buf_init(&out, 10);
    struct http_response *update =
        message_response(&message, "HTTP/1.1 304 Not Modified\r\nA: 1\r\n");
    assert_int_equal(
        http_condition_merge_dated(&out, span_str(S "B: 2\r\n"), update, HTTP_DATE_NONE),
        HTTP_MERGE_FAILED);
    buf_free(&out);
}

static void kept(void **state)
{
    struct message message;

    (void)state;
    struct http_fields *fields =
        message_fields(&message, "ETag: a\r\nDate: a\r\nCache-Control: a\r\nContent-Location: a\r\n"
                                 "Expires: a\r\nVary: a\r\n");
    for (unsigned i = 0; i < fields->count; i++) {
        assert_true(http_condition_keeps(&fields->items[i]));
    }
    fields = message_fields(&message, "Content-Type: a\r\nContent-Length: 1\r\n"
                                      "Content-Encoding: a\r\nContent-Range: a\r\n");
    for (unsigned i = 0; i < fields->count; i++) {
        assert_false(http_condition_keeps(&fields->items[i]));
    }
    assert_true(http_condition_is_client_field(HTTP_FIELD_IF_RANGE));
    assert_false(http_condition_is_client_field(HTTP_FIELD_ACCEPT_ENCODING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_modified), cmocka_unit_test(comparison),  cmocka_unit_test(written),
        cmocka_unit_test(merging),      cmocka_unit_test(merge_limit), cmocka_unit_test(kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
