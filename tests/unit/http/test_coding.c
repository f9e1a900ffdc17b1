/* Accept-Encoding (RFC 9110 12.5.3), and what may be encoded (RFC 9110 7.7, RFC 9111 5.2.2.6). */
#include "helper.h"
#include "http/coding.h"

#define BOTH (1u << HTTP_CODING_GZIP | 1u << HTTP_CODING_BR)
#define GZIP_ONLY (1u << HTTP_CODING_GZIP)

struct row {
    const char *lines;
    unsigned offered;
    enum http_coding coding;
    const char *normal;
};

static const struct row rows[] = {
    {"", BOTH, HTTP_CODING_IDENTITY, ""},
    {"Accept-Encoding:\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: gzip\r\n", BOTH, HTTP_CODING_GZIP, "gzip"},
    {"Accept-Encoding: br\r\n", BOTH, HTTP_CODING_BR, "br"},
    {"Accept-Encoding: br\r\n", GZIP_ONLY, HTTP_CODING_IDENTITY, "br"},
    {"Accept-Encoding: gzip, br\r\n", BOTH, HTTP_CODING_BR, "br, gzip"},
    {"Accept-Encoding: gzip, br\r\n", GZIP_ONLY, HTTP_CODING_GZIP, "br, gzip"},
    {"Accept-Encoding: gzip, br\r\n", 0, HTTP_CODING_IDENTITY, "br, gzip"},
    {"Accept-Encoding: zstd, br, gzip, deflate\r\n", BOTH, HTTP_CODING_BR, "br, gzip, zstd"},
    {"Accept-Encoding: zstd\r\n", BOTH, HTTP_CODING_IDENTITY, "zstd"},
    {"accept-encoding: GZip\r\n", BOTH, HTTP_CODING_GZIP, "gzip"},
    {"Accept-Encoding: x-gzip\r\n", BOTH, HTTP_CODING_GZIP, "gzip"},
    {"Accept-Encoding: deflate\r\nAccept-Encoding: gzip\r\n", BOTH, HTTP_CODING_GZIP, "gzip"},
    {"Accept-Encoding: ,, gzip ,,\r\n", BOTH, HTTP_CODING_GZIP, "gzip"},
    {"Accept-Encoding: gzip;q=1, br;q=0.999\r\n", BOTH, HTTP_CODING_GZIP, "br, gzip"},
    {"Accept-Encoding: gzip;q=0.5, br;q=0.5\r\n", BOTH, HTTP_CODING_BR, "br, gzip"},
    {"Accept-Encoding: gzip ; q=0.5 , br ;\tQ=0.4\r\n", BOTH, HTTP_CODING_GZIP, "br, gzip"},
    {"Accept-Encoding: gzip;q=0.001\r\n", BOTH, HTTP_CODING_GZIP, "gzip"},
    {"Accept-Encoding: gzip;q=1.\r\n", BOTH, HTTP_CODING_GZIP, "gzip"},
    {"Accept-Encoding: gzip;q=1.000\r\n", BOTH, HTTP_CODING_GZIP, "gzip"},
    {"Accept-Encoding: gzip;level=9;q=0.5, br;q=0.1\r\n", BOTH, HTTP_CODING_GZIP, "br, gzip"},
    /* refused */
    {"Accept-Encoding: gzip;q=0\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: gzip;q=0.000, br\r\n", BOTH, HTTP_CODING_BR, "br"},
    {"Accept-Encoding: br;q=0, gzip;q=0.1\r\n", BOTH, HTTP_CODING_GZIP, "gzip"},
    /* weights outside the grammar */
    {"Accept-Encoding: gzip;q=\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: gzip;q\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: gzip;q=x\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: gzip;q=-1\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: gzip;q=2\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: gzip;q=1.001\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: gzip;q=.5\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: gzip;q=0.5555\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: gzip;q=99999999999999999999\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: gzip;q = 0.5\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: gzip;q=\"1\"\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    /* named twice: the lower weight */
    {"Accept-Encoding: gzip, gzip;q=0\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: gzip;q=0, x-gzip\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: br;q=0.3, gzip;q=0.2, br;q=0.1\r\n", BOTH, HTTP_CODING_GZIP, "br, gzip"},
    /* "*" is what was not named */
    {"Accept-Encoding: *\r\n", BOTH, HTTP_CODING_BR, "br, gzip, zstd"},
    {"Accept-Encoding: *;q=0\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: *, br;q=0\r\n", BOTH, HTTP_CODING_GZIP, "gzip, zstd"},
    {"Accept-Encoding: gzip, *;q=0\r\n", BOTH, HTTP_CODING_GZIP, "gzip"},
    {"Accept-Encoding: *;q=0.5, gzip;q=0.1\r\n", GZIP_ONLY, HTTP_CODING_IDENTITY, "br, gzip, zstd"},
    /* identity is accepted unless refused, and preferred where it weighs more */
    {"Accept-Encoding: identity\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: identity;q=0\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: identity;q=0, gzip;q=0.1\r\n", BOTH, HTTP_CODING_GZIP, "gzip"},
    {"Accept-Encoding: identity, gzip;q=0.5\r\n", BOTH, HTTP_CODING_IDENTITY, "gzip"},
    {"Accept-Encoding: identity;q=0.5, gzip;q=0.5\r\n", BOTH, HTTP_CODING_GZIP, "gzip"},
    /* not these */
    {"Accept-Encoding: gzipx, xgzip, brx, b r, g zip\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: \"gzip\"\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
    {"Accept-Encoding: x;y=\"a, gzip\"\r\n", BOTH, HTTP_CODING_IDENTITY, "identity"},
};

static void negotiation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct message message;
        char normal[HTTP_CODING_NORMAL_BYTES];
        const struct http_fields *fields = message_fields(&message, rows[i].lines);
        enum http_coding coding = http_coding_choose(fields, rows[i].offered);
        size_t len = http_coding_normal(normal, fields);
        if (coding != rows[i].coding || !span_eq(span_of(normal, len), span_str(rows[i].normal))) {
            fail_msg("%s of %u: %d, \"%.*s\"", rows[i].lines, rows[i].offered, (int)coding,
                     (int)len, normal);
        }
    }
}

static const char *const globs[] = {"text/*", "application/json", "application/*+json", "*/x*z"};
static const struct http_media_types types = {globs, sizeof(globs) / sizeof(globs[0])};

static void media_types(void **state)
{
    static const struct {
        const char *type;
        bool matches;
    } table[] = {
        {"text/html", true},
        {"Text/HTML; charset=utf-8", true},
        {"text/html ;charset=x", true},
        {"text/", true},
        {"text", false},
        {"xtext/html", false},
        {"application/json", true},
        {"APPLICATION/JSON", true},
        {"application/jsonx", false},
        {"application/json, text/html", false},
        {"application/ld+json", true},
        {"application/ld+jsonx", false},
        {"application/+json", true},
        {"image/xyz", true},
        {"image/xzyzz", true},
        {"image/xy", false},
        {"", false},
        {";text/html", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (http_media_type_matches(&types, span_str(table[i].type)) != table[i].matches) {
            fail_msg("%s", table[i].type);
        }
    }
}

static void may_encode(void **state)
{
    static const struct {
        const char *head;
        bool may;
    } table[] = {
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\n", true},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Encoding: identity\r\n", true},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nCache-Control: public\r\n", true},
        {"HTTP/1.1 200 OK\r\n", false},
        {"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n", false},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Type: text/html\r\n", false},
        {"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-z\r\n", false},
        {"HTTP/1.1 203 OK\r\nContent-Type: text/css\r\n", false},
        {"HTTP/1.1 404 OK\r\nContent-Type: text/css\r\n", false},
        {"HTTP/1.1 206 OK\r\nContent-Type: text/css\r\nContent-Range: bytes 0-1/2\r\n", false},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Range: bytes 0-1/2\r\n", false},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Encoding: gzip\r\n", false},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Encoding: bogus\r\n", false},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Encoding:\r\n", false},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Encoding: identity\r\n"
         "Content-Encoding: br\r\n",
         false},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nCache-Control: max-age=1\r\n"
         "Cache-Control: No-Transform\r\n",
         false},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nTarget: no-transform\r\n", false},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nTarget: max-age=1\r\n"
         "Cache-Control: no-transform\r\n",
         false},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nTarget: max-age=1\r\n", true},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nOther: no-transform\r\n", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct message message;
        const struct span names[] = {SPAN("Target")};
        const struct http_targeted targeted = {.names = names, .count = 1};
        if (http_may_encode(message_response(&message, table[i].head), &types, &targeted) !=
            table[i].may) {
            fail_msg("%s", table[i].head);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(negotiation),
        cmocka_unit_test(media_types),
        cmocka_unit_test(may_encode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
