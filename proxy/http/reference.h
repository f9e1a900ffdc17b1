#ifndef HTTP_REFERENCE_H
#define HTTP_REFERENCE_H
/*
 * reference - URI references, as Location and Content-Location hold them, resolved against the URI
 * of the request (RFC 3986 section 5.2, RFC 9110 4.1, 10.2.2). Percent-encoding stays as it is.
 *
 * Threads: any; pure. Ownership: the result points into room, the reference and the base.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "http/key.h"

/* Room http_reference_resolve may need at most. */
static inline size_t http_reference_bytes(const struct http_url *base, struct span reference)
{
    return base->path.len + reference.len + 2;
}

/* base.path: path and query, begins with '/'. False: not an http or https URI with a host, or bytes
 * that no URI has. The fragment is cut off; "." and ".." segments of the path are removed. */
bool http_reference_resolve(struct http_url *out, const struct http_url *base,
                            struct span reference, char *room);
#endif
