/* onward - see onward.h. */
#include "site/onward.h"

static struct span host_of(const struct onward *onward, const struct site_pool *pool,
                           const struct policy *policy, const struct http_request *request)
{
    const struct policy_host *host =
        policy->host.from == POLICY_HOST_ORIGINS ? &pool->host : &policy->host;
    switch (host->from) {
    case POLICY_HOST_SERVER:
        return onward->authority;
    case POLICY_HOST_NAME:
        return host->name;
    case POLICY_HOST_CLIENT:
    case POLICY_HOST_ORIGINS:
        break;
    }
    return request->authority;
}

void onward_settle(struct onward *out, struct arena *arena, const struct policy *policy,
                   struct span target)
{
    *out = (struct onward){.target = target};
    if (LIKELY(policy->rewrite.strip.len == 0 && policy->rewrite.add.len == 0)) {
        return;
    }
    char *room = arena_alloc(arena, http_rewrite_bytes(&policy->rewrite, target));
    out->target = room == NULL
                      ? span_of(NULL, 0)
                      : http_rewrite_target(room, target, &policy->rewrite, &out->is_stripped);
}

void onward_choose(struct onward *out, const struct site *site, const struct policy *policy,
                   const struct http_request *request, struct span url)
{
    const char *colon = url.len == 0 ? NULL : memchr(url.ptr, ':', url.len);
    CHECK(colon != NULL); /* "http://host:port" */
    out->scheme = span_of(url.ptr, (size_t)(colon - url.ptr));
    out->authority = span_of(colon + 3, url.len - out->scheme.len - 3);
    out->host = host_of(out, site_pool(site, policy), policy, request);
}

const struct http_response *onward_back(struct arena *arena, const struct policy *policy,
                                        const struct http_request *request,
                                        const struct onward *onward,
                                        const struct http_response *response)
{
    const uint64_t bits =
        http_field_bit(HTTP_FIELD_LOCATION) | http_field_bit(HTTP_FIELD_CONTENT_LOCATION);
    const struct http_fields *fields = &response->fields;
    if (LIKELY((fields->present & bits) == 0) || !policy->redirect_rewrite) {
        return response;
    }
    const struct http_rewrite_back back = {
        .rewrite = {.strip = onward->is_stripped ? policy->rewrite.strip : SPAN(""),
                    .add = policy->rewrite.add},
        .client = request->authority,
        .host = onward->host,
        .server = onward->authority,
        .scheme = onward->scheme,
    };
    struct http_response *copy = arena_alloc(arena, sizeof(*copy));
    struct http_field *items = arena_alloc(arena, fields->count * sizeof(*items));
    if (copy == NULL || items == NULL) {
        return NULL;
    }
    memcpy(items, fields->items, fields->count * sizeof(*items));
    for (unsigned i = 0; i < fields->count; i++) {
        struct http_field *field = &items[i];
        if (field->id != HTTP_FIELD_LOCATION && field->id != HTTP_FIELD_CONTENT_LOCATION) {
            continue;
        }
        char *room = arena_alloc(arena, http_rewrite_reference_bytes(&back, field->value));
        if (room == NULL) {
            return NULL;
        }
        field->value = http_rewrite_reference(room, field->value, &back);
    }
    *copy = *response;
    copy->fields.items = items;
    return copy;
}
