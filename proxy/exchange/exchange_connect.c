/* exchange_connect - CONNECT: see exchange_connect.h. */
#include "exchange/exchange_connect.h"

#include <arpa/inet.h>

#include "exchange/tunnels.h"

#define HOST_BYTES 256u

/* ---- told by the dial ---- */

static bool may_connect(void *ctx, const struct sockaddr *address)
{
    struct exchange_connect *connect = ctx;
    struct exchange *x = connect->x;
    struct access_facts facts = exchange_judge_facts(x);
    struct access_verdict verdict;

    facts.address = address;
    access_judge(x->site->access, &facts, &verdict);
    if (verdict.answer == ACCESS_ALLOW) {
        return true;
    }
    connect->is_denied = true;
    connect->denied = verdict;
    return false;
}

static void on_dialled(void *ctx, enum dial_fault fault)
{
    struct exchange_connect *connect = ctx;
    struct exchange *x = connect->x;

    connect->is_done = true;
    connect->fault = fault;
    x->connect_us = (uint32_t)(loop_now_us(x->env->loop) - connect->begin_us);
    exchange_drive(x);
}

/* ---- the step ---- */

static enum exchange_next fail(struct exchange *x, enum dial_fault fault)
{
    static const struct {
        uint16_t status;
        uint8_t error; /* enum http_proxy_error */
        uint8_t fault; /* enum fetch_fault */
        const char *text;
    } map[] = {
        [DIAL_OK] = {502, HTTP_PROXY_INTERNAL_ERROR, FETCH_INTERNAL, "no tunnel could be opened"},
        [DIAL_REFUSED] = {502, HTTP_PROXY_CONNECTION_REFUSED, FETCH_CONNECT_REFUSED,
                          "the server refuses connections"},
        [DIAL_TIMEOUT] = {504, HTTP_PROXY_CONNECTION_TIMEOUT, FETCH_CONNECT_TIMEOUT,
                          "the server could not be reached in time"},
        [DIAL_UNREACHABLE] = {502, HTTP_PROXY_DESTINATION_IP_UNROUTABLE, FETCH_CONNECT_REFUSED,
                              "there is no way to the server"},
        [DIAL_EXHAUSTED] = {503, HTTP_PROXY_CONNECTION_LIMIT_REACHED, FETCH_INTERNAL,
                            "this proxy has no connection left"},
    };
    x->reason = HTTP_REASON_ORIGIN_ERROR;
    x->proxy_error = (enum http_proxy_error)map[fault].error;
    x->origin_fault = map[fault].fault;
    x->retry_after_s = fault == DIAL_EXHAUSTED ? 1 : 0;
    return exchange_fail(x, map[fault].status, map[fault].text);
}

static enum exchange_next deny(struct exchange *x)
{
    enum exchange_next next = exchange_deny(x, &x->connecting->denied);
    x->proxy_error = HTTP_PROXY_DESTINATION_IP_PROHIBITED;
    return next;
}

static bool literal(struct span host, struct sockaddr_storage *out)
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_in *four = (void *)out;
    struct sockaddr_in6 *six = (void *)out;

    if (host.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    *out = (struct sockaddr_storage){.ss_family = AF_INET};
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        return true;
    }
    out->ss_family = AF_INET6;
    return inet_pton(AF_INET6, text, &six->sin6_addr) == 1;
}

static enum exchange_next dial(struct exchange *x, const struct sockaddr_storage *addresses,
                               unsigned count)
{
    static const struct dial_handler handler = {.may = may_connect, .done = on_dialled};
    const struct dial_options options = {
        .addresses = addresses,
        .count = count,
        .port = x->forwarding->port,
        .timeout_us = x->site->conf->origins.timeout.connect_ms * 1000,
    };
    x->origin_tries = 1;
    x->connecting->dial = dial_start(x->env->loop, &options, &handler, x->connecting);
    return EXCHANGE_PARK;
}

static enum exchange_next begin(struct exchange *x)
{
    struct exchange_connect *connect = arena_alloc(&x->arena, sizeof(*connect));
    struct sockaddr_storage address;

    x->result = RESULT_PASS;
    x->reason = HTTP_REASON_TUNNEL;
    if (connect == NULL) {
        return exchange_fail(x, 500, "no memory");
    }
    *connect = (struct exchange_connect){.x = x, .begin_us = loop_now_us(x->env->loop)};
    x->connecting = connect;
    if (!literal(x->forwarding->host, &address)) {
        x->proxy_error = HTTP_PROXY_DNS_ERROR;
        x->reason = HTTP_REASON_ORIGIN_ERROR;
        return exchange_fail(x, 502, "the name could not be resolved");
    }
    return dial(x, &address, 1);
}

enum exchange_next exchange_connect(struct exchange *x)
{
    enum exchange_next refused;

    if (!stream_can_be_taken(x->stream)) {
        return exchange_fail(x, 501, "no tunnels by this kind of connection");
    }
    if (x->connecting == NULL) {
        if (UNLIKELY(x->site->guards.is_used) && !exchange_guard_origin(x, &refused)) {
            return refused;
        }
        return begin(x);
    }
    if (!x->connecting->is_done) {
        return EXCHANGE_PARK;
    }
    if (x->connecting->fault == DIAL_DENIED) {
        return deny(x);
    }
    if (x->connecting->fault != DIAL_OK) {
        return fail(x, x->connecting->fault);
    }
    return tunnels_open(x, &x->connecting->dial) ? EXCHANGE_END : fail(x, DIAL_EXHAUSTED);
}

void exchange_connect_end(struct exchange *x)
{
    dial_cancel(&x->connecting->dial);
}
