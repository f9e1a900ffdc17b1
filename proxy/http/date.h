#ifndef HTTP_DATE_H
#define HTTP_DATE_H
/*
 * date - HTTP dates (RFC 9110 5.6.7), 64-bit, without the C library's time zone machinery.
 * Reads IMF-fixdate, RFC 850 and asctime forms, names in any letter case; everything else is
 * refused, the way http.md 4.2 lists it. Years 1..9999. Threads: any; pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* No date: absent or unreadable. */
#define HTTP_DATE_NONE INT64_MIN
/* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define HTTP_DATE_BYTES 29

/* Seconds since the Unix epoch, or HTTP_DATE_NONE. now_s settles the century of RFC 850 years: one
 * that would lie more than 50 years ahead is taken from the past. */
int64_t http_date_parse(struct span text, int64_t now_s);
/* Writes exactly HTTP_DATE_BYTES bytes, no NUL. Times outside years 1..9999 are clamped. */
void http_date_write(char out[HTTP_DATE_BYTES], int64_t time_s);
#endif
