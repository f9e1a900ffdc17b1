/*
 * exchange_stale - what a client gets when the origin fails: a stale copy, where that is allowed
 * (RFC 9111 4.2.4, RFC 5861 section 4), or an error page.
 */
#include "exchange/exchange_forward.h"
#include "fill/fill.h"
#include "fill/rearm.h"

/* Refused, timed out, disconnected, not believed to be itself: not one that answers nonsense. */
static bool is_unreachable(uint32_t code)
{
    switch (code) {
    case FILL_CODE_FAULT(FETCH_DNS):
    case FILL_CODE_FAULT(FETCH_CONNECT_REFUSED):
    case FILL_CODE_FAULT(FETCH_CONNECT_TIMEOUT):
    case FILL_CODE_FAULT(FETCH_TLS_CERTIFICATE):
    case FILL_CODE_FAULT(FETCH_TLS):
    case FILL_CODE_FAULT(FETCH_FIRST_BYTE_TIMEOUT):
    case FILL_CODE_FAULT(FETCH_IDLE_TIMEOUT):
    case FILL_CODE_FAULT(FETCH_TOTAL_TIMEOUT):
    case FILL_CODE_FAULT(FETCH_CLOSED):
    case FILL_CODE_DOWN:
    case FILL_CODE_FULL:
    case FILL_CODE_LATE:
    case FILL_CODE_NAMELESS:
    case FILL_CODE_LOGIN:
    case FILL_CODE_NAME_LATE:
    case FILL_CODE_NAMES_BUSY:
        return true;
    default:
        return false;
    }
}

/* May the stale copy answer for an origin that failed in this way, and on what grounds? */
static enum rearm_grant may_send_stale(const struct exchange *x, uint32_t code)
{
    struct http_stored room;
    const struct http_stored *facts =
        stored_facts_soft(stored_facts(x->stale), x->soft_at_ms, &room);
    if (code > FILL_CODE_FAULT(FETCH_INTERNAL) && code != FILL_CODE_STALE &&
        !is_unreachable(code)) {
        return REARM_NONE; /* not the origin's fault */
    }
    if (x->policy->serve_stale && is_unreachable(code) &&
        http_may_serve_stale_unreachable(facts, &x->directives)) {
        return REARM_ANYWAY;
    }
    return http_may_serve_stale_on_error(facts, &x->directives, loop_wall_ms(x->env->loop))
               ? REARM_IN_WINDOW
               : REARM_NONE;
}

static enum exchange_next send_stale(struct exchange *x, enum rearm_grant grant)
{
    struct store_object *stale = x->stale;
    const struct rearm_subject subject = {
        .key = x->key.hash, .facts = stored_facts(stale), .soft_at_ms = x->soft_at_ms};
    x->stale = NULL;
    x->collapsed = false;
    rearm_note(&x->env->fill.rearm, &subject, grant, loop_now_us(x->env->loop));
    return exchange_serve(x, stale, RESULT_STALE, HTTP_REASON_STALE_IF_ERROR);
}

bool exchange_must_go_alone(const struct exchange *x, uint32_t code)
{
    /* Who followed it was denied nothing so far. */
    bool is_anothers =
        code == FILL_CODE_DENIED && (x->forwarding == NULL || !x->forwarding->is_address_denied);

    return code == FILL_CODE_ALONE || is_anothers;
}

enum exchange_next exchange_origin_failed(struct exchange *x, uint32_t code)
{
    const uint16_t never_stale = HTTP_STORED_MUST_REVALIDATE | HTTP_STORED_NO_CACHE;
    exchange_release(x);
    enum rearm_grant grant = x->stale != NULL ? may_send_stale(x, code) : REARM_NONE;
    if (grant != REARM_NONE) {
        return send_stale(x, grant);
    }
    if (code == FILL_CODE_STALE) {
        return exchange_go(x, EXCHANGE_STEP_LOOKUP); /* allowed to the leader only */
    }
    enum exchange_next next = exchange_fail_fetch(x, code);
    if (x->stale != NULL && is_unreachable(code) &&
        (stored_facts(x->stale)->flags & never_stale) != 0) {
        x->status = 504; /* RFC 9111 5.2.2.2 */
    }
    return next;
}

bool exchange_is_rearmed(const struct exchange_judge *judge, const struct rearm_subject *subject)
{
    const struct exchange_env *env = judge->env;
    const struct http_directives *directives = judge->directives;
    if (directives != NULL &&
        http_directives_has(directives, HTTP_CC_NO_CACHE | HTTP_CC_MAX_AGE | HTTP_CC_MIN_FRESH)) {
        return false; /* it wants more than that */
    }
    switch (rearm_find(env->fill.rearm, subject, loop_now_us(env->loop))) {
    case REARM_ANYWAY:
        if (judge->serve_stale) {
            return true;
        }
        break;
    case REARM_IN_WINDOW:
        break;
    case REARM_NONE:
    case REARM_QUIET:
        return false;
    }
    struct http_stored room;
    return http_may_serve_stale_on_error(
        stored_facts_soft(subject->facts, subject->soft_at_ms, &room), directives,
        loop_wall_ms(env->loop));
}
