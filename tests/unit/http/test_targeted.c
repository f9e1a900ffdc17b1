/* Targeted cache control (RFC 9213): which field speaks, what its dictionary says, and what that
 * means for storing and freshness. */
#include "helper.h"
#include "http/freshness.h"
#include "http/head.h"
#include "http/targeted.h"

#define NOW_S 784111777
#define NOW_MS ((int64_t)NOW_S * 1000)
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static const struct span names[] = {
    {"Larder-Cache-Control", 20}, {"CDN-Cache-Control", 17}, {"Surrogate-Control", 17}};
static const struct http_targeted targeted = {names, 3};

/* ---- 2.1: the dictionary ---- */

struct word_row {
    const char *value;
    uint32_t flags;
    uint32_t max_age_s;
};

#define AGE HTTP_CC_MAX_AGE

static const struct word_row word_rows[] = {
    {"max-age=60", AGE, 60},
    {"max-age=060", AGE, 60},
    {"max-age=60;x=y", AGE, 60},
    {"max-age=99999999999", AGE, HTTP_AGE_MAX_S},
    {"max-age=10, max-age=60", AGE, 60}, /* RFC 8941: the last one */
    {"max-age=60, max-age=a", AGE, 0},
    {"max-age=a, max-age=60", AGE, 60},
    {"max-age=-1", AGE, 0},
    {"max-age=60.0", AGE, 0},
    {"max-age=\"60\"", AGE, 0},
    {"max-age", AGE, 0},
    {"max-age=a60", AGE, 0},
    {"max-age=(60)", AGE, 0},
    {"max-age=?1", AGE, 0},
    {"s-maxage=x", HTTP_CC_S_MAXAGE, 0},
    {"no-store", HTTP_CC_NO_STORE, 0},
    {"no-store=?1", HTTP_CC_NO_STORE, 0},
    {"no-store=?0", 0, 0},
    {"no-store, no-store=?0", 0, 0},
    {"no-store=1", HTTP_CC_NO_STORE, 0},
    {"no-store=\"x\"", HTTP_CC_NO_STORE, 0},
    {"must-revalidate, proxy-revalidate=2, no-transform",
     HTTP_CC_MUST_REVALIDATE | HTTP_CC_PROXY_REVALIDATE | HTTP_CC_NO_TRANSFORM, 0},
    {"public", HTTP_CC_PUBLIC, 0},
    {"public=1", 0, 0},
    {"public=?0", 0, 0},
    {"immutable, must-understand", HTTP_CC_IMMUTABLE | HTTP_CC_MUST_UNDERSTAND, 0},
    {"must-understand=x", 0, 0},
    {"private", HTTP_CC_PRIVATE, 0},
    {"private=?0", 0, 0},
    {"private=\"x\"", HTTP_CC_PRIVATE_FIELDS, 0},
    {"private=\"\"", HTTP_CC_PRIVATE, 0},
    {"private=\"x\\\"\"", HTTP_CC_PRIVATE, 0},
    {"private=x", HTTP_CC_PRIVATE, 0},
    {"private=\"a b\"", HTTP_CC_PRIVATE, 0},
    {"private=\" ,\"", HTTP_CC_PRIVATE, 0},
    {"private=\"x\", private", HTTP_CC_PRIVATE, 0},
    {"no-cache", HTTP_CC_NO_CACHE, 0},
    {"no-cache=\"a, b\"", HTTP_CC_NO_CACHE_FIELDS, 0},
    {"no-cache=1", HTTP_CC_NO_CACHE, 0},
    {"stale-while-revalidate=5, stale-if-error=6",
     HTTP_CC_STALE_WHILE_REVALIDATE | HTTP_CC_STALE_IF_ERROR, 0},
    {"stale-while-revalidate=a, stale-if-error=-6",
     HTTP_CC_STALE_WHILE_REVALIDATE | HTTP_CC_STALE_IF_ERROR, 0},
    {"unknown=60, x", 0, 0},
    {"a=\"no-store, max-age=60\"", 0, 0},
    {"min-fresh=5, max-stale, only-if-cached", 0, 0}, /* those of requests */
};

static void rfc9213_2_1_directives(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(word_rows) / sizeof(word_rows[0]); i++) {
        struct message message;
        struct http_directives directives;
        char line[256];
        (void)snprintf(line, sizeof(line), "cdn-cache-control: %s\r\n", word_rows[i].value);
        assert_true(http_targeted_parse(&directives, message_fields(&message, line), names[1]));
        if (directives.flags != word_rows[i].flags ||
            directives.max_age_s != word_rows[i].max_age_s) {
            fail_msg("%s: flags %x max-age %u", word_rows[i].value, directives.flags,
                     directives.max_age_s);
        }
    }
}

static void rfc9213_2_1_void_fields_count_as_absent(void **state)
{
    static const char *const lines[] = {
        "",
        "CDN-Cache-Control:\r\n",
        "CDN-Cache-Control: max-age=60,\r\n",
        "CDN-Cache-Control: Max-Age=60\r\n",
        "CDN-Cache-Control: max-age=60, &\r\n",
        "CDN-Cache-Control: max-age = 60\r\n",
        "CDN-Cache-Control: max-age='60'\r\n",
        "CDN-Cache-Control: no-store; max-age=60;\r\n",
        "CDN-Cache-Control: max-age=60\r\nCDN-Cache-Control: B\r\n",
        "CDN-Cache-Control: max-age=60\r\nCDN-Cache-Control:\r\n",
        "CDN-Cache-Control:\r\nCDN-Cache-Control: max-age=60\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct message message;
        struct http_directives directives = {.flags = 1};
        if (http_targeted_parse(&directives, message_fields(&message, lines[i]), names[1])) {
            fail_msg("believed: %s", lines[i]);
        }
        assert_int_equal(directives.flags, 0);
        assert_int_equal(directives.max_age_s, 0);
    }
}

static void rfc9213_2_2_order_of_fields(void **state)
{
    static const struct {
        const char *lines;
        uint32_t max_age_s;
        bool is_targeted;
    } order[] = {
        {"Cache-Control: max-age=1\r\n", 1, false},
        {"Cache-Control: max-age=1\r\nCDN-Cache-Control: max-age=2\r\n", 2, true},
        {"CDN-Cache-Control: max-age=2\r\nLARDER-cache-control: max-age=3\r\n", 3, true},
        {"CDN-Cache-Control: max-age=2\r\nLarder-Cache-Control: MAX-AGE=3\r\n", 2, true},
        {"CDN-Cache-Control: &\r\nLarder-Cache-Control:\r\nCache-Control: max-age=1\r\n", 1, false},
        {"Surrogate-Control: max-age=4, content=\"ESI/1.0\"\r\n", 4, true},
        {"Surrogate-Control: max-age=4+600\r\nCache-Control: max-age=1\r\n", 1, false},
        {"CDN-Cache-Control: public\r\nCDN-Cache-Control: max-age=2\r\n", 2, true},
        {"Other-Cache-Control: max-age=9\r\nCache-Control: max-age=1\r\n", 1, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        struct message message;
        struct http_directives directives;
        bool is_targeted = http_directives_of_response(
            &directives, message_fields(&message, order[i].lines), &targeted);
        if (is_targeted != order[i].is_targeted || directives.max_age_s != order[i].max_age_s) {
            fail_msg("%s: max-age %u", order[i].lines, directives.max_age_s);
        }
    }
    struct message message;
    struct http_directives directives;
    const struct http_targeted off = {0};
    assert_false(http_directives_of_response(
        &directives,
        message_fields(&message, "CDN-Cache-Control: no-store\r\nCache-Control: max-age=1\r\n"),
        &off));
    assert_int_equal(directives.flags, HTTP_CC_MAX_AGE);
}

/* ---- what follows from it ---- */

struct use_row {
    const char *fields;
    enum http_store_verdict verdict;
    uint32_t lifetime_s;
    enum http_lifetime_source source;
    uint16_t flags; /* beside those of validators and length */
};

static const struct use_row use_rows[] = {
    {"CDN-Cache-Control: max-age=60\r\nCache-Control: no-store\r\n", HTTP_STORE_OK, 60,
     HTTP_LIFETIME_TARGETED, 0},
    {"CDN-Cache-Control: no-store\r\nCache-Control: max-age=60\r\n", HTTP_STORE_NO_STORE, 0,
     HTTP_LIFETIME_NONE, 0},
    {"CDN-Cache-Control: private\r\nCache-Control: max-age=60\r\n", HTTP_STORE_PRIVATE, 0,
     HTTP_LIFETIME_NONE, 0},
    {"CDN-Cache-Control: max-age=60\r\nCache-Control: private, must-revalidate, no-cache\r\n",
     HTTP_STORE_OK, 60, HTTP_LIFETIME_TARGETED, 0},
    {"CDN-Cache-Control: max-age=60, must-revalidate\r\n", HTTP_STORE_OK, 60,
     HTTP_LIFETIME_TARGETED, HTTP_STORED_MUST_REVALIDATE},
    {"CDN-Cache-Control: max-age=60, no-cache\r\n", HTTP_STORE_OK, 60, HTTP_LIFETIME_TARGETED,
     HTTP_STORED_NO_CACHE},
    {"CDN-Cache-Control: max-age=60\r\nExpires: 0\r\nPragma: no-cache\r\n", HTTP_STORE_OK, 60,
     HTTP_LIFETIME_TARGETED, 0},
    /* Wholly: neither Expires nor max-age lend a lifetime to a field that says none. */
    {"CDN-Cache-Control: public\r\nExpires: Sun, 06 Nov 1994 09:49:37 GMT\r\n",
     HTTP_STORE_NO_LIFETIME, 0, HTTP_LIFETIME_NONE, 0},
    {"CDN-Cache-Control: x\r\nCache-Control: max-age=60\r\n", HTTP_STORE_NO_LIFETIME, 0,
     HTTP_LIFETIME_NONE, 0},
    {"CDN-Cache-Control: max-age=a\r\nCache-Control: max-age=60\r\nETag: \"e\"\r\n", HTTP_STORE_OK,
     0, HTTP_LIFETIME_TARGETED, 0},
    {"CDN-Cache-Control: max-age=60, s-maxage=30\r\n", HTTP_STORE_OK, 30, HTTP_LIFETIME_TARGETED,
     HTTP_STORED_MUST_REVALIDATE},
    {"CDN-Cache-Control: max-age=60,,\r\nCache-Control: max-age=9\r\n", HTTP_STORE_OK, 9,
     HTTP_LIFETIME_MAX_AGE, 0},
    {"CDN-Cache-Control: max-age=60, no-cache=\"x\"\r\n", HTTP_STORE_OK, 60, HTTP_LIFETIME_TARGETED,
     HTTP_STORED_NO_CACHE_FIELDS},
};

static struct http_response *response_of(struct message *message, const char *fields)
{
    char head[1024];

    (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%s" DATE "\r\n", fields);
    return message_response(message, head);
}

static void rfc9213_2_2_replaces_everything(void **state)
{
    const struct http_store_request get = {.method = HTTP_GET};
    const struct http_freshness_options options = {.targeted = targeted};
    const uint16_t others =
        HTTP_STORED_HAS_ETAG | HTTP_STORED_HAS_LAST_MODIFIED | HTTP_STORED_NO_LENGTH;

    (void)state;
    for (size_t i = 0; i < sizeof(use_rows) / sizeof(use_rows[0]); i++) {
        const struct use_row *row = &use_rows[i];
        struct message message;
        struct http_stored stored;
        struct http_response *response = response_of(&message, row->fields);
        enum http_store_verdict verdict = http_may_store(&get, response, NOW_S, &options);
        http_stored_init(&stored, response, NOW_MS, NOW_MS, &options);
        if (verdict != row->verdict || stored.lifetime_s != row->lifetime_s ||
            stored.source != row->source || (stored.flags & ~(unsigned)others) != row->flags) {
            fail_msg("%s: %s, lifetime %u by %u, flags %x", row->fields,
                     http_store_verdict_name(verdict), stored.lifetime_s, stored.source,
                     stored.flags);
        }
    }
}

static void rfc9213_2_2_age_applies(void **state)
{
    const struct http_freshness_options options = {.targeted = targeted};
    struct message message;
    struct http_stored stored;

    (void)state;
    http_stored_init(&stored, response_of(&message, "Age: 50\r\nCDN-Cache-Control: max-age=60\r\n"),
                     NOW_MS, NOW_MS, &options);
    assert_int_equal(http_judge(&stored, NULL, NOW_MS + 9000), HTTP_FRESH);
    assert_int_equal(http_judge(&stored, NULL, NOW_MS + 10000), HTTP_VALIDATE);
}

static void rfc9213_2_2_stale_directives(void **state)
{
    const struct http_freshness_options options = {.targeted = targeted, .stale_if_error_s = 99};
    struct message message;
    struct http_stored stored;

    (void)state;
    http_stored_init(&stored,
                     response_of(&message, "CDN-Cache-Control: max-age=1, "
                                           "stale-while-revalidate=5, stale-if-error=6\r\n"
                                           "Cache-Control: stale-while-revalidate=8\r\n"),
                     NOW_MS, NOW_MS, &options);
    assert_int_equal(stored.stale_while_revalidate_s, 5);
    assert_int_equal(stored.stale_if_error_s, 6);
    http_stored_init(&stored,
                     response_of(&message, "CDN-Cache-Control: max-age=1\r\n"
                                           "Cache-Control: stale-while-revalidate=8\r\n"),
                     NOW_MS, NOW_MS, &options);
    assert_int_equal(stored.stale_while_revalidate_s, 0);
    assert_int_equal(stored.stale_if_error_s, 99);
}

static void rfc9213_2_2_authorization_and_cookies(void **state)
{
    const struct http_store_request request = {.method = HTTP_GET, .has_authorization = true};
    const struct http_store_request get = {.method = HTTP_GET};
    const struct http_freshness_options options = {.targeted = targeted};
    struct message message;

    (void)state;
    assert_int_equal(http_may_store(&request,
                                    response_of(&message, "CDN-Cache-Control: max-age=60\r\n"
                                                          "Cache-Control: public, max-age=60\r\n"),
                                    NOW_S, &options),
                     HTTP_STORE_AUTHORIZATION);
    assert_int_equal(
        http_may_store(&request, response_of(&message, "CDN-Cache-Control: max-age=60, public\r\n"),
                       NOW_S, &options),
        HTTP_STORE_OK);
    assert_int_equal(http_may_store(&get,
                                    response_of(&message, "CDN-Cache-Control: max-age=60\r\n"
                                                          "Cache-Control: public\r\n"
                                                          "Set-Cookie: a\r\n"),
                                    NOW_S, &options),
                     HTTP_STORE_SET_COOKIE);
}

static void rfc9213_after_a_304(void **state)
{
    const struct http_freshness_options options = {.targeted = targeted};
    const int64_t times_ms[2] = {NOW_MS, NOW_MS};
    struct message merged;
    struct message update;
    struct http_stored stored;

    (void)state;
    http_stored_refresh(&stored, response_of(&merged, "CDN-Cache-Control: max-age=7\r\n"),
                        response_of(&update, "Cache-Control: max-age=99\r\n"), times_ms, &options);
    assert_int_equal(stored.lifetime_s, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc9213_2_1_directives),
        cmocka_unit_test(rfc9213_2_1_void_fields_count_as_absent),
        cmocka_unit_test(rfc9213_2_2_order_of_fields),
        cmocka_unit_test(rfc9213_2_2_replaces_everything),
        cmocka_unit_test(rfc9213_2_2_age_applies),
        cmocka_unit_test(rfc9213_2_2_stale_directives),
        cmocka_unit_test(rfc9213_2_2_authorization_and_cookies),
        cmocka_unit_test(rfc9213_after_a_304),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
