#ifndef HTTP_BYTERANGES_H
#define HTTP_BYTERANGES_H
/*
 * byteranges - the texts between the parts of a multipart/byteranges body (RFC 9110 14.6, RFC 2046
 * 5.1.1).
 * Threads: any; pure.
 */
#include "base/buf.h"
#include "base/span.h"
#include "http/range.h"

struct http_byteranges {
    struct span boundary;     /* 1..70 letters and digits that occur in no part */
    struct span content_type; /* of the representation; empty: it has none */
    uint64_t length;          /* of the representation */
};

/* Appends the value of the response's Content-Type. */
void http_byteranges_type(struct buf *out, const struct http_byteranges *body);
/* Appends what stands before this part: delimiter, its fields, an empty line. */
void http_byteranges_open(struct buf *out, const struct http_byteranges *body,
                          const struct http_range_part *part, bool is_first);
/* Appends what stands after the last. */
void http_byteranges_close(struct buf *out, const struct http_byteranges *body);
#endif
