#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H
/*
 * head - the stored form of a response head: "HTTP/1.1 200 OK\r\n" and its end-to-end fields, each
 * "Name: value\r\n", WITHOUT the final blank line. A hit copies it and appends only Age,
 * Cache-Status, Connection and the blank line.
 *
 * Hop-by-hop fields, all that Connection names, and Age are left out; Content-Length is written
 * when known; our Via is appended once.
 *
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "http/fields.h"
#include "http/response.h"
#include "http/targeted.h"

struct http_head_options {
    struct span via;         /* our pseudonym ("larder"): adds "Via: 1.1 larder"; empty: no Via */
    bool has_content_length; /* write Content-Length: content_length in place of the origin's */
    uint64_t content_length;
    bool drop_set_cookie;
    struct span private_fields; /* names that private="..." keeps out of the store */
    int64_t date_s; /* written as Date when the response has no valid one; HTTP_DATE_NONE: never */
};

/* Appends the stored form of response to out. On failure out->failed is set. */
void http_head_write(struct buf *out, const struct http_response *response,
                     const struct http_head_options *options);
/* The lines of those fields alone, as http_head_write would have written them: for the one client
 * whose request brought them. */
void http_head_write_private(struct buf *out, const struct http_response *response,
                             const struct http_head_options *options);
/* A stored head without the fields that no-cache="..." names: they may not be used before the
 * origin was asked (RFC 9111 5.2.2.4). False: the stored bytes are damaged. */
bool http_head_write_unvalidated(struct buf *out, struct span head,
                                 const struct http_targeted *targeted);
/* A stored head without the fields that private="..." names: what a 304 brought for its own client
 * is not for others (5.2.2.7). False: the stored bytes are damaged. */
bool http_head_write_shared(struct buf *out, struct span head,
                            const struct http_targeted *targeted);
/* Reads stored bytes back: false when they are damaged or there are more fields than room. */
bool http_head_read(struct span head, unsigned *status, struct http_fields *fields);
/* One field of stored bytes without parsing them all; NULL ptr when absent. */
struct span http_head_find(struct span head, enum http_field_id id);
#endif
