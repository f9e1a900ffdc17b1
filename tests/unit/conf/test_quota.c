/* `bandwidth`, `quota`, and what `limit` can say in a forward block alone: values, mistakes, the dump. */
#include <stdio.h>
#include <stdlib.h>

#include "conf_test.h"

#define FORWARD(body) REST " listen :81 { forward f; } forward f {\n" body " }"
#define BANDWIDTH_OPTIONS "{key name burst}"
#define QUOTA_OPTIONS "{key name per count action status}"
#define PERS "{hour day week month}"

static const struct bad_case bad[] = {
    {FORWARD("bandwidth;"),
     "2:1 \"bandwidth\" needs more words; write: bandwidth RATE[/s] [down | up | both] [key=client "
     "| user | forward] [burst=SIZE] [name=NAME] [except NETWORK...];\n"},
    {FORWARD("bandwidth 10;"), "2:11 \"10\" is out of range for \"bandwidth\": 1K..1T\n"},
    {FORWARD("bandwidth 2T/s;"), "2:11 \"2T\" is out of range for \"bandwidth\": 1K..1T\n"},
    {FORWARD("bandwidth fast;"),
     "2:11 \"fast\" is not right: \"bandwidth\" takes a size like 10G\n"},
    {FORWARD("bandwidth 1M sideways;"),
     "2:14 \"sideways\" is not an option here; options are name=value " BANDWIDTH_OPTIONS "\n"},
    {FORWARD("bandwidth 1M up down;"),
     "2:17 \"down\" is not an option here; options are name=value " BANDWIDTH_OPTIONS "\n"},
    {FORWARD("bandwidth 1M key=site;"),
     "2:14 \"key=site\" is not one of the values {client user forward}\n"},
    {FORWARD("bandwidth 1M key=user key=user;"), "2:23 \"key=user\" is said twice\n"},
    {FORWARD("bandwidth 1M burst=1 name=a/b;"),
     "2:14 \"1\" is out of range for \"burst\": 1K..1T\n"
     "2:22 \"name=a/b\" is no name of letters, digits and - . _ (at most 64)\n"},
    {FORWARD("bandwidth 1M except;"), "2:14 \"except\" needs a network behind it\n"},
    {FORWARD("bandwidth 1M except 10.0.0.0/8 key=user;"),
     "2:32 \"key=user\" is not an IP address (names are not looked up here)\n"},
    {FORWARD("bandwidth 1M name=a; bandwidth 2M name=a;"),
     "2:1 another bandwidth of this forward proxy has the name \"a\"\n"
     "2:22 another bandwidth of this forward proxy has the name \"a\"\n"},
    {FORWARD("quota 10G;"), "2:7 a quota needs a period: per=month " PERS "\n"},
    {FORWARD("quota 10G per=year;"), "2:11 \"per=year\" is not one of the values " PERS "\n"},
    {FORWARD("quota 1 per=day;"), "2:7 \"1\" is out of range for \"quota\": 1K..1048576T\n"},
    {FORWARD("quota 1G per=day count=all status=200 action=stop size=1;"),
     "2:18 \"count=all\" is not one of the values {down up both}\n"
     "2:28 \"200\" is out of range for \"status\": 400..599\n"
     "2:39 \"action=stop\" does not say what happens when it is used up {deny throttle:RATE}\n"
     "2:51 \"size=1\" is not an option here; options are name=value " QUOTA_OPTIONS "\n"},
    {FORWARD("quota 1G per=day action=throttle:1;"),
     "2:18 \"1\" is out of range for \"quota\": 1K..1T\n"},
    {FORWARD("quota 1G per=day name=x; quota 1G per=month name=x;"),
     "2:1 another quota of this forward proxy has the name \"x\"\n"
     "2:26 another quota of this forward proxy has the name \"x\"\n"},
    {FORWARD("quota 1G per=day; quota 1G per=day; quota 1G per=day; quota 1G per=day; quota 1G "
             "per=day; quota 1G per=day; quota 1G per=day; quota 1G per=day; quota 1G per=day;"),
     "2:145 more than 8 of \"quota\" in one block\n"},
    {FORWARD("limit connections 5 key=header:X;"),
     "2:21 \"key=header:X\" is not for connections: client, user or forward\n"},
    {FORWARD("limit connections 5 count=misses;"), "2:21 \"count=misses\" is for requests only\n"},
    {FORWARD("limit connections 5 burst=9;"), "2:21 \"burst=9\" is for \"requests\" only\n"},
    {FORWARD("limit conections 5;"),
     "2:7 \"conections\" is not a value of \"limit\" [connections] {requests concurrent connections "
     "except}\n"},
    {"listen :80; site * { origins { server a http://a; } rule path /a { limit requests 1/s "
     "key=user; } }",
     "1:68 key=user is for forward proxies: nobody logs in to a site\n"},
    {FORWARD("limit requests 5/s key=all;"),
     "2:20 \"key=all\" does not say whose requests count together {client header:NAME cookie:NAME "
     "user forward}\n"},
    {"listen :80; site * { origins { server a http://a; } limit connections 5; }",
     "1:59 \"connections\" is not a value of \"limit\" {requests concurrent except}\n"},
};

static void test_bad(void **state)
{
    (void)state;
    bad_cases(bad, ARRAY_LEN(bad));
}

static const struct conf_site *forward_of(const struct conf *conf)
{
    const struct conf_site *site = conf_find_forward(conf, "f");
    assert_non_null(site);
    return site;
}

static void test_values(void **state)
{
    (void)state;
    struct conf *conf = text_good(FORWARD(
        "bandwidth 10M; bandwidth 64K/s up key=user burst=1M name=own except 10.0.0.0/8 ::1; "
        "bandwidth 1G down key=client; bandwidth 1T both key=forward;"
        "quota 50G per=month; quota 1M per=day key=user count=down action=deny status=429 name=d "
        "except 127.0.0.1; quota 5T per=hour key=forward count=up action=throttle:256K/s; quota "
        "1K per=week action=throttle:1M; quota 2K per=month; limit connections 7 key=user; limit "
        "connections 9 name=c; limit requests 5/s key=user; limit concurrent 4 key=forward;"));
    const struct conf_forward *forward = &forward_of(conf)->forward;
    const struct conf_bandwidth *bandwidth = forward->bandwidths;
    assert_int_equal(forward->bandwidth_count, 4);
    assert_int_equal(bandwidth[0].bytes_s, 10 << 20);
    assert_int_equal(bandwidth[0].sides, CONF_SIDE_DOWN | CONF_SIDE_UP);
    assert_int_equal(bandwidth[0].key, CONF_WHOSE_CLIENT);
    assert_int_equal(bandwidth[0].burst, 0);
    assert_string_equal(bandwidth[0].name, "bandwidth_client");
    assert_int_equal(bandwidth[1].bytes_s, 64 << 10);
    assert_int_equal(bandwidth[1].sides, CONF_SIDE_UP);
    assert_int_equal(bandwidth[1].key, CONF_WHOSE_USER);
    assert_int_equal(bandwidth[1].burst, 1 << 20);
    assert_string_equal(bandwidth[1].name, "own");
    assert_int_equal(bandwidth[1].except_count, 2);
    assert_int_equal(bandwidth[2].sides, CONF_SIDE_DOWN);
    assert_string_equal(bandwidth[2].name, "bandwidth_client_2");
    assert_int_equal(bandwidth[3].key, CONF_WHOSE_ALL);
    assert_string_equal(bandwidth[3].name, "bandwidth_forward");
    const struct conf_quota *quota = forward->quotas;
    assert_int_equal(forward->quota_count, 5);
    assert_int_equal(quota[0].bytes, (uint64_t)50 << 30);
    assert_int_equal(quota[0].per, CONF_PER_MONTH);
    assert_int_equal(quota[0].sides, CONF_SIDE_DOWN | CONF_SIDE_UP);
    assert_int_equal(quota[0].throttle_bytes_s, 0);
    assert_int_equal(quota[0].status, 403);
    assert_string_equal(quota[0].name, "month_client");
    assert_int_equal(quota[1].per, CONF_PER_DAY);
    assert_int_equal(quota[1].key, CONF_WHOSE_USER);
    assert_int_equal(quota[1].sides, CONF_SIDE_DOWN);
    assert_int_equal(quota[1].status, 429);
    assert_string_equal(quota[1].name, "d");
    assert_int_equal(quota[1].except_count, 1);
    assert_int_equal(quota[2].throttle_bytes_s, 256 << 10);
    assert_int_equal(quota[2].sides, CONF_SIDE_UP);
    assert_string_equal(quota[2].name, "hour_forward");
    assert_int_equal(quota[3].throttle_bytes_s, 1 << 20);
    assert_string_equal(quota[4].name, "month_client_2");
    const struct conf_limit *limit = forward_of(conf)->limits;
    assert_int_equal(forward_of(conf)->limit_count, 4);
    assert_int_equal(limit[0].kind, CONF_LIMIT_CONNECTIONS);
    assert_int_equal(limit[0].key, CONF_LIMIT_USER);
    assert_int_equal(limit[0].most, 7);
    assert_int_equal(limit[0].status, 503);
    assert_string_equal(limit[0].name, "connections_user");
    assert_string_equal(limit[1].name, "c");
    assert_int_equal(limit[2].key, CONF_LIMIT_USER);
    assert_string_equal(limit[2].name, "requests_user");
    assert_int_equal(limit[3].key, CONF_LIMIT_FORWARD);
    assert_string_equal(limit[3].name, "concurrent_forward");
    conf_unref(conf);
}

static void test_dump(void **state)
{
    (void)state;
    struct conf *conf = text_good(FORWARD(
        "bandwidth 10M down key=user; bandwidth 2K burst=1M name=~#x except 10.0.0.0/8;"
        "quota 50G per=month key=user; quota 1G per=day action=throttle:1M count=up name=q "
        "except ::1; limit connections 5 key=user; limit concurrent 6 key=site; rule path /a { "
        "limit requests 1/s key=user; limit concurrent 2 key=forward; limit concurrent 3 "
        "key=site; }"));
    struct buf first;
    struct buf second;
    buf_init(&first, TEXT_BYTES);
    buf_init(&second, TEXT_BYTES);
    conf_print_effective(conf, false, &first);
    conf_unref(conf);
    static const char *const wanted[] = {
        "bandwidth 10M/s down key=user;",
        "bandwidth 2K/s both key=client burst=1M \"name=~#x\" except 10.0.0.0/8;",
        "quota 50G per=month key=user count=both action=deny status=403;",
        "quota 1G per=day key=client count=up action=throttle:1M/s name=q except ::1/128;",
        "limit connections 5 key=user status=503;",
        "limit concurrent 6 key=forward status=503 count=all;",
        "limit requests 1/s burst=1 key=user status=429 count=all;",
        "limit concurrent 2 key=forward status=503 count=all;",
        "limit concurrent 3 key=forward status=503 count=all;",
    };
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (strstr(first.data, wanted[i]) == NULL) {
            fail_msg("%s\nis not in\n%s", wanted[i], first.data);
        }
    }
    conf = text_good(first.data);
    conf_print_effective(conf, false, &second);
    assert_int_equal(forward_of(conf)->forward.quota_count, 2);
    assert_string_equal(forward_of(conf)->forward.bandwidths[1].name, "~#x");
    conf_unref(conf);
    buf_free(&first);
    buf_free(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
