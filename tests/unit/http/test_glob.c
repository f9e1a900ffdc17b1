/* Patterns of rules and of query names. */
#include "base/clock.h"
#include "helper.h"
#include "http/glob.h"

static const struct {
    const char *pattern;
    const char *text;
    unsigned flags;
    bool wanted;
} cases[] = {
    {"", "", 0, true},
    {"", "a", 0, false},
    {"*", "", 0, true},
    {"*", "/a/b", 0, true},
    {"/a", "/a", 0, true},
    {"/a", "/A", 0, false},
    {"/a", "/a/", 0, false},
    {"/a", "/ab", 0, false},
    {"/a*", "/a", 0, true},
    {"/a*", "/a/b/c", 0, true},
    {"/*/b", "/a/x/b", 0, true},
    {"/*/b", "/a/bb", 0, false},
    {"*.js", "/x.js.js", 0, true},
    {"*.js", "/x.jsx", 0, false},
    {"a*b*c", "axxbxxbxxc", 0, true},
    {"a*b*c", "axxcxxb", 0, false},
    {"**a**", "bab", 0, true},
    {"a?c", "abc", 0, false},
    {"image/*", "IMAGE/Png", HTTP_GLOB_NOCASE, true},
    {"image/*", "IMAGE/Png", 0, false},
    {"/admin/*", "/%61dm%69n/x", HTTP_GLOB_ENCODED, true},
    {"/admin/*", "/%61dm%69n/x", 0, false},
    {"/a-_.~9", "/%41%2d%5F%2E%7e%39", HTTP_GLOB_ENCODED, false},
    {"/A-_.~9", "/%41%2d%5F%2E%7e%39", HTTP_GLOB_ENCODED, true},
    {"/a/b", "/a%2fb", HTTP_GLOB_ENCODED, false},
    {"/a%2Fb", "/a%2Fb", HTTP_GLOB_ENCODED, true},
    {"/a%", "/a%", HTTP_GLOB_ENCODED, true},
    {"/a%6", "/a%6", HTTP_GLOB_ENCODED, true},
    {"/a%zz", "/a%zz", HTTP_GLOB_ENCODED, true},
    {"*a", "%61", HTTP_GLOB_ENCODED, true},
    {"*1", "%61", HTTP_GLOB_ENCODED, false},
    {"/%2561", "/%2561", HTTP_GLOB_ENCODED, true},
    {"/a", "/%2561", HTTP_GLOB_ENCODED, false},
};

static void test_cases(void **state)
{
    size_t failed = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (http_glob_match(span_str(cases[i].pattern), span_str(cases[i].text), cases[i].flags) !=
            cases[i].wanted) {
            print_error("\"%s\" and \"%s\"\n", cases[i].pattern, cases[i].text);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* Stars that would make trying in combinations take for ever. */
static void test_hostile(void **state)
{
    static const char pattern[] = "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b";
    static char text[16384];
    uint64_t begin_us = clock_mono_us();

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_false(http_glob_match(SPAN(pattern), span_of(text, sizeof(text)), 0));
    assert_false(http_glob_match(SPAN(pattern), span_of(text, sizeof(text)), HTTP_GLOB_ENCODED));
    assert_true(clock_mono_us() - begin_us < 2000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases),
                                       cmocka_unit_test(test_hostile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
