/* url_key - see url_key.h. */
#include "site/url_key.h"

#include "http/key.h"
#include "site/site_key.h"

/* The site that answers for this authority; false: the named one does not. *out NULL: no site does. */
static bool find_site(const struct site_table *sites, struct span name, struct span authority,
                      const struct site **out)
{
    const struct site *named = name.len == 0 ? NULL : site_table_named(sites, name);

    *out = named != NULL && named->forward != NULL ? named : site_table_find(sites, authority);
    return name.len == 0 || (named != NULL && *out == named);
}

const char *url_key(const struct site_table *sites, struct arena *arena, struct span url,
                    struct span name, enum url_scheme scheme, struct span *key)
{
    struct http_url parts;
    const char *fault = http_url_parse(url, &parts);
    if (fault != NULL) {
        return fault;
    }
    char *host = arena_alloc(arena, parts.authority.len);
    if (host == NULL) {
        return "the URL is too long";
    }
    for (size_t i = 0; i < parts.authority.len; i++) {
        host[i] = ascii_lower(parts.authority.ptr[i]);
    }
    bool is_https = (parts.scheme.len == 5) != (scheme == URL_SCHEME_OTHER);
    const struct http_request request = {
        .method = HTTP_GET,
        .method_text = SPAN("GET"),
        .scheme = is_https ? SPAN("https") : SPAN("http"),
        .authority = http_authority_normal(parts.scheme, span_of(host, parts.authority.len)),
        .path = parts.path,
    };
    const struct site *site;
    if (!find_site(sites, name, request.authority, &site)) {
        *key = SPAN("");
        return NULL;
    }
    if (site != NULL) {
        *key = site_key_of(arena, site, &request, request.path);
    } else { /* nothing is stored under it, and that is no fault of the URL */
        char *room =
            arena_alloc(arena, http_key_bytes(request.scheme, request.authority, request.path));
        *key = room == NULL ? span_of(NULL, 0)
                            : http_key_write(room, request.scheme, request.authority, request.path);
    }
    return key->ptr == NULL ? "the URL is too long" : NULL;
}
