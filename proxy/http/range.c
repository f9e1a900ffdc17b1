/* range - bytes=first-last, bytes=first-, bytes=-suffix (RFC 9110 14.1.2). */
#include "http/range.h"

#include <stdio.h>

enum http_range http_range_parse(struct span value, uint64_t length, struct http_range_part *out)
{
    struct span unit = SPAN("bytes=");
    uint64_t first;
    uint64_t last;

    if (value.len < unit.len || !span_eq_nocase(span_of(value.ptr, unit.len), unit)) {
        return HTTP_RANGE_NONE;
    }
    struct span set = span_trim(span_of(value.ptr + unit.len, value.len - unit.len));
    const char *dash = set.len == 0 ? NULL : memchr(set.ptr, '-', set.len);
    if (dash == NULL || memchr(set.ptr, ',', set.len) != NULL) {
        return HTTP_RANGE_NONE;
    }
    struct span from = span_of(set.ptr, (size_t)(dash - set.ptr));
    struct span to = span_of(dash + 1, set.len - from.len - 1);
    if (from.len == 0) {
        if (!span_to_u64(to, INT64_MAX, &last)) {
            return HTTP_RANGE_NONE;
        }
        if (last == 0 || length == 0) {
            return HTTP_RANGE_UNSATISFIABLE;
        }
        *out = (struct http_range_part){last >= length ? 0 : length - last, length - 1};
        return HTTP_RANGE_PART;
    }
    if (!span_to_u64(from, INT64_MAX, &first)) {
        return HTTP_RANGE_NONE;
    }
    last = INT64_MAX;
    if (to.len > 0 && (!span_to_u64(to, INT64_MAX, &last) || last < first)) {
        return HTTP_RANGE_NONE;
    }
    if (first >= length) {
        return HTTP_RANGE_UNSATISFIABLE;
    }
    *out = (struct http_range_part){first, last >= length ? length - 1 : last};
    return HTTP_RANGE_PART;
}

/* RFC 9110 13.1.5: a strong tag, or exactly the Last-Modified we have. A date is only as strong as
 * the second it names; equality of the bytes is the strictest reading. */
static bool range_condition_holds(struct span condition, const struct http_validators *validators)
{
    if (condition.len > 0 && (condition.ptr[0] == '"' || condition.ptr[0] == 'W')) {
        return http_etag_match_strong(condition, validators->etag);
    }
    return condition.len > 0 && span_eq(condition, validators->last_modified);
}

enum http_range http_range_of_request(const struct http_fields *request,
                                      const struct http_validators *validators, uint64_t length,
                                      struct http_range_part *out)
{
    if (http_fields_count(request, HTTP_FIELD_RANGE) != 1) {
        return HTTP_RANGE_NONE;
    }
    if (http_fields_has(request, HTTP_FIELD_IF_RANGE) &&
        (http_fields_count(request, HTTP_FIELD_IF_RANGE) != 1 ||
         !range_condition_holds(http_fields_find(request, HTTP_FIELD_IF_RANGE), validators))) {
        return HTTP_RANGE_NONE;
    }
    return http_range_parse(http_fields_find(request, HTTP_FIELD_RANGE), length, out);
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
