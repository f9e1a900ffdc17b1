/* rewrite - see rewrite.h. */
#include "http/rewrite.h"

#include "http/key.h"
#include "http/path.h"

static char *put(char *at, struct span text)
{
    if (text.len > 0) {
        memcpy(at, text.ptr, text.len);
    }
    return at + text.len;
}

/* prefix, then rest, which is a path, a query, a fragment or nothing: always a path in the end. */
static char *put_path(char *at, struct span prefix, struct span rest)
{
    at = put(at, prefix);
    if (rest.len == 0 || rest.ptr[0] != '/') {
        *at++ = '/';
    }
    return put(at, rest);
}

struct span http_rewrite_target(char *out, struct span target, const struct http_rewrite *rewrite,
                                bool *is_stripped)
{
    *is_stripped = false;
    if (target.len == 0 || target.ptr[0] != '/') {
        return target;
    }
    size_t prefix = rewrite->strip.len == 0 ? 0 : http_path_prefix(target, rewrite->strip);
    *is_stripped = prefix > 0;
    if (prefix == 0 && rewrite->add.len == 0) {
        return target;
    }
    char *end = put_path(out, rewrite->add, span_of(target.ptr + prefix, target.len - prefix));
    return span_of(out, (size_t)(end - out));
}

struct reference {
    struct span scheme; /* empty: none */
    struct span front;  /* scheme and authority as written, with all marks */
    struct span authority;
    struct span rest; /* path, query, fragment */
    bool has_authority;
};

/* False: neither an http(s) URI nor one that begins with "/". */
static bool reference_split(struct span text, struct reference *out)
{
    size_t at = 0;

    *out = (struct reference){.rest = text};
    if (text.len >= 7 && span_eq_nocase(span_of(text.ptr, 7), SPAN("http://"))) {
        at = 5;
    } else if (text.len >= 8 && span_eq_nocase(span_of(text.ptr, 8), SPAN("https://"))) {
        at = 6;
    } else if (text.len == 0 || text.ptr[0] != '/') {
        return false;
    }
    out->scheme = span_of(text.ptr, at == 0 ? 0 : at - 1);
    if (at == 0 && (text.len < 2 || text.ptr[1] != '/')) {
        return true;
    }
    size_t from = at + 2;
    size_t end = from;
    while (end < text.len && text.ptr[end] != '/' && text.ptr[end] != '?' && text.ptr[end] != '#') {
        end++;
    }
    out->has_authority = true;
    out->front = span_of(text.ptr, end);
    out->authority = span_of(text.ptr + from, end - from);
    out->rest = span_of(text.ptr + end, text.len - end);
    return true;
}

static bool is_same(struct span scheme, struct span one, struct span two)
{
    return two.len > 0 &&
           span_eq_nocase(http_authority_normal(scheme, one), http_authority_normal(scheme, two));
}

static bool names_origin(const struct reference *reference, const struct http_rewrite_back *back)
{
    if (reference->scheme.len > 0 && !span_eq_nocase(reference->scheme, back->scheme)) {
        return false;
    }
    return is_same(back->scheme, reference->authority, back->host) ||
           is_same(back->scheme, reference->authority, back->server);
}

/* Bytes at the front of the path that were added for the origin. False: it is not below them. */
static bool added_bytes(struct span rest, struct span add, size_t *bytes)
{
    const char *hash = rest.len == 0 ? NULL : memchr(rest.ptr, '#', rest.len);

    *bytes = 0;
    if (add.len == 0) {
        return true;
    }
    if (hash != NULL) {
        rest.len = (size_t)(hash - rest.ptr);
    }
    *bytes = http_path_prefix(rest, add);
    return *bytes > 0;
}

/* Would a browser take what follows the first slash for a host? It reads "\" as "/", and over tabs
 * (WHATWG URL 4.4). */
static bool seems_to_name_host(const char *path, const char *end)
{
    const char *at = path + 1;

    while (at < end && *at == '\t') {
        at++;
    }
    return at < end && (*at == '/' || *at == '\\');
}

struct span http_rewrite_reference(char *out, struct span reference,
                                   const struct http_rewrite_back *back)
{
    struct reference parts;
    size_t added;

    if (!reference_split(reference, &parts)) {
        return reference;
    }
    struct span scheme = parts.scheme.len > 0 ? parts.scheme : back->scheme;
    bool is_clients = parts.has_authority && is_same(scheme, parts.authority, back->client);
    bool is_origins = parts.has_authority && !is_clients && names_origin(&parts, back);
    bool moves_path = back->rewrite.add.len > 0 || back->rewrite.strip.len > 0;
    if ((parts.has_authority && !is_clients && !is_origins) || (!is_origins && !moves_path) ||
        !added_bytes(parts.rest, back->rewrite.add, &added)) {
        return reference;
    }
    char *path = is_clients ? put(out, parts.front) : out;
    char *end = put_path(path, back->rewrite.strip,
                         span_of(parts.rest.ptr + added, parts.rest.len - added));
    if (!is_clients && seems_to_name_host(path, end)) {
        return reference; /* without a host before it that would name one */
    }
    return span_of(out, (size_t)(end - out));
}
