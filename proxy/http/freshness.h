#ifndef HTTP_FRESHNESS_H
#define HTTP_FRESHNESS_H
/*
 * freshness - may a response be stored, how long does it live, may it be used now (RFC 9111 3, 4.2;
 * RFC 5861). Plain facts in, verdict out; the clock is an argument.
 *
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "http/directives.h"
#include "http/request.h"
#include "http/response.h"
#include "http/targeted.h"

enum http_stored_flag {
    HTTP_STORED_MUST_REVALIDATE = 1u << 0, /* must-, proxy-revalidate or s-maxage: never stale */
    HTTP_STORED_NO_CACHE = 1u << 1,        /* validate before every use */
    HTTP_STORED_HAS_ETAG = 1u << 2,
    HTTP_STORED_HAS_LAST_MODIFIED = 1u << 3,
    HTTP_STORED_NO_CACHE_FIELDS = 1u
                                  << 4, /* no-cache="...": hits leave those fields out (head.h) */
    HTTP_STORED_PURGED = 1u << 5,       /* soft purge made it stale */
    HTTP_STORED_IMMUTABLE = 1u << 6,
    HTTP_STORED_VARIES = 1u << 7,
    HTTP_STORED_NO_DATE = 1u << 8,   /* the origin sent no valid Date; date_s is the receipt */
    HTTP_STORED_NO_LENGTH = 1u << 9, /* no Content-Length in the head: whoever serves it adds one */
    /* A large representation of which parts are stored, each by itself (fill/part.h): this one
     * has the head of the 200 and no body. */
    HTTP_STORED_PARTS = 1u << 10,
    HTTP_STORED_PARTS_SOLE = 1u << 11, /* no strong validator: no second part may join the first */
    HTTP_STORED_COMPRESSIBLE = 1u << 12, /* may be sent encoded (coding.h) to who accepts it */
};

/* Where lifetime_s came from. */
enum http_lifetime_source {
    HTTP_LIFETIME_NONE = 0,
    HTTP_LIFETIME_TARGETED, /* max-age or s-maxage of a targeted field */
    HTTP_LIFETIME_S_MAXAGE,
    HTTP_LIFETIME_MAX_AGE,
    HTTP_LIFETIME_EXPIRES,
    HTTP_LIFETIME_DEFAULT, /* the operator's default_ttl */
    HTTP_LIFETIME_HEURISTIC,
    HTTP_LIFETIME_RULE, /* the operator's ttl */
};

/* The facts of a stored response that decide its use. Fixed layout: goes to disk by memcpy, so a
 * change of meaning needs a new record version in the store. */
struct http_stored {
    int64_t response_time_ms; /* wall clock when the head arrived */
    int64_t date_s;           /* the response's Date, or the receipt */
    int64_t last_modified_s;  /* HTTP_DATE_NONE when absent or invalid */
    uint32_t initial_age_s;   /* corrected_initial_age (4.2.3) at response_time_ms */
    uint32_t lifetime_s;
    uint32_t stale_while_revalidate_s;
    uint32_t stale_if_error_s;
    uint16_t status;
    uint16_t flags;   /* enum http_stored_flag */
    uint8_t source;   /* enum http_lifetime_source */
    uint8_t spare[3]; /* zero */
    /* Of this representation's bytes: random, the same after each 304. What is derived from them
     * (parts, encodings) is stored under it. 0: stored before there were such. */
    uint64_t generation;
};
_Static_assert(sizeof(struct http_stored) == 56, "http_stored goes to disk as it is");

enum http_set_cookie {
    HTTP_SET_COOKIE_PASS = 0, /* store such a response only with public or s-maxage */
    HTTP_SET_COOKIE_STRIP,    /* store without the field */
    HTTP_SET_COOKIE_STORE,    /* as the RFC allows */
};

/* What the operator says; all zero is a sane cache without defaults. */
struct http_freshness_options {
    uint32_t default_ttl_s;   /* for heuristically cacheable statuses without a lifetime; 0: none */
    uint32_t min_ttl_s;       /* raises a lifetime that is above 0, never no-store or 0; 0: off */
    uint32_t max_ttl_s;       /* caps any lifetime; 0: off */
    uint32_t heuristic_max_s; /* caps the 10 % rule; 0: no heuristic */
    uint32_t stale_while_revalidate_s; /* when the response does not say; 0: none */
    uint32_t stale_if_error_s;         /* when the response does not say; 0: none */
    uint64_t max_object_bytes;         /* 0: off; compared with a known Content-Length */
    enum http_set_cookie set_cookie;
    bool has_ttl;   /* it lives ttl_s from the receipt on, whatever the response says of that */
    uint32_t ttl_s; /* not bounded by min_ttl_s and max_ttl_s */
    struct http_targeted targeted; /* names borrowed */
};

/* What may_store must know about the request. */
struct http_store_request {
    enum http_method method;
    bool has_authorization;
    bool has_content; /* a body came with it: never fills an entry */
    bool no_store;    /* Cache-Control: no-store */
};

enum http_store_verdict {
    HTTP_STORE_OK = 0,
    HTTP_STORE_NO_STORE,
    HTTP_STORE_PRIVATE,
    HTTP_STORE_SET_COOKIE,
    HTTP_STORE_VARY_STAR,
    HTTP_STORE_STATUS,
    HTTP_STORE_NO_LIFETIME,
    HTTP_STORE_TOO_LARGE,
    HTTP_STORE_METHOD,
    HTTP_STORE_AUTHORIZATION,
    HTTP_STORE_REQUEST_NO_STORE,
    HTTP_STORE_FRAMING, /* ambiguous length: http_response.unstorable */
    HTTP_STORE_STREAM,  /* of events, without an end: nobody may be made to wait for it */
};

/* Fills the facts from a parsed request. */
void http_store_request_of(struct http_store_request *out, const struct http_request *request);

/* RFC 9111 section 3. now_s: the time of receipt. */
enum http_store_verdict http_may_store(const struct http_store_request *request,
                                       const struct http_response *response, int64_t now_s,
                                       const struct http_freshness_options *options);
/* "ok", "no_store", "private" ...: the stable names of logs and metrics. Static. */
const char *http_store_verdict_name(enum http_store_verdict verdict);

/* Computes the facts once, when the head has arrived; generation is the caller's to set. Times are
 * wall clock, Unix milliseconds. */
void http_stored_init(struct http_stored *stored, const struct http_response *response,
                      int64_t request_time_ms, int64_t response_time_ms,
                      const struct http_freshness_options *options);
/* The same after a 304: merged is the head with its fields merged in (condition.h), not_modified
 * the 304 itself, whose Date and Age count. times_ms: when we asked, when the 304 came. */
void http_stored_refresh(struct http_stored *stored, const struct http_response *merged,
                         const struct http_response *not_modified, const int64_t times_ms[2],
                         const struct http_freshness_options *options);
/* Soft purge: stale from now on; the stale-while-revalidate window starts now. */
void http_stored_make_stale(struct http_stored *stored, int64_t now_ms);

/* RFC 9111 4.2.3, saturating, 0 or more. */
uint32_t http_current_age_s(const struct http_stored *stored, int64_t now_ms);
/* Lifetime minus age; negative when stale. */
int64_t http_ttl_s(const struct http_stored *stored, int64_t now_ms);

enum http_judgement {
    HTTP_FRESH,       /* send it (fresh, or stale within the client's own max-stale) */
    HTTP_STALE_SERVE, /* send it, and refresh it in the background (RFC 5861 section 3) */
    HTTP_VALIDATE,    /* ask the origin first */
};

/* May it be used for this request, now? directives: the request's, NULL for none (or when clients
 * may not force validation). only-if-cached is the caller's: on HTTP_VALIDATE answer 504. */
enum http_judgement http_judge(const struct http_stored *stored,
                               const struct http_directives *directives, int64_t now_ms);
/* Can no request use it without validation, however young it is? Then to wait for somebody else's
 * validation is of no use (RFC 9111 4, on collapsed requests). */
static inline bool http_is_always_validated(const struct http_stored *stored)
{
    return (stored->flags & HTTP_STORED_NO_CACHE) != 0 ||
           (stored->lifetime_s == 0 && stored->stale_while_revalidate_s == 0);
}
/* The origin answered 500, 502, 503 or 504, or failed: may the stale response be sent instead,
 * within its stale-if-error window, or the longer one of the request (RFC 5861 section 4)? */
bool http_may_serve_stale_on_error(const struct http_stored *stored,
                                   const struct http_directives *directives, int64_t now_ms);

/* The origin cannot be reached (refused, timed out, disconnected): RFC 9111 4.2.4 then allows stale
 * responses without a window, unless the response or the client forbids it. */
bool http_may_serve_stale_unreachable(const struct http_stored *stored,
                                      const struct http_directives *directives);

/* A successful answer to an unsafe method invalidates the target (RFC 9111 4.4). */
bool http_invalidates(enum http_method method, unsigned status);
#endif
