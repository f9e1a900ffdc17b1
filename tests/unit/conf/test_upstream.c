/* `upstream`: pools, URLs, credentials and what a dump shows of them; the condition `host`. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/print.h"
#include "conf_test.h"

#define POOL "origins up { server a http://a:3128; } "
#define FORWARD(body) "listen :3128 { forward f; } forward f { " body " } " POOL

static const struct bad_case bad[] = {
    {FORWARD("upstream;"),
     "1:41 \"upstream\" needs more words; write: upstream POOL | URL | direct [user=NAME "
     "password=TEXT | credentials=FILE] [else=direct|fail];\n"},
    {FORWARD("upstream ap;"), "1:50 there is no pool \"ap\"; it would be at the top level: origins "
                              "ap { ... } [up] {up}\n"},
    {FORWARD("upstream up; upstream up;"),
     "1:54 \"upstream\" is set twice in this forward block; it is already set at t:1:41; remove "
     "one\n"},
    {FORWARD("upstream ftp://a:1;"),
     "1:50 \"ftp://a:1\" is not a parent: write http://HOST[:PORT], or the name of a pool\n"},
    {FORWARD("upstream a:1;"),
     "1:50 \"a:1\" is not a parent: write http://HOST[:PORT], or the name of a pool\n"},
    {FORWARD("upstream http://u:p@a:1;"),
     "1:50 user and password stand behind the URL: user=NAME password=TEXT, or "
     "credentials=FILE\n"},
    {FORWARD("upstream https://a;"),
     "1:50 parents are spoken to in clear text: http://HOST[:PORT]\n"},
    {"listen :3128 { forward f; } forward f { upstream s; } origins s { server a https://a; }",
     "1:50 the pool \"s\" has a server with https://, and parents are spoken to in clear text\n"},
    {FORWARD("upstream direct else=fail;"), "1:41 \"direct\" stands alone\n"},
    {FORWARD("upstream up user=a;"), "1:41 \"user\" and \"password\" belong together\n"},
    {FORWARD("upstream up password=a;"), "1:41 \"user\" and \"password\" belong together\n"},
    {FORWARD("upstream up user=a:b password=c;"),
     "1:41 a user has no \":\", and user and password are at most 255 bytes, none of them a control "
     "byte\n"},
    {FORWARD("upstream up user=a password=b credentials=/f;"),
     "1:41 \"credentials\" takes the place of \"user\" and \"password\"\n"},
    {FORWARD("upstream up else=maybe;"),
     "1:41 \"maybe\" is not a value of \"upstream\" {fail direct}\n"},
    {FORWARD("upstream up credentials=f;"),
     "1:41 \"f\" is not an absolute path (one that begins with \"/\")\n"},
    {FORWARD("rule status 404 { upstream up; }"),
     "1:59 \"upstream\" must be known before the origin is asked, type and status are only after "
     "it\n"},
    {FORWARD("rule host a { upstream ap; }"),
     "1:64 there is no pool \"ap\"; it would be at the top level: origins ap { ... } [up] {up}\n"},
    {"listen :80; site * { origins up; rule path /a { upstream up; } } " POOL,
     "1:49 \"upstream\" is for the rules of a forward proxy; a site's requests go to its origins\n"},
    {"listen :3128 { forward f; } forward f { upstream s; } origins s { server a http://a; sticky "
     "c; }",
     "1:50 the pool \"s\" has \"sticky\", which would set a cookie for every site behind these "
     "parents\n"},
    {FORWARD("rule host a:80 { pass; }"),
     "1:51 \"a:80\" is not a host: NAME, *.NAME or an address, without port\n"},
    {FORWARD("rule host *a { pass; }"),
     "1:51 \"*a\" is not a host: NAME, *.NAME or an address, without port\n"},
};

static void test_mistakes(void **state)
{
    (void)state;
    bad_cases(bad, ARRAY_LEN(bad));
}

static const struct conf_upstream *upstream_of(const struct conf *conf)
{
    return &conf->sites[0].forward.upstream;
}

static void test_values(void **state)
{
    (void)state;
    struct conf *conf = text_good(FORWARD("upstream up user=Aladdin password=\"open sesame\" "
                                          "else=direct; rule host *.B.test c.test { upstream "
                                          "direct; } rule host d.test { upstream "
                                          "http://[::1]; }"));
    const struct conf_upstream *upstream = upstream_of(conf);
    assert_true(upstream->is_set && !upstream->is_direct && upstream->else_direct);
    assert_string_equal(upstream->pool, "up");
    assert_null(upstream->url);
    /* RFC 7617 section 2 */
    assert_string_equal(upstream->authorization,
                        "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_ptr_equal(conf_find_parents(conf, upstream), &conf->pools[0]);
    const struct conf_rule *rules = conf->sites[0].rules;
    assert_int_equal(rules[0].set, CONF_RULE_UPSTREAM);
    assert_true(rules[0].upstream.is_direct);
    assert_int_equal(rules[0].conditions[0].kind, CONF_IF_HOST);
    assert_string_equal(rules[0].conditions[0].list[0].value, "*.b.test");
    const struct conf_origins *made = conf_find_parents(conf, &rules[1].upstream);
    assert_string_equal(made->name, "parent:[::1]:80");
    assert_string_equal(made->servers[0].url, "http://[::1]");
    assert_string_equal(made->servers[0].host, "::1");
    assert_int_equal(made->servers[0].port, 80);
    assert_int_equal(made->timeout.connect_ms, 2000); /* as of every pool */
    assert_false(rules[1].upstream.else_direct);
    assert_null(rules[1].upstream.authorization);
    conf_unref(conf);

    conf = text_good(FORWARD(""));
    assert_false(upstream_of(conf)->is_set);
    assert_int_equal(conf->parent_count, 0);
    conf_unref(conf);
}

static void test_a_url_is_one_pool(void **state)
{
    (void)state;
    struct conf *conf = text_good(
        FORWARD("upstream http://P:1/; rule host a { upstream http://p:1; } rule host b { "
                "upstream http://p:2; }"));
    assert_int_equal(conf->parent_count, 2);
    assert_string_equal(conf->parents[0]->name, "parent:p:1");
    assert_string_equal(conf->parents[1]->name, "parent:p:2");
    conf_unref(conf);
}

static void test_base64_of_every_rest(void **state)
{
    (void)state;
    static const struct {
        const char *password;
        const char *wanted;
    } cases[] = {{"b", "YTpi"}, {"bc", "YTpiYw=="}, {"bcd", "YTpiY2Q="}, {"\xc3\xbf?", "YTrDvz8="}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), FORWARD("upstream up user=a password=%s;"),
                       cases[i].password);
        struct conf *conf = text_good(text);
        assert_string_equal(upstream_of(conf)->authorization + 27, cases[i].wanted);
        conf_unref(conf);
    }
}

/* ---- the dump ---- */

static void dump(const struct conf *conf, struct buf *out)
{
    buf_init(out, TEXT_BYTES);
    conf_print_effective(conf, false, out);
    assert_false(out->failed);
}

static void test_a_dump_loads_to_the_same(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "upstream up;",
        "upstream direct;",
        "upstream http://p:3128 else=direct;",
        "upstream up credentials=\"/etc/a b\" else=direct;",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char text[512];
        struct buf first;
        struct buf second;
        (void)snprintf(text, sizeof(text), FORWARD("%s rule host *.a.test \"host\" { %s }"),
                       lines[i], lines[i]);
        struct conf *conf = text_good(text);
        dump(conf, &first);
        assert_non_null(strstr(first.data, lines[i]));
        assert_non_null(strstr(first.data, "rule host *.a.test \"host\" {"));
        conf_unref(conf);
        conf = text_good(first.data);
        dump(conf, &second);
        /* places differ */
        assert_non_null(strstr(second.data, lines[i]));
        conf_unref(conf);
        buf_free(&first);
        buf_free(&second);
    }
}

#define A20 "aaaaaaaaaaaaaaaaaaaa"
#define A80 A20 A20 A20 A20

static void test_no_password_is_shown(void **state)
{
    (void)state;
    struct buf out;
    struct conf *conf = text_good(FORWARD("upstream up user=u password=hidden;"));
    dump(conf, &out);
    assert_non_null(strstr(out.data, "upstream up user=u password=***;"));
    assert_null(strstr(out.data, "hidden"));
    buf_free(&out);
    conf_unref(conf);

    /* A mistake beside it shows the line, and may show words of it. */
    static const char *const mistakes[] = {
        FORWARD("upstream ap user=u password=hidden;"),
        FORWARD("upstream up user=u password=\"hidden hidden\" else=x;"),
        FORWARD("upstream up user=u password=\"hid\\\"hidden\" else=x;"),
        FORWARD("upstream up user=u password=hidden password=hidden;"),
        FORWARD("upstream direct user=u password=hidden;"),
        FORWARD("upsteam up user=u password=hidden;"),
        FORWARD("upsteam up user=u \"password=hidden hidden\";"),
        FORWARD("upstream http://u:hidden@p:3128;"),
        FORWARD("upstream http://u:hidden@p:3128 user=u;"),
        FORWARD("upstream up user=u password=" A80 A80 A80 "hidden" A80 " else=x;"),
    };
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        struct conf_report *report = conf_report_new();
        assert_int_equal(conf_load_text("t", span_str(mistakes[i]), CONF_PORTABLE, &conf, report),
                         ERR_SYNTAX);
        buf_init(&out, TEXT_BYTES);
        conf_report_print(report, &out);
        conf_report_print_json(report, &out);
        assert_null(strstr(out.data, "hidden"));
        assert_non_null(strstr(out.data, "password="));
        buf_free(&out);
        conf_report_free(report);
    }
}

static void test_stars_are_asked_about(void **state)
{
    (void)state;
    struct conf *conf;
    struct buf problems;
    buf_init(&problems, TEXT_BYTES);
    text_load(span_str(FORWARD("upstream up user=u password=***;")), CONF_PORTABLE, &conf,
              &problems);
    assert_non_null(conf);
    assert_non_null(strstr(problems.data, "as a dump shows it"));
    buf_free(&problems);
    conf_unref(conf);
}

/* ---- a file ---- */

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_credentials(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *wanted; /* NULL: it does not load */
    } cases[] = {
        {"a:b\n", "YTpi"},   {"a:b", "YTpi"},    {"a:b\r\nrest", "YTpi"}, {"a:b:c\n", "YTpiOmM="},
        {"a:\n", "YTo="},    {"", NULL},         {"\na:b\n", NULL},       {":b\n", NULL},
        {"nothing\n", NULL}, {"a\tb:c\n", NULL},
    };
    char folder[] = "/tmp/larder-upstream-XXXXXX";
    char path[64];
    char text[256];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/f", folder);
    (void)snprintf(text, sizeof(text), FORWARD("upstream up credentials=%s;"), path);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf *conf;
        struct buf problems;
        write_file(path, cases[i].text, 0600);
        buf_init(&problems, TEXT_BYTES);
        buf_puts(&problems, "");
        text_load(span_str(text), 0, &conf, &problems);
        assert_int_equal(conf != NULL, cases[i].wanted != NULL);
        if (conf != NULL) {
            assert_string_equal(problems.data, "");
            assert_string_equal(upstream_of(conf)->authorization + 27, cases[i].wanted);
        }
        conf_unref(conf);
        buf_free(&problems);
    }
    struct conf *conf;
    struct buf problems;
    buf_init(&problems, TEXT_BYTES);
    write_file(path, "a:b\n", 0644);
    text_load(span_str(text), 0, &conf, &problems);
    assert_non_null(strstr(problems.data, "everybody on this machine may read"));
    conf_unref(conf);
    assert_int_equal(unlink(path), 0);
    text_load(span_str(text), 0, &conf, &problems);
    assert_null(conf);
    assert_non_null(strstr(problems.data, "cannot read"));
    buf_free(&problems);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_a_url_is_one_pool),
        cmocka_unit_test(test_base64_of_every_rest),
        cmocka_unit_test(test_a_dump_loads_to_the_same),
        cmocka_unit_test(test_no_password_is_shown),
        cmocka_unit_test(test_stars_are_asked_about),
        cmocka_unit_test(test_credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
