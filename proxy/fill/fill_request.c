/*
 * fill_request - the origin's request is built from a list of what may pass, never by copying a
 * head.
 */
#include "fill/fill_request.h"

#include "base/buf.h"
#include "fill/discretion.h"
#include "fill/part.h"
#include "http/coded_head.h"
#include "http/coding.h"
#include "http/condition.h"
#include "http/head.h"
#include "site/parent.h"

/* Lines of our own beside the client's: two validators, an offer, Accept-Encoding, Range and If-Range. */
#define OWN_LINES (DISCRETION_LINES + PARENT_LINES + 6u)

/* Where we encode ourselves, what clients accept beyond the codings in use makes no variants. */
static bool normalizes_codings(const struct fill_request_options *options)
{
    return options->shared && options->policy->codings != 0;
}

static bool passes(const struct fill_request_options *options, const struct http_field *field)
{
    switch ((enum http_field_id)field->id) {
    case HTTP_FIELD_HOST:
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_TRANSFER_ENCODING:
    case HTTP_FIELD_EXPECT:
    case HTTP_FIELD_CONNECTION:
        return false;
    default:
        break;
    }
    if (field->id == HTTP_FIELD_COOKIE && options->policy->ignore_cookies) {
        return false;
    }
    if (!discretion_passes(options, field) ||
        http_fields_is_hop_by_hop(&options->request->fields, field)) {
        return false;
    }
    if (normalizes_codings(options) && field->id == HTTP_FIELD_ACCEPT_ENCODING) {
        return false;
    }
    return !(options->shared && http_condition_is_client_field((enum http_field_id)field->id));
}

/* Name, colon and value stand in one piece in the client's head, white space between them apart. */
static struct span line_of(const struct http_field *field)
{
    const char *end = field->value.ptr + field->value.len;
    return span_of(field->name.ptr, (size_t)(end - field->name.ptr));
}

static unsigned add_codings(struct arena *arena, const struct fill_request_options *options,
                            struct span *out)
{
    char value[HTTP_CODING_NORMAL_BYTES];

    if (!normalizes_codings(options)) {
        return 0;
    }
    size_t len = http_coding_normal(value, &options->request->fields);
    if (len == 0) {
        return 0;
    }
    out[0] = arena_join(arena, SPAN("Accept-Encoding: "), span_of(value, len));
    return 1;
}

/* One hop fewer (RFC 9110 7.6.2); 0 never comes here, and what is no number counts for nobody. */
static struct span forwards_line(struct arena *arena, const struct http_request *request,
                                 const struct http_field *field)
{
    uint64_t hops;
    if (request->method != HTTP_OPTIONS || !http_max_forwards(&request->fields, &hops)) {
        return line_of(field);
    }
    return arena_printf(arena, "Max-Forwards: %llu", (unsigned long long)(hops - 1));
}

/* The line as it came, or: the origin knows nothing of the tags we gave our encoded variants. */
static struct span pass_line(struct arena *arena, const struct fill_request_options *options,
                             const struct http_field *field)
{
    if (UNLIKELY(field->id == HTTP_FIELD_MAX_FORWARDS)) {
        return forwards_line(arena, options->request, field);
    }
    if (UNLIKELY(options->policy->privacy.referer == CONF_REFERER_ORIGIN) &&
        field->id == HTTP_FIELD_REFERER) {
        return discretion_referer(arena, field);
    }
    if (field->id != HTTP_FIELD_IF_MATCH || !options->site->compress.is_used) {
        return line_of(field);
    }
    char *room = arena_alloc(arena, field->value.len);
    if (room == NULL) {
        return span_of(NULL, 0);
    }
    size_t len = http_etags_plain(room, field->value);
    return arena_join(arena, SPAN("If-Match: "), span_of(room, len));
}

static unsigned add_validators(struct arena *arena, const struct store_object *stale,
                               struct span *out)
{
    unsigned count = 0;
    struct span head = store_object_head(stale);
    struct span etag = http_head_find(head, HTTP_FIELD_ETAG);
    struct span modified = http_head_find(head, HTTP_FIELD_LAST_MODIFIED);
    if (etag.len > 0) {
        out[count++] = arena_join(arena, SPAN("If-None-Match: "), etag);
    }
    if (modified.len > 0) {
        out[count++] = arena_join(arena, SPAN("If-Modified-Since: "), modified);
    }
    return count;
}

/* RFC 9110 14.2, and 13.1.5 so that only the same representation answers with a part. */
static unsigned add_range(struct arena *arena, const struct fill_range *range, struct span *out)
{
    unsigned count = 0;
    if (range->is_suffix) {
        out[count++] = arena_printf(arena, "Range: bytes=-%llu", (unsigned long long)range->first);
    } else if (range->last == UINT64_MAX) {
        out[count++] = arena_printf(arena, "Range: bytes=%llu-", (unsigned long long)range->first);
    } else {
        out[count++] =
            arena_printf(arena, "Range: bytes=%llu-%llu", (unsigned long long)range->first,
                         (unsigned long long)range->last);
    }
    if (range->parent != NULL) {
        out[count++] = arena_join(arena, SPAN("If-Range: "), part_validator(range->parent));
    }
    return count;
}

unsigned fill_request_lines(struct arena *arena, const struct fill_request_options *options,
                            const struct span **lines)
{
    const struct http_fields *fields = &options->request->fields;
    unsigned edits = options->policy->edit_count[CONF_HEADER_REQUEST];
    unsigned room = fields->count + OWN_LINES + edits;
    struct span *out = arena_alloc(arena, room * sizeof(*out));
    *lines = out;
    if (out == NULL) {
        return 0;
    }
    unsigned count = 0;
    for (unsigned i = 0; i < fields->count; i++) {
        if (passes(options, &fields->items[i])) {
            out[count++] = pass_line(arena, options, &fields->items[i]);
        }
    }
    count += add_codings(arena, options, out + count);
    count += discretion_add(arena, options, out + count);
    if (UNLIKELY(edits > 0)) {
        struct http_lines all = {.list = out, .count = count, .capacity = room, .arena = arena};
        rules_edit(&options->site->rules, &options->site->edits, options->policy,
                   CONF_HEADER_REQUEST, &all);
        count = all.count;
    }
    if (options->stale != NULL) {
        count += add_validators(arena, options->stale, out + count);
    }
    if (options->offer.len > 0) {
        out[count++] = options->offer;
    }
    if (options->range != NULL && options->shared) {
        count += add_range(arena, options->range, out + count);
    }
    if (UNLIKELY(options->to_parent)) {
        count += parent_lines(arena, options->site, options->policy, fields, out + count);
    }
    if (arena->overflow) {
        *lines = NULL;
        return 0;
    }
    return count;
}

const struct http_request *fill_request_clone(struct arena *arena, const struct http_request *from)
{
    struct http_request *copy = arena_alloc(arena, sizeof(*copy));
    struct http_field *items = arena_alloc(arena, (from->fields.count + 1) * sizeof(*items));
    if (copy == NULL || items == NULL) {
        return NULL;
    }
    *copy = *from;
    copy->method_text = arena_copy(arena, from->method_text);
    copy->target = arena_copy(arena, from->target);
    copy->scheme = arena_copy(arena, from->scheme);
    copy->authority = arena_copy(arena, from->authority);
    copy->path = arena_copy(arena, from->path);
    copy->fields.items = items;
    for (unsigned i = 0; i < from->fields.count; i++) {
        const struct http_field *field = &from->fields.items[i];
        struct span line = arena_copy(arena, line_of(field));
        size_t value_at = (size_t)(field->value.ptr - field->name.ptr);
        items[i] = (struct http_field){
            .name = span_of(line.ptr, field->name.len),
            .value = span_of(line.ptr + value_at, field->value.len),
            .id = field->id,
        };
        if (arena->overflow) {
            return NULL;
        }
    }
    return arena->overflow ? NULL : copy;
}
