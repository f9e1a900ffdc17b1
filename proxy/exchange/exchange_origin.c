/*
 * exchange_origin - the request's side of its fill (fill/fill.h): what a fill is started with, and
 * what it asks for and tells while it has an owner.
 */
#include "exchange/exchange_forward.h"
#include "exchange/exchange_meter.h"
#include "exchange/exchange_private.h"
#include "exchange/exchange_tunnel.h"

static void on_drive(struct fill_owner *owner)
{
    exchange_drive(exchange_of_owner(owner));
}

static bool on_interim(struct fill_owner *owner, struct span head)
{
    struct exchange *x = exchange_of_owner(owner);

    if (x->head_sent) {
        return false;
    }
    stream_informational(x->stream, head);
    return true;
}

/* ---- the request's content ---- */

/* Some of these bytes of the request may not be taken now. PAUSE: none; it goes on by itself. */
static enum fetch_flow content_pace(struct exchange *x, struct span *bytes, uint32_t *code)
{
    bytes->len = exchange_meter_may(x, METER_UP, bytes->len);
    if (bytes->len > 0) {
        return FETCH_GO;
    }
    if (x->meter->meter.spent == NULL) {
        return FETCH_PAUSE;
    }
    if (x->tunnel != NULL) {
        x->tunnel->is_cut = true;
    }
    *code = FILL_CODE_QUOTA;
    return FETCH_CANCEL;
}

static void content_taken(struct exchange *x, size_t count)
{
    stream_body_consume(x->stream, count);
    x->received_bytes += count;
    if (UNLIKELY(x->meter != NULL)) {
        exchange_meter_moved(x, METER_UP, count);
    }
    if (UNLIKELY(x->tunnel != NULL) && x->tunnel->head.len > 0) {
        counter_add(&x->env->counters->tunnel_bytes[TUNNEL_TO_ORIGIN], count);
    }
}

static enum fetch_flow on_content(struct fill_owner *owner, char *out, size_t size, size_t *count,
                                  uint32_t *code)
{
    struct exchange *x = exchange_of_owner(owner);
    struct span bytes;
    enum fetch_flow flow;

    switch (stream_body_next(x->stream, &bytes)) {
    case STREAM_BODY_BYTES:
        if (UNLIKELY(x->meter != NULL) && (flow = content_pace(x, &bytes, code)) != FETCH_GO) {
            return flow;
        }
        *count = bytes.len < size ? bytes.len : size;
        memcpy(out, bytes.ptr, *count);
        content_taken(x, *count);
        return FETCH_GO;
    case STREAM_BODY_WAIT:
        return FETCH_PAUSE;
    case STREAM_BODY_END:
        return FETCH_GO;
    case STREAM_BODY_BAD:
        break;
    }
    *code = x->stream->body_too_large ? FILL_CODE_TOO_LARGE : FILL_CODE_FAULT(FETCH_BODY_BAD);
    return FETCH_CANCEL;
}

/* ---- its begin ---- */

struct fill *exchange_fill(struct exchange *x, struct fill_options *options)
{
    static const struct fill_owner_calls calls = {
        .drive = on_drive,
        .interim = on_interim,
        .content = on_content,
        .facts = exchange_judge_owner_facts,
        .judged = exchange_judge_owner,
        .switched = exchange_tunnel_switched,
        .tunnel_data = exchange_tunnel_data,
        .tunnel_over = exchange_tunnel_over,
    };

    x->origin.calls = &calls;
    x->origin.arena = &x->arena;
    options->env = &x->env->fill;
    options->owner = &x->origin;
    options->table = x->table;
    options->site = x->site;
    options->policy = x->policy;
    options->request = x->stream->request;
    options->client = &x->client;
    options->directives = &x->directives;
    options->key = &x->key;
    options->target = x->target;
    options->looked_up = x->looked_up;
    if (UNLIKELY(x->tunnel != NULL)) {
        options->upgrade = x->tunnel->offer;
    }
    return fill_start(options);
}
