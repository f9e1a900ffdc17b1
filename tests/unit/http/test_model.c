/*
 * Property test: thousands of random header sets and clocks, printed for the code under test and
 * judged as data by a slow model (model.h). A stored response is never used outside what RFC 9111
 * permits, and always used when it may be.
 */
#include <stdlib.h>
#include <time.h>

#include "helper.h"
#include "http/freshness.h"
#include "model.h"

#define CASES 60000
#define SEED UINT64_C(0x5eed0001)
#define NOW_S INT64_C(1700000000)

/* ---- chance ---- */

static uint64_t chance_state;

static uint64_t chance(void)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return chance_state >> 11;
}

static unsigned below(unsigned limit)
{
    return (unsigned)(chance() % limit);
}

static bool one_in(unsigned n)
{
    return below(n) == 0;
}

/* ---- data ---- */

static bool is_age(enum model_name name)
{
    return name <= MODEL_MAX_STALE;
}

static uint64_t some_seconds(void)
{
    static const uint64_t edges[] = {0, 1, 2, 10, 2147483647, 2147483648, 4294967296, 99999999999};

    return one_in(4) ? edges[below(8)] : below(120);
}

static struct model_list some_list(bool is_request, bool is_structured)
{
    static const enum model_name often[] = {
        MODEL_MAX_AGE, MODEL_MAX_AGE, MODEL_S_MAXAGE,       MODEL_SWR,
        MODEL_SIE,     MODEL_PUBLIC,  MODEL_MUST_REVALIDATE};
    static const enum model_name asked[] = {MODEL_MAX_AGE,  MODEL_MIN_FRESH, MODEL_MAX_STALE,
                                            MODEL_NO_CACHE, MODEL_NO_STORE,  MODEL_EXTENSION};
    struct model_list list = {.field = MODEL_GOOD, .count = 1 + below(MODEL_DIRECTIVES)};

    for (unsigned i = 0; i < list.count; i++) {
        struct model_directive *item = &list.items[i];
        item->name = is_request  ? asked[below(6)]
                     : one_in(2) ? often[below(7)]
                                 : (enum model_name)below(MODEL_NAMES);
        item->seconds = some_seconds();
        item->form = MODEL_VALID;
        if (is_age(item->name)) {
            item->form = one_in(6) ? MODEL_VOID : MODEL_VALID;
            if (item->name == MODEL_MAX_STALE && one_in(3)) {
                item->form = MODEL_BARE;
            }
            if (!is_request && (item->name == MODEL_MIN_FRESH || item->name == MODEL_MAX_STALE)) {
                item->name = MODEL_EXTENSION;
                item->form = MODEL_VALID;
            }
        } else if (!is_request && (item->name == MODEL_NO_CACHE || item->name == MODEL_PRIVATE)) {
            item->form = one_in(2) ? MODEL_FIELDS : MODEL_VALID;
        }
        if (is_structured && !is_age(item->name) && item->name != MODEL_EXTENSION && one_in(5)) {
            item->form = MODEL_FALSE;
        }
    }
    return list;
}

static struct model_time some_time(int64_t around_s, unsigned spread_s)
{
    struct model_time time = {.field = one_in(8) ? MODEL_BAD : MODEL_GOOD};

    time.value = around_s + (int64_t)below(2 * spread_s + 1) - spread_s;
    if (one_in(3)) {
        time.field = MODEL_ABSENT;
    }
    return time;
}

static void some_case(struct model_case *data)
{
    static const unsigned statuses[] = {200, 200, 200, 200, 203, 204, 206, 299, 301, 302,
                                        304, 308, 404, 410, 500, 501, 503, 599, 103, 307};

    *data = (struct model_case){.status = statuses[below(20)]};
    data->received_ms = NOW_S * 1000 + below(1000);
    data->asked_ms = data->received_ms - (one_in(2) ? 0 : below(9000));
    data->now_ms = data->received_ms + (one_in(2) ? below(5000) : (int64_t)below(240000)) - 1000;
    data->cache_control.field = MODEL_ABSENT;
    if (!one_in(4)) {
        data->cache_control = some_list(false, false);
    }
    struct model_list *const targeted[] = {&data->own, &data->cdn};
    for (unsigned i = 0; i < 2; i++) {
        if (one_in(4)) {
            *targeted[i] = some_list(false, true);
            targeted[i]->field = one_in(3) ? MODEL_BAD : one_in(6) ? MODEL_EMPTY : MODEL_GOOD;
        }
    }
    data->date = some_time(NOW_S, one_in(2) ? 3 : 100);
    data->expires = some_time(NOW_S + 30, 100);
    data->has_second_expires = one_in(8);
    data->modified = some_time(NOW_S - 500, 1000);
    data->age = some_time(40, 40);
    data->has_etag = one_in(2);
    data->has_cookie = one_in(6);
    data->has_vary_star = one_in(20);
    data->asks_with_authorization = one_in(6);
    if (one_in(2)) {
        data->ask = some_list(true, false);
    }
    data->has_pragma = one_in(8);
    data->options = (struct model_options){
        .default_s = one_in(4) ? 1 + below(60) : 0,
        .min_s = one_in(4) ? below(90) : 0,
        .max_s = one_in(4) ? 1 + below(90) : 0,
        .heuristic_s = one_in(4) ? 0 : below(100),
        .swr_s = one_in(4) ? below(90) : 0,
        .sie_s = one_in(4) ? below(90) : 0,
        .cookies = (int)below(3),
    };
}

/* ---- text ---- */

struct text {
    char bytes[6000];
    size_t len;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    int len = vsnprintf(text->bytes + text->len, sizeof(text->bytes) - text->len, format, list);
    va_end(list);
    assert_true(len >= 0 && (size_t)len < sizeof(text->bytes) - text->len);
    text->len += (size_t)len;
}

/* In any letter case. */
static void put_name(struct text *text, const char *name)
{
    unsigned how = below(4);

    for (; *name != '\0'; name++) {
        bool is_upper = how == 1 || (how == 2 && one_in(2));
        bool is_letter = *name >= 'a' && *name <= 'z';
        put(text, "%c", is_letter && is_upper ? *name - 32 : *name);
    }
}

static const char *const names[MODEL_NAMES] = {
    [MODEL_MAX_AGE] = "max-age",
    [MODEL_S_MAXAGE] = "s-maxage",
    [MODEL_SWR] = "stale-while-revalidate",
    [MODEL_SIE] = "stale-if-error",
    [MODEL_MIN_FRESH] = "min-fresh",
    [MODEL_MAX_STALE] = "max-stale",
    [MODEL_NO_STORE] = "no-store",
    [MODEL_NO_CACHE] = "no-cache",
    [MODEL_PRIVATE] = "private",
    [MODEL_PUBLIC] = "public",
    [MODEL_MUST_REVALIDATE] = "must-revalidate",
    [MODEL_PROXY_REVALIDATE] = "proxy-revalidate",
    [MODEL_MUST_UNDERSTAND] = "must-understand",
    [MODEL_IMMUTABLE] = "immutable",
    [MODEL_EXTENSION] = "",
};

static void put_directive(struct text *text, const struct model_directive *item)
{
    static const char *const voids[] = {"=-1",  "=1.5",   "=9x", "='60'", " =60",
                                        "= 60", "=\"a\"", "=",   "=\"\"", "=60 60"};
    static const char *const extensions[] = {"a=\"no-store, max-age=0, private\"", "b",
                                             "c=\"\\\", no-cache\"", "max_age=1", "d='x'"};
    unsigned long long seconds = (unsigned long long)item->seconds;

    if (item->name == MODEL_EXTENSION) {
        put(text, "%s", extensions[below(5)]);
        return;
    }
    put_name(text, names[item->name]);
    if (item->form == MODEL_VOID) {
        put(text, "%s", voids[below(10)]);
    } else if (item->form == MODEL_FIELDS) {
        put(text, "%s", one_in(2) ? "=\"X-One, x-two\"" : "=x-one");
    } else if (is_age(item->name) && item->form == MODEL_VALID) {
        bool is_quoted = one_in(4);
        put(text, "=%s%s%llu%s", is_quoted ? "\"" : "", one_in(4) ? "00" : "", seconds,
            is_quoted ? "\"" : "");
    }
}

static void put_dictionary_member(struct text *text, const struct model_directive *item)
{
    static const char *const voids[] = {"=-1", "=1.5", "=\"60\"", "=a60", "", "=(60)", "=?1"};
    static const char *const extensions[] = {"a=\"no-store, max-age=0\"", "b", "c=(no-cache 1)",
                                             "d=?0", "e=:YQ==:"};

    if (item->name == MODEL_EXTENSION) {
        put(text, "%s", extensions[below(5)]);
    } else {
        put(text, "%s", names[item->name]);
        if (item->form == MODEL_VOID) {
            put(text, "%s", voids[below(7)]);
        } else if (item->form == MODEL_FALSE) {
            put(text, "=?0");
        } else if (item->form == MODEL_FIELDS) {
            put(text, "=\"X-One, x-two\"");
        } else if (is_age(item->name)) {
            put(text, "=%llu", (unsigned long long)item->seconds);
        } else {
            put(text, "%s", one_in(4) ? "=?1" : "");
        }
    }
    put(text, "%s", one_in(6) ? ";x=1; y" : "");
}

/* Over one or more lines. */
static void put_list(struct text *text, const char *field, const struct model_list *list,
                     bool is_structured)
{
    static const char *const broken[] = {", ", ",,b", ", A=1", "=", ", c=@1"};

    if (list->field == MODEL_ABSENT) {
        return;
    }
    put_name(text, field);
    put(text, ":%s", one_in(4) ? "" : " ");
    for (unsigned i = 0; i < list->count && list->field != MODEL_EMPTY; i++) {
        if (i > 0 && one_in(4)) {
            put(text, "\r\n");
            put_name(text, field);
            put(text, ": ");
        } else if (i > 0) {
            put(text, "%s", is_structured || one_in(2) ? ", " : one_in(2) ? " ,\t" : ",, ,");
        }
        if (is_structured) {
            put_dictionary_member(text, &list->items[i]);
        } else {
            put_directive(text, &list->items[i]);
        }
    }
    put(text, "%s\r\n", list->field == MODEL_BAD ? broken[below(5)] : "");
}

/* One of the three forms (RFC 9110 5.6.7). */
static void put_good_date(struct text *text, int64_t at_s)
{
    time_t time = (time_t)at_s;
    struct tm parts;
    char date[64];
    size_t len = 0;

    assert_non_null(gmtime_r(&time, &parts));
    switch (below(4)) {
    case 0:
        len = strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        break;
    case 1:
        len = strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S gmt", &parts);
        break;
    case 2:
        len = strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &parts);
        break;
    default: /* this year, not another century's */
        len = strftime(date, sizeof(date), "%A, %d-%b-", &parts);
        assert_true(len > 0);
        put(text, "%s%02d", date, parts.tm_year % 100);
        len = strftime(date, sizeof(date), " %H:%M:%S GMT", &parts);
        break;
    }
    assert_true(len > 0);
    put(text, "%s", date);
}

static void put_date(struct text *text, const char *field, const struct model_time *time)
{
    static const char *const bad[] = {"0",
                                      "-1",
                                      "",
                                      "Tue, 14 Nov 2033 22:13:20 UTC",
                                      "Tue, 14-Nov-2033 22:13:20 GMT",
                                      "Tue, 14 Nov 33 22:13:20 GMT",
                                      "Tue 14 Nov 2033 22:13:20 GMT",
                                      "Tue, 14 Nov 2033 2:13:20 GMT"};

    if (time->field == MODEL_ABSENT) {
        return;
    }
    put_name(text, field);
    put(text, ": ");
    if (time->field == MODEL_GOOD) {
        put_good_date(text, time->value);
    } else {
        /* An empty Last-Modified is none; the model counts any other as a validator. */
        unsigned which = below(8);
        put(text, "%s", bad[which == 2 && strcmp(field, "last-modified") == 0 ? 0 : which]);
    }
    put(text, "\r\n");
}

static void put_age(struct text *text, const struct model_time *age)
{
    static const char *const bad[] = {"-7", "7.0", "7;x=1", "x, 7", "\"7\"", "7 7"};

    if (age->field == MODEL_GOOD) {
        put(text, "Age: %lld%s\r\n", (long long)age->value, one_in(4) ? ", 9\r\nAge: 5" : "");
    } else if (age->field == MODEL_BAD) {
        put(text, "Age: %s\r\n", bad[below(6)]);
    }
}

static void print_response(struct text *text, const struct model_case *data)
{
    text->len = 0;
    put(text, "HTTP/1.1 %u Word\r\n", data->status);
    put_date(text, "date", &data->date);
    put_list(text, "cdn-cache-control", &data->cdn, true);
    put_list(text, "cache-control", &data->cache_control, false);
    put_list(text, "larder-cache-control", &data->own, true);
    put_date(text, "expires", &data->expires);
    if (data->has_second_expires && data->expires.field != MODEL_ABSENT) {
        put(text, "Expires: Fri, 31 Dec 9999 23:59:59 GMT\r\n");
    }
    put_date(text, "last-modified", &data->modified);
    put_age(text, &data->age);
    put(text, "%s%s%s\r\n", data->has_etag ? "ETag: \"e\"\r\n" : "",
        data->has_cookie ? "Set-Cookie: a=b\r\n" : "",
        data->has_vary_star ? "Vary: Accept, *\r\n" : "");
}

static void print_request(struct text *text, const struct model_case *data)
{
    text->len = 0;
    put(text, "GET / HTTP/1.1\r\nHost: a\r\n%s%s",
        data->asks_with_authorization ? "Authorization: Basic eDp5\r\n" : "",
        data->has_pragma ? "Pragma: no-cache\r\n" : "");
    put_list(text, "cache-control", &data->ask, false);
    put(text, "\r\n");
}

/* ---- the code under test ---- */

static const struct span targeted_names[] = {{"Larder-Cache-Control", 20},
                                             {"CDN-Cache-Control", 17}};

static void ask_code(const struct model_case *data, struct text *request_text,
                     struct text *response_text, struct model_verdict *out)
{
    static struct http_field request_items[FIELDS_MAX];
    static struct http_field response_items[FIELDS_MAX];
    struct http_request request;
    struct http_response response = {0};
    struct http_store_request facts;
    struct http_directives ask;
    struct http_stored stored;
    size_t scanned = 0;
    size_t used = 0;
    const struct http_limits limits = {.head_bytes = 8000, .target_bytes = 64, .fields_count = 60};
    const struct http_freshness_options options = {
        .default_ttl_s = data->options.default_s,
        .min_ttl_s = data->options.min_s,
        .max_ttl_s = data->options.max_s,
        .heuristic_max_s = data->options.heuristic_s,
        .stale_while_revalidate_s = data->options.swr_s,
        .stale_if_error_s = data->options.sie_s,
        .set_cookie = data->options.cookies == 0   ? HTTP_SET_COOKIE_PASS
                      : data->options.cookies == 1 ? HTTP_SET_COOKIE_STRIP
                                                   : HTTP_SET_COOKIE_STORE,
        .targeted = {targeted_names, 2},
    };

    memset(&request, 0, sizeof(request));
    http_fields_init(&request.fields, request_items, FIELDS_MAX);
    http_fields_init(&response.fields, response_items, FIELDS_MAX);
    assert_int_equal(http_request_parse(&request, request_text->bytes, request_text->len, &scanned,
                                        &used, &limits),
                     HTTP_PARSE_DONE);
    assert_int_equal(http_response_parse(
                         &response, span_of(response_text->bytes, response_text->len - 2), &limits),
                     HTTP_PARSE_DONE);
    http_store_request_of(&facts, &request);
    *out = (struct model_verdict){
        .may_store =
            http_may_store(&facts, &response, data->received_ms / 1000, &options) == HTTP_STORE_OK,
    };
    if (!out->may_store) {
        return;
    }
    http_directives_of_request(&ask, &request.fields);
    http_stored_init(&stored, &response, data->asked_ms, data->received_ms, &options);
    out->lifetime_s = stored.lifetime_s;
    out->age_s = http_current_age_s(&stored, data->now_ms);
    out->is_fresh = http_ttl_s(&stored, data->now_ms) > 0;
    enum http_judgement judgement = http_judge(&stored, &ask, data->now_ms);
    out->serves = judgement == HTTP_FRESH;
    out->serves_stale = judgement == HTTP_STALE_SERVE;
    out->when_erring = http_may_serve_stale_on_error(&stored, &ask, data->now_ms);
    out->when_down = http_may_serve_stale_unreachable(&stored, &ask);
    out->leaves_fields = (stored.flags & (HTTP_STORED_NO_CACHE_FIELDS | HTTP_STORED_NO_CACHE)) ==
                         HTTP_STORED_NO_CACHE_FIELDS;
}

static bool is_same(const struct model_verdict *a, const struct model_verdict *b)
{
    return a->may_store == b->may_store && a->lifetime_s == b->lifetime_s && a->age_s == b->age_s &&
           a->is_fresh == b->is_fresh && a->serves == b->serves &&
           a->serves_stale == b->serves_stale && a->when_erring == b->when_erring &&
           a->when_down == b->when_down && a->leaves_fields == b->leaves_fields;
}

static void say(const char *who, const struct model_verdict *v)
{
    print_error("%s: store %d lifetime %llu age %llu fresh %d serves %d stale %d erring %d down %d "
                "fields %d\n",
                who, v->may_store, (unsigned long long)v->lifetime_s, (unsigned long long)v->age_s,
                v->is_fresh, v->serves, v->serves_stale, v->when_erring, v->when_down,
                v->leaves_fields);
}

static void code_agrees_with_the_model(void **state)
{
    const char *given = getenv("MODEL_SEED");
    uint64_t seed = given == NULL ? SEED : strtoull(given, NULL, 0);
    static struct text request;
    static struct text parsed; /* in place */
    static struct text response;
    unsigned stored = 0;
    unsigned served = 0;
    unsigned stale = 0;

    (void)state;
    for (unsigned i = 0; i < CASES; i++) {
        struct model_case data;
        struct model_verdict model;
        struct model_verdict code;
        chance_state = (seed + i) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        (void)chance();
        some_case(&data);
        print_request(&request, &data);
        print_response(&response, &data);
        model_judge(&data, &model);
        parsed = request;
        ask_code(&data, &parsed, &response, &code);
        if (!is_same(&model, &code)) {
            say("model", &model);
            say("code ", &code);
            fail_msg("MODEL_SEED=%llu: asked %lld received %lld now %lld ms\n%s%s",
                     (unsigned long long)(seed + i), (long long)data.asked_ms,
                     (long long)data.received_ms, (long long)data.now_ms, request.bytes,
                     response.bytes);
        }
        stored += model.may_store;
        served += model.serves;
        stale += model.serves_stale || model.when_erring;
    }
    /* The cases must reach what they are about. */
    print_message("%u cases: %u stored, %u served, %u stale\n", CASES, stored, served, stale);
    assert_true(stored > CASES / 8 && served > CASES / 40 && stale > CASES / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_agrees_with_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
