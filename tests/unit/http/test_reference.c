/* RFC 3986 5.4: the examples of the RFC, and what Location fields hold besides. */
#include "helper.h"
#include "http/reference.h"

struct row {
    const char *reference;
    const char *wanted; /* scheme://authority path; NULL: refused */
};

static const struct row rows[] = {
    /* RFC 3986 5.4.1 */
    {"g", "http://a/b/c/g"},
    {"./g", "http://a/b/c/g"},
    {"g/", "http://a/b/c/g/"},
    {"/g", "http://a/g"},
    {"//g", "http://g/"},
    {"?y", "http://a/b/c/d;p?y"},
    {"g?y", "http://a/b/c/g?y"},
    {"#s", "http://a/b/c/d;p?q"},
    {"g#s", "http://a/b/c/g"},
    {"g?y#s", "http://a/b/c/g?y"},
    {";x", "http://a/b/c/;x"},
    {"g;x?y#s", "http://a/b/c/g;x?y"},
    {"", "http://a/b/c/d;p?q"},
    {".", "http://a/b/c/"},
    {"./", "http://a/b/c/"},
    {"..", "http://a/b/"},
    {"../", "http://a/b/"},
    {"../g", "http://a/b/g"},
    {"../..", "http://a/"},
    {"../../", "http://a/"},
    {"../../g", "http://a/g"},
    {"g:h", NULL},
    /* RFC 3986 5.4.2 */
    {"../../../g", "http://a/g"},
    {"../../../../g", "http://a/g"},
    {"/./g", "http://a/g"},
    {"/../g", "http://a/g"},
    {"g.", "http://a/b/c/g."},
    {".g", "http://a/b/c/.g"},
    {"g..", "http://a/b/c/g.."},
    {"..g", "http://a/b/c/..g"},
    {"./../g", "http://a/b/g"},
    {"./g/.", "http://a/b/c/g/"},
    {"g/./h", "http://a/b/c/g/h"},
    {"g/../h", "http://a/b/c/h"},
    {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
    {"g;x=1/../y", "http://a/b/c/y"},
    {"g?y/./x", "http://a/b/c/g?y/./x"},
    {"g?y/../x", "http://a/b/c/g?y/../x"},
    {"g#s/../x", "http://a/b/c/g"},
    {"http:g", NULL},
    /* what else is met */
    {"http://x.example", "http://x.example/"},
    {"HTTP://X.Example:80/a/../b?c", "HTTP://X.Example:80/b?c"},
    {"https://x.example?q", "https://x.example/?q"},
    {"http://x.example#f", "http://x.example/"},
    {"http://x.example/a//b/./c", "http://x.example/a//b/c"},
    {"http://x.example/..", "http://x.example/"},
    {"//x.example/..//y", "http://x.example//y"},
    {"/g?a:b//c", "http://a/g?a:b//c"},
    {"a/b:c", "http://a/b/c/a/b:c"},
    {"?", "http://a/b/c/d;p?"},
    {"%2e%2e/g", "http://a/b/c/%2e%2e/g"},
    {"http://", NULL},
    {"http:///x", NULL},
    {"http://u@x.example/", NULL},
    {"mailto:a@b.example", NULL},
    {"/a b", NULL},
    {"/caf\xc3\xa9", NULL},
    {"//", NULL},
};

static void table(void **state)
{
    (void)state;
    const struct http_url base = {
        .scheme = SPAN("http"), .authority = SPAN("a"), .path = SPAN("/b/c/d;p?q")};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char room[128];
        char got[256] = "refused";
        struct http_url url;
        struct span reference = span_str(rows[i].reference);
        assert_true(http_reference_bytes(&base, reference) <= sizeof(room));
        if (http_reference_resolve(&url, &base, reference, room)) {
            (void)snprintf(got, sizeof(got), "%.*s://%.*s%.*s", (int)url.scheme.len, url.scheme.ptr,
                           (int)url.authority.len, url.authority.ptr, (int)url.path.len,
                           url.path.ptr);
        }
        const char *wanted = rows[i].wanted == NULL ? "refused" : rows[i].wanted;
        if (strcmp(got, wanted) != 0) {
            fail_msg("%s: %s, wanted %s", rows[i].reference, got, wanted);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
