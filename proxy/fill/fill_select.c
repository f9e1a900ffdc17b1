/* fill_select - which requests a stored response is for (RFC 9111 4.1). */
#include "fill/fill_private.h"
#include "http/head.h"
#include "http/vary.h"
#include "http/vary_limit.h"

/* It is we who say there who asks: a response by that is for one client. */
static bool names_client(const struct site *site, const struct http_fields *response)
{
    if (!http_fields_has(response, HTTP_FIELD_VARY)) {
        return false;
    }
    return ((site->forwarded & SITE_X_FORWARDED) != 0 &&
            http_fields_has_token(response, HTTP_FIELD_VARY, SPAN("X-Forwarded-For"))) ||
           ((site->forwarded & SITE_RFC7239) != 0 &&
            http_fields_has_token(response, HTTP_FIELD_VARY, SPAN("Forwarded")));
}

static bool build(const struct fill *fill, const struct http_fields *response, struct buf *selector)
{
    const struct http_fields *fields =
        fill->selecting != NULL ? fill->selecting : &fill->request->fields;
    if (names_client(fill->site, response)) {
        return false;
    }
    return http_selector_build(selector, response, fields) != HTTP_VARY_STAR;
}

bool fill_build_selector(const struct fill *fill, const struct http_response *response,
                         struct buf *selector)
{
    const struct policy *policy = &fill->policy;
    struct span ignore[CONF_FIELDS_MAX + 1];
    struct http_field items[STORED_FIELDS_MAX + HTTP_VARY_NAMES];
    struct http_fields fields;
    unsigned count = 0;
    if (LIKELY(policy->vary_ignore.count == 0 && !policy->ignore_cookies)) {
        return build(fill, &response->fields, selector);
    }
    for (; count < policy->vary_ignore.count; count++) {
        ignore[count] = policy->vary_ignore.list[count];
    }
    if (policy->ignore_cookies) {
        ignore[count++] = SPAN("Cookie");
    }
    http_fields_init(&fields, items, ARRAY_LEN(items));
    return http_vary_without(&fields, &response->fields, ignore, count) &&
           build(fill, &fields, selector);
}

bool fill_selects_alike(const struct fill *fill, const struct store_object *stored,
                        const struct http_response *response)
{
    struct http_field items[STORED_FIELDS_MAX];
    struct http_response before = {.minor_version = 1};
    struct buf was;
    struct buf is;
    if (!http_fields_has(&response->fields, HTTP_FIELD_VARY)) {
        return true; /* it says nothing of that */
    }
    http_fields_init(&before.fields, items, ARRAY_LEN(items));
    if (!http_head_read(store_object_head(stored), &before.status, &before.fields)) {
        return false;
    }
    buf_init(&was, 16384);
    buf_init(&is, 16384);
    bool alike = fill_build_selector(fill, &before, &was) &&
                 fill_build_selector(fill, response, &is) && !was.failed && !is.failed &&
                 span_eq(buf_span(&was), buf_span(&is));
    buf_free(&was);
    buf_free(&is);
    return alike;
}
