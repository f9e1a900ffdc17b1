/*
 * fill_range - what the answer to a request with a range means (RFC 9111 3.3, 3.4; RFC 9110 14.4,
 * 15.3.7).
 *
 * The first answer, when nothing is stored: a 206 makes a parent and the lead of its first part,
 * which takes the body; one that brings everything is stored as the whole it is. Later ones are for
 * a part of a known parent and must come from the same representation, by its strong validator;
 * anything else means that the origin has another one, or no parts to give, and the parent goes.
 */
#include "base/buf.h"
#include "fill/fill_private.h"
#include "fill/part.h"
#include "http/date.h"

/* The response cannot be made part of what is stored: each client asks for itself. Of a whole that
 * is remembered. */
static enum fetch_flow range_refuse(struct fill *fill)
{
    fill->shared = false;
    fill->figures.reason = HTTP_REASON_STATUS;
    store_lead_detach(fill->lead, fill->range.parent == NULL ? fill->policy.hit_for_miss_ms : 0);
    return fill_fail_later(fill, FILL_CODE_ALONE);
}

/* The 206's range, when its length is known and its body cannot but be that long. */
static bool range_of(const struct http_response *response, struct http_content_range *out)
{
    return http_content_range_of(&response->fields, out) && out->length != UINT64_MAX &&
           (!response->has_content_length ||
            response->content_length == out->part.last - out->part.first + 1);
}

/* The 200 this 206 is a part of. items: STORED_FIELDS_MAX of room. */
static void range_whole(struct fill *fill, const struct http_response *response, uint64_t length,
                        struct http_field *items, struct http_response *out)
{
    struct span text = arena_printf(&fill->arena, "%llu", (unsigned long long)length);
    const struct http_fields *fields = &response->fields;
    *out = *response;
    out->status = 200;
    out->reason = SPAN("OK");
    out->has_content_length = true;
    out->content_length = length;
    http_fields_init(&out->fields, items, STORED_FIELDS_MAX);
    (void)http_fields_add(&out->fields, SPAN("Content-Length"), text);
    for (unsigned i = 0; i < fields->count; i++) {
        const struct http_field *field = &fields->items[i];
        if (field->id != HTTP_FIELD_CONTENT_RANGE && field->id != HTTP_FIELD_CONTENT_LENGTH &&
            !http_field_sums_content(field)) {
            (void)http_fields_add(&out->fields, field->name, field->value); /* there is room */
        }
    }
}

/* Publishes the head of the part that this fill's lead is for. */
static enum err range_put_part(struct fill *fill, const struct http_range_part *part,
                               uint64_t total)
{
    char text[HTTP_CONTENT_RANGE_BYTES];
    const struct part_facts facts = {.first = part->first, .last = part->last};
    struct store_head head = {
        .head = span_of(text, http_content_range_write(text, part, total)),
        .selector = SPAN(""),
        .length = part->last - part->first + 1,
        .useless_after_s = fill_useless_after_s(fill, stored_facts(fill->range.parent)),
    };
    memcpy(head.facts, &facts, sizeof(facts));
    fill->length = head.length;
    return store_lead_head(fill->lead, &head);
}

/* ---- the first answer ---- */

bool fill_range_lead_part(struct fill *fill, const struct http_stored *parent)
{
    struct http_range_part none = {0};
    char *room = arena_alloc(&fill->arena, fill->key.bytes.len + DERIVED_KEY_EXTRA);
    struct store_lookup lookup = {
        .may_lead = true,
        .is_new_key = true, /* the generation is */
        .matches = part_matches,
        .judge = part_judge,
        .ctx = &none,
    };
    if (room == NULL) {
        return false;
    }
    lookup.key = store_key_of(fill->env->store,
                              derived_key_write(room, fill->key.bytes, parent, DERIVED_PART,
                                                fill->range.first / PART_BYTES));
    if (store_lookup(fill->env->store, &lookup) != STORE_LEAD) {
        return false;
    }
    fill->part_lead = lookup.lead;
    return true;
}

/* The part's lead takes the place of the whole's, which is committed: a parent. */
static enum fetch_flow range_begin_part(struct fill *fill, const struct http_range_part *part,
                                        uint64_t total)
{
    struct store_lead *whole = fill->lead;
    fill->range.parent = store_object_ref(store_lead_object(whole));
    fill->lead = fill->part_lead;
    fill->part_lead = NULL;
    fill_bind(fill);
    enum err err = range_put_part(fill, part, total);
    store_lead_commit(&whole);
    return err == ERR_OK ? FETCH_GO : fill_fail_later(fill, FILL_CODE_INTERNAL);
}

/* Does the 206 come from the very representation that is to be validated? As good as a 304. */
static bool range_renews(const struct fill *fill, const struct http_response *response,
                         uint64_t total)
{
    if (fill->stale == NULL || (stored_facts(fill->stale)->flags & HTTP_STORED_PARTS) == 0) {
        return false;
    }
    struct span etag = http_fields_find(&response->fields, HTTP_FIELD_ETAG);
    return part_total(fill->stale) == total &&
           http_etag_match_strong(etag, part_validator(fill->stale));
}

static enum fetch_flow range_first(struct fill *fill, const struct http_response *response)
{
    const struct fill_range *asked = &fill->range;
    struct http_content_range range;
    struct http_field items[STORED_FIELDS_MAX];
    struct http_response whole;
    if (!range_of(response, &range) ||
        (!asked->is_suffix && (range.part.first < asked->first || range.part.last > asked->last))) {
        return range_refuse(fill);
    }
    range_whole(fill, response, range.length, items, &whole);
    if (range.part.first == 0 && range.part.last == range.length - 1) {
        fill->length = range.length;
        return fill_publish(fill, &whole, false);
    }
    if (range_renews(fill, response, range.length)) {
        return fill_on_not_modified(fill, &whole);
    }
    /* A suffix may reach into two cells: the last one is kept. */
    uint64_t cell = range.part.last / PART_BYTES * PART_BYTES;
    if (range.part.first < cell) {
        fill->skip = cell - range.part.first;
        range.part.first = cell;
    }
    fill->length = range.part.last - range.part.first + 1;
    fill->range.first = range.part.first;
    enum fetch_flow flow = fill_publish(fill, &whole, true);
    return fill->failed ? flow : range_begin_part(fill, &range.part, range.length);
}

/* ---- a part of a known parent ---- */

/* Is it from the representation the parent is of? A date may be left out of the answer to an
 * If-Range that held (RFC 9110 15.3.7). */
static bool range_is_same(const struct fill *fill, const struct http_response *response)
{
    struct span validator = part_validator(fill->range.parent);
    struct span etag = http_fields_find(&response->fields, HTTP_FIELD_ETAG);
    struct span modified = http_fields_find(&response->fields, HTTP_FIELD_LAST_MODIFIED);
    if (validator.len > 0 && validator.ptr[0] == '"') {
        return http_etag_match_strong(etag, validator);
    }
    return etag.len == 0 && (modified.len == 0 || span_eq(modified, validator));
}

static enum fetch_flow range_changed(struct fill *fill)
{
    store_forget(fill->env->store, fill->range.parent);
    return fill_fail_later(fill, FILL_CODE_CHANGED);
}

static bool range_may_store(struct fill *fill, const struct http_response *whole)
{
    struct http_store_request facts;
    http_store_request_of(&facts, fill->request);
    return http_may_store(&facts, whole, loop_wall_ms(fill->env->loop) / 1000,
                          &fill->policy.freshness) == HTTP_STORE_OK &&
           fill_selects_alike(fill, fill->range.parent, whole);
}

/* What was there before, in front of what comes. */
static enum err range_put_prefix(struct fill *fill)
{
    const struct store_object *prefix = fill->range.prefix;
    uint64_t length = store_object_length(prefix);
    enum err err = ERR_OK;
    for (uint64_t at = 0; err == ERR_OK && at < length; at += STORE_PIECE_BYTES) {
        err = store_lead_append(fill->lead,
                                store_object_piece(prefix, (size_t)(at / STORE_PIECE_BYTES)));
    }
    fill->received += length;
    return err;
}

/* What is combined gets the fields of the newest of its responses (RFC 9111 3.4, 3.2). */
static void range_update_parent(struct fill *fill, const struct http_response *response)
{
    struct store_object *parent = fill->range.parent;
    struct fill_renewal renewal;
    int64_t date_s = http_date_parse(http_fields_find(&response->fields, HTTP_FIELD_DATE),
                                     loop_wall_ms(fill->env->loop) / 1000);
    if (date_s == HTTP_DATE_NONE || date_s <= stored_facts(parent)->date_s ||
        !fill_renew(fill, parent, response, &renewal)) {
        return;
    }
    renewal.out.selector = store_object_selector(parent);
    renewal.out.length = store_object_length(parent);
    store_object_renew(fill->env->store, parent, &renewal.out, fill->request_time_ms);
    buf_free(&renewal.head);
}

static enum fetch_flow range_later(struct fill *fill, const struct http_response *response)
{
    const struct fill_range *asked = &fill->range;
    struct http_content_range range;
    struct http_field items[STORED_FIELDS_MAX];
    struct http_response whole;
    uint64_t total = part_total(asked->parent);
    if (response->status != 200 && response->status != 206 && response->status != 416) {
        return range_refuse(fill);
    }
    /* The cell's last byte, where `last` says "to the end". */
    uint64_t last = part_cell(asked->first / PART_BYTES, total).last;
    if (response->status != 206 || !range_of(response, &range) || range.length != total ||
        range.part.first < asked->first || range.part.last > last ||
        (asked->prefix != NULL && range.part.first != asked->first) ||
        !range_is_same(fill, response)) {
        return range_changed(fill);
    }
    range_whole(fill, response, total, items, &whole);
    fill_settle_policy(fill, &whole);
    if (!range_may_store(fill, &whole)) {
        return range_refuse(fill);
    }
    struct http_range_part part = range.part;
    if (asked->prefix != NULL) {
        part.first = part_facts(asked->prefix)->first;
    }
    enum err err = range_put_part(fill, &part, total);
    if (err == ERR_OK && asked->prefix != NULL) {
        err = range_put_prefix(fill);
    }
    fill->figures.stored = err == ERR_OK;
    range_update_parent(fill, &whole);
    return err == ERR_OK ? FETCH_GO : fill_fail_later(fill, FILL_CODE_INTERNAL);
}

/* A 416 is about the range that was asked for. It is the client's answer too unless that wants others
 * beside it, or something to be looked at before its range (RFC 9110 13.2.2, 15.5.17). */
static enum fetch_flow range_unsatisfiable(struct fill *fill, const struct http_response *response)
{
    const uint64_t before = http_field_bit(HTTP_FIELD_IF_RANGE) |
                            http_field_bit(HTTP_FIELD_IF_NONE_MATCH) |
                            http_field_bit(HTTP_FIELD_IF_MODIFIED_SINCE);
    const struct http_fields *fields = &fill->request->fields;
    struct http_range_start start;
    fill->shared = false;
    fill->figures.reason = HTTP_REASON_STATUS;
    store_lead_detach(fill->lead, 0);
    if ((fields->present & before) != 0 || !http_range_start(fields, &start) || !start.is_single) {
        return fill_fail_later(fill, FILL_CODE_ALONE);
    }
    return fill_take_head(fill, response);
}

enum fetch_flow fill_range_on_head(struct fill *fill, const struct http_response *response)
{
    if (fill->range.parent != NULL) {
        return range_later(fill, response);
    }
    if (response->status == 206) {
        return range_first(fill, response);
    }
    return response->status == 416 ? range_unsatisfiable(fill, response)
                                   : fill_take_head(fill, response);
}
