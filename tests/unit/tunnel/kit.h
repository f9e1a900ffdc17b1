#ifndef TESTS_UNIT_TUNNEL_KIT_H
#define TESTS_UNIT_TUNNEL_KIT_H
/*
 * kit - a tunnel between two socket pairs on a loop that the test turns by hand: near[i] is the
 * test's end, far[i] the tunnel's. Header only; for the tests of this folder.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tunnel/tunnel.h"

struct bench {
    struct loop *loop;
    struct tunnel_kit *kit;
    struct tunnel tunnel;
    int near[TUNNEL_PEERS];
    int far[TUNNEL_PEERS];
    bool is_over;
    enum tunnel_outcome outcome;
    uint64_t moved[TUNNEL_PEERS];
    struct loop_timer stop; /* ends a turn of the loop */
};

static inline void bench_over(struct tunnel *tunnel, enum tunnel_outcome outcome)
{
    struct bench *bench = CONTAINER_OF(tunnel, struct bench, tunnel);
    struct linger cut = {.l_onoff = 1, .l_linger = 0};

    assert_false(bench->is_over);
    bench->is_over = true;
    bench->outcome = outcome;
    for (unsigned i = 0; i < TUNNEL_PEERS; i++) {
        if (outcome != TUNNEL_OVER) {
            (void)setsockopt(bench->far[i], SOL_SOCKET, SO_LINGER, &cut, sizeof(cut));
        }
        close(bench->far[i]);
    }
}

static inline void bench_moved(struct tunnel *tunnel, enum tunnel_peer from, size_t bytes)
{
    CONTAINER_OF(tunnel, struct bench, tunnel)->moved[from] += bytes;
}

static inline void bench_stop(struct loop_timer *timer)
{
    loop_stop(CONTAINER_OF(timer, struct bench, stop)->loop);
}

static inline void make_pair(int *near, int *far)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    *near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(connect(*near, (struct sockaddr *)&address, len) == 0 || errno == EINPROGRESS);
    *far = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(*far >= 0);
    assert_int_equal(setsockopt(*near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
    assert_int_equal(setsockopt(*far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
    close(listener);
}

/* sndbuf: of the tunnel's ends; 0: as the kernel likes. */
static inline void bench_open(struct bench *bench, const struct tunnel_limits *limits, int sndbuf)
{
    static const struct tunnel_handler handler = {.over = bench_over, .moved = bench_moved};

    *bench = (struct bench){.loop = loop_new()};
    assert_non_null(bench->loop);
    (void)signal(SIGPIPE, SIG_IGN);
    bench->kit = tunnel_kit_new(bench->loop);
    loop_timer_init(&bench->stop, bench_stop);
    tunnel_init(&bench->tunnel, bench->kit, &handler, limits);
    for (unsigned i = 0; i < TUNNEL_PEERS; i++) {
        struct loop_watch *watch = tunnel_watch(&bench->tunnel, (enum tunnel_peer)i);
        make_pair(&bench->near[i], &bench->far[i]);
        if (sndbuf > 0) {
            assert_int_equal(
                setsockopt(bench->far[i], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)), 0);
            assert_int_equal(
                setsockopt(bench->near[i], SOL_SOCKET, SO_RCVBUF, &sndbuf, sizeof(sndbuf)), 0);
        }
        watch->fd = bench->far[i];
        assert_int_equal(loop_watch_add(bench->loop, watch, tunnel_events()), ERR_OK);
    }
}

/* Turns the loop for so long. */
static inline void bench_turn(struct bench *bench, unsigned ms)
{
    loop_timer_set(bench->loop, &bench->stop, ms * (uint64_t)1000);
    loop_run(bench->loop);
}

static inline void bench_close(struct bench *bench)
{
    if (!bench->is_over) {
        tunnel_stop(&bench->tunnel);
        close(bench->far[0]);
        close(bench->far[1]);
    }
    for (unsigned i = 0; i < TUNNEL_PEERS; i++) {
        if (bench->near[i] >= 0) {
            close(bench->near[i]);
        }
    }
    tunnel_kit_free(&bench->kit);
    loop_free(&bench->loop);
}

static inline void reset_near(struct bench *bench, enum tunnel_peer peer)
{
    struct linger cut = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(bench->near[peer], SOL_SOCKET, SO_LINGER, &cut, sizeof(cut));
    close(bench->near[peer]);
    bench->near[peer] = -1;
}

/* What position `at` of the stream from this peer holds. */
static inline char byte_at(enum tunnel_peer from, uint64_t at)
{
    uint64_t mixed = (at + 1) * (from == TUNNEL_CLIENT ? 0x9e3779b97f4a7c15u : 0xc2b2ae3d27d4eb4fu);
    return (char)(mixed >> 56);
}

/* One direction as the test drives it. */
struct flow {
    uint64_t sent, got;
    bool is_shut;  /* the sender's end was sent */
    bool is_ended; /* and has arrived */
};

/* Sends up to `most` bytes more of `total`, then the end. */
static inline void flow_send(struct bench *bench, struct flow *flow, enum tunnel_peer from,
                             uint64_t total, size_t most)
{
    static char data[1 << 20];
    size_t want = total - flow->sent < most ? (size_t)(total - flow->sent) : most;

    want = want < sizeof(data) ? want : sizeof(data);
    for (size_t i = 0; i < want; i++) {
        data[i] = byte_at(from, flow->sent + i);
    }
    if (want > 0) {
        ssize_t sent = send(bench->near[from], data, want, MSG_NOSIGNAL | MSG_DONTWAIT);
        assert_true(sent > 0 || errno == EAGAIN);
        flow->sent += sent > 0 ? (uint64_t)sent : 0;
    }
    if (flow->sent == total && !flow->is_shut) {
        flow->is_shut = true;
        assert_int_equal(shutdown(bench->near[from], SHUT_WR), 0);
    }
}

/* Receives up to `most` bytes at the other side and looks at each. */
static inline void flow_receive(struct bench *bench, struct flow *flow, enum tunnel_peer from,
                                size_t most)
{
    static char data[1 << 20];
    ssize_t got =
        recv(bench->near[!from], data, most < sizeof(data) ? most : sizeof(data), MSG_DONTWAIT);

    if (got < 0) {
        assert_int_equal(errno, EAGAIN);
        return;
    }
    flow->is_ended = flow->is_ended || got == 0;
    for (ssize_t i = 0; i < got; i++) {
        if (data[i] != byte_at(from, flow->got + (uint64_t)i)) {
            fail_msg("wrong byte at %llu", (unsigned long long)(flow->got + (uint64_t)i));
        }
    }
    flow->got += (uint64_t)got;
}
#endif
