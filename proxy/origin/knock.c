/* knock - see knock.h. */
#include "origin/knock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void finish(struct knock *knock, int error)
{
    knock_cancel(knock);
    knock->done(knock, error, loop_now_us(knock->loop) - knock->started_us);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct knock *knock = CONTAINER_OF(watch, struct knock, watch);
    int error = 0;
    socklen_t size = sizeof(error);

    (void)events;
    if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
    }
    finish(knock, error);
}

static void on_timer(struct loop_timer *timer)
{
    struct knock *knock = CONTAINER_OF(timer, struct knock, timer);

    finish(knock, knock->error);
}

void knock_init(struct knock *knock, struct loop *loop,
                void (*done)(struct knock *knock, int error, uint64_t took_us))
{
    *knock = (struct knock){.loop = loop, .watch = {.ready = on_ready, .fd = -1}, .done = done};
    loop_timer_init(&knock->timer, on_timer);
}

static socklen_t sockaddr_make(const char *address, unsigned port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return sizeof(*v4);
    }
    if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        return sizeof(*v6);
    }
    return 0;
}

/* 0 or an errno. */
static int open_socket(struct knock *knock, const struct sockaddr_storage *to, socklen_t size)
{
    const struct linger hard = {.l_onoff = 1};

    if (size == 0) {
        return EAFNOSUPPORT;
    }
    knock->watch.fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (knock->watch.fd < 0) {
        return errno;
    }
    /* Closed with a reset: no TIME-WAIT for each of them. */
    (void)setsockopt(knock->watch.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    if (connect(knock->watch.fd, (const struct sockaddr *)to, size) == 0) {
        return 0;
    }
    if (errno != EINPROGRESS) {
        return errno;
    }
    return loop_watch_add(knock->loop, &knock->watch, EPOLLOUT) == ERR_OK ? EINPROGRESS : ENOMEM;
}

void knock_start(struct knock *knock, const char *address, unsigned port, uint64_t timeout_us)
{
    struct sockaddr_storage to;
    socklen_t size = sockaddr_make(address, port, &to);

    CHECK(!knock->is_busy);
    knock->is_busy = true;
    knock->started_us = loop_now_us(knock->loop);
    int error = open_socket(knock, &to, size);
    knock->error = error == EINPROGRESS ? ETIMEDOUT : error;
    loop_timer_set(knock->loop, &knock->timer, error == EINPROGRESS ? timeout_us : 0);
}

void knock_cancel(struct knock *knock)
{
    loop_timer_clear(&knock->timer);
    if (knock->watch.fd >= 0) {
        loop_watch_remove(knock->loop, &knock->watch);
        (void)close(knock->watch.fd);
        knock->watch.fd = -1;
    }
    knock->is_busy = false;
}
