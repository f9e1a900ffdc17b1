/*
 * identity - see identity.h. The names stand in two lists, sorted by nothing: a name is looked at only
 * when some name of its first letter and length is known, which few other fields of a request have.
 */
#include "http/identity.h"

#include "base/check.h"

/* Longer than any name below. */
#define NAME_BYTES 40u

static const char *const address_names[] = {
    "X-Real-IP",
    "X-RealIP",
    "X-Client-IP",
    "X-ClientIP",
    "X-Client-Address",
    "X-Client-Addr",
    "Client-IP",
    "True-Client-IP",
    "X-True-Client-IP",
    "X-True-IP",
    "X-Cluster-Client-IP",
    "Cluster-Client-IP",
    "X-Originating-IP",
    "X-Originating-Client-IP",
    "X-Original-IP",
    "X-Original-Remote-Addr",
    "X-Remote-IP",
    "X-Remote-Addr",
    "X-Remote-Address",
    "Remote-IP",
    "Remote-Addr",
    "CF-Connecting-IP",
    "CF-Connecting-IPv6",
    "CF-Pseudo-IPv4",
    "Fastly-Client-IP",
    "Fly-Client-IP",
    "DO-Connecting-IP",
    "Incap-Client-IP",
    "Akamai-Client-IP",
    "X-Akamai-Client-IP",
    "Ali-CDN-Real-IP",
    "CDN-Src-IP",
    "CDN-Real-IP",
    "X-Sucuri-ClientIP",
    "X-Azure-ClientIP",
    "X-Azure-SocketIP",
    "X-AppEngine-User-IP",
    "X-AppEngine-Remote-Addr",
    "X-Envoy-External-Address",
    "X-NF-Client-Connection-IP",
    "X-Vercel-Forwarded-For",
    "X-Vercel-Proxied-For",
    "X-Original-Forwarded-For",
    "Forwarded-For",
    "Forwarded-For-IP",
    "X-ProxyUser-IP",
    "WL-Proxy-Client-IP",
    "Proxy-Client-IP",
    "HTTP-Client-IP",
    "HTTP-X-Forwarded-For",
    "X-Forward-For",
    "X-ProxyMesh-IP",
    "X-Client-Port",
    "Client-Port",
    "X-Real-Port",
    "X-Remote-Port",
    "Remote-Port",
    "X-Source-Port",
};

static const char *const person_names[] = {
    "From",
    "Remote-User",
    "X-Remote-User",
    "X-Authenticated-User",
    "X-Authenticated-Groups",
    "X-Client-Username",
    "X-Proxy-User",
    "X-Proxy-ID",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Preferred-Username",
    "X-MSISDN",
    "X-UP-Calling-Line-ID",
    "X-UP-Subno",
    "X-UIDH",
    "X-BlueCoat-Via",
    "X-Client-Host",
    "X-Remote-Host",
    "Remote-Host",
    "Client-Address",
    "X-Source-IP",
    "X-Peer-IP",
    "X-User-IP",
    "X-IP",
    "X-Client",
    "Client-Cert",
    "Client-Cert-Chain",
    "X-Client-Cert",
    "X-Client-DN",
    "X-SSL-Client-Cert",
    "X-SSL-Client-DN",
    "X-SSL-Client-S-DN",
    "X-ARR-ClientCert",
    "X-Amzn-Mtls-Clientcert",
    "X-Amzn-Mtls-Clientcert-Subject",
    "X-ATT-DeviceId",
    "X-Coming-From",
    "Coming-From",
};

#define LETTER(c) (1u << ((c) - 'a'))

/* Of all names above, of Proxy, Proxy-* and X-Forwarded-*; the unit test holds them together. */
static const uint32_t first_letters = LETTER('a') | LETTER('c') | LETTER('d') | LETTER('f') |
                                      LETTER('h') | LETTER('i') | LETTER('l') | LETTER('p') |
                                      LETTER('r') | LETTER('t') | LETTER('w') | LETTER('x');

static bool is_one_of(const char *const *names, size_t count, struct span name)
{
    for (size_t i = 0; i < count; i++) {
        if ((names[i][0] | 0x20) == (name.ptr[0] | 0x20) &&
            span_eq_nocase(name, span_str(names[i]))) {
            return true;
        }
    }
    return false;
}

static bool begins(struct span name, struct span prefix)
{
    return name.len >= prefix.len && span_eq_nocase(span_of(name.ptr, prefix.len), prefix);
}

static enum http_identity identity_of(struct span name)
{
    if (is_one_of(address_names, ARRAY_LEN(address_names), name)) {
        return HTTP_IDENTITY_ADDRESS;
    }
    if (span_eq_nocase(name, SPAN("Proxy")) || span_eq_nocase(name, SPAN("Larder-Hops"))) {
        return HTTP_IDENTITY_TRAP;
    }
    return begins(name, SPAN("X-Forwarded")) || begins(name, SPAN("Proxy-")) ||
                   is_one_of(person_names, ARRAY_LEN(person_names), name)
               ? HTTP_IDENTITY_PERSON
               : HTTP_IDENTITY_NONE;
}

enum http_identity http_field_identity(const struct http_field *field)
{
    const uint64_t known =
        http_field_bit(HTTP_FIELD_VIA) | http_field_bit(HTTP_FIELD_FORWARDED) |
        http_field_bit(HTTP_FIELD_X_FORWARDED_FOR) | http_field_bit(HTTP_FIELD_X_FORWARDED_HOST) |
        http_field_bit(HTTP_FIELD_X_FORWARDED_PROTO) | http_field_bit(HTTP_FIELD_X_FORWARDED_PORT) |
        http_field_bit(HTTP_FIELD_X_FORWARDED_PREFIX) |
        http_field_bit(HTTP_FIELD_X_FORWARDED_SCHEME) |
        http_field_bit(HTTP_FIELD_PROXY_CONNECTION) |
        http_field_bit(HTTP_FIELD_PROXY_AUTHENTICATE) |
        http_field_bit(HTTP_FIELD_PROXY_AUTHENTICATION_INFO) |
        http_field_bit(HTTP_FIELD_PROXY_AUTHORIZATION) | http_field_bit(HTTP_FIELD_PROXY_STATUS);
    char name[NAME_BYTES];
    struct span text = field->name;

    if (field->id != HTTP_FIELD_OTHER) {
        return (http_field_bit((enum http_field_id)field->id) & known) != 0 ? HTTP_IDENTITY_PERSON
                                                                            : HTTP_IDENTITY_NONE;
    }
    unsigned letter = text.len == 0 ? 26 : (unsigned char)(text.ptr[0] | 0x20) - 'a';
    if (LIKELY(letter >= 26 || (first_letters >> letter & 1) == 0)) {
        return HTTP_IDENTITY_NONE;
    }
    if (memchr(text.ptr, '_', text.len) != NULL) {
        text.len = text.len < sizeof(name) ? text.len : sizeof(name);
        for (size_t i = 0; i < text.len; i++) {
            name[i] = field->name.ptr[i] == '_' ? '-' : field->name.ptr[i];
        }
        text.ptr = name;
    }
    CHECK(text.len > 0);
    return identity_of(text);
}
