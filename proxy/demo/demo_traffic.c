// SPDX-License-Identifier: MIT
/*
 * Visitors come in small bursts: all requests of a burst are sent at once, each on a connection of
 * its own, and read one after the other, so a slow page of the origin is asked for side by side and
 * the dashboard shows collapsed requests too.
 */
#include "demo/demo_traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "demo/demo_pages.h"

enum {
    BURST_MAX = 6,
    REQUEST_TIMEOUT_MS = 5000,
    RATE_MAX = 1000,
    TRAFFIC_MAGIC = 0x74726166,
};

struct demo_traffic {
    uint32_t magic;
    struct sockaddr_in proxy;
    unsigned rate; /* requests per second */
    int stop_fd;
    uint64_t random; /* xorshift state, never 0 */
    pthread_t thread;
    _Atomic uint64_t requests;
};

static unsigned random_below(struct demo_traffic *traffic, unsigned limit)
{
    traffic->random ^= traffic->random << 13;
    traffic->random ^= traffic->random >> 7;
    traffic->random ^= traffic->random << 17;
    return (unsigned)((traffic->random >> 33) % limit);
}

/* Weighted: pictures and the front page lead, articles fall off as visitors like them less. Nobody
 * asks for /hello: who follows the printed curl lines sees a miss first. */
static void path_pick(struct demo_traffic *traffic, char *out, size_t size)
{
    unsigned dice = random_below(traffic, 200);

    if (dice < 40) {
        (void)snprintf(out, size, "/");
    } else if (dice < 90) {
        (void)snprintf(out, size, "/picture/%u.svg", 1 + random_below(traffic, DEMO_PICTURE_COUNT));
    } else if (dice < 150) {
        unsigned reach = 1 + random_below(traffic, DEMO_ARTICLE_COUNT);
        (void)snprintf(out, size, "/article/%u", 1 + random_below(traffic, reach));
    } else if (dice < 182) {
        (void)snprintf(out, size, "/api/time.json");
    } else if (dice < 190) {
        (void)snprintf(out, size, "/account");
    } else if (dice < 199) {
        (void)snprintf(out, size, "/missing");
    } else {
        (void)snprintf(out, size, "/large.bin");
    }
}

/* Connects and sends one request. Returns the descriptor or -1. */
static int visit_begin(struct demo_traffic *traffic)
{
    char path[64];
    char request[256];
    struct timeval limit = {.tv_sec = REQUEST_TIMEOUT_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    path_pick(traffic, path, sizeof(path));
    int len = snprintf(request, sizeof(request),
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: larder-demo\r\n"
                       "Connection: close\r\n\r\n",
                       path, (unsigned)ntohs(traffic->proxy.sin_port));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (const struct sockaddr *)&traffic->proxy, sizeof(traffic->proxy)) != 0 ||
        send(fd, request, (size_t)len, MSG_NOSIGNAL) != len) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool is_stopping(const struct demo_traffic *traffic, int wait_ms)
{
    struct pollfd stop = {.fd = traffic->stop_fd, .events = POLLIN};

    return poll(&stop, 1, wait_ms) > 0;
}

/* Reads to the end and drops the bytes; gives up when the traffic is to stop. */
static void visit_end(struct demo_traffic *traffic, int fd)
{
    static _Thread_local char sink[64 << 10];
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                            {.fd = traffic->stop_fd, .events = POLLIN}};
    bool has_bytes = false;

    for (;;) {
        int ready = poll(fds, 2, REQUEST_TIMEOUT_MS);
        if (ready <= 0 || fds[1].revents != 0) {
            break;
        }
        ssize_t got = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
        if (got == 0) {
            if (has_bytes) {
                atomic_fetch_add_explicit(&traffic->requests, 1, memory_order_relaxed);
            }
            break;
        }
        if (got < 0 && errno != EAGAIN && errno != EINTR) {
            break;
        }
        has_bytes = has_bytes || got > 0;
    }
    close(fd);
}

static void *traffic_run(void *arg)
{
    struct demo_traffic *traffic = arg;
    int fds[BURST_MAX];

    CHECK_OBJ(traffic, TRAFFIC_MAGIC);
    for (;;) {
        unsigned count = 1 + random_below(traffic, BURST_MAX);
        /* Uneven pauses around the wanted rate, so that the chart looks like visitors. */
        unsigned pause_ms = count * 1000 / traffic->rate;
        pause_ms = pause_ms / 2 + random_below(traffic, pause_ms + 1);
        if (is_stopping(traffic, (int)pause_ms)) {
            break;
        }
        for (unsigned i = 0; i < count; i++) {
            fds[i] = visit_begin(traffic);
        }
        for (unsigned i = 0; i < count; i++) {
            if (fds[i] >= 0) {
                visit_end(traffic, fds[i]);
            }
        }
    }
    return NULL;
}

enum err demo_traffic_start(const char *addr, unsigned port, unsigned rate,
                            struct demo_traffic **out)
{
    struct demo_traffic *traffic = mem_new(sizeof(*traffic));
    enum err err = ERR_IO;

    CHECK(rate > 0);
    traffic->magic = TRAFFIC_MAGIC;
    traffic->rate = rate > RATE_MAX ? RATE_MAX : rate;
    traffic->proxy.sin_family = AF_INET;
    traffic->proxy.sin_port = htons((uint16_t)port);
    random_bytes(&traffic->random, sizeof(traffic->random));
    traffic->random |= 1;
    if (port > UINT16_MAX || inet_pton(AF_INET, addr, &traffic->proxy.sin_addr) != 1) {
        goto fail;
    }
    traffic->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (traffic->stop_fd < 0) {
        goto fail;
    }
    err = thread_start(&traffic->thread, "demo-traffic", traffic_run, traffic);
    if (err != ERR_OK) {
        close(traffic->stop_fd);
        goto fail;
    }
    *out = traffic;
    return ERR_OK;
fail:
    mem_free(traffic);
    return err;
}

uint64_t demo_traffic_requests(const struct demo_traffic *traffic)
{
    return atomic_load_explicit(&traffic->requests, memory_order_relaxed);
}

void demo_traffic_stop(struct demo_traffic **traffic_ptr)
{
    struct demo_traffic *traffic = *traffic_ptr;
    uint64_t one = 1;

    if (traffic == NULL) {
        return;
    }
    CHECK_OBJ(traffic, TRAFFIC_MAGIC);
    *traffic_ptr = NULL;
    CHECK(write(traffic->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
    CHECK(pthread_join(traffic->thread, NULL) == 0);
    close(traffic->stop_fd);
    traffic->magic = 0;
    mem_free(traffic);
}
