#ifndef HTTP_GLOB_H
#define HTTP_GLOB_H
/*
 * glob - patterns in which * stands for any run of bytes, none too. No other byte is special.
 * Work is bounded by pattern length times text length, whatever stands in either.
 * Threads: any; pure.
 */
#include <stdbool.h>

#include "base/span.h"

enum http_glob_flag {
    HTTP_GLOB_NOCASE = 1, /* ASCII letters without case; the pattern is in lower case */
    /* %XX of a letter, digit, - . _ or ~ in the text is that byte (RFC 3986 6.2.2.2): a pattern
     * cannot be got around by another spelling of the same address. */
    HTTP_GLOB_ENCODED = 2,
};

bool http_glob_match(struct span pattern, struct span text, unsigned flags);
#endif
