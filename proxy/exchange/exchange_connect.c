/* exchange_connect - CONNECT: see exchange_connect.h. */
#include "exchange/exchange_connect.h"

#include <stdio.h>

#include "exchange/tunnels.h"
#include "fill/fill.h"
#include "site/reach.h"

/* ---- told by the dial ---- */

static bool may_connect(void *ctx, const struct sockaddr *address)
{
    struct exchange_connect *connect = ctx;
    struct exchange *x = connect->x;
    struct access_facts facts = exchange_judge_facts(x);
    struct access_verdict verdict;

    if (reach_allows(&x->arena, x->site, &facts, address, &verdict)) {
        return true;
    }
    if (!connect->is_denied) {
        connect->is_denied = true;
        connect->denied = verdict;
    }
    return false;
}

static void on_tried(void *ctx, const struct sockaddr *address, enum dial_fault fault)
{
    const struct exchange_connect *connect = ctx;
    const struct exchange *x = connect->x;

    if (fault != DIAL_EXHAUSTED) {
        directory_note(x->env->directory, x->forwarding->host, address, fault != DIAL_OK,
                       loop_now_us(x->env->loop));
    }
}

static void on_dialled(void *ctx, enum dial_fault fault)
{
    struct exchange_connect *connect = ctx;
    struct exchange *x = connect->x;

    connect->is_done = true;
    connect->fault = fault;
    x->origin.connect_us = (uint32_t)(loop_now_us(x->env->loop) - connect->begin_us);
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
    x->origin.fault = map[fault].fault;
    x->retry_after_s = fault == DIAL_EXHAUSTED ? 1 : 0;
    return exchange_fail(x, map[fault].status, map[fault].text);
}

static enum exchange_next deny(struct exchange *x)
{
    enum exchange_next next = exchange_deny(x, &x->connecting->denied);
    x->proxy_error = HTTP_PROXY_DESTINATION_IP_PROHIBITED;
    return next;
}

/* Those of the families that `outgoing` leaves to us. */
static void keep_reachable(const struct conf_outgoing *outgoing, struct directory_addresses *found)
{
    bool is_v4_said = outgoing->v4.ss_family != AF_UNSPEC;
    bool is_v6_said = outgoing->v6.ss_family != AF_UNSPEC;
    unsigned kept = 0;

    for (unsigned i = 0; i < found->count && is_v4_said != is_v6_said; i++) {
        if ((found->list[i].ss_family == AF_INET6) == is_v6_said) {
            found->list[kept++] = found->list[i];
        }
    }
    found->count = is_v4_said != is_v6_said ? kept : found->count;
}

/* False: there is no address. */
static bool dial(struct exchange *x, const struct directory_addresses *found)
{
    static const struct dial_handler handler = {
        .may = may_connect, .tried = on_tried, .done = on_dialled};
    const struct conf_outgoing *outgoing = &x->site->forward->outgoing;
    struct exchange_connect *connect = x->connecting;
    const struct dial_options options = {
        .addresses = found->list,
        .count = found->count,
        .port = x->forwarding->port,
        .timeout_us = x->site->conf->origins.timeout.connect_ms * 1000,
        .from_v4 = outgoing->v4.ss_family == AF_UNSPEC ? NULL : &outgoing->v4,
        .from_v6 = outgoing->v6.ss_family == AF_UNSPEC ? NULL : &outgoing->v6,
    };
    _Static_assert(DIRECTORY_ADDRESSES_MAX <= DIAL_ADDRESSES_MAX, "one may have all addresses");

    if (options.count == 0) {
        return false;
    }
    connect->begin_us = loop_now_us(x->env->loop);
    x->origin.tries = 1;
    connect->dial = dial_start(x->env->loop, &options, &handler, connect);
    return true;
}

static void on_names(void *ctx)
{
    struct exchange *x = ctx;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    x->connecting->wait = NULL;
    exchange_drive(x);
}

static enum exchange_next look(struct exchange *x);

/* The addresses that there are did not do: with those of the other family, when DNS has told them. */
static enum exchange_next look_for_all(struct exchange *x)
{
    struct exchange_connect *connect = x->connecting;

    dial_cancel(&connect->dial);
    connect->is_done = false;
    connect->wants_all = true;
    return look(x);
}

/* From the name to an attempt. */
static enum exchange_next look(struct exchange *x)
{
    struct exchange_connect *connect = x->connecting;
    struct directory_addresses found;
    const struct directory_asker asker = {
        .loop = x->env->loop, .wake = on_names, .ctx = x, .wants_all = connect->wants_all};

    switch (
        directory_find(x->env->directory, x->forwarding->host, &found, &asker, &connect->wait)) {
    case DIRECTORY_FOUND:
        keep_reachable(&x->site->forward->outgoing, &found);
        connect->is_partial = found.is_partial;
        if (found.count == 0 && found.is_partial) {
            return look_for_all(x);
        }
        return dial(x, &found) ? EXCHANGE_PARK
                               : exchange_fail_fetch(x, FILL_CODE_FAULT(FETCH_OUTGOING));
    case DIRECTORY_WAIT:
        return EXCHANGE_PARK;
    case DIRECTORY_NONE:
    case DIRECTORY_FAILED:
        break;
    case DIRECTORY_SILENT:
        return exchange_fail_fetch(x, FILL_CODE_NAME_LATE);
    case DIRECTORY_BUSY:
        return exchange_fail_fetch(x, FILL_CODE_NAMES_BUSY);
    }
    return exchange_fail_fetch(x, FILL_CODE_FAULT(FETCH_DNS));
}

static enum exchange_next begin(struct exchange *x)
{
    x->connecting = arena_alloc(&x->arena, sizeof(*x->connecting));
    x->result = RESULT_PASS;
    x->reason = HTTP_REASON_TUNNEL;
    if (x->connecting == NULL) {
        return exchange_fail(x, 500, "no memory");
    }
    *x->connecting = (struct exchange_connect){.x = x};
    return UNLIKELY(x->policy->upstream != 0) ? exchange_parent_begin(x)
                                              : exchange_connect_direct(x);
}

enum exchange_next exchange_connect_direct(struct exchange *x)
{
    (void)snprintf(x->origin.name, sizeof(x->origin.name), "%.*s", (int)x->forwarding->host.len,
                   x->forwarding->host.ptr);
    x->origin.pool = "direct";
    x->origin.has_name = true;
    return look(x);
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
    if (UNLIKELY(x->connecting->parent != NULL)) {
        return exchange_parent(x);
    }
    if (x->connecting->dial == NULL && !x->connecting->is_done) {
        return x->connecting->wait != NULL ? EXCHANGE_PARK : look(x);
    }
    if (!x->connecting->is_done) {
        return EXCHANGE_PARK;
    }
    if (x->connecting->fault != DIAL_OK && x->connecting->fault != DIAL_EXHAUSTED &&
        x->connecting->is_partial) {
        return look_for_all(x);
    }
    if (x->connecting->fault == DIAL_DENIED) {
        return deny(x);
    }
    if (x->connecting->fault == DIAL_OUTGOING) {
        return exchange_fail_fetch(x, FILL_CODE_FAULT(FETCH_OUTGOING));
    }
    if (x->connecting->fault != DIAL_OK) {
        return fail(x, x->connecting->fault);
    }
    const struct tunnels_server server = {.dial = &x->connecting->dial};
    return tunnels_open(x, &server) ? EXCHANGE_END : fail(x, DIAL_EXHAUSTED);
}

void exchange_connect_end(struct exchange *x)
{
    directory_cancel(&x->connecting->wait);
    dial_cancel(&x->connecting->dial);
    if (UNLIKELY(x->connecting->parent != NULL)) {
        exchange_parent_end(x);
    }
}
