/* Which rules hold for a request or response, and what is in force then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/coding.h"
#include "site/rule.h"

struct fixture {
    struct conf *conf;
    struct arena arena;
    struct policy base;
    struct rules rules;
    struct rule_edits edits;
};

static void fixture_open(struct fixture *fixture, const char *site)
{
    struct buf text;
    struct conf_report *report = conf_report_new();

    buf_init(&text, 65536);
    buf_printf(&text,
               "listen :80; store { max_object 1G; } site * { origins { server a http://a; } %s }",
               site);
    if (conf_load_text("t", buf_span(&text), CONF_PORTABLE, &fixture->conf, report) != ERR_OK) {
        fail_msg("%s: %s", site, conf_report_get(report, 0)->message);
    }
    conf_report_free(report);
    buf_free(&text);
    arena_init(&fixture->arena, 1 << 20);
    const struct conf_site *conf = &fixture->conf->sites[0];
    policy_compile(&fixture->base, &fixture->arena, conf, 1 << 30);
    rules_compile(&fixture->rules, &fixture->arena, fixture->conf, conf);
    rule_edits_compile(&fixture->edits, &fixture->arena, conf->headers, conf->header_count);
}

static void fixture_close(struct fixture *fixture)
{
    arena_reset(&fixture->arena);
    conf_unref(fixture->conf);
}

struct asked {
    const char *method;
    const char *target;
    const char *name, *value; /* one field of the request */
    unsigned status;
    const char *type;
    const char *authority;
};

static const struct policy *apply(const struct fixture *fixture, const struct asked *asked,
                                  struct policy *room)
{
    struct http_field items[2];
    struct http_fields fields;

    http_fields_init(&fields, items, ARRAY_LEN(items));
    if (asked->name != NULL) {
        assert_true(http_fields_add(&fields, span_str(asked->name), span_str(asked->value)));
    }
    const struct rule_facts facts = {
        .method = span_str(asked->method == NULL ? "GET" : asked->method),
        .target = span_str(asked->target == NULL ? "/" : asked->target),
        .request = &fields,
        .status = asked->status,
        .type = span_str(asked->type),
        .authority = span_str(asked->authority),
    };
    return rules_apply(&fixture->rules, &fixture->base, &facts, room);
}

static const struct {
    const char *condition;
    struct asked asked;
    bool wanted;
} cases[] = {
    {"path /a", {.target = "/a"}, true},
    {"path /a", {.target = "/a?b"}, true},
    {"path /a", {.target = "/b?/a"}, false},
    {"path /a*b", {.target = "/a?b"}, false},
    {"path /a", {.target = "/A"}, false},
    {"path /a", {.target = "/%61"}, true},
    {"path /a /b", {.target = "/b"}, true},
    {"path *", {.target = "*", .method = "OPTIONS"}, true},
    {"method GET HEAD", {.method = "HEAD"}, true},
    {"method GET HEAD", {.method = "POST"}, false},
    {"method M-SEARCH", {.method = "M-SEARCH"}, true},
    {"path /a method GET", {.target = "/a", .method = "POST"}, false},
    {"path /a method GET", {.target = "/a"}, true},
    {"host A.test", {.authority = "a.test"}, true},
    {"host a.test", {.authority = "a.test:8080"}, true},
    {"host a.test", {.authority = "a.test."}, true},
    {"host a.test", {.authority = "b.a.test"}, false},
    {"host a.test", {.authority = "a.tes"}, false},
    {"host a.test", {.authority = ""}, false},
    {"host *.a.test", {.authority = "b.a.test:80"}, true},
    {"host *.a.test", {.authority = "c.b.a.test"}, true},
    {"host *.a.test", {.authority = "a.test"}, false},
    {"host *.a.test", {.authority = ".a.test"}, false},
    {"host *.a.test", {.authority = "ba.test"}, false},
    {"host a.test *.b.test", {.authority = "x.b.test"}, true},
    {"host *", {.authority = "x"}, true},
    {"host [::1]", {.authority = "[::1]:80"}, true},
    {"host [::1]", {.authority = "[::2]"}, false},
    {"host 10.0.0.1", {.authority = "10.0.0.1"}, true},
    {"host a.test path /x", {.authority = "a.test"}, false},
    {"cookie sid", {.name = "Cookie", .value = "sid=1"}, true},
    {"cookie sid", {.name = "COOKIE", .value = "a=b; sid=1; c=d"}, true},
    {"cookie sid", {.name = "Cookie", .value = "a=b;sid"}, true},
    {"cookie sid", {.name = "Cookie", .value = "asid=1; sida=2; SID=3"}, false},
    {"cookie sid", {.name = "Cookie", .value = "a=sid"}, false},
    {"cookie sid", {.name = "Cookie", .value = ""}, false},
    {"cookie sid", {.name = "Cookie", .value = ";;=;"}, false},
    {"cookie sid", {.name = "Set-Cookie", .value = "sid=1"}, false},
    {"cookie sid", {.name = NULL}, false},
    {"cookie wp_*", {.name = "Cookie", .value = "a=b; wp_x=1"}, true},
    {"cookie sid=1*", {.name = "Cookie", .value = "sid=2; sid=12"}, true},
    {"cookie sid=1*", {.name = "Cookie", .value = "sid=21"}, false},
    {"cookie sid=", {.name = "Cookie", .value = "sid="}, true},
    {"cookie sid=", {.name = "Cookie", .value = "sid=1"}, false},
    {"cookie sid=a=b", {.name = "Cookie", .value = "sid=a=b"}, true},
    {"cookie a cookie b", {.name = "Cookie", .value = "a=1; b=2"}, true},
    {"cookie a cookie b", {.name = "Cookie", .value = "a=1"}, false},
    {"header x-debug", {.name = "X-Debug", .value = ""}, true},
    {"header x-debug", {.name = "X-Debugs", .value = ""}, false},
    {"header Accept=*json*", {.name = "accept", .value = "application/json;q=1"}, true},
    {"header Accept=*json*", {.name = "accept", .value = "text/html"}, false},
    {"header Host=a", {.name = "Host", .value = "a"}, true},
    {"status 404", {.status = 404}, true},
    {"status 404", {.status = 0}, false},
    {"status 404", {.status = 405}, false},
    {"status 5xx", {.status = 599}, true},
    {"status 5xx", {.status = 499}, false},
    {"status 400-403", {.status = 403}, true},
    {"status 400-403", {.status = 404}, false},
    {"status 2xx type image/*", {.status = 200, .type = "Image/PNG"}, true},
    {"type image/*", {.status = 200, .type = " image/png ; charset=x"}, true},
    {"type image/*", {.status = 200, .type = "text/html; a=image/png"}, false},
    {"type image/*", {.status = 200, .type = ""}, false},
    {"type image/*", {.status = 200, .type = NULL}, false},
    {"type *", {.status = 200, .type = "a"}, true},
    {"type image/*", {.status = 0, .type = "image/png"}, false},
};

static void test_conditions(void **state)
{
    size_t failed = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture fixture;
        struct policy room;
        char site[256];
        (void)snprintf(site, sizeof(site), "rule %s { pass; }", cases[i].condition);
        fixture_open(&fixture, site);
        const struct policy *policy = apply(&fixture, &cases[i].asked, &room);
        if (policy->pass != cases[i].wanted || policy_holds(policy, 0) != cases[i].wanted) {
            print_error("case %zu: %s\n", i, cases[i].condition);
            failed++;
        }
        fixture_close(&fixture);
    }
    assert_int_equal(failed, 0);
}

/* No rules: the site's own settings, not copied. */
static void test_none(void **state)
{
    struct fixture fixture;
    struct policy room;

    (void)state;
    fixture_open(&fixture, "cache { default_ttl 5s; max_object 2G; }");
    const struct policy *policy = apply(&fixture, &(struct asked){0}, &room);
    assert_ptr_equal(policy, &fixture.base);
    assert_int_equal(policy->freshness.default_ttl_s, 5);
    assert_int_equal(policy->freshness.max_object_bytes, 1 << 30); /* the store's is smaller */
    fixture_close(&fixture);
}

/* From top to bottom, and a later one overrides; what nobody overrides stays. */
static void test_order(void **state)
{
    struct fixture fixture;
    struct policy room;

    (void)state;
    fixture_open(&fixture, "cache { max_ttl 1h; stale_if_error 9s; }"
                           "rule path * { pass; ttl 1s; ignore_query a b; max_object 5; }"
                           "rule path /x/* { pass off; ttl 2s; vary_ignore Origin; }"
                           "rule path /x/y { ignore_query off; }");
    const struct policy *policy = apply(&fixture, &(struct asked){.target = "/"}, &room);
    assert_true(policy->pass);
    assert_int_equal(policy->freshness.ttl_s, 1);
    assert_int_equal(policy->query.ignore_count, 2);
    assert_int_equal(policy->vary_ignore.count, 0);
    policy = apply(&fixture, &(struct asked){.target = "/x/z"}, &room);
    assert_false(policy->pass);
    assert_true(policy->freshness.has_ttl);
    assert_int_equal(policy->freshness.ttl_s, 2);
    assert_int_equal(policy->query.ignore_count, 2);
    assert_int_equal(policy->vary_ignore.count, 1);
    assert_int_equal(policy->freshness.max_object_bytes, 5);
    assert_int_equal(policy->freshness.max_ttl_s, 3600);
    assert_int_equal(policy->freshness.stale_if_error_s, 9);
    policy = apply(&fixture, &(struct asked){.target = "/x/y"}, &room);
    assert_int_equal(policy->query.ignore_count, 0);
    assert_true(policy_holds(policy, 0) && policy_holds(policy, 1) && policy_holds(policy, 2));
    fixture_close(&fixture);
}

/* A ttl is not for errors, unless the rule names them. */
static void test_ttl_and_status(void **state)
{
    static const struct {
        unsigned status, ttl_s;
        bool has;
    } wanted[] = {
        {200, 60, true}, {203, 60, true}, {204, 60, true}, {206, 0, false},
        {301, 60, true}, {302, 0, false}, {308, 60, true}, {404, 5, true},
        {410, 0, false}, {500, 0, false}, {503, 0, true},
    };
    struct fixture fixture;
    struct policy room;

    (void)state;
    fixture_open(&fixture, "rule status 404 { ttl 5s; } rule status 503 { ttl 0; }"
                           "rule path * { ttl 1m; }");
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        const struct policy *policy =
            apply(&fixture, &(struct asked){.status = wanted[i].status}, &room);
        assert_int_equal(policy->freshness.has_ttl, wanted[i].has);
        assert_int_equal(policy->freshness.ttl_s, wanted[i].ttl_s);
    }
    fixture_close(&fixture);
}

/* Each setting of a rule overrides its own, and only that. */
static void test_each_setting(void **state)
{
    static const struct {
        const char *setting;
        size_t offset;
        size_t bytes;
        uint64_t wanted;
    } settings[] = {
#define FIELD(member, value)                                                                       \
    offsetof(struct policy, member), sizeof(((struct policy *)NULL)->member), (value)
        {"default_ttl 7s", FIELD(freshness.default_ttl_s, 7)},
        {"min_ttl 7s", FIELD(freshness.min_ttl_s, 7)},
        {"max_ttl 7s", FIELD(freshness.max_ttl_s, 7)},
        {"stale_while_revalidate 7s", FIELD(freshness.stale_while_revalidate_s, 7)},
        {"stale_if_error 7s", FIELD(freshness.stale_if_error_s, 7)},
        {"max_object 7", FIELD(freshness.max_object_bytes, 7)},
        {"set_cookie strip", FIELD(freshness.set_cookie, HTTP_SET_COOKIE_STRIP)},
        {"serve_stale off", FIELD(serve_stale, 0)},
        {"hit_for_miss 7s", FIELD(hit_for_miss_ms, 7000)},
        {"vary_max 7", FIELD(vary_max, 7)},
        {"ignore_cookies", FIELD(ignore_cookies, 1)},
        {"client_revalidate off", FIELD(client_revalidate, 0)},
        {"cache_status off", FIELD(cache_status, 0)},
        {"compress gzip", FIELD(codings, 1u << HTTP_CODING_GZIP)},
        {"sort_query on", FIELD(query.sort, 1)},
        {"ignore_query a", FIELD(query.ignore_count, 1)},
        {"vary_ignore a", FIELD(vary_ignore.count, 1)},
        {"pass", FIELD(pass, 1)},
        {"upgrade on", FIELD(upgrade.count, 1)},
        {"timeout first_byte=7s", FIELD(timeout.first_byte_us, 7000000)},
        {"timeout idle=7s", FIELD(timeout.idle_us, 7000000)},
        {"timeout total=7s", FIELD(timeout.total_us, 7000000)},
        {"ttl 7s", FIELD(freshness.ttl_s, 7)},
#undef FIELD
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        struct fixture fixture;
        struct policy room;
        char site[128];
        uint64_t got = 0;
        uint64_t before = 0;
        (void)snprintf(site, sizeof(site), "rule path /a { %s; }", settings[i].setting);
        fixture_open(&fixture, site);
        const struct policy *policy = apply(&fixture, &(struct asked){.target = "/a"}, &room);
        memcpy(&got, (const char *)policy + settings[i].offset, settings[i].bytes);
        memcpy(&before, (const char *)&fixture.base + settings[i].offset, settings[i].bytes);
        if (got != settings[i].wanted || before == got) {
            fail_msg("%s: %llu", settings[i].setting, (unsigned long long)got);
        }
        fixture_close(&fixture);
    }
}

static void edited(const struct fixture *fixture, const struct policy *policy,
                   enum conf_header_side side, const char *wanted)
{
    struct arena arena;
    struct http_lines lines;
    struct span line;

    arena_init(&arena, 65536);
    assert_true(http_lines_split(&lines, &arena, SPAN("-\r\nA: 0\r\nB: 0\r\n"),
                                 policy->edit_count[side], &line));
    rules_edit(&fixture->rules, &fixture->edits, policy, side, &lines);
    struct span got = http_lines_join(&lines, line);
    if (!span_eq(got, span_str(wanted))) {
        fail_msg("%.*s instead of %s", (int)got.len, got.ptr, wanted);
    }
    arena_reset(&arena);
}

/* Those of the site first, then those of the rules that hold, each side by itself. */
static void test_edits(void **state)
{
    struct fixture fixture;
    struct policy room;

    (void)state;
    fixture_open(&fixture, "header request set A 1; header response remove B;"
                           "rule path /a { header request add A 2; header response add C 3; }"
                           "rule path /b { header request remove A; }"
                           "rule path * { header response set C 4; }");
    const struct policy *policy = apply(&fixture, &(struct asked){.target = "/a"}, &room);
    edited(&fixture, policy, CONF_HEADER_REQUEST, "-\r\nB: 0\r\nA: 1\r\nA: 2\r\n");
    edited(&fixture, policy, CONF_HEADER_RESPONSE, "-\r\nA: 0\r\nC: 4\r\n");
    policy = apply(&fixture, &(struct asked){.target = "/b"}, &room);
    edited(&fixture, policy, CONF_HEADER_REQUEST, "-\r\nB: 0\r\n");
    policy = apply(&fixture, &(struct asked){.target = "/c"}, &room);
    assert_int_equal(policy->edit_count[CONF_HEADER_REQUEST], 1);
    fixture_close(&fixture);
}

/* Which sites need a second look, at the response. */
static void test_late(void **state)
{
    static const struct {
        const char *site;
        bool has_late, late_shows, compresses, late_compresses;
    } late[] = {
        {"", false, false, false, false},
        {"rule path /a { header response set A b; cache_status off; }", false, false, false, false},
        {"rule status 404 { ttl 1s; }", true, false, false, false},
        {"rule type a/b { header response set A b; }", true, true, false, false},
        {"rule status 404 { cache_status off; }", true, true, false, false},
        {"rule path /a { compress off; } rule status 404 { ttl 1s; }", true, false, true, false},
        {"rule type a/b { compress gzip brotli; }", true, false, true, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(late); i++) {
        struct fixture fixture;
        fixture_open(&fixture, late[i].site);
        assert_int_equal(fixture.rules.has_late, late[i].has_late);
        assert_int_equal(fixture.rules.late_shows, late[i].late_shows);
        assert_int_equal(fixture.rules.compresses, late[i].compresses);
        assert_int_equal(fixture.rules.late_compresses, late[i].late_compresses);
        fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions),   cmocka_unit_test(test_none),
        cmocka_unit_test(test_order),        cmocka_unit_test(test_ttl_and_status),
        cmocka_unit_test(test_each_setting), cmocka_unit_test(test_edits),
        cmocka_unit_test(test_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
