/*
 * fill_apart - the answer to a POST that is the representation of its target as well: stored for a
 * later GET (RFC 9110 9.3.3, RFC 9111 section 4, first list).
 */
#include "fill/fill_private.h"
#include "http/method.h"

/* Explicit freshness, and the target's own URI in Content-Location. */
static bool is_for_get(struct fill *fill, const struct http_response *response)
{
    struct http_stored stored;
    const struct span location = http_fields_find(&response->fields, HTTP_FIELD_CONTENT_LOCATION);
    if ((response->status != 200 && response->status != 203) || location.len == 0) {
        return false;
    }
    int64_t now_ms = loop_wall_ms(fill->env->loop);
    http_stored_init(&stored, response, fill->request_time_ms, now_ms, &fill->policy.freshness);
    return stored.source != HTTP_LIFETIME_NONE && stored.source != HTTP_LIFETIME_DEFAULT &&
           stored.source != HTTP_LIFETIME_HEURISTIC && stored.source != HTTP_LIFETIME_RULE &&
           http_ttl_s(&stored, now_ms) > 0 && fill_is_target(fill, location);
}

void fill_apart_settle(struct fill *fill, const struct http_response *response,
                       struct buf *selector)
{
    bool is_open = false;
    fill->apart = false;
    if (!fill->policy.pass && is_for_get(fill, response)) {
        struct http_store_request facts;
        http_store_request_of(&facts, fill->request);
        facts.method = HTTP_GET;
        facts.has_content = false;
        is_open = fill_judge_storing(fill, &facts, response, selector) == HTTP_STORE_OK &&
                  store_lead_share(fill->lead);
    }
    fill->shared = is_open;
    fill->figures.stored = is_open;
    if (!is_open) {
        selector->len = 0;
        store_lead_detach(fill->lead, 0);
    }
}
