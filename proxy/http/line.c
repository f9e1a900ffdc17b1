/* line - see line.h. A complaint is held back until the line's LF is there, so that the verdict
 * does not depend on how the bytes were split on their way. */
#include "http/line.h"

#include "http/scan.h"

static enum http_line line_bad(const char *at, const char *end, const char *text,
                               const char **reason)
{
    if (memchr(at, '\n', (size_t)(end - at)) == NULL) {
        return HTTP_LINE_MORE;
    }
    *reason = text;
    return HTTP_LINE_BAD;
}

/* What is wrong with a line whose name ends at `stop` without a colon. */
static const char *line_name_fault(const char *start, const char *stop)
{
    if (stop == start) {
        if (*start == ' ' || *start == '\t') {
            return "line folding";
        }
        return *start == ':' ? "empty field name" : "invalid field name";
    }
    if (*stop == ' ' || *stop == '\t') {
        return "white space in field name";
    }
    return *stop == '\r' || *stop == '\n' ? "field line without colon" : "invalid field name";
}

/* The byte at *at is no value byte: is it the line's end? Moves behind it. */
static inline bool line_end(const char **at, const char *end, bool bare_lf)
{
    if (end - *at >= 2 && (*at)[0] == '\r' && (*at)[1] == '\n') {
        *at += 2;
        return true;
    }
    if (bare_lf && *at < end && **at == '\n') {
        *at += 1;
        return true;
    }
    return false;
}

enum http_line http_line_read(const char **at, const char *end, bool bare_lf, struct span *name,
                              struct span *value, const char **reason)
{
    const char *start = *at;
    const char *stop = http_scan_token(start, end);

    if (stop == end) {
        return HTTP_LINE_MORE;
    }
    if (*stop != ':' || stop == start) {
        if (stop == start && line_end(at, end, bare_lf)) {
            return HTTP_LINE_EMPTY;
        }
        return line_bad(start, end, line_name_fault(start, stop), reason);
    }
    const char *from = stop + 1;
    const char *to = http_scan_value(from, end);
    const char *next = to;
    if (!line_end(&next, end, bare_lf)) {
        return line_bad(start, end,
                        to < end && *to == '\n' ? "bare LF" : "control character in field value",
                        reason);
    }
    *name = span_of(start, (size_t)(stop - start));
    *value = span_trim(span_of(from, (size_t)(to - from)));
    *at = next;
    return HTTP_LINE_FIELD;
}
