#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H
/*
 * response - strict validation of one response head as an origin sent it (RFC 9112 4, 5, 6).
 *
 * Bare LF line ends are tolerated (nothing is copied from line ends); obs-fold, space before a
 * colon, controls, differing or ill-formed Content-Length, chunked beside other transfer codings are
 * refused: 502. A transfer coding that is not chunked leaves the end to the connection (RFC
 * 9112 6.3), whatever Content-Length says.
 *
 * Threads:   one owner; pure.
 * Ownership: spans point into `head`; fields.items is the caller's.
 * Errors:    HTTP_PARSE_BAD with a static error_reason. Never HTTP_PARSE_MORE.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"
#include "http/fields.h"
#include "http/request.h"

struct http_response {
    unsigned status;           /* 100..599 */
    uint8_t minor_version;     /* 0 or 1 */
    struct span reason;        /* may be empty */
    struct http_fields fields; /* in: items and capacity */
    bool has_content_length;
    bool chunked;
    bool unstorable;         /* framing was ambiguous (length and coding), or the coding is not
                                chunked: relay, never store */
    uint64_t content_length; /* bytes, when has_content_length */
    const char *error_reason;
};

/* head: status line and field lines, with or without the blank line at the end.
 * limits: head_bytes and fields_count count; target_bytes does not. */
MUST_USE enum http_parse http_response_parse(struct http_response *response, struct span head,
                                             const struct http_limits *limits);

/* Can these first bytes be of an HTTP/1 response? False as soon as they cannot. */
bool http_response_may_begin(struct span bytes);
/* Length of the head at the front of bytes, its blank line included; 0: the blank line has not
 * come. from: no head ends before there (what was searched already, less 3). */
size_t http_response_head_end(struct span bytes, size_t from);
#endif
