/*
 * exchange_policy - where the operator's settings (rule.h) meet a request: the target that counts,
 * and the head a client gets.
 */
#include "exchange/exchange_private.h"
#include "http/head.h"
#include "http/key.h"

struct rule_facts exchange_rule_facts(const struct http_request *request, unsigned status,
                                      struct span type)
{
    return (struct rule_facts){
        .method = request->method_text,
        .target = request->path,
        .request = &request->fields,
        .status = status,
        .type = type,
    };
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
    struct span scheme = request->scheme.len == 5 ? SPAN("https") : SPAN("http");
    struct rule_facts facts = exchange_rule_facts(request, 0, span_of(NULL, 0));
    facts.target = path;
    struct span target = exchange_target(arena, site_policy(site, &facts, &room), path);
    char *key = arena_alloc(arena, http_key_bytes(scheme, request->authority, target));
    if (target.ptr == NULL || key == NULL) {
        return span_of(NULL, 0);
    }
    return http_key_write(key, scheme, request->authority, target);
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
    return http_lines_join(&lines, line);
}
