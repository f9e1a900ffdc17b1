#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H
/*
 * range - byte ranges of a representation (RFC 9110 sections 13.1.5 and 14).
 *
 * A Range that is malformed, has another unit, stands on several lines or names more than
 * HTTP_RANGES_MAX ranges is ignored: the answer is the whole 200, which 14.2 allows and which
 * bounds what a hostile set can cost. Numbers of any size are read; they saturate.
 *
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "http/condition.h"
#include "http/fields.h"

#define HTTP_RANGES_MAX 16u

enum http_range {
    HTTP_RANGE_NONE,          /* send everything */
    HTTP_RANGE_SOME,          /* send what the set says: 206 */
    HTTP_RANGE_UNSATISFIABLE, /* 416 with Content-Range: bytes <star>/length */
};

struct http_range_part {
    uint64_t first;
    uint64_t last; /* included; >= first, below the length */
};

/* 1 or more ranges in the order asked for. None touches another: those that overlapped or adjoined
 * are one, at the place of the earliest (15.3.7.2). */
struct http_range_set {
    unsigned count;
    struct http_range_part parts[HTTP_RANGES_MAX];
};

/* A Range value alone, against a representation of length bytes. out is set for SOME. */
enum http_range http_range_parse(struct span value, uint64_t length, struct http_range_set *out);
/* The validator under which bytes of different responses belong to one representation (8.8.1): a
 * strong ETag; without any ETag, a Last-Modified that lies so far before Date (8.8.2.2) that no
 * second change can hide in its second. Empty: none. */
struct span http_strong_validator(const struct http_stored *stored,
                                  const struct http_validators *validators);

/* Is this If-Range an entity tag, strong or weak? Else it can only be a date. */
bool http_if_range_is_tag(struct span value);

struct http_representation {
    const struct http_stored *stored;
    const struct http_validators *validators;
    uint64_t length;
};
/* A request's Range with its If-Range (13.1.5: strong comparison) against a stored 200. */
enum http_range http_range_of_request(const struct http_fields *request,
                                      const struct http_representation *stored,
                                      struct http_range_set *out);

/* What is wanted first, before the length is known. */
struct http_range_start {
    bool is_single;
    bool is_suffix;
    uint64_t first; /* of the first range; the number of bytes of a suffix */
    uint64_t last;  /* UINT64_MAX: open */
};
/* False: no Range, or one that is to be ignored. */
bool http_range_start(const struct http_fields *request, struct http_range_start *out);

/* Room for "bytes first-last/length". */
#define HTTP_CONTENT_RANGE_BYTES 72
/* Writes a Content-Range value; part NULL: the form of a 416. Returns its length. */
size_t http_content_range_write(char out[HTTP_CONTENT_RANGE_BYTES],
                                const struct http_range_part *part, uint64_t length);

/* Is this a sum over the content of one message (Content-MD5, RFC 1864; Content-Digest, RFC 9530 2)?
 * It says nothing of another part of the representation, nor of the whole. */
bool http_field_sums_content(const struct http_field *field);

struct http_content_range {
    struct http_range_part part;
    uint64_t length; /* of the representation; UINT64_MAX: the origin does not know */
};
/* The Content-Range of a 206 (14.4). False: absent, on several lines, another unit, malformed, or
 * a range that does not lie inside the length. */
bool http_content_range_of(const struct http_fields *response, struct http_content_range *out);
#endif
