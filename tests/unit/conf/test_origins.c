/* Pools: what `origins` takes, who may name one, and what is said of mistakes. */
#include "conf_test.h"

#define POOL(text) "listen :80; origins p { " text " } site * { origins p; }"

static const struct bad_case bad[] = {
    {POOL("server a http://a weight=0;"), "1:43 \"0\" is out of range for \"weight\": 1..1000\n"},
    {POOL("server a http://a backup backup;"), "1:50 \"backup\" stands twice here; remove one\n"},
    {POOL("server a http://a; balance hash;"),
     "1:44 \"balance\" needs more words; write: balance round_robin | least_conn | random | hash url "
     "| hash client | hash header NAME | hash cookie NAME;\n"},
    {POOL("server a http://a; balance hash header \"x y\";"),
     "1:64 \"x y\" is not the name of a header\n"},
    {POOL("server a http://a; sticky \"a;b\";"),
     "1:51 \"a;b\" is not the name of a cookie (at most 64 bytes)\n"},
    {POOL("balance random;"),
     "1:13 this \"origins\" has no \"server\"; add: server app http://10.0.0.11:8080;\n"},
    {"listen :80; origins p { server a http://a; } origins p { server a http://b; } site * { origins "
     "p; }",
     "1:54 there is a pool \"p\" already, at t:1:21\n"},
    {"listen :80; origins x.test { server a http://a; } site x.test { origins { server a http://b; "
     "} }",
     "1:21 there is a site \"x.test\" already, at t:1:56\n"},
    {"listen :80; origins pages { server a http://a; } site * { origins page; }",
     "1:67 there is no pool \"page\"; it would be at the top level: origins page { ... } [pages] "
     "{pages}\n"},
    {"listen :80; site * { origins; }",
     "1:22 \"origins\" needs a block; write: origins NAME; | { ... }\n"},
    {"listen :80; origins p { server a http://a; } site * { origins p; rule cookie x { origins p; } "
     "}",
     "1:82 \"origins\" decides what an address shows: its rule may ask for host, path, prefix and "
     "method alone, or must have \"pass\"\n"},
};

static void test_bad(void **state)
{
    (void)state;
    bad_cases(bad, ARRAY_LEN(bad));
}

static void test_good(void **state)
{
    struct conf *conf = text_good(
        "listen :80; origins p { server a http://A:81/ max=9 backup weight=3; server b http://b;\n"
        "balance hash cookie sid; sticky node max_age=1h; slow_start 30s; queue size=0 timeout=1s; }\n"
        "site * { origins p; rule cookie x { pass; origins p; } rule path /a/* { origins p; } }");
    const struct conf_origins *pool = conf_find_pool(conf, "p");

    (void)state;
    assert_non_null(pool);
    assert_int_equal(pool->server_count, 2);
    assert_string_equal(pool->servers[0].url, "http://a:81");
    assert_int_equal(pool->servers[0].weight, 3);
    assert_int_equal(pool->servers[0].max, 9);
    assert_true(pool->servers[0].backup);
    assert_int_equal(pool->servers[1].weight, 1);
    assert_int_equal(pool->servers[1].max, 0);
    assert_false(pool->servers[1].backup);
    assert_int_equal(pool->balance.by, CONF_BALANCE_HASH_COOKIE);
    assert_string_equal(pool->balance.name, "sid");
    assert_string_equal(pool->sticky.cookie, "node");
    assert_int_equal(pool->sticky.max_age_ms, 3600000);
    assert_int_equal(pool->slow_start_ms, 30000);
    assert_int_equal(pool->queue.size, 0);
    assert_int_equal(pool->queue.timeout_ms, 1000);
    assert_string_equal(conf->sites[0].origins.name, "p");
    assert_int_equal(conf->sites[0].origins.server_count, 0);
    assert_string_equal(conf->sites[0].rules[0].origins, "p");
    assert_null(conf_find_pool(conf, "q"));
    conf_unref(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
