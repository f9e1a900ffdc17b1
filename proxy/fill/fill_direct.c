/*
 * fill_direct - a forward proxy's way to the server that its client named: its name's addresses
 * (directory.h), one after another. Each is judged by the rules just before a connection to it is
 * made, and that very address is what fetch connects to; one that is denied is never connected to.
 * Where DNS has told those of one family only and none of them will do, the other's are waited for.
 *
 * An address that takes no connection makes room for the next one, as nobody was asked there. What
 * was asked is asked again as `retry` says, of the next address or, when there is no other, of the
 * same.
 *
 * Only its own client is told that its rules deny every address. Others who follow have rules of
 * their own: they go to the server themselves (exchange_head).
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/address.h"
#include "fill/fill_private.h"
#include "http/key.h"
#include "origin/directory.h"
#include "site/reach.h"

#define HOST_BYTES 256u
/* No further address is tried after so many times the longest connect. */
#define CONNECTS_MAX 3u

struct fill_direct {
    struct fetch_origin origin;
    struct fetch_tls tls;      /* of origin, when it has TLS */
    struct access_facts facts; /* copies but for groups, which are the configuration's */
    struct directory_addresses addresses;
    bool wants_all;                  /* those of one family did not do */
    unsigned next;                   /* of them: to be judged and asked */
    struct sockaddr_storage address; /* that is asked, with its port */
    char address_text[INET6_ADDRSTRLEN];
    struct access_verdict allowed; /* of that address */
    struct access_verdict denied;  /* of the first address that may not be asked */
    bool has_denied;
    unsigned asked;      /* so many times a connection was begun */
    uint64_t give_up_us; /* no other address is tried from then on */
    struct directory_wait *wait;
    struct loop_timer timer; /* of the request's total time, while it waits for addresses */
    struct fill *fill;
    char host[HOST_BYTES];
};

static void settle_origin(struct fill_direct *direct, const struct conf_origins *conf)
{
    direct->origin = (struct fetch_origin){
        .name = direct->host,
        .host = direct->host,
        .port = direct->facts.port,
        .connect_timeout_us = conf->timeout.connect_ms * 1000,
        .first_byte_timeout_us = conf->timeout.first_byte_ms * 1000,
        .idle_timeout_us = conf->timeout.idle_ms * 1000,
        .total_timeout_us = conf->timeout.total_ms * 1000,
        .keepalive = conf->keepalive.count,
        .keepalive_idle_us = conf->keepalive.idle_ms * 1000,
    };
}

/* What the snapshot holds, in the words of the fetch layer. */
static void settle_tls(struct fill *fill)
{
    struct fill_direct *direct = fill->direct;
    const struct conf_origins *conf = &fill->site->conf->origins;
    const struct conf_origin_tls *tls = &conf->tls;

    direct->tls = (struct fetch_tls){
        .verify = !tls->no_verify,
        .name = direct->host,
        .http2 = conf->http2,
        .min_version = tls->only_13 ? FETCH_TLS_1_3 : FETCH_TLS_1_2,
    };
    if (direct->tls.verify) {
        const struct conf_certificate *trust =
            tls->trust != NULL ? tls->trust : site_table_conf(fill->table)->system_trust;
        direct->tls.trust = trust->trust;
        direct->tls.id = trust->id;
    }
    direct->origin.tls = &direct->tls;
}

/* ---- an address ---- */

/* The address of ours that it is asked from, if one is said. False: it is of the other kind. */
static bool choose_from(struct fill *fill)
{
    struct fill_direct *direct = fill->direct;
    const struct conf_outgoing *outgoing = &fill->site->forward->outgoing;
    const struct sockaddr_storage *from =
        direct->address.ss_family == AF_INET6 ? &outgoing->v6 : &outgoing->v4;

    direct->origin.from = from->ss_family == AF_UNSPEC ? NULL : from;
    return direct->origin.from != NULL ||
           (outgoing->v4.ss_family == AF_UNSPEC && outgoing->v6.ss_family == AF_UNSPEC);
}

/* May it be connected to? */
static bool is_allowed(struct fill *fill)
{
    struct fill_direct *direct = fill->direct;
    struct access_verdict verdict;

    if (reach_allows(&fill->arena, fill->site, &direct->facts,
                     (const struct sockaddr *)&direct->address, &verdict)) {
        direct->allowed = verdict;
        return true;
    }
    if (!direct->has_denied) {
        direct->denied = verdict;
        direct->has_denied = true;
    }
    return false;
}

/* Who was asked last, for the access log; and by which rule, as the response is judged by that. */
static void tell_owner(const struct fill *fill)
{
    const struct fill_direct *direct = fill->direct;
    struct fill_owner *owner = fill->owner;

    if (owner != NULL && !fill->background) {
        owner->calls->judged(owner, &direct->addresses.list[direct->next - 1], &direct->allowed);
        (void)snprintf(owner->name, sizeof(owner->name), "%.*s", (int)sizeof(owner->name) - 1,
                       direct->host);
        owner->pool = "direct";
        owner->has_name = true;
        owner->fault = FETCH_OK;
        owner->tries = (uint8_t)direct->asked;
    }
}

/* The next one that may be asked. False: there is none. */
static bool choose_next(struct fill *fill)
{
    struct fill_direct *direct = fill->direct;

    while (direct->next < direct->addresses.count) {
        direct->address = direct->addresses.list[direct->next++];
        address_set_port(&direct->address, direct->facts.port);
        if (choose_from(fill) && is_allowed(fill)) {
            return true;
        }
    }
    return false;
}

static void ask(struct fill *fill)
{
    struct fill_direct *direct = fill->direct;
    const struct sockaddr_storage *address = &direct->address;
    const void *bytes =
        address->ss_family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
            : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;

    CHECK(inet_ntop(address->ss_family, bytes, direct->address_text,
                    sizeof(direct->address_text)) != NULL);
    direct->asked++;
    fill->origin = &direct->origin;
    fill->address = direct->address_text;
    fill->idle_timeout_us = direct->origin.idle_timeout_us;
    fill->onward.host = fill->request->authority;
    tell_owner(fill);
    fill_fetch(fill);
}

static bool ask_next(struct fill *fill)
{
    bool has_next = choose_next(fill);

    if (has_next) {
        ask(fill);
    }
    return has_next;
}

/* ---- the name ---- */

static void deny(struct fill *fill)
{
    struct fill_owner *owner = fill->owner;

    if (owner != NULL && !fill->background) {
        owner->calls->judged(owner, NULL, &fill->direct->denied);
    }
    (void)fill_fail_later(fill, FILL_CODE_DENIED);
}

static void look(struct fill *fill);

static void on_names(void *ctx)
{
    struct fill *fill = ctx;

    CHECK_OBJ(fill, FILL_MAGIC);
    fill->direct->wait = NULL;
    loop_timer_clear(&fill->direct->timer);
    if (fill->owner == NULL && !fill->background && !store_lead_is_read(fill->lead)) {
        fill_kill(fill); /* they have all left meanwhile */
    } else {
        look(fill);
    }
}

static void on_timer(struct loop_timer *timer)
{
    struct fill_direct *direct = CONTAINER_OF(timer, struct fill_direct, timer);

    directory_cancel(&direct->wait);
    (void)fill_fail_later(direct->fill, FILL_CODE_FAULT(FETCH_TOTAL_TIMEOUT));
}

/* False: there are no others. */
static bool look_for_all(struct fill *fill)
{
    bool may_follow = fill->direct->addresses.is_partial;

    if (may_follow) {
        fill->direct->wants_all = true;
        look(fill);
    }
    return may_follow;
}

static void look(struct fill *fill)
{
    struct fill_direct *direct = fill->direct;
    struct fill_env *env = fill->env;
    uint64_t left_us = fill_time_left_us(fill);
    const struct directory_asker asker = {
        .loop = env->loop, .wake = on_names, .ctx = fill, .wants_all = direct->wants_all};

    switch (directory_find(env->directory, span_str(direct->host), &direct->addresses, &asker,
                           &direct->wait)) {
    case DIRECTORY_FOUND:
        direct->next = 0;
        direct->give_up_us =
            loop_now_us(env->loop) + CONNECTS_MAX * direct->origin.connect_timeout_us;
        if (ask_next(fill) || look_for_all(fill)) {
            break;
        }
        if (direct->has_denied) {
            deny(fill);
        } else { /* it has none of the kind that we may leave from */
            (void)fill_fail_later(fill, FILL_CODE_FAULT(FETCH_OUTGOING));
        }
        break;
    case DIRECTORY_WAIT:
        if (left_us != UINT64_MAX) {
            loop_timer_set(env->loop, &direct->timer, left_us);
        }
        break;
    case DIRECTORY_NONE:
    case DIRECTORY_FAILED:
        (void)fill_fail_later(fill, FILL_CODE_FAULT(FETCH_DNS));
        break;
    case DIRECTORY_SILENT:
        (void)fill_fail_later(fill, FILL_CODE_NAME_LATE);
        break;
    case DIRECTORY_BUSY:
        (void)fill_fail_later(fill, FILL_CODE_NAMES_BUSY);
        break;
    }
}

void fill_direct_ask(struct fill *fill)
{
    const struct fill_owner *owner = fill->owner;
    struct fill_direct *direct = arena_alloc(&fill->arena, sizeof(*direct));

    CHECK(owner != NULL);
    if (direct == NULL) {
        (void)fill_fail_later(fill, FILL_CODE_INTERNAL);
        return;
    }
    *direct = (struct fill_direct){.fill = fill, .facts = owner->calls->facts(owner)};
    loop_timer_init(&direct->timer, on_timer);
    fill->direct = direct;
    if (direct->facts.host.len >= HOST_BYTES || !access_facts_copy(&direct->facts, &fill->arena)) {
        (void)fill_fail_later(fill, FILL_CODE_INTERNAL);
        return;
    }
    memcpy(direct->host, direct->facts.host.ptr, direct->facts.host.len);
    settle_origin(direct, &fill->site->conf->origins);
    if (direct->facts.scheme == ACCESS_HTTPS) {
        settle_tls(fill);
    }
    origin_budget_request(&fill->env->direct_budget, loop_now_us(fill->env->loop));
    look(fill);
}

bool fill_direct_waits(const struct fill *fill)
{
    return fill->direct->wait != NULL;
}

void fill_direct_end(struct fill *fill)
{
    directory_cancel(&fill->direct->wait);
    loop_timer_clear(&fill->direct->timer);
    fill->direct = NULL;
}

/* ---- after a failure ---- */

/* Where nobody takes connections nobody was asked. */
static bool is_unconnected(const struct fetch_result *result)
{
    return !result->request_sent &&
           (result->fault == FETCH_CONNECT_REFUSED || result->fault == FETCH_CONNECT_TIMEOUT);
}

/* As the settings have it: the next address, or from the first on. */
static bool ask_again(struct fill *fill, const struct fetch_result *result)
{
    const struct conf_retry retry = conf_retry_of(&fill->site->conf->origins);
    struct fill_direct *direct = fill->direct;

    if ((fill_retry_kind(result) & retry.on) == 0 || fill->want.tried_count >= retry.count ||
        (retry.is_auto && result->fault != FETCH_CLOSED &&
         direct->next >= direct->addresses.count) ||
        !fill_may_repeat(fill, &retry, result->request_sent) ||
        !origin_budget_take(&fill->env->direct_budget, loop_now_us(fill->env->loop),
                            retry.budget)) {
        return false;
    }
    fill_log_fault(fill, result);
    fill->want.tried_count++;
    if (ask_next(fill)) {
        return true;
    }
    direct->next = 0;
    return ask_next(fill);
}

bool fill_direct_retry(struct fill *fill, const struct fetch_result *result)
{
    struct fill_direct *direct = fill->direct;
    uint64_t now_us = loop_now_us(fill->env->loop);

    if (!is_unconnected(result)) {
        return ask_again(fill, result);
    }
    directory_note(fill->env->directory, span_str(direct->host),
                   (const struct sockaddr *)&direct->address, true, now_us);
    bool has_next = direct->next < direct->addresses.count || direct->addresses.is_partial;
    if (now_us >= direct->give_up_us || !has_next ||
        !fill_may_repeat(fill, &fill->site->conf->origins.retry, false)) {
        return false;
    }
    fill_log_fault(fill, result);
    return ask_next(fill) || look_for_all(fill);
}

bool fill_direct_retry_status(struct fill *fill, const struct conf_retry *retry)
{
    /* Only for an address that is to be had: else it is the answer. */
    if (fill->want.tried_count >= retry->count || !fill_may_repeat(fill, retry, true) ||
        !choose_next(fill) ||
        !origin_budget_take(&fill->env->direct_budget, loop_now_us(fill->env->loop),
                            retry->budget)) {
        return false;
    }
    fill->want.tried_count++;
    return true;
}

void fill_direct_retry_next(struct fill *fill)
{
    ask(fill);
}
