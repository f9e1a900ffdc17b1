/* `rule`, `header` and the lists of ignored names: values, mistakes with exact place and words, the dump. */
#include <stdlib.h>

#include "conf_test.h"

#define CONDITIONS "{path prefix host method cookie header type status}"
#define SITE(body) "listen :80; site * {" body " origins { server a http://a; } }"
#define CACHE(body) SITE("cache { " body " }")

static const struct bad_case conditions[] = {
    {SITE("rule { pass; }"),
     "1:21 \"rule\" needs more words; write: rule CONDITION VALUE... [CONDITION VALUE...] { ... }\n"},
    {SITE("rule path { pass; }"),
     "1:21 \"rule\" needs more words; write: rule CONDITION VALUE... [CONDITION VALUE...] { ... }\n"},
    {SITE("rule pth /a { pass; }"), "1:26 \"pth\" is not a condition [path] " CONDITIONS "\n"},
    {SITE("rule \"path\" /a { pass; }"),
     "1:26 \"path\" is not a condition [path] " CONDITIONS "\n"},
    {SITE("rule path method GET { pass; }"), "1:26 \"path\" needs a value behind it\n"},
    {SITE("rule path /a status { pass; }"), "1:34 \"status\" needs a value behind it\n"},
    {SITE("rule path a/* { pass; }"),
     "1:31 \"a/*\" is not a path pattern: one begins with / or *\n"},
    {SITE("rule path /a?b { pass; }"),
     "1:31 \"/a?b\" has a \"?\": rules see the path without its query\n"},
    {SITE("rule path \"/a b\" { pass; }"),
     "1:31 \"/a b\" has bytes that no path has: write them as %XX\n"},
    {SITE("rule method get { pass; }"), "1:33 \"get\" is not a method: letter case counts [GET]\n"},
    {SITE("rule method \"G T\" { pass; }"), "1:33 \"G T\" is not a method name\n"},
    {SITE("rule cookie =x { pass; }"), "1:33 \"=x\" is not NAME or NAME=PATTERN of a cookie\n"},
    {SITE("rule header X-*=x { pass; } rule header \"a b\" { pass; }"),
     "1:61 \"a b\" is not NAME or NAME=PATTERN of a header field\n"},
    {SITE("rule type image { pass; }"),
     "1:31 \"image\" is not a media type pattern like image/*\n"},
    {SITE("rule status 199 600 6xx 404-400 40 { pass; }"),
     "1:33 \"199\" is not a status from 200 to 599: 404, 400-499 or 5xx\n"
     "1:37 \"600\" is not a status from 200 to 599: 404, 400-499 or 5xx\n"
     "1:41 \"6xx\" is not a status from 200 to 599: 404, 400-499 or 5xx\n"
     "1:45 \"404-400\" is not a status from 200 to 599: 404, 400-499 or 5xx\n"
     "1:53 \"40\" is not a status from 200 to 599: 404, 400-499 or 5xx\n"},
};

static const struct bad_case blocks[] = {
    {SITE("rule path /a;"),
     "1:21 \"rule\" needs a block; write: rule CONDITION VALUE... [CONDITION VALUE...] { ... }\n"},
    {SITE("rule path /a { }"), "1:21 this rule is empty: it changes nothing\n"},
    {SITE("rule path /a { pass; pass off; }"),
     "1:42 \"pass\" is set twice in this rule block; it is already set at t:1:36; remove one\n"},
    {SITE("rule path /a { ttl 5; }"), "1:40 \"5\" needs a unit [5s] {ms s m h d}\n"},
    {SITE("rule path /a { pass yes; }"), "1:41 \"yes\" is not a value of \"pass\" {on off}\n"},
    {SITE("rule path /a { vary_max 257; }"),
     "1:45 \"257\" is out of range for \"vary_max\": 1..256\n"},
    {SITE("rule status 404 { ignore_cookies; }"),
     "1:39 \"ignore_cookies\" must be known before the origin is asked, type and status are only "
     "after it\n"},
    {SITE("rule type a/b { header request set X y; }"),
     "1:37 a request has gone to the origin before type or status are known; put \"header "
     "request\" into a rule without them\n"},
    {SITE("rule path /a method GET { ignore_query x; }"),
     "1:47 \"ignore_query\" decides under which address a response is stored: only \"host\", "
     "\"path\" and \"prefix\" may be conditions of its rule\n"},
    {SITE("rule path /a { upgrade; }"),
     "1:36 \"upgrade\" needs more words; write: upgrade on | off | PROTOCOL...;\n"},
    {SITE("rule path /a { upgrade on foo; }"), "1:44 \"on\" stands alone\n"},
    {SITE("rule path /a { upgrade foo off; }"), "1:48 \"off\" stands alone\n"},
    {SITE("rule path /a { upgrade a/b/c \"\" a@; }"),
     "1:44 \"a/b/c\" is not a protocol like websocket or name/1.0\n"
     "1:50 \"\" is not a protocol like websocket or name/1.0\n"
     "1:53 \"a@\" is not a protocol like websocket or name/1.0\n"},
    {SITE("rule path /a { upgrade websocket H2C TLS/1.0 WebSocket; }"),
     "1:54 \"H2C\" is not allowed: clients would send HTTP past all rules\n"
     "1:58 \"TLS/1.0\" is not allowed: clients would send HTTP past all rules\n"
     "1:66 \"WebSocket\" is there twice\n"},
    {SITE("rule status 404 { upgrade on; }"),
     "1:39 \"upgrade\" must be known before the origin is asked, type and status are only "
     "after it\n"},
    {SITE("rule path /a { timeout connect=1s; }"),
     "1:44 \"connect=1s\" is not an option of \"timeout\"; options are name=value "
     "{first_byte idle total}\n"},
    {SITE("rule type text/event-stream { timeout idle=1h first_byte=1s; }"),
     "1:67 the first byte has come before type or status are known; put \"timeout first_byte\" "
     "into a rule without them\n"},
    {SITE("tunnel_idle 999ms;"), "1:33 \"999ms\" is out of range for \"tunnel_idle\": 1s..30d\n"},
    {SITE("rule cookie a { sort_query on; }"),
     "1:37 \"sort_query\" decides under which address a response is stored: only \"host\", "
     "\"path\" and \"prefix\" may be conditions of its rule\n"},
    {SITE("rule path /a { min_ttl 2s; max_ttl 1s; }"),
     "1:44 \"min_ttl\" (2s) may not be more than \"max_ttl\" (1s); the other is at t:1:56\n"},
};

static const struct bad_case headers[] = {
    {SITE("header response remove;"),
     "1:21 \"header\" needs more words; write: header request | response  add NAME VALUE | set "
     "NAME VALUE | remove NAME;\n"},
    {SITE("header reply remove X;"),
     "1:28 \"reply\" is not a value of \"header\" {request response}\n"},
    {SITE("header response delete X;"),
     "1:37 \"delete\" is not a value of \"header\" {add set remove}\n"},
    {SITE("header response remove X Y;"),
     "1:46 one word too many: \"Y\"; write: header request | response  add NAME VALUE | set NAME "
     "VALUE | remove NAME;\n"},
    {SITE("header response set \"X Y\" z;"), "1:41 \"X Y\" is not the name of a header field\n"},
    {SITE("header request set host x;"),
     "1:40 \"host\" of a request may not be changed: use origins { host NAME; }\n"},
    {SITE("header request remove If-None-Match;"),
     "1:43 \"If-None-Match\" of a request may not be changed: the cache itself speaks through it\n"},
    {SITE("header response set content-length 5;"),
     "1:41 \"content-length\" of a response may not be changed: it frames the message\n"},
    {SITE("header response add Transfer-Encoding x;"),
     "1:41 \"Transfer-Encoding\" of a response may not be changed: it frames the message\n"},
    {SITE("header response remove Connection;"),
     "1:44 \"Connection\" of a response may not be changed: it is for one connection only\n"},
    {SITE("header response remove Age;"),
     "1:44 \"Age\" of a response may not be changed: the cache itself speaks through it\n"},
    {SITE("header response remove Cache-Status;"),
     "1:44 \"Cache-Status\" of a response may not be changed: use cache_status\n"},
};

static const struct bad_case lists[] = {
    {CACHE("ignore_query;"),
     "1:29 \"ignore_query\" needs more words; write: ignore_query NAME... | off;\n"},
    {CACHE("ignore_query a&b c=d;"), "1:42 \"a&b\" is not the name of a query parameter\n"
                                     "1:46 \"c=d\" is not the name of a query parameter\n"},
    {CACHE("vary_ignore \"a b\";"), "1:41 \"a b\" is not a field name (at most 64 bytes)\n"},
    {CACHE("vary_max 0;"), "1:38 \"0\" is out of range for \"vary_max\": 1..256\n"},
    {CACHE("max_object 0;"), "1:40 \"0\" is out of range for \"max_object\": 1..16T\n"},
    {CACHE("ttl 5s;"),
     "1:29 \"ttl\" does not belong in cache; it belongs in rule {off default_ttl min_ttl max_ttl "
     "stale_while_revalidate stale_if_error serve_stale hit_for_miss set_cookie targeted purge "
     "client_revalidate max_object ignore_cookies ignore_query sort_query vary_ignore vary_max}\n"},
};

static void test_conditions(void **state)
{
    (void)state;
    bad_cases(conditions, ARRAY_LEN(conditions));
}

static void test_blocks(void **state)
{
    (void)state;
    bad_cases(blocks, ARRAY_LEN(blocks));
}

static void test_headers(void **state)
{
    (void)state;
    bad_cases(headers, ARRAY_LEN(headers));
}

static void test_lists(void **state)
{
    (void)state;
    bad_cases(lists, ARRAY_LEN(lists));
}

/* An environment variable is no way to a line of its own. */
static void test_control_bytes(void **state)
{
    struct conf *conf;
    struct buf problems;

    (void)state;
    buf_init(&problems, TEXT_BYTES);
    assert_int_equal(setenv("LARDER_TEST_VALUE", "a\r\nB: c", 1), 0);
    text_load(SPAN(SITE("header response set X ${LARDER_TEST_VALUE};")), CONF_PORTABLE, &conf,
              &problems);
    assert_null(conf);
    assert_non_null(strstr(problems.data, "LARDER_TEST_VALUE holds a control character"));
    buf_free(&problems);
}

static void test_too_many_rules(void **state)
{
    struct buf text;
    struct conf *conf;
    struct buf problems;

    (void)state;
    buf_init(&text, TEXT_BYTES);
    buf_init(&problems, TEXT_BYTES);
    buf_puts(&text, "listen :80; site * { origins { server a http://a; }");
    for (size_t i = 0; i < CONF_RULES_MAX + 1; i++) {
        buf_puts(&text, " rule path /a { pass; }\n");
    }
    buf_puts(&text, "}");
    text_load(buf_span(&text), CONF_PORTABLE, &conf, &problems);
    assert_null(conf);
    assert_string_equal(problems.data, "257:2 more than 256 rules in one site\n");
    buf_free(&text);
    buf_free(&problems);
}

static const char good[] =
    "listen :80;\n"
    "site a { origins { server a http://a; } rule path /x { pass; } }\n"
    "site b { origins { server a http://a; }\n"
    "  cache { ignore_query utm_* gclid; vary_ignore Origin USER-agent; vary_max 3; }\n"
    "  header response set X-A b; upgrade on;\n"
    "  rule path /a* /b method GET cookie sid=* { ttl 2s;\n"
    "    pass off; header request remove X-B; }\n"
    "  rule status 404 5xx 410-412 type Image/* { pass; } }\n";

static void test_values(void **state)
{
    (void)state;
    struct conf *conf = text_good(good);
    const struct conf_site *site = &conf->sites[1];
    const struct conf_rule *rule = &site->rules[0];

    assert_int_equal(conf->sites[0].rule_count, 1);
    assert_int_equal(site->rule_count, 2);
    assert_int_equal(site->cache.ignore_query.count, 2);
    assert_string_equal(site->cache.ignore_query.list[0], "utm_*");
    assert_string_equal(site->cache.vary_ignore.list[1], "USER-agent");
    assert_int_equal(site->cache.vary_max, 3);
    assert_int_equal(site->header_count, 1);
    assert_int_equal(site->upgrade.count, 1);
    assert_string_equal(site->upgrade.list[0], "websocket");
    assert_int_equal(rule->set, CONF_RULE_TTL | CONF_RULE_PASS);
    assert_int_equal(rule->ttl_ms, 2000);
    assert_false(rule->pass);
    assert_int_equal(rule->condition_count, 3);
    assert_int_equal(rule->conditions[0].count, 2);
    assert_int_equal(rule->conditions[2].kind, CONF_IF_COOKIE);
    assert_string_equal(rule->conditions[2].list[0].name, "sid");
    assert_string_equal(rule->conditions[2].list[0].value, "*");
    assert_int_equal(rule->header_count, 1);
    assert_int_equal(rule->headers[0].action, CONF_HEADER_REMOVE);
    rule = &site->rules[1];
    assert_true(rule->pass);
    assert_int_equal(rule->conditions[0].list[1].low, 500);
    assert_int_equal(rule->conditions[0].list[1].high, 599);
    assert_int_equal(rule->conditions[0].list[2].low, 410);
    assert_string_equal(rule->conditions[1].list[0].value, "image/*");
    conf_unref(conf);
}

static void test_where(void **state)
{
    (void)state;
    struct conf *conf = text_good(good);
    const struct conf_site *site = &conf->sites[1];

    assert_int_equal(conf_where_site(conf, site, "ignore_query").line, 4);
    assert_string_equal(conf_where_site(conf, site, "ignore_query").file, "t");
    assert_null(conf_where_site(conf, site, "sort_query").file);
    assert_null(conf_where_site(conf, &conf->sites[0], "ignore_query").file);
    assert_int_equal(conf_where_rule(conf, site, &site->rules[0], NULL).line, 6);
    assert_int_equal(conf_where_rule(conf, site, &site->rules[0], "pass").line, 7);
    assert_int_equal(conf_where_rule(conf, site, &site->rules[1], "pass").line, 8);
    assert_null(conf_where_rule(conf, site, &site->rules[1], "ttl").file);
    conf_unref(conf);
}

/* Only what a rule sets is shown of it, words that look like keywords in quotes. */
static void test_dump(void **state)
{
    struct buf out;

    (void)state;
    struct conf *conf = text_good(SITE("rule header \"path\" cookie x { ttl 1d; }"));
    buf_init(&out, TEXT_BYTES);
    conf_print_effective(conf, true, &out);
    assert_non_null(strstr(out.data, "    rule header \"path\" cookie x {"));
    assert_non_null(strstr(out.data, "\n        ttl 1d;"));
    assert_null(strstr(out.data, "        hit_for_miss 0"));
    assert_non_null(strstr(out.data, "max_object store;"));
    conf_unref(conf);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions),    cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_headers),       cmocka_unit_test(test_lists),
        cmocka_unit_test(test_control_bytes), cmocka_unit_test(test_too_many_rules),
        cmocka_unit_test(test_values),        cmocka_unit_test(test_where),
        cmocka_unit_test(test_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
