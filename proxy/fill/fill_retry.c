/*
 * fill_retry - a request that failed is sent again, to another server if there is one: when none of
 * it can have been acted on, or when doing it twice is doing it once (RFC 9110 9.2.2). Nobody but
 * the fill sees the tries before the last. What the pool's servers take in all is bounded by its
 * budget, what the client waits for by the total time.
 *
 * A response whose status is one to retry on is dropped only for a server that is to be had at once:
 * otherwise it is the answer.
 */
#include <stdio.h>

#include "fill/fill_private.h"
#include "origin/figures.h"

#define SUBJECT_BYTES 512u /* of a line about a fault: which server, and how */

static const struct conf_origins *conf_of(const struct fill *fill)
{
    return site_pool(fill->site, &fill->policy)->conf;
}

/* ---- time ---- */

static uint64_t total_us(const struct fill *fill)
{
    return fill->policy.timeout.total_us != 0 ? fill->policy.timeout.total_us
                                              : conf_of(fill)->timeout.total_ms * 1000;
}

uint64_t fill_time_left_us(const struct fill *fill)
{
    uint64_t total = total_us(fill);
    uint64_t spent = loop_now_us(fill->env->loop) - fill->begun_us;

    if (total == 0) {
        return UINT64_MAX;
    }
    return spent < total ? total - spent : 0;
}

struct fetch_patience fill_patience(const struct fill *fill)
{
    struct fetch_patience patience = {
        .first_byte_us = fill->policy.timeout.first_byte_us,
        .idle_us = fill->policy.timeout.idle_us,
        .total_us = total_us(fill),
    };

    if (patience.total_us != 0) {
        /* A fetch counts from its own start. */
        uint64_t before = fill->asked_us - fill->begun_us;
        patience.total_us = before < patience.total_us ? patience.total_us - before : 1;
    }
    return patience;
}

/* ---- may it be ---- */

uint32_t fill_retry_kind(const struct fetch_result *result)
{
    switch (result->fault) {
    case FETCH_DNS:
    case FETCH_CONNECT_REFUSED:
    case FETCH_CONNECT_TIMEOUT:
    case FETCH_TLS_CERTIFICATE:
    case FETCH_TLS:
        return CONF_RETRY_CONNECT;
    case FETCH_FIRST_BYTE_TIMEOUT:
        return CONF_RETRY_TIMEOUT;
    case FETCH_CLOSED:
    case FETCH_BAD_RESPONSE:
        return result->request_sent ? CONF_RETRY_RESET : CONF_RETRY_CONNECT;
    case FETCH_OK:
    case FETCH_IDLE_TIMEOUT:
    case FETCH_TOTAL_TIMEOUT:
    case FETCH_INCOMPLETE:
    case FETCH_BODY_BAD:
    case FETCH_OUTGOING:
    case FETCH_INTERNAL:
        break;
    }
    return 0;
}

static bool is_repeatable(const struct conf_retry *retry, enum http_method method)
{
    switch (method) {
    case HTTP_GET:
        return (retry->methods & CONF_RETRY_GET) != 0;
    case HTTP_HEAD:
        return (retry->methods & CONF_RETRY_HEAD) != 0;
    case HTTP_OPTIONS:
        return (retry->methods & CONF_RETRY_OPTIONS) != 0;
    case HTTP_TRACE:
        return (retry->methods & CONF_RETRY_TRACE) != 0;
    case HTTP_PUT:
        return (retry->methods & CONF_RETRY_PUT) != 0;
    case HTTP_DELETE:
        return (retry->methods & CONF_RETRY_DELETE) != 0;
    case HTTP_OTHER:
    case HTTP_POST:
    case HTTP_CONNECT:
    case HTTP_PATCH:
    case HTTP_PURGE:
        break;
    }
    return false;
}

static bool offers_upgrade(const struct fill *fill)
{
    return fill->owner != NULL && fill->upgrade.ptr != NULL;
}

bool fill_may_repeat(const struct fill *fill, const struct conf_retry *retry, bool is_sent)
{
    if (fill->head_done || fill->interim_sent || fill->body_taken || fill_time_left_us(fill) == 0) {
        return false;
    }
    if (fill->owner == NULL && fill->lead != NULL && store_lead_is_abandoned(fill->lead)) {
        return false; /* nobody waits any more */
    }
    return !is_sent || (is_repeatable(retry, fill->request->method) && !offers_upgrade(fill));
}

static bool may_repeat(const struct fill *fill, const struct conf_retry *retry, bool is_sent)
{
    return fill->want.tried_count < retry->count && fill->want.tried_count < ORIGIN_TRIES_MAX &&
           fill_may_repeat(fill, retry, is_sent);
}

/* Does the budget allow it? */
static bool take(const struct fill *fill, const struct conf_retry *retry, bool is_free)
{
    return origin_retry_take(fill->claim.pool, retry->budget, is_free,
                             loop_now_us(fill->env->loop));
}

static void note_tried(struct fill *fill)
{
    fill->want.tried[fill->want.tried_count++] = origin_server_state(fill->claim.server);
}

/* ---- after a failure ---- */

/* "POOL/SERVER", or of what a forward proxy's client named "direct/HOST". */
void fill_log_fault(const struct fill *fill, const struct fetch_result *result)
{
    char path[160] = "-";
    char subject[SUBJECT_BYTES];
    const char *pool = fill->claim.pool == NULL ? "direct" : origin_pool_name(fill->claim.pool);
    const char *error = origin_fault_name(result->fault);
    if (fill->request != NULL) {
        log_escape(path, sizeof(path), redact_query(&fill->site->redaction, fill->request->path));
    }
    const struct fetch_origin *origin = fill->origin;
    (void)snprintf(subject, sizeof(subject), "%s/%s %s", pool, origin->name, error);
    log_warn_about(subject, "origin_fault",
                   "site=%s origin=%s/%s server=%s:%u error=%s path=\"%s\" detail=\"%s\"",
                   fill->site->name.ptr, pool, origin->name, origin->host, origin->port, error,
                   path, result->detail);
}

static bool retry_in_pool(struct fill *fill, const struct fetch_result *result)
{
    const struct conf_retry retry = conf_retry_of(conf_of(fill));
    bool is_lone_auto = retry.is_auto && conf_of(fill)->server_count == 1;

    if ((fill_retry_kind(result) & retry.on) == 0 ||
        !may_repeat(fill, &retry, result->request_sent)) {
        return false;
    }
    if (is_lone_auto && result->fault != FETCH_CLOSED) {
        return false; /* the same would happen again */
    }
    /* Where nobody listens, nobody is asked twice. */
    bool is_free = !result->request_sent &&
                   (result->fault == FETCH_CONNECT_REFUSED || result->fault == FETCH_DNS);
    if (!take(fill, &retry, is_free)) {
        return false;
    }
    fill_log_fault(fill, result);
    note_tried(fill);
    fill->last_code = FILL_CODE_FAULT(result->fault);
    fill_let_go(fill, result);
    fill_ask(fill);
    return true;
}

/* No parent was to be had: the server itself, where that is allowed. */
static bool retry_without_parent(struct fill *fill, const struct fetch_result *result)
{
    const struct conf_retry retry = conf_retry_of(conf_of(fill));

    if ((fill_retry_kind(result) & (CONF_RETRY_CONNECT | CONF_RETRY_RESET)) == 0 ||
        !site_upstream(fill->site, &fill->policy)->conf->else_direct ||
        !fill_may_repeat(fill, &retry, result->request_sent)) {
        return false;
    }
    fill_log_fault(fill, result);
    fill_let_go(fill, result);
    return fill_parent_instead(fill);
}

bool fill_retry(struct fill *fill, const struct fetch_result *result)
{
    if (UNLIKELY(fill->direct != NULL)) {
        return fill_direct_retry(fill, result);
    }
    return retry_in_pool(fill, result) ||
           (UNLIKELY(fill->policy.upstream != 0) && retry_without_parent(fill, result));
}

/* ---- after a response with such a status ---- */

static bool is_listed(const struct conf_retry *retry, unsigned status)
{
    for (uint32_t i = 0; i < retry->status_count; i++) {
        if (retry->statuses[i] == status) {
            return true;
        }
    }
    return false;
}

/* Has another server of the pool at once? */
static bool claim_another(struct fill *fill, const struct conf_retry *retry)
{
    if (!may_repeat(fill, retry, true)) {
        return false;
    }
    note_tried(fill);
    struct origin_want want = fill->want;
    want.at_once = true;
    if (origin_claim_begin(&fill->next, fill->claim.pool, &want, fill->env->loop, NULL, NULL) !=
            ORIGIN_GRANTED ||
        !take(fill, retry, false)) {
        origin_claim_end(&fill->next, NULL, loop_now_us(fill->env->loop));
        fill->want.tried_count--;
        return false;
    }
    return true;
}

bool fill_retry_status(struct fill *fill, unsigned status)
{
    const struct conf_retry *retry = &conf_of(fill)->retry;

    if (LIKELY(!is_listed(retry, status)) ||
        !(fill->direct != NULL ? fill_direct_retry_status(fill, retry)
                               : claim_another(fill, retry))) {
        return false;
    }
    fill->dropped_status = status;
    fill->fetch = NULL; /* the caller cancels it */
    loop_task_defer(fill->env->loop, &fill->task);
    return true;
}

void fill_retry_next(struct fill *fill)
{
    const struct origin_outcome outcome = {
        .is_known = true, .status = fill->dropped_status, .head_seen = true};

    fill->dropped_status = 0;
    if (UNLIKELY(fill->direct != NULL)) {
        fill_direct_retry_next(fill);
        return;
    }
    origin_claim_end(&fill->claim, &outcome, loop_now_us(fill->env->loop));
    fill->claim = fill->next; /* it does not wait: nothing points to it */
    fill->next = (struct origin_claim){0};
    fill_go_on(fill, ORIGIN_GRANTED);
}
