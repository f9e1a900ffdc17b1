#ifndef HTTP_TARGETED_H
#define HTTP_TARGETED_H
/*
 * targeted - targeted cache control fields (RFC 9213): CDN-Cache-Control and the like, which speak
 * to us alone. The first of the operator's names that a response carries with a valid, non-empty
 * dictionary replaces Cache-Control, Expires and Pragma for everything a cache decides; one that is
 * empty or cannot be read counts as absent.
 *
 * Threads: any; pure. Ownership: spans point into the field values.
 */
#include <stdbool.h>

#include "base/span.h"
#include "http/directives.h"
#include "http/fields.h"

/* Names one site may list. */
#define HTTP_TARGETED_MAX 8

/* The field names, most specific first; borrowed. Count 0: there are no targeted fields. */
struct http_targeted {
    const struct span *names;
    unsigned count;
};

/* What a response says to this cache: the first valid targeted field, else Cache-Control. True when
 * it was a targeted field. */
bool http_directives_of_response(struct http_directives *directives,
                                 const struct http_fields *fields,
                                 const struct http_targeted *targeted);

/* One field name's lines as a dictionary of cache directives. False: absent, empty or malformed,
 * and *directives is then zero. */
bool http_targeted_parse(struct http_directives *directives, const struct http_fields *fields,
                         struct span name);
#endif
