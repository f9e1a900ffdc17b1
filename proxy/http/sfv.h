#ifndef HTTP_SFV_H
#define HTTP_SFV_H
/*
 * sfv - structured field dictionaries (RFC 8941 section 3.2, 4.2.2), read strictly: one wrong byte
 * makes the whole field void, so a reader goes through all of it before it believes a member.
 *
 *   enum http_sfv next;
 *   while ((next = http_sfv_next(&rest, &member)) == HTTP_SFV_MEMBER) ...
 *   if (next == HTTP_SFV_ERROR) forget what was read
 *
 * No memory, no recursion, one pass. Later members of the same key overwrite earlier ones; that is
 * the caller's to do. Threads: any; pure. Ownership: spans point into the field value.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum http_sfv_type {
    HTTP_SFV_INTEGER,
    HTTP_SFV_DECIMAL,
    HTTP_SFV_STRING,
    HTTP_SFV_TOKEN,
    HTTP_SFV_BYTES,
    HTTP_SFV_BOOLEAN,
    HTTP_SFV_LIST, /* an inner list */
};

/* One member; its parameters are checked and left out. */
struct http_sfv_member {
    struct span key;
    enum http_sfv_type type;
    int64_t integer; /* INTEGER: at most 15 digits; BOOLEAN: 0 or 1 */
    /* STRING: between the quotes, backslashes as they came; TOKEN, DECIMAL: as they came; BYTES:
     * base64 between the colons; LIST: between the brackets. */
    struct span text;
    bool has_escapes; /* STRING: there are backslashes in it */
};

enum http_sfv {
    HTTP_SFV_MEMBER,
    HTTP_SFV_END,
    HTTP_SFV_ERROR,
};

/* Takes the next member off a dictionary; *rest begins as one field line's value. */
enum http_sfv http_sfv_next(struct span *rest, struct http_sfv_member *member);
#endif
