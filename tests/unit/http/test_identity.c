/* Fields that say who asks, and how much of a Referer is told. */
#include "helper.h"
#include "http/identity.h"
#include "http/referer.h"

static enum http_identity identity_of(const char *name)
{
    struct http_field item;
    struct http_fields fields;

    http_fields_init(&fields, &item, 1);
    assert_true(http_fields_add(&fields, span_str(name), SPAN("v")));
    return http_field_identity(&item);
}

static const struct {
    enum http_identity identity;
    const char *names[96];
} rows[] = {
    {HTTP_IDENTITY_ADDRESS,
     {"X-Real-IP",
      "X-RealIP",
      "X-Client-IP",
      "X-ClientIP",
      "X-Client-Address",
      "X-Client-Addr",
      "Client-IP",
      "True-Client-IP",
      "X-True-Client-IP",
      "X-True-IP",
      "X-Cluster-Client-IP",
      "Cluster-Client-IP",
      "X-Originating-IP",
      "X-Originating-Client-IP",
      "X-Original-IP",
      "X-Original-Remote-Addr",
      "X-Remote-IP",
      "X-Remote-Addr",
      "X-Remote-Address",
      "Remote-IP",
      "Remote-Addr",
      "CF-Connecting-IP",
      "CF-Connecting-IPv6",
      "CF-Pseudo-IPv4",
      "Fastly-Client-IP",
      "Fly-Client-IP",
      "DO-Connecting-IP",
      "Incap-Client-IP",
      "Akamai-Client-IP",
      "X-Akamai-Client-IP",
      "Ali-CDN-Real-IP",
      "CDN-Src-IP",
      "CDN-Real-IP",
      "X-Sucuri-ClientIP",
      "X-Azure-ClientIP",
      "X-Azure-SocketIP",
      "X-AppEngine-User-IP",
      "X-AppEngine-Remote-Addr",
      "X-Envoy-External-Address",
      "X-NF-Client-Connection-IP",
      "X-Vercel-Forwarded-For",
      "X-Vercel-Proxied-For",
      "X-Original-Forwarded-For",
      "Forwarded-For",
      "Forwarded-For-IP",
      "X-ProxyUser-IP",
      "WL-Proxy-Client-IP",
      "Proxy-Client-IP",
      "HTTP-Client-IP",
      "HTTP_X_FORWARDED_FOR",
      "X-Forward-For",
      "X-ProxyMesh-IP",
      "X-Client-Port",
      "Client-Port",
      "X-Real-Port",
      "X-Remote-Port",
      "Remote-Port",
      "X-Source-Port"}},
    {HTTP_IDENTITY_PERSON,
     {"From",
      "Via",
      "Forwarded",
      "X-Forwarded",
      "X-Forwarded-For",
      "X-Forwarded-Host",
      "X-Forwarded-Port",
      "X-Forwarded-Proto",
      "X-Forwarded-Prefix",
      "X-Forwarded-Scheme",
      "X-Forwarded-User",
      "X-Forwarded-Email",
      "X-Forwarded-Client-Cert",
      "Proxy-Connection",
      "Proxy-Authorization",
      "Proxy-Authenticate",
      "Proxy-Status",
      "Proxy-Whatever",
      "Remote-User",
      "X-Remote-User",
      "X-Authenticated-User",
      "X-Authenticated-Groups",
      "X-Client-Username",
      "X-Proxy-User",
      "X-Proxy-ID",
      "X-Auth-Request-User",
      "X-Auth-Request-Email",
      "X-Auth-Request-Groups",
      "X-Auth-Request-Preferred-Username",
      "X-Client",
      "Client-Cert",
      "Client-Cert-Chain",
      "X-Client-Cert",
      "X-Client-DN",
      "X-SSL-Client-Cert",
      "X-SSL-Client-DN",
      "X-SSL-Client-S-DN",
      "X-ARR-ClientCert",
      "X-Amzn-Mtls-Clientcert",
      "X-Amzn-Mtls-Clientcert-Subject",
      "X-ATT-DeviceId",
      "X-MSISDN",
      "X-UP-Calling-Line-ID",
      "X-UP-Subno",
      "X-UIDH",
      "X-BlueCoat-Via",
      "X-Client-Host",
      "X-Remote-Host",
      "Remote-Host",
      "Client-Address",
      "X-Source-IP",
      "X-Peer-IP",
      "X-User-IP",
      "X-IP",
      "X-Coming-From",
      "Coming-From"}},
    {HTTP_IDENTITY_TRAP, {"Proxy", "Larder-Hops"}},
    {HTTP_IDENTITY_NONE,
     {"Host",
      "Accept",
      "User-Agent",
      "Referer",
      "Cookie",
      "Authorization",
      "Cache-Control",
      "Content-Type",
      "Content-IP",
      "X-Real",
      "X-Requested-With",
      "DNT",
      "Origin",
      "Fro",
      "Froms",
      "Proxies",
      "A",
      "X-Forward",
      "Sec-Fetch-Site",
      "Priority",
      "Max-Forwards",
      "CDN-Loop",
      "traceparent",
      "~From",
      "1"}},
};

static void each_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t j = 0; j < ARRAY_LEN(rows[i].names) && rows[i].names[j] != NULL; j++) {
            const char *name = rows[i].names[j];
            char other[64];
            size_t len = strlen(name);
            assert_int_equal(identity_of(name), rows[i].identity);
            /* letter case is nothing */
            for (size_t k = 0; k <= len; k++) {
                other[k] = k % 2 == 0                         ? ascii_lower(name[k])
                           : name[k] >= 'a' && name[k] <= 'z' ? (char)(name[k] - 32)
                                                              : name[k];
            }
            assert_int_equal(identity_of(other), rows[i].identity);
            /* and "_" is "-" */
            for (size_t k = 0; k <= len; k++) {
                other[k] = name[k] == '-' ? '_' : name[k];
            }
            assert_int_equal(identity_of(other), rows[i].identity);
            memset(other, 'x', sizeof(other)); /* longer than any of them */
            memcpy(other, "A_", 2);
            other[63] = '\0';
            assert_int_equal(identity_of(other), HTTP_IDENTITY_NONE);
        }
    }
}

static const struct {
    const char *referer, *origin;
    const char *scheme, *authority;
    bool is_same;
} referers[] = {
    {"http://a.test/p?q#f", "http://a.test", "http", "a.test", true},
    {"http://a.test", "http://a.test", "http", "a.test", true},
    {"HTTP://A.test:80/p", "HTTP://A.test:80", "http", "a.test", true},
    {"http://a.test:8080/", "http://a.test:8080", "http", "a.test:8080", true},
    {"https://a.test/", "https://a.test", "https", "a.test:443", true},
    {"https://a.test/", "https://a.test", "http", "a.test", false},
    {"http://a.test:8080/", "http://a.test:8080", "http", "a.test", false},
    {"http://b.a.test/", "http://b.a.test", "http", "a.test", false},
    {"http://[::1]/x", "http://[::1]", "http", "[::1]", true},
    {"http://user:pw@a.test/", "", "http", "a.test", false},
    {"/p", "", "http", "a.test", false},
    {"about:blank", "", "http", "a.test", false},
    {"ftp://a.test/", "", "http", "a.test", false},
    {"http:///p", "", "http", "", false},
    {"", "", "http", "a.test", false},
};

static void each_referer(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(referers); i++) {
        struct span referer = span_str(referers[i].referer);
        if (!span_eq(http_referer_origin(referer), span_str(referers[i].origin)) ||
            http_referer_is_same(referer, span_str(referers[i].scheme),
                                 span_str(referers[i].authority)) != referers[i].is_same) {
            fail_msg("%s", referers[i].referer);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name),
        cmocka_unit_test(each_referer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
