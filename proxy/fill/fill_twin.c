/*
 * fill_twin - what a HEAD response says about the stored response of GET (RFC 9111 4.3.5).
 */
#include "fill/fill_private.h"
#include "fill/part.h"
#include "http/head.h"

/* Those validators and that length which the HEAD response has: are they the stored one's? */
static bool agrees(const struct store_object *stored, const struct http_response *response)
{
    static const enum http_field_id validators[] = {HTTP_FIELD_ETAG, HTTP_FIELD_LAST_MODIFIED};
    for (size_t i = 0; i < ARRAY_LEN(validators); i++) {
        struct span value = http_fields_find(&response->fields, validators[i]);
        if (value.ptr != NULL &&
            !span_eq(value, http_head_find(store_object_head(stored), validators[i]))) {
            return false;
        }
    }
    return !response->has_content_length || response->content_length == part_whole_length(stored);
}

/* As it is, but stale from now on. */
static void make_stale(struct fill *fill)
{
    const struct http_stored *facts = stored_facts(fill->twin);
    struct http_stored stored = *facts;
    struct store_head out = {
        .head = store_object_head(fill->twin),
        .selector = store_object_selector(fill->twin),
        .length = store_object_length(fill->twin),
    };
    uint32_t age_s = http_current_age_s(facts, loop_wall_ms(fill->env->loop));
    stored.lifetime_s = stored.lifetime_s < age_s ? stored.lifetime_s : age_s;
    fill_put_facts(fill, &out, &stored);
    store_object_renew(fill->env->store, fill->twin, &out, fill->request_time_ms);
}

void fill_twin_update(struct fill *fill, const struct http_response *response)
{
    struct http_store_request facts;
    struct fill_renewal renewal;
    if (stored_facts(fill->twin)->status != 200) {
        return;
    }
    if (!agrees(fill->twin, response) || !fill_selects_alike(fill, fill->twin, response)) {
        make_stale(fill);
        return;
    }
    http_store_request_of(&facts, fill->request);
    facts.method = HTTP_GET;
    if (http_may_store(&facts, response, loop_wall_ms(fill->env->loop) / 1000,
                       &fill->policy.freshness) != HTTP_STORE_OK ||
        !fill_renew(fill, fill->twin, response, &renewal)) {
        return;
    }
    renewal.out.selector = store_object_selector(fill->twin);
    renewal.out.length = store_object_length(fill->twin);
    store_object_renew(fill->env->store, fill->twin, &renewal.out, fill->request_time_ms);
    buf_free(&renewal.head);
}
