/* key - see key.h. */
#include "http/key.h"

#include "http/request.h"
#include "http/scan.h"

struct span http_authority_host(struct span authority)
{
    for (size_t i = authority.len; i > 0; i--) {
        char c = authority.ptr[i - 1];
        if (c == ':') {
            return span_of(authority.ptr, i - 1);
        }
        if (c == ']') {
            break;
        }
    }
    return authority;
}

struct span http_authority_normal(struct span scheme, struct span authority)
{
    struct span port = scheme.len == 5 ? SPAN(":443") : SPAN(":80");

    if (authority.len > 0 && authority.ptr[authority.len - 1] == ':') {
        authority.len--;
    } else if (authority.len > port.len &&
               memcmp(authority.ptr + authority.len - port.len, port.ptr, port.len) == 0) {
        authority.len -= port.len;
    }
    return authority;
}

struct span http_key_write(char *out, struct span scheme, struct span authority, struct span path)
{
    const struct span between = SPAN("://");
    char *at = out;

    authority = http_authority_normal(scheme, authority);
    memcpy(at, scheme.ptr, scheme.len);
    at += scheme.len;
    memcpy(at, between.ptr, between.len);
    at += between.len;
    if (authority.len > 0) {
        memcpy(at, authority.ptr, authority.len);
        at += authority.len;
    }
    if (path.len > 0) {
        memcpy(at, path.ptr, path.len);
        at += path.len;
    }
    return span_of(out, (size_t)(at - out));
}

const char *http_url_parse(struct span text, struct http_url *out)
{
    size_t prefix = 0;

    if (text.len >= 7 && span_eq_nocase(span_of(text.ptr, 7), SPAN("http://"))) {
        prefix = 7;
    } else if (text.len >= 8 && span_eq_nocase(span_of(text.ptr, 8), SPAN("https://"))) {
        prefix = 8;
    } else {
        return "the URL must start with http:// or https://";
    }
    const char *hash = memchr(text.ptr, '#', text.len);
    if (hash != NULL) {
        text.len = (size_t)(hash - text.ptr);
    }
    size_t at = prefix;
    while (at < text.len && text.ptr[at] != '/' && text.ptr[at] != '?') {
        at++;
    }
    out->scheme = span_of(text.ptr, prefix - 3);
    out->authority = span_of(text.ptr + prefix, at - prefix);
    out->path = span_of(text.ptr + at, text.len - at);
    if (out->authority.len == 0) {
        return "the URL has no host";
    }
    if (!http_is_authority(out->authority)) {
        return "the URL's host or port is not valid";
    }
    if (out->path.len == 0) {
        out->path = SPAN("/");
    }
    if (out->path.ptr[0] == '?') {
        return "the URL has a query but no path; write http://host/?query";
    }
    if (http_scan_target(out->path.ptr, out->path.ptr + out->path.len) !=
        out->path.ptr + out->path.len) {
        return "the URL has a space, control or non-ASCII character; percent-encode it";
    }
    return NULL;
}

const char *http_key_from_url(char *out, struct span text, struct span *key)
{
    struct http_url url;
    const char *fault = http_url_parse(text, &url);

    if (fault != NULL) {
        return fault;
    }
    struct span scheme = url.scheme.len == 5 ? SPAN("https") : SPAN("http");
    *key = http_key_write(out, scheme, url.authority, url.path);
    size_t until = scheme.len + 3 + http_authority_normal(scheme, url.authority).len;
    for (size_t i = 0; i < until; i++) {
        out[i] = ascii_lower(out[i]);
    }
    return NULL;
}
