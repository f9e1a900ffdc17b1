/* coded_head - suffix = "~" ( "gzip" / "br" ) "-" 8HEXDIG, in lower case, before the closing quote.
 */
#include "http/coded_head.h"

#include "base/check.h"
#include "http/head.h"

#define FIELDS_MAX 264u
#define CHECK_DIGITS 8u

static void put(struct buf *out, struct span name, struct span value)
{
    buf_append(out, name);
    buf_append(out, SPAN(": "));
    buf_append(out, value);
    buf_append(out, SPAN("\r\n"));
}

static bool tag_is_weak(struct span tag)
{
    return span_starts(tag, SPAN("W/"));
}

static bool tag_is_strong(struct span tag)
{
    return tag.len >= 2 && tag.ptr[0] == '"' && tag.ptr[tag.len - 1] == '"';
}

static void put_tag(struct buf *out, const struct http_field *field,
                    const struct http_coded_head *coded)
{
    struct span tag = field->value;
    struct span name = http_coding_name(coded->coding);

    if (tag_is_weak(tag) || tag.len == 0) {
        put(out, field->name, tag);
        return;
    }
    bool is_quoted = tag_is_strong(tag);
    buf_append(out, field->name);
    buf_append(out, SPAN(": "));
    buf_append(out, span_of(tag.ptr, is_quoted ? tag.len - 1 : tag.len));
    buf_printf(out, "~%.*s-%08x", (int)name.len, name.ptr, (unsigned)coded->check);
    buf_append(out, is_quoted ? SPAN("\"\r\n") : SPAN("\r\n"));
}

/* Sums over the bytes that are not sent (RFC 9530, RFC 1864, RFC 3230). */
static bool is_digest(const struct http_field *field)
{
    static const struct span names[] = {
        {"Content-MD5", 11}, {"Digest", 6}, {"Content-Digest", 14}, {"Repr-Digest", 11}};

    for (size_t i = 0; field->id == HTTP_FIELD_OTHER && i < ARRAY_LEN(names); i++) {
        if (span_eq_nocase(field->name, names[i])) {
            return true;
        }
    }
    return false;
}

static bool fields_vary_on(const struct http_fields *fields, struct span name)
{
    unsigned at = 0;
    const struct http_field *field;

    while ((field = http_fields_next(fields, HTTP_FIELD_VARY, &at)) != NULL) {
        struct span rest = field->value;
        struct span member;
        while (http_list_next(&rest, &member)) {
            if (span_eq_nocase(member, name) || span_eq(member, SPAN("*"))) {
                return true;
            }
        }
    }
    return false;
}

/* All lines joined behind Accept-Encoding, which none of them names: there a quote that somebody
 * forgot to close cannot hide it. */
static void put_vary(struct buf *out, const struct http_fields *fields)
{
    unsigned at = 0;
    const struct http_field *field;

    buf_append(out, SPAN("Vary: Accept-Encoding"));
    while ((field = http_fields_next(fields, HTTP_FIELD_VARY, &at)) != NULL) {
        if (field->value.len > 0) {
            buf_append(out, SPAN(", "));
            buf_append(out, field->value);
        }
    }
    buf_append(out, SPAN("\r\n"));
}

static void put_fields(struct buf *out, const struct http_fields *fields,
                       const struct http_coded_head *coded)
{
    bool varies = fields_vary_on(fields, SPAN("Accept-Encoding"));
    bool is_strong = tag_is_strong(http_fields_find(fields, HTTP_FIELD_ETAG));

    for (unsigned i = 0; i < fields->count; i++) {
        const struct http_field *field = &fields->items[i];
        switch ((enum http_field_id)field->id) {
        case HTTP_FIELD_CONTENT_LENGTH:
        case HTTP_FIELD_CONTENT_ENCODING:
            break;
        case HTTP_FIELD_VARY:
            if (varies) {
                put(out, field->name, field->value);
            }
            break;
        case HTTP_FIELD_ACCEPT_RANGES:
            if (is_strong) {
                put(out, field->name, field->value);
            }
            break;
        case HTTP_FIELD_ETAG:
            put_tag(out, field, coded);
            break;
        default:
            if (!is_digest(field)) {
                put(out, field->name, field->value);
            }
            break;
        }
    }
    if (!varies) {
        put_vary(out, fields);
    }
}

bool http_coded_head_write(struct buf *out, struct span head, const struct http_coded_head *coded)
{
    struct http_field items[FIELDS_MAX];
    struct http_fields fields;
    unsigned status;
    const char *line_end = head.len == 0 ? NULL : memchr(head.ptr, '\n', head.len);

    CHECK(coded->coding != HTTP_CODING_IDENTITY);
    http_fields_init(&fields, items, FIELDS_MAX);
    if (line_end == NULL || !http_head_read(head, &status, &fields)) {
        return false;
    }
    buf_append(out, span_of(head.ptr, (size_t)(line_end + 1 - head.ptr)));
    put_fields(out, &fields, coded);
    put(out, SPAN("Content-Encoding"), http_coding_name(coded->coding));
    buf_append(out, SPAN("Content-Length: "));
    buf_put_u64(out, coded->length);
    buf_append(out, SPAN("\r\n"));
    return !out->failed;
}

bool http_head_varies_on(struct span head, struct span name)
{
    struct http_field items[FIELDS_MAX];
    struct http_fields fields;
    unsigned status;

    http_fields_init(&fields, items, FIELDS_MAX);
    return http_head_read(head, &status, &fields) && fields_vary_on(&fields, name);
}

/* Where the suffix in front of `end` begins, or end. */
static size_t suffix_at(struct span text, size_t end, enum http_coding *coding)
{
    *coding = HTTP_CODING_IDENTITY;
    if (end <= CHECK_DIGITS + 1) {
        return end;
    }
    size_t digits = end - CHECK_DIGITS;
    for (size_t i = digits; i < end; i++) {
        char c = text.ptr[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
            return end;
        }
    }
    if (text.ptr[digits - 1] != '-') {
        return end;
    }
    for (unsigned i = HTTP_CODING_GZIP; i < HTTP_CODING_COUNT; i++) {
        struct span name = http_coding_name((enum http_coding)i);
        if (digits - 1 > name.len && text.ptr[digits - 2 - name.len] == '~' &&
            span_eq(span_of(text.ptr + digits - 1 - name.len, name.len), name)) {
            *coding = (enum http_coding)i;
            return digits - 2 - name.len;
        }
    }
    return end;
}

enum http_coding http_etag_coding(struct span tag)
{
    enum http_coding coding = HTTP_CODING_IDENTITY;

    if (tag_is_strong(tag)) {
        (void)suffix_at(tag, tag.len - 1, &coding);
    }
    return coding;
}

enum http_coding http_none_match_coding(const struct http_fields *request, unsigned codings)
{
    unsigned at = 0;
    const struct http_field *field;

    while ((field = http_fields_next(request, HTTP_FIELD_IF_NONE_MATCH, &at)) != NULL) {
        struct span value = field->value;
        for (size_t i = 0; i < value.len; i++) {
            enum http_coding coding = HTTP_CODING_IDENTITY;
            if (value.ptr[i] == '"' && suffix_at(value, i, &coding) < i &&
                (codings & http_coding_bit(coding)) != 0) {
                return coding;
            }
        }
    }
    return HTTP_CODING_IDENTITY;
}

size_t http_etags_plain(char *out, struct span value)
{
    enum http_coding coding;
    size_t len = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"') {
            /* what was written so far ends with the tag's bytes, all of them copied as they were */
            len = suffix_at(span_of(out, len), len, &coding);
        }
        out[len++] = value.ptr[i];
    }
    return len;
}
