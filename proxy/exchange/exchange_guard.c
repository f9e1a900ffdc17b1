/*
 * exchange_guard - may this client ask, and has it asked too much? Lists first, then every limit
 * that is for the request: all must have room, or it gets a page of our own (RFC 6585 4, RFC 9110
 * 15.6.4) with Retry-After, and takes no token of any.
 *
 * Limits that count misses are asked when it is known that the origin will be (not for what is
 * renewed in the background, nor for what others fetch already).
 */
#include "exchange/exchange_forward.h"
#include "exchange/exchange_meter.h"

#define NS_PER_S ((uint64_t)1000000000)

/* One walk over the limits. */
struct walk {
    struct exchange *x;
    const struct sockaddr *client;
    bool misses; /* those that count misses, or the others */
    uint64_t now_us;
    const struct guard_limit *refused; /* the one without room; NULL: none */
    uint64_t wait_ns;                  /* until it has some */
};

static bool refuse(struct exchange *x, enum http_reason reason, unsigned status, const char *text,
                   enum exchange_next *next)
{
    x->result = RESULT_DENIED;
    x->reason = (uint8_t)reason;
    x->forward = HTTP_FORWARD_NONE; /* it goes nowhere */
    *next = exchange_fail(x, status, text);
    return false;
}

static struct limit_key key_for(const struct walk *walk, const struct guard_limit *limit)
{
    const struct http_fields *fields = &walk->x->stream->request->fields;
    struct span who = span_of(NULL, 0);
    char kind = 'c';
    switch (limit->conf->key) {
    case CONF_LIMIT_CLIENT:
        break;
    case CONF_LIMIT_HEADER:
        who = http_fields_find_name(fields, limit->key_name);
        kind = 'h';
        break;
    case CONF_LIMIT_COOKIE:
        who = http_fields_cookie(fields, limit->key_name);
        kind = 'k';
        break;
    case CONF_LIMIT_SITE:
    case CONF_LIMIT_FORWARD:
        who = SPAN("");
        kind = 's';
        break;
    case CONF_LIMIT_USER:
        if (walk->x->forwarding != NULL && walk->x->forwarding->user.len > 0) {
            who = walk->x->forwarding->user;
            kind = 'u';
        }
        break;
    }
    if (who.ptr == NULL) {
        who = limit_client(walk->client);
        kind = 'c';
    }
    return limit_key(walk->x->env->limits, &limit->ref, kind, who);
}

/* False: there is no room. */
static bool take(struct walk *walk, const struct guard_limit *limit)
{
    struct exchange *x = walk->x;
    struct limit_key key = key_for(walk, limit);
    if (limit->conf->kind == CONF_LIMIT_REQUESTS) {
        walk->wait_ns = limit_take(x->env->limits, &key, &limit->rate, walk->now_us);
        return walk->wait_ns == 0;
    }
    struct guard_hold *hold = arena_alloc(&x->arena, sizeof(*hold));
    if (hold == NULL) {
        return false;
    }
    hold->hold = limit_acquire(x->env->limits, &key, limit->conf->most, walk->now_us);
    if (hold->hold == 0) {
        return false;
    }
    hold->next = x->holds;
    x->holds = hold;
    return true;
}

/* Takes of all limits, or (give) gives back to those before the one that refused. */
static void walk_limits(struct walk *walk, bool give)
{
    struct exchange *x = walk->x;
    unsigned at = 0;
    const struct guard *guard;
    while ((guard = guards_next(&x->site->guards, x->policy, &at)) != NULL) {
        for (unsigned i = 0; i < guard->count; i++) {
            const struct guard_limit *limit = &guard->limits[i];
            if (limit->conf->misses_only != walk->misses) {
                continue;
            }
            if (give && limit == walk->refused) {
                return;
            }
            if (give && limit->conf->kind == CONF_LIMIT_REQUESTS) {
                struct limit_key key = key_for(walk, limit);
                limit_give_back(x->env->limits, &key, &limit->rate, walk->now_us);
            }
            if (!give && !take(walk, limit)) {
                walk->refused = limit;
                return;
            }
        }
    }
}

static bool limits_allow(struct exchange *x, bool misses, enum exchange_next *next)
{
    struct walk walk = {
        .x = x,
        .client = (const struct sockaddr *)exchange_client(x)->address,
        .misses = misses,
        .now_us = loop_now_us(x->env->loop),
    };
    if (guards_except(&x->site->guards, walk.client)) {
        return true;
    }
    walk_limits(&walk, false);
    if (LIKELY(walk.refused == NULL)) {
        return true;
    }
    walk_limits(&walk, true);
    exchange_guard_release(x);
    bool is_rate = walk.refused->conf->kind == CONF_LIMIT_REQUESTS;
    uint64_t wait_s = (walk.wait_ns + NS_PER_S - 1) / NS_PER_S;
    x->retry_after_s = wait_s == 0 ? 1 : (uint32_t)wait_s;
    return refuse(x, is_rate ? HTTP_REASON_LIMIT_REQUESTS : HTTP_REASON_LIMIT_CONCURRENT,
                  walk.refused->conf->status,
                  is_rate ? "too many requests; come back later"
                          : "too many requests at the same time; come back later",
                  next);
}

bool exchange_guard(struct exchange *x, enum exchange_next *next)
{
    const struct sockaddr *client = (const struct sockaddr *)exchange_client(x)->address;
    struct guard_verdict verdict;
    if (guards_admit(&x->site->guards, x->policy, client, &verdict) == CONF_ADMIT_DENY) {
        return refuse(x, HTTP_REASON_ADDRESS, 403, "this address may not ask for this", next);
    }
    if (meters_are_used(&x->site->meters) && !exchange_meter_begin(x, next)) {
        return false;
    }
    return limits_allow(x, false, next);
}

bool exchange_guard_origin(struct exchange *x, enum exchange_next *next)
{
    if (x->origin_counted) {
        return true;
    }
    x->origin_counted = true;
    return limits_allow(x, true, next);
}

void exchange_guard_release(struct exchange *x)
{
    while (x->holds != NULL) {
        limit_release(x->env->limits, x->holds->hold, loop_now_us(x->env->loop));
        x->holds = x->holds->next; /* in the arena */
    }
}
