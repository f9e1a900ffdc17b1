/*
 * exchange_account - what is remembered of a finished request: counters always, a record for the
 * log thread when somebody wants it.
 */
#include <stdio.h>

#include "exchange/exchange_forward.h"
#include "exchange/exchange_tunnel.h"

#define ORIGIN_TEXT_BYTES 192u /* two names and what is between them */

/* "POOL/SERVER", of a site's own pool "SERVER". */
static struct span origin_text(const struct exchange *x, char *room, size_t size)
{
    if (x->origin_pool == NULL) {
        return span_str(x->origin_name);
    }
    (void)snprintf(room, size, "%s/%s", x->origin_pool, x->origin_name);
    return span_str(room);
}

/* room: for what its spans point to, ORIGIN_TEXT_BYTES. */
static struct record record_of(const struct exchange *x, uint64_t total_us, uint32_t weight,
                               char *room)
{
    const struct http_request *request = x->stream->request;
    const struct http_fields *fields = &request->fields;
    bool was_asked = UNLIKELY(x->has_origin_name) && (x->origin_status | x->origin_fault) != 0;
    return (struct record){
        .end_us = loop_now_us(x->env->loop),
        .wall_ms = loop_wall_ms(x->env->loop),
        .bytes = x->stream->sent_bytes,
        .received = x->received_bytes,
        .total_us = total_us < UINT32_MAX ? (uint32_t)total_us : UINT32_MAX,
        .first_byte_us = (uint32_t)x->first_byte_us,
        .connect_us = x->connect_us,
        .age_s = x->age_s,
        .ttl_s = (int32_t)x->ttl_s,
        .status = x->status,
        .origin_status = x->origin_status,
        .result = x->result,
        .reason = x->reason,
        .minor_version = request->minor_version,
        .error = x->origin_fault,
        .tries = x->origin_tries,
        .collapsed = x->collapsed,
        .stored = x->stored,
        .aborted = x->aborted,
        .want_log = x->env->access_log,
        .weight = weight,
        .request_id = x->env->request_id_base + x->env->request_count,
        .client = x->client.text,
        .method = request->method_text,
        .scheme = x->client.is_https ? SPAN("https") : SPAN("http"),
        .host = request->authority,
        .path = request->path,
        .user_agent = http_fields_find(fields, HTTP_FIELD_USER_AGENT),
        .referer = http_fields_find(fields, HTTP_FIELD_REFERER),
        .site = x->site != NULL ? x->site->name : SPAN("-"),
        .origin = was_asked ? origin_text(x, room, ORIGIN_TEXT_BYTES) : span_of(NULL, 0),
        .rule = x->forwarding == NULL ? span_of(NULL, 0) : span_str(x->forwarding->verdict.name),
    };
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
}

/* For how many requests it stands in the top list; 0: it is not for it. */
static uint32_t weight_of(const struct exchange *x)
{
    bool sampled = (x->env->request_count & x->env->sample_mask) == 0;
    return sampled ? x->env->sample_mask + 1 : 0;
}

struct record *exchange_record(struct exchange *x)
{
    char room[ORIGIN_TEXT_BYTES];
    struct record record = record_of(x, 0, weight_of(x), room);
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
    if (x->env->access_log || weight > 0) {
        char room[ORIGIN_TEXT_BYTES];
        struct record record = record_of(x, total_us, weight, room);
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
        .request_id = env->request_id_base + env->request_count,
        .client = stream->peer_text,
        .method = SPAN("-"),
        .scheme = SPAN("http"),
        .host = SPAN("-"),
        .path = SPAN("-"),
        .site = SPAN("-"),
    };
    if (!record_ring_put(env->ring, &record)) {
        counter_add(&env->counters->log_dropped, 1);
    }
}
