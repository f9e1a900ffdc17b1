/* What kind of address that is, at the edges of every block; and how fast it is judged. */
#include <time.h>

#include "access/access_address.h"
#include "access_kit.h"

static const struct {
    const char *address;
    const char *wanted;
} rows[] = {
    {"0.0.0.0", "loopback"},
    {"0.0.0.1", "private"},
    {"1.0.0.0", "public"},
    {"9.255.255.255", "public"},
    {"10.0.0.0", "private"},
    {"10.255.255.255", "private"},
    {"11.0.0.0", "public"},
    {"100.63.255.255", "public"},
    {"100.64.0.0", "private"},
    {"100.127.255.255", "private"},
    {"100.128.0.0", "public"},
    {"126.255.255.255", "public"},
    {"127.0.0.0", "loopback"},
    {"127.255.255.255", "loopback"},
    {"128.0.0.0", "public"},
    {"169.253.255.255", "public"},
    {"169.254.0.0", "linklocal"},
    {"169.254.169.254", "linklocal"},
    {"169.255.0.0", "public"},
    {"172.15.255.255", "public"},
    {"172.16.0.0", "private"},
    {"172.31.255.255", "private"},
    {"172.32.0.0", "public"},
    {"192.0.0.8", "private"},
    {"192.0.1.0", "public"},
    {"192.0.2.1", "private"},
    {"192.88.99.1", "private"},
    {"192.167.255.255", "public"},
    {"192.168.0.0", "private"},
    {"192.169.0.0", "public"},
    {"198.17.255.255", "public"},
    {"198.18.0.0", "private"},
    {"198.19.255.255", "private"},
    {"198.20.0.0", "public"},
    {"198.51.100.1", "private"},
    {"203.0.113.1", "private"},
    {"223.255.255.255", "public"},
    {"224.0.0.0", "multicast"},
    {"239.255.255.255", "multicast"},
    {"240.0.0.0", "private"},
    {"255.255.255.254", "private"},
    {"255.255.255.255", "multicast"},
    {"::", "loopback"},
    {"::1", "loopback"},
    {"::2", "private"},
    {"::ffff:127.0.0.1", "loopback"},
    {"::ffff:8.8.8.8", "public"},
    {"::ffff:10.0.0.1", "private"},
    {"::7f00:1", "private"},
    {"64:ff9b::8.8.8.8", "public"},
    {"64:ff9b::127.0.0.1", "loopback"},
    {"64:ff9b::10.0.0.1", "private"},
    {"64:ff9b:1::1", "private"},
    {"2001::1", "private"},
    {"2001:200::1", "public"},
    {"2001:db8::1", "private"},
    {"2001:db9::1", "public"},
    {"2002:7f00:1::1", "loopback"},
    {"2002:a00:1::1", "private"},
    {"2002:808:808::1", "public"},
    {"2a00::1", "public"},
    {"3fff::1", "private"},
    {"3fff:1000::1", "public"},
    {"4000::1", "private"},
    {"5f00::1", "private"},
    {"fbff::1", "private"},
    {"fc00::1", "private"},
    {"fdff::1", "private"},
    {"fe80::1", "linklocal"},
    {"febf::1", "linklocal"},
    {"fec0::1", "private"},
    {"ff02::1", "multicast"},
};

static void test_classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sockaddr_storage room;
        const struct sockaddr *address = kit_address(rows[i].address, &room);
        const char *got = access_class_name(access_address_class(address));
        if (strcmp(got, rows[i].wanted) != 0) {
            fail_msg("%s: %s, wanted %s", rows[i].address, got, rows[i].wanted);
        }
    }
    assert_int_equal(access_address_class(&(struct sockaddr){.sa_family = AF_UNSPEC}),
                     CONF_ACL_PRIVATE);
}

/* Printed, not asserted but for sane bounds. */
static void test_speed(void **state)
{
    (void)state;
    struct kit kit;
    struct timespec from;
    struct timespec to;
    struct access_verdict verdict = {0};
    const struct asked asked = {.url = "http://www.example.org/a/path?with=query",
                                .to = "93.184.216.34"};

    kit_open(
        &kit,
        "acl { deny ads host .ads.example .tracker.example; deny guests client 10.9.0.0/16 port 443;"
        "deny night client 10.8.0.0/16 time 22:00-06:00; allow staff client 10.0.0.0/8 host *.example.org; }",
        CONF_PORTABLE);
    struct sockaddr_storage client;
    struct sockaddr_storage to_room;
    struct access_facts facts = {.client = kit_address("10.1.1.1", &client),
                                 .method = SPAN("GET"),
                                 .address = kit_address(asked.to, &to_room)};
    kit_url(asked.url, &facts);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (unsigned i = 0; i < 200000; i++) {
        access_judge(kit.access, &facts, &verdict);
    }
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double ns =
        ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / 200000;
    printf("four rules, an address: %.0f ns a judgement\n", ns);
    assert_string_equal(verdict.name, "staff");
    assert_true(ns < 100000);
    kit_close(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_classes),
                                       cmocka_unit_test(test_speed)};
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
