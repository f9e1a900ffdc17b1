/* reference - see reference.h. */
#include "http/reference.h"

#include <string.h>

#include "http/request.h"
#include "http/scan.h"

static size_t reference_until(struct span text, char stop)
{
    const char *at = text.len == 0 ? NULL : memchr(text.ptr, stop, text.len);

    return at == NULL ? text.len : (size_t)(at - text.ptr);
}

static struct span reference_rest(struct span text, size_t from)
{
    return span_of(text.ptr + from, text.len - from);
}

/* Length of "scheme:" at the front, or 0: a colon behind '/' or '?' is none of a scheme's. */
static size_t reference_scheme_len(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.ptr[i]);
        bool is_alpha = c >= 'a' && c <= 'z';
        bool is_later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (c == ':') {
            return i == 0 ? 0 : i + 1;
        }
        if (!is_alpha && (i == 0 || !is_later)) {
            return 0;
        }
    }
    return 0;
}

/* Takes "//authority" off the front of rest. False: not a host we could be asked for. */
static bool reference_take_authority(struct span *rest, struct span *authority)
{
    size_t end = 2;

    while (end < rest->len && rest->ptr[end] != '/' && rest->ptr[end] != '?') {
        end++;
    }
    *authority = span_of(rest->ptr + 2, end - 2);
    *rest = reference_rest(*rest, end);
    return authority->len > 0 && http_is_authority(*authority);
}

/* RFC 3986 5.2.4 on room[0..len), which begins with '/'. Returns the new length. */
static size_t reference_remove_dots(char *room, size_t len)
{
    size_t out = 0;
    size_t at = 0;

    while (at < len) {
        size_t end = at + 1;
        while (end < len && room[end] != '/') {
            end++;
        }
        size_t segment = end - at - 1;
        bool is_dot = segment == 1 && room[at + 1] == '.';
        bool is_up = segment == 2 && room[at + 1] == '.' && room[at + 2] == '.';
        if (is_up) {
            while (out > 0 && room[--out] != '/') {
            }
        } else if (!is_dot) {
            memmove(room + out, room + at, end - at);
            out += end - at;
        }
        if ((is_dot || is_up) && end == len) {
            room[out++] = '/'; /* the last segment: what is left is a folder */
        }
        at = end;
    }
    return out;
}

/* Path and query of the result, joined in room. prefix: what of the base's path comes before. */
static struct span reference_join(char *room, struct span prefix, struct span rest)
{
    size_t path = reference_until(rest, '?');
    size_t len = prefix.len;

    if (prefix.len > 0) {
        memcpy(room, prefix.ptr, prefix.len);
    }
    if (prefix.len == 0 && (path == 0 || rest.ptr[0] != '/')) {
        room[len++] = '/';
    }
    if (path > 0) {
        memcpy(room + len, rest.ptr, path);
        len += path;
    }
    len = reference_remove_dots(room, len);
    if (rest.len > path) {
        memmove(room + len, rest.ptr + path, rest.len - path);
        len += rest.len - path;
    }
    return span_of(room, len);
}

bool http_reference_resolve(struct http_url *out, const struct http_url *base,
                            struct span reference, char *room)
{
    struct span rest = span_of(reference.ptr, reference_until(reference, '#'));
    size_t scheme = reference_scheme_len(rest);
    struct span prefix = span_of("", 0);

    *out = *base;
    if (scheme > 0) {
        out->scheme = span_of(rest.ptr, scheme - 1);
        rest = reference_rest(rest, scheme);
        if (!span_eq_nocase(out->scheme, SPAN("http")) &&
            !span_eq_nocase(out->scheme, SPAN("https"))) {
            return false;
        }
    }
    if (rest.len >= 2 && rest.ptr[0] == '/' && rest.ptr[1] == '/') {
        if (!reference_take_authority(&rest, &out->authority)) {
            return false;
        }
    } else if (scheme > 0) {
        return false; /* "http:x" has no host */
    } else if (rest.len == 0) {
        rest = base->path;
    } else if (rest.ptr[0] != '/') {
        prefix = span_of(base->path.ptr, reference_until(base->path, '?'));
        while (rest.ptr[0] != '?' && prefix.ptr[prefix.len - 1] != '/') {
            prefix.len--;
        }
    }
    if (rest.len > 0 && http_scan_target(rest.ptr, rest.ptr + rest.len) != rest.ptr + rest.len) {
        return false;
    }
    out->path = reference_join(room, prefix, rest);
    return true;
}
