/* cache_status - written by hand, because every response passes here. */
#include "http/cache_status.h"

#include "base/check.h"

static const char *const reason_names[HTTP_REASON_COUNT] = {
    [HTTP_REASON_NONE] = "",
    [HTTP_REASON_FRESH] = "fresh",
    [HTTP_REASON_STALE_WHILE_REVALIDATE] = "stale_while_revalidate",
    [HTTP_REASON_STALE_IF_ERROR] = "stale_if_error",
    [HTTP_REASON_REVALIDATED] = "revalidated",
    [HTTP_REASON_COLLAPSED] = "collapsed",
    [HTTP_REASON_ABSENT] = "absent",
    [HTTP_REASON_EXPIRED] = "expired",
    [HTTP_REASON_VARY] = "vary",
    [HTTP_REASON_EVICTED] = "evicted",
    [HTTP_REASON_PURGED_SOFT] = "purged_soft",
    [HTTP_REASON_PURGED_HARD] = "purged_hard",
    [HTTP_REASON_REPLACED] = "replaced",
    [HTTP_REASON_RANGE_ABSENT] = "range_absent",
    [HTTP_REASON_CORRUPT] = "corrupt",
    [HTTP_REASON_RULE] = "rule",
    [HTTP_REASON_METHOD] = "method",
    [HTTP_REASON_AUTHORIZATION] = "authorization",
    [HTTP_REASON_COOKIE] = "cookie",
    [HTTP_REASON_REQUEST_NO_STORE] = "request_no_store",
    [HTTP_REASON_HIT_FOR_PASS] = "hit_for_pass",
    [HTTP_REASON_HIT_FOR_MISS] = "hit_for_miss",
    [HTTP_REASON_UPGRADE] = "upgrade",
    [HTTP_REASON_TUNNEL] = "tunnel",
    [HTTP_REASON_CLAIM] = "claim",
    [HTTP_REASON_NO_STORE] = "no_store",
    [HTTP_REASON_PRIVATE] = "private",
    [HTTP_REASON_SET_COOKIE] = "set_cookie",
    [HTTP_REASON_VARY_STAR] = "vary_star",
    [HTTP_REASON_STATUS] = "status",
    [HTTP_REASON_NO_LIFETIME] = "no_lifetime",
    [HTTP_REASON_TOO_LARGE] = "too_large",
    [HTTP_REASON_INCOMPLETE] = "incomplete",
    [HTTP_REASON_ORIGIN_ERROR] = "origin_error",
    [HTTP_REASON_STORE_FULL] = "store_full",
    [HTTP_REASON_FRAMING] = "framing",
    [HTTP_REASON_STREAM] = "stream",
    [HTTP_REASON_REQUEST_NO_CACHE] = "request_no_cache",
    [HTTP_REASON_PRECONDITION] = "precondition",
    [HTTP_REASON_ADDRESS] = "address",
    [HTTP_REASON_LIMIT_REQUESTS] = "limit_requests",
    [HTTP_REASON_LIMIT_CONCURRENT] = "limit_concurrent",
    [HTTP_REASON_MAINTENANCE] = "maintenance",
    [HTTP_REASON_PATH] = "path",
    [HTTP_REASON_ACCESS_RULE] = "access_rule",
    [HTTP_REASON_ACCESS_END] = "access_end",
    [HTTP_REASON_ACCESS_PRIVATE] = "access_private",
    [HTTP_REASON_ACCESS_PORT] = "access_port",
    [HTTP_REASON_ACCESS_SELF] = "access_self",
    [HTTP_REASON_CHALLENGE] = "challenge",
    [HTTP_REASON_LOGIN_FAILED] = "login_failed",
    [HTTP_REASON_LOGIN_LIMIT] = "login_limit",
    [HTTP_REASON_LOGIN_BUSY] = "login_busy",
    [HTTP_REASON_ORIGIN_DOWN] = "origin_down",
    [HTTP_REASON_QUEUE_FULL] = "queue_full",
    [HTTP_REASON_QUEUE_TIMEOUT] = "queue_timeout",
    [HTTP_REASON_LIMIT_CONNECTIONS] = "limit_connections",
    [HTTP_REASON_QUOTA] = "quota",
};

const char *http_reason_name(enum http_reason reason)
{
    CHECK(reason < HTTP_REASON_COUNT);
    return reason_names[reason];
}

struct status_text {
    char *out;
    size_t size;
    size_t len;
    bool failed;
};

static void status_start(struct status_text *text, char *out, size_t size)
{
    text->out = out;
    text->size = size;
    text->len = 0;
    text->failed = false;
}

static void status_put(struct status_text *text, struct span data)
{
    if (text->failed || text->size - text->len < data.len) {
        text->failed = true;
        return;
    }
    memcpy(text->out + text->len, data.ptr, data.len);
    text->len += data.len;
}

static void status_put_number(struct status_text *text, int64_t value)
{
    char room[SPAN_U64_BYTES];

    if (value < 0) {
        status_put(text, SPAN("-"));
    }
    status_put(text, span_from_u64(room, value < 0 ? 0 - (uint64_t)value : (uint64_t)value));
}

static struct span status_forward_name(enum http_forward forward)
{
    switch (forward) {
    case HTTP_FORWARD_NONE:
        return SPAN("; hit");
    case HTTP_FORWARD_BYPASS:
        return SPAN("; fwd=bypass");
    case HTTP_FORWARD_METHOD:
        return SPAN("; fwd=method");
    case HTTP_FORWARD_URI_MISS:
        return SPAN("; fwd=uri-miss");
    case HTTP_FORWARD_VARY_MISS:
        return SPAN("; fwd=vary-miss");
    case HTTP_FORWARD_MISS:
        return SPAN("; fwd=miss");
    case HTTP_FORWARD_REQUEST:
        return SPAN("; fwd=request");
    case HTTP_FORWARD_STALE:
        return SPAN("; fwd=stale");
    case HTTP_FORWARD_PARTIAL:
        return SPAN("; fwd=partial");
    }
    return SPAN("; fwd=miss");
}

size_t http_cache_status_write(char *out, size_t size, const struct http_cache_status *status)
{
    struct status_text text;

    status_start(&text, out, size);
    status_put(&text, status->cache);
    status_put(&text, status_forward_name(status->forward));
    if (status->forward_status != 0) {
        status_put(&text, SPAN("; fwd-status="));
        status_put_number(&text, (int64_t)status->forward_status);
    }
    if (status->stored) {
        status_put(&text, SPAN("; stored"));
    }
    if (status->collapsed) {
        status_put(&text, SPAN("; collapsed"));
    }
    if (status->has_ttl) {
        status_put(&text, SPAN("; ttl="));
        status_put_number(&text, status->ttl_s);
    }
    if (status->detail != HTTP_REASON_NONE) {
        status_put(&text, SPAN("; detail="));
        status_put(&text, span_str(http_reason_name(status->detail)));
    }
    return text.failed ? 0 : text.len;
}

struct proxy_error_row {
    const char *name;
    unsigned status;
};

static const struct proxy_error_row proxy_errors[HTTP_PROXY_ERROR_COUNT] = {
    [HTTP_PROXY_DNS_TIMEOUT] = {"dns_timeout", 504},
    [HTTP_PROXY_DNS_ERROR] = {"dns_error", 502},
    [HTTP_PROXY_DESTINATION_NOT_FOUND] = {"destination_not_found", 500},
    [HTTP_PROXY_DESTINATION_UNAVAILABLE] = {"destination_unavailable", 503},
    [HTTP_PROXY_DESTINATION_IP_PROHIBITED] = {"destination_ip_prohibited", 502},
    [HTTP_PROXY_DESTINATION_IP_UNROUTABLE] = {"destination_ip_unroutable", 502},
    [HTTP_PROXY_CONNECTION_REFUSED] = {"connection_refused", 502},
    [HTTP_PROXY_CONNECTION_TERMINATED] = {"connection_terminated", 502},
    [HTTP_PROXY_CONNECTION_TIMEOUT] = {"connection_timeout", 504},
    [HTTP_PROXY_CONNECTION_READ_TIMEOUT] = {"connection_read_timeout", 504},
    [HTTP_PROXY_CONNECTION_WRITE_TIMEOUT] = {"connection_write_timeout", 504},
    [HTTP_PROXY_CONNECTION_LIMIT_REACHED] = {"connection_limit_reached", 503},
    [HTTP_PROXY_TLS_PROTOCOL_ERROR] = {"tls_protocol_error", 502},
    [HTTP_PROXY_TLS_CERTIFICATE_ERROR] = {"tls_certificate_error", 502},
    [HTTP_PROXY_HTTP_REQUEST_ERROR] = {"http_request_error", 400},
    [HTTP_PROXY_HTTP_REQUEST_DENIED] = {"http_request_denied", 403},
    [HTTP_PROXY_HTTP_RESPONSE_INCOMPLETE] = {"http_response_incomplete", 502},
    [HTTP_PROXY_HTTP_RESPONSE_HEADER_SECTION_SIZE] = {"http_response_header_section_size", 502},
    [HTTP_PROXY_HTTP_RESPONSE_TRANSFER_CODING] = {"http_response_transfer_coding", 502},
    [HTTP_PROXY_HTTP_RESPONSE_TIMEOUT] = {"http_response_timeout", 504},
    [HTTP_PROXY_HTTP_UPGRADE_FAILED] = {"http_upgrade_failed", 502},
    [HTTP_PROXY_HTTP_PROTOCOL_ERROR] = {"http_protocol_error", 502},
    [HTTP_PROXY_INTERNAL_ERROR] = {"proxy_internal_error", 500},
    [HTTP_PROXY_INTERNAL_RESPONSE] = {"proxy_internal_response", 500},
    [HTTP_PROXY_CONFIGURATION_ERROR] = {"proxy_configuration_error", 500},
    [HTTP_PROXY_LOOP_DETECTED] = {"proxy_loop_detected", 508},
};

const char *http_proxy_error_name(enum http_proxy_error error)
{
    CHECK(error < HTTP_PROXY_ERROR_COUNT);
    return proxy_errors[error].name;
}

unsigned http_proxy_error_status(enum http_proxy_error error)
{
    CHECK(error < HTTP_PROXY_ERROR_COUNT);
    return proxy_errors[error].status;
}

size_t http_proxy_status_write(char *out, size_t size, struct span proxy,
                               enum http_proxy_error error)
{
    struct status_text text;

    status_start(&text, out, size);
    status_put(&text, proxy);
    status_put(&text, SPAN("; error="));
    status_put(&text, span_str(http_proxy_error_name(error)));
    return text.failed ? 0 : text.len;
}
