/* netset: cases with their numbers, and random sets against a look at every network. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/netset.h"
#include "helper.h"

#define ARENA_BYTES ((size_t)64 << 20)

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

static union address address_of(const char *text)
{
    union address address = {.four = {.sin_family = AF_INET}};
    if (inet_pton(AF_INET, text, &address.four.sin_addr) != 1) {
        address.six = (struct sockaddr_in6){.sin6_family = AF_INET6};
        assert_int_equal(inet_pton(AF_INET6, text, &address.six.sin6_addr), 1);
    }
    return address;
}

/* "10.0.0.0/8" */
static struct netset_network network_of(const char *text, uint32_t number)
{
    struct netset_network network = {.number = number};
    char name[64];
    const char *slash = strchr(text, '/');
    assert_non_null(slash);
    (void)snprintf(name, sizeof(name), "%.*s", (int)(slash - text), text);
    network.bits = (uint8_t)atoi(slash + 1);
    network.v6 = inet_pton(AF_INET, name, network.address) != 1;
    if (network.v6) {
        assert_int_equal(inet_pton(AF_INET6, name, network.address), 1);
    }
    return network;
}

static void test_cases(void **state)
{
    (void)state;
    static const char *const lists[][6] = {
        {"10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "10.2.0.0/16", "255.255.255.255/32"},
        {"10.1.0.0/16", "10.0.0.0/8", "10.1.2.3/32", "::/0", "2001:db8::/32"},
        {"2001:db8:1::/48", "2001:db8::/32", "::1/128", "ffff::/16", "ffff:ffff::/32"},
        {"1.2.3.4/32", "1.2.3.5/32", "1.2.3.4/31", "1.2.3.4/32", "0.0.0.0/1", "128.0.0.0/1"},
    };
    static const struct {
        unsigned list;
        const char *address;
        uint32_t number;
    } cases[] = {
        {0, "10.1.2.3", 0},
        {0, "9.255.255.255", 2},
        {0, "11.0.0.0", 2},
        {0, "0.0.0.0", 2},
        {0, "255.255.255.255", 2},
        {0, "::1", NETSET_NONE},
        {0, "::ffff:10.9.9.9", 0},
        {1, "10.1.2.3", 0},
        {1, "10.2.2.3", 1},
        {1, "11.0.0.0", NETSET_NONE},
        {1, "::", 3},
        {1, "2001:db8::5", 3},
        {1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 3},
        {2, "2001:db8:1::", 0},
        {2, "2001:db8:1:ffff:ffff:ffff:ffff:ffff", 0},
        {2, "2001:db8:2::", 1},
        {2, "2001:db9::", NETSET_NONE},
        {2, "::1", 2},
        {2, "::2", NETSET_NONE},
        {2, "ffff:ffff::1", 3},
        {2, "10.0.0.1", NETSET_NONE},
        {3, "1.2.3.4", 0},
        {3, "1.2.3.5", 1},
        {3, "1.2.3.6", 4},
        {3, "128.0.0.0", 5},
        {3, "127.255.255.255", 4},
    };
    for (unsigned i = 0; i < ARRAY_LEN(lists); i++) {
        struct netset_network networks[6];
        struct netset set;
        struct arena arena;
        uint32_t count = 0;
        for (; count < 6 && lists[i][count] != NULL; count++) {
            networks[count] = network_of(lists[i][count], count);
        }
        arena_init(&arena, ARENA_BYTES);
        assert_true(netset_build(&set, &arena, networks, count));
        for (unsigned j = 0; j < ARRAY_LEN(cases); j++) {
            union address address = address_of(cases[j].address);
            uint32_t number = cases[j].list == i ? netset_find(&set, &address.any) : 0;
            if (cases[j].list == i && number != cases[j].number) {
                fail_msg("list %u, %s: %u", i, cases[j].address, number);
            }
        }
        arena_reset(&arena);
    }
}

static void test_reach(void **state)
{
    (void)state;
    struct netset_network networks[] = {
        network_of("10.0.0.0/9", 0),  network_of("10.128.0.0/9", 1), network_of("10.0.0.0/8", 2),
        network_of("10.1.2.3/32", 3), network_of("::/0", 4),         network_of("0.0.0.0/0", 4),
        network_of("fe80::/10", 5),
    };
    bool seen[6] = {false};
    struct netset set;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    assert_true(netset_build(&set, &arena, networks, ARRAY_LEN(networks)));
    netset_reach(&set, seen);
    assert_true(seen[0] && seen[1] && !seen[2] && !seen[3] && seen[4] && !seen[5]);
    arena_reset(&arena);
}

static bool holds(const struct netset_network *network, const uint8_t *bytes)
{
    for (unsigned bit = 0; bit < network->bits; bit++) {
        unsigned mask = 0x80U >> (bit % 8);
        if (((network->address[bit / 8] ^ bytes[bit / 8]) & mask) != 0) {
            return false;
        }
    }
    return true;
}

/* Few different bytes, so that networks hold one another and touch. */
static void random_address(uint8_t *bytes, size_t count)
{
    static const uint8_t some[] = {0, 1, 127, 128, 254, 255};
    for (size_t i = 0; i < count; i++) {
        bytes[i] = some[(size_t)random() % ARRAY_LEN(some)];
    }
}

static void test_random(void **state)
{
    (void)state;
    srandom(5);
    for (unsigned round = 0; round < 400; round++) {
        struct netset_network networks[60] = {0};
        struct netset_network sorted[60];
        struct netset set;
        struct arena arena;
        uint32_t count = 1 + (uint32_t)random() % ARRAY_LEN(networks);
        for (uint32_t i = 0; i < count; i++) {
            struct netset_network *network = &networks[i];
            network->v6 = random() % 2 == 0;
            unsigned all = network->v6 ? 128 : 32;
            random_address(network->address, all / 8);
            network->bits = (uint8_t)((unsigned)random() % (all + 1));
            for (unsigned bit = network->bits; bit < all; bit++) {
                network->address[bit / 8] &= (uint8_t) ~(0x80U >> (bit % 8));
            }
            network->number = (uint32_t)random() % count;
        }
        memcpy(sorted, networks, sizeof(sorted));
        arena_init(&arena, ARENA_BYTES);
        assert_true(netset_build(&set, &arena, sorted, count));
        for (unsigned i = 0; i < 200; i++) {
            bool v6 = random() % 2 == 0;
            union address address = {.six = {.sin6_family = AF_INET6}};
            uint8_t *bytes = address.six.sin6_addr.s6_addr;
            if (!v6) {
                address.four = (struct sockaddr_in){.sin_family = AF_INET};
                bytes = (uint8_t *)&address.four.sin_addr;
            }
            random_address(bytes, v6 ? 16 : 4);
            if (v6 && IN6_IS_ADDR_V4MAPPED(&address.six.sin6_addr)) {
                continue;
            }
            uint32_t wanted = NETSET_NONE;
            for (uint32_t j = 0; j < count; j++) {
                if (networks[j].v6 == v6 && holds(&networks[j], bytes) &&
                    networks[j].number < wanted) {
                    wanted = networks[j].number;
                }
            }
            assert_int_equal(netset_find(&set, &address.any), wanted);
        }
        arena_reset(&arena);
    }
}

static void test_large(void **state)
{
    (void)state;
    uint32_t count = 200000;
    struct netset_network *networks = calloc(count, sizeof(*networks));
    struct netset set;
    struct arena arena;
    assert_non_null(networks);
    for (uint32_t i = 0; i < count; i++) { /* every other /24, from the end */
        uint32_t at = (count - i) << 9;
        networks[i] = (struct netset_network){.bits = 24, .number = i};
        networks[i].address[0] = (uint8_t)(at >> 24);
        networks[i].address[1] = (uint8_t)(at >> 16);
        networks[i].address[2] = (uint8_t)(at >> 8);
    }
    arena_init(&arena, ARENA_BYTES);
    assert_true(netset_build(&set, &arena, networks, count));
    assert_int_equal(set.v4_count, 2 * count);
    assert_true(arena.used < (size_t)count * 16 + 131072);
    union address address = {.four = {.sin_family = AF_INET}};
    for (uint32_t i = 0; i < count; i += 97) {
        address.four.sin_addr.s_addr = htonl(((count - i) << 9) + 255);
        assert_int_equal(netset_find(&set, &address.any), i);
        address.four.sin_addr.s_addr = htonl(((count - i) << 9) + 256);
        assert_int_equal(netset_find(&set, &address.any), NETSET_NONE);
    }
    arena_reset(&arena);
    arena_init(&arena, 1000); /* a set that does not fit is empty, not half */
    assert_false(netset_build(&set, &arena, networks, count));
    assert_int_equal(netset_find(&set, &address.any), NETSET_NONE);
    arena_reset(&arena);
    free(networks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
