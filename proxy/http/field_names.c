/*
 * field_names - names to ids by a perfect hash over the length and three bytes. The factors were
 * searched for so that no two known names share a slot; the unit test proves that each maps to its
 * own id.
 */
#include "base/check.h"
#include "http/fields.h"

/* clang-format off */
#define NAME(usual, lower) {{usual, sizeof(usual) - 1}, lower}
/* clang-format on */

struct field_name {
    struct span usual;
    const char *lower;
};

static const struct field_name field_names[HTTP_FIELD_COUNT] = {
    [HTTP_FIELD_HOST] = NAME("Host", "host"),
    [HTTP_FIELD_CONNECTION] = NAME("Connection", "connection"),
    [HTTP_FIELD_CONTENT_LENGTH] = NAME("Content-Length", "content-length"),
    [HTTP_FIELD_TRANSFER_ENCODING] = NAME("Transfer-Encoding", "transfer-encoding"),
    [HTTP_FIELD_CACHE_CONTROL] = NAME("Cache-Control", "cache-control"),
    [HTTP_FIELD_PRAGMA] = NAME("Pragma", "pragma"),
    [HTTP_FIELD_EXPIRES] = NAME("Expires", "expires"),
    [HTTP_FIELD_DATE] = NAME("Date", "date"),
    [HTTP_FIELD_AGE] = NAME("Age", "age"),
    [HTTP_FIELD_ETAG] = NAME("ETag", "etag"),
    [HTTP_FIELD_LAST_MODIFIED] = NAME("Last-Modified", "last-modified"),
    [HTTP_FIELD_VARY] = NAME("Vary", "vary"),
    [HTTP_FIELD_IF_NONE_MATCH] = NAME("If-None-Match", "if-none-match"),
    [HTTP_FIELD_IF_MODIFIED_SINCE] = NAME("If-Modified-Since", "if-modified-since"),
    [HTTP_FIELD_IF_MATCH] = NAME("If-Match", "if-match"),
    [HTTP_FIELD_IF_UNMODIFIED_SINCE] = NAME("If-Unmodified-Since", "if-unmodified-since"),
    [HTTP_FIELD_IF_RANGE] = NAME("If-Range", "if-range"),
    [HTTP_FIELD_RANGE] = NAME("Range", "range"),
    [HTTP_FIELD_AUTHORIZATION] = NAME("Authorization", "authorization"),
    [HTTP_FIELD_COOKIE] = NAME("Cookie", "cookie"),
    [HTTP_FIELD_SET_COOKIE] = NAME("Set-Cookie", "set-cookie"),
    [HTTP_FIELD_LOCATION] = NAME("Location", "location"),
    [HTTP_FIELD_CONTENT_LOCATION] = NAME("Content-Location", "content-location"),
    [HTTP_FIELD_CONTENT_RANGE] = NAME("Content-Range", "content-range"),
    [HTTP_FIELD_CONTENT_ENCODING] = NAME("Content-Encoding", "content-encoding"),
    [HTTP_FIELD_CONTENT_TYPE] = NAME("Content-Type", "content-type"),
    [HTTP_FIELD_CONTENT_LANGUAGE] = NAME("Content-Language", "content-language"),
    [HTTP_FIELD_EXPECT] = NAME("Expect", "expect"),
    [HTTP_FIELD_UPGRADE] = NAME("Upgrade", "upgrade"),
    [HTTP_FIELD_TE] = NAME("TE", "te"),
    [HTTP_FIELD_TRAILER] = NAME("Trailer", "trailer"),
    [HTTP_FIELD_KEEP_ALIVE] = NAME("Keep-Alive", "keep-alive"),
    [HTTP_FIELD_PROXY_CONNECTION] = NAME("Proxy-Connection", "proxy-connection"),
    [HTTP_FIELD_PROXY_AUTHENTICATE] = NAME("Proxy-Authenticate", "proxy-authenticate"),
    [HTTP_FIELD_PROXY_AUTHENTICATION_INFO] =
        NAME("Proxy-Authentication-Info", "proxy-authentication-info"),
    [HTTP_FIELD_PROXY_AUTHORIZATION] = NAME("Proxy-Authorization", "proxy-authorization"),
    [HTTP_FIELD_PROXY_STATUS] = NAME("Proxy-Status", "proxy-status"),
    [HTTP_FIELD_VIA] = NAME("Via", "via"),
    [HTTP_FIELD_FORWARDED] = NAME("Forwarded", "forwarded"),
    [HTTP_FIELD_X_FORWARDED_FOR] = NAME("X-Forwarded-For", "x-forwarded-for"),
    [HTTP_FIELD_X_FORWARDED_HOST] = NAME("X-Forwarded-Host", "x-forwarded-host"),
    [HTTP_FIELD_X_FORWARDED_PROTO] = NAME("X-Forwarded-Proto", "x-forwarded-proto"),
    [HTTP_FIELD_X_FORWARDED_PORT] = NAME("X-Forwarded-Port", "x-forwarded-port"),
    [HTTP_FIELD_X_FORWARDED_PREFIX] = NAME("X-Forwarded-Prefix", "x-forwarded-prefix"),
    [HTTP_FIELD_X_FORWARDED_SCHEME] = NAME("X-Forwarded-Scheme", "x-forwarded-scheme"),
    [HTTP_FIELD_X_HOST] = NAME("X-Host", "x-host"),
    [HTTP_FIELD_X_ORIGINAL_URL] = NAME("X-Original-URL", "x-original-url"),
    [HTTP_FIELD_X_REWRITE_URL] = NAME("X-Rewrite-URL", "x-rewrite-url"),
    [HTTP_FIELD_CACHE_STATUS] = NAME("Cache-Status", "cache-status"),
    [HTTP_FIELD_USER_AGENT] = NAME("User-Agent", "user-agent"),
    [HTTP_FIELD_REFERER] = NAME("Referer", "referer"),
    [HTTP_FIELD_ACCEPT] = NAME("Accept", "accept"),
    [HTTP_FIELD_ACCEPT_ENCODING] = NAME("Accept-Encoding", "accept-encoding"),
    [HTTP_FIELD_ACCEPT_LANGUAGE] = NAME("Accept-Language", "accept-language"),
    [HTTP_FIELD_ACCEPT_RANGES] = NAME("Accept-Ranges", "accept-ranges"),
    [HTTP_FIELD_CDN_CACHE_CONTROL] = NAME("CDN-Cache-Control", "cdn-cache-control"),
    [HTTP_FIELD_MAX_FORWARDS] = NAME("Max-Forwards", "max-forwards"),
    [HTTP_FIELD_HTTP2_SETTINGS] = NAME("HTTP2-Settings", "http2-settings"),
    [HTTP_FIELD_SERVER] = NAME("Server", "server"),
};

_Static_assert(HTTP_FIELD_COUNT <= 64, "present is one word");

static const uint8_t field_slots[256] = {
    [2] = HTTP_FIELD_EXPECT,
    [4] = HTTP_FIELD_X_FORWARDED_PORT,
    [8] = HTTP_FIELD_CONNECTION,
    [11] = HTTP_FIELD_MAX_FORWARDS,
    [13] = HTTP_FIELD_SET_COOKIE,
    [21] = HTTP_FIELD_X_ORIGINAL_URL,
    [22] = HTTP_FIELD_EXPIRES,
    [31] = HTTP_FIELD_COOKIE,
    [50] = HTTP_FIELD_VARY,
    [52] = HTTP_FIELD_FORWARDED,
    [56] = HTTP_FIELD_VIA,
    [61] = HTTP_FIELD_PROXY_STATUS,
    [63] = HTTP_FIELD_X_REWRITE_URL,
    [68] = HTTP_FIELD_AGE,
    [71] = HTTP_FIELD_X_HOST,
    [74] = HTTP_FIELD_PROXY_AUTHORIZATION,
    [75] = HTTP_FIELD_AUTHORIZATION,
    [77] = HTTP_FIELD_REFERER,
    [81] = HTTP_FIELD_CONTENT_RANGE,
    [83] = HTTP_FIELD_CONTENT_LOCATION,
    [87] = HTTP_FIELD_TRANSFER_ENCODING,
    [92] = HTTP_FIELD_X_FORWARDED_HOST,
    [94] = HTTP_FIELD_CONTENT_LENGTH,
    [96] = HTTP_FIELD_PROXY_AUTHENTICATION_INFO,
    [98] = HTTP_FIELD_TE,
    [99] = HTTP_FIELD_X_FORWARDED_SCHEME,
    [103] = HTTP_FIELD_IF_NONE_MATCH,
    [112] = HTTP_FIELD_ACCEPT_ENCODING,
    [115] = HTTP_FIELD_CONTENT_TYPE,
    [120] = HTTP_FIELD_CACHE_CONTROL,
    [135] = HTTP_FIELD_LAST_MODIFIED,
    [139] = HTTP_FIELD_PROXY_AUTHENTICATE,
    [140] = HTTP_FIELD_HTTP2_SETTINGS,
    [141] = HTTP_FIELD_KEEP_ALIVE,
    [146] = HTTP_FIELD_CDN_CACHE_CONTROL,
    [156] = HTTP_FIELD_ACCEPT_LANGUAGE,
    [158] = HTTP_FIELD_UPGRADE,
    [160] = HTTP_FIELD_IF_UNMODIFIED_SINCE,
    [163] = HTTP_FIELD_IF_MATCH,
    [164] = HTTP_FIELD_HOST,
    [165] = HTTP_FIELD_PRAGMA,
    [168] = HTTP_FIELD_ACCEPT,
    [183] = HTTP_FIELD_PROXY_CONNECTION,
    [186] = HTTP_FIELD_SERVER,
    [201] = HTTP_FIELD_RANGE,
    [203] = HTTP_FIELD_CONTENT_ENCODING,
    [204] = HTTP_FIELD_X_FORWARDED_PREFIX,
    [211] = HTTP_FIELD_TRAILER,
    [217] = HTTP_FIELD_CACHE_STATUS,
    [226] = HTTP_FIELD_DATE,
    [232] = HTTP_FIELD_ETAG,
    [236] = HTTP_FIELD_ACCEPT_RANGES,
    [240] = HTTP_FIELD_USER_AGENT,
    [242] = HTTP_FIELD_IF_RANGE,
    [243] = HTTP_FIELD_LOCATION,
    [244] = HTTP_FIELD_IF_MODIFIED_SINCE,
    [246] = HTTP_FIELD_X_FORWARDED_FOR,
    [247] = HTTP_FIELD_CONTENT_LANGUAGE,
    [251] = HTTP_FIELD_X_FORWARDED_PROTO,
};

static inline unsigned field_hash(const char *name, size_t len)
{
    unsigned first = (unsigned)(unsigned char)name[0] | 0x20;
    unsigned inner = (unsigned)(unsigned char)name[len * 3 / 4] | 0x20;
    unsigned last = (unsigned)(unsigned char)name[len - 1] | 0x20;

    return (((unsigned)len * 856 + first * 267 + inner * 212 + last * 178) & 1023) >> 2;
}

static inline uint64_t field_load8(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/*
 * Or-ing 0x20 makes letters lower case and leaves '-' and digits alone. It changes other bytes too,
 * but no token byte that is not a letter becomes a letter, digit or '-', and known names have no
 * others.
 */
static inline bool field_name_equal(const char *name, const char *lower, size_t len)
{
    const uint64_t bit = 0x2020202020202020u;

    if (len < 8) {
        for (size_t i = 0; i < len; i++) {
            if ((name[i] | 0x20) != lower[i]) {
                return false;
            }
        }
        return true;
    }
    for (size_t at = 0; at + 8 < len; at += 8) {
        if ((field_load8(name + at) | bit) != field_load8(lower + at)) {
            return false;
        }
    }
    return (field_load8(name + len - 8) | bit) == field_load8(lower + len - 8);
}

enum http_field_id http_field_id_of(struct span name)
{
    if (name.len == 0) {
        return HTTP_FIELD_OTHER;
    }
    unsigned id = field_slots[field_hash(name.ptr, name.len)];
    if (field_names[id].usual.len != name.len ||
        !field_name_equal(name.ptr, field_names[id].lower, name.len)) {
        return HTTP_FIELD_OTHER;
    }
    return (enum http_field_id)id;
}

struct span http_field_name(enum http_field_id id)
{
    CHECK(id < HTTP_FIELD_COUNT);
    return field_names[id].usual;
}
