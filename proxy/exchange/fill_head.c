/*
 * fill_head - what the origin's head means: may it be shared, does it renew what we have, what does
 * it invalidate (RFC 9111 3, 4.3.3, 4.3.4, 4.4). Runs inside the fetch's reading: feeds the store,
 * drives nobody.
 */
#include "base/buf.h"
#include "exchange/fill_private.h"
#include "http/condition.h"
#include "http/head.h"
#include "http/key.h"
#include "http/range.h"
#include "http/status.h"
#include "http/vary.h"
#include "http/vary_limit.h"

static bool is_stale_status(unsigned status)
{
    return status == 500 || status == 502 || status == 503 || status == 504;
}

/* Within the stale-if-error window of what was to be validated? */
static bool may_serve_stale(const struct fill *fill)
{
    struct http_stored room;
    const struct http_stored *facts =
        exchange_facts_soft(exchange_facts(fill->stale), fill->soft_at_ms, &room);
    return http_may_serve_stale_on_error(facts, NULL, loop_wall_ms(fill->env->loop));
}

static uint8_t reason_of(enum http_store_verdict verdict)
{
    static const uint8_t map[] = {
        [HTTP_STORE_OK] = HTTP_REASON_NONE,
        [HTTP_STORE_NO_STORE] = HTTP_REASON_NO_STORE,
        [HTTP_STORE_PRIVATE] = HTTP_REASON_PRIVATE,
        [HTTP_STORE_SET_COOKIE] = HTTP_REASON_SET_COOKIE,
        [HTTP_STORE_VARY_STAR] = HTTP_REASON_VARY_STAR,
        [HTTP_STORE_STATUS] = HTTP_REASON_STATUS,
        [HTTP_STORE_NO_LIFETIME] = HTTP_REASON_NO_LIFETIME,
        [HTTP_STORE_TOO_LARGE] = HTTP_REASON_TOO_LARGE,
        [HTTP_STORE_METHOD] = HTTP_REASON_METHOD,
        [HTTP_STORE_AUTHORIZATION] = HTTP_REASON_AUTHORIZATION,
        [HTTP_STORE_REQUEST_NO_STORE] = HTTP_REASON_REQUEST_NO_STORE,
        [HTTP_STORE_FRAMING] = HTTP_REASON_FRAMING,
    };
    return map[verdict];
}

/* Rules that ask of the response have their say now. */
static void settle_policy(struct fill *fill, const struct http_response *response)
{
    if (LIKELY(!fill->site->rules.has_late)) {
        return;
    }
    struct policy room;
    struct rule_facts facts =
        exchange_rule_facts(fill->request, response->status,
                            http_fields_find(&response->fields, HTTP_FIELD_CONTENT_TYPE));
    fill_set_policy(fill, site_policy(fill->site, &facts, &room));
}

int64_t fill_useless_after_s(const struct http_stored *stored)
{
    if ((stored->flags & (HTTP_STORED_HAS_ETAG | HTTP_STORED_HAS_LAST_MODIFIED)) != 0) {
        return 0;
    }
    uint32_t grace = stored->stale_if_error_s > stored->stale_while_revalidate_s
                         ? stored->stale_if_error_s
                         : stored->stale_while_revalidate_s;
    return stored->response_time_ms / 1000 + stored->lifetime_s + grace;
}

static void put_facts(struct store_head *out, const struct http_stored *stored)
{
    memcpy(out->facts, stored, sizeof(*stored));
    out->useless_after_s = fill_useless_after_s(stored);
    /* A clock that is fast must not make it the latest for long. */
    int64_t receipt_s = stored->response_time_ms / 1000;
    out->date_s = stored->date_s < receipt_s ? stored->date_s : receipt_s;
}

/* RFC 9111 4.3.4. */
enum fetch_flow fill_renew(struct fill *fill, const struct http_response *response)
{
    struct buf head;
    buf_init(&head, FILL_HEAD_LIMIT);
    enum http_merge merged = http_condition_merge_dated(
        &head, store_object_head(fill->stale), response, loop_wall_ms(fill->env->loop) / 1000);
    struct http_field items[EXCHANGE_FIELDS_MAX];
    struct http_response renewed = {.minor_version = 1};
    http_fields_init(&renewed.fields, items, ARRAY_LEN(items));
    if (merged != HTTP_MERGE_DONE ||
        !http_head_read(buf_span(&head), &renewed.status, &renewed.fields)) {
        buf_free(&head);
        fill->restart = true;
        return FETCH_GO;
    }
    settle_policy(fill, &renewed);
    struct http_stored stored;
    const int64_t times_ms[2] = {fill->request_time_ms, loop_wall_ms(fill->env->loop)};
    http_stored_refresh(&stored, &renewed, response, times_ms, &fill->policy.freshness);
    const struct http_stored *before = exchange_facts(fill->stale);
    stored.generation = before->generation;
    stored.flags |= before->flags & (HTTP_STORED_PARTS | HTTP_STORED_PARTS_SOLE);
    struct store_head out = {
        .head = buf_span(&head),
        .selector = store_object_selector(fill->stale),
        .length = store_object_length(fill->stale),
    };
    put_facts(&out, &stored);
    fill->refreshed = store_lead_refresh(&fill->lead, &out);
    fill->figures.stored = true;
    buf_free(&head);
    return FETCH_GO;
}

/* What Vary selects, without what the operator ignores. False: nothing will ever match. */
static bool build_selector(const struct fill *fill, const struct http_response *response,
                           struct buf *selector)
{
    const struct policy *policy = &fill->policy;
    struct span ignore[CONF_FIELDS_MAX + 1];
    struct http_field items[EXCHANGE_FIELDS_MAX + HTTP_VARY_NAMES];
    struct http_fields fields;
    unsigned count = 0;
    if (LIKELY(policy->vary_ignore.count == 0 && !policy->ignore_cookies)) {
        return http_selector_build(selector, &response->fields, &fill->request->fields) !=
               HTTP_VARY_STAR;
    }
    for (; count < policy->vary_ignore.count; count++) {
        ignore[count] = policy->vary_ignore.list[count];
    }
    if (policy->ignore_cookies) {
        ignore[count++] = SPAN("Cookie");
    }
    http_fields_init(&fields, items, ARRAY_LEN(items));
    return http_vary_without(&fields, &response->fields, ignore, count) &&
           http_selector_build(selector, &fields, &fill->request->fields) != HTTP_VARY_STAR;
}

/* Settles whether this response may be shared; a lead that may not goes on as a private one. */
static void settle_sharing(struct fill *fill, const struct http_response *response,
                           struct buf *selector)
{
    enum http_store_verdict verdict;
    struct http_store_request facts;
    http_store_request_of(&facts, fill->request);
    verdict = http_may_store(&facts, response, loop_wall_ms(fill->env->loop) / 1000,
                             &fill->policy.freshness);
    /* Only closing the connection ends this body: a cut one could not be told from a whole one. */
    if (verdict == HTTP_STORE_OK && fill->length == STORE_LENGTH_UNKNOWN && !response->chunked) {
        verdict = HTTP_STORE_FRAMING;
    }
    if (verdict == HTTP_STORE_OK && !build_selector(fill, response, selector)) {
        verdict = HTTP_STORE_VARY_STAR;
    }
    if (verdict == HTTP_STORE_OK && selector->failed) {
        verdict = HTTP_STORE_TOO_LARGE;
    }
    bool is_kept_out = verdict == HTTP_STORE_OK && fill->policy.pass;
    bool is_open =
        verdict == HTTP_STORE_OK && !is_kept_out && (!fill->solo || store_lead_share(fill->lead));
    fill->solo = false;
    if (is_open) {
        fill->figures.stored = true;
        return;
    }
    fill->figures.reason = is_kept_out ? HTTP_REASON_RULE : reason_of(verdict);
    fill->shared = false;
    selector->len = 0;
    /* Storable, but another was first or a purge came: nothing to remember. */
    store_lead_detach(fill->lead,
                      verdict == HTTP_STORE_OK && !is_kept_out ? 0 : fill->policy.hit_for_miss_ms);
}

/* What private="..." keeps out of the store goes to the client whose request brought it. */
static void keep_private(struct fill *fill, const struct http_response *response,
                         struct http_head_options *options)
{
    struct http_directives directives;
    http_directives_of_response(&directives, &response->fields, &fill->policy.freshness.targeted);
    options->private_fields = directives.private_fields;
    if (directives.private_fields.len == 0 || fill->owner == NULL) {
        return;
    }
    struct buf lines;
    buf_init(&lines, FILL_HEAD_LIMIT);
    http_head_write_private(&lines, response, options);
    if (!lines.failed && lines.len > 0) {
        fill->owner->own_lines = arena_copy(&fill->owner->arena, buf_span(&lines));
    }
    buf_free(&lines);
}

/* RFC 9111 3.4: without a strong validator nothing may join what this response brings. */
static uint16_t parts_flags(const struct http_stored *stored, const struct http_fields *fields)
{
    const struct http_validators validators = {
        .etag = http_fields_find(fields, HTTP_FIELD_ETAG),
        .last_modified = http_fields_find(fields, HTTP_FIELD_LAST_MODIFIED),
    };
    return http_strong_validator(stored, &validators).len > 0
               ? HTTP_STORED_PARTS
               : HTTP_STORED_PARTS | HTTP_STORED_PARTS_SOLE;
}

enum fetch_flow fill_publish(struct fill *fill, const struct http_response *response,
                             bool is_parent)
{
    struct buf head;
    struct buf selector;
    buf_init(&head, FILL_HEAD_LIMIT);
    buf_init(&selector, 16384);
    settle_policy(fill, response);
    if (fill->shared) {
        settle_sharing(fill, response, &selector);
    }
    if (is_parent && !fill->shared) {
        buf_free(&selector);
        return fill_fail_later(fill, FILL_CODE_ALONE);
    }
    struct http_stored stored;
    http_stored_init(&stored, response, fill->request_time_ms, loop_wall_ms(fill->env->loop),
                     &fill->policy.freshness);
    stored.generation = ++fill->env->generation;
    stored.generation += stored.generation == 0;
    if (is_parent) {
        stored.flags |= parts_flags(&stored, &response->fields);
        if (!fill_range_lead_part(fill, &stored)) {
            buf_free(&selector);
            store_lead_detach(fill->lead, 0);
            return fill_fail_later(fill, FILL_CODE_ALONE);
        }
    }
    struct http_head_options options = {
        .via = fill->site->via,
        .has_content_length = response->has_content_length,
        .content_length = response->content_length,
        .drop_set_cookie =
            fill->shared && fill->policy.freshness.set_cookie == HTTP_SET_COOKIE_STRIP,
        .date_s = stored.date_s,
    };
    if (fill->shared) {
        keep_private(fill, response, &options);
    }
    http_head_write(&head, response, &options);
    struct store_head out = {
        .head = buf_span(&head),
        .selector = buf_span(&selector),
        .length = is_parent ? 0 : fill->length,
        .max_bytes = fill->policy.freshness.max_object_bytes,
        .max_variants = fill->policy.vary_max,
    };
    put_facts(&out, &stored);
    enum err err = head.failed ? ERR_NOMEM : store_lead_head(fill->lead, &out);
    if (err == ERR_LIMIT && fill->shared) {
        fill->shared = false;
        fill->figures.stored = false;
        fill->figures.reason = HTTP_REASON_TOO_LARGE;
        store_lead_detach(fill->lead, fill->policy.hit_for_miss_ms);
        err = store_lead_head(fill->lead, &out);
    }
    buf_free(&head);
    buf_free(&selector);
    return err == ERR_OK ? FETCH_GO : fill_fail_later(fill, FILL_CODE_INTERNAL);
}

/* A same-origin URI in Location or Content-Location changes too (RFC 9111 4.4). */
static void invalidate_named(struct fill *fill, struct span value)
{
    const struct http_request *request = fill->request;
    struct http_url url = {.scheme = SPAN("http"), .authority = request->authority, .path = value};
    if (value.len == 0) {
        return;
    }
    if (value.ptr[0] != '/' || (value.len > 1 && value.ptr[1] == '/')) {
        if (http_url_parse(value, &url) != NULL || !span_eq_nocase(url.scheme, SPAN("http")) ||
            !span_eq_nocase(http_authority_normal(SPAN("http"), url.authority),
                            http_authority_normal(SPAN("http"), request->authority))) {
            return;
        }
    }
    struct span key = exchange_key_of(&fill->arena, fill->site, request, url.path);
    if (key.ptr != NULL) {
        struct store_purge_result result;
        store_purge_key(fill->env->store, key, STORE_PURGE_HARD, false, false, &result);
    }
}

static void invalidate(struct fill *fill, const struct http_response *response)
{
    struct store_purge_result result;
    store_purge_key(fill->env->store, fill->key.bytes, STORE_PURGE_HARD, false, false, &result);
    invalidate_named(fill, http_fields_find(&response->fields, HTTP_FIELD_LOCATION));
    invalidate_named(fill, http_fields_find(&response->fields, HTTP_FIELD_CONTENT_LOCATION));
}

static uint64_t body_length(const struct fill *fill, const struct http_response *response)
{
    if (fill->request->method == HTTP_HEAD || !http_status_has_body(response->status)) {
        return 0;
    }
    return response->has_content_length ? response->content_length : STORE_LENGTH_UNKNOWN;
}

enum fetch_flow fill_take_head(struct fill *fill, const struct http_response *response)
{
    if (fill->shared && fill->stale != NULL) {
        if (response->status == 304) {
            return fill_renew(fill, response);
        }
        if (is_stale_status(response->status) && may_serve_stale(fill)) {
            return fill_fail_later(fill, FILL_CODE_STALE);
        }
    }
    return fill_publish(fill, response, false);
}

enum fetch_flow fill_on_head(void *ctx, const struct http_response *response)
{
    struct fill *fill = ctx;
    CHECK_OBJ(fill, FILL_MAGIC);
    fill->head_done = true;
    fill->figures.origin_status = (uint16_t)response->status;
    fill->figures.had_age = http_fields_has(&response->fields, HTTP_FIELD_AGE);
    fill->length = body_length(fill, response);
    fill->complete = fill->length == 0;
    if (http_invalidates(fill->request->method, response->status)) {
        invalidate(fill, response);
    }
    return UNLIKELY(fill->has_range) && fill->shared ? fill_range_on_head(fill, response)
                                                     : fill_take_head(fill, response);
}
