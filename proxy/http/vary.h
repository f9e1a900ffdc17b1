#ifndef HTTP_VARY_H
#define HTTP_VARY_H
/*
 * vary - which requests a stored variant answers (RFC 9111 4.1).
 *
 * A selector is the list of field names from Vary with the normalized values of the request that
 * fetched the response, as opaque bytes. Empty: no Vary, matches every request.
 * Normalization: lines joined, white space around commas dropped; Accept-Encoding reduced to the
 * codings in use (gzip, br, zstd; all of them when the response itself has another one);
 * Accept-Language in lower case, sorted by weight, then by tag. A response with one Content-Language
 * answers all requests that like this language best.
 *
 * Threads: any; pure.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"
#include "http/fields.h"

/* Names in Vary beyond which a response is treated like Vary: *. */
#define HTTP_VARY_NAMES 16

enum http_vary {
    HTTP_VARY_NONE, /* no Vary: selector empty */
    HTTP_VARY_SOME, /* selector appended to out */
    HTTP_VARY_STAR, /* never matches again: do not store */
};

enum http_vary http_selector_build(struct buf *out, const struct http_fields *response,
                                   const struct http_fields *request);
/* False for damaged selectors. No heap. */
bool http_selector_matches(struct span selector, const struct http_fields *request);
/* Is it by fields that are another's with each user (Cookie, Authorization)? */
bool http_selector_is_personal(struct span selector);
/* Does any Vary line contain "*", or too many names? */
bool http_vary_is_star(const struct http_fields *response);
#endif
