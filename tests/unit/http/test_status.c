/* Methods and status codes. */
#include "helper.h"
#include "http/method.h"
#include "http/status.h"

static void methods(void **state)
{
    static const struct {
        const char *text;
        enum http_method method;
        bool safe;
        bool idempotent;
    } rows[] = {
        {"GET", HTTP_GET, true, true},          {"HEAD", HTTP_HEAD, true, true},
        {"POST", HTTP_POST, false, false},      {"PUT", HTTP_PUT, false, true},
        {"DELETE", HTTP_DELETE, false, true},   {"OPTIONS", HTTP_OPTIONS, true, true},
        {"TRACE", HTTP_TRACE, true, true},      {"CONNECT", HTTP_CONNECT, false, false},
        {"PATCH", HTTP_PATCH, false, false},    {"PURGE", HTTP_PURGE, false, true},
        {"get", HTTP_OTHER, false, false},      {"GE", HTTP_OTHER, false, false},
        {"GETX", HTTP_OTHER, false, false},     {"", HTTP_OTHER, false, false},
        {"PROPFIND", HTTP_OTHER, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum http_method method = http_method_of(span_str(rows[i].text));
        assert_int_equal(method, rows[i].method);
        assert_int_equal(http_method_is_safe(method), rows[i].safe);
        assert_int_equal(http_method_is_idempotent(method), rows[i].idempotent);
    }
}

static void statuses(void **state)
{
    static const unsigned heuristic[] = {200, 203, 204, 206, 300, 301,
                                         308, 404, 405, 410, 414, 501};

    (void)state;
    for (unsigned status = 0; status < 1000; status++) {
        bool expected = false;
        for (size_t i = 0; i < sizeof(heuristic) / sizeof(heuristic[0]); i++) {
            expected = expected || heuristic[i] == status;
        }
        assert_int_equal(http_status_is_heuristic(status), expected);
    }
    assert_string_equal(http_status_reason(200), "OK");
    assert_string_equal(http_status_reason(431), "Request Header Fields Too Large");
    assert_string_equal(http_status_reason(599), "Unknown");
    assert_true(http_status_is_understood(404));
    assert_false(http_status_is_understood(599));
    assert_false(http_status_is_understood(206));
    assert_false(http_status_is_understood(304));
    assert_false(http_status_is_understood(100));
    assert_true(http_status_has_body(200));
    assert_false(http_status_has_body(204));
    assert_false(http_status_has_body(304));
    assert_false(http_status_has_body(103));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods),
        cmocka_unit_test(statuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
