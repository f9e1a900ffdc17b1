#ifndef HTTP_CODED_HEAD_H
#define HTTP_CODED_HEAD_H
/*
 * coded_head - the head of a stored response for bytes that we have encoded: same resource, another
 * representation (RFC 9110 8.8.3.3), so with a tag, a length and a Vary of its own.
 *
 * A strong tag "abc" becomes "abc~gzip-1f2e3d4c": the coding and a check sum of the encoded bytes,
 * because another level or library version makes other bytes, and then the tag must differ too. A
 * weak tag speaks of meaning, not bytes, and stays.
 *
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "http/coding.h"

struct http_coded_head {
    enum http_coding coding; /* not IDENTITY */
    uint64_t length;         /* of the encoded bytes */
    uint32_t check;          /* sum over them, for a strong tag */
};

/* Appends the stored head (http/head.h) as it is for the encoded bytes: Content-Encoding,
 * Content-Length, ETag and Vary as they must be; sums over the plain bytes (Content-MD5, Digest,
 * Content-Digest, Repr-Digest) left out, Accept-Ranges too where no strong tag could hold parts
 * together. False: the stored head is damaged, or out has failed. */
bool http_coded_head_write(struct buf *out, struct span head, const struct http_coded_head *coded);

/* Does a Vary line of this stored head name the field (lower or upper case), or "*"? */
bool http_head_varies_on(struct span head, struct span name);

/* The coding that our suffix in this entity tag names; IDENTITY: it has none. */
enum http_coding http_etag_coding(struct span tag);

/* The first coding of this set that a suffix in the request's If-None-Match names; IDENTITY: none. */
enum http_coding http_none_match_coding(const struct http_fields *request, unsigned codings);

/* Writes a list of entity tags with our suffixes taken out: what the origin knows them as. out has
 * value.len bytes of room. Returns the length; value.len: there was none. */
size_t http_etags_plain(char *out, struct span value);
#endif
