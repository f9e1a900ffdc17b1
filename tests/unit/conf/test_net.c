/* Addresses, networks, host names and origin URLs. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "conf/net.h"
#include "conf_test.h"

static const struct {
    const char *word;
    enum conf_net result;
    const char *address;
    uint16_t port;
} listens[] = {
    {":80", CONF_NET_OK, "::", 80},
    {"0.0.0.0:8080", CONF_NET_OK, "0.0.0.0", 8080},
    {"[::1]:65535", CONF_NET_OK, "::1", 65535},
    {"[2001:db8::5]:443", CONF_NET_OK, "2001:db8::5", 443},
    {"80", CONF_NET_NO_PORT, NULL, 0},
    {"", CONF_NET_FORM, NULL, 0},
    {"[::1]", CONF_NET_NO_PORT, NULL, 0},
    {":0", CONF_NET_PORT, NULL, 0},
    {":65536", CONF_NET_PORT, NULL, 0},
    {":080000", CONF_NET_PORT, NULL, 0},
    {":", CONF_NET_PORT, NULL, 0},
    {":80x", CONF_NET_PORT, NULL, 0},
    {"localhost:80", CONF_NET_ADDRESS, NULL, 0},
    {"::1:80", CONF_NET_ADDRESS, NULL, 0},
    {"1.2.3:80", CONF_NET_ADDRESS, NULL, 0},
    {"1.2.3.256:80", CONF_NET_ADDRESS, NULL, 0},
    {"[1.2.3.4]:80", CONF_NET_ADDRESS, NULL, 0},
    {"[fe80::1%eth0]:80", CONF_NET_ADDRESS, NULL, 0},
};

static void test_listen(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(listens); i++) {
        struct conf_listen listen;
        char text[INET6_ADDRSTRLEN];
        if (conf_net_listen(span_str(listens[i].word), &listen) != listens[i].result) {
            fail_msg("\"%s\"", listens[i].word);
        }
        if (listens[i].result != CONF_NET_OK) {
            continue;
        }
        const void *bytes =
            (const char *)&listen.address + (listen.address.ss_family == AF_INET
                                                 ? offsetof(struct sockaddr_in, sin_addr)
                                                 : offsetof(struct sockaddr_in6, sin6_addr));
        (void)inet_ntop(listen.address.ss_family, bytes, text, sizeof(text));
        assert_string_equal(text, listens[i].address);
        assert_int_equal(listen.port, listens[i].port);
        assert_int_equal(ntohs(((struct sockaddr_in *)(void *)&listen.address)->sin_port),
                         listens[i].port);
        assert_int_equal(listen.any, listens[i].word[0] == ':');
    }
}

static struct conf_networks networks_of(struct conf_network *one, const char *word)
{
    assert_int_equal(conf_net_network(span_str(word), one), CONF_NET_OK);
    return (struct conf_networks){.list = one, .count = 1};
}

static bool matches(const char *network, const char *peer)
{
    struct conf_network one;
    struct conf_networks networks = networks_of(&one, network);
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, peer, &v4.sin_addr) == 1) {
        return conf_networks_match(&networks, (const struct sockaddr *)(const void *)&v4);
    }
    assert_int_equal(inet_pton(AF_INET6, peer, &v6.sin6_addr), 1);
    return conf_networks_match(&networks, (const struct sockaddr *)(const void *)&v6);
}

static void test_network(void **state)
{
    static const char *const bad[] = {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
                                      "::/129",     "fe80::1/10",  "1.2.3.4/x"};
    static const char *const no_address[] = {"", "/8", "localhost", "10.0/16", "1.2.3.4.5"};
    struct conf_network network;
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct conf_networks nobody = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(conf_net_network(span_str(bad[i]), &network), CONF_NET_BITS);
    }
    for (size_t i = 0; i < ARRAY_LEN(no_address); i++) {
        assert_int_equal(conf_net_network(span_str(no_address[i]), &network), CONF_NET_ADDRESS);
    }
    assert_true(matches("10.0.0.0/8", "10.255.1.2"));
    assert_false(matches("10.0.0.0/8", "11.0.0.0"));
    assert_true(matches("10.0.0.0/9", "10.127.255.255"));
    assert_false(matches("10.0.0.0/9", "10.128.0.0"));
    assert_true(matches("127.0.0.1", "127.0.0.1"));
    assert_false(matches("127.0.0.1", "127.0.0.2"));
    assert_true(matches("0.0.0.0/0", "8.8.8.8"));
    assert_false(matches("0.0.0.0/0", "2001:db8::1"));
    assert_true(matches("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_false(matches("::/0", "::ffff:10.1.2.3"));
    assert_true(matches("::ffff:10.1.2.3", "10.1.2.3"));
    assert_true(matches("::ffff:10.0.0.0/104", "::ffff:10.1.2.3"));
    assert_false(matches("::ffff:10.0.0.0/104", "11.1.2.3"));
    assert_true(matches("::ffff:0:0/96", "8.8.8.8"));
    assert_false(matches("::ffff:0:0/96", "2001:db8::1"));
    assert_false(matches("::a01:203", "10.1.2.3"));
    assert_true(matches("fe80::/10", "febf::1"));
    assert_false(matches("fe80::/10", "fec0::1"));
    assert_true(matches("::1", "::1"));
    assert_true(matches("2001:db8::/127", "2001:db8::1"));
    assert_false(matches("2001:db8::/127", "2001:db8::2"));
    assert_false(conf_networks_match(&nobody, &other));
    struct conf_networks all = networks_of(&network, "0.0.0.0/0");
    assert_false(conf_networks_match(&all, &other));
}

static void test_host(void **state)
{
    static const char *const good[] = {"a",        "example.com", "WWW.Example.COM",
                                       "my_app",   "xn--bcher",   "1.example",
                                       "10.0.0.1", "[::1]",       "a-b.c-d"};
    static const char *const bad[] = {
        "",       ".",         "a.",        "a..b",      "-a",   "a-", "a b",  "a/b", "a:80",
        "10.0.0", "1.2.3.4.5", "256.0.0.1", "b\xc3\xbc", "[::1", "[]", "[zz]", "*.a", "a\"b"};
    char label[65];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (!conf_net_is_host(span_str(good[i]))) {
            fail_msg("\"%s\" refused", good[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (conf_net_is_host(span_str(bad[i]))) {
            fail_msg("\"%s\" accepted", bad[i]);
        }
    }
    memset(label, 'a', sizeof(label));
    assert_true(conf_net_is_host(span_of(label, 63)));
    assert_false(conf_net_is_host(span_of(label, 64)));
    assert_true(conf_net_is_authority(SPAN("a:80")));
    assert_true(conf_net_is_authority(SPAN("[::1]:80")));
    assert_false(conf_net_is_authority(SPAN("a:")));
    assert_false(conf_net_is_authority(SPAN(":80")));
}

static const struct {
    const char *word;
    enum conf_net result;
    const char *host;
    uint16_t port;
} urls[] = {
    {"http://127.0.0.1:3000", CONF_NET_OK, "127.0.0.1", 3000},
    {"http://app", CONF_NET_OK, "app", 80},
    {"HTTP://app/", CONF_NET_OK, "app", 80},
    {"http://[::1]:8080", CONF_NET_OK, "::1", 8080},
    {"http://[::1]", CONF_NET_OK, "::1", 80},
    {"https://app", CONF_NET_OK, "app", 443},
    {"HTTPS://app:8443/", CONF_NET_OK, "app", 8443},
    {"https://", CONF_NET_HOST, NULL, 0},
    {"https://app/x", CONF_NET_PATH, NULL, 0},
    {"ftp://app", CONF_NET_SCHEME, NULL, 0},
    {"app:80", CONF_NET_SCHEME, NULL, 0},
    {"", CONF_NET_SCHEME, NULL, 0},
    {"http://", CONF_NET_HOST, NULL, 0},
    {"http:///", CONF_NET_HOST, NULL, 0},
    {"http://:80", CONF_NET_HOST, NULL, 0},
    {"http://a b", CONF_NET_HOST, NULL, 0},
    {"http://a/b", CONF_NET_PATH, NULL, 0},
    {"http://a?b", CONF_NET_PATH, NULL, 0},
    {"http://u:p@a", CONF_NET_USER, NULL, 0},
    {"http://a:0", CONF_NET_PORT, NULL, 0},
    {"http://a:", CONF_NET_PORT, NULL, 0},
    {"http://a:99999", CONF_NET_PORT, NULL, 0},
};

static void test_url(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct span host = {0};
        uint16_t port = 0;
        bool has_tls = false;
        if (conf_net_url(span_str(urls[i].word), &has_tls, &host, &port) != urls[i].result) {
            fail_msg("\"%s\"", urls[i].word);
        }
        if (urls[i].result == CONF_NET_OK) {
            assert_true(span_eq(host, span_str(urls[i].host)));
            assert_int_equal(port, urls[i].port);
            assert_int_equal(has_tls, (urls[i].word[4] | 0x20) == 's');
        }
    }
}

static void test_loopback(void **state)
{
    static const struct {
        const char *word;
        bool loopback;
    } cases[] = {
        {"127.0.0.1:1", true}, {"127.9.9.9:1", true},
        {"[::1]:1", true},     {"[::ffff:127.0.0.1]:1", true},
        {":1", false},         {"0.0.0.0:1", false},
        {"[::]:1", false},     {"128.0.0.1:1", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf_listen listen;
        assert_int_equal(conf_net_listen(span_str(cases[i].word), &listen), CONF_NET_OK);
        assert_int_equal(conf_net_is_loopback(&listen.address), cases[i].loopback);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen), cmocka_unit_test(test_network),  cmocka_unit_test(test_host),
        cmocka_unit_test(test_url),    cmocka_unit_test(test_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
