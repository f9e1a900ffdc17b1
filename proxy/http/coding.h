#ifndef HTTP_CODING_H
#define HTTP_CODING_H
/*
 * coding - content codings we apply ourselves (RFC 9110 8.4.1, 12.5.3): what a client prefers, what
 * an origin is asked for, and which responses may be encoded at all (RFC 9110 7.7).
 *
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "http/fields.h"
#include "http/response.h"
#include "http/targeted.h"

/* The numbers are part of stored keys. */
enum http_coding {
    HTTP_CODING_IDENTITY = 0,
    HTTP_CODING_GZIP = 1,
    HTTP_CODING_BR = 2,
    HTTP_CODING_COUNT,
};

/* "identity", "gzip", "br". Static. */
struct span http_coding_name(enum http_coding coding);

/* A set of codings. */
static inline unsigned http_coding_bit(enum http_coding coding)
{
    return 1u << coding;
}

/* The weight among the ";"-separated parameters of a member of Accept or Accept-Encoding, in
 * thousandths (RFC 9110 12.4.2); others than q are skipped. 1000: none; 0: not acceptable, or outside
 * the grammar. */
int http_weight(struct span parameters);

/* Which of the codings offered is this client best served with? The one of the highest weight, br
 * before gzip where they are equal; IDENTITY without Accept-Encoding, when nothing offered is
 * accepted, and when identity or "*" is named with a higher weight. A weight outside the grammar
 * counts as 0, of a coding named twice the lower one counts. */
enum http_coding http_coding_choose(const struct http_fields *request, unsigned offered);

/* Room for every value http_coding_normal writes. */
#define HTTP_CODING_NORMAL_BYTES 32

/* Accept-Encoding as an origin is asked: "br, gzip, zstd" without those this client does not take,
 * "identity" for none of them. So clients that differ in order, weights or codings nobody uses get
 * one variant. Returns its length; 0: the request has no such field, and none is sent. */
size_t http_coding_normal(char out[HTTP_CODING_NORMAL_BYTES], const struct http_fields *request);

/* Media types as patterns in lower case: '*' stands for any bytes; parameters are not looked at. */
struct http_media_types {
    const char *const *list;
    size_t count;
};

bool http_media_type_matches(const struct http_media_types *types, struct span content_type);

/* May this response be sent encoded to those who accept it? A whole 200 of one of these types,
 * neither encoded already nor marked no-transform. Its length is the caller's to judge. */
bool http_may_encode(const struct http_response *response, const struct http_media_types *types,
                     const struct http_targeted *targeted);
#endif
