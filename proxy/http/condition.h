#ifndef HTTP_CONDITION_H
#define HTTP_CONDITION_H
/*
 * condition - conditional requests (RFC 9110 section 13, RFC 9111 4.3), both ways: answering a
 * client from a stored response, and validating a stored response with the origin. Threads: any;
 * pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "http/fields.h"
#include "http/freshness.h"

/* Validators of the stored response; spans may be empty. */
struct http_validators {
    struct span etag;          /* the field value as stored, quotes and W/ included */
    struct span last_modified; /* the field value as stored */
};

/* RFC 9110 8.8.3.2. Values that are not entity tags are compared as bytes. */
bool http_etag_match_weak(struct span a, struct span b);
bool http_etag_match_strong(struct span a, struct span b);

/* Does a hit need http_not_modified at all? One test. */
static inline bool http_is_conditional(const struct http_fields *request)
{
    return (request->present & (http_field_bit(HTTP_FIELD_IF_NONE_MATCH) |
                                http_field_bit(HTTP_FIELD_IF_MODIFIED_SINCE))) != 0;
}

/* Is a 304 the right answer to this GET or HEAD from this stored 200? If-None-Match comes before
 * If-Modified-Since (RFC 9110 13.2.2), which is compared with Last-Modified, else Date. */
bool http_not_modified(const struct http_fields *request, const struct http_stored *stored,
                       const struct http_validators *validators, int64_t now_s);
/* Fields a 304 to a client keeps (RFC 9110 15.4.5). */
bool http_condition_keeps(const struct http_field *field);
/* Client conditions and ranges that are not passed on when we validate for ourselves. */
bool http_condition_is_client_field(enum http_field_id id);

/* Appends If-None-Match and If-Modified-Since lines for our own validation, each with CRLF. */
void http_condition_write(struct buf *out, const struct http_validators *validators);

enum http_merge {
    HTTP_MERGE_DONE,     /* out has the updated head */
    HTTP_MERGE_MISMATCH, /* the 304 speaks of another representation: fetch without condition */
    HTTP_MERGE_FAILED,   /* no memory, or too large, or stored bytes are damaged */
};

/* RFC 9111 3.2, 4.3.4: the stored head (see head.h) with the 304's fields put in place of its own
 * of the same name, except those that describe the stored bytes (Content-Length, -Encoding, -Range,
 * ETag when weak ...), for the connection, or for one client (Set-Cookie). date_s: written as Date
 * when the 304 has none. Appends to out. */
enum http_merge http_condition_merge_dated(struct buf *out, struct span stored_head,
                                           const struct http_response *not_modified,
                                           int64_t date_s);
#endif
