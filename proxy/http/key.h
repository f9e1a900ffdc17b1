#ifndef HTTP_KEY_H
#define HTTP_KEY_H
/*
 * key - the cache key: scheme "://" authority path, where the authority is in lower case without
 * the scheme's default port, and path and query are taken exactly as they came (RFC 9111 section 2,
 * RFC 9110 4.2.3). Nothing is decoded that the origin would not see decoded.
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* Bytes a key of these parts may need at most. */
static inline size_t http_key_bytes(struct span scheme, struct span authority, struct span path)
{
    return scheme.len + 3 + authority.len + path.len;
}

/* Writes the key into out (http_key_bytes() of room) and returns it. authority must be in lower
 * case already (http_request_parse does that). scheme: "http" or "https". */
struct span http_key_write(char *out, struct span scheme, struct span authority, struct span path);

/* Without ":port"; an IPv6 literal keeps its brackets. */
struct span http_authority_host(struct span authority);
/* The authority without the scheme's default port or an empty port. */
struct span http_authority_normal(struct span scheme, struct span authority);

struct http_url {
    struct span scheme;    /* as written: compare without case */
    struct span authority; /* as written */
    struct span path;      /* "/" when the URL has none; a fragment is cut off */
};

/* Splits and checks "http://host[:port]/path?query". Returns NULL, or a static text saying what is
 * wrong. A query without a path is refused. */
const char *http_url_parse(struct span text, struct http_url *out);
/* From the URL an operator typed to the key. out: text.len + 1 bytes of room. Returns NULL or the
 * static error text. */
const char *http_key_from_url(char *out, struct span text, struct span *key);
#endif
