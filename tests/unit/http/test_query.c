/* RFC 3986 3.4: the query as it counts. */
#include "base/clock.h"
#include "base/mem.h"
#include "helper.h"
#include "http/query.h"

static const struct {
    const char *ignore; /* names with spaces between */
    bool sort;
    const char *target;
    const char *wanted;
} cases[] = {
    {"utm_*", false, "/p", "/p"},
    {"utm_*", false, "/p?", "/p?"},
    {"utm_*", false, "/p?a=1", "/p?a=1"},
    {"utm_*", false, "/p?utm_source=x", "/p"},
    {"utm_*", false, "/p?utm_=x&utm_b", "/p"},
    {"utm_*", false, "/p?a=1&utm_source=x&b=2", "/p?a=1&b=2"},
    {"utm_*", false, "/p?utm_source=x&a=1", "/p?a=1"},
    {"utm_*", false, "/p?a=1&utm_source=x", "/p?a=1"},
    {"utm_*", false, "/p?a=utm_x", "/p?a=utm_x"},
    {"utm_*", false, "/p?UTM_a=1", "/p?UTM_a=1"},
    {"utm_*", false, "/p?%75tm_a=1&b", "/p?b"},
    {"gclid fbclid", false, "/?fbclid=1&gclid=2&gclidx=3", "/?gclidx=3"},
    {"a", false, "/p?b=2&b=1&b=2&c&d=&&", "/p?b=2&b=1&b=2&c&d=&&"},
    {"a", false, "/p?a=1&b=2&b=1&c&d=&&", "/p?b=2&b=1&c&d=&&"},
    {"a", false, "/p?a&", "/p?"},
    {"a", false, "/p?a=?&b=?", "/p?b=?"},
    {"a", false, "/p?a;b=1", "/p?a;b=1"},
    {"*", false, "/p?a=1&b", "/p"},
    {"*", false, "/p?", "/p"},
    {"*=", false, "/p?a=1", "/p?a=1"},
    {"", true, "/p", "/p"},
    {"", true, "/p?", "/p?"},
    {"", true, "/p?b=1&a=2", "/p?a=2&b=1"},
    {"", true, "/p?a=1&b=2", "/p?a=1&b=2"},
    {"", true, "/p?b=2&a=9&b=1&a=1", "/p?a=9&a=1&b=2&b=1"},
    {"", true, "/p?ab&a=z&a.c", "/p?a=z&a.c&ab"},
    {"", true, "/p?b&&a", "/p?&a&b"},
    {"x", true, "/p?c&x&b&x=1&a", "/p?a&b&c"},
    {"x", true, "/p?x", "/p"},
    /* One name in two spellings keeps the order of its values. */
    {"", true, "/p?b&a=2&%61=1", "/p?a=2&%61=1&b"},
    {"", true, "/p?b&%61=1&a=2", "/p?%61=1&a=2&b"},
    {"", true, "/p?x+y=1&x%20y=2&a", "/p?a&x+y=1&x%20y=2"},
    {"", true, "/p?%C3%A9=1&%c3%a9=2&%c3%", "/p?%c3%&%C3%A9=1&%c3%a9=2"},
    {"", true, "/p?b%&b%2&b%zz&a", "/p?a&b%&b%2&b%zz"},
};

static struct span normal(char *room, size_t i)
{
    struct span names[8];
    unsigned count = 0;
    const char *at = cases[i].ignore;

    while (*at != '\0') {
        size_t len = strcspn(at, " ");
        names[count++] = span_of(at, len);
        at += len + strspn(at + len, " ");
    }
    const struct http_query_options options = {
        .ignore = names, .ignore_count = count, .sort = cases[i].sort};
    struct span target = span_str(cases[i].target);
    return http_query_applies(&options, target) ? http_query_normal(room, target, &options)
                                                : target;
}

static void test_cases(void **state)
{
    size_t failed = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *room = mem_new(http_query_room(span_str(cases[i].target)));
        struct span got = normal(room, i);
        if (!span_eq(got, span_str(cases[i].wanted))) {
            print_error("[%s]%s %s gives %.*s\n", cases[i].ignore, cases[i].sort ? " sorted" : "",
                        cases[i].target, (int)got.len, got.ptr);
            failed++;
        }
        mem_free(room);
    }
    assert_int_equal(failed, 0);
}

/* Nothing set: one test, whatever the target. */
static void test_off(void **state)
{
    (void)state;
    assert_false(http_query_applies(&(struct http_query_options){0}, SPAN("/p?a")));
}

static void test_hostile(void **state)
{
    static char target[16384];
    uint64_t begin_us = clock_mono_us();
    const struct http_query_options options = {.sort = true};

    (void)state;
    for (size_t i = 0; i < sizeof(target); i++) {
        target[i] = i % 2 == 0 ? '&' : (char)('z' - (char)(i / 2 % 26));
    }
    target[0] = '/';
    target[1] = '?';
    struct span text = span_of(target, sizeof(target));
    char *room = mem_new(http_query_room(text));
    struct span got = http_query_normal(room, text, &options);
    assert_int_equal(got.len, text.len);
    char last = 'a';
    for (size_t i = 2; i < got.len; i++) {
        if (got.ptr[i] != '&') {
            assert_true(got.ptr[i] >= last);
            last = got.ptr[i];
        }
    }
    mem_free(room);
    assert_true(clock_mono_us() - begin_us < 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_off),
                                       cmocka_unit_test(test_hostile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
