/*
 * forwarded - see forwarded.h.
 *
 *   X-Forwarded-For   = #node                        node = IPv4 [ ":" port ] / "[" IPv6 "]" [ ":" port ] / IPv6
 *   X-Forwarded-Proto = #( "http" / "https" )
 *   Forwarded         = 1#element (RFC 7239 4)
 *   element           = [ pair ] *( ";" [ pair ] )
 *   pair              = token "=" ( token / quoted-string )
 *
 * Values may be written without the quotes they need for ":" and brackets, and with white space
 * around ";": many do. A line that is not in the grammar says nothing and is to be refused: with a
 * quote that is never closed a client could swallow what a proxy has added behind it.
 */
#include "http/forwarded.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "http/request.h"
#include "http/scan.h"

/* ---- addresses ---- */

static bool node_pton(int family, struct span word, void *out)
{
    char text[INET6_ADDRSTRLEN];

    if (word.len == 0 || word.len >= sizeof(text) || memchr(word.ptr, '\0', word.len) != NULL) {
        return false;
    }
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    return inet_pton(family, text, out) == 1;
}

static bool node_port(struct span port)
{
    uint64_t number;
    return span_to_u64(port, UINT16_MAX, &number) && port.len <= 5;
}

static bool node_four(struct span word, struct sockaddr_storage *out)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    const char *colon = memchr(word.ptr, ':', word.len);

    if (colon != NULL) {
        struct span port = span_of(colon + 1, (size_t)(word.ptr + word.len - colon - 1));
        if (!node_port(port)) {
            return false;
        }
        word.len = (size_t)(colon - word.ptr);
    }
    if (!node_pton(AF_INET, word, &four.sin_addr)) {
        return false;
    }
    memcpy(out, &four, sizeof(four));
    return true;
}

static bool node_six(struct span word, struct sockaddr_storage *out)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};

    if (word.ptr[0] == '[') {
        const char *end = memchr(word.ptr, ']', word.len);
        if (end == NULL) {
            return false;
        }
        struct span port = span_of(end + 1, (size_t)(word.ptr + word.len - end - 1));
        if (port.len > 0 &&
            (port.ptr[0] != ':' || !node_port(span_of(port.ptr + 1, port.len - 1)))) {
            return false;
        }
        word = span_of(word.ptr + 1, (size_t)(end - word.ptr) - 1);
    }
    if (!node_pton(AF_INET6, word, &six.sin6_addr)) {
        return false;
    }
    if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
        struct sockaddr_in four = {.sin_family = AF_INET};
        memcpy(&four.sin_addr, &six.sin6_addr.s6_addr[12], sizeof(four.sin_addr));
        memcpy(out, &four, sizeof(four));
    } else {
        memcpy(out, &six, sizeof(six));
    }
    return true;
}

bool http_forwarded_node(struct span text, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    return text.len > 0 && (node_four(text, out) || node_six(text, out));
}

/* ---- lists, from their right end ---- */

struct list_back {
    const struct http_fields *fields;
    enum http_field_id id;
    unsigned line; /* lines before this one are still to come */
    struct span rest;
};

static struct list_back list_back_of(const struct http_fields *fields, enum http_field_id id)
{
    return (struct list_back){.fields = fields, .id = id, .line = fields->count};
}

/* Steps to the line before. False: there is none. */
static bool list_back_line(struct list_back *list)
{
    while (list->line > 0) {
        const struct http_field *field = &list->fields->items[--list->line];
        if (field->id == list->id) {
            list->rest = field->value;
            return true;
        }
    }
    return false;
}

/* Members without quoted strings; empty ones are skipped. */
static bool list_back_next(struct list_back *list, struct span *member)
{
    for (;;) {
        if (list->rest.len == 0 && !list_back_line(list)) {
            return false;
        }
        if (list->rest.len == 0) {
            continue; /* an empty line */
        }
        const char *comma = memrchr(list->rest.ptr, ',', list->rest.len);
        size_t before = comma == NULL ? 0 : (size_t)(comma - list->rest.ptr);
        size_t skip = comma == NULL ? 0 : before + 1;
        *member = span_trim(span_of(list->rest.ptr + skip, list->rest.len - skip));
        list->rest.len = before;
        if (member->len > 0) {
            return true;
        }
    }
}

/* ---- the walk ---- */

/* Takes one more name. False: the walk ends here. */
static bool walk_step(struct http_forwarded *out, const struct http_forwarded_options *options,
                      struct span name)
{
    char *text = out->hops[out->count];
    const void *address = NULL;

    CHECK(out->count < HTTP_FORWARDED_HOPS_MAX);
    out->count++;
    if (!http_forwarded_node(name, &out->client)) {
        memcpy(text, "unknown", sizeof("unknown"));
        return false;
    }
    if (out->client.ss_family == AF_INET) {
        address = &((const struct sockaddr_in *)(const void *)&out->client)->sin_addr;
    } else {
        address = &((const struct sockaddr_in6 *)(const void *)&out->client)->sin6_addr;
    }
    CHECK(inet_ntop(out->client.ss_family, address, text, HTTP_FORWARDED_TEXT_BYTES) != NULL);
    return out->count < HTTP_FORWARDED_HOPS_MAX &&
           options->is_trusted(options->ctx, (const struct sockaddr *)&out->client);
}

static enum http_scheme scheme_of(struct span text)
{
    if (span_eq_nocase(text, SPAN("https"))) {
        return HTTP_SCHEME_HTTPS;
    }
    return span_eq_nocase(text, SPAN("http")) ? HTTP_SCHEME_HTTP : HTTP_SCHEME_UNSAID;
}

/* The member that who stands next to the client wrote. Proxies that add have one for each hop; with
 * those that overwrite there are fewer, and the first is theirs. Empty: none. */
static struct span member_at_hop(const struct http_fields *fields, enum http_field_id id,
                                 unsigned hops)
{
    struct list_back list = list_back_of(fields, id);
    struct span member;
    struct span found = {0};

    for (unsigned i = 0; i < (hops > 0 ? hops : 1) && list_back_next(&list, &member); i++) {
        found = member;
    }
    return found;
}

static void read_x(struct http_forwarded *out, const struct http_fields *fields,
                   const struct http_forwarded_options *options)
{
    struct list_back list = list_back_of(fields, HTTP_FIELD_X_FORWARDED_FOR);
    struct span member;

    while (list_back_next(&list, &member) && walk_step(out, options, member)) {
    }
    out->scheme = scheme_of(member_at_hop(fields, HTTP_FIELD_X_FORWARDED_PROTO, out->count));
    out->host = member_at_hop(fields, HTTP_FIELD_X_FORWARDED_HOST, out->count);
}

/* ---- RFC 7239 ---- */

struct element {
    struct span node, proto, host; /* ptr NULL: not said */
};

/* The last elements of a line: a ring. */
struct elements {
    struct element list[HTTP_FORWARDED_HOPS_MAX];
    unsigned count; /* all of them */
};

static void skip_blank(struct span *rest)
{
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t')) {
        *rest = span_of(rest->ptr + 1, rest->len - 1);
    }
}

static bool is_value_byte(char c)
{
    return http_byte_is(c, HTTP_BYTE_TOKEN) || c == ':' || c == '[' || c == ']';
}

/* token or quoted-string; what needs a backslash is no name, scheme or host: *out is empty. */
static bool take_value(struct span *rest, struct span *out)
{
    size_t at = 0;
    bool is_escaped = false;

    if (rest->len == 0 || rest->ptr[0] != '"') {
        while (at < rest->len && is_value_byte(rest->ptr[at])) {
            at++;
        }
        *out = span_of(rest->ptr, at);
        *rest = span_of(rest->ptr + at, rest->len - at);
        return at > 0;
    }
    for (at = 1; at < rest->len && rest->ptr[at] != '"'; at++) {
        if (rest->ptr[at] == '\\') {
            is_escaped = true;
            at++;
        }
    }
    if (at >= rest->len) {
        return false;
    }
    *out = span_of(rest->ptr + 1, is_escaped ? 0 : at - 1);
    *rest = span_of(rest->ptr + at + 1, rest->len - at - 1);
    return true;
}

static bool take_pair(struct span *rest, struct element *element)
{
    const char *end = http_scan_token(rest->ptr, rest->ptr + rest->len);
    struct span name = span_of(rest->ptr, (size_t)(end - rest->ptr));
    struct span value;
    struct span *slot = NULL;

    if (name.len == 0 || name.len == rest->len || *end != '=') {
        return false;
    }
    *rest = span_of(end + 1, rest->len - name.len - 1);
    if (!take_value(rest, &value)) {
        return false;
    }
    if (span_eq_nocase(name, SPAN("for"))) {
        slot = &element->node;
    } else if (span_eq_nocase(name, SPAN("proto"))) {
        slot = &element->proto;
    } else if (span_eq_nocase(name, SPAN("host"))) {
        slot = &element->host;
    }
    if (slot == NULL) {
        return true;
    }
    bool is_first = slot->ptr == NULL;
    *slot = value;
    return is_first;
}

/* Up to the comma behind it, or the end. *is_empty: nothing stood there. */
static bool take_element(struct span *rest, struct element *element, bool *is_empty)
{
    *element = (struct element){0};
    *is_empty = true;
    for (;;) {
        skip_blank(rest);
        if (rest->len > 0 && rest->ptr[0] != ';' && rest->ptr[0] != ',') {
            *is_empty = false;
            if (!take_pair(rest, element)) {
                return false;
            }
            skip_blank(rest);
        }
        if (rest->len == 0) {
            return true;
        }
        char c = rest->ptr[0];
        *rest = span_of(rest->ptr + 1, rest->len - 1);
        if (c == ',') {
            return true;
        }
        if (c != ';') {
            return false;
        }
        *is_empty = false;
    }
}

/* False: not in the grammar. */
static bool elements_read(struct elements *out, struct span line)
{
    struct element element;
    bool is_empty;

    out->count = 0;
    while (line.len > 0) {
        if (!take_element(&line, &element, &is_empty)) {
            return false;
        }
        if (!is_empty) {
            out->list[out->count++ % HTTP_FORWARDED_HOPS_MAX] = element;
        }
    }
    return true;
}

static void read_7239(struct http_forwarded *out, const struct http_fields *fields,
                      const struct http_forwarded_options *options)
{
    struct list_back list = list_back_of(fields, HTTP_FIELD_FORWARDED);
    struct elements elements;
    bool goes_on = true;

    while (goes_on && list_back_line(&list)) {
        if (!elements_read(&elements, list.rest)) {
            out->is_malformed = true;
            elements.count = 1;
            elements.list[0] = (struct element){0};
        }
        for (unsigned i = elements.count;
             goes_on && i > 0 && elements.count - i < HTTP_FORWARDED_HOPS_MAX; i--) {
            const struct element *element = &elements.list[(i - 1) % HTTP_FORWARDED_HOPS_MAX];
            goes_on = walk_step(out, options, element->node);
            out->scheme = scheme_of(element->proto);
            out->host = element->host;
        }
    }
}

void http_forwarded_read(struct http_forwarded *out, const struct http_fields *fields,
                         const struct http_forwarded_options *options)
{
    memset(&out->client, 0, sizeof(out->client));
    out->count = 0;
    out->scheme = HTTP_SCHEME_UNSAID;
    out->is_malformed = false;
    out->host = (struct span){0};
    if (options->family == HTTP_FORWARDED_X) {
        read_x(out, fields, options);
    } else {
        read_7239(out, fields, options);
    }
    if (!http_is_authority(out->host)) {
        out->host = (struct span){0};
    }
}

/* ---- towards the origin ---- */

#define FOR_BYTES (sizeof("for=\"[]\", unknown") - 1)

size_t http_forwarded_bytes(const struct http_forwarded_say *say)
{
    size_t names = 1;

    for (size_t i = 0; i < say->chain.len; i++) {
        names += say->chain.ptr[i] == ',' ? 1 : 0;
    }
    return say->chain.len + names * FOR_BYTES + sizeof(";proto=https;host=\"\";by=_") +
           say->host.len + say->by.len;
}

static char *put(char *at, struct span text)
{
    if (text.len > 0) {
        memcpy(at, text.ptr, text.len);
    }
    return at + text.len;
}

static bool is_token(struct span text)
{
    return text.len > 0 && http_scan_token(text.ptr, text.ptr + text.len) == text.ptr + text.len;
}

static char *put_node(char *at, struct span name)
{
    bool is_six = memchr(name.ptr, ':', name.len) != NULL;

    at = put(at, is_six ? SPAN("for=\"[") : SPAN("for="));
    bool is_address = is_six || (name.ptr[0] >= '0' && name.ptr[0] <= '9');
    at = put(at, is_address ? name : SPAN("unknown"));
    return put(at, is_six ? SPAN("]\"") : SPAN(""));
}

/* An obfuscated identifier (RFC 7239 6.3) of letters, digits, ".", "_" and "-". */
static char *put_by(char *at, struct span by)
{
    at = put(at, SPAN(";by=_"));
    for (size_t i = 0; i < by.len; i++) {
        char c = by.ptr[i];
        bool is_good = (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-';
        *at++ = is_good ? c : '_';
    }
    return at;
}

struct span http_forwarded_write(char *out, const struct http_forwarded_say *say)
{
    struct span rest = say->chain;
    struct span name;
    char *at = out;

    while (http_list_next(&rest, &name)) {
        bool is_first = at == out;
        at = put(at, is_first ? SPAN("") : SPAN(", "));
        at = put_node(at, name);
        if (is_first) {
            if (!say->without_scheme) {
                at = put(at, say->is_https ? SPAN(";proto=https") : SPAN(";proto=http"));
            }
            if (say->host.len > 0) { /* an authority: nothing in it needs a backslash */
                bool is_plain = is_token(say->host);
                at = put(at, is_plain ? SPAN(";host=") : SPAN(";host=\""));
                at = put(at, say->host);
                at = put(at, is_plain ? SPAN("") : SPAN("\""));
            }
        }
    }
    if (say->by.len > 0) {
        at = put_by(at, say->by);
    }
    return span_of(out, (size_t)(at - out));
}
