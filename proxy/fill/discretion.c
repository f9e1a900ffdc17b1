/* discretion - see discretion.h. */
#include "fill/discretion.h"

#include "http/forwarded.h"
#include "http/glob.h"
#include "http/identity.h"
#include "http/key.h"
#include "http/referer.h"

/* ---- what goes on ---- */

bool discretion_is_cookieless(const struct policy *policy, const struct http_request *request)
{
    const struct conf_hosts *hosts = policy->privacy.cookieless;

    if (LIKELY(hosts == NULL)) {
        return false;
    }
    struct span host = http_authority_host(request->authority);
    if (host.len > 1 && host.ptr[host.len - 1] == '.') {
        host.len--; /* the same name, of the DNS's root (RFC 1034 3.1) */
    }
    for (size_t i = 0; i < hosts->count; i++) {
        if (http_glob_match(span_str(hosts->list[i]), host, HTTP_GLOB_NOCASE)) {
            return true;
        }
    }
    return false;
}

/* Whose word on the client is passed on: nobody's, or that of proxies of ours, or anybody's. */
static bool identity_passes(const struct fill_request_options *options,
                            const struct http_field *field)
{
    enum site_identity identity = options->site->identity;
    bool is_forwarding = identity != SITE_TRANSPARENT && http_field_is_forwarding(field);

    if (is_forwarding) {
        return false;
    }
    switch (http_field_identity(field)) {
    case HTTP_IDENTITY_NONE:
        return true;
    case HTTP_IDENTITY_ADDRESS:
        return identity == SITE_TRANSPARENT ||
               (identity != SITE_HIDES && options->client->is_trusted);
    case HTTP_IDENTITY_PERSON:
        return identity != SITE_HIDES;
    case HTTP_IDENTITY_TRAP:
        break;
    }
    return false;
}

static bool referer_passes(const struct fill_request_options *options,
                           const struct http_field *field)
{
    const struct http_request *request = options->request;

    switch (options->policy->privacy.referer) {
    case CONF_REFERER_UNSET:
    case CONF_REFERER_KEEP:
        return true;
    case CONF_REFERER_REMOVE:
        return false;
    case CONF_REFERER_ORIGIN:
        return http_referer_origin(field->value).len > 0;
    case CONF_REFERER_SAME_ORIGIN:
        break;
    }
    return http_referer_is_same(field->value, request->scheme, request->authority);
}

bool discretion_passes(const struct fill_request_options *options, const struct http_field *field)
{
    switch ((enum http_field_id)field->id) {
    case HTTP_FIELD_USER_AGENT:
        return !options->policy->privacy.has_agent;
    case HTTP_FIELD_REFERER:
        return referer_passes(options, field);
    case HTTP_FIELD_COOKIE:
        return !discretion_is_cookieless(options->policy, options->request);
    default:
        break;
    }
    return identity_passes(options, field);
}

struct span discretion_referer(struct arena *arena, const struct http_field *field)
{
    struct span origin = http_referer_origin(field->value);

    return arena_printf(arena, "Referer: %.*s/", (int)origin.len, origin.ptr);
}

bool discretion_changes(const struct fill_request_options *options)
{
    const struct http_fields *fields = &options->request->fields;

    if (options->policy->privacy.agent.len > 0) {
        return true;
    }
    for (unsigned i = 0; i < fields->count; i++) {
        const struct http_field *field = &fields->items[i];
        if (!discretion_passes(options, field) ||
            (field->id == HTTP_FIELD_REFERER &&
             options->policy->privacy.referer == CONF_REFERER_ORIGIN)) {
            return true;
        }
    }
    return false;
}

bool discretion_is_claim(const struct site *site, const struct http_request *request)
{
    const struct http_fields *fields = &request->fields;

    for (unsigned i = 0; site->identity == SITE_TRANSPARENT && i < fields->count; i++) {
        if (fields->items[i].id != HTTP_FIELD_X_FORWARDED_FOR &&
            http_field_is_forwarding(&fields->items[i])) {
            return true;
        }
    }
    return false;
}

/* ---- what is added ---- */

/* RFC 7239 */
static struct span forwarded_line(struct arena *arena, const struct fill_request_options *options,
                                  bool is_proxy)
{
    const struct span name = SPAN("Forwarded: ");
    const struct http_forwarded_say say = {
        .chain = options->client->chain,
        .host = is_proxy ? span_of("", 0) : options->request->authority,
        .by = options->site->via,
        .is_https = options->client->is_https,
        .without_scheme = is_proxy,
    };
    char *line = arena_alloc(arena, name.len + http_forwarded_bytes(&say));

    if (line == NULL) {
        return span_of(NULL, 0);
    }
    memcpy(line, name.ptr, name.len);
    return span_of(line, name.len + http_forwarded_write(line + name.len, &say).len);
}

/* A forward proxy's client named scheme and host itself, and the server knows both: told again, the
 * scheme between client and proxy would be taken for its own. */
static unsigned add_client(struct arena *arena, const struct fill_request_options *options,
                           struct span *out)
{
    const struct site *site = options->site;
    struct span host = options->request->authority;
    bool is_proxy = site->forward != NULL;
    unsigned count = 0;

    if ((site->forwarded & SITE_X_FORWARDED) != 0) {
        out[count++] = arena_join(arena, SPAN("X-Forwarded-For: "), options->client->chain);
    }
    if ((site->forwarded & SITE_X_FORWARDED) != 0 && !is_proxy) {
        out[count++] = options->client->is_https ? SPAN("X-Forwarded-Proto: https")
                                                 : SPAN("X-Forwarded-Proto: http");
        if (host.len > 0) {
            out[count++] = arena_join(arena, SPAN("X-Forwarded-Host: "), host);
        }
    }
    if (UNLIKELY((site->forwarded & SITE_RFC7239) != 0)) {
        out[count++] = forwarded_line(arena, options, is_proxy);
    }
    return count;
}

unsigned discretion_add(struct arena *arena, const struct fill_request_options *options,
                        struct span out[DISCRETION_LINES])
{
    const struct site *site = options->site;
    unsigned count = 0;

    if (site->via.len > 0 && site->identity != SITE_HIDES && site->identity != SITE_TRANSPARENT) {
        out[count++] = arena_join(
            arena, options->request->minor_version == 0 ? SPAN("Via: 1.0 ") : SPAN("Via: 1.1 "),
            site->via_own);
    }
    count += add_client(arena, options, out + count);
    if (UNLIKELY(options->policy->privacy.agent.len > 0)) {
        out[count++] = options->policy->privacy.agent;
    }
    return count;
}

/* ---- what comes back ---- */

const struct http_response *discretion_back(struct arena *arena, const struct policy *policy,
                                            const struct http_request *request,
                                            const struct http_response *response)
{
    const struct http_fields *fields = &response->fields;

    if (LIKELY(policy->privacy.cookieless == NULL) ||
        !http_fields_has(fields, HTTP_FIELD_SET_COOKIE) ||
        !discretion_is_cookieless(policy, request)) {
        return response;
    }
    struct http_response *copy = arena_alloc(arena, sizeof(*copy));
    struct http_field *items = arena_alloc(arena, fields->count * sizeof(*items));
    if (copy == NULL || items == NULL) {
        return NULL;
    }
    *copy = *response;
    http_fields_init(&copy->fields, items, fields->count);
    for (unsigned i = 0; i < fields->count; i++) {
        if (fields->items[i].id != HTTP_FIELD_SET_COOKIE) {
            items[copy->fields.count++] = fields->items[i];
        }
    }
    copy->fields.present = fields->present & ~http_field_bit(HTTP_FIELD_SET_COOKIE);
    return copy;
}
