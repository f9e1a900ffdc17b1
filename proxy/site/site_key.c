/* site_key - see site_key.h. */
#include "site/site_key.h"

#include <string.h>

#include "http/key.h"
#include "site/site_path.h"

struct span site_target(struct arena *arena, const struct policy *policy, struct span target)
{
    if (LIKELY(!http_query_applies(&policy->query, target))) {
        return target;
    }
    char *room = arena_alloc(arena, http_query_room(target));
    return room == NULL ? span_of(NULL, 0) : http_query_normal(room, target, &policy->query);
}

struct span site_key_of(struct arena *arena, const struct site *site,
                        const struct http_request *request, struct span path)
{
    struct policy room;
    struct rule_facts facts = rule_facts_of(request, 0, span_of(NULL, 0));
    path = site_path_folded(arena, site, path);
    if (path.ptr == NULL) {
        return path;
    }
    facts.target = path;
    struct span target = site_target(arena, site_policy(site, &facts, &room), path);
    char *key = arena_alloc(arena, site_key_bytes(site, request, target));
    return target.ptr == NULL || key == NULL ? span_of(NULL, 0)
                                             : site_key_write(key, site, request, target);
}

size_t site_key_bytes(const struct site *site, const struct http_request *request,
                      struct span target)
{
    return site->key_prefix.len + http_key_bytes(SPAN("https"), request->authority, target);
}

struct span site_key_write(char *out, const struct site *site, const struct http_request *request,
                           struct span target)
{
    struct span scheme = request->scheme.len == 5 ? SPAN("https") : SPAN("http");
    size_t before = site->key_prefix.len;
    if (UNLIKELY(before > 0)) {
        memcpy(out, site->key_prefix.ptr, before);
    }
    struct span key = http_key_write(out + before, scheme, request->authority, target);
    return span_of(out, before + key.len);
}
