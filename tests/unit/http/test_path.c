/* RFC 3986 3.3, 6.2.2: paths in one form, whole segments, and what readers could disagree about. */
#include "base/mem.h"
#include "helper.h"
#include "http/path.h"

static const struct {
    const char *target, *strict, *loose;
} folds[] = {
    {"/", "/", "/"},
    {"*", "*", "*"},
    {"", "", ""},
    {"/a/b", "/a/b", "/a/b"},
    {"/a/b/", "/a/b/", "/a/b/"},
    {"/a//b", "/a/b", "/a/b"},
    {"//a///b//", "/a/b/", "/a/b/"},
    {"//", "/", "/"},
    {"/.", "/", "/"},
    {"/..", "/", "/"},
    {"/../..", "/", "/"},
    {"/./a", "/a", "/a"},
    {"/a/.", "/a/", "/a/"},
    {"/a/..", "/", "/"},
    {"/a/b/..", "/a/", "/a/"},
    {"/a/b/../c", "/a/c", "/a/c"},
    {"/a/b/../../../c", "/c", "/c"},
    {"/x/../admin/x", "/admin/x", "/admin/x"},
    {"/a//../b", "/b", "/b"}, /* the empty segment is none */
    {"/%61dmin/%7Ex", "/admin/~x", "/admin/~x"},
    {"/%2e%2E/a/%2e/b", "/a/b", "/a/b"},
    {"/a/.%2e/b", "/b", "/b"},
    {"/a%c3%a9b", "/a%C3%A9b", "/a%C3%A9b"},
    {"/a%20b%3f%23", "/a%20b%3F%23", "/a%20b%3F%23"},
    {"/.well-known/x", "/.well-known/x", "/.well-known/x"},
    {"/...", "/...", "/..."},
    {"/..a/.b", "/..a/.b", "/..a/.b"},
    {"/a%", "/a%25", "/a%25"},
    {"/a%2", "/a%252", "/a%252"},
    {"/a%zz", "/a%25zz", "/a%25zz"},
    {"/%%32%65", "/%252e", "/%252e"},                    /* never an escape that was none */
    {"/%252e%252e/a", "/%252e%252e/a", "/%252e%252e/a"}, /* decoded once */
    {"/a?b=/../c&%61//", "/a?b=/../c&%61//", "/a?b=/../c&%61//"},
    {"/a/..?x", "/?x", "/?x"},
    {"//?//", "/?//", "/?//"},
    {"/a%2fb", "/a%2Fb", "/a/b"},
    {"/a%5cb\\c", "/a%5Cb\\c", "/a/b/c"},
    {"/%2fadmin/x", "/%2Fadmin/x", "/admin/x"},
    {"/static/..%2fadmin", "/static/..%2Fadmin", "/admin"},
    {"/static/..;a=1/admin", "/static/..;a=1/admin", "/admin"},
    {"/static/.;/a;b", "/static/.;/a;b", "/static/a;b"},
};

static void test_fold(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(folds); i++) {
        struct span target = span_str(folds[i].target);
        char *room = mem_new(HTTP_PATH_FOLD_BYTES(target) + 1);
        for (unsigned reading = 0; reading < 2; reading++) {
            const char *wanted = reading == 0 ? folds[i].strict : folds[i].loose;
            struct span got = http_path_fold(room, target, (enum http_path_reading)reading);
            if (!span_eq(got, span_str(wanted))) {
                fail_msg("%s: %.*s, wanted %s", folds[i].target, (int)got.len, got.ptr, wanted);
            }
        }
        bool changes = strcmp(folds[i].target, folds[i].strict) != 0 ||
                       strcmp(folds[i].target, folds[i].loose) != 0;
        if (changes && !http_path_is_odd(target)) {
            fail_msg("%s: not odd", folds[i].target);
        }
        mem_free(room);
    }
}

static const struct {
    const char *target;
    const char *fault; /* a word of it; NULL: none */
} faults[] = {
    {"/", NULL},           {"*", NULL},
    {"/a/b.c/", NULL},     {"/a%20b", NULL},
    {"/a%C3%A9", NULL},    {"/.well-known/..a", NULL},
    {"/a?//../%2f", NULL}, {"/a;x=1", NULL},
    {"//a", "empty"},      {"/a//", "empty"},
    {"/a/../b", "dot"},    {"/a/.", "dot"},
    {"/a/..;x/b", "dot"},  {"/%2e/", "needs"},
    {"/%61", "needs"},     {"/a%2fb", "slash"},
    {"/a%5Cb", "slash"},   {"/a\\b", "slash"},
    {"/a%00", "NUL"},      {"/a%", "begins no"},
    {"/a%1", "begins no"}, {"/a%gg", "begins no"},
};

static void test_fault(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        const char *got = http_path_fault(span_str(faults[i].target));
        if ((got == NULL) != (faults[i].fault == NULL) ||
            (got != NULL && strstr(got, faults[i].fault) == NULL)) {
            fail_msg("%s: %s", faults[i].target, got);
        }
    }
}

static const struct {
    const char *target, *prefix;
    size_t bytes;
} prefixes[] = {
    {"/api", "/api", 4},
    {"/api/", "/api", 4},
    {"/api/x", "/api", 4},
    {"/api?x", "/api", 4},
    {"/apix", "/api", 0},
    {"/ap", "/api", 0},
    {"/API", "/api", 0},
    {"/", "/api", 0},
    {"/x/api", "/api", 0},
    {"/%61pi/x", "/api", 6},
    {"/api/v1/x", "/api/v1", 7},
    {"/api/v10", "/api/v1", 0},
    {"/api%2Fx", "/api", 0},
    {"/a%2fb/c", "/a%2Fb", 6},
    {"/a/b/c", "/a%2Fb", 0},
    {"/api%", "/api", 0},
    {"/ap%6", "/api", 0},
    {"/api;x", "/api", 0},
    {"*", "/api", 0},
    {"", "/api", 0},
    {"/api.x", "/api", 0},
};

static void test_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        size_t got = http_path_prefix(span_str(prefixes[i].target), span_str(prefixes[i].prefix));
        if (got != prefixes[i].bytes) {
            fail_msg("%s of %s: %zu", prefixes[i].prefix, prefixes[i].target, got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_fault),
        cmocka_unit_test(test_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
