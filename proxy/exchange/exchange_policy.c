/*
 * exchange_policy - where the operator's settings (site/rule.h) meet a request: whether the cache is
 * asked, and the head a client gets.
 */
#include "exchange/exchange_private.h"
#include "fill/discretion.h"
#include "http/head.h"
#include "http/upgrade.h"

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

void exchange_policy_late(struct exchange *x)
{
    struct span type = http_head_find(store_object_head(x->object), HTTP_FIELD_CONTENT_TYPE);
    unsigned status = stored_facts(x->object)->status;
    struct rule_facts facts = rule_facts_of(x->stream->request, status, type);
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
