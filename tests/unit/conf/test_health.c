/* Checks, ejection, breaker and name servers: what they take, what is said of mistakes, and that a
 * dump brings back the same. */
#include <stdio.h>

#include "conf_test.h"

#define POOL(text) "listen :80; origins p { server a http://a; " text " } site * { origins p; }"

static const struct bad_case bad[] = {
    {POOL("check healthz;"), "1:50 \"healthz\" is not a value of \"check\" {off GET HEAD tcp}\n"},
    {POOL("check GET;"),
     "1:44 \"check\" needs more words; write: check [GET | HEAD] PATH | tcp | off  [every=DURATION] "
     "[timeout=DURATION] [expect=200-299,301] [body=TEXT] [host=NAME] [rise=NUMBER] [fall=NUMBER] "
     "[jitter=PERCENT];\n"},
    {POOL("check GET \"/a b\";"),
     "1:54 \"/a b\" is not a path like /healthz, with a query or without\n"},
    {POOL("check GET a;"), "1:54 \"a\" is not a path like /healthz, with a query or without\n"},
    {POOL("check /x every=5;"), "1:53 \"5\" needs a unit [5s] {ms s m h d}\n"},
    {POOL("check /x rise=0;"), "1:53 \"0\" is out of range for \"rise\": 1..100\n"},
    {POOL("check /x jitter=60%;"), "1:53 \"60%\" is out of range for \"jitter\": 0%..50%\n"},
    {POOL("check /x expect=2000;"),
     "1:53 \"2000\" is not a status from 100 to 599, a range like 200-299, or 2xx\n"},
    {POOL("check /x expect=299-200;"),
     "1:53 \"299-200\" is not a status from 100 to 599, a range like 200-299, or 2xx\n"},
    {POOL("check /x expect=;"),
     "1:53 \"\" is not a status from 100 to 599, a range like 200-299, or 2xx\n"},
    {POOL("check HEAD /x body=ok;"), "1:50 only a GET has a body to look at; remove body= here\n"},
    {POOL("check /x fail=3;"),
     "1:53 \"fail=3\" is not an option of \"check\"; options are name=value [fall] {every timeout "
     "expect body host rise fall jitter}\n"},
    {POOL("eject maybe;"), "1:50 \"maybe\" is not a value of \"eject\" {auto off on}\n"},
    {POOL("eject on=5xx,tls;"), "1:50 \"tls\" is not a failure: connect, timeout, reset, bad, a "
                                "status, a range like 502-504, or 5xx\n"},
    {POOL("eject time=5s max_time=1s;"), "1:44 max_time of \"eject\" is less than its time\n"},
    {POOL("breaker errors=0%;"), "1:52 \"0%\" is out of range for \"errors\": 1%..100%\n"},
    {POOL("breaker off errors=1%;"),
     "1:56 one word too many: \"errors=1%\"; write: breaker off | [errors=PERCENT] "
     "[requests=NUMBER] [within=DURATION];\n"},
    {POOL("resolve 30s;"), "1:52 \"30s\" is not an option of \"resolve\"; options are name=value "
                           "{every}\n"},
    {"resolver dns.test;" POOL(""),
     "1:10 \"dns.test\" is not the address of a name server: ADDRESS or ADDRESS:PORT\n"},
    {"resolver 10.0.0.0/8 ::1;" POOL(""),
     "1:10 \"10.0.0.0/8\" is not the address of a name server: ADDRESS or ADDRESS:PORT\n"},
};

static void test_bad(void **state)
{
    (void)state;
    bad_cases(bad, ARRAY_LEN(bad));
}

static void see_defaults(const struct conf_origins *pool)
{
    assert_int_equal(pool->probe.kind, CONF_PROBE_OFF);
    assert_int_equal(pool->eject.kind, CONF_EJECT_AUTO);
    assert_int_equal(pool->eject.fails, 5);
    assert_int_equal(pool->eject.time_ms, 1000);
    assert_int_equal(pool->eject.max_time_ms, 60000);
    assert_int_equal(pool->eject.on.faults, CONF_FAILURE_CONNECT | CONF_FAILURE_TIMEOUT |
                                                CONF_FAILURE_RESET | CONF_FAILURE_BAD);
    assert_int_equal(pool->eject.on.statuses.list[0].low, 502);
    assert_int_equal(pool->eject.on.statuses.list[0].high, 504);
    assert_false(pool->breaker.is_on);
    assert_int_equal(pool->resolve_every_ms, 0);
}

static void see_values(const struct conf *conf)
{
    const struct conf_origins *pool = conf_find_pool(conf, "p");

    assert_int_equal(pool->probe.kind, CONF_PROBE_GET);
    assert_string_equal(pool->probe.path, "/h?a=1");
    assert_string_equal(pool->probe.body, "all \"well\"");
    assert_string_equal(pool->probe.host, "h:81");
    assert_int_equal(pool->probe.expect.count, 3);
    assert_int_equal(pool->probe.expect.list[0].low, 200);
    assert_int_equal(pool->probe.expect.list[0].high, 299);
    assert_int_equal(pool->probe.expect.list[1].high, 301);
    assert_int_equal(pool->probe.expect.list[2].low, 404);
    assert_int_equal(pool->probe.expect.list[2].high, 406);
    assert_int_equal(pool->probe.every_ms, 1500);
    assert_int_equal(pool->probe.timeout_ms, 2000);
    assert_int_equal(pool->probe.fall, 1);
    assert_int_equal(pool->probe.jitter, 0);
    assert_int_equal(pool->eject.kind, CONF_EJECT_ON);
    assert_int_equal(pool->eject.fails, 2);
    assert_int_equal(pool->eject.on.faults, CONF_FAILURE_TIMEOUT);
    assert_int_equal(pool->eject.on.statuses.list[0].high, 599);
    assert_true(pool->breaker.is_on);
    assert_int_equal(pool->breaker.errors, 10);
    assert_int_equal(pool->resolve_every_ms, 30000);
    assert_int_equal(conf->resolvers.count, 3);
    assert_string_equal(conf->resolvers.list[0], "10.0.0.53:53");
    assert_string_equal(conf->resolvers.list[1], "[2001:db8::53]:53");
    assert_string_equal(conf->resolvers.list[2], "[::1]:5353");
}

static void test_good(void **state)
{
    struct conf *conf = text_good(POOL(""));
    struct buf dump;

    (void)state;
    see_defaults(conf_find_pool(conf, "p"));
    conf_unref(conf);
    conf = text_good("resolver 10.0.0.53 2001:db8::53 [::1]:5353;" POOL(
        "check /h?a=1 every=1500ms expect=2xx,301,404-406 body=\"all \\\"well\\\"\" host=H:81 fall=1 "
        "jitter=0%; eject fails=2 on=timeout,5xx; breaker errors=10%; resolve every=30s;"));
    see_values(conf);
    buf_init(&dump, TEXT_BYTES);
    conf_print_effective(conf, true, &dump);
    conf_unref(conf);
    conf = text_good(dump.data);
    see_values(conf);
    conf_unref(conf);
    buf_free(&dump);
}

static void test_kinds(void **state)
{
    static const struct {
        const char *words;
        enum conf_probe_kind kind;
    } cases[] = {{"GET /a", CONF_PROBE_GET},
                 {"HEAD /a", CONF_PROBE_HEAD},
                 {"tcp every=1s", CONF_PROBE_TCP},
                 {"off", CONF_PROBE_OFF}};
    char text[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(text, sizeof(text), POOL("check %s;"), cases[i].words);
        struct conf *conf = text_good(text);
        assert_int_equal(conf_find_pool(conf, "p")->probe.kind, cases[i].kind);
        conf_unref(conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
