/* response - one pass over a complete head; see response.h for what is tolerated. */
#include "http/response.h"

#include "http/line.h"
#include "http/scan.h"

static enum http_parse response_bad(struct http_response *response, const char *reason)
{
    response->error_reason = reason;
    return HTTP_PARSE_BAD;
}

static bool response_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* HTTP-version SP 3DIGIT [SP reason] (RFC 9112 4); many origins leave out the last space. */
static bool response_status_line(struct http_response *response, const char **at, const char *end)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    const char *stop = newline;
    const char *p = *at;

    if (newline == NULL) {
        return false;
    }
    if (stop > p && stop[-1] == '\r') {
        stop--;
    }
    if (stop - p < 12 || memcmp(p, "HTTP/1.", 7) != 0 || !response_digit(p[7]) || p[8] != ' ' ||
        !response_digit(p[9]) || !response_digit(p[10]) || !response_digit(p[11])) {
        return false;
    }
    response->minor_version = p[7] == '0' ? 0 : 1;
    response->status =
        (unsigned)(p[9] - '0') * 100 + (unsigned)(p[10] - '0') * 10 + (unsigned)(p[11] - '0');
    if (response->status < 100 || response->status > 599) {
        return false;
    }
    if (stop - p > 12) {
        if (p[12] != ' ' || http_scan_value(p + 13, stop) != stop) {
            return false;
        }
        response->reason = span_of(p + 13, (size_t)(stop - p) - 13);
    }
    *at = newline + 1;
    return true;
}

/* RFC 9112 6.1, 6.3. Codings that do not end in chunked: the body ends with the connection. Chunked
 * anywhere but alone is refused: the coding below it is none we asked for. */
static const char *response_codings(struct http_response *response)
{
    const struct http_fields *fields = &response->fields;

    if (http_fields_has_token(fields, HTTP_FIELD_TRANSFER_ENCODING, SPAN("chunked"))) {
        if (http_fields_count(fields, HTTP_FIELD_TRANSFER_ENCODING) > 1 ||
            !span_eq_nocase(http_fields_find(fields, HTTP_FIELD_TRANSFER_ENCODING),
                            SPAN("chunked"))) {
            return "unsupported Transfer-Encoding";
        }
        response->chunked = true;
    }
    if (!response->chunked || response->has_content_length || response->minor_version == 0) {
        response->unstorable = true;
        response->has_content_length = false;
        response->content_length = 0;
    }
    return NULL;
}

/* RFC 9112 6.3. One value repeated in lines of its own is the only repair. */
static const char *response_framing(struct http_response *response)
{
    const struct http_fields *fields = &response->fields;
    const struct http_field *field;
    unsigned at = 0;

    while ((field = http_fields_next(fields, HTTP_FIELD_CONTENT_LENGTH, &at)) != NULL) {
        uint64_t length;
        if (!span_to_u64(field->value, INT64_MAX, &length)) {
            return "invalid Content-Length";
        }
        if (response->has_content_length && response->content_length != length) {
            return "differing Content-Length";
        }
        response->has_content_length = true;
        response->content_length = length;
    }
    return http_fields_has(fields, HTTP_FIELD_TRANSFER_ENCODING) ? response_codings(response)
                                                                 : NULL;
}

enum http_parse http_response_parse(struct http_response *response, struct span head,
                                    const struct http_limits *limits)
{
    struct http_field *items = response->fields.items;
    unsigned capacity = response->fields.capacity;
    const char *at = head.ptr;
    const char *end = head.ptr + head.len;

    *response = (struct http_response){0};
    http_fields_init(&response->fields, items, capacity);
    if (head.len > limits->head_bytes) {
        return response_bad(response, "response head too large");
    }
    if (head.len == 0 || !response_status_line(response, &at, end)) {
        return response_bad(response, "invalid status line");
    }
    while (at < end) {
        struct span name;
        struct span value;
        const char *reason = NULL;
        enum http_line line = http_line_read(&at, end, true, &name, &value, &reason);
        if (line == HTTP_LINE_EMPTY) {
            break;
        }
        if (line != HTTP_LINE_FIELD) {
            return response_bad(response, reason != NULL ? reason : "cut field line");
        }
        if (response->fields.count >= limits->fields_count ||
            !http_fields_add(&response->fields, name, value)) {
            return response_bad(response, "too many fields");
        }
    }
    if (at < end) {
        return response_bad(response, "bytes behind the head");
    }
    const char *reason = response_framing(response);
    return reason == NULL ? HTTP_PARSE_DONE : response_bad(response, reason);
}

bool http_response_may_begin(struct span bytes)
{
    static const char version[] = "HTTP/1.";
    size_t len = bytes.len < sizeof(version) - 1 ? bytes.len : sizeof(version) - 1;

    return memcmp(bytes.ptr, version, len) == 0;
}

size_t http_response_head_end(struct span bytes, size_t from)
{
    const char *end = bytes.ptr + bytes.len;
    const char *at = bytes.ptr + (from < bytes.len ? from : bytes.len);

    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        if (at < end && *at == '\n') {
            return (size_t)(at + 1 - bytes.ptr);
        }
        if (end - at >= 2 && at[0] == '\r' && at[1] == '\n') {
            return (size_t)(at + 2 - bytes.ptr);
        }
    }
    return 0;
}
