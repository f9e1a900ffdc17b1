/* `limit`, `allow`, `deny` and what belongs to them in limits: values, mistakes, warnings, the dump, verdicts. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf_test.h"

#define SITE(body) "listen :80; site * {" body " origins { server a http://a; } }"
#define OPTIONS "{burst key status count name}"
#define KINDS "{requests concurrent except}"

static const struct bad_case limits[] = {
    {SITE("limit rate 5/s;"), "1:27 \"rate\" is not a value of \"limit\" " KINDS "\n"},
    {SITE("limit off;"), "1:27 \"off\" is not a value of \"limit\" " KINDS "\n"},
    {SITE("limit requests 5;"), "1:36 \"5\" is not a rate like 10/s or 300/m\n"},
    {SITE("limit requests 5/h;"), "1:36 \"5/h\" is not a rate like 10/s or 300/m\n"},
    {SITE("limit requests /s;"), "1:36 \"/s\" is not a rate like 10/s or 300/m\n"},
    {SITE("limit requests 0/s;"), "1:36 \"0\" is out of range for \"requests\": 1..1000000\n"},
    {SITE("limit requests 1000001/m;"),
     "1:36 \"1000001\" is out of range for \"requests\": 1..1000000\n"},
    {SITE("limit requests x/s;"), "1:36 \"x\" is not right: \"requests\" takes a whole number\n"},
    {SITE("limit concurrent 0;"), "1:38 \"0\" is out of range for \"concurrent\": 1..1000000\n"},
    {SITE("limit concurrent 5 burst=7;"), "1:40 \"burst=7\" is for \"requests\" only\n"},
    {SITE("limit requests 5/s brst=7;"),
     "1:40 \"brst=7\" is not an option of \"limit\"; options are name=value [burst] " OPTIONS "\n"},
    {SITE("limit requests 5/s burst;"),
     "1:40 \"burst\" is not an option of \"limit\"; options are name=value [burst] " OPTIONS "\n"},
    {SITE("limit requests 5/s burst=0 status=399 key=peer count=hits name=a/b;"),
     "1:40 \"0\" is out of range for \"burst\": 1..1000000\n"
     "1:48 \"399\" is out of range for \"status\": 400..599\n"
     "1:59 \"key=peer\" does not say whose requests count together {site client "
     "header:NAME cookie:NAME}\n"
     "1:68 \"count=hits\" does not say which requests count {all misses}\n"
     "1:79 \"name=a/b\" is no name of letters, digits and - . _ (at most 64)\n"},
    {SITE("limit requests 5/s key=header: key=site;"),
     "1:40 \"key=header:\" has no name of a header field\n1:52 \"key=site\" is said twice\n"},
    {SITE("limit requests 5/s key=cookie:a=b;"),
     "1:40 \"key=cookie:a=b\" has no name of a cookie\n"},
    {SITE("limit requests 5/s key=forward;"),
     "1:40 \"key=forward\" does not say whose requests count together {site client header:NAME "
     "cookie:NAME}\n"},
    {SITE("rule path /a { limit requests 5/s key=forward; limit concurrent 1 key=user; }"),
     "1:36 key=forward is for forward proxies: of a site it is key=site\n"
     "1:68 key=user is for forward proxies: nobody logs in to a site\n"},
    {SITE("limit except 10.0.0.1/8;"), "1:34 \"10.0.0.1/8\" is not a network: wrong prefix length, "
                                       "or address bits behind it\n"},
    {SITE("rule path /a { limit off now; }"),
     "1:46 one word too many: \"now\"; write: limit requests NUMBER/s | NUMBER/m [burst=NUMBER] "
     "[key=client | user | header:NAME | cookie:NAME | site | forward] [status=NUMBER] [count=all | misses] "
     "[name=NAME] | concurrent NUMBER [key=...] [status=NUMBER] [count=...] [name=NAME] | "
     "connections NUMBER [key=client | user | forward] [status=NUMBER] [name=NAME] | off;\n"},
    {SITE("rule status 404 { limit requests 1/s; }"),
     "1:39 \"limit\" must be known before the origin is asked, type and status are only after it\n"},
    {SITE("rule type a/* { deny all; }"),
     "1:37 \"deny\" must be known before the origin is asked, type and status are only after it\n"},
    {SITE("limit requests 5/s name=a; rule path /b { limit concurrent 3 name=a; }"),
     "1:21 another limit of this site has the name \"a\"\n"
     "1:63 another limit of this site has the name \"a\"\n"},
    {"listen :80; limits { connections_per_client 0; limit_memory 1K; } site * { origins { server a "
     "http://a; } }",
     "1:45 \"0\" is out of range for \"connections_per_client\": 1..1000000\n"
     "1:61 \"1K\" is out of range for \"limit_memory\": 64K..4G\n"},
};

static const struct bad_case lists[] = {
    {SITE("deny;"), "1:21 \"deny\" needs more words; write: deny all | NETWORK... [file=PATH];\n"},
    {SITE("deny all 10.0.0.0/8;"),
     "1:30 one word too many: \"10.0.0.0/8\"; write: deny all | NETWORK... [file=PATH];\n"},
    {SITE("allow 10.0.0.0/8 example.com;"),
     "1:38 \"example.com\" is not an IP address (names are not looked up here)\n"},
    {SITE("deny file=list;"),
     "1:26 \"list\" is not an absolute path (one that begins with \"/\")\n"},
    {SITE("deny file=/a file=/b;"), "1:34 a second file: give each a directive of its own\n"},
};

static void test_bad(void **state)
{
    (void)state;
    bad_cases(limits, sizeof(limits) / sizeof(limits[0]));
    bad_cases(lists, sizeof(lists) / sizeof(lists[0]));
}

static void test_values(void **state)
{
    (void)state;
    struct conf *conf = text_good(
        "limits { connections_per_client 7; connections_except 10.0.0.0/8; limit_memory 1M; }" SITE(
            "limit requests 10/s burst=20; limit requests 300/m key=header:X-Api-Key status=503 "
            "count=misses; limit concurrent 8 name=own; limit except 10.0.0.0/8; limit requests "
            "5/s; rule path /a { limit off; limit requests 1/m; limit concurrent 2 key=site; }"));
    const struct conf_site *site = &conf->sites[0];
    const struct conf_limit *limit = site->limits;
    assert_int_equal(conf->limits.connections_per_client, 7);
    assert_int_equal(conf->limits.connections_except.count, 1);
    assert_int_equal(conf->limits.limit_memory_bytes, 1 << 20);
    assert_int_equal(site->limit_count, 5);
    assert_int_equal(limit[0].kind, CONF_LIMIT_REQUESTS);
    assert_int_equal(limit[0].most, 10);
    assert_int_equal(limit[0].period_s, 1);
    assert_int_equal(limit[0].burst, 20);
    assert_int_equal(limit[0].status, 429);
    assert_int_equal(limit[0].key, CONF_LIMIT_CLIENT);
    assert_false(limit[0].misses_only);
    assert_string_equal(limit[0].name, "requests");
    assert_int_equal(limit[1].most, 300);
    assert_int_equal(limit[1].period_s, 60);
    assert_int_equal(limit[1].burst, 300);
    assert_int_equal(limit[1].status, 503);
    assert_int_equal(limit[1].key, CONF_LIMIT_HEADER);
    assert_string_equal(limit[1].key_name, "X-Api-Key");
    assert_true(limit[1].misses_only);
    assert_string_equal(limit[1].name, "requests_x-api-key");
    assert_int_equal(limit[2].kind, CONF_LIMIT_CONCURRENT);
    assert_int_equal(limit[2].most, 8);
    assert_int_equal(limit[2].status, 503);
    assert_string_equal(limit[2].name, "own");
    assert_int_equal(limit[3].kind, CONF_LIMIT_EXCEPT);
    assert_int_equal(limit[3].except.count, 1);
    assert_string_equal(limit[4].name, "requests_2");
    const struct conf_rule *rule = &site->rules[0];
    assert_int_equal(rule->set, CONF_RULE_LIMIT);
    assert_int_equal(rule->limit_count, 3);
    assert_int_equal(rule->limits[0].kind, CONF_LIMIT_OFF);
    assert_string_equal(rule->limits[1].name, "requests_3");
    assert_string_equal(rule->limits[2].name, "concurrent_site");
    conf_unref(conf);
    conf = text_good(REST);
    assert_int_equal(conf->limits.connections_per_client, 0);
    assert_int_equal(conf->limits.limit_memory_bytes, 4 << 20);
    conf_unref(conf);
}

/* Loads back to the same, allow and deny in their order. */
static void test_dump(void **state)
{
    (void)state;
    struct conf *conf = text_good(SITE(
        "deny 10.1.0.0/16; allow 10.0.0.0/8 ::1; deny all; limit requests 10/s burst=20; limit "
        "concurrent 3 key=cookie:s#d name=c; limit except 127.0.0.0/8; rule path /a { allow "
        "all; limit off; }"));
    struct buf first;
    struct buf second;
    buf_init(&first, TEXT_BYTES);
    buf_init(&second, TEXT_BYTES);
    conf_print_effective(conf, false, &first);
    conf_unref(conf);
    const char *at = strstr(first.data, "deny 10.1.0.0/16;");
    assert_non_null(at);
    at = strstr(at, "allow 10.0.0.0/8 ::1/128;");
    assert_non_null(at);
    assert_non_null(strstr(at, "deny all;"));
    assert_non_null(
        strstr(first.data, "limit requests 10/s burst=20 key=client status=429 count=all;"));
    assert_non_null(
        strstr(first.data, "limit concurrent 3 \"key=cookie:s#d\" status=503 count=all name=c;"));
    assert_non_null(strstr(first.data, "limit except 127.0.0.0/8;"));
    assert_non_null(strstr(first.data, "limit off;"));
    conf = text_good(first.data);
    conf_print_effective(conf, false, &second);
    assert_int_equal(conf->sites[0].access.count, 3);
    assert_int_equal(conf->sites[0].limit_count, 3);
    assert_string_equal(conf->sites[0].limits[1].key_name, "s#d");
    conf_unref(conf);
    buf_free(&first);
    buf_free(&second);
}

/* ---- verdicts ---- */

static char verdict(const struct conf_access *access, const char *address, int *entry)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    const void *at = &nobody;
    const struct conf_access_entry *decides;
    if (inet_pton(AF_INET, address, &four.sin_addr) == 1) {
        at = &four;
    } else if (inet_pton(AF_INET6, address, &six.sin6_addr) == 1) {
        at = &six;
    }
    enum conf_admission admission = conf_access_judge(access, at, &decides);
    *entry = decides == NULL ? -1 : (int)(decides - access->list);
    return admission == CONF_ADMIT_OPEN ? 'o' : admission == CONF_ADMIT_ALLOW ? 'a' : 'd';
}

static void test_verdicts(void **state)
{
    (void)state;
    static const struct {
        const char *list, *address;
        char verdict;
        int entry;
    } cases[] = {
        {"", "10.0.0.1", 'o', -1},
        {"deny 10.0.0.0/8;", "10.0.0.1", 'd', 0},
        {"deny 10.0.0.0/8;", "11.0.0.1", 'o', -1},
        {"deny 10.0.0.0/8;", "::ffff:10.0.0.1", 'd', 0},
        {"allow 10.0.0.0/8;", "11.0.0.1", 'd', -1}, /* it only allows */
        {"allow 10.0.0.0/8; allow ::1;", "::2", 'd', -1},
        {"allow 10.0.0.0/8; deny ::1;", "11.0.0.1", 'o', -1},
        {"deny 10.1.0.0/16; allow 10.0.0.0/8; deny all;", "10.1.2.3", 'd', 0},
        {"deny 10.1.0.0/16; allow 10.0.0.0/8; deny all;", "10.2.2.3", 'a', 1},
        {"deny 10.1.0.0/16; allow 10.0.0.0/8; deny all;", "::1", 'd', 2},
        {"allow 10.0.0.0/8; deny 10.1.0.0/16;", "10.1.2.3", 'a', 0},
        {"allow ::1 10.0.0.1 10.0.0.3; deny 10.0.0.2 10.0.0.4; allow all;", "10.0.0.4", 'd', 1},
        {"allow ::1 10.0.0.1 10.0.0.3; deny 10.0.0.2 10.0.0.4; allow all;", "10.0.0.3", 'a', 0},
        {"allow ::1 10.0.0.1 10.0.0.3; deny 10.0.0.2 10.0.0.4; allow all;", "10.0.0.5", 'a', 2},
        {"deny 10.0.0.1; allow all;", "nobody", 'a', 1},
        {"allow 10.0.0.1; deny all;", "nobody", 'd', 1},
        {"allow 10.0.0.1;", "nobody", 'd', -1},
        {"deny 10.0.0.1;", "nobody", 'o', -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[400];
        int entry;
        (void)snprintf(text, sizeof(text),
                       "listen :80; site * { %s origins { server a http://a; } }", cases[i].list);
        struct conf *conf = text_good(text);
        char got = verdict(&conf->sites[0].access, cases[i].address, &entry);
        if (got != cases[i].verdict || entry != cases[i].entry) {
            fail_msg("%s %s: %c by %d", cases[i].list, cases[i].address, got, entry);
        }
        conf_unref(conf);
    }
}

/* ---- warnings ---- */

static void test_warnings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *warnings;
    } cases[] = {
        {SITE("deny all; allow 10.0.0.0/8 ::1;"),
         "1:37 \"10.0.0.0/8\" is never reached: what stands before it decides, first at t:1:21\n"
         "1:48 \"::1\" is never reached: what stands before it decides, first at t:1:21\n"},
        {SITE("allow 10.0.0.0/9; allow 10.128.0.0/9; deny 10.0.0.0/8;"),
         "1:64 \"10.0.0.0/8\" is never reached: what stands before it decides, first at t:1:21\n"},
        {SITE("allow 10.0.0.0/9; deny 10.0.0.0/8;"), ""},
        {SITE("deny 10.0.0.0/8; deny 10.1.0.0/16; allow ::1;"), ""}, /* said twice does no harm */
        {SITE("rule path /a { allow all; deny 1.2.3.4; } deny 1.2.3.4;"),
         "1:52 \"1.2.3.4\" is never reached: what stands before it decides, first at t:1:36\n"},
        {SITE("deny 0.0.0.0/0; allow 1.2.3.4; deny all;"),
         "1:43 \"1.2.3.4\" is never reached: what stands before it decides, first at t:1:21\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf problems;
        struct buf shown;
        struct conf *conf;
        struct conf_report *report = conf_report_new();
        buf_init(&problems, TEXT_BYTES);
        buf_init(&shown, TEXT_BYTES);
        buf_puts(&problems, "");
        assert_int_equal(conf_load_text("t", span_str(cases[i].text), CONF_PORTABLE, &conf, report),
                         ERR_OK);
        assert_int_equal(conf_report_count(report), 0);
        problems_print(report, &problems);
        assert_string_equal(problems.data, cases[i].warnings);
        conf_report_print(report, &shown);
        if (problems.len > 0) {
            assert_non_null(strstr(shown.data, "t:1:"));
            assert_non_null(strstr(shown.data, ": warning: \""));
            assert_null(strstr(shown.data, "error"));
        }
        conf_unref(conf);
        conf_report_free(report);
        buf_free(&problems);
        buf_free(&shown);
    }
}

/* ---- files ---- */

static char *problems_of(const char *directive, const char *path, struct conf **conf)
{
    char text[600];
    struct buf problems;
    (void)snprintf(text, sizeof(text),
                   "state_dir /tmp; listen :80; site * { %s file=%s; origins { "
                   "server a http://a; } }",
                   directive, path);
    buf_init(&problems, TEXT_BYTES);
    buf_puts(&problems, "");
    text_load(span_str(text), 0, conf, &problems);
    return problems.data;
}

static void test_files(void **state)
{
    (void)state;
    char path[] = "/tmp/larder-test-XXXXXX";
    char wanted[200];
    int entry;
    struct conf *conf;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    (void)fputs("# a list\n\n10.0.0.0/8 ; SBL1\r\n  2001:db8::/32\t# six\n192.0.2.1", file);
    (void)fflush(file);
    char *text = problems_of("deny 127.0.0.1", path, &conf);
    assert_string_equal(text, "");
    mem_free(text);
    const struct conf_access *access = &conf->sites[0].access;
    assert_int_equal(access->list[0].listed.count, 3);
    assert_int_equal(verdict(access, "10.2.3.4", &entry), 'd');
    assert_int_equal(verdict(access, "127.0.0.1", &entry), 'd');
    assert_int_equal(verdict(access, "192.0.2.1", &entry), 'd');
    assert_int_equal(verdict(access, "192.0.2.2", &entry), 'o');
    assert_int_equal(verdict(access, "2001:db8::5", &entry), 'd');
    conf_unref(conf);
    (void)fputs("\nexample.com\n", file);
    (void)fflush(file);
    text = problems_of("deny", path, &conf);
    (void)snprintf(wanted, sizeof(wanted),
                   "1:43 line 6 of \"%s\": \"example.com\" is not an IP address (names are not "
                   "looked up here)\n",
                   path);
    assert_string_equal(text, wanted);
    mem_free(text);
    (void)fclose(file);
    (void)unlink(path);
    text = problems_of("deny", path, &conf);
    (void)snprintf(wanted, sizeof(wanted), "1:43 cannot use \"%s\": No such file or directory\n",
                   path);
    assert_string_equal(text, wanted);
    mem_free(text);
    text = problems_of("deny", "/tmp", &conf);
    assert_string_equal(text, "1:43 cannot use \"/tmp\": not a regular file\n");
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),      cmocka_unit_test(test_values),
        cmocka_unit_test(test_dump),     cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_warnings), cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
