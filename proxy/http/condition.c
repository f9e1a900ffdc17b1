/* condition - entity tags are opaque: quotes delimit them, backslash means nothing (RFC
 * 9110 8.8.3). */
#include "http/condition.h"

#include "http/date.h"
#include "http/head.h"

/* More fields than any sane stored head has; a head with more is not updated but fetched anew. */
#define CONDITION_FIELDS 256

static bool etag_is_weak(struct span tag)
{
    return tag.len >= 2 && tag.ptr[0] == 'W' && tag.ptr[1] == '/';
}

static struct span etag_opaque(struct span tag)
{
    return etag_is_weak(tag) ? span_of(tag.ptr + 2, tag.len - 2) : tag;
}

bool http_etag_match_weak(struct span a, struct span b)
{
    return a.len > 0 && span_eq(etag_opaque(a), etag_opaque(b));
}

bool http_etag_match_strong(struct span a, struct span b)
{
    return a.len > 0 && !etag_is_weak(a) && !etag_is_weak(b) && span_eq(a, b);
}

/* The next tag of a list; what is not quoted is taken up to the comma. */
static bool etag_next(struct span *list, struct span *tag)
{
    size_t at = 0;

    while (at < list->len &&
           (list->ptr[at] == ',' || list->ptr[at] == ' ' || list->ptr[at] == '\t')) {
        at++;
    }
    if (at == list->len) {
        return false;
    }
    size_t start = at;
    if (etag_is_weak(span_of(list->ptr + at, list->len - at))) {
        at += 2;
    }
    if (at < list->len && list->ptr[at] == '"') {
        const char *quote = memchr(list->ptr + at + 1, '"', list->len - at - 1);
        at = quote == NULL ? list->len : (size_t)(quote - list->ptr) + 1;
    }
    while (at < list->len && list->ptr[at] != ',') {
        at++;
    }
    *tag = span_trim(span_of(list->ptr + start, at - start));
    *list = span_of(list->ptr + at, list->len - at);
    return true;
}

/* RFC 9110 13.1.2 over all lines. */
static bool condition_none_match(const struct http_fields *request, struct span etag)
{
    unsigned at = 0;
    const struct http_field *field;

    while ((field = http_fields_next(request, HTTP_FIELD_IF_NONE_MATCH, &at)) != NULL) {
        struct span list = field->value;
        struct span tag;
        if (span_eq(list, SPAN("*"))) {
            return true;
        }
        while (etag_next(&list, &tag)) {
            if (http_etag_match_weak(tag, etag)) {
                return true;
            }
        }
    }
    return false;
}

bool http_not_modified(const struct http_fields *request, const struct http_stored *stored,
                       const struct http_validators *validators, int64_t now_s)
{
    if (stored->status != 200) {
        return false;
    }
    if (http_fields_has(request, HTTP_FIELD_IF_NONE_MATCH)) {
        return condition_none_match(request, validators->etag);
    }
    if (http_fields_count(request, HTTP_FIELD_IF_MODIFIED_SINCE) != 1) {
        return false;
    }
    int64_t since_s =
        http_date_parse(http_fields_find(request, HTTP_FIELD_IF_MODIFIED_SINCE), now_s);
    int64_t modified_s =
        stored->last_modified_s != HTTP_DATE_NONE ? stored->last_modified_s : stored->date_s;
    return since_s != HTTP_DATE_NONE && modified_s <= since_s;
}

bool http_condition_keeps(const struct http_field *field)
{
    switch (field->id) {
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_CONTENT_ENCODING:
    case HTTP_FIELD_CONTENT_TYPE:
    case HTTP_FIELD_CONTENT_LANGUAGE:
    case HTTP_FIELD_CONTENT_RANGE:
    case HTTP_FIELD_ACCEPT_RANGES:
    case HTTP_FIELD_TRANSFER_ENCODING:
        return false;
    default:
        return true;
    }
}

bool http_condition_is_client_field(enum http_field_id id)
{
    switch (id) {
    case HTTP_FIELD_IF_NONE_MATCH:
    case HTTP_FIELD_IF_MODIFIED_SINCE:
    case HTTP_FIELD_IF_MATCH:
    case HTTP_FIELD_IF_UNMODIFIED_SINCE:
    case HTTP_FIELD_IF_RANGE:
    case HTTP_FIELD_RANGE:
        return true;
    default:
        return false;
    }
}

static void condition_put(struct buf *out, struct span name, struct span value)
{
    buf_append(out, name);
    buf_append(out, SPAN(": "));
    buf_append(out, value);
    buf_append(out, SPAN("\r\n"));
}

void http_condition_write(struct buf *out, const struct http_validators *validators)
{
    if (validators->etag.len > 0) {
        condition_put(out, SPAN("If-None-Match"), validators->etag);
    }
    if (validators->last_modified.len > 0) {
        condition_put(out, SPAN("If-Modified-Since"), validators->last_modified);
    }
}

/* May this field of a 304 replace the stored ones of its name? */
static bool condition_updates(const struct http_fields *fields, const struct http_field *field,
                              struct span stored_etag)
{
    switch (field->id) {
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_CONTENT_ENCODING:
    case HTTP_FIELD_CONTENT_RANGE:
    case HTTP_FIELD_TRANSFER_ENCODING:
    case HTTP_FIELD_AGE:
    case HTTP_FIELD_VIA:
    case HTTP_FIELD_SET_COOKIE:
        return false;
    case HTTP_FIELD_ETAG:
        /* The tag of the stored bytes stays as exact as it is: a server that compresses may weaken
         * what it would send, and a strong tag would promise more of ours than we know. */
        return span_eq(field->value, stored_etag);
    default:
        return !http_fields_ends_here(fields, field);
    }
}

/* Is there an updating field of this name in the 304? */
static bool condition_is_replaced(const struct http_fields *update, const struct http_field *stored,
                                  struct span stored_etag)
{
    for (unsigned i = 0; i < update->count; i++) {
        const struct http_field *field = &update->items[i];
        if (field->id == stored->id && span_eq_nocase(field->name, stored->name) &&
            condition_updates(update, field, stored_etag)) {
            return true;
        }
    }
    return false;
}

enum http_merge http_condition_merge_dated(struct buf *out, struct span stored_head,
                                           const struct http_response *not_modified, int64_t date_s)
{
    struct http_field items[CONDITION_FIELDS];
    struct http_fields stored;
    const struct http_fields *update = &not_modified->fields;
    const char *line_end = memchr(stored_head.ptr, '\n', stored_head.len);
    unsigned status;

    http_fields_init(&stored, items, CONDITION_FIELDS);
    if (line_end == NULL || !http_head_read(stored_head, &status, &stored)) {
        return HTTP_MERGE_FAILED;
    }
    struct span etag = http_fields_find(&stored, HTTP_FIELD_ETAG);
    if (http_fields_has(update, HTTP_FIELD_ETAG)) {
        struct span fresh = http_fields_find(update, HTTP_FIELD_ETAG);
        bool same = etag_is_weak(fresh) || etag_is_weak(etag) ? http_etag_match_weak(fresh, etag)
                                                              : span_eq(fresh, etag);
        if (!same) {
            return HTTP_MERGE_MISMATCH;
        }
    }
    /* The old Date would make the renewed response old again. */
    bool new_date = !http_fields_has(update, HTTP_FIELD_DATE);
    buf_append(out, span_of(stored_head.ptr, (size_t)(line_end + 1 - stored_head.ptr)));
    for (unsigned i = 0; i < stored.count; i++) {
        const struct http_field *field = &stored.items[i];
        if (!(new_date && field->id == HTTP_FIELD_DATE) &&
            !condition_is_replaced(update, field, etag)) {
            condition_put(out, field->name, field->value);
        }
    }
    for (unsigned i = 0; i < update->count; i++) {
        const struct http_field *field = &update->items[i];
        if (condition_updates(update, field, etag)) {
            condition_put(out, field->name, field->value);
        }
    }
    if (new_date && date_s != HTTP_DATE_NONE) {
        char date[HTTP_DATE_BYTES];
        http_date_write(date, date_s);
        condition_put(out, SPAN("Date"), span_of(date, sizeof(date)));
    }
    return out->failed ? HTTP_MERGE_FAILED : HTTP_MERGE_DONE;
}
