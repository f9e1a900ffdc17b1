/* guard - see guard.h. */
#include "admin/guard.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/span.h"
#include "http/fields.h"

/* Host without its port (RFC 9110 7.2); brackets of IPv6 taken off. Empty: malformed. */
static struct span host_name(const char *host, bool *is_v6)
{
    struct span text = span_str(host);
    const char *end;

    *is_v6 = text.len > 0 && text.ptr[0] == '[';
    if (*is_v6) {
        end = memchr(text.ptr, ']', text.len);
        return end == NULL ? span_of("", 0) : span_of(text.ptr + 1, (size_t)(end - text.ptr) - 1);
    }
    end = memchr(text.ptr, ':', text.len);
    return end == NULL ? text : span_of(text.ptr, (size_t)(end - text.ptr));
}

bool guard_host_is_ours(const char *host, const struct conf_names *server_names)
{
    char text[64];
    struct in6_addr address;
    bool is_v6;

    if (host == NULL) {
        return false;
    }
    struct span name = host_name(host, &is_v6);
    if (name.len == 0) {
        return false;
    }
    if (name.len < sizeof(text)) {
        memcpy(text, name.ptr, name.len);
        text[name.len] = '\0';
        if (inet_pton(is_v6 ? AF_INET6 : AF_INET, text, &address) == 1) {
            return true;
        }
    }
    if (is_v6) {
        return false;
    }
    if (span_eq_nocase(name, SPAN("localhost"))) {
        return true;
    }
    for (size_t i = 0; i < server_names->count; i++) {
        if (span_eq_nocase(name, span_str(server_names->list[i]))) {
            return true;
        }
    }
    return false;
}

bool guard_is_same_origin(const char *fetch_site, const char *origin, const char *host)
{
    if (fetch_site != NULL && strcmp(fetch_site, "same-origin") != 0) {
        return false;
    }
    if (origin == NULL) {
        return true;
    }
    struct span from = span_str(origin);
    const struct span schemes[] = {SPAN("http://"), SPAN("https://")};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (span_starts(from, schemes[i])) {
            from.ptr += schemes[i].len;
            from.len -= schemes[i].len;
            return host != NULL && span_eq_nocase(from, span_str(host));
        }
    }
    return false;
}

bool guard_is_json(const char *content_type)
{
    return span_eq_nocase(http_without_parameters(span_str(content_type)),
                          SPAN("application/json"));
}
