/* What the origin is asked, and what it says of itself as the public may follow it. */
#include "base/mem.h"
#include "helper.h"
#include "http/rewrite.h"

static const struct {
    const char *strip, *add, *target, *wanted;
    bool is_stripped;
} targets[] = {
    {"/api", "", "/api/x?a=/api", "/x?a=/api", true},
    {"/api", "", "/api", "/", true},
    {"/api", "", "/api/", "/", true},
    {"/api", "", "/api?x", "/?x", true},
    {"/api", "", "/apix", "/apix", false},
    {"/api", "", "/", "/", false},
    {"/api", "", "*", "*", false},
    {"/api", "", "/%61pi/%2Fx%20", "/%2Fx%20", true},
    {"/api", "/v2", "/api/x", "/v2/x", true},
    {"/api", "/v2", "/api", "/v2/", true},
    {"/api", "/v2", "/api?x", "/v2/?x", true},
    {"/api", "/v2", "/other", "/v2/other", false},
    {"", "/v2", "/", "/v2/", false},
    {"", "/v2", "/?q", "/v2/?q", false},
    {"", "/v2", "*", "*", false},
    {"/api", "", "/api//evil.test/x", "//evil.test/x", true},
    {"/a/b", "/c/d", "/a/b/e", "/c/d/e", true},
    {"", "", "/x", "/x", false},
};

static void test_target(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        const struct http_rewrite rewrite = {span_str(targets[i].strip), span_str(targets[i].add)};
        struct span target = span_str(targets[i].target);
        char *room = mem_new(http_rewrite_bytes(&rewrite, target));
        bool is_stripped;
        struct span got = http_rewrite_target(room, target, &rewrite, &is_stripped);
        if (!span_eq(got, span_str(targets[i].wanted)) || is_stripped != targets[i].is_stripped) {
            fail_msg("%s: %.*s", targets[i].target, (int)got.len, got.ptr);
        }
        mem_free(room);
    }
}

/* Asked as http://pub.test, sent to http://10.0.0.1:8080 as app.internal. */
static const struct {
    const char *strip, *add, *reference, *wanted;
} references[] = {
    /* no change of paths: only the origin's own names go */
    {"", "", "http://10.0.0.1:8080/x", "/x"},
    {"", "", "http://app.internal/x?a#b", "/x?a#b"},
    {"", "", "HTTP://App.Internal:80/x", "/x"},
    {"", "", "http://app.internal", "/"},
    {"", "", "http://app.internal?q", "/?q"},
    {"", "", "http://app.internal#f", "/#f"},
    {"", "", "//app.internal/x", "/x"},
    {"", "", "https://app.internal/x", "https://app.internal/x"}, /* another service */
    {"", "", "http://app.internal:81/x", "http://app.internal:81/x"},
    {"", "", "http://10.0.0.1/x", "http://10.0.0.1/x"},
    {"", "", "http://pub.test/x", "http://pub.test/x"},
    {"", "", "https://pub.test/x", "https://pub.test/x"},
    {"", "", "http://other.test/x", "http://other.test/x"},
    {"", "", "/x", "/x"},
    {"", "", "x", "x"},
    {"", "", "", ""},
    {"", "", "?q", "?q"},
    {"", "", "mailto:a@app.internal", "mailto:a@app.internal"},
    {"", "", "http://app.internal@evil.test/", "http://app.internal@evil.test/"},
    {"", "", "http://app.internal//evil.test/", "http://app.internal//evil.test/"},
    {"", "", "http://app.internal.evil.test/", "http://app.internal.evil.test/"},
    /* paths */
    {"/api", "/v2", "/v2/x", "/api/x"},
    {"/api", "/v2", "/v2", "/api/"},
    {"/api", "/v2", "/v2/", "/api/"},
    {"/api", "/v2", "/v2?q", "/api/?q"},
    {"/api", "/v2", "/v2#f", "/api/#f"},
    {"/api", "/v2", "/v20/x", "/v20/x"},
    {"/api", "/v2", "/login", "/login"},
    {"/api", "/v2", "http://app.internal/v2/x", "/api/x"},
    {"/api", "/v2", "http://app.internal/login", "http://app.internal/login"},
    {"/api", "/v2", "http://pub.test/v2/x", "http://pub.test/api/x"},
    {"/api", "/v2", "https://PUB.test:443/v2/x", "https://PUB.test:443/api/x"},
    {"/api", "/v2", "http://other.test/v2/x", "http://other.test/v2/x"},
    {"/api", "/v2", "/%762/x", "/api/x"},
    {"/api", "", "/x", "/api/x"},
    {"/api", "", "/", "/api/"},
    {"/api", "", "http://app.internal", "/api/"},
    {"/api", "", "../x", "../x"},
    {"", "/v2", "/v2/x", "/x"},
    {"", "/v2", "/v2", "/"},
    {"", "/v2", "/v2//evil.test/x", "/v2//evil.test/x"},
    {"", "/v2", "http://app.internal/v2//evil.test/x", "http://app.internal/v2//evil.test/x"},
    {"", "", "http://app.internal/\\evil.test/", "http://app.internal/\\evil.test/"},
    {"", "", "http://app.internal/\t/evil.test/", "http://app.internal/\t/evil.test/"},
    {"", "", "http://app.internal/\t\t\\evil.test/", "http://app.internal/\t\t\\evil.test/"},
    {"", "", "http://app.internal/\tx", "/\tx"},
    {"", "/v2", "/v2/\\evil.test/x", "/v2/\\evil.test/x"},
    {"/api", "/v2", "/v2/\\evil.test/x", "/api/\\evil.test/x"},
    {"", "/v2", "http://pub.test/v2//x", "http://pub.test//x"},
};

static void test_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(references); i++) {
        const struct http_rewrite_back back = {
            .rewrite = {span_str(references[i].strip), span_str(references[i].add)},
            .client = SPAN("pub.test"),
            .host = SPAN("app.internal"),
            .server = SPAN("10.0.0.1:8080"),
            .scheme = SPAN("http"),
        };
        struct span reference = span_str(references[i].reference);
        char *room = mem_new(http_rewrite_reference_bytes(&back, reference));
        struct span got = http_rewrite_reference(room, reference, &back);
        if (!span_eq(got, span_str(references[i].wanted))) {
            fail_msg("%s: %.*s, wanted %s", references[i].reference, (int)got.len, got.ptr,
                     references[i].wanted);
        }
        mem_free(room);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
