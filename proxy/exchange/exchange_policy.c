/*
 * exchange_policy - where the operator's settings (rule.h) meet a request: the target that counts,
 * and the head a client gets.
 */
#include "exchange/discretion.h"
#include "exchange/exchange_private.h"
#include "http/head.h"
#include "http/key.h"
#include "http/upgrade.h"

struct rule_facts exchange_rule_facts(const struct http_request *request, unsigned status,
                                      struct span type)
{
    return (struct rule_facts){
        .method = request->method_text,
        .target = request->path,
        .authority = request->authority,
        .request = &request->fields,
        .status = status,
        .type = type,
    };
}

/* RFC 9111 4.3.2: these conditions are about the origin's own state. */
static bool is_for_origin(const struct http_request *request)
{
    const uint64_t bits =
        http_field_bit(HTTP_FIELD_IF_MATCH) | http_field_bit(HTTP_FIELD_IF_UNMODIFIED_SINCE);
    return (request->fields.present & bits) != 0;
}

enum http_reason exchange_pass_reason(const struct http_request *request,
                                      const struct policy *policy)
{
    if (UNLIKELY(policy->upgrade.count > 0) &&
        http_upgrade_is_offered(request, policy->upgrade.list, policy->upgrade.count)) {
        return HTTP_REASON_UPGRADE;
    }
    if (request->method != HTTP_GET && request->method != HTTP_HEAD) {
        return HTTP_REASON_METHOD;
    }
    if (policy->pass || request->body != HTTP_BODY_NONE) {
        return HTTP_REASON_RULE;
    }
    return UNLIKELY(is_for_origin(request)) ? HTTP_REASON_PRECONDITION : HTTP_REASON_NONE;
}

void exchange_directives(struct http_directives *directives, const struct http_request *request,
                         const struct policy *policy)
{
    http_directives_of_request(directives, &request->fields);
    if (!policy->client_revalidate) {
        directives->flags &= HTTP_CC_NO_STORE | HTTP_CC_ONLY_IF_CACHED | HTTP_CC_MAX_STALE |
                             HTTP_CC_STALE_IF_ERROR | HTTP_CC_NO_TRANSFORM;
    }
}

void exchange_fill_policy(struct policy *out, const struct policy *policy, bool looked_up)
{
    *out = *policy;
    if (!looked_up) {
        out->ignore_cookies = false; /* the cache has no say in this one */
    }
    if (out->ignore_cookies) {
        out->freshness.set_cookie = HTTP_SET_COOKIE_STRIP;
    }
}

struct span exchange_target(struct arena *arena, const struct policy *policy, struct span target)
{
    if (LIKELY(!http_query_applies(&policy->query, target))) {
        return target;
    }
    char *room = arena_alloc(arena, http_query_room(target));
    return room == NULL ? span_of(NULL, 0) : http_query_normal(room, target, &policy->query);
}

struct span exchange_key_of(struct arena *arena, const struct site *site,
                            const struct http_request *request, struct span path)
{
    struct policy room;
    struct rule_facts facts = exchange_rule_facts(request, 0, span_of(NULL, 0));
    path = exchange_path_folded(arena, site, path);
    if (path.ptr == NULL) {
        return path;
    }
    facts.target = path;
    struct span target = exchange_target(arena, site_policy(site, &facts, &room), path);
    char *key = arena_alloc(arena, exchange_key_bytes(site, request, target));
    return target.ptr == NULL || key == NULL ? span_of(NULL, 0)
                                             : exchange_key_write(key, site, request, target);
}

size_t exchange_key_bytes(const struct site *site, const struct http_request *request,
                          struct span target)
{
    return site->key_prefix.len + http_key_bytes(SPAN("https"), request->authority, target);
}

struct span exchange_key_write(char *out, const struct site *site,
                               const struct http_request *request, struct span target)
{
    struct span scheme = request->scheme.len == 5 ? SPAN("https") : SPAN("http");
    size_t before = site->key_prefix.len;
    if (UNLIKELY(before > 0)) {
        memcpy(out, site->key_prefix.ptr, before);
    }
    struct span key = http_key_write(out + before, scheme, request->authority, target);
    return span_of(out, before + key.len);
}

void exchange_policy_late(struct exchange *x)
{
    struct span type = http_head_find(store_object_head(x->object), HTTP_FIELD_CONTENT_TYPE);
    unsigned status = exchange_facts(x->object)->status;
    struct rule_facts facts = exchange_rule_facts(x->stream->request, status, type);
    x->policy = site_policy(x->site, &facts, &x->policy_room);
}

struct span exchange_edit_head(struct exchange *x, struct span head)
{
    struct http_lines lines;
    struct span line;
    unsigned extra = x->policy->edit_count[CONF_HEADER_RESPONSE];
    if (!http_lines_split(&lines, &x->arena, head, extra, &line)) {
        return span_of(NULL, 0);
    }
    rules_edit(&x->site->rules, &x->site->edits, x->policy, CONF_HEADER_RESPONSE, &lines);
    if (UNLIKELY(discretion_is_cookieless(x->policy, x->stream->request))) {
        const struct http_edit edit = {.action = HTTP_EDIT_REMOVE, .name = SPAN("Set-Cookie")};
        http_lines_edit(&lines, &edit);
    }
    return http_lines_join(&lines, line);
}
