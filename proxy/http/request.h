#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H
/*
 * request - the one strict parser of request heads (RFC 9112 sections 2, 3, 5, 6; RFC 9110 7.2).
 *
 * Works in place on the receive buffer and may be called again whenever more bytes have come: total
 * work stays linear. A bad line is refused as soon as it is complete. What is not in the grammar is
 * refused, never repaired: a request that two parties can read in two ways is an attack.
 *
 * Threads:   one owner; pure.
 * Ownership: spans point into `data`; fields.items is the caller's.
 * Errors:    HTTP_PARSE_BAD with error_status (400 413 414 417 431 501 505) and a static
 *            error_reason: answer and close.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"
#include "http/fields.h"
#include "http/method.h"

enum http_parse {
    HTTP_PARSE_DONE, /* a whole valid head */
    HTTP_PARSE_MORE, /* good so far; call again with the same bytes and more behind them */
    HTTP_PARSE_BAD,
};

struct http_limits {
    size_t head_bytes;     /* whole head, request line included: 431 */
    size_t target_bytes;   /* request target: 414 */
    unsigned fields_count; /* field lines (also bounded by fields.capacity): 431 */
};

enum http_body {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH,
    HTTP_BODY_CHUNKED,
};

struct http_request {
    enum http_method method;
    struct span method_text;
    struct span target; /* as received */
    struct span scheme; /* "http" or "https" of an absolute-form target, else empty; who takes the
                           request may put there what the client really used */
    struct span
        authority;    /* lower case, host[:port], valid; empty only for HTTP/1.0 without Host */
    struct span path; /* path and query from "/"; "*" for OPTIONS *; empty for CONNECT */
    struct http_fields fields; /* in: items and capacity */
    enum http_body body;
    uint64_t content_length; /* bytes, when body is HTTP_BODY_LENGTH */
    uint8_t minor_version;   /* 0 or 1; a higher minor is taken for 1 */
    bool keep_alive;         /* the client lets us keep the connection */
    bool expect_continue;    /* waits for 100 (Continue) before its body */
    unsigned error_status;
    const char *error_reason; /* static */
};

/* data[0..len): what has been received. *scanned: 0 for a new head, kept by the caller between
 * calls. *used: on DONE the bytes of the head; the body or the next request follows. On DONE and
 * BAD the authority may have been lower-cased (and an absolute target without path rewritten) in
 * data. The items array must have room for limits->fields_count entries or fewer are accepted. */
MUST_USE enum http_parse http_request_parse(struct http_request *request, char *data, size_t len,
                                            size_t *scanned, size_t *used,
                                            const struct http_limits *limits);

/* host[:port] with a host of letters, digits, '-', '.', '_', '~' or an IPv6 literal, port 1..65535
 * without leading zeros (an empty port is allowed)? No userinfo. */
bool http_is_authority(struct span text);
#endif
