#ifndef HTTP_PATH_H
#define HTTP_PATH_H
/*
 * path - the path of a request target as its segments mean it (RFC 3986 3.3, 6.2.2). What follows
 * the first "?" is never looked at. A target that does not begin with "/" ("*") is left alone.
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* Could the path be written in another way for the same segments, or be read in another way than
 * it is written? False for nearly all of them, by one scan. */
bool http_path_is_odd(struct span target);

enum http_path_reading {
    HTTP_PATH_STRICT, /* "/" parts segments, and nothing else */
    /* As careless origins read: %2F, %5C and \ are slashes too, and what follows ";" in a dot segment
     * does not count. */
    HTTP_PATH_LOOSE,
};

/* Writes the target with its path in one form: escapes of letters, digits, "-", ".", "_", "~"
 * decoded, the others with capitals, a "%" that begins none as %25, dot segments resolved, empty
 * segments dropped. out: HTTP_PATH_FOLD_BYTES(target) of room. */
#define HTTP_PATH_FOLD_BYTES(target) ((target).len * 3)
struct span http_path_fold(char *out, struct span target, enum http_path_reading reading);
/* Is one of its segments "." or "..", also as %2E? */
bool http_path_has_dots(struct span target, enum http_path_reading reading);
/* Why no two readers need agree about this path: static text; NULL: they do. */
const char *http_path_fault(struct span target);

/* The bytes of the target that are this prefix, in whole segments: "/api" is one of "/api" and
 * "/api/x", not of "/apix"; 0: it is none. Spellings of http_path_fold's kind are equal; prefix is
 * written as http_path_fold writes, without a "/" at its end. */
size_t http_path_prefix(struct span target, struct span prefix);
/* Where the query begins: at its "?", or at the end. */
size_t http_path_end(struct span target);
#endif
