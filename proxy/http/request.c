/*
 * request - the first call reads the lines it has in one pass; when the head is whole, that was
 * all. Otherwise later calls only look at lines completed since (for early refusal) and read the
 * head again once it is whole: every byte is seen a bounded number of times however it trickles in.
 *
 * All complaints about a line depend on that line alone and are made in line order; what depends on
 * several lines (Host, framing) is judged at the end. So the verdict is the same for any split.
 */
#include "http/request.h"

#include "http/line.h"
#include "http/scan.h"

/* RFC 9112 2.2: ignore at least one empty line before the request line; more is noise. */
#define REQUEST_EMPTY_LINES 4
#define REQUEST_METHOD_BYTES 32
/* Method, spaces and version beside the target. */
#define REQUEST_LINE_EXTRA_BYTES 64

struct request_parse {
    struct http_request *request;
    char *data;
    const char *end;
    const char *start; /* of the request line */
    const struct http_limits *limits;
    struct span host;
    struct span length;
    struct span coding;
    unsigned host_count;
    unsigned length_count;
    unsigned coding_count;
    bool too_many;
};

static enum http_parse request_bad(struct http_request *request, unsigned status,
                                   const char *reason)
{
    request->error_status = status;
    request->error_reason = reason;
    return HTTP_PARSE_BAD;
}

/* absolute-form: http:// or https:// with an authority (RFC 9112 3.2.2). */
static bool request_target_absolute(struct http_request *request)
{
    struct span target = request->target;
    size_t prefix;

    if (target.len > 7 && span_eq_nocase(span_of(target.ptr, 7), SPAN("http://"))) {
        request->scheme = SPAN("http");
        prefix = 7;
    } else if (target.len > 8 && span_eq_nocase(span_of(target.ptr, 8), SPAN("https://"))) {
        request->scheme = SPAN("https");
        prefix = 8;
    } else {
        return false;
    }
    size_t at = prefix;
    while (at < target.len && target.ptr[at] != '/' && target.ptr[at] != '?') {
        at++;
    }
    request->authority = span_of(target.ptr + prefix, at - prefix);
    request->path = span_of(target.ptr + at, target.len - at);
    if (request->path.len == 0) {
        /* RFC 9112 3.2.4: OPTIONS without a path is meant for the server. */
        request->path = request->method == HTTP_OPTIONS ? SPAN("*") : SPAN("/");
    }
    return http_is_authority(request->authority);
}

/* The four forms of RFC 9112 3.2. */
static bool request_target_split(struct http_request *request)
{
    struct span target = request->target;

    request->scheme = (struct span){0};
    request->authority = (struct span){0};
    if (request->method == HTTP_CONNECT) {
        const char *colon = memrchr(target.ptr, ':', target.len);
        request->authority = target;
        request->path = (struct span){0};
        return http_is_authority(target) && colon != NULL && colon[1] >= '0' && colon[1] <= '9' &&
               colon + 1 < target.ptr + target.len;
    }
    if (target.ptr[0] == '/') {
        request->path = target;
        return true;
    }
    if (target.len == 1 && target.ptr[0] == '*') {
        request->path = target;
        return request->method == HTTP_OPTIONS;
    }
    return request_target_absolute(request);
}

/* version CRLF at `at`, the line's last LF at `newline`. */
static unsigned request_version(struct http_request *request, const char *at, const char *newline)
{
    if (newline - at != 9 || at[8] != '\r' || memcmp(at, "HTTP/", 5) != 0 || at[6] != '.' ||
        at[5] < '0' || at[5] > '9' || at[7] < '0' || at[7] > '9') {
        return 400;
    }
    if (at[5] != '1') {
        return 505;
    }
    request->minor_version = at[7] == '0' ? 0 : 1;
    return 0;
}

/* What a balancer sends ahead when it is told to; version 2 begins with empty lines, which are gone
 * by now. */
static bool is_proxy_header(struct span line)
{
    return span_starts(line, SPAN("PROXY TCP4 ")) || span_starts(line, SPAN("PROXY TCP6 ")) ||
           span_starts(line, SPAN("PROXY UNKNOWN")) || span_eq(line, SPAN("\0\r"));
}

static enum http_parse request_line_bad(struct http_request *request, struct span line,
                                        const char *error)
{
    return request_bad(request, 400,
                       is_proxy_header(line)
                           ? "a PROXY protocol header on a listener that does not expect one"
                           : error);
}

/* method SP request-target SP HTTP-version CRLF; the line is complete. */
static enum http_parse request_line(struct http_request *request, const char *at,
                                    const char *newline, const struct http_limits *limits)
{
    const char *stop = http_scan_token(at, newline);
    const struct span line = span_of(at, (size_t)(newline - at));

    if (stop == at || *stop != ' ') {
        return request_line_bad(request, line, "invalid method");
    }
    if (stop - at > REQUEST_METHOD_BYTES) {
        return request_bad(request, 501, "method too long");
    }
    request->method_text = span_of(at, (size_t)(stop - at));
    request->method = http_method_of(request->method_text);
    at = stop + 1;
    stop = http_scan_target(at, newline);
    if (stop == at || *stop != ' ') {
        return request_line_bad(request, line, "invalid request target");
    }
    request->target = span_of(at, (size_t)(stop - at));
    if (request->target.len > limits->target_bytes) {
        return request_bad(request, 414, "request target too long");
    }
    unsigned status = request_version(request, stop + 1, newline);
    if (status == 505) {
        return request_bad(request, status, "HTTP version not supported");
    }
    if (status != 0) {
        return request_line_bad(request, line, "invalid HTTP version");
    }
    if (!request_target_split(request)) {
        return request_bad(request, 400, "invalid request target");
    }
    return HTTP_PARSE_DONE;
}

/* Behind the empty lines before a request. A CR without LF is left for the request line to refuse.
 */
static const char *request_skip_empty(const char *at, const char *end)
{
    for (unsigned i = 0; i < REQUEST_EMPTY_LINES; i++) {
        if (end - at < 2 || at[0] != '\r' || at[1] != '\n') {
            break;
        }
        at += 2;
    }
    return at;
}

/* Bytes from data on that the line at `at` must end within, and the status when it does not. */
static size_t request_line_limit(const struct request_parse *parse, const char *at,
                                 unsigned *status)
{
    size_t limit = parse->limits->head_bytes;

    *status = 431;
    if (at == parse->start) {
        size_t line = (size_t)(at - parse->data) + REQUEST_LINE_EXTRA_BYTES;
        if (parse->limits->target_bytes < limit && line < limit - parse->limits->target_bytes) {
            *status = 414;
            limit = line + parse->limits->target_bytes;
        }
    }
    return limit;
}

static enum http_parse request_too_long(struct http_request *request, unsigned status)
{
    return request_bad(request, status,
                       status == 414 ? "request line too long" : "request head too large");
}

/* Everything is here but the line at `at`. */
static enum http_parse request_incomplete(const struct request_parse *parse, const char *at)
{
    unsigned status;
    size_t limit = request_line_limit(parse, at, &status);

    if ((size_t)(parse->end - parse->data) >= limit) {
        return request_too_long(parse->request, status);
    }
    return HTTP_PARSE_MORE;
}

static void request_field(struct request_parse *parse, struct span name, struct span value)
{
    struct http_fields *fields = &parse->request->fields;

    if (fields->count >= parse->limits->fields_count || !http_fields_add(fields, name, value)) {
        parse->too_many = true;
        return;
    }
    switch (fields->items[fields->count - 1].id) {
    case HTTP_FIELD_HOST:
        parse->host = value;
        parse->host_count++;
        break;
    case HTTP_FIELD_CONTENT_LENGTH:
        parse->length = value;
        parse->length_count++;
        break;
    case HTTP_FIELD_TRANSFER_ENCODING:
        parse->coding = value;
        parse->coding_count++;
        break;
    default:
        break;
    }
}

/* Reads the line at *at, request line or field line. DONE: the head's blank line was read. MORE
 * with *at moved: a line was read; MORE with *at unmoved: incomplete. */
static enum http_parse request_read_line(struct request_parse *parse, const char **at, bool keep)
{
    struct http_request *request = parse->request;
    const char *from = *at;
    const char *reason = NULL;
    struct span name;
    struct span value;
    unsigned status;
    size_t limit = request_line_limit(parse, from, &status);

    if (from == parse->start) {
        const char *newline = memchr(from, '\n', (size_t)(parse->end - from));
        if (newline == NULL) {
            return request_incomplete(parse, from);
        }
        *at = newline + 1;
        if ((size_t)(*at - parse->data) > limit) {
            return request_too_long(request, status);
        }
        enum http_parse result = request_line(request, from, newline, parse->limits);
        return result == HTTP_PARSE_DONE ? HTTP_PARSE_MORE : result;
    }
    enum http_line line = http_line_read(at, parse->end, false, &name, &value, &reason);
    if (line == HTTP_LINE_MORE) {
        return request_incomplete(parse, from);
    }
    if (line == HTTP_LINE_BAD) {
        const char *newline = memchr(from, '\n', (size_t)(parse->end - from));
        if (newline != NULL && (size_t)(newline + 1 - parse->data) > limit) {
            return request_too_long(request, status);
        }
        return request_bad(request, 400, reason);
    }
    if ((size_t)(*at - parse->data) > limit) {
        return request_too_long(request, status);
    }
    if (line == HTTP_LINE_FIELD && keep) {
        request_field(parse, name, value);
    }
    return line == HTTP_LINE_EMPTY ? HTTP_PARSE_DONE : HTTP_PARSE_MORE;
}

/* RFC 9112 6.1-6.3, without any of the permitted repairs. */
static enum http_parse request_framing(struct request_parse *parse)
{
    struct http_request *request = parse->request;

    if (parse->coding_count > 0) {
        if (parse->length_count > 0) {
            return request_bad(request, 400, "both Content-Length and Transfer-Encoding");
        }
        if (request->minor_version == 0) {
            return request_bad(request, 400, "Transfer-Encoding in HTTP/1.0");
        }
        if (parse->coding_count > 1 || !span_eq_nocase(parse->coding, SPAN("chunked"))) {
            return request_bad(request, 400, "unsupported Transfer-Encoding");
        }
        request->body = HTTP_BODY_CHUNKED;
    } else if (parse->length_count > 0) {
        if (parse->length_count > 1 ||
            !span_to_u64(parse->length, INT64_MAX, &request->content_length)) {
            return request_bad(request, 400, "invalid Content-Length");
        }
        if (request->content_length > 0) {
            request->body = HTTP_BODY_LENGTH;
        }
    }
    /* "Content-Length: 0" is what some clients say of no content (RFC 9110 9.3.6). */
    if (request->method == HTTP_CONNECT && request->body != HTTP_BODY_NONE) {
        return request_bad(request, 400, "content in CONNECT");
    }
    return HTTP_PARSE_DONE;
}

/* RFC 9112 3.2: exactly one Host; 3.2.2: an absolute target wins over it, yet it must be sound. */
static enum http_parse request_host(struct request_parse *parse)
{
    struct http_request *request = parse->request;

    if (parse->host_count > 1) {
        return request_bad(request, 400, "more than one Host");
    }
    if (parse->host_count == 0 && request->minor_version > 0) {
        return request_bad(request, 400, "no Host");
    }
    if (parse->host_count == 1) {
        if (!http_is_authority(parse->host)) {
            return request_bad(request, 400, "invalid Host");
        }
        if (request->authority.len == 0) {
            request->authority = parse->host;
        }
    }
    if (request->authority.len == 0) {
        return HTTP_PARSE_DONE;
    }
    char *at = parse->data + (request->authority.ptr - parse->data);
    if (request->path.len > 0 && request->path.ptr[0] == '?') {
        /* "http://host?query": move the authority over the last slash of "//" and put the missing
         * path between it and the query. */
        memmove(at - 1, at, request->authority.len);
        at--;
        at[request->authority.len] = '/';
        request->authority.ptr = at;
        request->path = span_of(request->path.ptr - 1, request->path.len + 1);
    }
    for (size_t i = 0; i < request->authority.len; i++) {
        at[i] = ascii_lower(at[i]);
    }
    if (at[request->authority.len - 1] == ':') {
        request->authority.len--;
    }
    return HTTP_PARSE_DONE;
}

static enum http_parse request_finish(struct request_parse *parse)
{
    struct http_request *request = parse->request;
    const struct http_fields *fields = &request->fields;

    if (parse->too_many) {
        return request_bad(request, 431, "too many fields");
    }
    enum http_parse result = request_framing(parse);
    if (result != HTTP_PARSE_DONE) {
        return result;
    }
    if (http_fields_has(fields, HTTP_FIELD_EXPECT) && request->minor_version > 0) {
        if (http_fields_count(fields, HTTP_FIELD_EXPECT) > 1 ||
            !span_eq_nocase(http_fields_find(fields, HTTP_FIELD_EXPECT), SPAN("100-continue"))) {
            return request_bad(request, 417, "unknown expectation");
        }
        request->expect_continue = request->body != HTTP_BODY_NONE;
    }
    request->keep_alive = request->minor_version > 0;
    if (http_fields_has(fields, HTTP_FIELD_CONNECTION)) {
        if (http_fields_has_token(fields, HTTP_FIELD_CONNECTION, SPAN("close"))) {
            request->keep_alive = false;
        } else if (!request->keep_alive) {
            request->keep_alive =
                http_fields_has_token(fields, HTTP_FIELD_CONNECTION, SPAN("keep-alive"));
        }
    }
    return request_host(parse);
}

/* Reads all lines from the start. */
static enum http_parse request_read_all(struct request_parse *parse, size_t *used)
{
    const char *at = parse->start;

    while (true) {
        const char *from = at;
        enum http_parse result = request_read_line(parse, &at, true);
        if (result == HTTP_PARSE_DONE) {
            *used = (size_t)(at - parse->data);
            return request_finish(parse);
        }
        if (result == HTTP_PARSE_BAD || at == from) {
            return result;
        }
    }
}

/* Looks at lines completed since the last call. DONE: the head is whole now. */
static enum http_parse request_check_new(struct request_parse *parse, size_t scanned)
{
    const char *at = parse->data;
    const char *newline = memchr(at + scanned, '\n', (size_t)(parse->end - at) - scanned);

    if (newline != NULL) {
        const char *before = memrchr(at, '\n', (size_t)(newline - at));
        at = before == NULL ? at : before + 1;
        if (at < parse->start) {
            at = parse->start;
        }
    } else {
        unsigned status;
        if ((size_t)(parse->end - at) < request_line_limit(parse, parse->start, &status)) {
            return HTTP_PARSE_MORE;
        }
        /* Which limit it is depends on whether this is still the request line. */
        const char *before = memchr(parse->start, '\n', (size_t)(parse->end - parse->start));
        return request_incomplete(parse, before == NULL ? parse->start : parse->end);
    }
    while (at < parse->end) {
        const char *from = at;
        enum http_parse result = request_read_line(parse, &at, false);
        if (result != HTTP_PARSE_MORE || at == from) {
            return result;
        }
    }
    return request_incomplete(parse, at);
}

enum http_parse http_request_parse(struct http_request *request, char *data, size_t len,
                                   size_t *scanned, size_t *used, const struct http_limits *limits)
{
    struct http_field *items = request->fields.items;
    unsigned capacity = request->fields.capacity;
    struct request_parse parse = {
        .request = request,
        .data = data,
        .end = data + len,
        .start = request_skip_empty(data, data + len),
        .limits = limits,
    };

    *request = (struct http_request){0};
    http_fields_init(&request->fields, items, capacity);
    *used = 0;
    if (*scanned > 0) {
        CHECK(*scanned <= len);
        enum http_parse result = request_check_new(&parse, *scanned);
        if (result != HTTP_PARSE_DONE) {
            *scanned = len;
            return result;
        }
    }
    enum http_parse result = request_read_all(&parse, used);
    *scanned = len;
    return result;
}
