/* The head of an encoded variant (RFC 9110 8.4, 8.8.3, 12.5.5), and its tags on the way back. */
#include "helper.h"
#include "http/coded_head.h"

struct row {
    const char *head;
    const char *coded; /* NULL: damaged */
};

#define END "Content-Encoding: gzip\r\nContent-Length: 77\r\n"

static const struct row rows[] = {
    {"HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nVary: Accept-Encoding\r\n" END},
    {"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 500\r\nContent-Type: a/b\r\nVia: 1.1 l\r\n",
     "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Type: a/b\r\nVia: 1.1 l\r\nVary: "
     "Accept-Encoding\r\n" END},
    {"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nLast-Modified: y\r\nX: 1\r\nX: 2\r\n",
     "HTTP/1.1 200 OK\r\nLast-Modified: y\r\nX: 1\r\nX: 2\r\nVary: Accept-Encoding\r\n" END},
    /* tags */
    {"HTTP/1.1 200 OK\r\nETag: \"abc\"\r\nAccept-Ranges: bytes\r\n",
     "HTTP/1.1 200 OK\r\nETag: \"abc~gzip-0000beef\"\r\nAccept-Ranges: bytes\r\nVary: "
     "Accept-Encoding\r\n" END},
    {"HTTP/1.1 200 OK\r\nETag: \"\"\r\n",
     "HTTP/1.1 200 OK\r\nETag: \"~gzip-0000beef\"\r\nVary: Accept-Encoding\r\n" END},
    {"HTTP/1.1 200 OK\r\nETag: W/\"abc\"\r\nAccept-Ranges: bytes\r\n",
     "HTTP/1.1 200 OK\r\nETag: W/\"abc\"\r\nVary: Accept-Encoding\r\n" END},
    {"HTTP/1.1 200 OK\r\nETag: abc\r\n",
     "HTTP/1.1 200 OK\r\nETag: abc~gzip-0000beef\r\nVary: Accept-Encoding\r\n" END},
    {"HTTP/1.1 200 OK\r\nETag: \"\r\n",
     "HTTP/1.1 200 OK\r\nETag: \"~gzip-0000beef\r\nVary: Accept-Encoding\r\n" END},
    {"HTTP/1.1 200 OK\r\nETag:\r\nAccept-Ranges: bytes\r\n",
     "HTTP/1.1 200 OK\r\nETag: \r\nVary: Accept-Encoding\r\n" END},
    {"HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\n",
     "HTTP/1.1 200 OK\r\nVary: Accept-Encoding\r\n" END},
    /* sums over bytes that are not sent */
    {"HTTP/1.1 200 OK\r\nContent-MD5: a\r\ndigest: b\r\nContent-Digest: c\r\nREPR-DIGEST: d\r\n"
     "X-Digest: e\r\nWant-Digest: f\r\n",
     "HTTP/1.1 200 OK\r\nX-Digest: e\r\nWant-Digest: f\r\nVary: Accept-Encoding\r\n" END},
    /* Vary */
    {"HTTP/1.1 200 OK\r\nVary: Cookie\r\nA: b\r\nVary: X, Y\r\n",
     "HTTP/1.1 200 OK\r\nA: b\r\nVary: Accept-Encoding, Cookie, X, Y\r\n" END},
    {"HTTP/1.1 200 OK\r\nVary: Cookie, accept-encoding\r\nVary: X\r\n",
     "HTTP/1.1 200 OK\r\nVary: Cookie, accept-encoding\r\nVary: X\r\n" END},
    {"HTTP/1.1 200 OK\r\nVary:\r\n", "HTTP/1.1 200 OK\r\nVary: Accept-Encoding\r\n" END},
    {"HTTP/1.1 200 OK\r\nVary: *\r\n", "HTTP/1.1 200 OK\r\nVary: *\r\n" END},
    {"HTTP/1.1 200 OK\r\nVary: X-Accept-Encoding\r\n",
     "HTTP/1.1 200 OK\r\nVary: Accept-Encoding, X-Accept-Encoding\r\n" END},
    {"HTTP/1.1 200 OK\r\nVary: a, \"b\r\n",
     "HTTP/1.1 200 OK\r\nVary: Accept-Encoding, a, \"b\r\n" END},
    /* damaged */
    {"", NULL},
    {"HTTP/1.1 200 OK", NULL},
    {"HTTP/1.1 200 OK\r\nbroken\r\n", NULL},
};

static void heads(void **state)
{
    const struct http_coded_head coded = {
        .coding = HTTP_CODING_GZIP, .length = 77, .check = 0xbeef};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out;
        buf_init(&out, 4096);
        bool good = http_coded_head_write(&out, span_str(rows[i].head), &coded);
        if (good != (rows[i].coded != NULL) ||
            (good && !span_eq(buf_span(&out), span_str(rows[i].coded)))) {
            fail_msg("%s: %d %.*s", rows[i].head, good, (int)out.len, out.data);
        }
        buf_free(&out);
    }
    struct buf small;
    buf_init(&small, 20);
    assert_false(http_coded_head_write(&small, span_str(rows[1].head), &coded));
    buf_free(&small);
}

static void varies(void **state)
{
    static const struct {
        const char *head;
        bool varies;
    } table[] = {
        {"HTTP/1.1 200 OK\r\n", false},
        {"HTTP/1.1 200 OK\r\nVary: Cookie\r\n", false},
        {"HTTP/1.1 200 OK\r\nVary: Cookie\r\nVary: a, ACCEPT-ENCODING\r\n", true},
        {"HTTP/1.1 200 OK\r\nVary: a, *\r\n", true},
        {"HTTP/1.1 200 OK\r\nAccept-Encoding: Accept-Encoding\r\n", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (http_head_varies_on(span_str(table[i].head), SPAN("Accept-Encoding")) !=
            table[i].varies) {
            fail_msg("%s", table[i].head);
        }
    }
}

static void suffixes(void **state)
{
    static const struct {
        const char *value;
        enum http_coding coding;
        const char *plain;
    } table[] = {
        {"\"a~gzip-0123abcd\"", HTTP_CODING_GZIP, "\"a\""},
        {"\"a~br-0123abcd\"", HTTP_CODING_BR, "\"a\""},
        {"\"~br-0123abcd\"", HTTP_CODING_BR, "\"\""},
        {"\"a~gzip-00000000~br-ffffffff\"", HTTP_CODING_BR, "\"a~gzip-00000000\""},
        {"\"a\"", HTTP_CODING_IDENTITY, "\"a\""},
        {"*", HTTP_CODING_IDENTITY, "*"},
        {"", HTTP_CODING_IDENTITY, ""},
        {"\"", HTTP_CODING_IDENTITY, "\""},
        {"\"a-gzip\"", HTTP_CODING_IDENTITY, "\"a-gzip\""},
        {"\"a~gzip-0123ABCD\"", HTTP_CODING_IDENTITY, "\"a~gzip-0123ABCD\""},
        {"\"a~gzip-0123abc\"", HTTP_CODING_IDENTITY, "\"a~gzip-0123abc\""},
        {"\"a~gzip-0123abcde\"", HTTP_CODING_IDENTITY, "\"a~gzip-0123abcde\""},
        {"\"a~gzip_0123abcd\"", HTTP_CODING_IDENTITY, "\"a~gzip_0123abcd\""},
        {"\"a~zstd-0123abcd\"", HTTP_CODING_IDENTITY, "\"a~zstd-0123abcd\""},
        {"\"agzip-0123abcd\"", HTTP_CODING_IDENTITY, "\"agzip-0123abcd\""},
        {"W/\"a~gzip-0123abcd\"", HTTP_CODING_IDENTITY, "W/\"a\""},
        {"\"x\", \"a~gzip-0123abcd\" ,\"b~br-0123abcd\"", HTTP_CODING_BR, "\"x\", \"a\" ,\"b\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char out[256];
        struct span value = span_str(table[i].value);
        size_t len = http_etags_plain(out, value);
        if (http_etag_coding(value) != table[i].coding ||
            !span_eq(span_of(out, len), span_str(table[i].plain))) {
            fail_msg("%s: %d %.*s", table[i].value, (int)http_etag_coding(value), (int)len, out);
        }
    }
}

static void none_match(void **state)
{
    static const struct {
        const char *lines;
        unsigned codings;
        enum http_coding coding;
    } table[] = {
        {"", 7, HTTP_CODING_IDENTITY},
        {"If-None-Match: *\r\n", 7, HTTP_CODING_IDENTITY},
        {"If-None-Match: \"a\", \"b\"\r\n", 7, HTTP_CODING_IDENTITY},
        {"If-None-Match: \"a~gzip-0123abcd\"\r\n", 7, HTTP_CODING_GZIP},
        {"If-None-Match: \"a~gzip-0123abcd\"\r\n", 4, HTTP_CODING_IDENTITY},
        {"If-None-Match: \"a~gzip-0123abcd\", \"b\"\r\n", 7, HTTP_CODING_GZIP},
        {"If-None-Match: \"a~gzip-0123abcd\", W/\"a~br-0123abcd\"\r\n", 4, HTTP_CODING_BR},
        {"If-None-Match: \"a\"\r\nIf-None-Match: \"a~br-0123abcd\"\r\n", 7, HTTP_CODING_BR},
        {"If-None-Match: a~br-0123abcd\r\n", 7, HTTP_CODING_IDENTITY},
        {"If-Match: \"a~br-0123abcd\"\r\n", 7, HTTP_CODING_IDENTITY},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct message message;
        if (http_none_match_coding(message_fields(&message, table[i].lines), table[i].codings) !=
            table[i].coding) {
            fail_msg("%s of %u", table[i].lines, table[i].codings);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads),
        cmocka_unit_test(varies),
        cmocka_unit_test(suffixes),
        cmocka_unit_test(none_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
