/* Cache-Status and Proxy-Status values, and the stable reason names. */
#include "helper.h"
#include "http/cache_status.h"
#include "http/status.h"

struct row {
    struct http_cache_status status;
    const char *text;
};

#define CACHE .cache = {"larder", 6}

static const struct row rows[] = {
    {{CACHE, .has_ttl = true, .ttl_s = 243}, "larder; hit; ttl=243"},
    {{CACHE, .has_ttl = true, .ttl_s = -5, .detail = HTTP_REASON_STALE_IF_ERROR},
     "larder; hit; ttl=-5; detail=stale_if_error"},
    {{CACHE, .forward = HTTP_FORWARD_URI_MISS, .stored = true, .has_ttl = true, .ttl_s = 300},
     "larder; fwd=uri-miss; stored; ttl=300"},
    {{CACHE, .forward = HTTP_FORWARD_STALE, .forward_status = 304, .collapsed = true},
     "larder; fwd=stale; fwd-status=304; collapsed"},
    {{CACHE, .forward = HTTP_FORWARD_BYPASS, .detail = HTTP_REASON_COOKIE},
     "larder; fwd=bypass; detail=cookie"},
    {{CACHE, .forward = HTTP_FORWARD_VARY_MISS}, "larder; fwd=vary-miss"},
    {{CACHE, .forward = HTTP_FORWARD_METHOD}, "larder; fwd=method"},
    {{CACHE, .forward = HTTP_FORWARD_MISS}, "larder; fwd=miss"},
    {{CACHE, .forward = HTTP_FORWARD_REQUEST}, "larder; fwd=request"},
    {{CACHE, .forward = HTTP_FORWARD_PARTIAL}, "larder; fwd=partial"},
    {{CACHE, .has_ttl = true, .ttl_s = INT64_MIN}, "larder; hit; ttl=-9223372036854775808"},
};

static void values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[HTTP_CACHE_STATUS_BYTES];
        size_t expected = strlen(rows[i].text);
        size_t len = http_cache_status_write(out, sizeof(out), &rows[i].status);
        assert_span(span_of(out, len), rows[i].text);
        assert_int_equal(http_cache_status_write(out, expected, &rows[i].status), expected);
        for (size_t size = 0; size < expected; size++) {
            assert_int_equal(http_cache_status_write(out, size, &rows[i].status), 0);
        }
    }
}

/* Codes users build filters on: a rename must fail here. */
static void reasons(void **state)
{
    static const char *const names[HTTP_REASON_COUNT] = {"",
                                                         "fresh",
                                                         "stale_while_revalidate",
                                                         "stale_if_error",
                                                         "revalidated",
                                                         "collapsed",
                                                         "absent",
                                                         "expired",
                                                         "vary",
                                                         "evicted",
                                                         "purged_soft",
                                                         "purged_hard",
                                                         "replaced",
                                                         "range_absent",
                                                         "corrupt",
                                                         "rule",
                                                         "method",
                                                         "authorization",
                                                         "cookie",
                                                         "request_no_store",
                                                         "hit_for_pass",
                                                         "hit_for_miss",
                                                         "upgrade",
                                                         "tunnel",
                                                         "claim",
                                                         "no_store",
                                                         "private",
                                                         "set_cookie",
                                                         "vary_star",
                                                         "status",
                                                         "no_lifetime",
                                                         "too_large",
                                                         "incomplete",
                                                         "origin_error",
                                                         "store_full",
                                                         "framing",
                                                         "stream",
                                                         "request_no_cache",
                                                         "precondition",
                                                         "address",
                                                         "limit_requests",
                                                         "limit_concurrent",
                                                         "maintenance",
                                                         "path",
                                                         "access_rule",
                                                         "access_end",
                                                         "access_private",
                                                         "access_port",
                                                         "access_self",
                                                         "challenge",
                                                         "login_failed",
                                                         "login_limit",
                                                         "login_busy",
                                                         "origin_down",
                                                         "queue_full",
                                                         "queue_timeout",
                                                         "limit_connections",
                                                         "quota"};

    (void)state;
    for (unsigned i = 0; i < HTTP_REASON_COUNT; i++) {
        assert_string_equal(http_reason_name((enum http_reason)i), names[i]);
    }
}

static void proxy_errors(void **state)
{
    char out[64];

    (void)state;
    for (unsigned i = 0; i < HTTP_PROXY_ERROR_COUNT; i++) {
        assert_true(strlen(http_proxy_error_name((enum http_proxy_error)i)) > 5);
        unsigned status = http_proxy_error_status((enum http_proxy_error)i);
        assert_string_not_equal(http_status_reason(status), "Unknown");
        assert_true(status >= 400);
    }
    size_t len =
        http_proxy_status_write(out, sizeof(out), SPAN("larder"), HTTP_PROXY_CONNECTION_TIMEOUT);
    assert_span(span_of(out, len), "larder; error=connection_timeout");
    assert_int_equal(http_proxy_error_status(HTTP_PROXY_CONNECTION_TIMEOUT), 504);
    assert_int_equal(http_proxy_status_write(out, 10, SPAN("larder"), HTTP_PROXY_DNS_ERROR), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(reasons),
        cmocka_unit_test(proxy_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
