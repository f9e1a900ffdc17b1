#ifndef HTTP_CACHE_STATUS_H
#define HTTP_CACHE_STATUS_H
/*
 * cache_status - the Cache-Status (RFC 9211) and Proxy-Status (RFC 9209) values we send, and the
 * stable reason codes shared by logs, metrics and Cache-Status detail.
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum http_reason {
    HTTP_REASON_NONE = 0,
    /* hit */
    HTTP_REASON_FRESH,
    HTTP_REASON_STALE_WHILE_REVALIDATE,
    HTTP_REASON_STALE_IF_ERROR,
    HTTP_REASON_REVALIDATED,
    HTTP_REASON_COLLAPSED,
    /* miss */
    HTTP_REASON_ABSENT,
    HTTP_REASON_EXPIRED,
    HTTP_REASON_VARY,
    HTTP_REASON_EVICTED,
    HTTP_REASON_PURGED_SOFT,
    HTTP_REASON_PURGED_HARD,
    HTTP_REASON_REPLACED,
    HTTP_REASON_RANGE_ABSENT,
    HTTP_REASON_CORRUPT,
    /* pass */
    HTTP_REASON_RULE,
    HTTP_REASON_METHOD,
    HTTP_REASON_AUTHORIZATION,
    HTTP_REASON_COOKIE,
    HTTP_REASON_REQUEST_NO_STORE,
    HTTP_REASON_HIT_FOR_PASS, /* not storable so far, and this request could not show otherwise */
    HTTP_REASON_HIT_FOR_MISS, /* not storable so far: asked beside the others */
    HTTP_REASON_UPGRADE,
    HTTP_REASON_TUNNEL,
    HTTP_REASON_CLAIM, /* it says of another host or URL than its own, and that is passed on */
    /* not stored */
    HTTP_REASON_NO_STORE,
    HTTP_REASON_PRIVATE,
    HTTP_REASON_SET_COOKIE,
    HTTP_REASON_VARY_STAR,
    HTTP_REASON_STATUS,
    HTTP_REASON_NO_LIFETIME,
    HTTP_REASON_TOO_LARGE,
    HTTP_REASON_INCOMPLETE,
    HTTP_REASON_ORIGIN_ERROR,
    HTTP_REASON_STORE_FULL,
    HTTP_REASON_FRAMING,
    HTTP_REASON_STREAM, /* of events */
    /* the client's own wish */
    HTTP_REASON_REQUEST_NO_CACHE,
    HTTP_REASON_PRECONDITION, /* If-Match, If-Unmodified-Since: only the origin can tell */
    /* refused */
    HTTP_REASON_ADDRESS, /* allow, deny */
    HTTP_REASON_LIMIT_REQUESTS,
    HTTP_REASON_LIMIT_CONCURRENT,
    HTTP_REASON_MAINTENANCE,
    HTTP_REASON_PATH, /* normalize_path */
    /* denied by a forward proxy */
    HTTP_REASON_ACCESS_RULE,    /* by a rule of its acl */
    HTTP_REASON_ACCESS_END,     /* none holds */
    HTTP_REASON_ACCESS_PRIVATE, /* the rule that would hold is for public addresses */
    HTTP_REASON_ACCESS_PORT,    /* ... for usual ports */
    HTTP_REASON_ACCESS_SELF,    /* ... not for larder itself */
    HTTP_REASON_CHALLENGE,      /* not denied: a forward proxy's 407 to who sent no password */
    HTTP_REASON_LOGIN_FAILED,   /* 407: the name or the password was wrong */
    HTTP_REASON_LOGIN_LIMIT,    /* too many wrong ones before */
    HTTP_REASON_LOGIN_BUSY,     /* too many are being looked at */
    /* no origin was asked */
    HTTP_REASON_ORIGIN_DOWN, /* none may be */
    HTTP_REASON_QUEUE_FULL,
    HTTP_REASON_QUEUE_TIMEOUT,
    /* refused, or cut, by a forward proxy */
    HTTP_REASON_LIMIT_CONNECTIONS,
    HTTP_REASON_QUOTA,
    HTTP_REASON_COUNT,
};

/* "stale_while_revalidate" ...; "" for HTTP_REASON_NONE. Static. */
const char *http_reason_name(enum http_reason reason);

enum http_forward {
    HTTP_FORWARD_NONE = 0, /* a hit */
    HTTP_FORWARD_BYPASS,
    HTTP_FORWARD_METHOD,
    HTTP_FORWARD_URI_MISS,
    HTTP_FORWARD_VARY_MISS,
    HTTP_FORWARD_MISS,
    HTTP_FORWARD_REQUEST,
    HTTP_FORWARD_STALE,
    HTTP_FORWARD_PARTIAL,
};

struct http_cache_status {
    struct span cache;         /* our name: a token */
    enum http_forward forward; /* NONE: "hit" */
    unsigned forward_status;   /* of the origin; 0: not said */
    bool has_ttl;
    bool stored;
    bool collapsed;
    int64_t ttl_s;
    enum http_reason detail; /* NONE: not said */
};

/* Always enough for a name of up to 64 bytes. */
#define HTTP_CACHE_STATUS_BYTES 256

/* Writes the field value ("larder; hit; ttl=243"), no NUL. Returns its length; 0 when size is too
 * small. */
size_t http_cache_status_write(char *out, size_t size, const struct http_cache_status *status);

/* RFC 9209 section 2.3. */
enum http_proxy_error {
    HTTP_PROXY_DNS_TIMEOUT,
    HTTP_PROXY_DNS_ERROR,
    HTTP_PROXY_DESTINATION_NOT_FOUND,
    HTTP_PROXY_DESTINATION_UNAVAILABLE,
    HTTP_PROXY_DESTINATION_IP_PROHIBITED,
    HTTP_PROXY_DESTINATION_IP_UNROUTABLE,
    HTTP_PROXY_CONNECTION_REFUSED,
    HTTP_PROXY_CONNECTION_TERMINATED,
    HTTP_PROXY_CONNECTION_TIMEOUT,
    HTTP_PROXY_CONNECTION_READ_TIMEOUT,
    HTTP_PROXY_CONNECTION_WRITE_TIMEOUT,
    HTTP_PROXY_CONNECTION_LIMIT_REACHED,
    HTTP_PROXY_TLS_PROTOCOL_ERROR,
    HTTP_PROXY_TLS_CERTIFICATE_ERROR,
    HTTP_PROXY_HTTP_REQUEST_ERROR,
    HTTP_PROXY_HTTP_REQUEST_DENIED,
    HTTP_PROXY_HTTP_RESPONSE_INCOMPLETE,
    HTTP_PROXY_HTTP_RESPONSE_HEADER_SECTION_SIZE,
    HTTP_PROXY_HTTP_RESPONSE_TRANSFER_CODING,
    HTTP_PROXY_HTTP_RESPONSE_TIMEOUT,
    HTTP_PROXY_HTTP_UPGRADE_FAILED,
    HTTP_PROXY_HTTP_PROTOCOL_ERROR,
    HTTP_PROXY_INTERNAL_ERROR,
    HTTP_PROXY_INTERNAL_RESPONSE,
    HTTP_PROXY_CONFIGURATION_ERROR,
    HTTP_PROXY_LOOP_DETECTED,
    HTTP_PROXY_ERROR_COUNT,
};

/* "connection_timeout" ... Static. */
const char *http_proxy_error_name(enum http_proxy_error error);
/* The status RFC 9209 recommends to send with it (502, 503, 504 ...). */
unsigned http_proxy_error_status(enum http_proxy_error error);
/* Writes "larder; error=connection_timeout", no NUL. Returns its length; 0 when it does not fit. */
size_t http_proxy_status_write(char *out, size_t size, struct span proxy,
                               enum http_proxy_error error);
#endif
