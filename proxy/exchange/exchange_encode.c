/*
 * exchange_encode - which representation of a stored response this client gets: as it was stored,
 * or the variant in a coding it prefers (RFC 9110 12.5.3). There is always something to send at
 * once: a variant that is not there yet is begun in the background, and this client gets the plain
 * bytes.
 */
#include "exchange/exchange_private.h"
#include "fill/derived.h"
#include "fill/encode.h"
#include "http/coded_head.h"
#include "http/condition.h"
#include "http/head.h"
#include "http/range.h"

/* Fields may be left out of its hits (no-cache="..."), and ours must not; or it is stored in parts
 * (bits 10 and 11). */
#define NEVER_FLAGS ((unsigned)HTTP_STORED_NO_CACHE_FIELDS | 1u << 10 | 1u << 11)

/* Disk reads of a variant that led to nothing, before the plain bytes are sent. */
#define LOOKUPS_MAX 3u

/* Can it be had encoded at all, whoever asks? */
static bool is_encodable(const struct exchange *x, const struct http_stored *facts, uint64_t length)
{
    const struct site_compress *compress = &x->site->compress;

    return x->policy->codings != 0 && (facts->flags & HTTP_STORED_COMPRESSIBLE) != 0 &&
           (facts->flags & NEVER_FLAGS) == 0 && facts->status == 200 && facts->generation != 0 &&
           (length == STORE_LENGTH_UNKNOWN ||
            (length >= compress->min_bytes && length <= compress->max_bytes));
}

/* A rule that asks of the response may have a say in it. */
static void settle_policy(struct exchange *x)
{
    if (UNLIKELY(x->site->rules.late_compresses)) {
        exchange_policy_late(x);
    }
}

bool exchange_varies_by_coding(struct exchange *x, const struct http_stored *facts)
{
    settle_policy(x);
    if (x->coding != HTTP_CODING_IDENTITY || !(x->origin.stored || x->source == BYTES_CACHE) ||
        !is_encodable(x, facts, store_object_length(x->object))) {
        return false; /* an encoded variant says so in its head */
    }
    return (facts->flags & HTTP_STORED_VARIES) == 0 ||
           !http_head_varies_on(store_object_head(x->object), SPAN("Accept-Encoding"));
}

bool exchange_range_is_vague(const struct exchange *x, const struct http_stored *facts)
{
    struct span condition = http_fields_find(&x->stream->request->fields, HTTP_FIELD_IF_RANGE);

    return UNLIKELY(condition.len > 0) && !http_if_range_is_tag(condition) &&
           (x->coding != HTTP_CODING_IDENTITY ||
            is_encodable(x, facts, store_object_length(x->object)));
}

/* Does the client take this coding at all? */
static bool accepts(const struct exchange *x, enum http_coding coding)
{
    unsigned offered = x->policy->codings & http_coding_bit(coding);

    return http_coding_choose(&x->stream->request->fields, offered) == coding;
}

/* A part goes with the bytes the client has begun with: the plain ones unless its If-Range names a
 * variant of ours. */
static enum http_coding coding_of_range(const struct exchange *x, enum http_coding preferred)
{
    struct span condition = http_fields_find(&x->stream->request->fields, HTTP_FIELD_IF_RANGE);

    if (condition.len == 0) {
        return HTTP_CODING_IDENTITY;
    }
    if (!http_if_range_is_tag(condition)) {
        return preferred; /* a date, see exchange_range_is_vague: the whole will be sent */
    }
    enum http_coding coding = http_etag_coding(condition);
    return coding != HTTP_CODING_IDENTITY && accepts(x, coding) ? coding : HTTP_CODING_IDENTITY;
}

/* A client that has a copy in some coding is asked about by that: 304 is less than any coding. */
static enum http_coding coding_of_condition(const struct exchange *x,
                                            const struct http_stored *facts,
                                            enum http_coding preferred)
{
    const struct http_fields *fields = &x->stream->request->fields;
    struct span head = store_object_head(x->object);
    const struct http_validators validators = {
        .etag = http_head_find(head, HTTP_FIELD_ETAG),
        .last_modified = http_head_find(head, HTTP_FIELD_LAST_MODIFIED),
    };

    if (http_not_modified(fields, facts, &validators, loop_wall_ms(x->env->loop) / 1000)) {
        return HTTP_CODING_IDENTITY;
    }
    enum http_coding coding = http_none_match_coding(fields, http_coding_bit(preferred));
    for (unsigned i = HTTP_CODING_GZIP; coding == HTTP_CODING_IDENTITY && i < HTTP_CODING_COUNT;
         i++) {
        if (accepts(x, (enum http_coding)i)) {
            coding = http_none_match_coding(fields, http_coding_bit((enum http_coding)i));
        }
    }
    return coding != HTTP_CODING_IDENTITY ? coding : preferred;
}

bool exchange_prefers_coding(struct exchange *x)
{
    const struct http_fields *fields = &x->stream->request->fields;
    const struct http_stored *facts = stored_facts(x->object);
    uint64_t length = store_object_length(x->object);

    settle_policy(x);
    if (length == STORE_LENGTH_UNKNOWN || !is_encodable(x, facts, length) ||
        http_directives_has(&x->directives, HTTP_CC_NO_TRANSFORM)) {
        return false;
    }
    enum http_coding coding = http_coding_choose(fields, x->policy->codings);
    if (coding == HTTP_CODING_IDENTITY) {
        return false;
    }
    if (UNLIKELY(http_fields_has(fields, HTTP_FIELD_RANGE))) {
        coding = coding_of_range(x, coding);
    } else if (UNLIKELY(http_is_conditional(fields))) {
        coding = coding_of_condition(x, facts, coding);
    }
    x->coding = (uint8_t)coding;
    return coding != HTTP_CODING_IDENTITY;
}

/* ---- the step ---- */

static bool matches_any(struct span selector, void *ctx)
{
    (void)ctx;
    return selector.len == 0;
}

/* ctx: the base's facts. Stale: the base has been renewed since. */
static enum store_judgement judge(const uint8_t *facts, int64_t soft_at_ms, void *ctx)
{
    (void)soft_at_ms;
    return encode_is_current(facts, ctx) ? STORE_JUDGE_FRESH : STORE_JUDGE_STALE;
}

static void on_loaded(void *ctx, struct store_object *object)
{
    struct exchange *x = ctx;

    x->load = NULL;
    x->loaded = object;
    exchange_drive(x);
}

static enum exchange_next send_plain(struct exchange *x)
{
    x->coding = HTTP_CODING_IDENTITY;
    return exchange_open(x);
}

/* Sends the variant, whose reference it takes, unless there is none. */
static enum exchange_next send_variant(struct exchange *x, struct store_object *variant)
{
    const struct encode_facts *facts =
        variant == NULL ? NULL
                        : (const struct encode_facts *)(const void *)store_object_facts(variant);

    if (facts == NULL || facts->is_mark != 0) {
        if (variant != NULL) {
            store_object_unref(&variant);
        }
        return send_plain(x);
    }
    store_object_unref(&x->object);
    x->object = variant;
    counter_add(&x->env->counters->encoded_hits[x->coding], 1);
    return exchange_open(x);
}

static enum exchange_next settle(struct exchange *x, struct store_lookup *lookup)
{
    enum http_coding coding = (enum http_coding)x->coding;
    struct store_object *variant = NULL;

    switch (store_lookup(x->env->store, lookup)) {
    case STORE_FRESH:
        return send_variant(x, lookup->object);
    case STORE_STALE:
        if (lookup->lead != NULL) {
            variant = encode_refresh(lookup->lead, lookup->object, x->object, coding);
        }
        store_object_unref(&lookup->object);
        return send_variant(x, variant);
    case STORE_LEAD:
        if (lookup->object != NULL) {
            store_object_unref(&lookup->object);
        }
        encode_start(&x->env->fill, x->site, lookup->lead, x->object, coding);
        return send_plain(x);
    case STORE_FOLLOW: /* being made */
        store_object_unref(&lookup->object);
        if (lookup->stale != NULL) {
            store_object_unref(&lookup->stale);
        }
        return send_plain(x);
    case STORE_DISK:
        if (++x->coding_lookups > LOOKUPS_MAX) {
            return send_plain(x);
        }
        x->load = store_load_start(x->env->store, lookup, loop_mailbox(x->env->loop), on_loaded, x);
        return EXCHANGE_PARK;
    case STORE_ABSENT: /* no room for another job */
        counter_add(&x->env->counters->encode_dropped, 1);
        break;
    case STORE_PASS:
        break;
    }
    return send_plain(x);
}

enum exchange_next exchange_encode(struct exchange *x)
{
    char room[EXCHANGE_KEY_INLINE + DERIVED_KEY_EXTRA];
    struct http_stored facts;
    size_t bytes = x->key.bytes.len + DERIVED_KEY_EXTRA;
    char *key = bytes <= sizeof(room) ? room : arena_alloc(&x->arena, bytes);

    if (x->load != NULL) {
        return EXCHANGE_PARK; /* on_loaded moves on */
    }
    if (key == NULL) {
        return send_plain(x);
    }
    facts = *stored_facts(x->object);
    struct store_lookup lookup = {
        .key = store_key_of(x->env->store, derived_key_write(key, x->key.bytes, &facts,
                                                             DERIVED_ENCODING, x->coding)),
        .may_lead = encode_has_room(&x->env->fill, x->object),
        .may_follow = true,
        .loaded = x->loaded,
        .matches = matches_any,
        .judge = judge,
        .ctx = &facts,
    };
    enum exchange_next next = settle(x, &lookup);
    if (next != EXCHANGE_PARK && x->loaded != NULL) {
        store_object_unref(&x->loaded);
    }
    return next;
}
