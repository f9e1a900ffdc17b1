/* What a site changes of paths, Host and answers: values, mistakes with exact place and words. */
#include <stdio.h>

#include "conf/template.h"
#include "conf_test.h"

#define SITE(body) "listen :80; site * {" body " origins { server a http://a; } }"

static const struct bad_case rewrites[] = {
    {SITE("strip_prefix api;"), "1:34 \"api\" is not a path prefix: one begins with /\n"},
    {SITE("strip_prefix /;"), "1:34 \"/\" ends in /: name whole segments, as in /api\n"},
    {SITE("add_prefix /v2/;"), "1:32 \"/v2/\" ends in /: name whole segments, as in /api\n"},
    {SITE("add_prefix /a//b;"), "1:32 \"/a//b\" has an empty or a dot segment\n"},
    {SITE("add_prefix /a/../b;"), "1:32 \"/a/../b\" has an empty or a dot segment\n"},
    {SITE("add_prefix /a%2f;"),
     "1:32 \"/a%2f\" has a % that begins no escape; write escapes with capitals\n"},
    {SITE("add_prefix /a?b;"), "1:32 \"/a?b\" has bytes that no prefix of a path has\n"},
    {SITE("rule prefix /api/* { pass; }"),
     "1:33 \"/api/*\" has bytes that no prefix of a path has\n"},
    {SITE("rule path /a { host a/b; }"),
     "1:41 \"a/b\" is not a host name: labels of letters, digits, - and _ with dots between\n"},
    {SITE("normalize_path on;"),
     "1:36 \"on\" is not a value of \"normalize_path\" {auto off reject fold}\n"},
    {SITE("rule cookie a { add_prefix /b; }"),
     "1:37 \"add_prefix\" decides what an address shows: its rule may ask for host, path, prefix and "
     "method alone, or must have \"pass\"\n"},
    {SITE("rule path /x header a { pass off; host b; }"),
     "1:55 \"host\" decides what an address shows: its rule may ask for host, path, prefix and method "
     "alone, or must have \"pass\"\n"},
    {SITE("rule method GET POST { strip_prefix /b; }"),
     "1:44 \"strip_prefix\" decides what an address shows: name GET and HEAD both or neither, as "
     "HEAD speaks of what GET has stored\n"},
    {SITE("rule status 404 { pass; redirect_rewrite off; }"),
     "1:45 \"redirect_rewrite\" must be known before the origin is asked, type and status are only "
     "after it\n"},
    {SITE("rule cookie a { pass; host b; }\nrule path /x { pass off; }"),
     "2:16 this would cache what the rule at t:1:21 gets from elsewhere for some only; put this "
     "rule above it\n"},
};

static const struct bad_case answers[] = {
    {SITE("redirect;"), "1:21 \"redirect\" needs more words; write: redirect off | https [host "
                        "NAME] [port=NUMBER] | host NAME | STATUS \"URL\";\n"},
    {SITE("redirect 304 /;"),
     "1:30 \"304\" is not a value of \"redirect\" [301] {off https host 301 302 "
     "303 307 308}\n"},
    {SITE("redirect https port=65536;"), "1:36 \"port=65536\" is not port=1 to port=65535\n"},
    {SITE("redirect 301 x;"), "1:34 \"x\" cannot be redirected to: it must begin with http://, "
                              "https:// or /\n"},
    {SITE("rule type a/b { redirect https; }"),
     "1:37 \"redirect\" must be known before the origin is asked, type and status are only after "
     "it\n"},
    {SITE("rule status 404 { respond 410; }"),
     "1:39 \"respond\" must be known before the origin is asked, type and status are only after "
     "it\n"},
    {SITE("respond 206 x;"),
     "1:29 \"206\" is not a status to answer with: 200 to 599, without 206 and 3xx\n"},
    {SITE("respond 205 x;"), "1:33 \"x\" cannot be sent: this status has no content\n"},
    {SITE("respond 200 x type=y;"), "1:35 \"type=y\" is not type=MEDIA/TYPE\n"},
    {SITE("error_page 200 /x;"), "1:32 \"200\" is no error: those are 400 to 599\n"},
    {SITE("error_page 404 x;"),
     "1:36 \"x\" is not a file: an absolute path stands behind the statuses\n"},
    {SITE("error_page /x 404;"), "1:32 \"/x\" needs a status before it, like 503 or 5xx\n"},
    {SITE("error_page 404 /x catch;"), "1:39 \"catch\" is neither intercept nor type=TYPE\n"},
};

static void test_mistakes(void **state)
{
    (void)state;
    bad_cases(rewrites, ARRAY_LEN(rewrites));
    bad_cases(answers, ARRAY_LEN(answers));
}

static void check_values(const struct conf *conf)
{
    const struct conf_site *site = &conf->sites[0];
    assert_string_equal(site->rewrite.strip_prefix, "/api");
    assert_string_equal(site->rewrite.add_prefix, "/v2/x");
    assert_false(site->rewrite.redirect_rewrite);
    assert_int_equal(site->normalize, CONF_NORMALIZE_REJECT);
    assert_string_equal(site->rules[1].host, "b:81");
    assert_string_equal(site->rules[1].rewrite.add_prefix, "");
    assert_string_equal(site->rules[2].host, "server");
    assert_string_equal(site->rules[2].rewrite.strip_prefix, "/p%2F");
    assert_int_equal(site->rules[2].conditions[0].kind, CONF_IF_PREFIX);
}

/* As read, and as read again from what was printed. */
static void test_values(void **state)
{
    (void)state;
    struct buf out;
    struct conf *conf = text_good(
        SITE("strip_prefix /api; add_prefix /v2/x; normalize_path reject; redirect_rewrite off; "
             "rule path /x { pass off; } rule cookie a { pass; host b:81; add_prefix off; } "
             "rule prefix /p method GET HEAD { host server; strip_prefix /p%2F; }"));
    check_values(conf);
    buf_init(&out, TEXT_BYTES);
    conf_print_effective(conf, true, &out);
    conf_unref(conf);
    conf = text_good(out.data);
    check_values(conf);
    conf_unref(conf);
    buf_free(&out);
}

static const struct {
    const char *text;
    const char *fault; /* a word of it; NULL: good */
} templates[] = {
    {"/", NULL},
    {"/new", NULL},
    {"/new{path}{query}", NULL},
    {"/new?from={path}&at={host}", NULL},
    {"https://a.test", NULL},
    {"https://a.test:81{path}{query}", NULL},
    {"http://{host}", NULL},
    {"http://{host}:8080/x{query}", NULL},
    {"https://m.{host}{path}", NULL},
    {"https://a.test?x={host}", NULL},
    {"http://[::1]:81/", NULL},
    {"", "must begin"},
    {"x", "must begin"},
    {"{path}", "must begin"},
    {"{host}/x", "must begin"},
    {"ftp://a.test/", "must begin"},
    {"//a.test/", "names a host"},
    {"/{path}", "names a host"},
    {"https://", "no host"},
    {"https:///x", "no host"},
    {"https://:80/", "no host"},
    {"https://{path}", "no host"},
    {"https://evil{host}", "whole name"},
    {"https://{host}.evil.test", "comes /"},
    {"https://{host}{host}", "comes /"},
    {"https://{host}{query}", "comes /"},
    {"https://u@a.test/", "comes /"},
    {"https://a.test#x", "comes /"},
    {"/x{host}", "behind the scheme"},
    {"/x?{query}", "own ?"},
    {"/x{query}y", "own ?"},
    {"/x{query}{query}", "own ?"},
    {"/x{user}", "braces"},
    {"/x{", "braces"},
    {"/a b", "no URL has"},
    {"/a\r\nX: y", "no URL has"},
    {"/a\\b", "no URL has"},
};

static void test_templates(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
        const char *got = conf_template_fault(span_str(templates[i].text));
        if ((got == NULL) != (templates[i].fault == NULL) ||
            (got != NULL && strstr(got, templates[i].fault) == NULL)) {
            fail_msg("%s: %s", templates[i].text, got);
        }
    }
}

/* Printed as they load again. */
static void test_answers(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "redirect off;",
        "redirect https;",
        "redirect https host a.test;",
        "redirect https port=8443;",
        "redirect https host a.test:81 port=8443;",
        "redirect host a.test;",
        "redirect 301 \"https://{host}{path}{query}\";",
        "redirect 302 /x;",
        "respond off;",
        "respond 204;",
        "respond 200 hello;",
        "respond 404 \"a \\\" b\" type=text/html;",
        "respond 503 /f/x.html type=text/plain;",
        "error_page 404 5xx /f/x.html;",
        "error_page 400-499 /f/x.html intercept type=text/plain;",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char text[256];
        struct buf out;
        (void)snprintf(text, sizeof(text), SITE("%s"), lines[i]);
        struct conf *conf = text_good(text);
        buf_init(&out, TEXT_BYTES);
        conf_print_effective(conf, false, &out);
        if (strstr(out.data, lines[i]) == NULL) {
            fail_msg("%s is printed as\n%s", lines[i], out.data);
        }
        conf_unref(conf);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
