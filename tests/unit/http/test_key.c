/* Cache keys, from requests and from the URLs of a purge. */
#include "helper.h"
#include "http/key.h"

struct row {
    const char *url;
    const char *key; /* NULL: refused */
};

static const struct row rows[] = {
    {"http://a.example/", "http://a.example/"},
    {"http://a.example", "http://a.example/"},
    {"HTTP://A.Example:80/X?Y=Z", "http://a.example/X?Y=Z"},
    {"https://a.example:443/%2e%2E//x", "https://a.example/%2e%2E//x"},
    {"https://a.example:80/", "https://a.example:80/"},
    {"http://a.example:443/", "http://a.example:443/"},
    {"http://a.example:/", "http://a.example/"},
    {"http://a.example:8080/x#frag", "http://a.example:8080/x"},
    {"http://[::1]:80/", "http://[::1]/"},
    {"http://[::80]/", "http://[::80]/"},
    {"http://a.example/?", "http://a.example/?"},
    {"http://a.example?x", NULL},
    {"http://", NULL},
    {"http:///x", NULL},
    {"http://u@a.example/", NULL},
    {"http://a b/", NULL},
    {"http://a.example/a b", NULL},
    {"http://a.example/\xc3\xa9", NULL},
    {"ftp://a.example/", NULL},
    {"/path", NULL},
    {"", NULL},
};

static void urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[256];
        struct span key;
        const char *fault = http_key_from_url(out, span_str(rows[i].url), &key);
        if ((fault == NULL) != (rows[i].key != NULL)) {
            fail_msg("%s: %s", rows[i].url, fault == NULL ? "accepted" : fault);
        }
        if (fault == NULL) {
            assert_span(key, rows[i].key);
            assert_true(key.len <= strlen(rows[i].url) + 1);
        }
    }
}

static void hosts(void **state)
{
    static const struct {
        const char *authority, *host;
    } cases[] = {
        {"a.example", "a.example"},  {"a.example:80", "a.example"},
        {"a.example:", "a.example"}, {"[::1]:80", "[::1]"},
        {"[::1]", "[::1]"},          {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_span(http_authority_host(span_str(cases[i].authority)), cases[i].host);
    }
}

/* What a client asks for and what an operator purges must meet in one key. */
static void requests_meet_urls(void **state)
{
    static const struct {
        const char *head;
        const char *url;
    } pairs[] = {
        {"GET /X?y HTTP/1.1\r\nHost: A.example:80\r\n\r\n", "http://a.example/X?y"},
        {"GET http://A.example?y HTTP/1.1\r\nHost: b\r\n\r\n", "http://a.example/?y"},
        {"GET / HTTP/1.1\r\nHost: a.example:\r\n\r\n", "http://A.EXAMPLE"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct message message;
        size_t scanned = 0;
        size_t len = strlen(pairs[i].head);
        char one[256];
        char two[256];
        struct span purged;
        memcpy(message.text, pairs[i].head, len);
        http_fields_init(&message.request.fields, message.items, FIELDS_MAX);
        assert_int_equal(http_request_parse(&message.request, message.text, len, &scanned,
                                            &message.used, &test_limits),
                         HTTP_PARSE_DONE);
        struct span asked =
            http_key_write(one, SPAN("http"), message.request.authority, message.request.path);
        assert_true(asked.len <=
                    http_key_bytes(SPAN("http"), message.request.authority, message.request.path));
        assert_null(http_key_from_url(two, span_str(pairs[i].url), &purged));
        assert_true(span_eq(asked, purged));
    }
}

static void authorities(void **state)
{
    static const char *const good[] = {"a",   "a.b-c_d~e", "1.2.3.4", "[::ffff:1.2.3.4]",
                                       "a:1", "a:65535",   "a:"};
    static const char *const bad[] = {
        "",       ":1",  "a:0", "a:65536", "a:01", "a:x", "a:1:2", "[]",   "[",       "[::1", "[g]",
        "[::1]x", "a/b", "a b", "u@a",     "a%41", "a,b", "\x80",  "a:-1", "[::1]:x", "a\\b"};
    char longest[300];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(http_is_authority(span_str(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (http_is_authority(span_str(bad[i]))) {
            fail_msg("%s", bad[i]);
        }
    }
    memset(longest, 'a', sizeof(longest));
    assert_true(http_is_authority(span_of(longest, 255)));
    assert_false(http_is_authority(span_of(longest, 256)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),
        cmocka_unit_test(urls),
        cmocka_unit_test(requests_meet_urls),
        cmocka_unit_test(authorities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
