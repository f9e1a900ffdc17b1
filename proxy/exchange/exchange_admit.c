/*
 * exchange_admit - may this request enter, whose is it, may the cache be asked (RFC 9110 7.4, 7.6,
 * 9; RFC 9111 section 4, first list).
 */
#include "base/mem.h"
#include "exchange/exchange_forward.h"
#include "exchange/exchange_private.h"
#include "exchange/exchange_tunnel.h"
#include "fill/discretion.h"
#include "http/key.h"
#include "net/listener.h"
#include "site/loop.h"
#include "site/maintenance.h"
#include "site/site_key.h"
#include "site/site_path.h"

/* Writes the primary key. False: longer than the arena. */
static bool make_key(struct exchange *x)
{
    const struct http_request *request = x->stream->request;
    x->target = site_target(&x->arena, x->policy, request->path);
    if (x->target.ptr == NULL && request->path.len > 0) {
        return false;
    }
    size_t bytes = site_key_bytes(x->site, request, x->target);
    char *room = bytes <= sizeof(x->key_inline) ? x->key_inline : arena_alloc(&x->arena, bytes);
    if (room == NULL) {
        return false;
    }
    x->key = store_key_of(x->env->store, site_key_write(room, x->site, request, x->target));
    return true;
}

/* Of the same address for clients of the other scheme. */
static struct span other_key(struct exchange *x)
{
    struct http_request request = *x->stream->request;
    request.authority = http_authority_normal(request.scheme, request.authority);
    request.scheme = request.scheme.len == 5 ? SPAN("http") : SPAN("https");
    return site_key_of(&x->arena, x->site, &request, request.path);
}

enum exchange_next exchange_purge(struct exchange *x)
{
    const struct conf_networks *from = &x->site->conf->cache.purge_from;
    if (from->count == 0) {
        return exchange_fail(x, 405,
                             "PURGE is not enabled for this site (cache { purge from ...; })");
    }
    if (!conf_networks_match(from, (const struct sockaddr *)x->client.address)) {
        x->result = RESULT_DENIED;
        return exchange_fail(x, 403, "this address may not purge");
    }
    const struct http_fields *fields = &x->stream->request->fields;
    struct span soft = http_fields_find_name(fields, SPAN("Soft-Purge"));
    if (soft.ptr == NULL) {
        soft = http_fields_find_name(fields, SPAN("Fastly-Soft-Purge"));
    }
    const struct span keys[2] = {x->key.bytes, other_key(x)};
    struct store_purge_result result = {0};
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        struct store_purge_result found;
        if (keys[i].ptr == NULL) {
            return exchange_fail(x, 414, "the target is too long");
        }
        store_purge_key(x->env->store, keys[i],
                        span_eq(soft, SPAN("1")) ? STORE_PURGE_SOFT : STORE_PURGE_HARD, false,
                        false, &found);
        result.objects += found.objects;
        result.bytes += found.bytes;
        result.in_flight += found.in_flight;
    }
    struct span text =
        arena_printf(&x->arena, "{\"matched\":%llu,\"bytes\":%llu,\"in_flight\":%llu}\n",
                     (unsigned long long)result.objects, (unsigned long long)result.bytes,
                     (unsigned long long)result.in_flight);
    x->result = RESULT_SYNTHETIC;
    x->status = 200;
    x->own = (struct own_page){.body = text.ptr == NULL ? SPAN("{}\n") : text,
                               .type = "application/json",
                               .lines = SPAN("Cache-Control: no-store\r\n")};
    return exchange_go(x, EXCHANGE_STEP_ERROR);
}

static enum exchange_next pass_because(struct exchange *x, enum http_reason reason)
{
    x->reason = (uint8_t)reason;
    x->forward = reason == HTTP_REASON_METHOD         ? HTTP_FORWARD_METHOD
                 : reason == HTTP_REASON_PRECONDITION ? HTTP_FORWARD_REQUEST
                                                      : HTTP_FORWARD_BYPASS;
    x->result = RESULT_PASS;
    return exchange_go(x, EXCHANGE_STEP_PASS);
}

/* RFC 9110 7.6.2: the client wants to know what stands at this place of the chain. */
static enum exchange_next answer_options(struct exchange *x)
{
    x->result = RESULT_SYNTHETIC;
    x->status = 200;
    x->own = (struct own_page){
        .body = SPAN(""),
        .lines = SPAN(
            "Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\nCache-Control: no-store\r\n")};
    return exchange_go(x, EXCHANGE_STEP_ERROR);
}

/* Does the request go no further, whatever the site's settings say? */
static bool ends_here(struct exchange *x, enum exchange_next *next)
{
    const struct http_request *request = x->stream->request;
    uint64_t forwards;
    bool is_connect = request->method == HTTP_CONNECT;
    if ((is_connect && x->forwarding == NULL) || request->method == HTTP_TRACE) {
        *next = exchange_fail(x, 405, "this method is not allowed here");
    } else if (loop_is_closed(&request->fields, x->site)) {
        x->proxy_error = HTTP_PROXY_LOOP_DETECTED;
        *next = exchange_fail(x, 508, "the request came back to this proxy");
    } else if (UNLIKELY(request->method == HTTP_OPTIONS) &&
               http_max_forwards(&request->fields, &forwards) && forwards == 0) {
        *next = answer_options(x);
    } else if (UNLIKELY(is_connect)) {
        if (!maintenance_is_on(x->env->maintenance, x->site->slot) ||
            !exchange_maintenance(x, HTTP_REASON_METHOD, next)) {
            *next = exchange_go(x, EXCHANGE_STEP_CONNECT);
        }
    } else {
        return false;
    }
    return true;
}

enum exchange_next exchange_admit(struct exchange *x)
{
    struct exchange_env *env = x->env;
    const struct http_request *request = x->stream->request;
    x->table = site_table_ref(env->sites);
    const struct site *forward = site_table_forward(x->table, listener_index(x->stream->listener));
    if (UNLIKELY(forward != NULL)) {
        x->site = forward;
        x->policy = &forward->policy;
        return exchange_go(x, EXCHANGE_STEP_FORWARD);
    }
    x->site = site_table_find(x->table, request->authority);
    bool is_understood = exchange_client_settle(x);
    if (x->site == NULL) {
        return exchange_fail(x, 421, "no site of this name here");
    }
    return exchange_enter(x, is_understood);
}

enum exchange_next exchange_enter(struct exchange *x, bool is_understood)
{
    struct exchange_env *env = x->env;
    const struct http_request *request = x->stream->request;
    x->policy = &x->site->policy;
    const char *fault = is_understood ? site_path_settle(&x->arena, x->site, x->stream->request)
                                      : "its Forwarded is malformed";
    if (UNLIKELY(fault != NULL)) {
        x->reason = is_understood ? HTTP_REASON_PATH : HTTP_REASON_NONE;
        return exchange_fail(x, 400, fault);
    }
    if (UNLIKELY(x->site->rules.count > 0)) {
        struct rule_facts facts = rule_facts_of(request, 0, span_of(NULL, 0));
        x->policy = site_policy(x->site, &facts, &x->policy_room);
    }
    enum exchange_next refused;
    if (UNLIKELY(x->policy->upstream != 0) && !exchange_judge_parent(x, &refused)) {
        return refused;
    }
    if (UNLIKELY(x->site->guards.is_used) && !exchange_guard(x, &refused)) {
        return refused;
    }
    enum exchange_next answered;
    if (ends_here(x, &answered)) {
        return answered;
    }
    if (!make_key(x)) {
        return exchange_fail(x, 414, "the target is too long");
    }
    if (request->method == HTTP_PURGE) {
        return exchange_purge(x);
    }
    if (UNLIKELY(x->policy->redirect != NULL || x->policy->respond != NULL) &&
        exchange_answer(x, &answered)) {
        return answered;
    }
    enum http_reason reason = exchange_pass_reason(request, x->policy);
    if (UNLIKELY(x->site->identity == SITE_TRANSPARENT) && reason == HTTP_REASON_NONE &&
        discretion_is_claim(x->site, request)) {
        reason = HTTP_REASON_CLAIM;
    }
    exchange_directives(&x->directives, request, x->policy);
    if (UNLIKELY(maintenance_is_on(env->maintenance, x->site->slot)) &&
        exchange_maintenance(x, reason, &answered)) {
        return answered;
    }
    if (reason == HTTP_REASON_PRECONDITION &&
        http_directives_has(&x->directives, HTTP_CC_ONLY_IF_CACHED)) {
        return exchange_fail(x, 504, "only-if-cached, and its condition is the origin's");
    }
    if (UNLIKELY(reason == HTTP_REASON_UPGRADE) && !exchange_tunnel_offer(x)) {
        return exchange_fail(x, 500, "the request's head is too large to be changed");
    }
    if (reason != HTTP_REASON_NONE) {
        return pass_because(x, reason);
    }
    return exchange_go(x, EXCHANGE_STEP_LOOKUP);
}
