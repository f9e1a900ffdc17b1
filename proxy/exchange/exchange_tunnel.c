/* exchange_tunnel - TUNNEL: from the origin's 101 to the end of both connections. */
#include "exchange/exchange_tunnel.h"

#include "base/buf.h"
#include "base/mem.h"
#include "fill/fill.h"
#include "http/date.h"
#include "http/head.h"
#include "http/upgrade.h"

#define TUNNEL_HEAD_LIMIT (64u * 1024u)

bool exchange_tunnel_offer(struct exchange *x)
{
    const struct http_request *request = x->stream->request;
    const struct rule_names *allowed = &x->policy->upgrade;
    struct exchange_tunnel *tunnel = arena_alloc(&x->arena, sizeof(*tunnel));
    char *room = arena_alloc(&x->arena, http_upgrade_room(request));

    if (tunnel == NULL || room == NULL) {
        return false;
    }
    *tunnel = (struct exchange_tunnel){
        .offer = http_upgrade_offer(room, request, allowed->list, allowed->count),
    };
    x->tunnel = tunnel;
    return true;
}

/* ---- told by the fill ---- */

/* The fields of this hop are made anew, those of the origin's hop go. */
static struct span switch_head(struct exchange *x, const struct http_response *response)
{
    const struct http_head_options options = {.via = x->site->via, .date_s = HTTP_DATE_NONE};
    struct buf out;
    const struct http_field *field;
    unsigned at = 0;

    buf_init(&out, TUNNEL_HEAD_LIMIT);
    http_head_write(&out, response, &options);
    struct span head = buf_span(&out);
    if (UNLIKELY(x->policy->edit_count[CONF_HEADER_RESPONSE] > 0) && !out.failed) {
        head = exchange_edit_head(x, head);
    }
    struct buf whole;
    buf_init(&whole, TUNNEL_HEAD_LIMIT);
    buf_append(&whole, head);
    buf_puts(&whole, "Connection: Upgrade\r\n");
    while ((field = http_fields_next(&response->fields, HTTP_FIELD_UPGRADE, &at)) != NULL) {
        buf_puts(&whole, "Upgrade: ");
        buf_append(&whole, field->value);
        buf_puts(&whole, "\r\n");
    }
    bool failed = out.failed || whole.failed || head.len == 0;
    struct span copy = failed ? span_of(NULL, 0) : arena_copy(&x->arena, buf_span(&whole));
    buf_free(&out);
    buf_free(&whole);
    return copy;
}

bool exchange_tunnel_switched(struct fill_owner *owner, const struct http_response *response)
{
    struct exchange *x = exchange_of_owner(owner);
    CHECK(x->tunnel != NULL);
    x->tunnel->head = switch_head(x, response);
    return x->tunnel->head.len > 0;
}

enum fetch_flow exchange_tunnel_data(struct fill_owner *owner, struct span data)
{
    struct exchange *x = exchange_of_owner(owner);
    struct exchange_tunnel *tunnel = x->tunnel;
    struct iovec part = {.iov_base = span_unconst(data.ptr), .iov_len = data.len};

    CHECK(tunnel->is_open && tunnel->rest == NULL);
    counter_add(&x->env->counters->tunnel_bytes[TUNNEL_TO_CLIENT], data.len);
    ptrdiff_t sent = tunnel->is_cut ? -1 : exchange_offer(x, &part, 1, false);
    if (sent == (ptrdiff_t)data.len) {
        return FETCH_GO;
    }
    /* batch drives the exchange, which sees to the rest */
    if (sent >= 0) {
        tunnel->rest = mem_try(data.len - (size_t)sent);
    }
    if (tunnel->rest == NULL) {
        tunnel->is_cut = true;
        return FETCH_PAUSE;
    }
    tunnel->rest_at = 0;
    tunnel->rest_len = data.len - (size_t)sent;
    memcpy(tunnel->rest, data.ptr + sent, tunnel->rest_len);
    return FETCH_PAUSE;
}

void exchange_tunnel_over(struct fill_owner *owner, const struct fetch_result *result)
{
    struct exchange_tunnel *tunnel = exchange_of_owner(owner)->tunnel;
    tunnel->origin_ended = true;
    tunnel->is_cut = tunnel->is_cut || (result != NULL && result->cut);
}

/* ---- the step ---- */

/* False: the client is gone. */
static bool tunnel_open(struct exchange *x)
{
    exchange_release(x);
    x->tunnel->is_open = true;
    x->status = 101;
    x->origin.status = 101;
    exchange_note_first_byte(x);
    counter_add(&x->env->counters->tunnels_opened, 1);
    stream_head(x->stream, x->tunnel->head, span_of("", 0), STREAM_BODY_TUNNEL);
    x->head_sent = true;
    if (exchange_offer(x, NULL, 0, false) < 0) {
        return false;
    }
    fill_tunnel_begin(x->origin.fill);
    return true;
}

/* Offers what waits. False: the client is gone. */
static bool tunnel_flush(struct exchange *x)
{
    struct exchange_tunnel *tunnel = x->tunnel;
    struct iovec part = {.iov_base = tunnel->rest + tunnel->rest_at,
                         .iov_len = tunnel->rest_len - tunnel->rest_at};
    ptrdiff_t sent = exchange_offer(x, &part, 1, false);

    if (sent < 0) {
        return false;
    }
    tunnel->rest_at += (size_t)sent;
    if (tunnel->rest_at == tunnel->rest_len) {
        mem_free(tunnel->rest);
        tunnel->rest = NULL;
        if (x->origin.fill != NULL) {
            fill_tunnel_resume(x->origin.fill);
        }
    }
    return true;
}

enum exchange_next exchange_tunnel(struct exchange *x)
{
    struct exchange_tunnel *tunnel = x->tunnel;

    if (!tunnel->is_open && (x->origin.fill == NULL || !tunnel_open(x))) {
        return exchange_cut(x);
    }
    if (tunnel->is_cut || (tunnel->rest != NULL && !tunnel_flush(x))) {
        return exchange_cut(x);
    }
    if (tunnel->rest != NULL) {
        return EXCHANGE_PARK;
    }
    if (tunnel->origin_ended && !tunnel->end_sent) {
        tunnel->end_sent = true;
        if (exchange_offer(x, NULL, 0, true) < 0) {
            return exchange_cut(x);
        }
    }
    return x->origin.fill == NULL ? exchange_go(x, EXCHANGE_STEP_DONE) : EXCHANGE_PARK;
}

void exchange_tunnel_end(struct exchange *x)
{
    mem_free(x->tunnel->rest);
    if (x->tunnel->is_open) {
        counter_add(&x->env->counters->tunnels_closed, 1);
    }
}
