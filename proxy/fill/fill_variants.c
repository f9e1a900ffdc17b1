/*
 * fill_variants - no stored variant matches the request: the origin is told which ones we have, and
 * may answer with the name of one of them (RFC 9110 13.1.2, RFC 9111 4.1, 4.3.1, 4.3.3).
 *
 * Only variants whose body is whole in memory are offered: what is selected must be there at once.
 */
#include "fill/fill_private.h"
#include "http/condition.h"
#include "http/head.h"

static struct span etag_of(const struct store_object *object)
{
    return http_head_find(store_object_head(object), HTTP_FIELD_ETAG);
}

unsigned fill_offer_take(struct store *store, const struct store_key *key,
                         struct store_object *out[FILL_VARIANTS_MAX])
{
    struct store_object *found[FILL_VARIANTS_MAX];
    unsigned count = store_variants(store, key, found, FILL_VARIANTS_MAX);
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++) {
        if (etag_of(found[i]).len > 0 && stored_facts(found[i])->status == 200) {
            out[kept++] = found[i];
        } else {
            store_object_unref(&found[i]);
        }
    }
    return kept;
}

void fill_variants_take(struct fill *fill)
{
    fill->variants = arena_alloc(&fill->arena, FILL_VARIANTS_MAX * sizeof(struct store_object *));
    if (fill->variants != NULL) {
        fill->variant_count = fill_offer_take(fill->env->store, &fill->key, fill->variants);
    }
}

void fill_variants_drop(struct fill *fill)
{
    while (fill->variant_count > 0) {
        store_object_unref(&fill->variants[--fill->variant_count]);
    }
}

struct span fill_offer_line(struct arena *arena, struct store_object *const *variants,
                            unsigned count)
{
    const struct span name = SPAN("If-None-Match: ");
    size_t bytes = name.len;
    for (unsigned i = 0; i < count; i++) {
        bytes += etag_of(variants[i]).len + 2;
    }
    char *line = count == 0 ? NULL : arena_alloc(arena, bytes);
    if (line == NULL) {
        return span_of("", 0);
    }
    memcpy(line, name.ptr, name.len);
    char *at = line + name.len;
    for (unsigned i = 0; i < count; i++) {
        struct span etag = etag_of(variants[i]);
        if (i > 0) {
            *at++ = ',';
            *at++ = ' ';
        }
        memcpy(at, etag.ptr, etag.len);
        at += etag.len;
    }
    return span_of(line, (size_t)(at - line));
}

struct span fill_variants_line(struct fill *fill)
{
    return fill_offer_line(&fill->arena, fill->variants, fill->variant_count);
}

/* Which of them does the 304 mean? One without a tag can only mean a sole one. */
static struct store_object *selected(const struct fill *fill, const struct http_response *response)
{
    struct span etag = http_fields_find(&response->fields, HTTP_FIELD_ETAG);
    if (etag.len == 0) {
        return fill->variant_count == 1 ? fill->variants[0] : NULL;
    }
    for (unsigned i = 0; i < fill->variant_count; i++) {
        if (http_etag_match_weak(etag, etag_of(fill->variants[i]))) {
            return fill->variants[i];
        }
    }
    return NULL;
}

bool fill_variants_select(struct fill *fill, const struct http_response *response)
{
    struct store_object *variant = selected(fill, response);
    struct fill_renewal renewal;
    struct buf selector;
    if (variant == NULL || !fill_renew(fill, variant, response, &renewal)) {
        return false;
    }
    buf_init(&selector, 16384);
    if (fill_build_selector(fill, &renewal.merged, &selector) && !selector.failed) {
        renewal.out.selector = buf_span(&selector);
        renewal.out.length = store_object_length(variant);
        renewal.out.max_variants = fill->policy.vary_max;
        fill->refreshed = store_lead_adopt(&fill->lead, variant, &renewal.out);
    }
    fill->figures.stored = fill->refreshed != NULL;
    buf_free(&selector);
    buf_free(&renewal.head);
    return fill->refreshed != NULL;
}
