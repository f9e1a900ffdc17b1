/*
 * exchange_parent - CONNECT through a parent proxy: a claim on one of the pool, a connection to it,
 * CONNECT said again (hail.h), and its answer. A 2xx makes the tunnel, which keeps the claim until
 * it ends; any other answer is what became of the request, as nobody else knows better. What brings
 * no answer goes to another parent, as the pool's `retry` says: no byte of the client's has gone
 * anywhere by then.
 */
#include <netinet/in.h>
#include <stdio.h>

#include "base/address.h"
#include "base/buf.h"
#include "exchange/exchange_connect.h"
#include "exchange/tunnels.h"
#include "fill/fill.h"
#include "fill/fill_request.h"
#include "origin/figures.h"
#include "site/parent.h"

#define SUBJECT_BYTES 512u

struct exchange_parent {
    enum {
        PARENT_CLAIM,
        PARENT_DIAL,
        PARENT_HAIL
    } stage;
    bool is_told; /* verdict is there */
    bool is_answered;
    enum origin_verdict verdict;
    enum hail_fault fault;
    struct origin_claim claim;
    struct origin_want want;
    struct hail *hail;
    char target[300]; /* "host:port" */
};

/* How a try without an answer ended. */
struct parent_failure {
    enum fetch_fault fault;
    uint32_t kind; /* enum conf_retry_on; 0: no other parent would do better */
};

static enum exchange_next ask(struct exchange *x);

static const struct site_pool *pool_of(const struct exchange *x)
{
    return site_pool(x->site, x->policy);
}

static void let_go(struct exchange *x, const struct origin_outcome *outcome)
{
    struct exchange_parent *parent = x->connecting->parent;

    hail_cancel(&parent->hail);
    origin_claim_end(&parent->claim, outcome, loop_now_us(x->env->loop));
}

/* ---- no parent ---- */

static enum exchange_next otherwise(struct exchange *x, uint32_t code)
{
    const struct site_upstream *upstream = site_upstream(x->site, x->policy);

    let_go(x, NULL);
    if (!upstream->conf->else_direct) {
        return exchange_fail_fetch(x, code);
    }
    parent_log_bypass(x->site, upstream);
    x->connecting->parent = NULL;
    x->connecting->is_done = false;
    return exchange_connect_direct(x);
}

static bool may_try_again(struct exchange *x, const struct parent_failure *failure)
{
    struct exchange_parent *parent = x->connecting->parent;
    const struct conf_origins *conf = pool_of(x)->conf;
    const struct conf_retry retry = conf_retry_of(conf);
    bool is_alone = retry.is_auto && conf->server_count == 1;

    return (failure->kind & retry.on) != 0 && !is_alone && parent->want.tried_count < retry.count &&
           parent->want.tried_count < ORIGIN_TRIES_MAX &&
           origin_retry_take(parent->claim.pool, retry.budget,
                             failure->fault == FETCH_CONNECT_REFUSED, loop_now_us(x->env->loop));
}

static enum exchange_next failed(struct exchange *x, const struct parent_failure *failure)
{
    struct exchange_parent *parent = x->connecting->parent;
    const struct origin_outcome outcome = {.is_known = failure->fault != FETCH_INTERNAL,
                                           .fault = failure->fault};
    const char *pool = pool_of(x)->conf->name;
    const char *error = origin_fault_name(failure->fault);
    char subject[SUBJECT_BYTES];

    (void)snprintf(subject, sizeof(subject), "%s/%s %s", pool, x->origin.name, error);
    log_warn_about(subject, "origin_fault", "site=%s origin=%s/%s error=%s connect=%s",
                   x->site->name.ptr, pool, x->origin.name, error, parent->target);
    bool is_again = may_try_again(x, failure);
    if (is_again) {
        parent->want.tried[parent->want.tried_count++] = origin_server_state(parent->claim.server);
    }
    let_go(x, &outcome);
    return is_again ? ask(x) : otherwise(x, FILL_CODE_FAULT(failure->fault));
}

/* ---- its answer ---- */

static enum exchange_next refused(struct exchange *x, unsigned status)
{
    const struct origin_outcome outcome = {
        .is_known = true, .status = status, .is_relayed = true, .head_seen = true};

    x->origin.status = (uint16_t)status;
    x->reason = HTTP_REASON_ORIGIN_ERROR;
    if (status == 407) {
        parent_log_login(x->site, site_upstream(x->site, x->policy), x->origin.name, status);
        let_go(x, &outcome);
        return exchange_fail_fetch(x, FILL_CODE_LOGIN);
    }
    let_go(x, &outcome);
    struct span text =
        arena_printf(&x->arena, "the parent proxy opened no tunnel: it answered %u%c", status, 0);
    unsigned own = 502;
    x->proxy_error = HTTP_PROXY_DESTINATION_UNAVAILABLE;
    switch (status) {
    case 403:
        own = 403;
        x->proxy_error = HTTP_PROXY_HTTP_REQUEST_DENIED;
        break;
    case 429:
    case 503:
        own = 503;
        x->retry_after_s = 1;
        break;
    case 504:
        own = 504;
        x->proxy_error = HTTP_PROXY_CONNECTION_TIMEOUT;
        break;
    case 508:
        own = 508;
        x->proxy_error = HTTP_PROXY_LOOP_DETECTED;
        break;
    default:
        break;
    }
    return exchange_fail(x, own, text.ptr == NULL ? "the parent proxy opened no tunnel" : text.ptr);
}

static enum exchange_next answered(struct exchange *x)
{
    static const struct parent_failure map[] = {
        [HAIL_ANSWERED] = {FETCH_OK, 0},
        [HAIL_CLOSED] = {FETCH_CLOSED, CONF_RETRY_RESET},
        [HAIL_BAD] = {FETCH_BAD_RESPONSE, CONF_RETRY_RESET},
        [HAIL_TIMEOUT] = {FETCH_FIRST_BYTE_TIMEOUT, CONF_RETRY_TIMEOUT},
        [HAIL_EXHAUSTED] = {FETCH_INTERNAL, 0},
    };
    struct exchange_parent *parent = x->connecting->parent;

    if (parent->fault != HAIL_ANSWERED) {
        return failed(x, &map[parent->fault]);
    }
    unsigned status = hail_status(parent->hail);
    if (status >= 300) {
        return refused(x, status);
    }
    x->origin.status = (uint16_t)status;
    origin_claim_answered(&parent->claim, 200, loop_now_us(x->env->loop));
    const struct tunnels_server server = {.hail = &parent->hail, .claim = &parent->claim};
    /* What is left of the hail goes with x. */
    return tunnels_open(x, &server) ? EXCHANGE_END : exchange_fail(x, 503, "no memory");
}

static void on_answer(void *ctx, enum hail_fault fault)
{
    struct exchange *x = ctx;
    struct exchange_parent *parent = x->connecting->parent;

    parent->is_answered = true;
    parent->fault = fault;
    exchange_drive(x);
}

/* ---- what it is asked ---- */

static void put_line(struct buf *out, struct span line)
{
    buf_append(out, line);
    buf_puts(out, "\r\n");
}

static void put_via(struct buf *out, const struct exchange *x)
{
    const struct http_field *field;
    unsigned at = 0;

    while ((field = http_fields_next(&x->stream->request->fields, HTTP_FIELD_VIA, &at)) != NULL) {
        buf_puts(out, "Via: ");
        put_line(out, field->value);
    }
    buf_puts(out, "Via: 1.1 ");
    put_line(out, x->site->via_own);
}

static enum exchange_next hail(struct exchange *x)
{
    struct exchange_parent *parent = x->connecting->parent;
    struct span lines[PARENT_LINES];
    struct buf head;

    buf_init(&head, HAIL_HEAD_BYTES);
    buf_printf(&head, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", parent->target, parent->target);
    unsigned count =
        parent_lines(&x->arena, x->site, x->policy, &x->stream->request->fields, lines);
    for (unsigned i = 0; i < count; i++) {
        put_line(&head, lines[i]);
    }
    if (parent_hears_via(x->site)) {
        put_via(&head, x);
    }
    buf_puts(&head, "\r\n");
    if (head.failed || x->arena.overflow) {
        buf_free(&head);
        let_go(x, NULL);
        return exchange_fail(x, 431, "the request's head is too large");
    }
    const struct hail_options options = {
        .request = buf_span(&head),
        .timeout_us = pool_of(x)->conf->timeout.first_byte_ms * 1000,
    };
    parent->stage = PARENT_HAIL;
    parent->is_answered = false;
    parent->hail = hail_start(x->env->loop, &x->connecting->dial, &options, on_answer, x);
    buf_free(&head);
    return EXCHANGE_PARK;
}

/* ---- the way there ---- */

static bool may_connect(void *ctx, const struct sockaddr *address)
{
    (void)ctx;
    (void)address;
    return true; /* the operator named it */
}

static void on_dialled(void *ctx, enum dial_fault fault)
{
    struct exchange *x = ctx;

    x->connecting->is_done = true;
    x->connecting->fault = fault;
    x->origin.connect_us = (uint32_t)(loop_now_us(x->env->loop) - x->connecting->begin_us);
    exchange_drive(x);
}

static enum exchange_next dial(struct exchange *x)
{
    static const struct dial_handler handler = {.may = may_connect, .done = on_dialled};
    struct exchange_parent *parent = x->connecting->parent;
    const struct fetch_origin *server = origin_server_fetch(parent->claim.server);
    struct sockaddr_storage address;

    (void)snprintf(x->origin.name, sizeof(x->origin.name), "%s",
                   origin_server_name(parent->claim.server));
    x->origin.pool = pool_of(x)->conf->name;
    x->origin.has_name = true;
    x->origin.tries = (uint8_t)(parent->want.tried_count + 1);
    if (!address_parse(parent->claim.address[0] != '\0' ? parent->claim.address : server->host,
                       &address)) {
        return failed(x, &(struct parent_failure){FETCH_DNS, CONF_RETRY_CONNECT});
    }
    const struct dial_options options = {
        .addresses = &address,
        .count = 1,
        .port = (uint16_t)server->port,
        .timeout_us = server->connect_timeout_us,
    };
    parent->stage = PARENT_DIAL;
    x->connecting->is_done = false;
    x->connecting->begin_us = loop_now_us(x->env->loop);
    x->connecting->dial = dial_start(x->env->loop, &options, &handler, x);
    return EXCHANGE_PARK;
}

static enum exchange_next dialled(struct exchange *x)
{
    static const struct parent_failure map[] = {
        [DIAL_OK] = {FETCH_OK, 0},
        [DIAL_DENIED] = {FETCH_INTERNAL, 0},
        [DIAL_REFUSED] = {FETCH_CONNECT_REFUSED, CONF_RETRY_CONNECT},
        [DIAL_TIMEOUT] = {FETCH_CONNECT_TIMEOUT, CONF_RETRY_CONNECT},
        [DIAL_UNREACHABLE] = {FETCH_CONNECT_REFUSED, CONF_RETRY_CONNECT},
        [DIAL_EXHAUSTED] = {FETCH_INTERNAL, 0},
    };

    if (x->connecting->fault == DIAL_OK) {
        return hail(x);
    }
    dial_cancel(&x->connecting->dial);
    return failed(x, &map[x->connecting->fault]);
}

/* ---- which one ---- */

static void on_verdict(void *ctx, enum origin_verdict verdict)
{
    struct exchange *x = ctx;

    x->connecting->parent->is_told = true;
    x->connecting->parent->verdict = verdict;
    exchange_drive(x);
}

static enum exchange_next chosen(struct exchange *x, enum origin_verdict verdict)
{
    switch (verdict) {
    case ORIGIN_GRANTED:
        return dial(x);
    case ORIGIN_WAITING:
        return EXCHANGE_PARK;
    case ORIGIN_DOWN:
        return otherwise(x, FILL_CODE_DOWN);
    case ORIGIN_UNKNOWN:
        return otherwise(x, FILL_CODE_NAMELESS);
    case ORIGIN_FULL:
        return otherwise(x, FILL_CODE_FULL);
    case ORIGIN_LATE:
        return otherwise(x, FILL_CODE_LATE);
    }
    CHECK(false);
    return EXCHANGE_PARK;
}

static enum exchange_next ask(struct exchange *x)
{
    struct exchange_parent *parent = x->connecting->parent;
    const struct site_pool *pool = pool_of(x);

    parent->stage = PARENT_CLAIM;
    parent->is_told = false;
    fill_want(&parent->want, pool->conf, &x->stream->request->fields, span_str(parent->target),
              x->client.text);
    return chosen(x, origin_claim_begin(&parent->claim, pool->pool, &parent->want, x->env->loop,
                                        on_verdict, x));
}

enum exchange_next exchange_parent_begin(struct exchange *x)
{
    const struct exchange_forward *forward = x->forwarding;
    struct exchange_parent *parent = arena_alloc(&x->arena, sizeof(*parent));
    bool is_v6 = memchr(forward->host.ptr, ':', forward->host.len) != NULL;

    if (parent == NULL || forward->host.len > 255) {
        return exchange_fail(x, 500, "no memory");
    }
    *parent = (struct exchange_parent){.stage = PARENT_CLAIM};
    (void)snprintf(parent->target, sizeof(parent->target), is_v6 ? "[%.*s]:%u" : "%.*s:%u",
                   (int)forward->host.len, forward->host.ptr, (unsigned)forward->port);
    x->connecting->parent = parent;
    return ask(x);
}

enum exchange_next exchange_parent(struct exchange *x)
{
    struct exchange_parent *parent = x->connecting->parent;

    switch (parent->stage) {
    case PARENT_CLAIM:
        return parent->is_told ? chosen(x, parent->verdict) : EXCHANGE_PARK;
    case PARENT_DIAL:
        return x->connecting->is_done ? dialled(x) : EXCHANGE_PARK;
    case PARENT_HAIL:
        return parent->is_answered ? answered(x) : EXCHANGE_PARK;
    }
    CHECK(false);
    return EXCHANGE_PARK;
}

void exchange_parent_end(struct exchange *x)
{
    let_go(x, NULL);
}
