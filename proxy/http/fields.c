/* fields - lookups over a parsed message, lists, and what may travel on (RFC 9110 5.6, 7.6.1). */
#include "http/fields.h"

#include "base/check.h"
#include "http/scan.h"

#define BIT(id) ((uint64_t)1 << (id))

bool http_fields_add(struct http_fields *fields, struct span name, struct span value)
{
    if (fields->count >= fields->capacity) {
        return false;
    }
    enum http_field_id id = http_field_id_of(name);
    fields->items[fields->count++] =
        (struct http_field){.name = name, .value = value, .id = (uint8_t)id};
    fields->present |= http_field_bit(id);
    return true;
}

void http_fields_remove(struct http_fields *fields, enum http_field_id id)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < fields->count && http_fields_has(fields, id); i++) {
        if (fields->items[i].id != id) {
            fields->items[kept++] = fields->items[i];
        }
    }
    if (http_fields_has(fields, id)) {
        fields->count = kept;
        fields->present &= ~http_field_bit(id);
    }
}

const struct http_field *http_fields_next(const struct http_fields *fields, enum http_field_id id,
                                          unsigned *at)
{
    if (!http_fields_has(fields, id)) {
        return NULL;
    }
    while (*at < fields->count) {
        const struct http_field *field = &fields->items[(*at)++];
        if (field->id == id) {
            return field;
        }
    }
    return NULL;
}

struct span http_fields_find(const struct http_fields *fields, enum http_field_id id)
{
    unsigned at = 0;
    const struct http_field *field = http_fields_next(fields, id, &at);

    return field == NULL ? (struct span){0} : field->value;
}

struct span http_fields_find_name(const struct http_fields *fields, struct span name)
{
    enum http_field_id id = http_field_id_of(name);

    if (id != HTTP_FIELD_OTHER) {
        return http_fields_find(fields, id);
    }
    for (unsigned i = 0; i < fields->count; i++) {
        if (span_eq_nocase(fields->items[i].name, name)) {
            return fields->items[i].value;
        }
    }
    return (struct span){0};
}

unsigned http_fields_count(const struct http_fields *fields, enum http_field_id id)
{
    unsigned at = 0;
    unsigned count = 0;

    while (http_fields_next(fields, id, &at) != NULL) {
        count++;
    }
    return count;
}

bool http_list_next(struct span *value, struct span *member)
{
    while (value->len > 0) {
        size_t at = 0;
        bool quoted = false;

        while (at < value->len && (quoted || value->ptr[at] != ',')) {
            if (value->ptr[at] == '"') {
                quoted = !quoted;
            } else if (quoted && value->ptr[at] == '\\' && at + 1 < value->len) {
                at++;
            }
            at++;
        }
        *member = span_trim(span_of(value->ptr, at));
        size_t skip = at < value->len ? at + 1 : at;
        value->ptr += skip;
        value->len -= skip;
        if (member->len > 0) {
            return true;
        }
    }
    return false;
}

bool http_part_next(struct span *rest, struct span *part)
{
    if (rest->len == 0) {
        return false;
    }
    const char *end = memchr(rest->ptr, ';', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->ptr);
    size_t skip = end == NULL ? len : len + 1;
    *part = span_trim(span_of(rest->ptr, len));
    *rest = span_of(rest->ptr + skip, rest->len - skip);
    return true;
}

void http_part_split(struct span part, struct span *name, struct span *value)
{
    const char *equals = part.len == 0 ? NULL : memchr(part.ptr, '=', part.len);
    size_t len = equals == NULL ? part.len : (size_t)(equals - part.ptr);

    *name = span_of(part.ptr, len);
    *value = equals == NULL ? span_of(NULL, 0) : span_of(equals + 1, part.len - len - 1);
}

struct span http_without_parameters(struct span member)
{
    struct span first = {0};

    (void)http_part_next(&member, &first);
    return first;
}

bool http_fields_has_token(const struct http_fields *fields, enum http_field_id id,
                           struct span token)
{
    unsigned at = 0;
    const struct http_field *field;

    while ((field = http_fields_next(fields, id, &at)) != NULL) {
        struct span value = field->value;
        struct span member;
        while (http_list_next(&value, &member)) {
            if (span_eq_nocase(http_without_parameters(member), token)) {
                return true;
            }
        }
    }
    return false;
}

/* RFC 9110 7.6.1 and RFC 9111 3.1. */
#define HOP_BY_HOP                                                                                 \
    (BIT(HTTP_FIELD_CONNECTION) | BIT(HTTP_FIELD_KEEP_ALIVE) | BIT(HTTP_FIELD_PROXY_CONNECTION) |  \
     BIT(HTTP_FIELD_PROXY_AUTHENTICATE) | BIT(HTTP_FIELD_PROXY_AUTHENTICATION_INFO) |              \
     BIT(HTTP_FIELD_PROXY_AUTHORIZATION) | BIT(HTTP_FIELD_TE) | BIT(HTTP_FIELD_TRAILER) |          \
     BIT(HTTP_FIELD_TRANSFER_ENCODING) | BIT(HTTP_FIELD_UPGRADE) | BIT(HTTP_FIELD_HTTP2_SETTINGS))

/* What the Connection of a request may name and lose. All other known fields protect someone: a
 * stranger could otherwise strip, through us, the very fields an origin or a cache bases its
 * decisions on. */
#define LOSABLE                                                                                    \
    (HOP_BY_HOP | BIT(HTTP_FIELD_OTHER) | BIT(HTTP_FIELD_ACCEPT_RANGES) | BIT(HTTP_FIELD_SERVER) | \
     BIT(HTTP_FIELD_USER_AGENT) | BIT(HTTP_FIELD_REFERER) | BIT(HTTP_FIELD_X_HOST) |               \
     BIT(HTTP_FIELD_X_ORIGINAL_URL) | BIT(HTTP_FIELD_X_REWRITE_URL))

/* What that of a response may not: fields for all recipients of the content, by which the next
 * cache knows what it may do and the reader what the bytes are, and the trace of those they
 * passed. */
#define LASTING                                                                                    \
    (BIT(HTTP_FIELD_CACHE_CONTROL) | BIT(HTTP_FIELD_CDN_CACHE_CONTROL) | BIT(HTTP_FIELD_PRAGMA) |  \
     BIT(HTTP_FIELD_EXPIRES) | BIT(HTTP_FIELD_DATE) | BIT(HTTP_FIELD_AGE) | BIT(HTTP_FIELD_VARY) | \
     BIT(HTTP_FIELD_ETAG) | BIT(HTTP_FIELD_LAST_MODIFIED) | BIT(HTTP_FIELD_CONTENT_LENGTH) |       \
     BIT(HTTP_FIELD_CONTENT_RANGE) | BIT(HTTP_FIELD_CONTENT_ENCODING) |                            \
     BIT(HTTP_FIELD_CONTENT_TYPE) | BIT(HTTP_FIELD_VIA) | BIT(HTTP_FIELD_CACHE_STATUS) |           \
     BIT(HTTP_FIELD_PROXY_STATUS))

static bool fields_is_named(const struct http_fields *fields, const struct http_field *field,
                            uint64_t losable)
{
    uint64_t bit = BIT(field->id);

    if ((bit & HOP_BY_HOP) != 0) {
        return true;
    }
    if ((bit & losable) == 0 || !http_fields_has(fields, HTTP_FIELD_CONNECTION)) {
        return false;
    }
    return http_fields_has_token(fields, HTTP_FIELD_CONNECTION, field->name);
}

bool http_fields_is_hop_by_hop(const struct http_fields *fields, const struct http_field *field)
{
    return fields_is_named(fields, field, LOSABLE);
}

bool http_fields_ends_here(const struct http_fields *fields, const struct http_field *field)
{
    return fields_is_named(fields, field, ~(uint64_t)LASTING);
}

static bool is_forwarding(enum http_field_id id, struct span name)
{
    static const char *const others[] = {
        "X-Forwarded-Server", "X-Forwarded-Path",       "X-Forwarded-Uri",
        "X-Forwarded-Ssl",    "X-Forwarded-Protocol",   "X-Forwarded",
        "X-Url-Scheme",       "X-HTTP-Host-Override",   "Front-End-Https",
        "X-HTTP-Method",      "X-HTTP-Method-Override", "X-Method-Override",
    };
    const uint64_t known = BIT(HTTP_FIELD_FORWARDED) | BIT(HTTP_FIELD_X_FORWARDED_FOR) |
                           BIT(HTTP_FIELD_X_FORWARDED_HOST) | BIT(HTTP_FIELD_X_FORWARDED_PROTO) |
                           BIT(HTTP_FIELD_X_FORWARDED_PORT) | BIT(HTTP_FIELD_X_FORWARDED_PREFIX) |
                           BIT(HTTP_FIELD_X_FORWARDED_SCHEME) | BIT(HTTP_FIELD_X_HOST) |
                           BIT(HTTP_FIELD_X_ORIGINAL_URL) | BIT(HTTP_FIELD_X_REWRITE_URL);

    if (id != HTTP_FIELD_OTHER) {
        return (BIT(id) & known) != 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (span_eq_nocase(name, span_str(others[i]))) {
            return true;
        }
    }
    return false;
}

/* Longer than any name above. */
#define FORWARDING_NAME_BYTES 32u

bool http_field_is_forwarding(const struct http_field *field)
{
    char name[FORWARDING_NAME_BYTES];
    struct span text = field->name;

    if (field->id != HTTP_FIELD_OTHER || text.len > sizeof(name) ||
        LIKELY(memchr(text.ptr, '_', text.len) == NULL)) {
        return is_forwarding((enum http_field_id)field->id, text);
    }
    /* To a program behind CGI, WSGI and the like "_" and "-" are one (RFC 3875 4.1.18). */
    for (size_t i = 0; i < text.len; i++) {
        name[i] = text.ptr[i] == '_' ? '-' : text.ptr[i];
    }
    text.ptr = name;
    return is_forwarding(http_field_id_of(text), text);
}

bool http_max_forwards(const struct http_fields *fields, uint64_t *out)
{
    return http_fields_has(fields, HTTP_FIELD_MAX_FORWARDS) &&
           span_to_u64(http_fields_find(fields, HTTP_FIELD_MAX_FORWARDS), UINT64_MAX, out);
}

bool http_is_token(struct span text)
{
    return text.len > 0 && http_scan_token(text.ptr, text.ptr + text.len) == text.ptr + text.len;
}

bool http_is_field_value(struct span text)
{
    return text.len == 0 || http_scan_value(text.ptr, text.ptr + text.len) == text.ptr + text.len;
}

struct span http_fields_cookie(const struct http_fields *fields, struct span name)
{
    unsigned at = 0;
    const struct http_field *field;

    while ((field = http_fields_next(fields, HTTP_FIELD_COOKIE, &at)) != NULL) {
        struct span rest = field->value;
        struct span pair;
        while (http_part_next(&rest, &pair)) {
            struct span own;
            struct span value;
            http_part_split(pair, &own, &value);
            if (value.ptr != NULL && span_eq(span_trim(own), name)) {
                return span_trim(value);
            }
        }
    }
    return span_of(NULL, 0);
}
