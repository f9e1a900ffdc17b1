/* exchange_meter - see exchange_meter.h. */
#include "exchange/exchange_meter.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/mem.h"
#include "exchange/exchange_forward.h"
#include "exchange/exchange_tunnel.h"
#include "fill/fill.h"
#include "site/meters.h"

#define NS_PER_S ((uint64_t)1000000000)
#define PARTS_MAX 4u
#define WHO_BYTES 64u

/* Whose bytes or connections count together, as far as it is known. */
struct whose {
    enum quota_whose whose;
    struct span who;  /* for keys: bytes of an address, a name */
    struct span text; /* for people */
    char room[WHO_BYTES];
};

static void client_text(const struct sockaddr *address, struct span who, struct whose *out)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char six[16] = {0};

    if (who.len == 0) {
        out->text = SPAN("unknown");
        return;
    }
    memcpy(six, who.ptr, who.len);
    bool is_four = who.len == 4;
    (void)address;
    (void)inet_ntop(is_four ? AF_INET : AF_INET6, six, text, sizeof(text));
    int len = snprintf(out->room, sizeof(out->room), "%s%s", text, is_four ? "" : "/64");
    out->text = span_of(out->room, (size_t)len);
}

static void find_whose(const struct exchange *x, enum conf_whose key, struct whose *out)
{
    const struct sockaddr *client = (const struct sockaddr *)exchange_client(x)->address;

    *out = (struct whose){.whose = QUOTA_ALL, .who = SPAN(""), .text = SPAN("")};
    if (key == CONF_WHOSE_ALL) {
        return;
    }
    if (key == CONF_WHOSE_USER && x->forwarding != NULL && x->forwarding->user.len > 0) {
        out->whose = QUOTA_USER;
        out->who = out->text = x->forwarding->user;
        return;
    }
    out->whose = QUOTA_CLIENT;
    out->who = limit_client(client);
    client_text(client, out->who, out);
}

static struct limit_key key_of(const struct exchange *x, const struct limit_ref *ref,
                               const struct whose *whose)
{
    return limit_key(x->env->limits, ref, (char)whose->whose, whose->who);
}

static bool is_excepted(const struct exchange *x, const struct conf_network *list, size_t count)
{
    const struct conf_networks networks = {.list = list, .count = count};
    const struct sockaddr *client = (const struct sockaddr *)exchange_client(x)->address;

    return count > 0 && conf_networks_match(&networks, client);
}

/* ---- connections ---- */

/* What a connection holds for as long as it lives: a place under each limit. */
struct keep {
    struct limit_table *limits;
    struct loop *loop;
    unsigned count;
    struct {
        uint64_t limit; /* which */
        struct hash128 hash;
        uint64_t hold;
    } places[CONF_LIMITS_MAX];
};

void exchange_keep_end(void *of_stream)
{
    struct keep *keep = of_stream;

    for (unsigned i = 0; i < keep->count; i++) {
        limit_release(keep->limits, keep->places[i].hold, loop_now_us(keep->loop));
    }
    mem_free(keep);
}

static struct keep *keep_of(struct exchange *x)
{
    if (x->stream->keep == NULL) {
        struct keep *keep = mem_new(sizeof(*keep));
        keep->limits = x->env->limits;
        keep->loop = x->env->loop;
        x->stream->keep = keep;
    }
    return x->stream->keep;
}

/* Has this connection a place, or is there one? With another user it is another's connection. */
static bool has_place(struct exchange *x, const struct meters_connections *limit)
{
    struct keep *keep = keep_of(x);
    struct whose whose;
    unsigned at = 0;

    find_whose(x,
               limit->conf->key == CONF_LIMIT_USER     ? CONF_WHOSE_USER
               : limit->conf->key == CONF_LIMIT_CLIENT ? CONF_WHOSE_CLIENT
                                                       : CONF_WHOSE_ALL,
               &whose);
    struct limit_key key = key_of(x, &limit->ref, &whose);
    while (at < keep->count && keep->places[at].limit != limit->ref.id) {
        at++;
    }
    if (at < keep->count && keep->places[at].hash.lo == key.hash.lo &&
        keep->places[at].hash.hi == key.hash.hi) {
        return true;
    }
    if (at == ARRAY_LEN(keep->places)) {
        return true; /* limits that reloads have renamed fill it: this one is not held to more */
    }
    uint64_t now_us = loop_now_us(x->env->loop);
    uint64_t hold = limit_acquire(x->env->limits, &key, limit->conf->most, now_us);
    if (hold == 0) {
        return false;
    }
    if (at < keep->count) {
        limit_release(x->env->limits, keep->places[at].hold, now_us);
    } else {
        keep->count++;
    }
    keep->places[at].limit = limit->ref.id;
    keep->places[at].hash = key.hash;
    keep->places[at].hold = hold;
    return true;
}

static bool connections_allow(struct exchange *x, enum exchange_next *next)
{
    const struct meters *meters = &x->site->meters;
    const struct sockaddr *client = (const struct sockaddr *)exchange_client(x)->address;

    if (meters->connection_count == 0 || guards_except(&x->site->guards, client)) {
        return true;
    }
    for (unsigned i = 0; i < meters->connection_count; i++) {
        if (!has_place(x, &meters->connections[i])) {
            x->result = RESULT_DENIED;
            x->reason = HTTP_REASON_LIMIT_CONNECTIONS;
            x->forward = HTTP_FORWARD_NONE;
            x->retry_after_s = 1;
            *next = exchange_fail(x, meters->connections[i].conf->status,
                                  "too many connections at the same time; come back later");
            x->own.closes = true;
            return false;
        }
    }
    return true;
}

/* ---- quotas that are used up ---- */

static const char *size_text(struct exchange *x, uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        value /= 1024;
        unit++;
    }
    const char *text =
        arena_printf(&x->arena, "%.*f %s%c", unit == 0 ? 0 : 1, value, units[unit], 0).ptr;
    return text == NULL ? "" : text;
}

/* What is said of it: name, used, limit, when it begins anew. */
static enum exchange_next refuse(struct exchange *x, const struct meters_quota *quota,
                                 struct quota_account *account)
{
    struct quota_store *store = limit_quotas(x->env->limits);
    int64_t ends_s = quota_ends_s(store, quota->quota);
    int64_t wait_s = ends_s - loop_wall_ms(x->env->loop) / 1000;
    char when[CALENDAR_TEXT_BYTES];

    atomic_fetch_add_explicit(&quota->quota->refused, 1, memory_order_relaxed);
    x->result = RESULT_DENIED;
    x->reason = HTTP_REASON_QUOTA;
    x->forward = HTTP_FORWARD_NONE;
    x->retry_after_s = wait_s < 1 ? 1 : (uint32_t)wait_s;
    struct span text = arena_printf(
        &x->arena, "the quota \"%s\" of this %s is used up: %s of %s; it begins anew at %s%c",
        quota->conf->name, calendar_name(quota->quota->per),
        size_text(x, quota_used(store, account)),
        size_text(x, atomic_load_explicit(&quota->quota->limit, memory_order_relaxed)),
        calendar_text(when, ends_s), 0);
    return exchange_fail(x, quota->conf->status, text.ptr == NULL ? "quota" : text.ptr);
}

enum exchange_next exchange_meter_refuse(struct exchange *x)
{
    const struct meters *meters = &x->site->meters;
    const struct meter *meter = &x->meter->meter;

    for (unsigned i = 0; i < meters->quota_count; i++) {
        for (unsigned j = 0; j < meter->quota_count; j++) {
            struct quota_account *account = meter->quotas[j].account;
            if (meters->quotas[i].quota == meter->spent && quota_of(account) == meter->spent) {
                return refuse(x, &meters->quotas[i], account);
            }
        }
    }
    return exchange_fail(x, 403, "a quota is used up"); /* cannot happen: it is one of these */
}

/* ---- begin and end ---- */

/* It is our own pace that keeps bytes of this side waiting, or not any more: no deadline of the
 * client's or the origin's runs. */
static void hold(struct exchange *x, enum meter_side side, bool is_held)
{
    struct exchange_meter *metering = x->meter;

    if (metering->is_held[side] == is_held) {
        return;
    }
    metering->is_held[side] = is_held;
    is_held = metering->is_held[METER_DOWN] || metering->is_held[METER_UP];
    if (!x->client_gone) {
        x->stream->is_held = is_held;
    }
    if (x->origin.fill != NULL && exchange_is_tunnel(x)) {
        fill_hold(x->origin.fill, is_held); /* else a fetch that is paused knows it by itself */
    }
}

static void on_timer_down(struct loop_timer *timer)
{
    struct exchange_meter *metering =
        CONTAINER_OF(timer, struct exchange_meter, timers[METER_DOWN]);
    hold(metering->x, METER_DOWN, false);
    exchange_drive(metering->x);
}

static void on_timer_up(struct loop_timer *timer)
{
    struct exchange_meter *metering = CONTAINER_OF(timer, struct exchange_meter, timers[METER_UP]);
    hold(metering->x, METER_UP, false);
    if (metering->x->origin.fill != NULL) {
        fill_body_ready(metering->x->origin.fill);
    }
}

static void take_bandwidths(struct exchange *x, struct meter *meter)
{
    const struct meters *meters = &x->site->meters;

    for (unsigned i = 0; i < meters->bandwidth_count; i++) {
        const struct meters_bandwidth *bandwidth = &meters->bandwidths[i];
        const struct conf_bandwidth *conf = bandwidth->conf;
        struct whose whose;
        if (is_excepted(x, conf->except, conf->except_count)) {
            continue;
        }
        find_whose(x, conf->key, &whose);
        meter->flows[meter->flow_count++] = (struct meter_flow){
            .key = key_of(x, &bandwidth->ref, &whose),
            .rate = bandwidth->flow,
            .is_for = {[METER_DOWN] = (conf->sides & CONF_SIDE_DOWN) != 0,
                       [METER_UP] = (conf->sides & CONF_SIDE_UP) != 0},
        };
    }
}

/* False: one is used up, *next says how it ends. */
static bool take_quotas(struct exchange *x, struct meter *meter, enum exchange_next *next)
{
    const struct meters *meters = &x->site->meters;
    struct quota_store *store = limit_quotas(x->env->limits);

    for (unsigned i = 0; i < meters->quota_count; i++) {
        const struct meters_quota *quota = &meters->quotas[i];
        const struct conf_quota *conf = quota->conf;
        struct whose whose;
        if (is_excepted(x, conf->except, conf->except_count)) {
            continue;
        }
        find_whose(x, conf->key, &whose);
        struct meter_quota *out = &meter->quotas[meter->quota_count++];
        *out = (struct meter_quota){
            .account = quota_account_take(store, quota->quota, whose.whose, whose.text),
            .counts = {[METER_DOWN] = (conf->sides & CONF_SIDE_DOWN) != 0,
                       [METER_UP] = (conf->sides & CONF_SIDE_UP) != 0},
        };
        if (conf->throttle_bytes_s > 0) {
            out->slow =
                (struct meter_flow){.key = key_of(x, &quota->ref, &whose), .rate = quota->slow};
        } else if (quota_left(store, out->account) == 0) {
            *next = refuse(x, quota, out->account);
            return false;
        }
    }
    return true;
}

bool exchange_meter_begin(struct exchange *x, enum exchange_next *next)
{
    const struct meters *meters = &x->site->meters;

    if (!connections_allow(x, next)) {
        return false;
    }
    if (meters->bandwidth_count + meters->quota_count == 0) {
        return true;
    }
    struct exchange_meter *metering = arena_alloc(&x->arena, sizeof(*metering));
    if (metering == NULL) {
        *next = exchange_fail(x, 500, "no memory");
        return false;
    }
    memset(metering, 0, sizeof(*metering));
    metering->x = x;
    metering->meter.limits = x->env->limits;
    loop_timer_init(&metering->timers[METER_DOWN], on_timer_down);
    loop_timer_init(&metering->timers[METER_UP], on_timer_up);
    take_bandwidths(x, &metering->meter);
    if (!take_quotas(x, &metering->meter, next)) {
        meter_end(&metering->meter, loop_now_us(x->env->loop));
        return false;
    }
    meter_begin(&metering->meter);
    x->meter = metering;
    return true;
}

void exchange_meter_end(struct exchange *x)
{
    struct exchange_meter *metering = x->meter;

    x->meter = NULL;
    loop_timer_clear(&metering->timers[METER_DOWN]);
    loop_timer_clear(&metering->timers[METER_UP]);
    meter_end(&metering->meter, loop_now_us(x->env->loop));
}

struct meter *exchange_meter_take(struct exchange *x)
{
    struct exchange_meter *metering = x->meter;
    struct meter *meter = mem_try(sizeof(*meter));

    if (meter != NULL) {
        *meter = metering->meter;
        metering->meter = (struct meter){.limits = meter->limits};
    }
    return meter;
}

/* ---- while bytes flow ---- */

size_t exchange_meter_may(struct exchange *x, enum meter_side side, size_t want)
{
    struct exchange_meter *metering = x->meter;
    uint64_t wait_us;
    uint64_t may = meter_may(&metering->meter, side, want, loop_now_us(x->env->loop), &wait_us);

    if (may == 0 && wait_us == 0) {
        x->reason = HTTP_REASON_QUOTA;
    } else if (may == 0) {
        hold(x, side, true);
        loop_timer_set(x->env->loop, &metering->timers[side], wait_us);
    }
    return (size_t)may;
}

void exchange_meter_moved(struct exchange *x, enum meter_side side, uint64_t bytes)
{
    meter_moved(&x->meter->meter, side, bytes);
}

/* [from, from + len) of these bytes. Returns how many entries. */
static unsigned cut_parts(const struct iovec *parts, unsigned count, size_t from, size_t len,
                          struct iovec *out)
{
    unsigned used = 0;

    CHECK(count <= PARTS_MAX);
    for (unsigned i = 0; i < count && len > 0; i++) {
        size_t skip = from < parts[i].iov_len ? from : parts[i].iov_len;
        size_t rest = parts[i].iov_len - skip < len ? parts[i].iov_len - skip : len;
        from -= skip;
        if (rest > 0) {
            out[used++] =
                (struct iovec){.iov_base = (char *)parts[i].iov_base + skip, .iov_len = rest};
            len -= rest;
        }
    }
    return used;
}

/* Sends and counts: what the stream took of it, head and framing as well. */
static ptrdiff_t send_counted(struct exchange *x, const struct iovec *parts, unsigned count,
                              bool end)
{
    uint64_t before = x->stream->sent_bytes;
    ptrdiff_t sent = stream_send(x->stream, parts, count, end);

    if (x->stream->sent_bytes > before) {
        exchange_meter_moved(x, METER_DOWN, x->stream->sent_bytes - before);
    }
    return sent;
}

ptrdiff_t exchange_meter_offer(struct exchange *x, const struct iovec *parts, unsigned count,
                               bool end)
{
    struct iovec cut[PARTS_MAX];
    size_t total = 0;
    size_t done = 0;

    for (unsigned i = 0; i < count; i++) {
        total += parts[i].iov_len;
    }
    if (total == 0) {
        return send_counted(x, parts, count, end);
    }
    while (done < total) {
        size_t may = exchange_meter_may(x, METER_DOWN, total - done);
        if (may == 0 && x->meter->meter.spent != NULL) {
            return -1;
        }
        if (may == 0) {
            /* A head must not wait for its body. */
            bool is_begun = x->stream->sent_bytes > 0;
            return !is_begun && send_counted(x, NULL, 0, false) < 0 ? -1 : (ptrdiff_t)done;
        }
        unsigned used = cut_parts(parts, count, done, may, cut);
        ptrdiff_t sent = send_counted(x, cut, used, end && done + may == total);
        if (sent < 0) {
            return -1;
        }
        done += (size_t)sent;
        if ((size_t)sent < may) {
            break; /* the stream says when it takes more */
        }
    }
    return (ptrdiff_t)done;
}
