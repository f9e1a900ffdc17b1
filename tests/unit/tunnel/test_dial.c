/* A connection to the first address that takes one; why there is none; nothing is left open. */
#include <sys/resource.h>

#include "kit.h"
#include "tunnel/dial.h"

struct caller {
    struct loop *loop;
    struct dial *dial;
    struct loop_watch watch;
    struct loop_timer stop;
    const char *denied; /* this address is */
    unsigned asked, tried, broken;
    bool is_done;
    enum dial_fault fault;
    int fd;
};

static void on_watch(struct loop_watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
}

static void on_stop(struct loop_timer *timer)
{
    loop_stop(CONTAINER_OF(timer, struct caller, stop)->loop);
}

static bool may(void *ctx, const struct sockaddr *address)
{
    struct caller *caller = ctx;
    char text[INET6_ADDRSTRLEN];
    const struct sockaddr_in *four = (const void *)address;

    caller->asked++;
    assert_int_equal(address->sa_family, AF_INET);
    assert_non_null(inet_ntop(AF_INET, &four->sin_addr, text, sizeof(text)));
    return caller->denied == NULL || strcmp(caller->denied, text) != 0;
}

static void tried(void *ctx, const struct sockaddr *address, enum dial_fault fault)
{
    struct caller *caller = ctx;

    (void)address;
    caller->tried++;
    caller->broken += fault != DIAL_OK;
}

static void done(void *ctx, enum dial_fault fault)
{
    struct caller *caller = ctx;

    assert_false(caller->is_done);
    caller->is_done = true;
    caller->fault = fault;
    if (fault == DIAL_OK) {
        caller->fd = dial_take(caller->dial, &caller->watch, tunnel_events());
    }
    dial_cancel(&caller->dial);
    loop_stop(caller->loop);
}

static const struct dial_handler handler = {.may = may, .tried = tried, .done = done};

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static int listen_at(const char *host, uint16_t *port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t len = sizeof(address);
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(inet_pton(AF_INET, host, &address.sin_addr), 1);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* Whoever connects there waits: the queue is full. */
static void fill_queue(const char *host, uint16_t port, int fds[3])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

    assert_int_equal(inet_pton(AF_INET, host, &address.sin_addr), 1);
    for (unsigned i = 0; i < 3; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fds[i], (struct sockaddr *)&address, sizeof(address));
    }
}

/* Dials these addresses; hosts end with NULL. Returns how long it took. */
static uint64_t dial_hosts(struct caller *caller, const char *const *hosts, uint16_t port,
                           uint64_t timeout_us, const char *from)
{
    struct sockaddr_storage addresses[DIAL_ADDRESSES_MAX] = {0};
    struct sockaddr_storage out = {.ss_family = AF_INET};
    struct timespec begin, end;
    unsigned count = 0;

    for (; hosts[count] != NULL; count++) {
        struct sockaddr_in *four = (void *)&addresses[count];
        four->sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, hosts[count], &four->sin_addr), 1);
    }
    if (from != NULL) {
        assert_int_equal(inet_pton(AF_INET, from, &((struct sockaddr_in *)(void *)&out)->sin_addr),
                         1);
    }
    const struct dial_options options = {.addresses = addresses,
                                         .count = count,
                                         .port = port,
                                         .timeout_us = timeout_us,
                                         .from_v4 = from == NULL ? NULL : &out};
    caller->loop = loop_new();
    caller->fd = -1;
    caller->watch = (struct loop_watch){.ready = on_watch, .fd = -1};
    loop_timer_init(&caller->stop, on_stop);
    loop_timer_set(caller->loop, &caller->stop, 10000000);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    caller->dial = dial_start(caller->loop, &options, &handler, caller);
    assert_false(caller->is_done);
    loop_run(caller->loop);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(caller->is_done);
    assert_null(caller->dial);
    if (caller->fd >= 0) {
        loop_watch_remove(caller->loop, &caller->watch);
    }
    loop_timer_clear(&caller->stop);
    loop_free(&caller->loop);
    return (uint64_t)((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000);
}

static const char *peer_of(int fd, bool is_own, uint16_t *port)
{
    static char text[INET_ADDRSTRLEN];
    struct sockaddr_in address;
    socklen_t len = sizeof(address);

    assert_int_equal(is_own ? getsockname(fd, (struct sockaddr *)&address, &len)
                            : getpeername(fd, (struct sockaddr *)&address, &len),
                     0);
    *port = ntohs(address.sin_port);
    return inet_ntop(AF_INET, &address.sin_addr, text, sizeof(text));
}

static void test_first_that_stands(void **state)
{
    uint16_t port = 0;
    uint16_t got;
    int listener = listen_at("127.0.0.3", &port, 8);
    unsigned before = open_descriptors();
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", NULL};
    struct caller caller = {0};

    (void)state;
    dial_hosts(&caller, hosts, port, 2000000, NULL);
    assert_int_equal(caller.fault, DIAL_OK);
    assert_string_equal(peer_of(caller.fd, false, &got), "127.0.0.3");
    assert_int_equal(got, port);
    assert_int_equal(caller.asked, 3);
    assert_int_equal(caller.tried, 3);
    assert_int_equal(caller.broken, 2);
    close(caller.fd);
    assert_int_equal(open_descriptors(), before);
    close(listener);
}

static void test_beside_a_silent_one(void **state)
{
    uint16_t port = 0;
    uint16_t got;
    int fillers[3];
    int silent = listen_at("127.0.0.1", &port, 0);
    int listener = listen_at("127.0.0.3", &port, 8);
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.3", NULL};
    static const char *const alone[] = {"127.0.0.1", NULL};
    struct caller caller = {0};
    struct caller late = {0};

    (void)state;
    fill_queue("127.0.0.1", port, fillers);
    unsigned before = open_descriptors();
    uint64_t took_ms = dial_hosts(&caller, hosts, port, 40000000, NULL);
    assert_int_equal(caller.fault, DIAL_OK);
    assert_string_equal(peer_of(caller.fd, false, &got), "127.0.0.3");
    assert_in_range(took_ms, 200, 15000);
    close(caller.fd);
    took_ms = dial_hosts(&late, alone, port, 300000, NULL);
    assert_int_equal(late.fault, DIAL_TIMEOUT);
    assert_in_range(took_ms, 280, 15000);
    assert_int_equal(open_descriptors(), before);
    for (unsigned i = 0; i < 3; i++) {
        close(fillers[i]);
    }
    close(silent);
    close(listener);
}

static void test_failures(void **state)
{
    uint16_t port = 0;
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.2", NULL};
    static const char *const one[] = {"127.0.0.1", NULL};
    static const char *const nowhere[] = {"255.255.255.255", NULL};
    struct caller caller = {0};

    (void)state;
    close(listen_at("127.0.0.1", &port, 1));
    dial_hosts(&caller, hosts, port, 1000000, NULL);
    assert_int_equal(caller.fault, DIAL_REFUSED);
    caller = (struct caller){.denied = "127.0.0.1"};
    dial_hosts(&caller, one, port, 1000000, NULL);
    assert_int_equal(caller.fault, DIAL_DENIED);
    assert_int_equal(caller.tried, 0);
    caller = (struct caller){.denied = "127.0.0.1"};
    dial_hosts(&caller, hosts, port, 1000000, NULL);
    assert_int_equal(caller.fault, DIAL_REFUSED); /* what a server said goes before */
    caller = (struct caller){0};
    dial_hosts(&caller, nowhere, port, 1000000, NULL);
    assert_int_equal(caller.fault, DIAL_UNREACHABLE);
    caller = (struct caller){0};
    dial_hosts(&caller, one, port, 1000000, "192.0.2.99");
    assert_int_equal(caller.fault, DIAL_OUTGOING);
}

static void test_from(void **state)
{
    uint16_t port = 0;
    uint16_t own;
    int listener = listen_at("127.0.0.1", &port, 8);
    static const char *const hosts[] = {"127.0.0.1", NULL};
    struct caller caller = {0};

    (void)state;
    dial_hosts(&caller, hosts, port, 1000000, "127.0.0.77");
    assert_int_equal(caller.fault, DIAL_OK);
    assert_string_equal(peer_of(caller.fd, true, &own), "127.0.0.77");
    close(caller.fd);
    close(listener);
}

/* Without a descriptor left it says so, and cancelling in the middle leaves nothing. */
static void test_exhausted(void **state)
{
    struct rlimit old, few;
    uint16_t port = 9;
    static const char *const hosts[] = {"127.0.0.1", NULL};
    struct caller caller = {0};

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct loop *warm = loop_new(); /* keeps two numbers free for the loop */
    int top = dup(0);
    few = (struct rlimit){.rlim_cur = (rlim_t)top, .rlim_max = old.rlim_max};
    close(top);
    loop_free(&warm);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    dial_hosts(&caller, hosts, port, 1000000, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(caller.fault, DIAL_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_that_stands), cmocka_unit_test(test_beside_a_silent_one),
        cmocka_unit_test(test_failures),          cmocka_unit_test(test_from),
        cmocka_unit_test(test_exhausted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
