#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H
/*
 * range - one byte range against a body of known length (RFC 9110 section 14).
 * Several ranges, other units and malformed values are ignored: the answer is the whole 200, which
 * section 14.2 allows and which bounds what a hostile set of ranges can cost.
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "http/condition.h"
#include "http/fields.h"

enum http_range {
    HTTP_RANGE_NONE,          /* send everything */
    HTTP_RANGE_PART,          /* send *first..*last, both included: 206 */
    HTTP_RANGE_UNSATISFIABLE, /* 416 with Content-Range: bytes <star>/length */
};

struct http_range_part {
    uint64_t first;
    uint64_t last;
};

/* A Range value alone. */
enum http_range http_range_parse(struct span value, uint64_t length, struct http_range_part *out);
/* A request's Range with its If-Range (strong comparison, RFC 9110 13.1.5) against a stored 200. */
enum http_range http_range_of_request(const struct http_fields *request,
                                      const struct http_validators *validators, uint64_t length,
                                      struct http_range_part *out);

/* Room for "bytes first-last/length". */
#define HTTP_CONTENT_RANGE_BYTES 72
/* Writes a Content-Range value; part NULL: the form of a 416. Returns its length. */
size_t http_content_range_write(char out[HTTP_CONTENT_RANGE_BYTES],
                                const struct http_range_part *part, uint64_t length);
#endif
