/* Names of origins: slow to resolve, with several addresses. The resolver is ours here. */
#include <netdb.h>

#include "kit.h"

/* host: 127.0.0.<digits behind its dashes>, in that order; "slow" waits first. */
static void names_free(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_addr);
        free(list);
        list = next;
    }
}

static _Atomic unsigned resolved;

/* Stands before libc's for libcurl too. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    struct addrinfo **end = out;

    (void)hints;
    *out = NULL;
    if (strncmp(host, "slow", 4) == 0) {
        sleep_ms(4000);
    }
    for (const char *at = strchr(host, '-'); at != NULL; at = strchr(at + 1, '-')) {
        struct addrinfo *one = calloc(1, sizeof(*one));
        struct sockaddr_in *address = calloc(1, sizeof(*address));
        address->sin_family = AF_INET;
        address->sin_port = htons((uint16_t)strtoul(service, NULL, 10));
        address->sin_addr.s_addr = htonl(0x7f000000u + (uint32_t)strtoul(at + 1, NULL, 10));
        one->ai_family = AF_INET;
        one->ai_socktype = SOCK_STREAM;
        one->ai_protocol = IPPROTO_TCP;
        one->ai_addrlen = sizeof(*address);
        one->ai_addr = (struct sockaddr *)address;
        *end = one;
        end = &one->ai_next;
    }
    atomic_fetch_add(&resolved, 1);
    return *out == NULL ? EAI_NONAME : 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    names_free(list);
}

static uint64_t wall_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void test_a_name_resolves(void **state)
{
    (void)state;
    origin->address.host = "one-1";
    get("/bytes/1000");
    assert_int_equal(probe.result.fault, FETCH_OK);
    origin->address.host = "none";
    get("/bytes/1000");
    assert_int_equal(probe.result.fault, FETCH_DNS);
}

/* The loop serves all others meanwhile. */
static void test_a_slow_name_holds_nobody_up(void **state)
{
    struct fetch_request request = probe_request(origin, "/bytes/1");

    (void)state;
    unsigned before = atomic_load(&resolved);
    origin->address.host = "slow-1";
    origin->address.connect_timeout_us = 200000;
    uint64_t start = wall_us();
    run(&request);
    assert_int_equal(probe.result.fault, FETCH_CONNECT_TIMEOUT);
    assert_true(wall_us() - start < 3000000);
    origin->address.host = "slower-1";
    probe_again();
    probe.fetch = fetch_start(pool, &request, &probe_handler, &probe);
    run_loop(loop, 30, true);
    start = wall_us();
    fetch_cancel(&probe.fetch);
    assert_true(wall_us() - start < 3000000);
    for (int i = 0; i < 2000 && atomic_load(&resolved) < before + 2; i++) {
        run_loop(loop, 20, true);
    }
    run_loop(loop, 50, true);
}

/* The first address does not answer: the second is tried, on a descriptor of the same number. */
static void test_the_next_address_is_tried(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1)};

    (void)state;
    address.sin_port = htons((uint16_t)origin->address.port);
    struct full_queue queue = full_queue_at(&address);
    origin->address.host = "two-2-1";
    origin->address.connect_timeout_us = 4000000; /* half of it for the first */
    get("/bytes/1000");
    assert_int_equal(probe.result.fault, FETCH_OK);
    full_queue_close(&queue);
    /* Refused at the first. */
    origin->address.host = "three-3-1";
    get("/bytes/1000");
    assert_int_equal(probe.result.fault, FETCH_OK);
}

/* A given address is where it goes: nobody is asked for the name, and a connection kept to one
 * address is not used for another. */
static void test_a_given_address_is_used(void **state)
{
    static const struct {
        const char *address;
        enum fetch_fault fault;
        bool reused;
    } rows[] = {
        {"127.0.0.1", FETCH_OK, false},
        {"127.0.0.1", FETCH_OK, true},
        {"127.0.0.2", FETCH_CONNECT_REFUSED, false},
        {"::1", FETCH_CONNECT_REFUSED, false},
        {"127.0.0.1", FETCH_OK, true},
    };
    struct fetch_request request = probe_request(origin, "/bytes/1000");
    unsigned before = atomic_load(&resolved);

    (void)state;
    origin->address.host = "nowhere";
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        probe_again();
        request.address = rows[i].address;
        run(&request);
        assert_int_equal(probe.result.fault, rows[i].fault);
        assert_int_equal(probe.result.reused_connection, rows[i].reused);
        assert_int_equal(probe.result.request_sent, rows[i].fault == FETCH_OK);
    }
    assert_int_equal(atomic_load(&resolved), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_a_name_resolves),
        KIT_TEST(test_a_slow_name_holds_nobody_up),
        KIT_TEST(test_the_next_address_is_tried),
        KIT_TEST(test_a_given_address_is_used),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
