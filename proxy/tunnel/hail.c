/* hail - see hail.h. */
#include "tunnel/hail.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/response.h"

#define HAIL_MAGIC 0x6861696cu
#define FIELDS_MAX 128u

struct hail {
    uint32_t magic;
    struct loop *loop;
    struct loop_watch watch; /* fd -1: taken */
    struct loop_timer timer;
    struct loop_task task; /* says how it ended */
    void (*done)(void *ctx, enum hail_fault fault);
    void *ctx;
    bool is_over;
    enum hail_fault fault;
    unsigned status;
    char *request; /* [sent, request_len) is still to be sent */
    size_t request_len, sent;
    char *head; /* [at, len): not yet read as a head; HAIL_HEAD_BYTES of room */
    size_t at, len;
};

static void finish(struct hail *hail, enum hail_fault fault)
{
    if (hail->is_over) {
        return;
    }
    hail->is_over = true;
    hail->fault = fault;
    loop_timer_clear(&hail->timer);
    loop_watch_change(hail->loop, &hail->watch, EPOLLERR);
    loop_task_defer(hail->loop, &hail->task);
}

static void on_task(struct loop_task *task)
{
    struct hail *hail = CONTAINER_OF(task, struct hail, task);

    CHECK_OBJ(hail, HAIL_MAGIC);
    hail->done(hail->ctx, hail->fault);
}

static void on_timer(struct loop_timer *timer)
{
    finish(CONTAINER_OF(timer, struct hail, timer), HAIL_TIMEOUT);
}

/* ---- the answer ---- */

/* The head at the front of what came. False: more is to come, or it was an interim one. */
static bool head_read(struct hail *hail, size_t *len)
{
    const struct http_limits limits = {.head_bytes = HAIL_HEAD_BYTES, .fields_count = FIELDS_MAX};
    struct http_field items[FIELDS_MAX];
    struct http_response response = {.fields = {.items = items, .capacity = FIELDS_MAX}};
    struct span bytes = hail_early(hail);

    *len = http_response_head_end(bytes, 0);
    if (bytes.len > 0 && !http_response_may_begin(bytes)) {
        finish(hail, HAIL_BAD);
        return true;
    }
    if (*len == 0) {
        return false;
    }
    /* 101: nobody has offered it. */
    if (http_response_parse(&response, span_of(bytes.ptr, *len), &limits) != HTTP_PARSE_DONE ||
        response.status == 101) {
        finish(hail, HAIL_BAD);
        return true;
    }
    hail->at += *len;
    hail->status = response.status;
    if (response.status < 200) {
        return false;
    }
    finish(hail, HAIL_ANSWERED);
    return true;
}

static void answer_read(struct hail *hail)
{
    ssize_t got = recv(hail->watch.fd, hail->head + hail->len, HAIL_HEAD_BYTES - hail->len, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        finish(hail, HAIL_CLOSED);
        return;
    }
    hail->len += (size_t)got;
    size_t interim;
    bool is_read;
    do {
        is_read = head_read(hail, &interim);
    } while (!is_read && interim > 0);
    if (!is_read && hail->len == HAIL_HEAD_BYTES) {
        finish(hail, HAIL_BAD);
    }
}

/* ---- the request ---- */

static void request_send(struct hail *hail)
{
    while (hail->sent < hail->request_len) {
        ssize_t put = send(hail->watch.fd, hail->request + hail->sent,
                           hail->request_len - hail->sent, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0 && errno == EAGAIN) {
            return;
        }
        if (put < 0) {
            finish(hail, HAIL_CLOSED);
            return;
        }
        hail->sent += (size_t)put;
    }
    loop_watch_change(hail->loop, &hail->watch, EPOLLIN);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct hail *hail = CONTAINER_OF(watch, struct hail, watch);

    CHECK_OBJ(hail, HAIL_MAGIC);
    if (hail->is_over) {
        if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
            loop_watch_change(hail->loop, watch, 0); /* whoever takes it will see */
        }
        return;
    }
    if (hail->sent < hail->request_len) {
        request_send(hail);
    }
    if (!hail->is_over && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        answer_read(hail);
    }
}

/* ---- life ---- */

struct hail *hail_start(struct loop *loop, struct dial **dial, const struct hail_options *options,
                        void (*done)(void *ctx, enum hail_fault fault), void *ctx)
{
    struct hail *hail = mem_new(sizeof(*hail));

    hail->magic = HAIL_MAGIC;
    hail->loop = loop;
    hail->done = done;
    hail->ctx = ctx;
    hail->request = mem_copy(options->request.ptr, options->request.len);
    hail->request_len = options->request.len;
    hail->head = mem_new(HAIL_HEAD_BYTES);
    loop_timer_init(&hail->timer, on_timer);
    loop_task_init(&hail->task, on_task);
    hail->watch = (struct loop_watch){.ready = on_ready};
    (void)dial_take(*dial, &hail->watch, EPOLLOUT);
    dial_cancel(dial);
    loop_timer_set(loop, &hail->timer, options->timeout_us);
    if (hail->watch.events == 0) {
        finish(hail, HAIL_EXHAUSTED);
    }
    return hail;
}

unsigned hail_status(const struct hail *hail)
{
    return hail->status;
}

struct span hail_early(const struct hail *hail)
{
    return span_of(hail->head + hail->at, hail->len - hail->at);
}

int hail_take(struct hail *hail, struct loop_watch *watch, uint32_t events)
{
    int fd = hail->watch.fd;

    CHECK(fd >= 0);
    watch->fd = fd;
    loop_watch_remove(hail->loop, &hail->watch);
    hail->watch.fd = -1;
    if (loop_watch_add(hail->loop, watch, events) != ERR_OK) {
        watch->events = 0;
    }
    return fd;
}

void hail_cancel(struct hail **hail_at)
{
    struct hail *hail = *hail_at;

    *hail_at = NULL;
    if (hail == NULL) {
        return;
    }
    if (hail->watch.fd >= 0) {
        loop_watch_forget(hail->loop, &hail->watch);
        (void)close(hail->watch.fd);
    }
    loop_timer_clear(&hail->timer);
    loop_task_clear(&hail->task);
    mem_free(hail->request);
    mem_free(hail->head);
    hail->magic = 0;
    mem_free(hail);
}
