/*
 * fill_head - what the origin's head means: may it be shared, does it renew what we have (RFC 9111 3,
 * 4.3.3, 4.3.4). Runs inside the fetch's reading: feeds the store, drives nobody.
 */
#include "fill/discretion.h"
#include "fill/fill_private.h"
#include "fill/part.h"
#include "http/coding.h"
#include "http/condition.h"
#include "http/date.h"
#include "http/head.h"
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
        stored_facts_soft(stored_facts(fill->stale), fill->soft_at_ms, &room);
    return http_may_serve_stale_on_error(facts, &fill->directives, loop_wall_ms(fill->env->loop));
}

/* Out of date by itself, not by its client's wish. */
static bool is_outdated(const struct fill *fill)
{
    struct http_stored room;
    const struct http_stored *facts =
        stored_facts_soft(stored_facts(fill->stale), fill->soft_at_ms, &room);
    return http_ttl_s(facts, loop_wall_ms(fill->env->loop)) <= 0;
}

/* RFC 5861 section 3, RFC 9111 4.3.3: a full response takes the place of what it was to renew, also
 * when it is not stored itself. An error of the origin does not count as one. */
static void supersede(struct fill *fill, unsigned status)
{
    if (fill->stale != NULL && !is_stale_status(status) && is_outdated(fill)) {
        store_lead_supersede(fill->lead);
    }
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
        [HTTP_STORE_STREAM] = HTTP_REASON_STREAM,
    };
    return map[verdict];
}

void fill_settle_policy(struct fill *fill, const struct http_response *response)
{
    if (LIKELY(!fill->site->rules.has_late)) {
        return;
    }
    struct policy room;
    struct rule_facts facts =
        rule_facts_of(fill->request, response->status,
                      http_fields_find(&response->fields, HTTP_FIELD_CONTENT_TYPE));
    unsigned upstream = fill->policy.upstream; /* settled, and it may have failed */
    policy_for_origin(&fill->policy, site_policy(fill->site, &facts, &room), fill->has_lookup);
    fill->policy.upstream = upstream;
    if (fill->fetch != NULL) {
        const struct fetch_patience patience = fill_patience(fill);
        fetch_be_patient(fill->fetch, &patience);
    }
}

/* Without a validator it is of use while it may be sent: fresh, in a window, or for an origin that is
 * away. */
int64_t fill_useless_after_s(const struct fill *fill, const struct http_stored *stored)
{
    const uint16_t never_stale = HTTP_STORED_MUST_REVALIDATE | HTTP_STORED_NO_CACHE;
    if ((stored->flags & (HTTP_STORED_HAS_ETAG | HTTP_STORED_HAS_LAST_MODIFIED)) != 0) {
        return 0;
    }
    uint32_t grace = stored->stale_if_error_s > stored->stale_while_revalidate_s
                         ? stored->stale_if_error_s
                         : stored->stale_while_revalidate_s;
    if (fill->policy.serve_stale && (stored->flags & never_stale) == 0 && grace < FILL_AWAY_S) {
        grace = FILL_AWAY_S;
    }
    return stored->response_time_ms / 1000 + stored->lifetime_s + grace;
}

void fill_put_facts(const struct fill *fill, struct store_head *out,
                    const struct http_stored *stored)
{
    memcpy(out->facts, stored, sizeof(*stored));
    out->useless_after_s = fill_useless_after_s(fill, stored);
    /* A clock that is fast must not make it the latest for long. */
    int64_t receipt_s = stored->response_time_ms / 1000;
    out->date_s = stored->date_s < receipt_s ? stored->date_s : receipt_s;
}

/* Also where the site does not compress now: what is stored outlives its settings. */
static void note_compressible(const struct fill *fill, struct http_stored *stored,
                              const struct http_response *response)
{
    if (http_may_encode(response, &fill->site->compress.types, &fill->policy.freshness.targeted)) {
        stored->flags |= HTTP_STORED_COMPRESSIBLE;
    }
}

/* What private="..." names is for the client whose request brought it. */
static bool keep_shared(const struct fill *fill, struct fill_renewal *renewal)
{
    struct http_directives directives;
    struct http_response *merged = &renewal->merged;
    struct buf shared;
    http_directives_of_response(&directives, &merged->fields, &fill->policy.freshness.targeted);
    if (LIKELY(directives.private_fields.len == 0)) {
        return true;
    }
    buf_init(&shared, FILL_HEAD_LIMIT);
    bool done =
        http_head_write_shared(&shared, buf_span(&renewal->head), &fill->policy.freshness.targeted);
    buf_free(&renewal->head);
    renewal->head = shared;
    http_fields_init(&merged->fields, renewal->items, ARRAY_LEN(renewal->items));
    return done && http_head_read(buf_span(&renewal->head), &merged->status, &merged->fields);
}

static struct span strong_validator(const struct http_stored *stored,
                                    const struct http_fields *fields)
{
    const struct http_validators validators = {
        .etag = http_fields_find(fields, HTTP_FIELD_ETAG),
        .last_modified = http_fields_find(fields, HTTP_FIELD_LAST_MODIFIED),
    };
    return http_strong_validator(stored, &validators);
}

/* May what the confirmation made of it be shared (RFC 9111 3)? It may say private or no-store by now,
 * or bring fields that are for the one who asked. */
static bool may_keep_renewed(const struct fill *fill, const struct http_response *merged)
{
    struct http_store_request facts;
    http_store_request_of(&facts, fill->request);
    facts.method = HTTP_GET; /* a HEAD, that speaks of what GET has */
    return !fill->policy.pass &&
           http_may_store(&facts, merged, loop_wall_ms(fill->env->loop) / 1000,
                          &fill->policy.freshness) == HTTP_STORE_OK;
}

/* Parts go on under their validator: with another date than theirs it speaks of another file. */
static bool keeps_validator(const struct store_object *base, const struct http_stored *stored,
                            const struct http_fields *fields)
{
    return (stored->flags & HTTP_STORED_PARTS) == 0 ||
           span_eq(strong_validator(stored, fields), part_validator(base));
}

bool fill_renew(struct fill *fill, const struct store_object *base,
                const struct http_response *response, struct fill_renewal *renewal)
{
    const int64_t times_ms[2] = {fill->request_time_ms, loop_wall_ms(fill->env->loop)};
    struct http_response *merged = &renewal->merged;
    struct http_stored stored;
    buf_init(&renewal->head, FILL_HEAD_LIMIT);
    *merged = (struct http_response){.minor_version = 1};
    http_fields_init(&merged->fields, renewal->items, ARRAY_LEN(renewal->items));
    if (http_condition_merge_dated(&renewal->head, store_object_head(base), response,
                                   times_ms[1] / 1000) != HTTP_MERGE_DONE ||
        !http_head_read(buf_span(&renewal->head), &merged->status, &merged->fields) ||
        !keep_shared(fill, renewal)) {
        buf_free(&renewal->head);
        return false;
    }
    fill_settle_policy(fill, merged);
    if (!may_keep_renewed(fill, merged)) {
        buf_free(&renewal->head);
        return false;
    }
    http_stored_refresh(&stored, merged, response, times_ms, &fill->policy.freshness);
    stored.generation = stored_facts(base)->generation;
    stored.flags |= stored_facts(base)->flags & (HTTP_STORED_PARTS | HTTP_STORED_PARTS_SOLE);
    if (!keeps_validator(base, &stored, &merged->fields)) {
        buf_free(&renewal->head);
        return false;
    }
    if ((stored.flags & HTTP_STORED_PARTS) == 0) {
        note_compressible(fill, &stored, merged);
    }
    renewal->out = (struct store_head){.head = buf_span(&renewal->head)};
    fill_put_facts(fill, &renewal->out, &stored);
    return true;
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
        fill->owner->own_lines = arena_copy(fill->owner->arena, buf_span(&lines));
    }
    buf_free(&lines);
}

/* RFC 9111 4.3.4. */
enum fetch_flow fill_on_not_modified(struct fill *fill, const struct http_response *response)
{
    struct fill_renewal renewal;
    struct http_head_options options = {.date_s = HTTP_DATE_NONE};
    bool renews = fill_renew(fill, fill->stale, response, &renewal);
    if (renews && !fill_selects_alike(fill, fill->stale, response)) {
        /* It is for others from now on: only a whole answer can tell for whom. */
        buf_free(&renewal.head);
        renews = false;
    }
    if (!renews) {
        if (is_outdated(fill)) {
            store_lead_supersede(fill->lead);
        }
        fill->restart = true;
        return FETCH_GO;
    }
    keep_private(fill, response, &options);
    renewal.out.selector = store_object_selector(fill->stale);
    renewal.out.length = store_object_length(fill->stale);
    fill->refreshed = store_lead_refresh(&fill->lead, &renewal.out);
    fill->figures.stored = true;
    buf_free(&renewal.head);
    return FETCH_GO;
}

enum http_store_verdict fill_judge_storing(const struct fill *fill,
                                           const struct http_store_request *request,
                                           const struct http_response *response,
                                           struct buf *selector)
{
    enum http_store_verdict verdict = http_may_store(
        request, response, loop_wall_ms(fill->env->loop) / 1000, &fill->policy.freshness);
    /* Only closing the connection ends this body: a cut one could not be told from a whole one. */
    if (verdict == HTTP_STORE_OK && fill->length == STORE_LENGTH_UNKNOWN && !response->chunked) {
        verdict = HTTP_STORE_FRAMING;
    }
    if (verdict == HTTP_STORE_OK && !fill_build_selector(fill, response, selector)) {
        verdict = HTTP_STORE_VARY_STAR;
    }
    if (verdict == HTTP_STORE_OK && selector->failed) {
        verdict = HTTP_STORE_TOO_LARGE;
    }
    return verdict;
}

/* Settles whether this response may be shared; a lead that may not goes on as a private one. */
static void settle_sharing(struct fill *fill, const struct http_response *response,
                           struct buf *selector)
{
    struct http_store_request facts;
    http_store_request_of(&facts, fill->request);
    enum http_store_verdict verdict = fill_judge_storing(fill, &facts, response, selector);
    bool is_kept_out = verdict == HTTP_STORE_OK && fill->policy.pass;
    bool is_open =
        verdict == HTTP_STORE_OK && !is_kept_out && (!fill->solo || store_lead_share(fill->lead));
    fill->solo = false;
    if (is_open) {
        fill->figures.stored = store_lead_is_entered(fill->lead);
        fill->figures.reason =
            fill->figures.stored ? HTTP_REASON_NONE : (uint8_t)HTTP_REASON_PURGED_HARD;
        return;
    }
    fill->figures.reason = is_kept_out ? HTTP_REASON_RULE : reason_of(verdict);
    fill->shared = false;
    selector->len = 0;
    supersede(fill, response->status);
    /* Storable, but another was first or a purge came, or the origin is ill: nothing to remember. */
    bool is_telling = (verdict != HTTP_STORE_OK || is_kept_out) &&
                      (fill->stale == NULL || !is_stale_status(response->status));
    store_lead_detach(fill->lead, is_telling ? fill->policy.hit_for_miss_ms : 0);
}

/* RFC 9111 3.4: without a strong validator nothing may join what this response brings. */
static uint16_t parts_flags(const struct http_stored *stored, const struct http_fields *fields)
{
    return strong_validator(stored, fields).len > 0 ? HTTP_STORED_PARTS
                                                    : HTTP_STORED_PARTS | HTTP_STORED_PARTS_SOLE;
}

enum fetch_flow fill_publish(struct fill *fill, const struct http_response *response,
                             bool is_parent)
{
    struct buf head;
    struct buf selector;
    buf_init(&head, FILL_HEAD_LIMIT);
    buf_init(&selector, 16384);
    fill_settle_policy(fill, response);
    if (fill->shared) {
        settle_sharing(fill, response, &selector);
    } else if (fill->apart) {
        fill_apart_settle(fill, response, &selector);
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
    } else if (fill->shared) {
        note_compressible(fill, &stored, response);
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
    fill_put_facts(fill, &out, &stored);
    enum err err = head.failed ? ERR_NOMEM : store_lead_head(fill->lead, &out);
    if (err == ERR_LIMIT && fill->shared) {
        fill->shared = false;
        fill->figures.stored = false;
        fill->figures.reason = HTTP_REASON_TOO_LARGE;
        supersede(fill, response->status);
        store_lead_detach(fill->lead, fill->policy.hit_for_miss_ms);
        err = store_lead_head(fill->lead, &out);
    }
    buf_free(&head);
    buf_free(&selector);
    return err == ERR_OK ? FETCH_GO : fill_fail_later(fill, FILL_CODE_INTERNAL);
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
            return fill_on_not_modified(fill, response);
        }
        if (is_stale_status(response->status) && may_serve_stale(fill)) {
            return fill_fail_later(fill, FILL_CODE_STALE);
        }
    }
    return fill_publish(fill, response, false);
}

static enum fetch_flow fill_switch(struct fill *fill, const struct http_response *response)
{
    CHECK(fill->owner != NULL);
    if (!fill->owner->calls->switched(fill->owner, response)) {
        return fill_fail_later(fill, FILL_CODE_INTERNAL);
    }
    fill->is_tunnel = true;
    return FETCH_PAUSE;
}

enum fetch_flow fill_on_head(void *ctx, const struct http_response *response)
{
    struct fill *fill = ctx;
    CHECK_OBJ(fill, FILL_MAGIC);
    bool is_relayed = UNLIKELY(fill->policy.upstream != 0);
    if (is_relayed && response->status == 407) {
        return fill_parent_refused(fill, response->status);
    }
    if (UNLIKELY(response->status >= 400) && fill_retry_status(fill, response->status)) {
        return FETCH_CANCEL;
    }
    origin_claim_answered(&fill->claim, is_relayed ? 200 : response->status,
                          loop_now_us(fill->env->loop));
    fill_sticky_note(fill);
    response = onward_back(&fill->arena, &fill->policy, fill->request, &fill->onward, response);
    if (response != NULL) {
        response = discretion_back(&fill->arena, &fill->policy, fill->request, response);
    }
    if (response == NULL) {
        return fill_fail_later(fill, FILL_CODE_INTERNAL);
    }
    fill->head_done = true;
    fill->figures.origin_status = (uint16_t)response->status;
    if (UNLIKELY(response->status == 101)) {
        return fill_switch(fill, response);
    }
    fill->figures.had_age = http_fields_has(&response->fields, HTTP_FIELD_AGE);
    fill->length = body_length(fill, response);
    fill->complete = fill->length == 0;
    if (http_invalidates(fill->request->method, response->status)) {
        fill_invalidate(fill, response);
    }
    if (fill->twin != NULL && response->status == 200) {
        fill_twin_update(fill, response);
    }
    if (fill->variant_count > 0 && response->status == 304) {
        fill->restart = !fill_variants_select(fill, response);
        return FETCH_GO;
    }
    return UNLIKELY(fill->has_range) && fill->shared ? fill_range_on_head(fill, response)
                                                     : fill_take_head(fill, response);
}
