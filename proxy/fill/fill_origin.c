/*
 * fill_origin - which server of the pool a fill asks: the claim on it, from before the fetch until
 * its end.
 */
#include <stdio.h>

#include "base/hash.h"
#include "fill/fill_private.h"

/* The queue's timer may fire by so much too early. */
#define TIMER_SLACK_US 20000u

/* The same on every Larder, so that several send one key to one server. */
static uint64_t hash_of(struct span value)
{
    return hash64((struct hash_seed){0}, value);
}

/* What the pool balances by. */
static uint64_t balance_hash(const struct conf_balancing *balance, const struct http_fields *fields,
                             struct span key, struct span client)
{
    switch (balance->by) {
    case CONF_BALANCE_ROUND_ROBIN:
    case CONF_BALANCE_LEAST_CONN:
    case CONF_BALANCE_RANDOM:
        break;
    case CONF_BALANCE_HASH_URL:
        return hash_of(key);
    case CONF_BALANCE_HASH_CLIENT:
        return hash_of(client);
    case CONF_BALANCE_HASH_HEADER:
        return hash_of(http_fields_find_name(fields, span_str(balance->name)));
    case CONF_BALANCE_HASH_COOKIE:
        return hash_of(http_fields_cookie(fields, span_str(balance->name)));
    }
    return 0;
}

void fill_want(struct origin_want *out, const struct conf_origins *origins,
               const struct http_fields *fields, struct span key, struct span client)
{
    out->hash = balance_hash(&origins->balance, fields, key, client);
    out->sticky = UNLIKELY(origins->sticky.cookie != NULL)
                      ? fill_sticky_id(http_fields_cookie(fields, span_str(origins->sticky.cookie)))
                      : 0;
}

static uint32_t code_of(enum origin_verdict verdict)
{
    switch (verdict) {
    case ORIGIN_DOWN:
        return FILL_CODE_DOWN;
    case ORIGIN_UNKNOWN:
        return FILL_CODE_NAMELESS;
    case ORIGIN_FULL:
        return FILL_CODE_FULL;
    case ORIGIN_LATE:
        return FILL_CODE_LATE;
    case ORIGIN_GRANTED:
    case ORIGIN_WAITING:
        break;
    }
    CHECK(false);
    return FILL_CODE_INTERNAL;
}

/* For the access log: who was asked last. */
static void tell_owner(const struct fill *fill)
{
    struct fill_owner *owner = fill->owner;

    if (owner != NULL && !fill->background) {
        snprintf(owner->name, sizeof(owner->name), "%s", origin_server_name(fill->claim.server));
        owner->pool = site_pool(fill->site, &fill->policy)->conf->name;
        owner->has_name = true;
        owner->fault = FETCH_OK;
        owner->tries = (uint8_t)(fill->want.tried_count + 1);
    }
}

/* And how that ended. */
static void tell_fault(const struct fill *fill, enum fetch_fault fault)
{
    if (fill->owner != NULL && !fill->background) {
        bool is_cut = fault == FETCH_OK && fill->fail_code == FILL_CODE_FAULT(FETCH_INCOMPLETE);
        fill->owner->fault = (uint8_t)(is_cut ? FETCH_INCOMPLETE : fault);
    }
}

/* What a fill without a server fails with: after a try, as that one did. */
static uint32_t failed_code(const struct fill *fill, enum origin_verdict verdict)
{
    if (fill->last_code != 0) {
        return fill->last_code;
    }
    return verdict == ORIGIN_LATE && fill_time_left_us(fill) < TIMER_SLACK_US
               ? FILL_CODE_FAULT(FETCH_TOTAL_TIMEOUT)
               : code_of(verdict);
}

void fill_go_on(struct fill *fill, enum origin_verdict verdict)
{
    if (verdict == ORIGIN_GRANTED) {
        fill->origin = origin_server_fetch(fill->claim.server);
        fill->address = fill->claim.address[0] != '\0' ? fill->claim.address : NULL;
        fill->idle_timeout_us = fill->origin->idle_timeout_us;
        if (UNLIKELY(fill->policy.upstream != 0)) {
            fill_parent_choose(fill);
        } else {
            onward_choose(&fill->onward, fill->site, &fill->policy, fill->request,
                          span_str(origin_server_url(fill->claim.server)));
        }
        tell_owner(fill);
        fill_fetch(fill);
    } else if (verdict != ORIGIN_WAITING &&
               (LIKELY(fill->policy.upstream == 0) || !fill_parent_instead(fill))) {
        (void)fill_fail_later(fill, failed_code(fill, verdict));
    }
}

static void on_wake(void *ctx, enum origin_verdict verdict)
{
    struct fill *fill = ctx;

    CHECK_OBJ(fill, FILL_MAGIC);
    fill_go_on(fill, verdict);
}

/* Of every Larder the same, whatever it calls its forward proxies. */
static struct span url_of(const struct fill *fill)
{
    size_t before = fill->site->key_prefix.len;
    return span_of(fill->key.bytes.ptr + before, fill->key.bytes.len - before);
}

/* A parent is asked in clear text: what a client wants fetched by TLS of ours is not for its eyes. */
static bool is_tls_by_parent(const struct fill *fill)
{
    return UNLIKELY(fill->policy.upstream != 0) && fill->request->scheme.len == 5;
}

void fill_ask(struct fill *fill)
{
    const struct site_pool *pool = site_pool(fill->site, &fill->policy);

    if (UNLIKELY(fill->site->forward != NULL && fill->policy.upstream == 0)) {
        fill_direct_ask(fill);
        return;
    }
    if (UNLIKELY(is_tls_by_parent(fill))) {
        (void)fill_fail_later(fill, FILL_CODE_NO_TLS);
        return;
    }
    if (pool->pool == NULL) {
        (void)fill_fail_later(fill, FILL_CODE_DOWN);
        return;
    }
    fill_want(&fill->want, pool->conf, &fill->request->fields, url_of(fill), fill->client.text);
    fill->want.sticky = fill->background ? 0 : fill->want.sticky;
    uint64_t left_us = fill_time_left_us(fill);
    fill->want.patience_us = left_us == UINT64_MAX ? 0 : left_us;
    fill_go_on(fill, origin_claim_begin(&fill->claim, pool->pool, &fill->want, fill->env->loop,
                                        on_wake, fill));
}

void fill_let_go(struct fill *fill, const struct fetch_result *result)
{
    struct origin_outcome outcome = {0};

    if (result != NULL) {
        tell_fault(fill, result->fault);
        outcome = (struct origin_outcome){
            .is_known = result->fault != FETCH_BODY_BAD && result->fault != FETCH_OUTGOING &&
                        result->fault != FETCH_INTERNAL,
            .fault = result->fault,
            .status = result->head_seen ? fill->figures.origin_status : 0,
            .is_relayed = fill->policy.upstream != 0,
            .head_seen = result->head_seen,
            .connect_us = result->connect_us,
            .first_byte_us = result->first_byte_us,
            .received_bytes = result->received_bytes,
        };
    }
    origin_claim_end(&fill->claim, &outcome, loop_now_us(fill->env->loop));
}

void fill_let_go_answered(struct fill *fill)
{
    const struct origin_outcome outcome = {
        .is_known = true,
        .fault = FETCH_OK,
        .status = fill->figures.origin_status,
        .is_relayed = fill->policy.upstream != 0,
    };

    origin_claim_end(&fill->claim, &outcome, loop_now_us(fill->env->loop));
}
