/* redirect - see redirect.h. */
#include "site/redirect.h"

#include "conf/template.h"
#include "http/key.h"
#include "http/path.h"

static bool is_hex(char c)
{
    char lower = ascii_lower(c);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'f');
}

static bool is_escape(struct span text, size_t at)
{
    return text.len - at >= 3 && is_hex(text.ptr[at + 1]) && is_hex(text.ptr[at + 2]);
}

static bool is_unreserved(char c)
{
    char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

/* Bytes as a path or query may have them (RFC 3986 3.3, 3.4); the others get an escape. is_value:
 * what stands in a query as the value of something: its marks must not count. */
static void put_escaped(struct buf *out, struct span text, bool is_value)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool stays = is_unreserved(c) || c == '/';
        if (!is_value) {
            stays = stays || (c != '\0' && strchr("!$&'()*+,;=:@?", c) != NULL) ||
                    (c == '%' && is_escape(text, i));
        }
        if (stays) {
            buf_putc(out, c);
        } else {
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
        }
    }
}

static struct span path_of(const struct http_request *request)
{
    bool is_path = request->path.len > 0 && request->path.ptr[0] == '/';
    return is_path ? request->path : SPAN("/");
}

static struct span port_of(struct span authority)
{
    struct span host = http_authority_host(authority);
    return span_of(authority.ptr + host.len, authority.len - host.len);
}

static struct span scheme_of(bool is_https)
{
    return is_https ? SPAN("https") : SPAN("http");
}

/* Is this the name it asked for? A port counts when it is said. */
static bool is_host(struct span wanted, struct span authority, struct span scheme)
{
    if (port_of(wanted).len == 0) {
        return span_eq_nocase(wanted, http_authority_host(authority));
    }
    return span_eq_nocase(http_authority_normal(scheme, wanted),
                          http_authority_normal(scheme, authority));
}

static void put_authority(struct buf *out, const struct conf_redirect *redirect,
                          struct span authority, bool changes_scheme)
{
    struct span host =
        redirect->host != NULL ? span_str(redirect->host) : http_authority_host(authority);
    buf_append(out, host);
    if (port_of(host).len > 0) {
        return;
    }
    if (!changes_scheme) {
        buf_append(out, port_of(authority));
    } else if (redirect->https_port != 0 && redirect->https_port != 443) {
        buf_printf(out, ":%u", redirect->https_port);
    }
}

static unsigned to_place(const struct conf_redirect *redirect, const struct http_request *request,
                         bool is_https, struct buf *location)
{
    bool changes_scheme = redirect->https && !is_https;
    bool changes_host = redirect->host != NULL &&
                        !is_host(span_str(redirect->host), request->authority, scheme_of(is_https));
    if (!changes_scheme && !changes_host) {
        return 0;
    }
    if (request->authority.len == 0 && redirect->host == NULL) {
        return 400;
    }
    buf_append(location, scheme_of(is_https || redirect->https));
    buf_puts(location, "://");
    put_authority(location, redirect, request->authority, changes_scheme);
    put_escaped(location, path_of(request), false);
    return request->method == HTTP_GET || request->method == HTTP_HEAD ? 301 : 308;
}

static void put_part(struct buf *out, enum conf_part part, struct span text,
                     const struct http_request *request, bool in_query)
{
    struct span path = path_of(request);
    size_t end = http_path_end(path);
    switch (part) {
    case CONF_PART_TEXT:
        buf_append(out, text);
        break;
    case CONF_PART_HOST: /* letters, digits, dots and the like, or [IPv6]: http_is_authority */
        if (in_query) {
            put_escaped(out, http_authority_host(request->authority), true);
        } else {
            buf_append(out, http_authority_host(request->authority));
        }
        break;
    case CONF_PART_PATH:
        put_escaped(out, span_of(path.ptr, end), in_query);
        break;
    case CONF_PART_QUERY:
        put_escaped(out, span_of(path.ptr + end, path.len - end), false);
        break;
    }
}

static bool is_same_place(const struct buf *location, const struct http_request *request,
                          bool is_https)
{
    struct span to = buf_span(location);
    struct span path = path_of(request);
    struct http_url url;
    if (to.len > 0 && to.ptr[0] == '/') {
        return span_eq(to, path);
    }
    struct span scheme = scheme_of(is_https);
    return http_url_parse(to, &url) == NULL && span_eq_nocase(url.scheme, scheme) &&
           span_eq_nocase(http_authority_normal(scheme, url.authority),
                          http_authority_normal(scheme, request->authority)) &&
           span_eq(url.path, path);
}

static unsigned to_url(const struct conf_redirect *redirect, const struct http_request *request,
                       bool is_https, struct buf *location)
{
    struct span rest = span_str(redirect->url);
    enum conf_part part;
    struct span text;
    bool in_query = false;
    while (conf_template_next(&rest, &part, &text)) {
        if (part == CONF_PART_HOST && !in_query && request->authority.len == 0) {
            return 400;
        }
        put_part(location, part, text, request, in_query);
        in_query = in_query || (part == CONF_PART_TEXT && memchr(text.ptr, '?', text.len) != NULL);
    }
    return is_same_place(location, request, is_https) ? 0 : redirect->status;
}

unsigned redirect_to(const struct conf_redirect *redirect, const struct http_request *request,
                     bool is_https, struct buf *location)
{
    switch (redirect->kind) {
    case CONF_REDIRECT_OFF:
        break;
    case CONF_REDIRECT_PLACE:
        return to_place(redirect, request, is_https, location);
    case CONF_REDIRECT_URL:
        return to_url(redirect, request, is_https, location);
    }
    return 0;
}
