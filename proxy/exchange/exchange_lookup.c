/*
 * exchange_lookup - what the store says, and what that means for this request (RFC 9111 section 4).
 */
#include "exchange/exchange_private.h"
#include "fill/fill.h"
#include "fill/fill_request.h"
#include "fill/part.h"
#include "fill/rearm.h"
#include "http/vary.h"

static bool matches(struct span selector, void *ctx)
{
    const struct exchange_judge *judge = ctx;
    return selector.len == 0 || http_selector_matches(selector, judge->fields);
}

/* Did the origin fail a moment ago when it was asked for this one? */
static bool is_quiet(const struct exchange_judge *judge, const struct http_stored *raw,
                     int64_t soft_at_ms)
{
    const struct rearm_subject subject = {
        .key = judge->key, .facts = raw, .soft_at_ms = soft_at_ms};
    return UNLIKELY(judge->env != NULL && judge->env->fill.rearm != NULL) &&
           rearm_find(judge->env->fill.rearm, &subject, loop_now_us(judge->env->loop)) !=
               REARM_NONE;
}

static enum store_judgement judge(const uint8_t *facts, int64_t soft_at_ms, void *ctx)
{
    struct exchange_judge *judge = ctx;
    struct http_stored room;
    const struct http_stored *raw = (const struct http_stored *)(const void *)facts;
    const struct http_stored *stored = stored_facts_soft(raw, soft_at_ms, &room);
    judge->rearmed = judge->quiet = false;
    if (UNLIKELY(judge->refuse_sole) && (raw->flags & HTTP_STORED_PARTS_SOLE) != 0) {
        return STORE_JUDGE_VALIDATE;
    }
    switch (http_judge(stored, judge->directives, judge->now_ms)) {
    case HTTP_FRESH:
        return STORE_JUDGE_FRESH;
    case HTTP_STALE_SERVE:
        judge->quiet = is_quiet(judge, raw, soft_at_ms);
        return judge->quiet ? STORE_JUDGE_FRESH : STORE_JUDGE_STALE;
    case HTTP_VALIDATE:
        break;
    }
    if (UNLIKELY(judge->env != NULL && judge->env->fill.rearm != NULL)) {
        const struct rearm_subject subject = {
            .key = judge->key, .facts = raw, .soft_at_ms = soft_at_ms};
        judge->rearmed = exchange_is_rearmed(judge, &subject);
    }
    return judge->rearmed ? STORE_JUDGE_FRESH : STORE_JUDGE_VALIDATE;
}

/* Is there a range that no lead is asked for? Nothing but the whole would tell what -0 and numbers
 * beyond all bodies mean; and where parts cannot be joined, what spans two of them is not stored. */
static bool is_own_range(const struct http_request *request, bool refuse_sole)
{
    const struct http_fields *fields = &request->fields;
    struct http_range_start start;
    if (LIKELY(!http_fields_has(fields, HTTP_FIELD_RANGE)) || !http_range_start(fields, &start)) {
        return false;
    }
    if (start.first > INT64_MAX || (start.is_suffix && start.first == 0)) {
        return true;
    }
    return refuse_sole && (!start.is_single || (!start.is_suffix && start.first / PART_BYTES !=
                                                                        start.last / PART_BYTES));
}

/* Which bytes a lead for this request asks the origin for (part.h). False: all; also where there is
 * a whole to be validated. */
static bool lead_range(const struct exchange *x, const struct store_object *stale,
                       struct fill_range *out)
{
    const struct http_request *request = x->stream->request;
    struct http_range_start start;
    if (LIKELY(!http_fields_has(&request->fields, HTTP_FIELD_RANGE)) ||
        request->method != HTTP_GET || !http_range_start(&request->fields, &start) ||
        (stale != NULL && (stored_facts(stale)->flags & HTTP_STORED_PARTS) == 0)) {
        return false;
    }
    *out = (struct fill_range){.is_suffix = start.is_suffix, .first = start.first};
    if (start.is_suffix) {
        out->first = start.first < PART_BYTES ? start.first : PART_BYTES;
    } else {
        out->first = start.first / PART_BYTES * PART_BYTES;
        out->last = out->first + PART_BYTES - 1;
    }
    return start.first > 0 || !start.is_suffix;
}

/* May its answer be one for all? A part or a 304 would show nothing about a key that is not
 * storable so far, and the whole would cost the origin more than what was asked for. */
static bool asks_for_all(const struct http_request *request)
{
    const uint64_t bits =
        http_field_bit(HTTP_FIELD_IF_NONE_MATCH) | http_field_bit(HTTP_FIELD_IF_MODIFIED_SINCE) |
        http_field_bit(HTTP_FIELD_IF_MATCH) | http_field_bit(HTTP_FIELD_IF_UNMODIFIED_SINCE) |
        http_field_bit(HTTP_FIELD_RANGE);
    return (request->fields.present & bits) == 0;
}

enum http_reason exchange_absence(enum store_absence absence,
                                  const struct http_directives *directives,
                                  enum http_forward *forward)
{
    static const struct {
        uint8_t reason, forward;
    } map[] = {
        [STORE_WAS_ABSENT] = {HTTP_REASON_ABSENT, HTTP_FORWARD_URI_MISS},
        [STORE_WAS_EXPIRED] = {HTTP_REASON_EXPIRED, HTTP_FORWARD_STALE},
        [STORE_WAS_VARIANT] = {HTTP_REASON_VARY, HTTP_FORWARD_VARY_MISS},
        [STORE_WAS_PURGED_SOFT] = {HTTP_REASON_PURGED_SOFT, HTTP_FORWARD_STALE},
        [STORE_WAS_PURGED_HARD] = {HTTP_REASON_PURGED_HARD, HTTP_FORWARD_URI_MISS},
        [STORE_WAS_EVICTED] = {HTTP_REASON_EVICTED, HTTP_FORWARD_URI_MISS},
        [STORE_WAS_CORRUPT] = {HTTP_REASON_CORRUPT, HTTP_FORWARD_URI_MISS},
    };
    if (http_directives_has(directives, HTTP_CC_NO_CACHE | HTTP_CC_MAX_AGE) &&
        absence == STORE_WAS_EXPIRED) {
        *forward = HTTP_FORWARD_REQUEST;
        return HTTP_REASON_REQUEST_NO_CACHE;
    }
    *forward = (enum http_forward)map[absence].forward;
    return (enum http_reason)map[absence].reason;
}

static void note_absence(struct exchange *x, enum store_absence absence)
{
    enum http_forward forward;
    x->reason = (uint8_t)exchange_absence(absence, &x->directives, &forward);
    x->forward = (uint8_t)forward;
}

static enum exchange_next wait_head(struct exchange *x, struct store_object *object, bool own)
{
    x->reader = store_reader_open(x->env->store, object, 0, own, loop_mailbox(x->env->loop),
                                  exchange_wake, x);
    if (x->reader == NULL) {
        store_object_unref(&x->object);
        return exchange_fail(x, 503, "too many requests wait for this object");
    }
    return exchange_go(x, EXCHANGE_STEP_HEAD);
}

static enum exchange_next lead(struct exchange *x, struct store_lookup *lookup)
{
    x->result = RESULT_MISS;
    x->solo = lookup->is_solo;
    if (x->solo) {
        x->result = RESULT_PASS; /* a miss if it can be stored: exchange_reply */
        x->reason = HTTP_REASON_HIT_FOR_MISS;
    }
    struct fill_range range;
    if (UNLIKELY(x->refuse_sole) && lookup->object != NULL) {
        store_object_unref(&lookup->object); /* it may be fresh, and yet be of no use */
    }
    x->led_range = lead_range(x, lookup->object, &range);
    x->stale = x->solo ? lookup->stale : lookup->object;
    x->origin.fill =
        exchange_fill(x, &(struct fill_options){
                             .offer_variants = lookup->absence == STORE_WAS_VARIANT && !x->solo,
                             .lead = lookup->lead,
                             .stale = lookup->object,
                             .range = x->led_range ? &range : NULL,
                             .soft_at_ms = lookup->soft_at_ms,
                             .solo = x->solo,
                         });
    x->object = store_object_ref(fill_object(x->origin.fill));
    return wait_head(x, x->object, true);
}

static enum exchange_next hit(struct exchange *x, struct store_lookup *lookup, bool stale)
{
    struct store_object *object = lookup->object;
    if (lookup->lead != NULL) {
        struct fill_range range;
        struct fill *fill =
            exchange_fill(x, &(struct fill_options){
                                 .lead = lookup->lead,
                                 .stale = object,
                                 .range = lead_range(x, object, &range) ? &range : NULL,
                                 .soft_at_ms = lookup->soft_at_ms,
                                 .background = true,
                             });
        fill_detach(&fill);
    }
    return stale ? exchange_serve(x, object, RESULT_STALE, HTTP_REASON_STALE_WHILE_REVALIDATE)
                 : exchange_serve(x, object, RESULT_HIT, HTTP_REASON_FRESH);
}

static void on_loaded(void *ctx, struct store_object *object)
{
    struct exchange *x = ctx;
    x->load = NULL;
    x->loaded = object;
    x->step = EXCHANGE_STEP_LOOKUP;
    exchange_drive(x);
}

enum exchange_next exchange_disk(struct exchange *x)
{
    (void)x;
    return EXCHANGE_PARK; /* on_loaded moves on */
}

static bool only_if_cached(const struct exchange *x)
{
    return http_directives_has(&x->directives, HTTP_CC_ONLY_IF_CACHED);
}

enum exchange_next exchange_fail_not_cached(struct exchange *x)
{
    if (UNLIKELY(x->in_maintenance)) {
        return exchange_maintenance_page(x);
    }
    return exchange_fail(x, 504, "only-if-cached, and it is not in the cache");
}

static enum exchange_next pass_for(struct exchange *x, enum http_reason reason)
{
    if (only_if_cached(x)) {
        return exchange_fail_not_cached(x);
    }
    x->reason = (uint8_t)reason;
    x->forward = HTTP_FORWARD_BYPASS;
    x->result = RESULT_PASS;
    return exchange_go(x, EXCHANGE_STEP_PASS);
}

static enum exchange_next absent(struct exchange *x, const struct store_lookup *lookup)
{
    x->stale = lookup->stale;
    if (only_if_cached(x)) {
        return exchange_fail_not_cached(x);
    }
    note_absence(x, lookup->absence);
    if (http_directives_has(&x->directives, HTTP_CC_NO_STORE)) {
        return pass_for(x, HTTP_REASON_REQUEST_NO_STORE);
    }
    x->result = RESULT_MISS;
    return exchange_go(x, EXCHANGE_STEP_PASS);
}

/* A client that asks for events (as EventSource does) waits for nobody's stream to begin. */
static bool wants_stream(const struct exchange *x)
{
    struct span accept = http_fields_find(&x->stream->request->fields, HTTP_FIELD_ACCEPT);
    return span_eq_nocase(http_without_parameters(accept), SPAN("text/event-stream"));
}

/* Each request asks for itself: at once, not one after the other. */
static enum exchange_next go_apart(struct exchange *x, struct store_lookup *lookup)
{
    store_object_unref(&lookup->object);
    store_object_unref(&lookup->stale);
    x->apart = true;
    return exchange_go(x, EXCHANGE_STEP_LOOKUP);
}

/* Refused: who follows already looks up again, and may ask the origin in its own name. */
static enum exchange_next lead_if_allowed(struct exchange *x, struct store_lookup *lookup)
{
    enum exchange_next next;
    if (exchange_guard_origin(x, &next)) {
        return lead(x, lookup);
    }
    store_lead_abort(&lookup->lead, 0);
    if (lookup->object != NULL) {
        store_object_unref(&lookup->object);
    }
    if (lookup->stale != NULL) {
        store_object_unref(&lookup->stale);
    }
    return next;
}

static enum exchange_next decide(struct exchange *x, struct store_lookup *lookup)
{
    const struct exchange_judge *judged = lookup->ctx;
    enum store_verdict verdict = store_lookup(x->env->store, lookup);
    x->soft_at_ms = lookup->soft_at_ms;
    if (x->loaded != NULL) {
        store_object_unref(&x->loaded);
    }
    switch (verdict) {
    case STORE_FRESH:
        if (UNLIKELY(judged->rearmed)) {
            return exchange_serve(x, lookup->object, RESULT_STALE, HTTP_REASON_STALE_IF_ERROR);
        }
        return hit(x, lookup, UNLIKELY(judged->quiet));
    case STORE_STALE:
        return hit(x, lookup, true);
    case STORE_LEAD:
        note_absence(x, lookup->absence);
        return UNLIKELY(x->site->guards.counts_misses) ? lead_if_allowed(x, lookup)
                                                       : lead(x, lookup);
    case STORE_FOLLOW:
        if (UNLIKELY(wants_stream(x) || (lookup->stale != NULL &&
                                         http_is_always_validated(stored_facts(lookup->stale))))) {
            return go_apart(x, lookup);
        }
        note_absence(x, lookup->absence);
        x->result = RESULT_HIT;
        x->collapsed = true;
        x->source = BYTES_CACHE;
        x->object = lookup->object;
        x->stale = lookup->stale;
        return wait_head(x, x->object, false);
    case STORE_DISK:
        x->step = EXCHANGE_STEP_DISK;
        x->load = store_load_start(x->env->store, lookup, loop_mailbox(x->env->loop), on_loaded, x);
        return EXCHANGE_GO;
    case STORE_PASS:
        if (http_directives_has(&x->directives, HTTP_CC_ONLY_IF_CACHED)) {
            return absent(x, lookup);
        }
        x->stale = lookup->stale;
        return pass_for(x, HTTP_REASON_HIT_FOR_PASS);
    case STORE_ABSENT:
        return absent(x, lookup);
    }
    CHECK(false);
    return EXCHANGE_END;
}

void exchange_ask(struct store_lookup *lookup, struct exchange_judge *ctx,
                  const struct http_request *request, const struct http_directives *directives)
{
    bool sole = http_directives_has(directives, HTTP_CC_NO_STORE | HTTP_CC_ONLY_IF_CACHED) ||
                request->method == HTTP_HEAD || is_own_range(request, ctx->refuse_sole);
    ctx->directives = directives->flags == 0 ? NULL : directives;
    lookup->may_lead = !sole;
    lookup->may_follow = !sole && !http_directives_has(directives, HTTP_CC_NO_CACHE);
    lookup->may_solo = asks_for_all(request);
    lookup->matches = matches;
    lookup->judge = judge;
    lookup->ctx = ctx;
}

enum exchange_next exchange_lookup(struct exchange *x)
{
    const struct http_request *request = x->stream->request;
    if (++x->lookups > EXCHANGE_LOOKUPS_MAX) {
        if (x->loaded != NULL) {
            store_object_unref(&x->loaded);
        }
        /* The reason is that of the last look. */
        x->result = RESULT_MISS;
        x->forward = HTTP_FORWARD_MISS;
        return only_if_cached(x) ? exchange_fail_not_cached(x) : exchange_go(x, EXCHANGE_STEP_PASS);
    }
    x->looked_up = true;
    x->solo = false;
    x->collapsed = false;
    if (x->stale != NULL) {
        store_object_unref(&x->stale);
    }
    if (x->selecting == NULL) {
        x->selecting = fill_selecting(&x->arena, x->site, x->policy, request, &x->client);
    }
    if (UNLIKELY(x->selecting == NULL)) {
        return exchange_fail(x, 500, "the request's head is too large to be changed");
    }
    struct exchange_judge ctx = {.fields = x->selecting,
                                 .now_ms = loop_wall_ms(x->env->loop),
                                 .env = x->env,
                                 .key = x->key.hash,
                                 .refuse_sole = x->refuse_sole,
                                 .serve_stale = x->policy->serve_stale};
    struct store_lookup lookup = {.key = x->key, .loaded = x->loaded};
    exchange_ask(&lookup, &ctx, request, &x->directives);
    lookup.may_follow = lookup.may_follow && !x->apart;
    return decide(x, &lookup);
}
