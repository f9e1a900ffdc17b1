#ifndef HTTP_DIRECTIVES_H
#define HTTP_DIRECTIVES_H
/*
 * directives - Cache-Control (RFC 9111 section 5.2, 5861, 8246) of a request or a response, over
 * all its lines, as one small struct.
 *
 * Commas inside quotes do not count, names in any case, the first of duplicates wins. An age with
 * anything but digits counts as 0: such a response is stale, and such a leave to use it stale is
 * none, whatever the operator's default.
 *
 * Threads: any; pure. Ownership: spans point into the field values.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "http/fields.h"

/* Ages saturate here (RFC 9111 1.2.2). */
#define HTTP_AGE_MAX_S ((uint32_t)1 << 31)

enum http_directive {
    HTTP_CC_NO_STORE = 1u << 0,
    HTTP_CC_NO_CACHE = 1u << 1,        /* without field names */
    HTTP_CC_NO_CACHE_FIELDS = 1u << 2, /* no-cache="a,b": names in no_cache_fields */
    HTTP_CC_PRIVATE = 1u << 3,
    HTTP_CC_PRIVATE_FIELDS = 1u << 4, /* private="a,b": names in private_fields */
    HTTP_CC_PUBLIC = 1u << 5,
    HTTP_CC_MUST_REVALIDATE = 1u << 6,
    HTTP_CC_PROXY_REVALIDATE = 1u << 7,
    HTTP_CC_MUST_UNDERSTAND = 1u << 8,
    HTTP_CC_NO_TRANSFORM = 1u << 9,
    HTTP_CC_IMMUTABLE = 1u << 10,
    HTTP_CC_ONLY_IF_CACHED = 1u << 11,
    /* the ages below are set */
    HTTP_CC_MAX_AGE = 1u << 12,
    HTTP_CC_S_MAXAGE = 1u << 13,
    HTTP_CC_MIN_FRESH = 1u << 14,
    HTTP_CC_MAX_STALE = 1u << 15, /* without a value: HTTP_AGE_MAX_S */
    HTTP_CC_STALE_WHILE_REVALIDATE = 1u << 16,
    HTTP_CC_STALE_IF_ERROR = 1u << 17,
};

struct http_directives {
    uint32_t flags; /* enum http_directive, or-ed */
    uint32_t max_age_s;
    uint32_t s_maxage_s;
    uint32_t min_fresh_s;
    uint32_t max_stale_s;
    uint32_t stale_while_revalidate_s;
    uint32_t stale_if_error_s;
    struct span no_cache_fields; /* a comma-separated list of names */
    struct span private_fields;
};

/* Adds what one field value says. Start with a zeroed struct. */
void http_directives_parse(struct http_directives *directives, struct span value);
/* All Cache-Control lines of a message. */
void http_directives_of(struct http_directives *directives, const struct http_fields *fields);
/* The same for a request, where Pragma: no-cache counts when there is no Cache-Control (RFC 9111
 * 5.4). Costs one test when neither is there. */
void http_directives_of_request(struct http_directives *directives,
                                const struct http_fields *fields);

static inline bool http_directives_has(const struct http_directives *directives, uint32_t any)
{
    return (directives->flags & any) != 0;
}

/* A list of at least one field name, and nothing else (RFC 9111 5.2.2.4, 5.2.2.7)? */
bool http_is_name_list(struct span list);
/* 1*DIGIT, saturating at HTTP_AGE_MAX_S. False when anything else is met. */
bool http_seconds_parse(struct span text, uint32_t *out);
#endif
