/*
 * range - bytes=first-last, bytes=first-, bytes=-suffix and lists of them (RFC 9110 14.1.2):
 *   ranges-specifier = range-unit "=" range-set, range-set = 1#range-spec
 */
#include "http/range.h"

#include <stdio.h>

#include "http/date.h"

/* One member of the list, before any length is known. */
struct range_spec {
    bool is_suffix;
    uint64_t first; /* or the suffix's length */
    uint64_t last;  /* UINT64_MAX: open */
};

/* 1*DIGIT; what is too large for 64 bits is UINT64_MAX. */
static bool range_number(struct span text, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.ptr[i] - '0';
        if (digit > 9) {
            return false;
        }
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    *out = value;
    return text.len > 0;
}

static bool range_spec_parse(struct span text, struct range_spec *out)
{
    const char *dash = text.len == 0 ? NULL : memchr(text.ptr, '-', text.len);

    if (dash == NULL) {
        return false;
    }
    struct span from = span_of(text.ptr, (size_t)(dash - text.ptr));
    struct span to = span_of(dash + 1, text.len - from.len - 1);
    *out = (struct range_spec){.is_suffix = from.len == 0, .last = UINT64_MAX};
    if (out->is_suffix) {
        return range_number(to, &out->first);
    }
    return range_number(from, &out->first) &&
           (to.len == 0 || (range_number(to, &out->last) && out->last >= out->first));
}

/* Takes the unit off; the rest is the list. */
static bool range_unit(struct span value, struct span *list)
{
    struct span unit = SPAN("bytes=");

    if (value.len < unit.len || !span_eq_nocase(span_of(value.ptr, unit.len), unit)) {
        return false;
    }
    *list = span_of(value.ptr + unit.len, value.len - unit.len);
    return true;
}

/* What this one means for a representation of length bytes. False: unsatisfiable. */
static bool range_resolve(const struct range_spec *spec, uint64_t length,
                          struct http_range_part *out)
{
    if (spec->is_suffix) {
        *out =
            (struct http_range_part){spec->first >= length ? 0 : length - spec->first, length - 1};
        return spec->first > 0 && length > 0;
    }
    *out = (struct http_range_part){spec->first, spec->last >= length ? length - 1 : spec->last};
    return spec->first < length;
}

static bool range_touches(const struct http_range_part *a, const struct http_range_part *b)
{
    return a->first <= b->last + 1 && b->first <= a->last + 1;
}

/* Joins it with all it touches. The set never has more members than the list had. */
static void range_add(struct http_range_set *set, struct http_range_part part)
{
    unsigned place = set->count;
    unsigned i = 0;

    while (i < set->count) {
        const struct http_range_part *other = &set->parts[i];
        if (!range_touches(other, &part)) {
            i++;
            continue;
        }
        part.first = other->first < part.first ? other->first : part.first;
        part.last = other->last > part.last ? other->last : part.last;
        place = i < place ? i : place;
        set->count--;
        memmove(&set->parts[i], &set->parts[i + 1], (set->count - i) * sizeof(part));
        i = 0; /* it has grown: it may touch what it did not before */
    }
    place = place > set->count ? set->count : place;
    memmove(&set->parts[place + 1], &set->parts[place], (set->count - place) * sizeof(part));
    set->parts[place] = part;
    set->count++;
}

enum http_range http_range_parse(struct span value, uint64_t length, struct http_range_set *out)
{
    struct span list;
    struct span member;
    unsigned count = 0;

    out->count = 0;
    if (!range_unit(value, &list)) {
        return HTTP_RANGE_NONE;
    }
    while (http_list_next(&list, &member)) {
        struct range_spec spec;
        struct http_range_part part;
        if (++count > HTTP_RANGES_MAX || !range_spec_parse(member, &spec)) {
            return HTTP_RANGE_NONE;
        }
        if (range_resolve(&spec, length, &part)) {
            range_add(out, part);
        }
    }
    if (count == 0) {
        return HTTP_RANGE_NONE;
    }
    return out->count > 0 ? HTTP_RANGE_SOME : HTTP_RANGE_UNSATISFIABLE;
}

/* Date and Last-Modified may come from two clocks (RFC 9110 8.8.2.2). */
#define RANGE_CLOCKS_APART_S 60

static bool range_date_is_strong(const struct http_stored *stored)
{
    return stored->last_modified_s != HTTP_DATE_NONE &&
           (stored->flags & HTTP_STORED_NO_DATE) == 0 &&
           stored->last_modified_s <= stored->date_s - RANGE_CLOCKS_APART_S;
}

struct span http_strong_validator(const struct http_stored *stored,
                                  const struct http_validators *validators)
{
    if (validators->etag.len > 0) {
        return http_etag_match_strong(validators->etag, validators->etag) ? validators->etag
                                                                          : span_of(NULL, 0);
    }
    return range_date_is_strong(stored) ? validators->last_modified : span_of(NULL, 0);
}

bool http_if_range_is_tag(struct span value)
{
    return (value.len >= 1 && value.ptr[0] == '"') ||
           (value.len >= 2 && value.ptr[0] == 'W' && value.ptr[1] == '/'); /* and not "Wed" */
}

/* RFC 9110 13.1.5: a strong tag, or exactly the Last-Modified we have, and that a strong one. */
static bool range_condition_holds(struct span condition, const struct http_representation *stored)
{
    if (http_if_range_is_tag(condition)) {
        return http_etag_match_strong(condition, stored->validators->etag);
    }
    return condition.len > 0 && range_date_is_strong(stored->stored) &&
           span_eq(condition, stored->validators->last_modified);
}

enum http_range http_range_of_request(const struct http_fields *request,
                                      const struct http_representation *stored,
                                      struct http_range_set *out)
{
    if (http_fields_count(request, HTTP_FIELD_RANGE) != 1) {
        return HTTP_RANGE_NONE;
    }
    if (http_fields_has(request, HTTP_FIELD_IF_RANGE) &&
        (http_fields_count(request, HTTP_FIELD_IF_RANGE) != 1 ||
         !range_condition_holds(http_fields_find(request, HTTP_FIELD_IF_RANGE), stored))) {
        return HTTP_RANGE_NONE;
    }
    return http_range_parse(http_fields_find(request, HTTP_FIELD_RANGE), stored->length, out);
}

bool http_range_start(const struct http_fields *request, struct http_range_start *out)
{
    struct http_range_set set;
    struct range_spec spec;
    struct span list;
    struct span member;
    struct span value = http_fields_find(request, HTTP_FIELD_RANGE);

    if (http_fields_count(request, HTTP_FIELD_RANGE) != 1 ||
        http_range_parse(value, UINT64_MAX, &set) == HTTP_RANGE_NONE || !range_unit(value, &list) ||
        !http_list_next(&list, &member) || !range_spec_parse(member, &spec)) {
        return false;
    }
    *out = (struct http_range_start){
        .is_single = !http_list_next(&list, &member),
        .is_suffix = spec.is_suffix,
        .first = spec.first,
        .last = spec.last,
    };
    return true;
}

size_t http_content_range_write(char out[HTTP_CONTENT_RANGE_BYTES],
                                const struct http_range_part *part, uint64_t length)
{
    int len;

    if (part == NULL) {
        len = snprintf(out, HTTP_CONTENT_RANGE_BYTES, "bytes */%llu", (unsigned long long)length);
    } else {
        len = snprintf(out, HTTP_CONTENT_RANGE_BYTES, "bytes %llu-%llu/%llu",
                       (unsigned long long)part->first, (unsigned long long)part->last,
                       (unsigned long long)length);
    }
    return len < 0 ? 0 : (size_t)len;
}

bool http_content_range_of(const struct http_fields *response, struct http_content_range *out)
{
    struct span unit = SPAN("bytes ");
    struct span value = http_fields_find(response, HTTP_FIELD_CONTENT_RANGE);
    const char *slash = value.len == 0 ? NULL : memchr(value.ptr, '/', value.len);

    if (http_fields_count(response, HTTP_FIELD_CONTENT_RANGE) != 1 || slash == NULL ||
        value.len < unit.len || !span_eq_nocase(span_of(value.ptr, unit.len), unit)) {
        return false;
    }
    const char *from = value.ptr + unit.len;
    struct span range = span_trim(span_of(from, slash > from ? (size_t)(slash - from) : 0));
    struct span total = span_trim(span_of(slash + 1, value.len - (size_t)(slash + 1 - value.ptr)));
    struct range_spec spec;
    if (!range_spec_parse(range, &spec) || spec.is_suffix || spec.last == UINT64_MAX) {
        return false;
    }
    out->part = (struct http_range_part){spec.first, spec.last};
    out->length = UINT64_MAX;
    if (span_eq(total, SPAN("*"))) {
        return true;
    }
    return range_number(total, &out->length) && out->length < UINT64_MAX && spec.last < out->length;
}

bool http_field_sums_content(const struct http_field *field)
{
    return field->id == HTTP_FIELD_OTHER && (span_eq_nocase(field->name, SPAN("Content-Digest")) ||
                                             span_eq_nocase(field->name, SPAN("Content-MD5")));
}
