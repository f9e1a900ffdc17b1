/* Cache-Control, the exact rules of http.md 4.2 and RFC 9111 5.2. */
#include "helper.h"
#include "http/directives.h"

struct row {
    const char *value;
    uint32_t flags;
    uint32_t max_age_s;
    uint32_t s_maxage_s;
};

#define AGE HTTP_CC_MAX_AGE
#define SAGE HTTP_CC_S_MAXAGE

static const struct row rows[] = {
    {"", 0, 0, 0},
    {" , ,", 0, 0, 0},
    {"max-age=60", AGE, 60, 0},
    {"MAX-AGE=60", AGE, 60, 0},
    {"max-age=\"60\"", AGE, 60, 0},
    {"max-age=0060", AGE, 60, 0},
    {"max-age=60, max-age=70", AGE, 60, 0},
    {"max-age=, max-age=70", AGE, 0, 0},
    {"max-age=2147483648", AGE, 2147483648u, 0},
    {"max-age=99999999999999999999999", AGE, 2147483648u, 0},
    {"max-age=-1", AGE, 0, 0},
    {"max-age=1.5", AGE, 0, 0},
    {"max-age=1s", AGE, 0, 0},
    {"max-age='60'", AGE, 0, 0},
    {"max-age =60", AGE, 0, 0},
    {"max-age= 60", AGE, 0, 0},
    {"max-age", AGE, 0, 0},
    {"max-age=\"60", AGE, 0, 0},
    {"max-age=60 no-store", AGE, 0, 0},
    {"max-age = 60", AGE, 0, 0},
    {"max-age\t=60", AGE, 0, 0},
    {"max-age=\"6 0\"", AGE, 0, 0},
    {"max-age=\" 60\"", AGE, 0, 0},
    {"max-age=\"-60\"", AGE, 0, 0},
    {"max-age=\"60\"x", AGE, 0, 0},
    {"max-age=+60", AGE, 0, 0},
    {"max-age=60;", AGE, 0, 0},
    {"max-age=60;a=b", AGE, 0, 0},
    {"max-age=0x3c", AGE, 0, 0},
    {"max-age=1e3", AGE, 0, 0},
    {"max-age=60=60", AGE, 0, 0},
    {"max-age=\"\"", AGE, 0, 0},
    {"max-age=0", AGE, 0, 0},
    {"max-age=2147483647", AGE, 2147483647u, 0},
    {"max-age=4294967297", AGE, 2147483648u, 0},
    {"max-age=18446744073709551617", AGE, 2147483648u, 0},
    {"max-age=\"99999999999999999999\"", AGE, 2147483648u, 0},
    {"max-age=-1, max-age=60", AGE, 0, 0},
    {"max-age=60, max-age=-1", AGE, 60, 0},
    {"Max-Age=60, MAX-AGE=70", AGE, 60, 0},
    {"S-MAXAGE=5, s-maxage=6", SAGE, 0, 5},
    {"s-maxage = 5, max-age=60", AGE | SAGE, 60, 0},
    {"s-max-age=5, smaxage=6", 0, 0, 0},
    {"'max-age=60'", 0, 0, 0},
    {"\"max-age=60\"", 0, 0, 0},
    {"=60, =, max-age=60", AGE, 60, 0},
    {"a=\"max-age=60\", max-age=5", AGE, 5, 0},
    {"a=\"\", max-age=5, b=\"\\\\\", public", AGE | HTTP_CC_PUBLIC, 5, 0},
    {"a='b, no-store'", 0, 0, 0},
    {"a='b, no-store, c'", HTTP_CC_NO_STORE, 0, 0},
    {"a=(no-store), b;no-store", 0, 0, 0},
    {"NO-STORE , PUBLIC", HTTP_CC_NO_STORE | HTTP_CC_PUBLIC, 0, 0},
    /* Behind what we can read: a word that forbids is believed, one that permits is not. */
    {"no-store;, must-revalidate x, private;",
     HTTP_CC_NO_STORE | HTTP_CC_MUST_REVALIDATE | HTTP_CC_PRIVATE, 0, 0},
    {"public;, must-understand x, immutable;1", 0, 0, 0},
    {"public=1", HTTP_CC_PUBLIC, 0, 0},
    {"must-revalidate=\"x\"", HTTP_CC_MUST_REVALIDATE, 0, 0},
    {"s-maxage=5,max-age=60", AGE | SAGE, 60, 5},
    {"s-maxage=x,max-age=60", AGE | SAGE, 60, 0},
    {"xmax-age=60", 0, 0, 0},
    {"a=\"max-age=60, no-store\"", 0, 0, 0},
    {"a=\"\\\", no-store\", public", HTTP_CC_PUBLIC, 0, 0},
    {"a=\"b\", no-store", HTTP_CC_NO_STORE, 0, 0},
    {"No-Store", HTTP_CC_NO_STORE, 0, 0},
    {"no-store=1", HTTP_CC_NO_STORE, 0, 0},
    {"no-storex", 0, 0, 0},
    {"private", HTTP_CC_PRIVATE, 0, 0},
    {"private=\"set-cookie\"", HTTP_CC_PRIVATE_FIELDS, 0, 0},
    {"private=set-cookie", HTTP_CC_PRIVATE_FIELDS, 0, 0},
    {"private=\"a\", private=\"b\"", HTTP_CC_PRIVATE_FIELDS | HTTP_CC_PRIVATE, 0, 0},
    {"private=\"\"", HTTP_CC_PRIVATE, 0, 0},
    {"private=\"a", HTTP_CC_PRIVATE, 0, 0},
    /* A list we cannot read is taken for the whole. */
    {"private=\"X\\-User\"", HTTP_CC_PRIVATE, 0, 0},
    {"private=\"a b\"", HTTP_CC_PRIVATE, 0, 0},
    {"private=\"a, b:\", no-cache=\"a;b\"", HTTP_CC_PRIVATE | HTTP_CC_NO_CACHE, 0, 0},
    {"private=\" , \", no-cache=\",\"", HTTP_CC_PRIVATE | HTTP_CC_NO_CACHE, 0, 0},
    {"private=\" a ,, b \"", HTTP_CC_PRIVATE_FIELDS, 0, 0},
    {"no-cache", HTTP_CC_NO_CACHE, 0, 0},
    {"no-cache=\"a,b\", public", HTTP_CC_NO_CACHE_FIELDS | HTTP_CC_PUBLIC, 0, 0},
    {"must-revalidate,proxy-revalidate,must-understand,no-transform,immutable,only-if-cached",
     HTTP_CC_MUST_REVALIDATE | HTTP_CC_PROXY_REVALIDATE | HTTP_CC_MUST_UNDERSTAND |
         HTTP_CC_NO_TRANSFORM | HTTP_CC_IMMUTABLE | HTTP_CC_ONLY_IF_CACHED,
     0, 0},
    {"max-stale", HTTP_CC_MAX_STALE, 0, 0},
    {"max-stale=x", HTTP_CC_MAX_STALE, 0, 0},
    {"min-fresh=x", HTTP_CC_MIN_FRESH, 0, 0},
    {"stale-while-revalidate=-1, stale-if-error=1.0",
     HTTP_CC_STALE_WHILE_REVALIDATE | HTTP_CC_STALE_IF_ERROR, 0, 0},
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_directives directives = {0};
        http_directives_parse(&directives, span_str(rows[i].value));
        if (directives.flags != rows[i].flags || directives.max_age_s != rows[i].max_age_s ||
            directives.s_maxage_s != rows[i].s_maxage_s) {
            fail_msg("%s: flags %x max-age %u s-maxage %u", rows[i].value, directives.flags,
                     directives.max_age_s, directives.s_maxage_s);
        }
    }
}

static void ages(void **state)
{
    struct http_directives d = {0};

    (void)state;
    http_directives_parse(&d, span_str("max-stale=9, min-fresh=8, stale-while-revalidate=7, "
                                       "stale-if-error=6, max-stale"));
    assert_int_equal(d.max_stale_s, 9);
    assert_int_equal(d.min_fresh_s, 8);
    assert_int_equal(d.stale_while_revalidate_s, 7);
    assert_int_equal(d.stale_if_error_s, 6);
    d = (struct http_directives){0};
    http_directives_parse(&d, span_str("max-stale=x, min-fresh = 8, stale-while-revalidate=-7, "
                                       "stale-if-error, max-stale, stale-while-revalidate=5, "
                                       "stale-if-error=6"));
    assert_int_equal(d.max_stale_s, 0);
    assert_int_equal(d.min_fresh_s, 0);
    assert_int_equal(d.stale_while_revalidate_s, 0);
    assert_int_equal(d.stale_if_error_s, 0);
    d = (struct http_directives){0};
    http_directives_parse(&d, span_str("max-stale, max-stale=5, no-cache=\"x, y\""));
    assert_int_equal(d.max_stale_s, HTTP_AGE_MAX_S);
    assert_span(d.no_cache_fields, "x, y");
}

static void lines(void **state)
{
    struct message message = {0};
    struct http_directives d;

    (void)state;
    http_directives_of(&d, message_fields(&message, "Cache-Control: max-age=5, a=\"\r\n"
                                                    "X: no-store\r\n"
                                                    "cache-control: public, max-age=9\r\n"));
    assert_int_equal(d.flags, HTTP_CC_MAX_AGE | HTTP_CC_PUBLIC);
    assert_int_equal(d.max_age_s, 5);
}

static void pragma(void **state)
{
    struct message message = {0};
    struct http_directives d;

    (void)state;
    http_directives_of_request(&d, message_fields(&message, "Pragma: foo, No-Cache\r\n"));
    assert_int_equal(d.flags, HTTP_CC_NO_CACHE);
    http_directives_of_request(
        &d, message_fields(&message, "Pragma: no-cache\r\nCache-Control: max-age=1\r\n"));
    assert_int_equal(d.flags, HTTP_CC_MAX_AGE);
    http_directives_of_request(&d, message_fields(&message, "Pragma: x\r\n"));
    assert_int_equal(d.flags, 0);
    http_directives_of(&d, message_fields(&message, "Pragma: no-cache\r\n"));
    assert_int_equal(d.flags, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(ages),
        cmocka_unit_test(lines),
        cmocka_unit_test(pragma),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
