/*
 * fill_invalidate - a successful answer to an unsafe method puts out of force what is stored of its
 * target and of the URIs it names, as far as they are of the same origin (RFC 9111 4.4).
 */
#include "fill/fill_private.h"
#include "http/key.h"
#include "http/reference.h"
#include "site/site_key.h"
#include "site/site_path.h"

/* A reference read against the target. False: not a URI of the same origin. */
static bool resolve(struct fill *fill, struct span reference, struct http_url *url)
{
    const struct http_request *request = fill->request;
    const struct http_url base = {
        .scheme = request->scheme, .authority = request->authority, .path = request->path};
    size_t bytes = http_reference_bytes(&base, reference);
    char *room = reference.len == 0 ? NULL : arena_alloc(&fill->arena, bytes);
    return room != NULL && http_reference_resolve(url, &base, reference, room) &&
           span_eq_nocase(url->scheme, base.scheme) &&
           span_eq_nocase(http_authority_normal(base.scheme, url->authority),
                          http_authority_normal(base.scheme, base.authority));
}

bool fill_is_target(struct fill *fill, struct span reference)
{
    struct http_url url;
    return resolve(fill, reference, &url) &&
           span_eq(site_path_folded(&fill->arena, fill->site, url.path), fill->request->path);
}

static void invalidate_named(struct fill *fill, struct span reference)
{
    struct http_url url;
    if (!resolve(fill, reference, &url)) {
        return;
    }
    struct span key = site_key_of(&fill->arena, fill->site, fill->request, url.path);
    if (key.ptr != NULL) {
        struct store_purge_result result;
        store_purge_key(fill->env->store, key, STORE_PURGE_HARD, false, false, &result);
    }
}

void fill_invalidate(struct fill *fill, const struct http_response *response)
{
    struct store_purge_result result;
    store_purge_key(fill->env->store, fill->key.bytes, STORE_PURGE_HARD, false, false, &result);
    invalidate_named(fill, http_fields_find(&response->fields, HTTP_FIELD_LOCATION));
    invalidate_named(fill, http_fields_find(&response->fields, HTTP_FIELD_CONTENT_LOCATION));
}
