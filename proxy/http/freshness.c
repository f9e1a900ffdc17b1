/*
 * freshness - storing (RFC 9111 3), lifetime (4.2.1), heuristic (4.2.2), age (4.2.3), and the use
 * of what is stored. All sums are in 64 bits and saturate; a clock that jumps back makes ages
 * smaller, never negative.
 */
#include "http/freshness.h"

#include "http/date.h"
#include "http/status.h"
#include "http/vary.h"

struct lifetime {
    uint32_t seconds;
    enum http_lifetime_source source;
};

static uint32_t freshness_saturate(int64_t seconds)
{
    if (seconds < 0) {
        return 0;
    }
    return seconds > HTTP_AGE_MAX_S ? HTTP_AGE_MAX_S : (uint32_t)seconds;
}

void http_store_request_of(struct http_store_request *out, const struct http_request *request)
{
    struct http_directives directives;

    http_directives_of(&directives, &request->fields);
    *out = (struct http_store_request){
        .method = request->method,
        .has_authorization = http_fields_has(&request->fields, HTTP_FIELD_AUTHORIZATION),
        .has_content = request->body != HTTP_BODY_NONE,
        .no_store = http_directives_has(&directives, HTTP_CC_NO_STORE),
    };
}

/* The response's own Date, or the receipt. */
static int64_t freshness_date(const struct http_fields *fields, int64_t receipt_s, bool *own)
{
    int64_t date_s = http_date_parse(http_fields_find(fields, HTTP_FIELD_DATE), receipt_s);

    *own = date_s != HTTP_DATE_NONE;
    return *own ? date_s : receipt_s;
}

/* 10 % of the time since the last change, for those statuses that allow guessing. */
static uint32_t freshness_heuristic(const struct http_fields *fields, int64_t date_s,
                                    uint32_t cap_s)
{
    int64_t modified_s =
        http_date_parse(http_fields_find(fields, HTTP_FIELD_LAST_MODIFIED), date_s);

    if (modified_s == HTTP_DATE_NONE || modified_s >= date_s) {
        return 0;
    }
    uint32_t tenth_s = freshness_saturate((date_s - modified_s) / 10);
    return tenth_s < cap_s ? tenth_s : cap_s;
}

/* What the response says to us. */
struct freshness_policy {
    struct http_directives directives;
    bool is_targeted; /* by a field for us alone: Expires does not count (RFC 9213 2.2) */
};

static void freshness_policy_of(struct freshness_policy *policy, const struct http_fields *fields,
                                const struct http_freshness_options *options)
{
    policy->is_targeted =
        http_directives_of_response(&policy->directives, fields, &options->targeted);
}

static struct lifetime freshness_own_lifetime(const struct http_response *response,
                                              const struct freshness_policy *policy, int64_t date_s,
                                              const struct http_freshness_options *options)
{
    const struct http_fields *fields = &response->fields;
    const struct http_directives *directives = &policy->directives;

    if (http_directives_has(directives, HTTP_CC_S_MAXAGE)) {
        return (struct lifetime){directives->s_maxage_s, policy->is_targeted
                                                             ? HTTP_LIFETIME_TARGETED
                                                             : HTTP_LIFETIME_S_MAXAGE};
    }
    if (http_directives_has(directives, HTTP_CC_MAX_AGE)) {
        return (struct lifetime){directives->max_age_s, policy->is_targeted
                                                            ? HTTP_LIFETIME_TARGETED
                                                            : HTTP_LIFETIME_MAX_AGE};
    }
    if (http_fields_has(fields, HTTP_FIELD_EXPIRES) && !policy->is_targeted) {
        int64_t expires_s = http_date_parse(http_fields_find(fields, HTTP_FIELD_EXPIRES), date_s);
        uint32_t left_s = expires_s == HTTP_DATE_NONE ? 0 : freshness_saturate(expires_s - date_s);
        return (struct lifetime){left_s, HTTP_LIFETIME_EXPIRES};
    }
    if (!http_status_is_heuristic(response->status) &&
        !http_directives_has(directives, HTTP_CC_PUBLIC)) {
        return (struct lifetime){0, HTTP_LIFETIME_NONE};
    }
    if (options->default_ttl_s > 0) {
        return (struct lifetime){freshness_saturate(options->default_ttl_s), HTTP_LIFETIME_DEFAULT};
    }
    uint32_t guess_s = freshness_heuristic(fields, date_s, options->heuristic_max_s);
    return (struct lifetime){guess_s, guess_s > 0 ? HTTP_LIFETIME_HEURISTIC : HTTP_LIFETIME_NONE};
}

/* With the operator's bounds. */
static struct lifetime freshness_lifetime(const struct http_response *response,
                                          const struct freshness_policy *policy, int64_t date_s,
                                          const struct http_freshness_options *options)
{
    if (options->has_ttl) {
        return (struct lifetime){freshness_saturate(options->ttl_s), HTTP_LIFETIME_RULE};
    }
    struct lifetime result = freshness_own_lifetime(response, policy, date_s, options);

    if (result.seconds > 0 && result.seconds < options->min_ttl_s) {
        result.seconds = freshness_saturate(options->min_ttl_s);
    }
    if (options->max_ttl_s > 0 && result.seconds > options->max_ttl_s) {
        result.seconds = freshness_saturate(options->max_ttl_s);
    }
    return result;
}

/* Verdicts that follow from the request and the directives alone. */
static enum http_store_verdict freshness_may_store_directives(
    const struct http_store_request *request, const struct http_response *response,
    const struct http_directives *directives, const struct http_freshness_options *options)
{
    if (http_directives_has(directives, HTTP_CC_MUST_UNDERSTAND)) {
        if (!http_status_is_understood(response->status)) {
            return HTTP_STORE_STATUS;
        }
    } else if (http_directives_has(directives, HTTP_CC_NO_STORE)) {
        return HTTP_STORE_NO_STORE;
    }
    if (http_directives_has(directives, HTTP_CC_PRIVATE)) {
        return HTTP_STORE_PRIVATE;
    }
    if (request->has_authorization &&
        !http_directives_has(directives,
                             HTTP_CC_PUBLIC | HTTP_CC_MUST_REVALIDATE | HTTP_CC_S_MAXAGE)) {
        return HTTP_STORE_AUTHORIZATION;
    }
    if (http_fields_has(&response->fields, HTTP_FIELD_SET_COOKIE) &&
        options->set_cookie == HTTP_SET_COOKIE_PASS &&
        !http_directives_has(directives, HTTP_CC_PUBLIC | HTTP_CC_S_MAXAGE)) {
        return HTTP_STORE_SET_COOKIE;
    }
    return HTTP_STORE_OK;
}

/* Never fresh, and yet of use: the response itself says for how long it may be sent stale (RFC
 * 5861). */
static bool freshness_has_grace(const struct lifetime *lifetime,
                                const struct http_directives *directives)
{
    return lifetime->source != HTTP_LIFETIME_NONE && lifetime->source != HTTP_LIFETIME_RULE &&
           !http_directives_has(directives, HTTP_CC_MUST_REVALIDATE | HTTP_CC_PROXY_REVALIDATE |
                                                HTTP_CC_S_MAXAGE | HTTP_CC_NO_CACHE) &&
           (directives->stale_while_revalidate_s > 0 || directives->stale_if_error_s > 0);
}

/* Media types whose body goes on for as long as somebody listens, and means now, not then. */
static bool freshness_is_stream(const struct http_fields *fields)
{
    struct span type = http_without_parameters(http_fields_find(fields, HTTP_FIELD_CONTENT_TYPE));

    return span_eq_nocase(type, SPAN("text/event-stream")) ||
           span_eq_nocase(type, SPAN("multipart/x-mixed-replace"));
}

enum http_store_verdict http_may_store(const struct http_store_request *request,
                                       const struct http_response *response, int64_t now_s,
                                       const struct http_freshness_options *options)
{
    struct freshness_policy policy;
    bool own_date;

    if (request->method != HTTP_GET || request->has_content) {
        return HTTP_STORE_METHOD;
    }
    if (response->unstorable) {
        return HTTP_STORE_FRAMING;
    }
    if (response->status < 200 || response->status == 206 || response->status == 304) {
        return HTTP_STORE_STATUS;
    }
    if (request->no_store) {
        return HTTP_STORE_REQUEST_NO_STORE;
    }
    freshness_policy_of(&policy, &response->fields, options);
    enum http_store_verdict verdict =
        freshness_may_store_directives(request, response, &policy.directives, options);
    if (verdict != HTTP_STORE_OK) {
        return verdict;
    }
    if (http_vary_is_star(&response->fields)) {
        return HTTP_STORE_VARY_STAR;
    }
    if (!response->has_content_length && freshness_is_stream(&response->fields)) {
        return HTTP_STORE_STREAM;
    }
    int64_t date_s = freshness_date(&response->fields, now_s, &own_date);
    struct lifetime lifetime = freshness_lifetime(response, &policy, date_s, options);
    if (lifetime.source == HTTP_LIFETIME_NONE && !http_status_is_heuristic(response->status) &&
        !http_directives_has(&policy.directives, HTTP_CC_PUBLIC)) {
        return HTTP_STORE_STATUS;
    }
    if (lifetime.seconds == 0 && http_fields_find(&response->fields, HTTP_FIELD_ETAG).len == 0 &&
        http_fields_find(&response->fields, HTTP_FIELD_LAST_MODIFIED).len == 0 &&
        !freshness_has_grace(&lifetime, &policy.directives)) {
        return HTTP_STORE_NO_LIFETIME;
    }
    if (options->max_object_bytes > 0 && response->has_content_length &&
        response->content_length > options->max_object_bytes) {
        return HTTP_STORE_TOO_LARGE;
    }
    return HTTP_STORE_OK;
}

const char *http_store_verdict_name(enum http_store_verdict verdict)
{
    switch (verdict) {
    case HTTP_STORE_OK:
        return "ok";
    case HTTP_STORE_NO_STORE:
        return "no_store";
    case HTTP_STORE_PRIVATE:
        return "private";
    case HTTP_STORE_SET_COOKIE:
        return "set_cookie";
    case HTTP_STORE_VARY_STAR:
        return "vary_star";
    case HTTP_STORE_STATUS:
        return "status";
    case HTTP_STORE_NO_LIFETIME:
        return "no_lifetime";
    case HTTP_STORE_TOO_LARGE:
        return "too_large";
    case HTTP_STORE_METHOD:
        return "method";
    case HTTP_STORE_AUTHORIZATION:
        return "authorization";
    case HTTP_STORE_REQUEST_NO_STORE:
        return "request_no_store";
    case HTTP_STORE_FRAMING:
        return "framing";
    case HTTP_STORE_STREAM:
        return "stream";
    }
    return "unknown";
}

/* Age: the first member of the first line, or nothing at all. */
static uint32_t freshness_age_value(const struct http_fields *fields)
{
    struct span value = http_fields_find(fields, HTTP_FIELD_AGE);
    struct span member;
    uint32_t age_s;

    if (!http_list_next(&value, &member) || !http_seconds_parse(member, &age_s)) {
        return 0;
    }
    return age_s;
}

static uint16_t freshness_flags(const struct http_fields *fields,
                                const struct http_directives *directives)
{
    uint16_t flags = 0;

    if (http_directives_has(directives, HTTP_CC_MUST_REVALIDATE | HTTP_CC_PROXY_REVALIDATE |
                                            HTTP_CC_S_MAXAGE)) {
        flags |= HTTP_STORED_MUST_REVALIDATE;
    }
    if (http_directives_has(directives, HTTP_CC_NO_CACHE)) {
        flags |= HTTP_STORED_NO_CACHE;
    }
    if (http_directives_has(directives, HTTP_CC_NO_CACHE_FIELDS)) {
        flags |= HTTP_STORED_NO_CACHE_FIELDS;
    }
    if (http_directives_has(directives, HTTP_CC_IMMUTABLE)) {
        flags |= HTTP_STORED_IMMUTABLE;
    }
    if (http_fields_find(fields, HTTP_FIELD_ETAG).len > 0) {
        flags |= HTTP_STORED_HAS_ETAG;
    }
    if (http_fields_find(fields, HTTP_FIELD_LAST_MODIFIED).len > 0) {
        flags |= HTTP_STORED_HAS_LAST_MODIFIED;
    }
    if (http_fields_has(fields, HTTP_FIELD_VARY)) {
        flags |= HTTP_STORED_VARIES;
    }
    if (!http_fields_has(fields, HTTP_FIELD_CONTENT_LENGTH)) {
        flags |= HTTP_STORED_NO_LENGTH;
    }
    return flags;
}

/* RFC 9111 4.2.3. A Date from the second we asked in, or later, was made for this request: what it lacks
 * until the receipt is the part of a second that a Date leaves out, and corrected_age_value stands
 * alone, as it may. Else max-age=1 would be over at once whenever a second ends in between. */
static uint32_t freshness_initial_age(int64_t age_value_s, int64_t date_s,
                                      const int64_t times_ms[2])
{
    int64_t delay_s = times_ms[1] > times_ms[0] ? (times_ms[1] - times_ms[0]) / 1000 : 0;
    int64_t receipt_s = times_ms[1] / 1000;
    bool is_made_for_us = date_s >= times_ms[0] / 1000;
    int64_t apparent_s = receipt_s > date_s && !is_made_for_us ? receipt_s - date_s : 0;
    int64_t corrected_s = age_value_s + delay_s;

    return freshness_saturate(apparent_s > corrected_s ? apparent_s : corrected_s);
}

/* arrived: the message that carries Age and Date; for a first storing the response itself. */
static void freshness_fill(struct http_stored *stored, const struct http_response *response,
                           const struct http_fields *arrived, const int64_t times_ms[2],
                           const struct http_freshness_options *options)
{
    struct freshness_policy policy;
    const struct http_directives *directives = &policy.directives;
    const struct http_fields *fields = &response->fields;
    int64_t receipt_s = times_ms[1] / 1000;
    bool own_date;

    freshness_policy_of(&policy, fields, options);
    int64_t date_s = freshness_date(arrived, receipt_s, &own_date);
    struct lifetime lifetime = freshness_lifetime(response, &policy, date_s, options);

    *stored = (struct http_stored){
        .response_time_ms = times_ms[1],
        .date_s = date_s,
        .last_modified_s =
            http_date_parse(http_fields_find(fields, HTTP_FIELD_LAST_MODIFIED), receipt_s),
        .initial_age_s =
            freshness_initial_age((int64_t)freshness_age_value(arrived), date_s, times_ms),
        .lifetime_s = lifetime.seconds,
        .stale_while_revalidate_s = http_directives_has(directives, HTTP_CC_STALE_WHILE_REVALIDATE)
                                        ? directives->stale_while_revalidate_s
                                        : options->stale_while_revalidate_s,
        .stale_if_error_s = http_directives_has(directives, HTTP_CC_STALE_IF_ERROR)
                                ? directives->stale_if_error_s
                                : options->stale_if_error_s,
        .status = (uint16_t)response->status,
        .flags = freshness_flags(fields, directives),
        .source = (uint8_t)lifetime.source,
    };
    if (!own_date) {
        stored->flags |= HTTP_STORED_NO_DATE;
    }
    if (lifetime.source == HTTP_LIFETIME_RULE) { /* counts from the receipt */
        stored->lifetime_s =
            freshness_saturate((int64_t)lifetime.seconds + (int64_t)stored->initial_age_s);
    }
}

void http_stored_init(struct http_stored *stored, const struct http_response *response,
                      int64_t request_time_ms, int64_t response_time_ms,
                      const struct http_freshness_options *options)
{
    const int64_t times_ms[2] = {request_time_ms, response_time_ms};

    freshness_fill(stored, response, &response->fields, times_ms, options);
}

void http_stored_refresh(struct http_stored *stored, const struct http_response *merged,
                         const struct http_response *not_modified, const int64_t times_ms[2],
                         const struct http_freshness_options *options)
{
    freshness_fill(stored, merged, &not_modified->fields, times_ms, options);
}

void http_stored_make_stale(struct http_stored *stored, int64_t now_ms)
{
    uint32_t age_s = http_current_age_s(stored, now_ms);

    if (stored->lifetime_s > age_s) {
        stored->lifetime_s = age_s;
    }
    stored->flags |= HTTP_STORED_PURGED;
}

uint32_t http_current_age_s(const struct http_stored *stored, int64_t now_ms)
{
    int64_t resident_s =
        now_ms > stored->response_time_ms ? (now_ms - stored->response_time_ms) / 1000 : 0;

    if (resident_s > HTTP_AGE_MAX_S) {
        resident_s = HTTP_AGE_MAX_S;
    }
    return freshness_saturate((int64_t)stored->initial_age_s + resident_s);
}

int64_t http_ttl_s(const struct http_stored *stored, int64_t now_ms)
{
    return (int64_t)stored->lifetime_s - (int64_t)http_current_age_s(stored, now_ms);
}

/* Does the client refuse what the response itself would allow (RFC 9111 5.2.1)? */
static bool freshness_client_refuses(const struct http_directives *directives, int64_t age_s,
                                     int64_t ttl_s)
{
    if (http_directives_has(directives, HTTP_CC_NO_CACHE)) {
        return true;
    }
    /* A reload says max-age=0 and means it, even within the second in which we stored. */
    if (http_directives_has(directives, HTTP_CC_MAX_AGE) &&
        (directives->max_age_s == 0 || age_s > (int64_t)directives->max_age_s)) {
        return true;
    }
    return http_directives_has(directives, HTTP_CC_MIN_FRESH) &&
           ttl_s < (int64_t)directives->min_fresh_s;
}

enum http_judgement http_judge(const struct http_stored *stored,
                               const struct http_directives *directives, int64_t now_ms)
{
    int64_t age_s = (int64_t)http_current_age_s(stored, now_ms);
    int64_t ttl_s = (int64_t)stored->lifetime_s - age_s;

    if ((stored->flags & HTTP_STORED_NO_CACHE) != 0) {
        return HTTP_VALIDATE;
    }
    if (directives != NULL && directives->flags != 0 &&
        freshness_client_refuses(directives, age_s, ttl_s)) {
        return HTTP_VALIDATE;
    }
    if ((stored->flags & HTTP_STORED_PURGED) != 0 && ttl_s > 0) {
        ttl_s = 0; /* the clock was set back after the purge */
    }
    if (ttl_s > 0) {
        return HTTP_FRESH;
    }
    if ((stored->flags & HTTP_STORED_MUST_REVALIDATE) != 0) {
        return HTTP_VALIDATE;
    }
    if (-ttl_s < (int64_t)stored->stale_while_revalidate_s) {
        return HTTP_STALE_SERVE;
    }
    if (directives != NULL && (stored->flags & HTTP_STORED_PURGED) == 0 &&
        http_directives_has(directives, HTTP_CC_MAX_STALE) &&
        -ttl_s <= (int64_t)directives->max_stale_s) {
        return HTTP_FRESH;
    }
    return HTTP_VALIDATE;
}

bool http_may_serve_stale_unreachable(const struct http_stored *stored,
                                      const struct http_directives *directives)
{
    if ((stored->flags & (HTTP_STORED_NO_CACHE | HTTP_STORED_MUST_REVALIDATE)) != 0) {
        return false;
    }
    return directives == NULL || !http_directives_has(directives, HTTP_CC_NO_CACHE);
}

bool http_may_serve_stale_on_error(const struct http_stored *stored,
                                   const struct http_directives *directives, int64_t now_ms)
{
    uint32_t window_s = stored->stale_if_error_s;

    if (directives != NULL && http_directives_has(directives, HTTP_CC_STALE_IF_ERROR) &&
        directives->stale_if_error_s > window_s) {
        window_s = directives->stale_if_error_s;
    }
    return http_may_serve_stale_unreachable(stored, directives) && window_s > 0 &&
           -http_ttl_s(stored, now_ms) < (int64_t)window_s;
}

bool http_invalidates(enum http_method method, unsigned status)
{
    return !http_method_is_safe(method) && method != HTTP_CONNECT && status >= 200 && status < 400;
}
