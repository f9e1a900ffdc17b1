/* What a site changes of paths, Host and answers: values, mistakes with exact place and words. */
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
     "1:37 \"add_prefix\" decides what an address shows: its rule may ask for path, prefix and "
     "method alone, or must have \"pass\"\n"},
    {SITE("rule path /x header a { pass off; host b; }"),
     "1:55 \"host\" decides what an address shows: its rule may ask for path, prefix and method "
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

static void test_mistakes(void **state)
{
    (void)state;
    bad_cases(rewrites, ARRAY_LEN(rewrites));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
