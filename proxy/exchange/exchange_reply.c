/*
 * exchange_reply - status and fields of the response: a hit, a part of one, 304, what the origin
 * said (RFC 9110 13.2, 14, 15; RFC 9111 4, 5.1; RFC 9211); and when there is nothing to send.
 */
#include "base/buf.h"
#include "exchange/exchange_extra.h"
#include "exchange/exchange_forward.h"
#include "exchange/exchange_meter.h"
#include "fill/discretion.h"
#include "fill/fill.h"
#include "fill/part.h"
#include "http/condition.h"
#include "http/head.h"
#include "http/status.h"

#define RETRY_AFTER_MAX_S 60u
/* A name without an address is looked up again about so often. */
#define NAMELESS_RETRY_S 5u
/* A stored head and what is added to it. */
#define HEAD_LIMIT (256u * 1024u + 4096u)

static void put_age(struct extra *extra, uint32_t age_s)
{
    extra_put(extra, SPAN("Age: "));
    extra_number(extra, age_s);
    extra_put(extra, SPAN("\r\n"));
}

/* The hot form is written by hand: "Cache-Status: larder; hit; ttl=243". */
void exchange_put_cache_status(struct exchange *x, struct extra *extra)
{
    if (x->site == NULL || x->policy == NULL || !x->policy->cache_status) {
        return;
    }
    extra_put(extra, SPAN("Cache-Status: "));
    if (x->result == RESULT_HIT && !x->collapsed && x->ttl_s >= 0) {
        extra_put(extra, x->site->via);
        extra_put(extra, SPAN("; hit; ttl="));
        extra_number(extra, (uint64_t)x->ttl_s);
        extra_put(extra, SPAN("\r\n"));
        return;
    }
    struct http_cache_status status = {
        .cache = x->site->via,
        .forward = (enum http_forward)x->forward,
        .has_ttl = x->object != NULL && (x->origin.stored || x->source == BYTES_CACHE),
        .ttl_s = x->ttl_s,
        .stored = x->origin.stored,
        .collapsed = x->collapsed,
        .detail = (enum http_reason)x->reason,
    };
    if (x->source == BYTES_CACHE && !x->collapsed && x->result != RESULT_REVALIDATED &&
        x->result != RESULT_MISS) {
        status.forward = HTTP_FORWARD_NONE;
    }
    if (x->result == RESULT_REVALIDATED) {
        status.forward =
            x->forward == HTTP_FORWARD_VARY_MISS ? HTTP_FORWARD_VARY_MISS : HTTP_FORWARD_STALE;
        status.forward_status = 304;
    }
    size_t room = (size_t)(extra->end - extra->at);
    extra->at += http_cache_status_write(extra->at, room, &status);
    extra_put(extra, SPAN("\r\n"));
}

static struct http_validators validators_of(const struct store_object *object)
{
    struct span head = store_object_head(object);
    return (struct http_validators){
        .etag = http_head_find(head, HTTP_FIELD_ETAG),
        .last_modified = http_head_find(head, HTTP_FIELD_LAST_MODIFIED),
    };
}

static enum exchange_next start(struct exchange *x, struct span head, struct extra *extra,
                                char *base)
{
    if (UNLIKELY(x->site->rules.late_shows)) {
        exchange_policy_late(x);
    }
    if (UNLIKELY(x->policy->edit_count[CONF_HEADER_RESPONSE] > 0 ||
                 (x->policy->privacy.cookieless != NULL &&
                  discretion_is_cookieless(x->policy, x->stream->request)))) {
        head = exchange_edit_head(x, head);
        if (head.ptr == NULL) {
            return exchange_fail(x, 500, "the response's head is too large to be changed");
        }
    }
    exchange_put_cache_status(x, extra);
    enum stream_body_kind kind = STREAM_BODY_UNKNOWN;
    if (x->body_none) {
        kind = STREAM_BODY_NONE;
    } else if (x->end_known) {
        kind = STREAM_BODY_LENGTH;
    }
    stream_head(x->stream, head, span_of(base, (size_t)(extra->at - base)), kind);
    x->head_sent = true;
    if (x->body_none) {
        x->offset = 0;
        x->end = 0;
        x->end_known = true;
    }
    return exchange_go(x, x->plan != NULL ? EXCHANGE_STEP_PART : EXCHANGE_STEP_SEND);
}

/* RFC 9110 15.4.5: only what the client needs to renew its copy. */
static enum exchange_next reply_not_modified(struct exchange *x, struct extra *extra, char *base)
{
    struct buf head;
    struct http_field items[STORED_FIELDS_MAX];
    struct http_fields fields;
    unsigned status;
    http_fields_init(&fields, items, ARRAY_LEN(items));
    if (!http_head_read(exchange_object_head(x), &status, &fields)) {
        return exchange_fail(x, 500, "a stored head is damaged");
    }
    buf_init(&head, 65536);
    buf_puts(&head, "HTTP/1.1 304 Not Modified\r\n");
    for (unsigned i = 0; i < fields.count; i++) {
        if (http_condition_keeps(&items[i])) {
            buf_append(&head, items[i].name);
            buf_puts(&head, ": ");
            buf_append(&head, items[i].value);
            buf_puts(&head, "\r\n");
        }
    }
    x->status = 304;
    x->body_none = true;
    enum exchange_next next = start(x, buf_span(&head), extra, base);
    buf_free(&head);
    return next;
}

/* Are its bytes in parts (part.h)? */
static bool is_parent(const struct exchange *x)
{
    return (stored_facts(x->object)->flags & HTTP_STORED_PARTS) != 0;
}

/* 206, or with set NULL 416. */
static enum exchange_next reply_range(struct exchange *x, const struct http_range_set *set,
                                      struct extra *extra, char *base)
{
    struct buf head;
    enum exchange_next next = EXCHANGE_GO;
    uint64_t length = x->end;
    if (UNLIKELY(is_parent(x)) && set != NULL && !exchange_parts_ready(x)) {
        return exchange_parts_begin(x, set, length);
    }
    buf_init(&head, HEAD_LIMIT);
    if (exchange_range_head(x, set, length, &head)) {
        next = start(x, buf_span(&head), extra, base);
    } else {
        next = exchange_fail(x, 500, "a stored head is damaged");
    }
    buf_free(&head);
    return next;
}

/* Conditions and ranges apply to a stored 200, and to one that is being stored (RFC
 * 9110 13.2.1, 14.2). */
static bool is_selective(const struct exchange *x, const struct http_stored *facts)
{
    const uint64_t bits = http_field_bit(HTTP_FIELD_IF_NONE_MATCH) |
                          http_field_bit(HTTP_FIELD_IF_MODIFIED_SINCE) |
                          http_field_bit(HTTP_FIELD_RANGE);
    return (x->stream->request->fields.present & bits) != 0 && facts->status == 200 &&
           (x->source == BYTES_CACHE || x->origin.stored || x->result == RESULT_MISS) &&
           x->looked_up;
}

/* The stored response as it is. One that came in chunks has no length in its head, but by now one
 * that is known. */
static enum exchange_next reply_plain(struct exchange *x, const struct http_stored *facts,
                                      struct extra *extra, char *base)
{
    if (UNLIKELY((facts->flags & HTTP_STORED_PARTS) != 0) && !x->body_none &&
        !exchange_parts_ready(x)) {
        return exchange_parts_begin(x, NULL, x->end);
    }
    if ((facts->flags & HTTP_STORED_NO_LENGTH) != 0 && x->end_known &&
        http_status_has_body(facts->status) && (!x->body_none || x->source == BYTES_CACHE)) {
        extra_put(extra, SPAN("Content-Length: "));
        extra_number(extra, x->end);
        extra_put(extra, SPAN("\r\n"));
    }
    struct span head = exchange_object_head(x);
    if (UNLIKELY(head.ptr == NULL)) {
        return exchange_fail(x, 500, "a stored head is damaged");
    }
    return start(x, head, extra, base);
}

/* A body that is not kept can only be read forwards. */
static bool may_send_several(const struct exchange *x, const struct http_range_set *set)
{
    bool is_kept = x->source == BYTES_CACHE || x->origin.stored;
    for (unsigned i = 1; i < set->count && !is_kept; i++) {
        if (set->parts[i].first < set->parts[i - 1].first) {
            return false;
        }
    }
    return true;
}

static enum exchange_next reply_selective(struct exchange *x, const struct http_stored *facts,
                                          struct extra *extra, char *base)
{
    const struct http_request *request = x->stream->request;
    struct http_validators validators = validators_of(x->object);
    int64_t now_s = loop_wall_ms(x->env->loop) / 1000;
    /* Once parts are under way that is decided: a date's two-digit year may mean another by now. */
    if (!exchange_parts_ready(x) && http_is_conditional(&request->fields) &&
        http_not_modified(&request->fields, facts, &validators, now_s)) {
        return reply_not_modified(x, extra, base);
    }
    struct http_range_set set;
    const struct http_representation stored = {facts, &validators, x->end};
    if (x->end_known && request->method == HTTP_GET && !exchange_range_is_vague(x, facts)) {
        switch (http_range_of_request(&request->fields, &stored, &set)) {
        case HTTP_RANGE_SOME:
            if (set.count == 1 || x->plan != NULL ||
                (may_send_several(x, &set) && exchange_plan_multipart(x, &set, x->end))) {
                return reply_range(x, &set, extra, base);
            }
            break;
        case HTTP_RANGE_UNSATISFIABLE:
            return reply_range(x, NULL, extra, base);
        case HTTP_RANGE_NONE:
            break;
        }
    }
    return reply_plain(x, facts, extra, base);
}

enum exchange_next exchange_serve(struct exchange *x, struct store_object *object,
                                  enum request_result result, enum http_reason reason)
{
    exchange_release(x);
    x->object = object;
    x->source = BYTES_CACHE;
    x->result = (uint8_t)result;
    x->reason = (uint8_t)reason;
    x->coding = HTTP_CODING_IDENTITY;
    x->coding_lookups = 0;
    if (UNLIKELY(x->site->compress.is_used) && exchange_prefers_coding(x)) {
        return exchange_go(x, EXCHANGE_STEP_ENCODE);
    }
    return exchange_open(x);
}

enum exchange_next exchange_open(struct exchange *x)
{
    x->whole = store_object_is_whole(x->object);
    if (!x->whole) {
        x->reader = store_reader_open(x->env->store, x->object, 0, false,
                                      loop_mailbox(x->env->loop), exchange_wake, x);
        if (x->reader == NULL) {
            return exchange_fail(x, 503, "too many requests wait for this object");
        }
    }
    return exchange_go(x, EXCHANGE_STEP_REPLY);
}

enum exchange_next exchange_reply(struct exchange *x)
{
    char room[EXTRA_BYTES];
    struct extra extra = {.at = room, .end = room + sizeof(room)};
    const struct http_stored *facts = stored_facts(x->object);
    int64_t now_ms = loop_wall_ms(x->env->loop);
    uint64_t length = store_object_length(x->object);
    if (UNLIKELY((facts->flags & HTTP_STORED_PARTS) != 0)) {
        length = part_total(x->object);
    }
    enum exchange_next denied;
    if (UNLIKELY(x->forwarding != NULL) && !exchange_judge_response(x, length, &denied)) {
        return denied;
    }
    x->status = facts->status;
    x->end_known = length != STORE_LENGTH_UNKNOWN;
    x->end = length;
    x->body_none = x->stream->request->method == HTTP_HEAD || !http_status_has_body(facts->status);
    x->age_s = http_current_age_s(facts, now_ms);
    x->ttl_s = (int64_t)facts->lifetime_s - (int64_t)x->age_s;
    if (UNLIKELY(x->soft_at_ms != 0) && x->result == RESULT_STALE) {
        struct http_stored copy;
        x->ttl_s = http_ttl_s(stored_facts_soft(facts, x->soft_at_ms, &copy), now_ms);
    }
    if (x->origin.fill != NULL) {
        struct fill_figures figures;
        fill_figures(x->origin.fill, &figures);
        x->origin.stored = figures.stored;
        x->origin.status = figures.origin_status;
        if (!x->solo && figures.reason != HTTP_REASON_NONE) {
            x->reason = figures.reason;
        }
        if (figures.had_age) {
            put_age(&extra, x->age_s);
        }
    } else if (x->source == BYTES_CACHE || x->origin.had_age) {
        put_age(&extra, x->age_s);
    }
    if (x->solo && x->origin.stored) {
        x->result = RESULT_MISS;
    }
    if (UNLIKELY(x->status >= 400) && exchange_intercept(x)) {
        return exchange_go(x, EXCHANGE_STEP_ERROR);
    }
    if (UNLIKELY(x->site->compress.is_used) && exchange_varies_by_coding(x, facts)) {
        extra_put(&extra, SPAN("Vary: Accept-Encoding\r\n"));
    }
    if (UNLIKELY(x->origin.sticky_line.len > 0) && x->source == BYTES_ORIGIN && !x->origin.stored) {
        extra_put(&extra, x->origin.sticky_line);
    }
    if (UNLIKELY(is_selective(x, facts))) {
        return reply_selective(x, facts, &extra, room);
    }
    return reply_plain(x, facts, &extra, room);
}

/* ---- a page of our own ---- */

enum exchange_next exchange_fail(struct exchange *x, unsigned status, const char *text)
{
    exchange_release(x);
    if (x->result != RESULT_DENIED) {
        x->result = RESULT_ERROR;
    }
    x->status = (uint16_t)status;
    x->error_text = text;
    x->own = (struct own_page){0};
    return exchange_go(x, EXCHANGE_STEP_ERROR);
}

/* When to try again: a place in the queue is there in a moment, a server that is down is looked at
 * within its check's interval, or when its time out is over. */
static uint32_t retry_after_s(const struct exchange *x, uint32_t code)
{
    const struct conf_origins *pool = site_pool(x->site, x->policy)->conf;
    uint64_t wait_ms = 0;

    if (code == FILL_CODE_NAMELESS) {
        return NAMELESS_RETRY_S;
    }
    if (code == FILL_CODE_DOWN) {
        wait_ms = pool->probe.kind != CONF_PROBE_OFF ? pool->probe.every_ms : pool->eject.time_ms;
    }
    uint64_t wait_s = (wait_ms + 999) / 1000;
    return wait_s == 0 ? 1 : wait_s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (uint32_t)wait_s;
}

/* No origin was asked. */
static enum exchange_next fail_unasked(struct exchange *x, uint32_t code)
{
    bool is_nameless = code == FILL_CODE_NAMELESS;
    bool is_down = code == FILL_CODE_DOWN || is_nameless;

    x->origin.fault = is_nameless ? FETCH_DNS : FETCH_OK;
    x->proxy_error = is_nameless ? HTTP_PROXY_DNS_ERROR
                     : is_down   ? HTTP_PROXY_DESTINATION_UNAVAILABLE
                                 : HTTP_PROXY_CONNECTION_LIMIT_REACHED;
    x->reason = is_down                  ? HTTP_REASON_ORIGIN_DOWN
                : code == FILL_CODE_FULL ? HTTP_REASON_QUEUE_FULL
                                         : HTTP_REASON_QUEUE_TIMEOUT;
    x->retry_after_s = retry_after_s(x, code);
    return exchange_fail(x, 503,
                         UNLIKELY(x->policy->upstream != 0)
                             ? "no parent proxy can be asked at the moment"
                         : is_nameless ? "the origin's name has no address at the moment"
                         : is_down     ? "no origin can be asked at the moment"
                                       : "the origins are busy, please try again");
}

/* "the origin ..." of what may have been a parent. */
static const char *whose_fault(struct exchange *x, const char *text)
{
    const struct span origin = SPAN("the origin");
    bool was_parent = UNLIKELY(x->policy->upstream != 0) && x->origin.has_name &&
                      x->origin.pool == site_pool(x->site, x->policy)->conf->name;

    if (!was_parent || !span_starts(span_str(text), origin)) {
        return text;
    }
    struct span said = arena_printf(&x->arena, "the parent proxy%s%c", text + origin.len, '\0');
    return said.ptr == NULL ? text : said.ptr;
}

/* The rules of a forward proxy deny every address that the server has. */
static enum exchange_next fail_denied(struct exchange *x)
{
    enum exchange_next next = exchange_deny(x, &x->forwarding->verdict);

    x->proxy_error = HTTP_PROXY_DESTINATION_IP_PROHIBITED;
    return next;
}

/* The name of the server a client asked for was not looked up. */
static enum exchange_next fail_unnamed(struct exchange *x, uint32_t code)
{
    bool is_late = code == FILL_CODE_NAME_LATE;

    x->origin.fault = FETCH_DNS;
    x->proxy_error = is_late ? HTTP_PROXY_DNS_TIMEOUT : HTTP_PROXY_DNS_ERROR;
    x->reason = HTTP_REASON_ORIGIN_ERROR;
    x->retry_after_s = is_late ? 0 : 1;
    return exchange_fail(x, is_late ? 504 : 503,
                         is_late ? "the server's name was not looked up in time"
                                 : "too many names are being looked up, please try again");
}

enum exchange_next exchange_fail_fetch(struct exchange *x, uint32_t code)
{
    static const struct {
        uint16_t status;
        enum http_proxy_error error;
        const char *text;
    } map[] = {
        [FETCH_OK] = {502, HTTP_PROXY_INTERNAL_ERROR, "the origin could not be asked"},
        [FETCH_DNS] = {502, HTTP_PROXY_DNS_ERROR, "the origin's name could not be resolved"},
        [FETCH_CONNECT_REFUSED] = {502, HTTP_PROXY_CONNECTION_REFUSED,
                                   "the origin refuses connections"},
        [FETCH_CONNECT_TIMEOUT] = {504, HTTP_PROXY_CONNECTION_TIMEOUT,
                                   "the origin could not be reached in time"},
        [FETCH_TLS_CERTIFICATE] = {502, HTTP_PROXY_TLS_CERTIFICATE_ERROR,
                                   "the origin's certificate is not valid"},
        [FETCH_TLS] = {502, HTTP_PROXY_TLS_PROTOCOL_ERROR, "no TLS with the origin"},
        [FETCH_FIRST_BYTE_TIMEOUT] = {504, HTTP_PROXY_HTTP_RESPONSE_TIMEOUT,
                                      "the origin did not answer in time"},
        [FETCH_IDLE_TIMEOUT] = {504, HTTP_PROXY_CONNECTION_READ_TIMEOUT,
                                "the origin stopped sending"},
        [FETCH_TOTAL_TIMEOUT] = {504, HTTP_PROXY_HTTP_RESPONSE_TIMEOUT, "the origin took too long"},
        [FETCH_CLOSED] = {502, HTTP_PROXY_CONNECTION_TERMINATED,
                          "the origin closed the connection"},
        [FETCH_BAD_RESPONSE] = {502, HTTP_PROXY_HTTP_PROTOCOL_ERROR,
                                "the origin's response was malformed"},
        [FETCH_INCOMPLETE] = {502, HTTP_PROXY_HTTP_RESPONSE_INCOMPLETE,
                              "the origin's response was incomplete"},
        [FETCH_BODY_BAD] = {400, HTTP_PROXY_HTTP_REQUEST_ERROR, "the request body was malformed"},
        [FETCH_OUTGOING] = {502, HTTP_PROXY_CONFIGURATION_ERROR,
                            "this proxy cannot use its outgoing address"},
        [FETCH_INTERNAL] = {502, HTTP_PROXY_INTERNAL_ERROR, "the origin could not be asked"},
    };
    switch (code) {
    case FILL_CODE_TOO_LARGE:
        return exchange_fail(x, 413, "the request body is larger than this proxy accepts");
    case FILL_CODE_QUOTA:
        return exchange_meter_refuse(x);
    case FILL_CODE_DOWN:
    case FILL_CODE_FULL:
    case FILL_CODE_LATE:
    case FILL_CODE_NAMELESS:
        return fail_unasked(x, code);
    case FILL_CODE_NO_TLS:
        x->proxy_error = HTTP_PROXY_CONFIGURATION_ERROR;
        x->reason = HTTP_REASON_RULE;
        return exchange_fail(
            x, 501,
            "https:// URLs are not fetched through parent proxies: ask for a tunnel (CONNECT)");
    case FILL_CODE_LOGIN:
        x->proxy_error = HTTP_PROXY_CONFIGURATION_ERROR;
        x->reason = HTTP_REASON_ORIGIN_ERROR;
        return exchange_fail(x, 502, "the parent proxy does not accept who we say we are");
    case FILL_CODE_DENIED:
        return fail_denied(x);
    case FILL_CODE_NAME_LATE:
    case FILL_CODE_NAMES_BUSY:
        return fail_unnamed(x, code);
    default:
        break;
    }
    size_t i = code == 0 || code > ARRAY_LEN(map) ? FETCH_INTERNAL : code - 1;
    x->origin.fault = (uint8_t)i;
    x->proxy_error = map[i].error;
    x->reason = HTTP_REASON_ORIGIN_ERROR;
    return exchange_fail(x, map[i].status, whose_fault(x, map[i].text));
}
