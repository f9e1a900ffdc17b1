#ifndef HTTP_LINE_H
#define HTTP_LINE_H
/*
 * line - one field line, shared by the request and the response parser so that both directions are
 * equally strict (RFC 9112 5: field-name ":" OWS field-value OWS CRLF; no obs-fold).
 * Threads: any; pure. Ownership: spans point into the input.
 */
#include <stdbool.h>

#include "base/span.h"

enum http_line {
    HTTP_LINE_FIELD, /* name and value are set, *at is behind the line */
    HTTP_LINE_EMPTY, /* the blank line that ends a head; *at is behind it */
    HTTP_LINE_MORE,  /* the line is not complete */
    HTTP_LINE_BAD,   /* *reason says why; *at unchanged. The line is complete. */
};

/* Reads the line at *at. bare_lf: LF alone ends a line too (responses only). */
enum http_line http_line_read(const char **at, const char *end, bool bare_lf, struct span *name,
                              struct span *value, const char **reason);
#endif
