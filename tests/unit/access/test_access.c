/* Which rule decides: every condition, holding and not, what is built in, and what is said of it. */
#include <limits.h>
#include <time.h>

#include "access_kit.h"

struct row {
    const char *acl;
    struct asked asked;
    const char *wanted;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct kit kit;
        kit_open(&kit, rows[i].acl, CONF_PORTABLE);
        const char *got = kit_says(&kit, &rows[i].asked);
        if (strcmp(got, rows[i].wanted) != 0) {
            fail_msg("%s, %s: %s, wanted %s", rows[i].acl, rows[i].asked.url, got, rows[i].wanted);
        }
        kit_close(&kit);
    }
}

#define A(rules) "acl { " rules " }"
#define U "http://www.example.org/"
#define PUBLIC "93.184.216.34"

static const struct row conditions[] = {
    /* client */
    {A("allow a client 10.0.0.0/8;"), {.url = U}, "allow a"},
    {A("allow a client 10.0.0.0/8;"), {.url = U, .client = "192.0.2.1"}, "deny end"},
    {A("allow a client 192.168.0.0/16 10.1.1.1;"), {.url = U}, "allow a"},
    {A("allow a client 2001:db8::/32;"), {.url = U, .client = "2001:db8::7"}, "allow a"},
    {A("allow a client 10.0.0.0/8;"), {.url = U, .client = "::ffff:10.2.3.4"}, "allow a"},
    /* user, group */
    {A("allow a user bob;"), {.url = U, .user = "bob"}, "allow a"},
    {A("allow a user bob;"), {.url = U, .user = "bo"}, "deny end"},
    {A("allow a user bob;"), {.url = U}, "deny end"},
    {A("allow a user *;"), {.url = U, .user = "eve"}, "allow a"},
    {A("allow a user *;"), {.url = U}, "deny end"},
    {A("allow a group staff;"), {.url = U, .user = "bob", .groups = {"x", "staff"}}, "allow a"},
    {A("allow a group staff;"), {.url = U, .user = "bob", .groups = {"x"}}, "deny end"},
    {A("allow a group staff;"), {.url = U}, "deny end"},
    /* host */
    {A("allow a host www.example.org;"), {.url = U}, "allow a"},
    {A("allow a host WWW.Example.org.;"), {.url = U}, "allow a"},
    {A("allow a host example.org;"), {.url = U}, "deny end"},
    {A("allow a host *.example.org;"), {.url = U}, "allow a"},
    {A("allow a host *.example.org;"), {.url = "http://example.org/"}, "deny end"},
    {A("allow a host *.example.org;"), {.url = "http://a.b.example.org/"}, "allow a"},
    {A("allow a host *.example.org;"), {.url = "http://badexample.org/"}, "deny end"},
    {A("allow a host .example.org;"), {.url = "http://example.org/"}, "allow a"},
    {A("allow a host .example.org;"), {.url = "http://a.example.org/"}, "allow a"},
    {A("allow a host .example.org;"), {.url = "http://example.org.evil/"}, "deny end"},
    {A("allow a host a b www.example.org c;"), {.url = U}, "allow a"},
    {A("allow a host 192.0.2.1 to private;"),
     {.url = "http://192.0.2.1/", .to = "192.0.2.1"},
     "allow a"},
    {A("allow a host 192.0.2.1 to private;"),
     {.url = "http://192.0.2.2/", .to = "192.0.2.2"},
     "deny end"},
    /* port */
    {A("allow a port 81 8000-8010;"), {.url = "http://x.example:8005/"}, "allow a"},
    {A("allow a port 81 8000-8010;"), {.url = "http://x.example:81/"}, "allow a"},
    {A("allow a port 81 8000-8010;"), {.url = "http://x.example:8011/"}, "deny end"},
    {A("allow a port 81 8000-8010;"), {.url = U}, "deny end"},
    /* scheme, method */
    {A("allow a scheme https;"), {.url = "https://x.example/"}, "allow a"},
    {A("allow a scheme https;"), {.url = U}, "deny end"},
    {A("allow a scheme https;"), {.url = "connect://x.example:443"}, "deny end"},
    {A("allow a scheme http connect;"), {.url = "connect://x.example:443"}, "allow a"},
    {A("allow a method GET HEAD;"), {.url = U, .method = "HEAD"}, "allow a"},
    {A("allow a method GET HEAD;"), {.url = U, .method = "POST"}, "deny end"},
    {A("allow a method GET HEAD;"), {.url = U, .method = "get"}, "deny end"},
    /* path */
    {A("allow a path /pub/*;"), {.url = "http://x.example/pub/1?q"}, "allow a"},
    {A("allow a path /pub/*;"), {.url = "http://x.example/%70ub/1"}, "allow a"},
    {A("allow a path /pub/*;"), {.url = "http://x.example/Pub/1"}, "deny end"},
    {A("allow a path *.gif;"), {.url = "http://x.example/a.gif?b"}, "allow a"},
    {A("allow a path *.gif;"), {.url = "http://x.example/a?b.gif"}, "deny end"},
    {A("allow a path *;"), {.url = "connect://x.example:443"}, "deny end"},
    /* regex */
    {A("allow a regex \"^http://[a-z.]+/x[0-9]+\\\\?\";"),
     {.url = "http://x.example/x12?"},
     "allow a"},
    {A("allow a regex ^http://x\\.example/;"), {.url = "http://xyexample/"}, "deny end"},
    {A("allow a regex (?i)/ADS/;"), {.url = "http://x.example/ads/1"}, "allow a"},
    {A("allow a regex :8080/ port 8080 80;"), {.url = "http://x.example:8080/"}, "allow a"},
    {A("allow a regex :80/;"), {.url = U}, "deny end"},
    {A("allow a regex ^connect://x.example:443$;"), {.url = "connect://x.example:443"}, "allow a"},
    {A("allow a regex \"^http://\\\\[2001:db8::1]/\" to private;"),
     {.url = "http://[2001:db8::1]/", .to = "2001:db8::1"},
     "allow a"},
    {A("allow a regex [?]secret=;"), {.url = "http://x.example/a?secret=1"}, "allow a"},
    /* all of them, one of each */
    {A("allow a client 10.0.0.0/8 host .example.org port 80;"), {.url = U}, "allow a"},
    {A("allow a client 10.0.0.0/8 host .example.org port 81;"), {.url = U}, "deny end"},
    {A("allow a client 11.0.0.0/8 host .example.org port 80;"), {.url = U}, "deny end"},
    /* the first decides */
    {A("deny d host www.example.org; allow a all;"), {.url = U}, "deny d"},
    {A("deny d host www.example.org; allow a all;"), {.url = "http://x.example/"}, "allow a"},
    {A("allow a host www.example.org; deny d all;"), {.url = U}, "allow a"},
    {A("allow a host www.example.org; deny d all;"), {.url = "http://x.example/"}, "deny d"},
    {A(""), {.url = U}, "deny end"},
    /* names are made */
    {A("allow host a; deny host b; deny all;"), {.url = U}, "deny deny_3"},
    {A("deny host a; allow all;"), {.url = U}, "allow allow_2"},
};

static const struct row built_in[] = {
    /* usual ports */
    {A("allow a all;"), {.url = "http://x.example:8080/"}, "allow a"},
    {A("allow a all;"), {.url = "http://x.example:8008/"}, "allow a"},
    {A("allow a all;"), {.url = "http://x.example:22/"}, "deny port"},
    {A("allow a all;"), {.url = "http://x.example:443/"}, "deny port"},
    {A("allow a all;"), {.url = "https://x.example/"}, "allow a"},
    {A("allow a all;"), {.url = "https://x.example:8443/"}, "deny port"},
    {A("allow a all;"), {.url = "connect://x.example:443"}, "allow a"},
    {A("allow a all;"), {.url = "connect://x.example:25"}, "deny port"},
    {A("allow a all;"), {.url = "connect://x.example:80"}, "deny port"},
    {A("allow a port 1-65535;"), {.url = "connect://x.example:25"}, "allow a"},
    /* public addresses */
    {A("allow a all;"), {.url = U, .to = PUBLIC}, "allow a"},
    {A("allow a all;"), {.url = U, .to = "10.0.0.1"}, "deny private"},
    {A("allow a all;"), {.url = U, .to = "127.0.0.1"}, "deny private"},
    {A("allow a all;"), {.url = U, .to = "::1"}, "deny private"},
    {A("allow a all;"), {.url = U, .to = "169.254.169.254"}, "deny private"},
    {A("allow a all;"), {.url = U, .to = "224.0.0.1"}, "deny private"},
    {A("allow a to private;"), {.url = U, .to = "10.0.0.1"}, "allow a"},
    {A("allow a to private;"), {.url = U, .to = PUBLIC}, "deny end"},
    {A("allow a to private;"), {.url = U, .to = "127.0.0.1"}, "deny end"},
    {A("allow a to loopback;"), {.url = U, .to = "127.0.0.1"}, "allow a"},
    {A("allow a to linklocal;"), {.url = U, .to = "fe80::1"}, "allow a"},
    {A("allow a to multicast;"), {.url = U, .to = "ff02::1"}, "allow a"},
    {A("allow a to public;"), {.url = U, .to = PUBLIC}, "allow a"},
    {A("allow a to 10.0.0.0/8;"), {.url = U, .to = "10.2.3.4"}, "allow a"},
    {A("allow a to 10.0.0.0/8;"), {.url = U, .to = "::ffff:10.2.3.4"}, "allow a"},
    {A("allow a to 10.0.0.0/8;"), {.url = U, .to = "11.0.0.1"}, "deny end"},
    {A("allow a to 0.0.0.0/0 ::/0;"), {.url = U, .to = "127.0.0.1"}, "allow a"},
    /* what one rule does not let through, a later one may */
    {A("allow a all; allow b to private;"), {.url = U, .to = "10.0.0.1"}, "allow b"},
    {A("allow a all; allow b port 25;"), {.url = "http://x.example:25/"}, "allow b"},
    {A("allow a all; deny d all;"), {.url = U, .to = "10.0.0.1"}, "deny private"},
    {A("allow a all; deny d host www.example.org;"), {.url = U, .to = "10.0.0.1"}, "deny d"},
    /* larder itself: 127.0.0.1:3128, *:8080, 127.0.0.1:8090 */
    {A("allow a to loopback port 1-65535;"),
     {.url = "http://x:3128/", .to = "127.0.0.1"},
     "deny self"},
    {A("allow a to loopback port 1-65535;"),
     {.url = "http://x:3128/", .to = "0.0.0.0"},
     "deny self"},
    {A("allow a to loopback port 1-65535;"),
     {.url = "http://x:3128/", .to = "::ffff:127.0.0.1"},
     "deny self"},
    {A("allow a to loopback port 1-65535;"),
     {.url = "http://x:3128/", .to = "127.0.0.2"},
     "allow a"},
    {A("allow a to loopback port 1-65535;"),
     {.url = "http://x:3129/", .to = "127.0.0.1"},
     "allow a"},
    {A("allow a to loopback;"), {.url = "http://x:8080/", .to = "127.0.0.9"}, "deny self"},
    {A("allow a to loopback;"), {.url = "http://x:8080/", .to = "::1"}, "deny self"},
    {A("allow a to loopback port 8090;"),
     {.url = "http://x:8090/", .to = "127.0.0.1"},
     "deny self"},
    {A("allow a to self port 8090;"), {.url = "http://x:8090/", .to = "127.0.0.1"}, "allow a"},
    {A("allow a to self port 8090;"), {.url = "http://x:8090/", .to = "127.0.0.2"}, "deny end"},
    {A("allow a to self;"), {.url = U, .to = PUBLIC}, "deny end"},
    {A("deny d to self; allow a to loopback;"),
     {.url = "http://x:8080/", .to = "127.0.0.1"},
     "deny d"},
    /* without an address */
    {A("deny d to private; allow a all;"), {.url = U}, "wants d"},
    {A("deny d host x to private; allow a all;"), {.url = U}, "allow a"},
    {A("allow a host www.example.org; deny d to private;"), {.url = U}, "allow a"},
    {A("allow a to public;"), {.url = U}, "wants a"},
    {A("allow a client 10.0.0.0/8; allow b host intra to private;"), {.url = U}, "wants a"},
    {A("allow a client 10.0.0.0/8; allow b host intra to public;"), {.url = U}, "allow a"},
    {A("allow a to private;"), {.url = "http://x.example:22/"}, "deny port"},
    /* no block */
    {"", {.url = U}, "allow default"},
    {"", {.url = U, .client = "127.0.0.1"}, "allow default"},
    {"", {.url = U, .client = "::1"}, "allow default"},
    {"", {.url = U, .client = "fd00::1"}, "allow default"},
    {"", {.url = U, .client = "172.31.0.1"}, "allow default"},
    {"", {.url = U, .client = PUBLIC}, "deny end"},
    {"", {.url = U, .client = "172.32.0.1"}, "deny end"},
    {"", {.url = U, .client = "100.64.0.1"}, "deny end"},
    {"", {.url = U, .to = "10.0.0.1"}, "deny private"},
    {"", {.url = "http://x.example:22/"}, "deny port"},
};

#define MIB ((uint64_t)1 << 20)

static const struct row responses[] = {
    {A("deny d type video/*; allow a all;"), {.url = U}, "allow a?"},
    {A("deny d type video/*; allow a all;"), {.url = U, .type = "video/mp4"}, "deny d"},
    {A("deny d type video/*; allow a all;"), {.url = U, .type = "Video/MP4 ; a=b"}, "deny d"},
    {A("deny d type video/*; allow a all;"), {.url = U, .type = "text/html"}, "allow a"},
    {A("deny d type video/*; allow a all;"), {.url = U, .type = ""}, "allow a"},
    {A("deny d type video/* host x; allow a all;"), {.url = U}, "allow a"},
    {A("deny d type video/*; allow a all;"), {.url = "connect://x.example:443"}, "allow a"},
    {A("allow a type image/*;"), {.url = U}, "allow a?"},
    {A("allow a type image/*;"), {.url = U, .type = "image/png"}, "allow a"},
    {A("allow a type image/*;"), {.url = U, .type = "text/html"}, "deny end"},
    {A("allow a type image/*;"), {.url = U, .type = ""}, "deny end"},
    {A("allow a type image/*;"), {.url = "connect://x.example:443"}, "deny end"},
    {A("allow a type image/*; deny d all;"), {.url = U}, "allow a?"},
    {A("deny d type text/*; deny e all;"), {.url = U}, "deny e?"},
    {A("deny d type text/* to private; allow a all;"), {.url = U}, "wants d"},
    {A("deny d size >1M; allow a all;"), {.url = U, .type = "a/b", .length = MIB + 1}, "allow a"},
    {A("deny d size >1M; allow a all;"), {.url = U, .type = "a/b", .length = MIB + 2}, "deny d"},
    {A("deny d size >1M; allow a all;"), {.url = U, .type = "a/b", .seen = MIB}, "allow a"},
    {A("deny d size >1M; allow a all;"), {.url = U, .type = "a/b", .seen = MIB + 1}, "deny d"},
    {A("deny d size >1M; allow a all;"), {.url = U}, "allow a?"},
    {A("deny d size <1K; allow a all;"), {.url = U, .type = "a/b", .length = 1024}, "deny d"},
    {A("deny d size <1K; allow a all;"), {.url = U, .type = "a/b", .length = 1025}, "allow a"},
    {A("deny d size <1K; allow a all;"), {.url = U, .type = "a/b"}, "allow a"},
    {A("allow a size <1M;"), {.url = U, .type = "a/b", .length = 5}, "allow a"},
    {A("allow a size <1M;"), {.url = U, .type = "a/b", .length = MIB + 1}, "deny end"},
    {A("allow a size <1M;"), {.url = U, .type = "a/b", .seen = 7}, "allow a"},
    {A("allow a size <1M;"), {.url = U, .type = "a/b", .seen = MIB}, "deny end"},
    {A("allow a size >1M;"), {.url = U, .type = "a/b", .seen = 7}, "deny end"},
    {A("deny d type video/* size >1M; allow a all;"),
     {.url = U, .type = "video/mp4", .length = MIB + 2},
     "deny d"},
    {A("deny d type video/* size >1M; allow a all;"),
     {.url = U, .type = "video/mp4", .length = 9},
     "allow a"},
};

static void test_conditions(void **state)
{
    (void)state;
    check_rows(conditions, sizeof(conditions) / sizeof(conditions[0]));
}

static void test_built_in(void **state)
{
    (void)state;
    check_rows(built_in, sizeof(built_in) / sizeof(built_in[0]));
}

static void test_responses(void **state)
{
    (void)state;
    check_rows(responses, sizeof(responses) / sizeof(responses[0]));
}

/* So many bytes of unknown length may go before it is judged again. */
static void test_bound(void **state)
{
    (void)state;
    static const struct {
        const char *acl;
        uint64_t wanted;
    } rows[] = {
        {A("deny d size >1M; allow a all;"), MIB},
        {A("allow a size <1M;"), MIB - 1},
        {A("deny d size >2M; deny e size >1M; allow a size <3M;"), MIB},
        {A("deny d size >1M type video/*; allow a all;"), UINT64_MAX},
        {A("allow a all;"), UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit kit;
        struct access_verdict verdict;
        kit_open(&kit, rows[i].acl, CONF_PORTABLE);
        kit_ask(&kit, &(struct asked){.url = U, .type = "text/html"}, &verdict);
        assert_int_equal(verdict.answer, ACCESS_ALLOW);
        if (i == 3) { /* the size stands before the type: it may be looked at needlessly */
            assert_true(verdict.bound >= MIB);
        } else {
            assert_true(verdict.bound == rows[i].wanted);
        }
        kit_close(&kit);
    }
}

/* What people read, and what says where it was written. */
static void test_verdicts(void **state)
{
    (void)state;
    struct kit kit;
    struct access_verdict verdict;

    kit_open(&kit, A("deny ads host x.example reason=\"Blocked by policy\";\nallow staff all;"),
             CONF_PORTABLE);
    kit_ask(&kit, &(struct asked){.url = "http://x.example/"}, &verdict);
    assert_int_equal(verdict.by, ACCESS_BY_RULE);
    assert_int_equal(verdict.rule, 0);
    assert_string_equal(verdict.reason, "Blocked by policy");
    kit_ask(&kit, &(struct asked){.url = U, .to = "127.0.0.1"}, &verdict);
    assert_int_equal(verdict.by, ACCESS_BY_PRIVATE);
    assert_int_equal(verdict.rule, 1);
    assert_string_equal(verdict.reason, "the rule \"staff\" is not for loopback addresses; to "
                                        "allow it there, add: to loopback");
    kit_ask(&kit, &(struct asked){.url = U, .to = "10.0.0.1"}, &verdict);
    assert_non_null(strstr(verdict.reason, "add: to private"));
    kit_ask(&kit, &(struct asked){.url = "http://y.example:22/"}, &verdict);
    assert_int_equal(verdict.by, ACCESS_BY_PORT);
    assert_non_null(strstr(verdict.reason, "add: port NUMBER"));
    kit_ask(&kit, &(struct asked){.url = "http://y.example:8080/", .to = "127.0.0.1"}, &verdict);
    assert_int_equal(verdict.by, ACCESS_BY_SELF);
    assert_non_null(strstr(verdict.reason, "add: to self"));
    const struct conf_site *site = conf_find_forward(kit.conf, "f");
    struct conf_where where = conf_where_acl(kit.conf, site, 1);
    assert_string_equal(where.file, "t");
    assert_int_equal(where.line, 2);
    kit_close(&kit);
    kit_open(&kit, A("allow a host b;"), CONF_PORTABLE);
    kit_ask(&kit, &(struct asked){.url = U}, &verdict);
    assert_int_equal(verdict.by, ACCESS_BY_END);
    assert_int_equal(verdict.rule, UINT_MAX);
    assert_string_equal(verdict.reason, "no rule of this proxy allows it");
    kit_close(&kit);
}

/* A pattern that backtracks without end: bounded work, on the safe side, and it is said. */
static void test_regex_gives_up(void **state)
{
    (void)state;
    static const char *const patterns[] = {"(a+)+$", "(a|aa)+$", "(a*)*[YZ]",
                                           "(.*)(.*)(.*)(.*)[YZ]$"};
    char url[8300] = "http://x.e/";

    memset(url + strlen(url), 'a', 8192);
    url[strlen(url)] = 'b';
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        char acl[200];
        struct kit kit;
        struct access_verdict verdict;
        struct timespec from;
        struct timespec to;
        (void)snprintf(acl, sizeof(acl), A("allow a regex \"%s\"; deny d regex \"%s\";"),
                       patterns[i], patterns[i]);
        kit_open(&kit, acl, CONF_PORTABLE);
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
        kit_ask(&kit, &(struct asked){.url = url}, &verdict);
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
        double ms =
            (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
        printf("regex %s on 8 KiB: gave up after %.2f ms\n", patterns[i], ms);
        assert_true(verdict.gave_up);
        assert_int_equal(verdict.answer, ACCESS_DENY);
        assert_string_equal(verdict.name, "d");
        assert_true(ms < 2000);
        kit_close(&kit);
    }
}

/* What needs no backtracking is answered for a URL of any length. */
static void test_regex_long(void **state)
{
    (void)state;
    char url[65000] = "http://x.example/";
    struct kit kit;
    struct access_verdict verdict;

    memset(url + strlen(url), 'b', 60000);
    memcpy(url + strlen(url), "/end", 5);
    kit_open(&kit, A("allow a regex b/end$; deny d all;"), CONF_PORTABLE);
    kit_ask(&kit, &(struct asked){.url = url}, &verdict);
    assert_false(verdict.gave_up);
    assert_string_equal(verdict.name, "a");
    kit_close(&kit);
}

static void test_copy(void **state)
{
    (void)state;
    struct arena arena;
    struct sockaddr_storage client;
    struct sockaddr_storage to;
    char host[] = "www.example.org";
    struct access_facts facts = {.client = kit_address("10.0.0.1", &client),
                                 .address = kit_address("2001:db8::1", &to),
                                 .host = span_str(host)};

    arena_init(&arena, 4096);
    assert_true(access_facts_copy(&facts, &arena));
    host[0] = 'x';
    memset(&client, 0, sizeof(client));
    memset(&to, 0, sizeof(to));
    assert_true(span_eq(facts.host, SPAN("www.example.org")));
    assert_int_equal(facts.client->sa_family, AF_INET);
    assert_int_equal(facts.address->sa_family, AF_INET6);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions), cmocka_unit_test(test_built_in),
        cmocka_unit_test(test_responses),  cmocka_unit_test(test_bound),
        cmocka_unit_test(test_verdicts),   cmocka_unit_test(test_regex_gives_up),
        cmocka_unit_test(test_regex_long), cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
