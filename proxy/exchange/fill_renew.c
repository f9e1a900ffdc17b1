/*
 * fill_renew - what is stored, confirmed by a 304 or what is as good (RFC 9111 3.2, 4.3.4): its head
 * and facts from now on. What may not be shared any more, is chosen by other request fields, or
 * speaks of other bytes, is no confirmation: the caller fetches anew.
 */
#include "exchange/fill_private.h"
#include "exchange/part.h"
#include "http/condition.h"
#include "http/date.h"
#include "http/head.h"

/* It may say private or no-store by now, or bring fields that are for the one who asked. */
static bool may_share(const struct fill *fill, const struct http_response *merged)
{
    struct http_store_request facts;
    http_store_request_of(&facts, fill->request);
    facts.method = HTTP_GET; /* a HEAD, that speaks of what GET has */
    return !fill->policy.pass &&
           http_may_store(&facts, merged, loop_wall_ms(fill->env->loop) / 1000,
                          &fill->policy.freshness) == HTTP_STORE_OK;
}

/* Does Vary name what it named before? The stored selector knows nothing of other fields. */
static bool keeps_vary(const struct fill *fill, const struct store_object *base,
                       const struct http_response *merged)
{
    struct http_field items[EXCHANGE_FIELDS_MAX];
    struct http_response stored = {.minor_version = 1};
    struct buf selectors[2];
    if ((exchange_facts(base)->flags & HTTP_STORED_VARIES) == 0 &&
        !http_fields_has(&merged->fields, HTTP_FIELD_VARY)) {
        return true;
    }
    buf_init(&selectors[0], FILL_SELECTOR_LIMIT);
    buf_init(&selectors[1], FILL_SELECTOR_LIMIT);
    http_fields_init(&stored.fields, items, ARRAY_LEN(items));
    bool is_same = http_head_read(store_object_head(base), &stored.status, &stored.fields) &&
                   fill_build_selector(fill, &stored, &selectors[0]) &&
                   fill_build_selector(fill, merged, &selectors[1]) && !selectors[0].failed &&
                   !selectors[1].failed &&
                   span_eq(buf_span(&selectors[0]), buf_span(&selectors[1]));
    buf_free(&selectors[0]);
    buf_free(&selectors[1]);
    return is_same;
}

/* Parts go on under their validator: with another date than theirs it speaks of another file. */
static bool keeps_validator(const struct store_object *base, const struct http_stored *stored,
                            const struct http_fields *fields)
{
    const struct http_validators validators = {
        .etag = http_fields_find(fields, HTTP_FIELD_ETAG),
        .last_modified = http_fields_find(fields, HTTP_FIELD_LAST_MODIFIED),
    };
    return (stored->flags & HTTP_STORED_PARTS) == 0 ||
           span_eq(http_strong_validator(stored, &validators), part_validator(base));
}

/* Head and fields of the two together, without what private="..." names. */
static bool renewal_merge(struct fill *fill, const struct store_object *base,
                          const struct http_response *response, struct fill_renewal *renewal)
{
    struct http_response *merged = &renewal->merged;
    struct buf all;
    buf_init(&all, FILL_HEAD_LIMIT);
    *merged = (struct http_response){.minor_version = 1};
    http_fields_init(&merged->fields, renewal->items, ARRAY_LEN(renewal->items));
    bool is_done =
        http_condition_merge_dated(&all, store_object_head(base), response,
                                   loop_wall_ms(fill->env->loop) / 1000) == HTTP_MERGE_DONE &&
        http_head_write_shared(&renewal->head, buf_span(&all), &fill->policy.freshness.targeted) &&
        http_head_read(buf_span(&renewal->head), &merged->status, &merged->fields);
    buf_free(&all);
    return is_done;
}

bool fill_renew(struct fill *fill, const struct store_object *base,
                const struct http_response *response, struct fill_renewal *renewal)
{
    const int64_t times_ms[2] = {fill->request_time_ms, loop_wall_ms(fill->env->loop)};
    struct http_response *merged = &renewal->merged;
    struct http_stored stored;
    buf_init(&renewal->head, FILL_HEAD_LIMIT);
    bool is_good = renewal_merge(fill, base, response, renewal);
    if (is_good) {
        fill_settle_policy(fill, merged);
        http_stored_refresh(&stored, merged, response, times_ms, &fill->policy.freshness);
        stored.generation = exchange_facts(base)->generation;
        stored.flags |= exchange_facts(base)->flags & (HTTP_STORED_PARTS | HTTP_STORED_PARTS_SOLE);
        is_good = may_share(fill, merged) && keeps_vary(fill, base, merged) &&
                  keeps_validator(base, &stored, &merged->fields);
    }
    if (!is_good) {
        buf_free(&renewal->head);
        return false;
    }
    if ((stored.flags & HTTP_STORED_PARTS) == 0) {
        fill_note_compressible(fill, &stored, merged);
    }
    renewal->out = (struct store_head){.head = buf_span(&renewal->head)};
    fill_put_facts(fill, &renewal->out, &stored);
    return true;
}

enum fetch_flow fill_on_not_modified(struct fill *fill, const struct http_response *response)
{
    struct fill_renewal renewal;
    struct http_head_options options = {.date_s = HTTP_DATE_NONE};
    if (!fill_renew(fill, fill->stale, response, &renewal)) {
        if (fill_is_outdated(fill)) {
            store_lead_supersede(fill->lead);
        }
        fill->restart = true;
        return FETCH_GO;
    }
    fill_keep_private(fill, response, &options);
    renewal.out.selector = store_object_selector(fill->stale);
    renewal.out.length = store_object_length(fill->stale);
    fill->refreshed = store_lead_refresh(&fill->lead, &renewal.out);
    fill->figures.stored = true;
    buf_free(&renewal.head);
    return FETCH_GO;
}
