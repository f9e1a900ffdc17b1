/* Host, origin and content type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/guard.h"

static void test_host(void **state)
{
    (void)state;
    static const char *const list[] = {"cache.example.com"};
    const struct conf_names names = {.list = list, .count = 1};
    static const struct {
        const char *host;
        bool ours;
    } rows[] = {
        {"localhost", true},
        {"LocalHost:8090", true},
        {"127.0.0.1:8090", true},
        {"10.1.2.3", true},
        {"[::1]:8090", true},
        {"[2001:db8::7]", true},
        {"cache.example.com", true},
        {"CACHE.example.com:1", true},
        {NULL, false},
        {"", false},
        {":8090", false},
        {"evil.example", false},
        {"localhost.evil.example", false},
        {"127.0.0.1.evil.example", false},
        {"cache.example.com.", false},
        {"xcache.example.com", false},
        {"[::1", false},
        {"[localhost]", false},
        {"[]", false},
        {"::1", false},
        {"127.1", false},
        {"0x7f000001", false},
        {"localhost@evil.example", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (guard_host_is_ours(rows[i].host, &names) != rows[i].ours) {
            fail_msg("host \"%s\"", rows[i].host);
        }
    }
}

static void test_origin(void **state)
{
    (void)state;
    static const struct {
        const char *site, *origin, *host;
        bool same;
    } rows[] = {
        {NULL, NULL, "h", true}, /* no browser */
        {"same-origin", "http://h:1", "h:1", true},
        {"same-origin", NULL, "h:1", true},
        {NULL, "http://H:1", "h:1", true},
        {NULL, "https://h", "h", true},
        {"cross-site", "http://h", "h", false},
        {"same-site", NULL, "h", false},
        {"none", NULL, "h", false},
        {NULL, "http://h:2", "h:1", false},
        {NULL, "http://evil", "h", false},
        {NULL, "null", "h", false},
        {NULL, "", "h", false},
        {NULL, "http://h", NULL, false},
        {NULL, "ftp://h", "h", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (guard_is_same_origin(rows[i].site, rows[i].origin, rows[i].host) != rows[i].same) {
            fail_msg("row %zu", i);
        }
    }
}

static void test_content_type(void **state)
{
    (void)state;
    assert_true(guard_is_json("application/json"));
    assert_true(guard_is_json("Application/JSON; charset=utf-8"));
    assert_true(guard_is_json("application/json ;x"));
    assert_false(guard_is_json(NULL));
    assert_false(guard_is_json(""));
    assert_false(guard_is_json("text/plain"));
    assert_false(guard_is_json("text/plain; application/json"));
    assert_false(guard_is_json("application/jsonx"));
    assert_false(guard_is_json("application/x-www-form-urlencoded"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_content_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
