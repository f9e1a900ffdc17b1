/* Where a client is sent, and when it is where it should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "site/redirect.h"

static const struct {
    struct conf_redirect redirect;
    bool is_https;
    const char *authority, *path;
    unsigned status;
    const char *location;
} cases[] = {
    {{.kind = CONF_REDIRECT_OFF}, false, "a.test", "/", 0, ""},
#define HTTPS .kind = CONF_REDIRECT_PLACE, .https = true
    {{HTTPS}, false, "a.test", "/x?y", 301, "https://a.test/x?y"},
    {{HTTPS}, false, "a.test:8080", "/", 301, "https://a.test/"},
    {{HTTPS}, false, "[::1]:80", "/", 301, "https://[::1]/"},
    {{HTTPS}, true, "a.test", "/", 0, ""},
    {{HTTPS}, true, "a.test:8443", "/", 0, ""},
    {{HTTPS, .https_port = 8443}, false, "a.test:80", "/", 301, "https://a.test:8443/"},
    {{HTTPS, .https_port = 443}, false, "a.test:80", "/", 301, "https://a.test/"},
    {{HTTPS}, false, "", "/", 400, ""},
    {{HTTPS}, false, "a.test", "*", 301, "https://a.test/"},
    {{HTTPS, .host = "b.test"}, false, "", "/", 301, "https://b.test/"},
    {{HTTPS, .host = "b.test"}, true, "a.test:444", "/", 301, "https://b.test:444/"},
    {{HTTPS, .host = "b.test"}, true, "b.test:444", "/", 0, ""},
    {{HTTPS, .host = "b.test:443"}, true, "b.test", "/", 0, ""},
    {{HTTPS, .host = "b.test:444"}, true, "b.test", "/", 301, "https://b.test:444/"},
#define HOST .kind = CONF_REDIRECT_PLACE, .host
    {{HOST = "b.test"}, false, "a.test:81", "/", 301, "http://b.test:81/"},
    {{HOST = "b.test"}, true, "a.test", "/", 301, "https://b.test/"},
    {{HOST = "b.test"}, false, "B.test:81", "/", 0, ""},
    {{HOST = "b.test:80"}, false, "b.test", "/", 0, ""},
#define URL(to) .kind = CONF_REDIRECT_URL, .status = 302, .url = (to)
    {{URL("/n{path}{query}")}, false, "a.test", "/x?y?z", 302, "/n/x?y?z"},
    {{URL("/x{query}")}, false, "a.test", "/x?y", 0, ""},
    {{URL("https://a.test/x")}, false, "a.test", "/x", 302, "https://a.test/x"},
    {{URL("https://a.test/x")}, true, "a.test:443", "/x", 0, ""},
    {{URL("https://{host}/x")}, true, "", "/x", 400, ""},
    {{URL("https://{host}{path}")}, false, "a.test:81", "/\\x\"", 302, "https://a.test/%5Cx%22"},
    {{URL("/?u={path}")}, false, "a.test", "/a+b&c=%d;?q", 302, "/?u=/a%2Bb%26c%3D%25d%3B"},
};

static void test_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct http_request request = {
            .method = HTTP_GET,
            .authority = span_str(cases[i].authority),
            .path = span_str(cases[i].path),
        };
        struct buf out;
        buf_init(&out, 4096);
        buf_puts(&out, "");
        unsigned status = redirect_to(&cases[i].redirect, &request, cases[i].is_https, &out);
        bool same = status < 300 || status >= 400 || strcmp(out.data, cases[i].location) == 0;
        if (status != cases[i].status || !same) {
            fail_msg("case %zu: %u %s", i, status, out.data);
        }
        buf_free(&out);
    }
}

static void test_method(void **state)
{
    (void)state;
    const struct conf_redirect redirect = {HTTPS};
    const struct http_request request = {
        .method = HTTP_POST, .authority = SPAN("a.test"), .path = SPAN("/")};
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(redirect_to(&redirect, &request, false, &out), 308);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where),
        cmocka_unit_test(test_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
