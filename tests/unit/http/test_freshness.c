/* Storing, lifetimes, ages and use (RFC 9111 3, 4.2, 4.4, 5.2; RFC 5861). */
#include "helper.h"
#include "http/date.h"
#include "http/freshness.h"

/* The fields below say "Date: now" with this text. */
#define NOW_S 784111777
#define NOW_MS ((int64_t)NOW_S * 1000)
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define YEAR_OLD "Last-Modified: Sat, 06 Nov 1993 08:49:37 GMT\r\n"

struct store_row {
    const char *head;
    enum http_store_verdict verdict;
};

static const struct store_row store_rows[] = {
    {"200 OK\r\nCache-Control: max-age=60\r\n", HTTP_STORE_OK},
    {"200 OK\r\n", HTTP_STORE_NO_LIFETIME},
    {"200 OK\r\nETag: \"a\"\r\n", HTTP_STORE_OK},
    {"200 OK\r\nCache-Control: max-age=0\r\n", HTTP_STORE_NO_LIFETIME},
    {"200 OK\r\nCache-Control: max-age=0, stale-while-revalidate=5\r\n", HTTP_STORE_OK},
    {"200 OK\r\nCache-Control: max-age=0, stale-if-error=5\r\n", HTTP_STORE_OK},
    {"200 OK\r\nExpires: 0\r\nCache-Control: stale-if-error=5\r\n", HTTP_STORE_OK},
    {"200 OK\r\nCache-Control: stale-if-error=5\r\n", HTTP_STORE_NO_LIFETIME},
    {"200 OK\r\nCache-Control: max-age=0, stale-if-error=0\r\n", HTTP_STORE_NO_LIFETIME},
    {"200 OK\r\nCache-Control: max-age=0, must-revalidate, stale-while-revalidate=5\r\n",
     HTTP_STORE_NO_LIFETIME},
    {"200 OK\r\nCache-Control: max-age=0, proxy-revalidate, stale-while-revalidate=5\r\n",
     HTTP_STORE_NO_LIFETIME},
    {"200 OK\r\nCache-Control: no-cache, max-age=0, stale-while-revalidate=5\r\n",
     HTTP_STORE_NO_LIFETIME},
    {"200 OK\r\nCache-Control: s-maxage=0, stale-while-revalidate=5\r\n", HTTP_STORE_NO_LIFETIME},
    {"200 OK\r\nCache-Control: max-age=0\r\nETag: \"a\"\r\n", HTTP_STORE_OK},
    {"200 OK\r\nCache-Control: no-cache\r\nETag: \"a\"\r\n", HTTP_STORE_OK},
    {"200 OK\r\nCache-Control: max-age=60, no-store\r\n", HTTP_STORE_NO_STORE},
    {"200 OK\r\nCache-Control: max-age=60\r\nCache-Control: NO-STORE\r\n", HTTP_STORE_NO_STORE},
    {"200 OK\r\nCache-Control: max-age=60, private\r\n", HTTP_STORE_PRIVATE},
    {"200 OK\r\nCache-Control: max-age=60, private=\"x\"\r\n", HTTP_STORE_OK},
    {"200 OK\r\nCache-Control: max-age=60\r\nSet-Cookie: a\r\n", HTTP_STORE_SET_COOKIE},
    {"200 OK\r\nCache-Control: max-age=60, public\r\nSet-Cookie: a\r\n", HTTP_STORE_OK},
    {"200 OK\r\nCache-Control: s-maxage=60\r\nSet-Cookie: a\r\n", HTTP_STORE_OK},
    {"200 OK\r\nCache-Control: max-age=60\r\nVary: a, *\r\n", HTTP_STORE_VARY_STAR},
    {"200 OK\r\nCache-Control: max-age=60\r\nVary: a\r\nVary: ,*\r\n", HTTP_STORE_VARY_STAR},
    {"200 OK\r\nCache-Control: max-age=60\r\nVary: Accept\r\n", HTTP_STORE_OK},
    {"200 OK\r\nExpires: Sun, 06 Nov 1994 08:50:37 GMT\r\n" DATE, HTTP_STORE_OK},
    {"200 OK\r\nExpires: Sun, 06 Nov 1994 08:49:37 GMT\r\n" DATE, HTTP_STORE_NO_LIFETIME},
    {"200 OK\r\nExpires: 0\r\n" DATE, HTTP_STORE_NO_LIFETIME},
    {"206 Part\r\nCache-Control: max-age=60\r\n", HTTP_STORE_STATUS},
    {"304 Not\r\nCache-Control: max-age=60\r\n", HTTP_STORE_STATUS},
    {"103 Hints\r\nCache-Control: max-age=60\r\n", HTTP_STORE_STATUS},
    {"302 Found\r\n", HTTP_STORE_STATUS},
    {"302 Found\r\nETag: \"a\"\r\n", HTTP_STORE_STATUS},
    {"302 Found\r\nCache-Control: max-age=60\r\n", HTTP_STORE_OK},
    {"500 Oops\r\n", HTTP_STORE_STATUS},
    {"500 Oops\r\nCache-Control: max-age=60\r\n", HTTP_STORE_OK},
    {"599 Odd\r\nCache-Control: max-age=60\r\n", HTTP_STORE_OK},
    {"599 Odd\r\nCache-Control: max-age=60, must-understand\r\n", HTTP_STORE_STATUS},
    {"200 OK\r\nCache-Control: max-age=60, must-understand, no-store\r\n", HTTP_STORE_OK},
    {"404 No\r\nCache-Control: max-age=60\r\nContent-Length: 1001\r\n", HTTP_STORE_TOO_LARGE},
    {"404 No\r\nCache-Control: max-age=60\r\nContent-Length: 1000\r\n", HTTP_STORE_OK},
    {"200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
     HTTP_STORE_FRAMING},
    {"200 OK\r\nCache-Control: max-age=60\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n"
     "Transfer-Encoding: chunked\r\n",
     HTTP_STORE_STREAM},
    {"200 OK\r\nCache-Control: max-age=60\r\nContent-Type: multipart/x-mixed-replace;boundary=a\r\n",
     HTTP_STORE_STREAM},
    {"200 OK\r\nCache-Control: max-age=60\r\nContent-Type: text/event-stream\r\n"
     "Content-Length: 5\r\n",
     HTTP_STORE_OK},
    {"200 OK\r\nCache-Control: max-age=60\r\nContent-Type: text/event-streams\r\n", HTTP_STORE_OK},
};

static struct http_response *response_of(struct message *message, const char *rest)
{
    char head[2048];

    (void)snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n", rest);
    return message_response(message, head);
}

static void storing(void **state)
{
    const struct http_store_request get = {.method = HTTP_GET};
    const struct http_freshness_options options = {.max_object_bytes = 1000};

    (void)state;
    for (size_t i = 0; i < sizeof(store_rows) / sizeof(store_rows[0]); i++) {
        struct message message;
        enum http_store_verdict verdict =
            http_may_store(&get, response_of(&message, store_rows[i].head), NOW_S, &options);
        if (verdict != store_rows[i].verdict) {
            fail_msg("%s: %s, expected %s", store_rows[i].head, http_store_verdict_name(verdict),
                     http_store_verdict_name(store_rows[i].verdict));
        }
    }
}

static enum http_store_verdict ask(const struct http_store_request *request, const char *head,
                                   const struct http_freshness_options *options)
{
    struct message message;

    return http_may_store(request, response_of(&message, head), NOW_S, options);
}

static void storing_by_request(void **state)
{
    const struct http_freshness_options options = {0};
    const char *fresh = "200 OK\r\nCache-Control: max-age=60\r\n";
    struct http_store_request request = {.method = HTTP_HEAD};

    (void)state;
    assert_int_equal(ask(&request, fresh, &options), HTTP_STORE_METHOD);
    request = (struct http_store_request){.method = HTTP_POST};
    assert_int_equal(ask(&request, fresh, &options), HTTP_STORE_METHOD);
    request = (struct http_store_request){.method = HTTP_GET, .has_content = true};
    assert_int_equal(ask(&request, fresh, &options), HTTP_STORE_METHOD);
    request = (struct http_store_request){.method = HTTP_GET, .no_store = true};
    assert_int_equal(ask(&request, fresh, &options), HTTP_STORE_REQUEST_NO_STORE);
    request = (struct http_store_request){.method = HTTP_GET, .has_authorization = true};
    assert_int_equal(ask(&request, fresh, &options), HTTP_STORE_AUTHORIZATION);
    static const char *const allowed[] = {"public, max-age=60", "must-revalidate, max-age=60",
                                          "s-maxage=60"};
    for (size_t i = 0; i < 3; i++) {
        char head[128];
        (void)snprintf(head, sizeof(head), "200 OK\r\nCache-Control: %s\r\n", allowed[i]);
        assert_int_equal(ask(&request, head, &options), HTTP_STORE_OK);
    }
    struct message message = {0};
    const char *text = "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nContent-Length: 1\r\n"
                       "Cache-Control: no-store\r\n\r\n";
    size_t scanned = 0;
    memcpy(message.text, text, strlen(text));
    http_fields_init(&message.request.fields, message.items, FIELDS_MAX);
    assert_int_equal(http_request_parse(&message.request, message.text, strlen(text), &scanned,
                                        &message.used, &test_limits),
                     HTTP_PARSE_DONE);
    http_store_request_of(&request, &message.request);
    assert_int_equal(request.method, HTTP_GET);
    assert_true(request.has_authorization && request.has_content && request.no_store);
}

static void set_cookie_policy(void **state)
{
    const struct http_store_request get = {.method = HTTP_GET};
    const char *head = "200 OK\r\nCache-Control: max-age=60\r\nSet-Cookie: a\r\n";
    struct http_freshness_options options = {.set_cookie = HTTP_SET_COOKIE_STORE};

    (void)state;
    assert_int_equal(ask(&get, head, &options), HTTP_STORE_OK);
    options.set_cookie = HTTP_SET_COOKIE_STRIP;
    assert_int_equal(ask(&get, head, &options), HTTP_STORE_OK);
}

struct life_row {
    const char *head;
    struct http_freshness_options options;
    uint32_t lifetime_s;
    enum http_lifetime_source source;
    uint32_t age_s;
};

static const struct life_row life_rows[] = {
    {"200 OK\r\nCache-Control: max-age=60, s-maxage=30\r\n" DATE,
     {0},
     30,
     HTTP_LIFETIME_S_MAXAGE,
     0},
    {"200 OK\r\nCache-Control: max-age=60\r\nExpires: 0\r\n" DATE,
     {0},
     60,
     HTTP_LIFETIME_MAX_AGE,
     0},
    {"200 OK\r\nExpires: Sun, 06 Nov 1994 08:50:37 GMT\r\n" DATE,
     {0},
     60,
     HTTP_LIFETIME_EXPIRES,
     0},
    /* Against its own Date, also when that clock is wrong. */
    {"200 OK\r\nExpires: Sun, 06 Nov 1994 09:50:37 GMT\r\n"
     "Date: Sun, 06 Nov 1994 09:49:37 GMT\r\n",
     {0},
     60,
     HTTP_LIFETIME_EXPIRES,
     0},
    {"200 OK\r\nExpires: Sun, 06 Nov 1994 07:50:37 GMT\r\n"
     "Date: Sun, 06 Nov 1994 07:49:37 GMT\r\n",
     {0},
     60,
     HTTP_LIFETIME_EXPIRES,
     3600},
    {"200 OK\r\nExpires: Sun, 06 Nov 1994 08:50:37 GMT\r\n", {0}, 60, HTTP_LIFETIME_EXPIRES, 0},
    {"200 OK\r\nExpires: Sun, 06 Nov 1994 08:50:37 GMT\r\nDate: x\r\n",
     {0},
     60,
     HTTP_LIFETIME_EXPIRES,
     0},
    {"200 OK\r\n" YEAR_OLD DATE, {0}, 0, HTTP_LIFETIME_NONE, 0},
    {"200 OK\r\n" YEAR_OLD DATE, {.heuristic_max_s = 86400}, 86400, HTTP_LIFETIME_HEURISTIC, 0},
    {"200 OK\r\n" YEAR_OLD DATE,
     {.heuristic_max_s = 10000000},
     3153600,
     HTTP_LIFETIME_HEURISTIC,
     0},
    {"302 F\r\n" YEAR_OLD DATE, {.heuristic_max_s = 86400}, 0, HTTP_LIFETIME_NONE, 0},
    {"302 F\r\nCache-Control: public\r\n" YEAR_OLD DATE,
     {.heuristic_max_s = 86400},
     86400,
     HTTP_LIFETIME_HEURISTIC,
     0},
    {"200 OK\r\nLast-Modified: x\r\n" DATE, {.heuristic_max_s = 86400}, 0, HTTP_LIFETIME_NONE, 0},
    {"200 OK\r\n" DATE, {.default_ttl_s = 9}, 9, HTTP_LIFETIME_DEFAULT, 0},
    {"500 X\r\n" DATE, {.default_ttl_s = 9}, 0, HTTP_LIFETIME_NONE, 0},
    {"200 OK\r\nCache-Control: max-age=0\r\n" DATE,
     {.default_ttl_s = 9, .min_ttl_s = 99},
     0,
     HTTP_LIFETIME_MAX_AGE,
     0},
    {"200 OK\r\nCache-Control: max-age=5\r\n" DATE,
     {.min_ttl_s = 99},
     99,
     HTTP_LIFETIME_MAX_AGE,
     0},
    {"200 OK\r\nCache-Control: max-age=500\r\n" DATE,
     {.max_ttl_s = 99},
     99,
     HTTP_LIFETIME_MAX_AGE,
     0},
    {"200 OK\r\nCache-Control: max-age=60\r\nAge: 7\r\n" DATE, {0}, 60, HTTP_LIFETIME_MAX_AGE, 7},
    {"200 OK\r\nCache-Control: max-age=60\r\nAge: 7, 8\r\nAge: 9\r\n" DATE,
     {0},
     60,
     HTTP_LIFETIME_MAX_AGE,
     7},
    {"200 OK\r\nCache-Control: max-age=60\r\nAge: -7\r\n" DATE, {0}, 60, HTTP_LIFETIME_MAX_AGE, 0},
    {"200 OK\r\nCache-Control: max-age=60\r\nAge: 7.0\r\n" DATE, {0}, 60, HTTP_LIFETIME_MAX_AGE, 0},
    {"200 OK\r\nCache-Control: max-age=60\r\nAge: 7;x\r\n" DATE, {0}, 60, HTTP_LIFETIME_MAX_AGE, 0},
    {"200 OK\r\nCache-Control: max-age=60\r\nAge: 99999999999999999999\r\n" DATE,
     {0},
     60,
     HTTP_LIFETIME_MAX_AGE,
     HTTP_AGE_MAX_S},
    /* The larger of Age and the time since Date. */
    {"200 OK\r\nCache-Control: max-age=60\r\nAge: 7\r\nDate: Sun, 06 Nov 1994 08:49:17 GMT\r\n",
     {0},
     60,
     HTTP_LIFETIME_MAX_AGE,
     20},
};

static void lifetimes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(life_rows) / sizeof(life_rows[0]); i++) {
        const struct life_row *row = &life_rows[i];
        struct message message;
        struct http_stored stored;
        http_stored_init(&stored, response_of(&message, row->head), NOW_MS, NOW_MS, &row->options);
        if (stored.lifetime_s != row->lifetime_s || stored.source != row->source ||
            stored.initial_age_s != row->age_s) {
            fail_msg("%s: lifetime %u source %u age %u", row->head, stored.lifetime_s,
                     stored.source, stored.initial_age_s);
        }
        assert_int_equal(http_current_age_s(&stored, NOW_MS), row->age_s);
    }
}

static struct http_stored stored_of(const char *cache_control)
{
    const struct http_freshness_options options = {0};
    struct message message;
    struct http_stored stored;
    char head[256];

    (void)snprintf(head, sizeof(head), "200 OK\r\nCache-Control: %s\r\n" DATE, cache_control);
    http_stored_init(&stored, response_of(&message, head), NOW_MS, NOW_MS, &options);
    return stored;
}

/* DATE is NOW_S. Made while we waited, a response is as old as the wait, though a second ended in it. */
static void age_of_what_was_made_for_us(void **state)
{
    static const struct {
        int64_t asked_ms, received_ms; /* from NOW_S on */
        uint32_t age_s;
    } rows[] = {
        {0, 0, 0},       {950, 1050, 0},  {950, 1949, 0},    {950, 1950, 1},
        {-50, 1000, 1},  {999, 2998, 1},  {999, 2999, 2},    {1000, 1000, 1},
        {1001, 1002, 1}, {5000, 5001, 5}, {-3000, -2000, 1},
    };
    const struct http_freshness_options options = {0};
    struct message message;
    struct http_stored stored;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        http_stored_init(&stored,
                         response_of(&message, "200 OK\r\nCache-Control: max-age=1\r\n" DATE),
                         NOW_MS + rows[i].asked_ms, NOW_MS + rows[i].received_ms, &options);
        if (stored.initial_age_s != rows[i].age_s) {
            fail_msg("row %zu: %u", i, stored.initial_age_s);
        }
    }
}

static void ages(void **state)
{
    const struct http_freshness_options options = {0};
    struct message message;
    struct http_stored stored;

    (void)state;
    http_stored_init(
        &stored, response_of(&message, "200 OK\r\nCache-Control: max-age=60\r\nAge: 3\r\n" DATE),
        NOW_MS - 2500, NOW_MS, &options);
    assert_int_equal(stored.initial_age_s, 5); /* Age and the delay of the answer */
    assert_int_equal(http_current_age_s(&stored, NOW_MS + 999), 5);
    assert_int_equal(http_current_age_s(&stored, NOW_MS + 1000), 6);
    assert_int_equal(http_ttl_s(&stored, NOW_MS + 1000), 54);
    assert_int_equal(http_ttl_s(&stored, NOW_MS + 100000), -45);
    assert_int_equal(http_current_age_s(&stored, NOW_MS - 100000), 5); /* clock set back */
    assert_int_equal(http_current_age_s(&stored, INT64_MAX), HTTP_AGE_MAX_S);
    http_stored_init(&stored, response_of(&message, "200 OK\r\nCache-Control: max-age=60\r\n"),
                     NOW_MS + 5000, NOW_MS, &options); /* clock set back while fetching */
    assert_int_equal(stored.initial_age_s, 0);
    assert_true((stored.flags & HTTP_STORED_NO_DATE) != 0);
    assert_int_equal(stored.date_s, NOW_S);
}

struct judge_row {
    const char *stored;
    const char *request; /* Cache-Control; NULL: none */
    int after_s;
    enum http_judgement judgement;
};

static const struct judge_row judge_rows[] = {
    {"max-age=60", NULL, 0, HTTP_FRESH},
    {"max-age=60", NULL, 59, HTTP_FRESH},
    {"max-age=60", NULL, 60, HTTP_VALIDATE},
    {"max-age=0", NULL, 0, HTTP_VALIDATE},
    {"max-age=60, no-cache", NULL, 0, HTTP_VALIDATE},
    {"max-age=60, no-cache=\"a\"", NULL, 0, HTTP_FRESH},
    {"max-age=60, no-cache=\"a\"", NULL, 60, HTTP_VALIDATE},
    {"max-age=60, no-cache=\"a\", no-cache", NULL, 0, HTTP_VALIDATE},
    {"max-age=60", "no-cache", 0, HTTP_VALIDATE},
    {"max-age=60", "no-store", 0, HTTP_FRESH},
    {"max-age=60", "max-age=0", 0, HTTP_VALIDATE},
    {"max-age=60", "max-age=10", 10, HTTP_FRESH},
    {"max-age=60", "max-age=10", 11, HTTP_VALIDATE},
    {"max-age=60", "min-fresh=10", 50, HTTP_FRESH},
    {"max-age=60", "min-fresh=10", 51, HTTP_VALIDATE},
    {"max-age=60", "max-stale", 10000, HTTP_FRESH},
    {"max-age=60", "max-stale=10", 70, HTTP_FRESH},
    {"max-age=60", "max-stale=10", 71, HTTP_VALIDATE},
    {"max-age=60, must-revalidate", "max-stale", 60, HTTP_VALIDATE},
    {"s-maxage=60", "max-stale", 60, HTTP_VALIDATE},
    {"max-age=60, proxy-revalidate", "max-stale", 60, HTTP_VALIDATE},
    {"max-age=60, stale-while-revalidate=10", NULL, 59, HTTP_FRESH},
    {"max-age=60, stale-while-revalidate=10", NULL, 60, HTTP_STALE_SERVE},
    {"max-age=60, stale-while-revalidate=10", NULL, 69, HTTP_STALE_SERVE},
    {"max-age=60, stale-while-revalidate=10", NULL, 70, HTTP_VALIDATE},
    {"max-age=60, stale-while-revalidate=10", "no-cache", 60, HTTP_VALIDATE},
    {"max-age=60, stale-while-revalidate=10", "max-age=30", 60, HTTP_VALIDATE},
    {"max-age=60, stale-while-revalidate=10, must-revalidate", NULL, 60, HTTP_VALIDATE},
};

static void judging(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(judge_rows) / sizeof(judge_rows[0]); i++) {
        const struct judge_row *row = &judge_rows[i];
        struct http_stored stored = stored_of(row->stored);
        struct http_directives directives = {0};
        if (row->request != NULL) {
            http_directives_parse(&directives, span_str(row->request));
        }
        enum http_judgement judgement = http_judge(
            &stored, row->request == NULL ? NULL : &directives, NOW_MS + row->after_s * 1000LL);
        if (judgement != row->judgement) {
            fail_msg("%s / %s after %d: %d", row->stored, row->request == NULL ? "-" : row->request,
                     row->after_s, (int)judgement);
        }
    }
}

static void always_validated(void **state)
{
    static const struct {
        const char *cache_control;
        bool is_always;
    } cases[] = {
        {"max-age=60", false},
        {"max-age=0", true},
        {"max-age=60, no-cache", true},
        {"max-age=60, no-cache=\"a\"", false},
        {"max-age=0, stale-while-revalidate=5", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_stored stored = stored_of(cases[i].cache_control);
        assert_int_equal(http_is_always_validated(&stored), cases[i].is_always);
    }
}

static void stale_on_error(void **state)
{
    struct http_stored stored = stored_of("max-age=60, stale-if-error=30");
    struct http_directives no_cache = {.flags = HTTP_CC_NO_CACHE};

    (void)state;
    assert_true(http_may_serve_stale_on_error(&stored, NULL, NOW_MS + 89000));
    assert_false(http_may_serve_stale_on_error(&stored, NULL, NOW_MS + 90000));
    assert_false(http_may_serve_stale_on_error(&stored, &no_cache, NOW_MS + 60000));
    assert_true(http_may_serve_stale_unreachable(&stored, NULL));
    assert_false(http_may_serve_stale_unreachable(&stored, &no_cache));
    stored = stored_of("max-age=60");
    assert_false(http_may_serve_stale_on_error(&stored, NULL, NOW_MS + 60000));
    assert_true(http_may_serve_stale_unreachable(&stored, NULL));
    static const char *const never[] = {"max-age=60, stale-if-error=30, must-revalidate",
                                        "s-maxage=60, stale-if-error=30",
                                        "max-age=60, stale-if-error=30, proxy-revalidate",
                                        "max-age=60, stale-if-error=30, no-cache"};
    for (size_t i = 0; i < 4; i++) {
        stored = stored_of(never[i]);
        assert_false(http_may_serve_stale_on_error(&stored, NULL, NOW_MS + 60000));
        assert_false(http_may_serve_stale_unreachable(&stored, NULL));
    }
}

static void stale_defaults(void **state)
{
    const struct http_freshness_options options = {.stale_while_revalidate_s = 5,
                                                   .stale_if_error_s = 6};
    struct message message;
    struct http_stored stored;

    (void)state;
    http_stored_init(&stored, response_of(&message, "200 OK\r\nCache-Control: max-age=1\r\n" DATE),
                     NOW_MS, NOW_MS, &options);
    assert_int_equal(stored.stale_while_revalidate_s, 5);
    assert_int_equal(stored.stale_if_error_s, 6);
    http_stored_init(&stored,
                     response_of(&message, "200 OK\r\nCache-Control: max-age=1, "
                                           "stale-while-revalidate=0, stale-if-error=0\r\n" DATE),
                     NOW_MS, NOW_MS, &options);
    assert_int_equal(stored.stale_while_revalidate_s, 0);
    assert_int_equal(stored.stale_if_error_s, 0);
}

static void soft_purge(void **state)
{
    struct http_stored stored = stored_of("max-age=60, stale-while-revalidate=10");
    struct http_directives max_stale = {.flags = HTTP_CC_MAX_STALE, .max_stale_s = 100};

    (void)state;
    http_stored_make_stale(&stored, NOW_MS + 20000);
    assert_int_equal(http_judge(&stored, NULL, NOW_MS + 20000), HTTP_STALE_SERVE);
    assert_int_equal(http_judge(&stored, NULL, NOW_MS + 29000), HTTP_STALE_SERVE);
    assert_int_equal(http_judge(&stored, NULL, NOW_MS + 30000), HTTP_VALIDATE);
    stored = stored_of("max-age=60");
    http_stored_make_stale(&stored, NOW_MS);
    assert_int_equal(http_judge(&stored, NULL, NOW_MS), HTTP_VALIDATE);
    assert_int_equal(http_judge(&stored, &max_stale, NOW_MS), HTTP_VALIDATE);
    assert_int_equal(http_judge(&stored, &max_stale, NOW_MS - 5000), HTTP_VALIDATE);
    stored = stored_of("max-age=60");
    http_stored_make_stale(&stored, NOW_MS + 20000);
    assert_int_equal(http_judge(&stored, NULL, NOW_MS + 10000), HTTP_VALIDATE); /* clock set back */
    /* A stale one does not get a longer life. */
    stored = stored_of("max-age=60, stale-while-revalidate=10");
    http_stored_make_stale(&stored, NOW_MS + 65000);
    assert_int_equal(http_judge(&stored, NULL, NOW_MS + 71000), HTTP_VALIDATE);
}

static void refresh(void **state)
{
    const struct http_freshness_options options = {0};
    const int64_t times_ms[2] = {NOW_MS, NOW_MS};
    struct message merged;
    struct message update;
    struct http_stored stored = stored_of("max-age=60");

    (void)state;
    struct http_response *head = response_of(
        &merged, "200 OK\r\nCache-Control: max-age=99\r\nDate: Sun, 06 Nov 1994 07:49:37 GMT\r\n");
    http_stored_refresh(&stored, head, response_of(&update, "304 N\r\nAge: 4\r\n"), times_ms,
                        &options);
    assert_int_equal(stored.status, 200);
    assert_int_equal(stored.lifetime_s, 99);
    assert_int_equal(stored.initial_age_s, 4);
}

static void flags(void **state)
{
    const struct http_freshness_options options = {0};
    struct message message;
    struct http_stored stored;

    (void)state;
    http_stored_init(&stored,
                     response_of(&message,
                                 "200 OK\r\nETag: \"a\"\r\nVary: x\r\nCache-Control: immutable\r\n"
                                 "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n" DATE),
                     NOW_MS, NOW_MS, &options);
    assert_int_equal(stored.flags, HTTP_STORED_HAS_ETAG | HTTP_STORED_HAS_LAST_MODIFIED |
                                       HTTP_STORED_IMMUTABLE | HTTP_STORED_VARIES |
                                       HTTP_STORED_NO_LENGTH);
    assert_int_equal(stored.last_modified_s, NOW_S);
    stored = stored_of("max-age=1");
    assert_int_equal(stored.flags, HTTP_STORED_NO_LENGTH);
    assert_int_equal(stored.last_modified_s, HTTP_DATE_NONE);
    http_stored_init(&stored, response_of(&message, "200 OK\r\nContent-Length: 0\r\n" DATE), NOW_MS,
                     NOW_MS, &options);
    assert_int_equal(stored.flags, 0);
}

static void invalidation(void **state)
{
    (void)state;
    assert_true(http_invalidates(HTTP_POST, 200));
    assert_true(http_invalidates(HTTP_OTHER, 302));
    assert_true(http_invalidates(HTTP_DELETE, 204));
    assert_false(http_invalidates(HTTP_POST, 400));
    assert_false(http_invalidates(HTTP_PUT, 500));
    assert_false(http_invalidates(HTTP_GET, 200));
    assert_false(http_invalidates(HTTP_OPTIONS, 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storing),
        cmocka_unit_test(storing_by_request),
        cmocka_unit_test(set_cookie_policy),
        cmocka_unit_test(lifetimes),
        cmocka_unit_test(age_of_what_was_made_for_us),
        cmocka_unit_test(ages),
        cmocka_unit_test(judging),
        cmocka_unit_test(always_validated),
        cmocka_unit_test(stale_on_error),
        cmocka_unit_test(stale_defaults),
        cmocka_unit_test(soft_purge),
        cmocka_unit_test(refresh),
        cmocka_unit_test(flags),
        cmocka_unit_test(invalidation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
