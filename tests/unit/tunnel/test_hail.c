/* CONNECT to a proxy: what is sent, and what each answer, whole or in two pieces, is taken for. */
#include "kit.h"
#include "tunnel/hail.h"

#define REQUEST "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"

struct caller {
    struct loop *loop;
    struct dial *dial;
    struct hail *hail;
    struct loop_timer stop;
    unsigned done;
    enum hail_fault fault;
};

static void on_answer(void *ctx, enum hail_fault fault)
{
    struct caller *caller = ctx;

    caller->done++;
    caller->fault = fault;
    loop_stop(caller->loop);
}

static bool may(void *ctx, const struct sockaddr *address)
{
    (void)ctx;
    (void)address;
    return true;
}

static void on_dialled(void *ctx, enum dial_fault fault)
{
    struct caller *caller = ctx;
    const struct hail_options options = {.request = SPAN(REQUEST), .timeout_us = 300000};

    assert_int_equal(fault, DIAL_OK);
    caller->hail = hail_start(caller->loop, &caller->dial, &options, on_answer, caller);
    assert_null(caller->dial);
    loop_stop(caller->loop);
}

static void on_stop(struct loop_timer *timer)
{
    loop_stop(CONTAINER_OF(timer, struct caller, stop)->loop);
}

/* For a moment, or until something has happened. */
static void run(struct caller *caller, uint64_t us)
{
    loop_timer_set(caller->loop, &caller->stop, us);
    loop_run(caller->loop);
    loop_timer_clear(&caller->stop);
}

/* A hail is under way; returns the proxy's side, which has got the request. */
static int begin(struct caller *caller)
{
    static const struct dial_handler handler = {.may = may, .done = on_dialled};
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct sockaddr_storage to = {0};
    socklen_t len = sizeof(address);
    char got[sizeof(REQUEST)] = "";
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    memcpy(&to, &address, sizeof(address));
    *caller = (struct caller){.loop = loop_new()};
    loop_timer_init(&caller->stop, on_stop);
    const struct dial_options options = {
        .addresses = &to, .count = 1, .port = ntohs(address.sin_port), .timeout_us = 1000000};
    caller->dial = dial_start(caller->loop, &options, &handler, caller);
    loop_run(caller->loop);
    run(caller, 1000);
    int peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    assert_int_equal(recv(peer, got, sizeof(got), 0), (ssize_t)strlen(REQUEST));
    assert_string_equal(got, REQUEST);
    assert_int_equal(close(listener), 0);
    return peer;
}

static void end(struct caller *caller, int peer)
{
    hail_cancel(&caller->hail);
    assert_null(caller->hail);
    loop_free(&caller->loop);
    if (peer >= 0) {
        assert_int_equal(close(peer), 0);
    }
}

static const struct {
    const char *answer;
    bool closes;
    enum hail_fault fault;
    unsigned status;
    const char *early;
} cases[] = {
    {"HTTP/1.1 200 OK\r\n\r\n", false, HAIL_ANSWERED, 200, ""},
    {"HTTP/1.0 200 Connection established\r\nA: b\r\n\r\nearly\r\n\r\n", false, HAIL_ANSWERED, 200,
     "early\r\n\r\n"},
    {"HTTP/1.1 200 OK\n\nx", false, HAIL_ANSWERED, 200, "x"},
    {"HTTP/1.1 299 \r\n\r\n", true, HAIL_ANSWERED, 299, ""},
    {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 H\r\nL: x\r\n\r\nHTTP/1.1 200 K\r\n\r\nzz", false,
     HAIL_ANSWERED, 200, "zz"},
    {"HTTP/1.1 407 No\r\nContent-Length: 3\r\n\r\nabc", true, HAIL_ANSWERED, 407, "abc"},
    /* RFC 9110 9.3.6: framing of a 2xx means nothing. */
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", false, HAIL_ANSWERED, 200, "ab"},
    {"", true, HAIL_CLOSED, 0, NULL},
    {"HTTP/1.1 200 OK\r\nA: b\r\n", true, HAIL_CLOSED, 0, NULL},
    {"HTTP/1.1 103 H\r\n\r\n", true, HAIL_CLOSED, 0, NULL},
    {"HTTP/1.1 200 OK\r\n", false, HAIL_TIMEOUT, 0, NULL},
    {"HTTP/2 200\r\n\r\n", false, HAIL_BAD, 0, NULL},
    {"SSH-2.0-x\r\n", false, HAIL_BAD, 0, NULL},
    {"\r\nHTTP/1.1 200 OK\r\n\r\n", false, HAIL_BAD, 0, NULL},
    {"HTTP/1.1 101 Up\r\n\r\n", false, HAIL_BAD, 0, NULL},
    {"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", false, HAIL_BAD, 0, NULL},
    {"HTTP/1.1 600 OK\r\n\r\n", false, HAIL_BAD, 0, NULL},
};

static void check(size_t i, bool is_split)
{
    struct caller caller;
    int peer = begin(&caller);
    size_t len = strlen(cases[i].answer);
    size_t first = is_split ? len / 2 : len;

    assert_int_equal(send(peer, cases[i].answer, first, MSG_NOSIGNAL), (ssize_t)first);
    if (is_split) {
        run(&caller, 20000);
        (void)send(peer, cases[i].answer + first, len - first, MSG_NOSIGNAL);
    }
    if (cases[i].closes) {
        assert_int_equal(shutdown(peer, SHUT_WR), 0);
    }
    for (unsigned turn = 0; turn < 100 && caller.done == 0; turn++) {
        run(&caller, 20000);
    }
    if (caller.done != 1 || caller.fault != cases[i].fault) {
        fail_msg("case %zu: fault %d", i, (int)caller.fault);
    }
    if (cases[i].fault == HAIL_ANSWERED) {
        assert_int_equal(hail_status(caller.hail), cases[i].status);
        struct span early = hail_early(caller.hail);
        size_t wanted = strlen(cases[i].early);
        /* What comes after the head is there, or still to be read. */
        assert_true(early.len <= wanted && memcmp(early.ptr, cases[i].early, early.len) == 0);
        assert_true(is_split || early.len == wanted);
    }
    end(&caller, peer);
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check(i, false);
        check(i, true);
    }
}

static void test_heads_are_bounded(void **state)
{
    (void)state;
    static const char *const starts[] = {"HTTP/1.1 200 OK\r\nX: ", ""};
    static const char *const rests[] = {"yyyyyyyyyyyyyyyy", "HTTP/1.1 103 x\r\n\r\n"};

    for (unsigned i = 0; i < ARRAY_LEN(starts); i++) {
        struct caller caller;
        int peer = begin(&caller);
        (void)send(peer, starts[i], strlen(starts[i]), MSG_NOSIGNAL);
        for (size_t sent = 0; sent <= HAIL_HEAD_BYTES; sent += strlen(rests[i])) {
            (void)send(peer, rests[i], strlen(rests[i]), MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        for (unsigned turn = 0; turn < 100 && caller.done == 0; turn++) {
            run(&caller, 20000);
        }
        assert_int_equal(caller.done, 1);
        assert_int_equal(caller.fault, HAIL_BAD);
        end(&caller, peer);
    }
}

/* Its descriptor goes on under another watch, with what was not read. */
static void test_take(void **state)
{
    (void)state;
    struct caller caller;
    struct loop_watch watch = {.ready = NULL};
    char got[8] = "";
    int peer = begin(&caller);

    (void)send(peer, "HTTP/1.1 200 OK\r\n\r\n", 19, MSG_NOSIGNAL);
    while (caller.done == 0) {
        run(&caller, 20000);
    }
    (void)send(peer, "more", 4, MSG_NOSIGNAL);
    int fd = hail_take(caller.hail, &watch, tunnel_events());
    assert_int_equal(fd, watch.fd);
    assert_int_not_equal(watch.events, 0);
    hail_cancel(&caller.hail);
    assert_int_equal(recv(fd, got, sizeof(got), 0), 4);
    assert_string_equal(got, "more");
    loop_watch_remove(caller.loop, &watch);
    assert_int_equal(close(fd), 0);
    end(&caller, peer);
}

static void test_cancel(void **state)
{
    (void)state;
    struct caller caller;
    char byte;
    int peer = begin(&caller);

    hail_cancel(&caller.hail);
    hail_cancel(&caller.hail);
    assert_int_equal(recv(peer, &byte, 1, 0), 0);
    assert_int_equal(caller.done, 0);
    end(&caller, peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_heads_are_bounded),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
