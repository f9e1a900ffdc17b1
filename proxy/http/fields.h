#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H
/*
 * fields - the field lines of one message, as views into its head (RFC 9110 section 5).
 *
 * Names the proxy cares about get an id while parsing, and `present` has a bit per id: asking for a
 * field that is not there costs one test, one that is there no string comparison.
 *
 * Threads:   one owner; pure.
 * Ownership: items belongs to the caller (arena or stack), spans to whoever holds the head's bytes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum http_field_id {
    HTTP_FIELD_OTHER = 0,
    HTTP_FIELD_HOST,
    HTTP_FIELD_CONNECTION,
    HTTP_FIELD_CONTENT_LENGTH,
    HTTP_FIELD_TRANSFER_ENCODING,
    HTTP_FIELD_CACHE_CONTROL,
    HTTP_FIELD_PRAGMA,
    HTTP_FIELD_EXPIRES,
    HTTP_FIELD_DATE,
    HTTP_FIELD_AGE,
    HTTP_FIELD_ETAG,
    HTTP_FIELD_LAST_MODIFIED,
    HTTP_FIELD_VARY,
    HTTP_FIELD_IF_NONE_MATCH,
    HTTP_FIELD_IF_MODIFIED_SINCE,
    HTTP_FIELD_IF_MATCH,
    HTTP_FIELD_IF_UNMODIFIED_SINCE,
    HTTP_FIELD_IF_RANGE,
    HTTP_FIELD_RANGE,
    HTTP_FIELD_AUTHORIZATION,
    HTTP_FIELD_COOKIE,
    HTTP_FIELD_SET_COOKIE,
    HTTP_FIELD_LOCATION,
    HTTP_FIELD_CONTENT_LOCATION,
    HTTP_FIELD_CONTENT_RANGE,
    HTTP_FIELD_CONTENT_ENCODING,
    HTTP_FIELD_CONTENT_TYPE,
    HTTP_FIELD_CONTENT_LANGUAGE,
    HTTP_FIELD_EXPECT,
    HTTP_FIELD_UPGRADE,
    HTTP_FIELD_TE,
    HTTP_FIELD_TRAILER,
    HTTP_FIELD_KEEP_ALIVE,
    HTTP_FIELD_PROXY_CONNECTION,
    HTTP_FIELD_PROXY_AUTHENTICATE,
    HTTP_FIELD_PROXY_AUTHENTICATION_INFO,
    HTTP_FIELD_PROXY_AUTHORIZATION,
    HTTP_FIELD_PROXY_STATUS,
    HTTP_FIELD_VIA,
    HTTP_FIELD_FORWARDED,
    HTTP_FIELD_X_FORWARDED_FOR,
    HTTP_FIELD_X_FORWARDED_HOST,
    HTTP_FIELD_X_FORWARDED_PROTO,
    HTTP_FIELD_X_FORWARDED_PORT,
    HTTP_FIELD_X_FORWARDED_PREFIX,
    HTTP_FIELD_X_FORWARDED_SCHEME,
    HTTP_FIELD_X_HOST,
    HTTP_FIELD_X_ORIGINAL_URL,
    HTTP_FIELD_X_REWRITE_URL,
    HTTP_FIELD_CACHE_STATUS,
    HTTP_FIELD_USER_AGENT,
    HTTP_FIELD_REFERER,
    HTTP_FIELD_ACCEPT,
    HTTP_FIELD_ACCEPT_ENCODING,
    HTTP_FIELD_ACCEPT_LANGUAGE,
    HTTP_FIELD_ACCEPT_RANGES,
    HTTP_FIELD_CDN_CACHE_CONTROL,
    HTTP_FIELD_MAX_FORWARDS,
    HTTP_FIELD_HTTP2_SETTINGS,
    HTTP_FIELD_SERVER,
    HTTP_FIELD_COUNT, /* at most 64: `present` is one word */
};

struct http_field {
    struct span name;  /* as received; compare without case */
    struct span value; /* without white space at its ends */
    uint8_t id;        /* enum http_field_id */
};

struct http_fields {
    struct http_field *items;
    unsigned count;
    unsigned capacity;
    uint64_t present; /* bit per id met; bit 0 (HTTP_FIELD_OTHER) for any unknown name */
};

/* The id of a name; the name must be a non-empty token. */
enum http_field_id http_field_id_of(struct span name);
/* The usual spelling ("Content-Length"); empty for HTTP_FIELD_OTHER. Static. */
struct span http_field_name(enum http_field_id id);

static inline uint64_t http_field_bit(enum http_field_id id)
{
    return (uint64_t)1 << id;
}

static inline bool http_fields_has(const struct http_fields *fields, enum http_field_id id)
{
    return (fields->present & http_field_bit(id)) != 0;
}

/* Empties and gives it its array. */
static inline void http_fields_init(struct http_fields *fields, struct http_field *items,
                                    unsigned capacity)
{
    *fields = (struct http_fields){.items = items, .capacity = capacity};
}

/* Adds a line; false when full. */
bool http_fields_add(struct http_fields *fields, struct span name, struct span value);

/* The next line with this id at or after *at; moves *at behind it. NULL at the end. Start with 0:
 *   unsigned at = 0;
 *   while ((field = http_fields_next(fields, HTTP_FIELD_VIA, &at)) != NULL) ... */
const struct http_field *http_fields_next(const struct http_fields *fields, enum http_field_id id,
                                          unsigned *at);
/* The first line's value, or a span with NULL ptr. */
struct span http_fields_find(const struct http_fields *fields, enum http_field_id id);
/* The same for any name, known or not. */
struct span http_fields_find_name(const struct http_fields *fields, struct span name);
/* Takes all lines of this id out. */
void http_fields_remove(struct http_fields *fields, enum http_field_id id);
/* How many lines have this id. */
unsigned http_fields_count(const struct http_fields *fields, enum http_field_id id);

/* Takes the next member off a comma-separated value (RFC 9110 5.6.1): trimmed, empty ones skipped,
 * commas inside quoted strings do not count. False at the end. */
bool http_list_next(struct span *value, struct span *member);
/* Takes the next ";"-separated part off a member or a Cookie line: trimmed, may be empty. False at
 * the end. */
bool http_part_next(struct span *rest, struct span *part);
/* What stands before the first "=" of a part, and behind it; value: NULL ptr without a "=". Not
 * trimmed. */
void http_part_split(struct span part, struct span *name, struct span *value);
/* The value of the first cookie of that name, over all Cookie lines (RFC 6265 4.2.1; letter case
 * counts), trimmed. NULL ptr: there is none. */
struct span http_fields_cookie(const struct http_fields *fields, struct span name);
/* A member, or a media type, without its parameters; trimmed. */
struct span http_without_parameters(struct span member);
/* Does any line of this id have this member (case ignored, parameters behind ';' ignored)? */
bool http_fields_has_token(const struct http_fields *fields, enum http_field_id id,
                           struct span token);

/* Of a request: must not travel further than this connection (RFC 9110 7.6.1): the known set and all
 * that Connection names, but never a field that protects or frames (Host, Authorization,
 * Cache-Control, Cookie, Content-Length ...). `fields` is the whole message, `field` one of it. */
bool http_fields_is_hop_by_hop(const struct http_fields *fields, const struct http_field *field);
/* The same of a response: all that Connection names but what the content's recipients need to know of
 * it (Cache-Control, Vary, ETag, Content-Type ...), which 7.6.1 does not let a sender name. */
bool http_fields_ends_here(const struct http_fields *fields, const struct http_field *field);
/* Fields with which a stranger could plant a response under another name (X-Forwarded-Host,
 * Forwarded, X-Original-URL ...; security.md 4), also spelt with "_": drop from untrusted clients, or
 * overwrite. */
bool http_field_is_forwarding(const struct http_field *field);
/* Max-Forwards (RFC 9110 7.6.2). False: there is none, or no number. */
bool http_max_forwards(const struct http_fields *fields, uint64_t *out);

/* 1*tchar (RFC 9110 5.6.2)? */
bool http_is_token(struct span text);
/* Field value bytes: no controls but HTAB (RFC 9110 5.5)? */
bool http_is_field_value(struct span text);
#endif
