/*
 * exchange_account - what is remembered of a finished request: counters always, a record for the
 * log thread when somebody wants it.
 */
#include <stdio.h>

#include "exchange/exchange_connect.h"
#include "exchange/exchange_forward.h"
#include "exchange/exchange_private.h"
#include "exchange/exchange_tunnel.h"
#include "net/listener.h"
#include "record/tally.h"

#define ORIGIN_TEXT_BYTES 192u /* two names and what is between them */

/* What spans of a record point to that lie nowhere else. */
struct record_room {
    char origin[ORIGIN_TEXT_BYTES];
    char client[REDACT_ADDRESS_BYTES];
};

/* "POOL/SERVER", of a site's own pool "SERVER". */
static struct span origin_text(const struct exchange *x, char *room, size_t size)
{
    if (x->origin.pool == NULL) {
        return span_str(x->origin.name);
    }
    (void)snprintf(room, size, "%s/%s", x->origin.pool, x->origin.name);
    return span_str(room);
}

/* ---- of a forward proxy ---- */

static bool is_of_forward(const struct exchange *x)
{
    return x->site != NULL && x->site->forward != NULL;
}

/* The figure of a request that ended at the login; TALLY_FIGURES: it did not. */
static enum tally_figure login_figure(const struct exchange *x)
{
    switch ((enum http_reason)x->reason) {
    case HTTP_REASON_CHALLENGE:
        return TALLY_CHALLENGES;
    case HTTP_REASON_LOGIN_FAILED:
        return TALLY_LOGIN_FAILED;
    case HTTP_REASON_LOGIN_LIMIT:
    case HTTP_REASON_LOGIN_BUSY:
        return TALLY_LOGIN_REFUSED;
    default:
        return TALLY_FIGURES;
    }
}

/* Who decided: a rule, or what stands in for one. Empty: nobody, it is no request for a server, or it
 * was asked for a password first. */
static struct span forward_rule(const struct exchange *x)
{
    const struct exchange_forward *forward = x->forwarding;

    if (x->reason == HTTP_REASON_CHALLENGE) {
        return SPAN("");
    }
    if (login_figure(x) != TALLY_FIGURES) {
        return SPAN("login");
    }
    if (forward != NULL && forward->verdict.answer == ACCESS_DENY) {
        return span_str(forward->verdict.name);
    }
    if (x->result == RESULT_DENIED) { /* reason says which */
        return x->reason == HTTP_REASON_QUOTA ? SPAN("quota") : SPAN("limit");
    }
    return forward == NULL ? SPAN("") : span_str(forward->verdict.name);
}

static struct span forward_why(const struct exchange *x)
{
    const struct access_verdict *verdict = x->forwarding == NULL ? NULL : &x->forwarding->verdict;

    if (x->result != RESULT_DENIED) {
        return SPAN("");
    }
    return verdict != NULL && verdict->answer == ACCESS_DENY ? span_str(verdict->reason)
                                                             : span_str(x->error_text);
}

static void count_forward(struct exchange *x)
{
    struct tally *tally = x->env->tally;
    struct span name = span_str(x->site->forward->name);
    struct span rule = forward_rule(x);

    struct tally_entry *whole = tally_of(tally, name, SPAN(""));
    enum tally_figure login = login_figure(x);

    tally_add(whole, TALLY_REQUESTS, 1);
    if (login != TALLY_FIGURES) {
        tally_add(whole, login, 1);
    }
    if (rule.len > 0) {
        tally_add(tally_of(tally, name, rule),
                  x->result == RESULT_DENIED ? TALLY_DENIED : TALLY_ALLOWED, 1);
    }
}

/* What a record of a site does not have. */
static void tell_forward(const struct exchange *x, struct record *record)
{
    const struct exchange_forward *forward = x->forwarding;
    const struct http_request *request = x->stream->request;

    record->is_forward = true;
    record->scheme = request->method == HTTP_CONNECT ? SPAN("connect")
                     : request->scheme.len == 5      ? SPAN("https")
                                                     : SPAN("http");
    record->user = forward == NULL ? SPAN("") : forward->user;
    record->rule = forward_rule(x);
    record->why = forward_why(x);
}

uint64_t exchange_request_id(struct exchange *x)
{
    if (LIKELY(x->request_id == 0)) {
        x->request_id = x->env->request_id_base + ++x->env->request_ids;
    }
    return x->request_id;
}

/* A server that takes the connection of a tunnel says nothing of its own. */
static bool was_asked(const struct exchange *x)
{
    const struct exchange_connect *connect = x->connecting;

    return (x->origin.status | x->origin.fault) != 0 ||
           (connect != NULL && connect->is_done && connect->fault == DIAL_OK);
}

static struct record record_of(struct exchange *x, uint64_t total_us, uint32_t weight,
                               struct record_room *room)
{
    const struct http_request *request = x->stream->request;
    const struct http_fields *fields = &request->fields;
    bool has_origin = UNLIKELY(x->origin.has_name) && was_asked(x);
    struct record record = {
        .end_us = loop_now_us(x->env->loop),
        .wall_ms = loop_wall_ms(x->env->loop),
        .bytes = x->stream->sent_bytes,
        .received = x->received_bytes,
        .total_us = total_us,
        .first_byte_us = (uint32_t)x->first_byte_us,
        .connect_us = x->origin.connect_us,
        .age_s = x->age_s,
        .ttl_s = (int32_t)x->ttl_s,
        .status = x->status,
        .origin_status = x->origin.status,
        .result = x->result,
        .reason = x->reason,
        .minor_version = request->minor_version,
        .error = x->origin.fault,
        .tries = x->origin.tries,
        .collapsed = x->collapsed,
        .stored = x->origin.stored,
        .aborted = x->aborted,
        .want_log = x->env->access_log,
        .weight = weight,
        .request_id = exchange_request_id(x),
        .client = x->client.text,
        .method = request->method_text,
        .scheme = x->client.is_https ? SPAN("https") : SPAN("http"),
        .host = request->authority,
        .path = request->path,
        .user_agent = http_fields_find(fields, HTTP_FIELD_USER_AGENT),
        .referer = http_fields_find(fields, HTTP_FIELD_REFERER),
        .site = x->site != NULL ? x->site->name : SPAN("-"),
        .origin = has_origin ? origin_text(x, room->origin, ORIGIN_TEXT_BYTES) : span_of(NULL, 0),
    };
    if (UNLIKELY(is_of_forward(x))) {
        tell_forward(x, &record);
    }
    const struct redaction redaction =
        LIKELY(x->site != NULL) ? x->site->redaction : site_table_redaction(x->table);
    if (UNLIKELY(redaction_is_used(&redaction))) {
        redact_record(&redaction, x->client.address, &record, room->client);
    }
    return record;
}

void exchange_count(struct exchange *x)
{
    struct counters *counters = x->env->counters;
    struct site_counters *site = &counters->site[x->site != NULL ? x->site->slot : 0];
    counter_add(&site->requests[x->result], 1);
    counter_add(&site->bytes[x->source], x->stream->sent_bytes);
    counter_add(&site->responses[x->status / 100 <= 5 ? x->status / 100 : 0], 1);
    counter_add(&counters->reasons[x->reason], 1);
    x->env->request_count++;
    if (UNLIKELY(is_of_forward(x))) {
        count_forward(x);
    }
}

/* For how many requests it stands in the top list; 0: it is not for it. */
static uint32_t weight_of(const struct exchange *x)
{
    bool sampled = (x->env->request_count & x->env->sample_mask) == 0;
    return sampled ? x->env->sample_mask + 1 : 0;
}

struct record *exchange_record(struct exchange *x)
{
    struct record_room room;
    struct record record = record_of(x, 0, weight_of(x), &room);
    return record_copy(&record);
}

void exchange_account(struct exchange *x)
{
    struct counters *counters = x->env->counters;
    uint64_t total_us = loop_now_us(x->env->loop) - x->stream->begin_us;
    exchange_count(x);
    if (x->collapsed) {
        counter_add(&counters->collapsed, 1);
    }
    bool on_purpose = x->result == RESULT_DENIED || x->result == RESULT_SYNTHETIC;
    if (x->status >= 500 && !on_purpose) {
        bool is_own = x->result == RESULT_ERROR || x->source == BYTES_SELF;
        counter_add(is_own ? &counters->errors_self : &counters->errors_origin, 1);
    }
    /* A follower and a validation get cached bytes, but at the origin's pace. */
    bool waited = x->collapsed || x->result == RESULT_REVALIDATED || x->result == RESULT_MISS;
    if (LIKELY(!exchange_is_tunnel(x))) {
        histogram_add(x->source == BYTES_CACHE && !waited ? &counters->hit_time
                                                          : &counters->miss_time,
                      total_us);
    }
    uint32_t weight = weight_of(x);
    if (x->env->access_log || weight > 0 || UNLIKELY(is_of_forward(x))) {
        struct record_room room;
        struct record record = record_of(x, total_us, weight, &room);
        if (!record_ring_put(x->env->ring, &record)) {
            counter_add(&counters->log_dropped, 1);
        }
    }
}

void exchange_account_refused(struct exchange_env *env, struct stream *stream, unsigned status,
                              size_t bytes_sent)
{
    struct site_counters *site = &env->counters->site[0];
    counter_add(&site->requests[RESULT_ERROR], 1);
    counter_add(&site->responses[status / 100 <= 5 ? status / 100 : 0], 1);
    counter_add(&site->bytes[BYTES_SELF], bytes_sent);
    env->request_count++;
    if (!env->access_log) {
        return;
    }
    struct record record = {
        .end_us = loop_now_us(env->loop),
        .wall_ms = loop_wall_ms(env->loop),
        .bytes = bytes_sent,
        .status = (uint16_t)status,
        .result = RESULT_ERROR,
        .minor_version = 1,
        .want_log = true,
        .request_id = env->request_id_base + ++env->request_ids,
        .client = stream->peer_text,
        .method = SPAN("-"),
        .scheme = SPAN("http"),
        .host = SPAN("-"),
        .path = SPAN("-"),
        .site = SPAN("-"),
    };
    const struct site *forward = site_table_forward(env->sites, listener_index(stream->listener));
    const struct redaction redaction =
        forward != NULL ? forward->redaction : site_table_redaction(env->sites);
    char room[REDACT_ADDRESS_BYTES];
    redact_record(&redaction, stream->peer, &record, room);
    if (!record_ring_put(env->ring, &record)) {
        counter_add(&env->counters->log_dropped, 1);
    }
}
