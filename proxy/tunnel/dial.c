/*
 * dial - attempts in a row, each with its own deadline; see dial.h.
 */
#include "tunnel/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/address.h"
#include "base/check.h"
#include "base/mem.h"

#define DIAL_MAGIC 0x6469616cu
/* Without an answer for so long, the next address is tried beside it. */
#define DIAL_STAGGER_US ((uint64_t)250000)

struct attempt {
    struct loop_watch watch; /* fd -1: not under way */
    struct dial *dial;
    uint64_t until_us;
};

struct dial {
    uint32_t magic;
    struct loop *loop;
    const struct dial_handler *handler;
    void *ctx;
    struct loop_timer timer;
    struct loop_task task; /* says at the end of the round how it ended */
    uint64_t timeout_us;
    uint64_t next_us; /* the next address has its turn */
    unsigned count, next, alive;
    enum dial_fault fault; /* the most telling so far */
    struct attempt *connected;
    bool has_from[2]; /* v4, v6 */
    struct sockaddr_storage from[2];
    struct attempt attempts[DIAL_ADDRESSES_MAX];
    struct sockaddr_storage addresses[DIAL_ADDRESSES_MAX];
};

static void dial_go_on(struct dial *dial);

/* What is told when addresses failed in several ways: of what a server itself said first. */
static void note(struct dial *dial, enum dial_fault fault)
{
    static const unsigned weight[] = {
        [DIAL_OK] = 0,        [DIAL_DENIED] = 1,   [DIAL_UNREACHABLE] = 2, [DIAL_TIMEOUT] = 3,
        [DIAL_EXHAUSTED] = 4, [DIAL_OUTGOING] = 5, [DIAL_REFUSED] = 6,
    };
    if (weight[fault] > weight[dial->fault]) {
        dial->fault = fault;
    }
}

static enum dial_fault fault_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
        return DIAL_REFUSED;
    case ETIMEDOUT:
        return DIAL_TIMEOUT;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL: /* no port is left */
    case EAGAIN:
        return DIAL_EXHAUSTED;
    default:
        return DIAL_UNREACHABLE;
    }
}

static void attempt_close(struct attempt *attempt)
{
    if (attempt->watch.fd >= 0) {
        loop_watch_forget(attempt->dial->loop, &attempt->watch);
        (void)close(attempt->watch.fd);
        attempt->watch.fd = -1;
        attempt->dial->alive--;
    }
}

static void tell(struct attempt *attempt, enum dial_fault fault)
{
    struct dial *dial = attempt->dial;
    const struct sockaddr_storage *address = &dial->addresses[attempt - dial->attempts];

    if (dial->handler->tried != NULL) {
        dial->handler->tried(dial->ctx, (const struct sockaddr *)address, fault);
    }
}

static void attempt_fail(struct attempt *attempt, enum dial_fault fault)
{
    attempt_close(attempt);
    tell(attempt, fault);
    note(attempt->dial, fault);
}

static void attempt_ready(struct loop_watch *watch, uint32_t events)
{
    struct attempt *attempt = CONTAINER_OF(watch, struct attempt, watch);
    struct dial *dial = attempt->dial;
    int error = 0;
    socklen_t len = sizeof(error);

    (void)events;
    CHECK_OBJ(dial, DIAL_MAGIC);
    if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    if (error != 0) {
        attempt_fail(attempt, fault_of(error));
        dial->next_us = 0;
        dial_go_on(dial);
        return;
    }
    dial->connected = attempt;
    tell(attempt, DIAL_OK);
    dial->handler->done(dial->ctx, DIAL_OK);
}

/* Where it comes from does not take a port yet, so that 28,000 connections to one server are not
 * all there can be. False: this address cannot be used. */
static bool bind_from(const struct dial *dial, int fd, sa_family_t family)
{
    unsigned which = family == AF_INET6;
    int one = 1;
    socklen_t len = which ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

    if (!dial->has_from[which]) {
        return true;
    }
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    return bind(fd, (const struct sockaddr *)&dial->from[which], len) == 0;
}

static void attempt_start(struct dial *dial, struct attempt *attempt,
                          const struct sockaddr_storage *address)
{
    int one = 1;
    socklen_t len =
        address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        note(dial, fault_of(errno));
        return;
    }
    attempt->watch = (struct loop_watch){.ready = attempt_ready, .fd = fd};
    attempt->dial = dial;
    attempt->until_us = loop_now_us(dial->loop) + dial->timeout_us;
    dial->alive++;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (!bind_from(dial, fd, address->ss_family)) {
        attempt_fail(attempt, DIAL_OUTGOING);
    } else if (connect(fd, (const struct sockaddr *)address, len) != 0 && errno != EINPROGRESS) {
        attempt_fail(attempt, fault_of(errno));
    } else if (loop_watch_add(dial->loop, &attempt->watch, EPOLLOUT) != ERR_OK) {
        attempt_fail(attempt, DIAL_EXHAUSTED);
    }
}

/* Begins the attempts that are due, and sees to what comes next. */
static void dial_go_on(struct dial *dial)
{
    uint64_t now = loop_now_us(dial->loop);

    while (dial->next < dial->count && (dial->alive == 0 || now >= dial->next_us)) {
        const struct sockaddr_storage *address = &dial->addresses[dial->next];
        struct attempt *attempt = &dial->attempts[dial->next];
        dial->next++;
        if (dial->handler->may(dial->ctx, (const struct sockaddr *)address)) {
            attempt_start(dial, attempt, address);
        } else {
            note(dial, DIAL_DENIED);
        }
        dial->next_us = now + DIAL_STAGGER_US;
    }
    if (dial->alive == 0) {
        loop_task_defer(dial->loop, &dial->task);
        return;
    }
    uint64_t at = dial->next < dial->count ? dial->next_us : UINT64_MAX;
    for (unsigned i = 0; i < dial->next; i++) {
        const struct attempt *attempt = &dial->attempts[i];
        at = attempt->watch.fd >= 0 && attempt->until_us < at ? attempt->until_us : at;
    }
    loop_timer_set(dial->loop, &dial->timer, at > now ? at - now : 0);
}

static void dial_timer(struct loop_timer *timer)
{
    struct dial *dial = CONTAINER_OF(timer, struct dial, timer);
    uint64_t now = loop_now_us(dial->loop);

    CHECK_OBJ(dial, DIAL_MAGIC);
    for (unsigned i = 0; i < dial->next; i++) {
        struct attempt *attempt = &dial->attempts[i];
        if (attempt->watch.fd >= 0 && now >= attempt->until_us) {
            attempt_fail(attempt, DIAL_TIMEOUT);
        }
    }
    dial_go_on(dial);
}

static void dial_task(struct loop_task *task)
{
    struct dial *dial = CONTAINER_OF(task, struct dial, task);

    CHECK_OBJ(dial, DIAL_MAGIC);
    dial->handler->done(dial->ctx, dial->fault);
}

static void dial_copy(struct dial *dial, const struct dial_options *options)
{
    const struct sockaddr_storage *from[2] = {options->from_v4, options->from_v6};

    for (unsigned i = 0; i < 2; i++) {
        dial->has_from[i] = from[i] != NULL;
        if (from[i] != NULL) {
            dial->from[i] = *from[i];
        }
    }
    for (unsigned i = 0; i < dial->count; i++) {
        struct sockaddr_storage *address = &dial->addresses[i];
        *address = options->addresses[i];
        dial->attempts[i].watch.fd = -1;
        address_set_port(address, options->port);
    }
}

struct dial *dial_start(struct loop *loop, const struct dial_options *options,
                        const struct dial_handler *handler, void *ctx)
{
    struct dial *dial = mem_new(sizeof(*dial));

    CHECK(options->count > 0 && options->count <= DIAL_ADDRESSES_MAX);
    dial->magic = DIAL_MAGIC;
    dial->loop = loop;
    dial->handler = handler;
    dial->ctx = ctx;
    dial->timeout_us = options->timeout_us;
    dial->count = options->count;
    loop_timer_init(&dial->timer, dial_timer);
    loop_task_init(&dial->task, dial_task);
    dial_copy(dial, options);
    dial_go_on(dial);
    return dial;
}

int dial_take(struct dial *dial, struct loop_watch *watch, uint32_t events)
{
    struct attempt *attempt = dial->connected;
    int fd = attempt->watch.fd;

    CHECK(fd >= 0);
    watch->fd = fd;
    loop_watch_pass(dial->loop, &attempt->watch, watch, events);
    attempt->watch.fd = -1;
    dial->alive--;
    return fd;
}

void dial_cancel(struct dial **dial_at)
{
    struct dial *dial = *dial_at;

    *dial_at = NULL;
    if (dial == NULL) {
        return;
    }
    for (unsigned i = 0; i < dial->next; i++) {
        attempt_close(&dial->attempts[i]);
    }
    loop_timer_clear(&dial->timer);
    loop_task_clear(&dial->task);
    dial->magic = 0;
    mem_free(dial);
}
