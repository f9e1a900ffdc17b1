/* referer - see referer.h. */
#include "http/referer.h"

#include "http/key.h"

struct span http_referer_origin(struct span referer)
{
    struct http_url url;

    if (http_url_parse(referer, &url) != NULL) {
        return span_of(NULL, 0);
    }
    return span_of(referer.ptr, (size_t)(url.authority.ptr + url.authority.len - referer.ptr));
}

bool http_referer_is_same(struct span referer, struct span scheme, struct span authority)
{
    struct http_url url;

    return http_url_parse(referer, &url) == NULL && span_eq_nocase(url.scheme, scheme) &&
           span_eq_nocase(http_authority_normal(scheme, url.authority),
                          http_authority_normal(scheme, authority));
}
