/* The operator's ttl: in place of the lifetime a response states (RFC 9111 4.2.1), never of what it
 * forbids (5.2.2). */
#include "base/check.h"
#include "helper.h"
#include "http/freshness.h"

#define NOW_S INT64_C(1767225600) /* Thu, 01 Jan 2026 00:00:00 GMT */
#define NOW_MS (NOW_S * 1000)
#define DATE "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"

static const struct {
    const char *lines;
    enum http_store_verdict verdict;
    enum http_judgement judgement; /* 59 s later; of those that may be stored */
} cases[] = {
    {"", HTTP_STORE_OK, HTTP_FRESH},
    {DATE, HTTP_STORE_OK, HTTP_FRESH},
    {DATE "Cache-Control: max-age=0\r\n", HTTP_STORE_OK, HTTP_FRESH},
    {DATE "Cache-Control: s-maxage=1\r\n", HTTP_STORE_OK, HTTP_FRESH},
    {DATE "Cache-Control: max-age=9999\r\n", HTTP_STORE_OK, HTTP_FRESH},
    {DATE "Expires: 0\r\n", HTTP_STORE_OK, HTTP_FRESH},
    {DATE "Age: 5000\r\n", HTTP_STORE_OK, HTTP_FRESH},
    {"Date: Wed, 31 Dec 2025 00:00:00 GMT\r\n", HTTP_STORE_OK, HTTP_FRESH},
    {DATE "Age: 99999999999\r\n", HTTP_STORE_OK, HTTP_VALIDATE}, /* the sum saturates */
    {DATE "Cache-Control: no-cache\r\n", HTTP_STORE_OK, HTTP_VALIDATE},
    {DATE "Cache-Control: no-store\r\n", HTTP_STORE_NO_STORE, HTTP_FRESH},
    {DATE "Cache-Control: private\r\n", HTTP_STORE_PRIVATE, HTTP_FRESH},
    {DATE "Set-Cookie: a=b\r\n", HTTP_STORE_SET_COOKIE, HTTP_FRESH},
    {DATE "Vary: *\r\n", HTTP_STORE_VARY_STAR, HTTP_FRESH},
};

static struct http_response *response_of(struct message *message, const char *lines)
{
    (void)message_fields(message, lines);
    return &message->response;
}

static void test_in_place_of_the_stated(void **state)
{
    static const struct http_store_request get = {.method = HTTP_GET};
    /* Bounds are of what responses state. */
    const struct http_freshness_options options = {
        .has_ttl = true, .ttl_s = 60, .min_ttl_s = 600, .max_ttl_s = 5, .default_ttl_s = 7};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct message message;
        struct http_stored stored;
        struct http_response *response = response_of(&message, cases[i].lines);
        if (http_may_store(&get, response, NOW_S, &options) != cases[i].verdict) {
            fail_msg("stored or not: %s", cases[i].lines);
        }
        if (cases[i].verdict != HTTP_STORE_OK) {
            continue;
        }
        http_stored_init(&stored, response, NOW_MS, NOW_MS, &options);
        assert_int_equal(stored.source, HTTP_LIFETIME_RULE);
        if (http_judge(&stored, NULL, NOW_MS + 59000) != cases[i].judgement) {
            fail_msg("judged wrongly: %s", cases[i].lines);
        }
        assert_int_equal(http_judge(&stored, NULL, NOW_MS + 60000), HTTP_VALIDATE);
    }
}

/* 0: only with a validator, and asked about each time. */
static void test_zero(void **state)
{
    static const struct http_store_request get = {.method = HTTP_GET};
    const struct http_freshness_options options = {.has_ttl = true};
    struct message message;
    struct http_stored stored;

    (void)state;
    struct http_response *response = response_of(&message, DATE "Cache-Control: max-age=9\r\n");
    assert_int_equal(http_may_store(&get, response, NOW_S, &options), HTTP_STORE_NO_LIFETIME);
    response = response_of(&message, DATE "Cache-Control: max-age=9\r\nETag: \"1\"\r\n");
    assert_int_equal(http_may_store(&get, response, NOW_S, &options), HTTP_STORE_OK);
    http_stored_init(&stored, response, NOW_MS, NOW_MS, &options);
    assert_int_equal(http_judge(&stored, NULL, NOW_MS), HTTP_VALIDATE);
}

/* A request with credentials is not helped by it (RFC 9111 3.5). */
static void test_authorization(void **state)
{
    static const struct http_store_request request = {.method = HTTP_GET,
                                                      .has_authorization = true};
    const struct http_freshness_options options = {.has_ttl = true, .ttl_s = 60};
    struct message message;

    (void)state;
    assert_int_equal(http_may_store(&request, response_of(&message, DATE), NOW_S, &options),
                     HTTP_STORE_AUTHORIZATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_place_of_the_stated),
                                       cmocka_unit_test(test_zero),
                                       cmocka_unit_test(test_authorization)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
