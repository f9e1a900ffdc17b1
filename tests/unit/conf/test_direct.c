/* How a forward proxy goes to the servers that its clients name: fetch_https, outgoing, origins { tls }. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "conf_test.h"

#define FORWARD(body) "listen :3128 { forward f; } forward f { " body " }"

static const struct bad_case bad[] = {
    {FORWARD("fetch_https maybe;"), "1:53 \"maybe\" is not a value of \"fetch_https\" {on off}\n"},
    {FORWARD("outgoing;"),
     "1:41 \"outgoing\" needs more words; write: outgoing ADDRESS [ADDRESS] | off;\n"},
    {FORWARD("outgoing a.example;"),
     "1:50 \"a.example\" is not an address like 192.0.2.7 or 2001:db8::7\n"},
    {FORWARD("outgoing 192.0.2.0/24;"),
     "1:50 \"192.0.2.0/24\" is not an address like 192.0.2.7 or 2001:db8::7\n"},
    {FORWARD("outgoing 0.0.0.0;"),
     "1:50 \"0.0.0.0\" is no address that a connection can come from\n"},
    {FORWARD("outgoing fe80::1;"),
     "1:50 \"fe80::1\" is no address that a connection can come from\n"},
    {FORWARD("outgoing 10.0.0.1 10.0.0.2;"),
     "1:59 \"10.0.0.2\" is the second one of its kind; there can be one IPv4 and one IPv6 address\n"},
    {FORWARD("origins { tls verify=off; }"),
     "1:51 \"tls\" is for https:// URLs, which this forward proxy does not fetch; write: "
     "fetch_https on;\n"},
    {FORWARD("fetch_https on; origins { tls name=a.example; }"),
     "1:67 \"name\" has no meaning in a forward proxy, whose clients name all kinds of servers\n"},
    {FORWARD("fetch_https on; origins { tls cert=/a key=/b; }"),
     "1:67 \"cert\" has no meaning in a forward proxy, whose clients name all kinds of servers\n"},
};

static void test_bad(void **state)
{
    (void)state;
    bad_cases(bad, ARRAY_LEN(bad));
}

static void test_defaults(void **state)
{
    struct conf *conf = text_good(FORWARD(""));
    const struct conf_site *site = conf_find_forward(conf, "f");

    (void)state;
    assert_false(site->forward.fetch_https);
    assert_int_equal(site->forward.outgoing.v4.ss_family, AF_UNSPEC);
    assert_int_equal(site->forward.outgoing.v6.ss_family, AF_UNSPEC);
    conf_unref(conf);
}

static void test_values(void **state)
{
    struct conf *conf = text_good(
        FORWARD("fetch_https on; outgoing [2001:db8::7] 192.0.2.7; origins { tls verify=off; }"));
    const struct conf_site *site = conf_find_forward(conf, "f");
    const struct conf_outgoing *outgoing = &site->forward.outgoing;
    char text[INET6_ADDRSTRLEN];

    (void)state;
    assert_true(site->forward.fetch_https);
    assert_true(site->origins.tls.no_verify);
    assert_string_equal(
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)&outgoing->v4)->sin_addr,
                  text, sizeof(text)),
        "192.0.2.7");
    assert_string_equal(
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)&outgoing->v6)->sin6_addr,
                  text, sizeof(text)),
        "2001:db8::7");
    conf_unref(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
