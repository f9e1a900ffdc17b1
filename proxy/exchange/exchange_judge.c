/*
 * exchange_judge - a forward proxy's rules and one request: before it goes anywhere, and once more
 * when the response's head is there, before the client is sent any of it.
 *
 * Where rules want the address of a name, one address that may be connected to is enough to go on:
 * who connects judges each again, and connects to that very one. A parent proxy connects to which it
 * likes: there all must be allowed (exchange_judge_parent). A name without an address ends
 * here, also when the cache has what is asked for: nobody knows whether it may be had.
 */
#include "exchange/exchange_forward.h"
#include "fill/fill.h"
#include "http/head.h"
#include "http/range.h"
#include "site/reach.h"

struct access_facts exchange_judge_facts(const struct exchange *x)
{
    const struct exchange_forward *forward = x->forwarding;
    const struct http_request *request = x->stream->request;

    return (struct access_facts){
        .client = (const struct sockaddr *)exchange_client(x)->address,
        .user = forward->user,
        .groups = forward->groups,
        .group_count = forward->group_count,
        .scheme = forward->is_connect ? ACCESS_CONNECT
                  : forward->is_https ? ACCESS_HTTPS
                                      : ACCESS_HTTP,
        .method = request->method_text,
        .host = forward->host,
        .path = request->path,
        .port = forward->port,
        .address = forward->address.ss_family == AF_UNSPEC
                       ? NULL
                       : (const struct sockaddr *)&forward->address,
        .wall_s = loop_wall_ms(x->env->loop) / 1000,
        .length = UINT64_MAX,
    };
}

struct access_facts exchange_judge_owner_facts(const struct fill_owner *owner)
{
    const struct exchange *x = CONTAINER_OF(owner, const struct exchange, origin);

    CHECK(x->forwarding != NULL);
    return exchange_judge_facts(x);
}

void exchange_judge_owner(struct fill_owner *owner, const struct sockaddr_storage *address,
                          const struct access_verdict *verdict)
{
    struct exchange_forward *forward = exchange_of_owner(owner)->forwarding;

    forward->verdict = *verdict;
    if (address != NULL) {
        forward->address = *address;
    } else {
        forward->is_address_denied = true;
    }
}

/* ---- addresses ---- */

static void on_addresses(void *ctx)
{
    struct exchange *x = ctx;
    x->forwarding->wait = NULL;
    loop_timer_clear(&x->forwarding->timer);
    exchange_drive(x);
}

static void on_late(struct loop_timer *timer)
{
    struct exchange_forward *forward = CONTAINER_OF(timer, struct exchange_forward, timer);
    directory_cancel(&forward->wait);
    forward->is_late = true;
    exchange_drive(forward->exchange);
}

/* `timeout total` is for all of a request: also where those of one family did not do, and it waits a
 * second time. */
static void begin_wait(struct exchange *x)
{
    struct exchange_forward *forward = x->forwarding;
    uint64_t total_ms = x->site->conf->origins.timeout.total_ms;
    uint64_t now_us = loop_now_us(x->env->loop);

    forward->exchange = x;
    loop_timer_init(&forward->timer, on_late);
    if (forward->late_at_us == 0) {
        forward->late_at_us = now_us + total_ms * 1000;
    }
    if (total_ms > 0) {
        loop_timer_set(x->env->loop, &forward->timer,
                       forward->late_at_us > now_us ? forward->late_at_us - now_us : 0);
    }
}

/* The first of the name's addresses that may be connected to; and the first that may not. False: all
 * of them are denied. */
static bool judge_addresses(struct exchange *x, struct access_facts *facts,
                            const struct directory_addresses *addresses)
{
    struct exchange_forward *forward = x->forwarding;
    struct access_verdict verdict;
    bool is_allowed = false;

    for (unsigned i = 0; i < addresses->count; i++) {
        facts->address = (const struct sockaddr *)&addresses->list[i];
        reach_judge(&x->arena, x->site, facts, &verdict);
        if (verdict.answer != ACCESS_ALLOW && !forward->has_denied) {
            forward->has_denied = true;
            forward->denied = verdict;
        } else if (verdict.answer == ACCESS_ALLOW && !is_allowed) {
            is_allowed = true;
            forward->verdict = verdict;
            forward->address = addresses->list[i];
        }
    }
    facts->address = NULL;
    if (!is_allowed && forward->has_denied) {
        forward->verdict = forward->denied;
    }
    return is_allowed || !forward->has_denied;
}

/* May requests of this site leave by a parent? */
static bool has_parents(const struct site *site)
{
    for (size_t i = 0; site->upstreams != NULL && i <= site->conf->rule_count; i++) {
        if (site->upstreams[i].pool.pool != NULL) {
            return true;
        }
    }
    return false;
}

/* FOUND: they are judged. Of one family only they will do where one that is allowed is enough. */
static enum directory_answer find_addresses(struct exchange *x, struct access_facts *facts)
{
    struct exchange_forward *forward = x->forwarding;
    struct directory_addresses found;
    struct directory_asker asker = {.loop = x->env->loop, .wake = on_addresses, .ctx = x};
    enum directory_answer answer;

    for (;;) {
        answer = directory_find(x->env->directory, forward->host, &found, &asker, &forward->wait);
        if (answer != DIRECTORY_FOUND) {
            return answer;
        }
        bool is_enough = judge_addresses(x, facts, &found) && !has_parents(x->site);
        if (is_enough || !found.is_partial) {
            return answer;
        }
        asker.wants_all = true;
        forward->has_denied = false; /* they are judged anew */
        forward->address.ss_family = AF_UNSPEC;
    }
}

/* False: *next says how it ends, or that it waits. */
static bool ask_addresses(struct exchange *x, struct access_facts *facts, enum exchange_next *next)
{
    switch (find_addresses(x, facts)) {
    case DIRECTORY_FOUND:
        return true;
    case DIRECTORY_WAIT:
        begin_wait(x);
        *next = EXCHANGE_PARK;
        break;
    case DIRECTORY_NONE:
    case DIRECTORY_FAILED:
        *next = exchange_fail_fetch(x, FILL_CODE_FAULT(FETCH_DNS));
        break;
    case DIRECTORY_SILENT:
        *next = exchange_fail_fetch(x, FILL_CODE_NAME_LATE);
        break;
    case DIRECTORY_BUSY:
        *next = exchange_fail_fetch(x, FILL_CODE_NAMES_BUSY);
        break;
    }
    return false;
}

void exchange_judge_end(struct exchange *x)
{
    if (x->forwarding->wait != NULL) {
        loop_timer_clear(&x->forwarding->timer);
        directory_cancel(&x->forwarding->wait);
    }
}

/* ---- the request ---- */

enum exchange_next exchange_judge(struct exchange *x)
{
    struct exchange_forward *forward = x->forwarding;
    struct access_facts facts = exchange_judge_facts(x);
    enum exchange_next next = EXCHANGE_PARK;

    if (forward->wait != NULL) {
        return EXCHANGE_PARK; /* woken by somebody else */
    }
    if (forward->is_late) {
        return exchange_fail_fetch(x, FILL_CODE_FAULT(FETCH_TOTAL_TIMEOUT));
    }
    reach_judge(&x->arena, x->site, &facts, &forward->verdict);
    if (forward->verdict.answer == ACCESS_WANTS_ADDRESS && !ask_addresses(x, &facts, &next)) {
        return next;
    }
    if (forward->verdict.answer != ACCESS_ALLOW) {
        return exchange_deny(x, &forward->verdict);
    }
    forward->stage = FORWARD_GO;
    return EXCHANGE_GO;
}

bool exchange_judge_parent(struct exchange *x, enum exchange_next *next)
{
    if (LIKELY(!x->forwarding->has_denied)) {
        return true;
    }
    *next = exchange_deny(x, &x->forwarding->denied);
    x->proxy_error = HTTP_PROXY_DESTINATION_IP_PROHIBITED;
    return false;
}

/* ---- the response ---- */

/* Of the whole representation, as far as the head says. */
static uint64_t length_of(struct span head, unsigned status, uint64_t length)
{
    struct http_field items[STORED_FIELDS_MAX];
    struct http_fields fields;
    struct http_content_range range;
    uint64_t stated = 0;

    if (status == 206) {
        http_fields_init(&fields, items, ARRAY_LEN(items));
        if (http_head_read(head, &status, &fields) && http_content_range_of(&fields, &range) &&
            range.length != UINT64_MAX) {
            return range.length;
        }
    }
    /* A response to HEAD has a length, and no content. */
    if (span_to_u64(http_head_find(head, HTTP_FIELD_CONTENT_LENGTH), UINT64_MAX - 1, &stated)) {
        return stated > length || length == STORE_LENGTH_UNKNOWN ? stated : length;
    }
    return length == STORE_LENGTH_UNKNOWN ? UINT64_MAX : length;
}

static bool is_type(struct span type, struct span wanted)
{
    return type.len >= wanted.len && span_eq_nocase(span_of(type.ptr, wanted.len), wanted);
}

/* Content-Type; of several lines, which no server should send, a list. */
static struct span type_of(struct exchange *x)
{
    struct span rest = store_object_head(x->object);
    const char *end = rest.ptr + rest.len;
    struct span all = http_head_find(rest, HTTP_FIELD_CONTENT_TYPE);
    struct span type = all;

    while (type.ptr != NULL) {
        const char *from = type.ptr + type.len;
        type = http_head_find(span_of(from, (size_t)(end - from)), HTTP_FIELD_CONTENT_TYPE);
        if (UNLIKELY(type.ptr != NULL)) {
            struct span both = arena_printf(&x->arena, "%.*s, %.*s", (int)all.len, all.ptr,
                                            (int)type.len, type.ptr);
            all = both.ptr == NULL ? type : both;
        }
    }
    return all;
}

bool exchange_judge_response(struct exchange *x, uint64_t length, enum exchange_next *next)
{
    static const struct access_verdict parts = {
        .answer = ACCESS_DENY,
        .by = ACCESS_BY_END,
        .name = "end",
        .reason = "the response has several parts, and rules ask for what is not seen of them",
        .rule = UINT32_MAX,
    };
    struct exchange_forward *forward = x->forwarding;
    unsigned status = stored_facts(x->object)->status;

    if (!forward->verdict.asks_response || status == 304) {
        return true; /* 304: what the client has was judged when it got it */
    }
    struct span head = store_object_head(x->object);
    struct access_facts facts = exchange_judge_facts(x);
    facts.has_response = true;
    facts.type = type_of(x);
    facts.length = length_of(head, status, length);
    facts.seen = store_object_filled(x->object);
    if (status == 206 && is_type(facts.type, SPAN("multipart/byteranges"))) {
        *next = exchange_deny(x, &parts);
        return false;
    }
    reach_judge(&x->arena, x->site, &facts, &forward->verdict);
    forward->verdict.asks_response = false;
    if (forward->verdict.answer == ACCESS_ALLOW) {
        return true;
    }
    *next = exchange_deny(x, &forward->verdict);
    return false;
}

bool exchange_judge_switch(struct exchange *x, enum exchange_next *next)
{
    struct exchange_forward *forward = x->forwarding;
    struct access_facts facts = exchange_judge_facts(x);

    if (!forward->verdict.asks_response) {
        return true;
    }
    facts.has_response = true;
    reach_judge(&x->arena, x->site, &facts, &forward->verdict);
    forward->verdict.asks_response = false;
    if (forward->verdict.answer == ACCESS_ALLOW) {
        return true;
    }
    *next = exchange_deny(x, &forward->verdict);
    return false;
}

bool exchange_judge_grown(struct exchange *x, uint64_t seen)
{
    struct exchange_forward *forward = x->forwarding;

    if (LIKELY(seen <= forward->verdict.bound) || x->end_known) {
        return true;
    }
    struct access_facts facts = exchange_judge_facts(x);
    facts.has_response = true;
    facts.type = type_of(x);
    facts.seen = seen;
    reach_judge(&x->arena, x->site, &facts, &forward->verdict);
    if (forward->verdict.answer == ACCESS_ALLOW) {
        return true;
    }
    x->result = RESULT_DENIED;
    x->reason = (uint8_t)exchange_deny_reason(&forward->verdict);
    return false;
}
