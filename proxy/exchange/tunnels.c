/* tunnels - see tunnels.h. */
#include "exchange/tunnels.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "exchange/exchange_forward.h"
#include "exchange/exchange_meter.h"
#include "http/key.h"
#include "limit/limit.h"
#include "record/tally.h"
#include "site/guard.h"
#include "tunnel/tunnel.h"

#define OPEN_MAGIC 0x6f706e74u
/* RFC 9110 9.3.6: no field says anything of content; there is none. */
#define ESTABLISHED "HTTP/1.1 200 Connection Established\r\n\r\n"

struct open_tunnel {
    uint32_t magic;
    unsigned slot; /* of its site's counters */
    struct exchange_env *env;
    struct list node; /* env->tunnels */
    struct tunnel tunnel;
    struct stream_seat seat;
    uint64_t begin_us; /* of the request */
    struct record *record;
    struct meter *meter;       /* NULL: nobody paces or counts it */
    struct tally_entry *tally; /* of its forward proxy */
    struct origin_claim claim; /* on the parent it goes through; or none */
    unsigned hold_count;
    uint64_t holds[]; /* places among concurrent requests */
};

static struct open_tunnel *of_tunnel(struct tunnel *tunnel)
{
    return CONTAINER_OF(tunnel, struct open_tunnel, tunnel);
}

/* ---- the end ---- */

static void put_record(struct open_tunnel *open, bool is_cut)
{
    struct exchange_env *env = open->env;
    struct record *record = open->record;

    record->end_us = loop_now_us(env->loop);
    record->wall_ms = loop_wall_ms(env->loop);
    record->total_us = loop_now_us(env->loop) - open->begin_us;
    record->bytes = tunnel_sent(&open->tunnel, TUNNEL_CLIENT);
    record->received = tunnel_sent(&open->tunnel, TUNNEL_SERVER);
    record->aborted = is_cut;
    record->want_log = env->access_log;
    if (!record_ring_put(env->ring, record)) {
        counter_add(&env->counters->log_dropped, 1);
    }
}

static void end_claim(struct open_tunnel *open)
{
    const struct origin_outcome outcome = {
        .is_known = true,
        .status = 200,
        .is_relayed = true,
        .head_seen = true,
        .received_bytes = tunnel_sent(&open->tunnel, TUNNEL_CLIENT),
    };
    origin_claim_end(&open->claim, &outcome, loop_now_us(open->env->loop));
}

/* Its tunnel is stopped. */
static void end(struct open_tunnel *open, bool is_cut)
{
    struct exchange_env *env = open->env;
    int server = tunnel_watch(&open->tunnel, TUNNEL_SERVER)->fd;

    put_record(open, is_cut);
    counter_add(&env->counters->tunnels_closed, 1);
    tally_add(open->tally, TALLY_TUNNELS_CLOSED, 1);
    if (is_cut) {
        struct linger cut = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(server, SOL_SOCKET, SO_LINGER, &cut, sizeof(cut));
    }
    (void)close(server);
    stream_seat_end(&open->seat, is_cut);
    for (unsigned i = 0; i < open->hold_count; i++) {
        limit_release(env->limits, open->holds[i], loop_now_us(env->loop));
    }
    if (UNLIKELY(open->meter != NULL)) {
        meter_end(open->meter, loop_now_us(env->loop));
        mem_free(open->meter);
    }
    end_claim(open);
    list_remove(&open->node);
    mem_free(open->record);
    open->magic = 0;
    mem_free(open);
}

static void on_over(struct tunnel *tunnel, enum tunnel_outcome outcome)
{
    struct open_tunnel *open = of_tunnel(tunnel);

    CHECK_OBJ(open, OPEN_MAGIC);
    end(open, outcome != TUNNEL_OVER);
}

static void on_cut(struct stream_seat *seat)
{
    struct open_tunnel *open = CONTAINER_OF(seat, struct open_tunnel, seat);

    CHECK_OBJ(open, OPEN_MAGIC);
    tunnel_stop(&open->tunnel);
    end(open, true);
}

/* ---- on its way ---- */

static void on_moved(struct tunnel *tunnel, enum tunnel_peer from, size_t bytes)
{
    struct open_tunnel *open = of_tunnel(tunnel);
    struct counters *counters = open->env->counters;

    if (from == TUNNEL_SERVER) {
        counter_add(&counters->tunnel_bytes[TUNNEL_TO_CLIENT], bytes);
        counter_add(&counters->site[open->slot].bytes[BYTES_ORIGIN], bytes);
        tally_add(open->tally, TALLY_TO_CLIENT, bytes);
    } else {
        counter_add(&counters->tunnel_bytes[TUNNEL_TO_ORIGIN], bytes);
        tally_add(open->tally, TALLY_TO_ORIGIN, bytes);
    }
}

/* What is allowed counts at once, and what then does not come is taken back. */
static size_t on_allow(void *ctx, enum tunnel_peer from, size_t wanted, uint64_t *again_us)
{
    struct open_tunnel *open = ctx;
    enum meter_side side = from == TUNNEL_SERVER ? METER_DOWN : METER_UP;
    uint64_t now_us = loop_now_us(open->env->loop);
    uint64_t wait_us;
    uint64_t may = meter_may(open->meter, side, wanted, now_us, &wait_us);

    if (may > 0) {
        meter_moved(open->meter, side, may);
    } else if (wait_us > 0) {
        *again_us = now_us + wait_us;
    } else {
        *again_us = UINT64_MAX;
        open->record->reason = HTTP_REASON_QUOTA;
    }
    return (size_t)may;
}

static void on_spare(void *ctx, enum tunnel_peer from, size_t bytes)
{
    struct open_tunnel *open = ctx;
    meter_unmoved(open->meter, from == TUNNEL_SERVER ? METER_DOWN : METER_UP, bytes);
}

/* ---- for operators ---- */

/* What stands behind this beginning. */
static struct span span_after(struct span text, struct span before)
{
    return span_starts(text, before) ? span_of(text.ptr + before.len, text.len - before.len) : text;
}

static void text_set(char *out, size_t size, struct span text)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;

    if (len > 0) {
        memcpy(out, text.ptr, len);
    }
    out[len] = '\0';
}

static void view_of(const struct open_tunnel *open, struct tunnel_view *out)
{
    const struct record *record = open->record;
    uint64_t age_us = loop_now_us(open->env->loop) - open->begin_us;
    struct span host = http_authority_host(record->host);
    size_t bracket = host.len > 2 && host.ptr[0] == '[' ? 1 : 0;
    uint64_t port = 0;

    *out = (struct tunnel_view){
        .id = record->request_id,
        .since_ms = loop_wall_ms(open->env->loop) - (int64_t)(age_us / 1000),
        .age_us = age_us,
        .to_client = tunnel_sent(&open->tunnel, TUNNEL_CLIENT),
        .to_origin = tunnel_sent(&open->tunnel, TUNNEL_SERVER),
    };
    if (record->host.len > host.len) {
        (void)span_to_u64(span_of(record->host.ptr + host.len + 1, record->host.len - host.len - 1),
                          UINT16_MAX, &port);
    }
    out->port = (uint16_t)port;
    text_set(out->forward, sizeof(out->forward), span_after(record->site, SPAN("forward:")));
    text_set(out->client, sizeof(out->client), record->client);
    text_set(out->user, sizeof(out->user), record->user);
    text_set(out->rule, sizeof(out->rule), record->rule);
    text_set(out->host, sizeof(out->host), span_of(host.ptr + bracket, host.len - 2 * bracket));
}

void exchange_env_tunnels(struct exchange_env *env, struct tunnel_view_list *list)
{
    for (struct list *node = env->tunnels.next; node != &env->tunnels; node = node->next) {
        struct tunnel_view view;
        view_of(CONTAINER_OF(node, struct open_tunnel, node), &view);
        if (list->forward[0] == '\0' || strcmp(list->forward, view.forward) == 0) {
            list->open++;
            tunnel_view_insert(list, &view);
        }
    }
}

/* ---- the begin ---- */

static unsigned count_holds(const struct exchange *x)
{
    unsigned count = 0;
    for (const struct guard_hold *hold = x->holds; hold != NULL; hold = hold->next) {
        count++;
    }
    return count;
}

static struct open_tunnel *open_new(struct exchange *x)
{
    static const struct tunnel_handler handler = {.over = on_over, .moved = on_moved};
    static const struct tunnel_meter pace = {.allow = on_allow, .spare = on_spare};
    const struct tunnel_limits limits = {
        .idle_us = x->site->tunnel_idle_us,
        .time_us = x->site->forward->tunnel_time_ms * 1000,
    };
    struct exchange_env *env = x->env;
    unsigned holds = count_holds(x);
    struct open_tunnel *open = mem_try(sizeof(*open) + holds * sizeof(open->holds[0]));
    struct record *record = exchange_record(x);
    struct meter *meter = x->meter == NULL ? NULL : exchange_meter_take(x);

    if (open == NULL || record == NULL || (meter == NULL && x->meter != NULL)) {
        mem_free(open);
        mem_free(record);
        if (meter != NULL) {
            meter_end(meter, loop_now_us(env->loop));
            mem_free(meter);
        }
        return NULL;
    }
    *open = (struct open_tunnel){
        .magic = OPEN_MAGIC,
        .slot = x->site->slot,
        .env = env,
        .seat = {.cut = on_cut},
        .begin_us = x->stream->begin_us,
        .record = record,
        .meter = meter,
        .tally = tally_of(env->tally, span_str(x->site->forward->name), SPAN("")),
    };
    for (; x->holds != NULL; x->holds = x->holds->next) {
        open->holds[open->hold_count++] = x->holds->hold;
    }
    if (env->tunnel_kit == NULL) {
        env->tunnel_kit = tunnel_kit_new(env->loop);
    }
    tunnel_init(&open->tunnel, env->tunnel_kit, &handler, &limits);
    if (UNLIKELY(meter != NULL)) {
        open->tunnel.meter = &pace;
        open->tunnel.meter_ctx = open;
    }
    list_push(&env->tunnels, &open->node);
    return open;
}

/* What the parent has sent of the server's bytes already comes behind our own head. */
static void greet(struct open_tunnel *open, struct span early, char *room)
{
    const struct span head = SPAN(ESTABLISHED);

    if (LIKELY(early.len == 0)) {
        tunnel_give(&open->tunnel, TUNNEL_CLIENT, head);
        return;
    }
    memcpy(room, head.ptr, head.len);
    memcpy(room + head.len, early.ptr, early.len);
    tunnel_give(&open->tunnel, TUNNEL_CLIENT, span_of(room, head.len + early.len));
    on_moved(&open->tunnel, TUNNEL_SERVER, early.len);
    if (UNLIKELY(open->meter != NULL)) {
        meter_moved(open->meter, METER_DOWN, early.len);
    }
}

static void take_server(struct open_tunnel *open, const struct tunnels_server *server)
{
    struct loop_watch *watch = tunnel_watch(&open->tunnel, TUNNEL_SERVER);

    if (LIKELY(server->dial != NULL)) {
        (void)dial_take(*server->dial, watch, tunnel_events());
        dial_cancel(server->dial);
    } else {
        CHECK(server->hail != NULL);
        (void)hail_take(*server->hail, watch, tunnel_events());
    }
    if (UNLIKELY(server->claim != NULL)) {
        open->claim = *server->claim; /* it does not wait: nothing points to it */
        *server->claim = (struct origin_claim){0};
    }
}

bool tunnels_open(struct exchange *x, const struct tunnels_server *server)
{
    struct exchange_env *env = x->env;
    struct open_tunnel *open;
    struct span greeting = server->hail == NULL ? SPAN("") : hail_early(*server->hail);
    char *room = mem_try(sizeof(ESTABLISHED) + greeting.len);

    x->status = 200;
    x->stream->sent_bytes = sizeof(ESTABLISHED) - 1;
    exchange_note_first_byte(x);
    open = room == NULL ? NULL : open_new(x);
    if (open == NULL) {
        x->stream->sent_bytes = 0;
        mem_free(room);
        return false;
    }
    exchange_count(x);
    counter_add(&env->counters->tunnels_opened, 1);
    tally_add(open->tally, TALLY_TUNNELS_OPENED, 1);
    struct tunnel *tunnel = &open->tunnel;
    struct span early = stream_early(x->stream);
    take_server(open, server);
    tunnel_give(tunnel, TUNNEL_SERVER, early);
    counter_add(&env->counters->tunnel_bytes[TUNNEL_TO_ORIGIN], early.len);
    if (UNLIKELY(open->meter != NULL)) {
        meter_moved(open->meter, METER_UP, early.len);
    }
    tally_add(open->tally, TALLY_TO_ORIGIN, early.len);
    stream_take(x->stream, &open->seat, tunnel_watch(tunnel, TUNNEL_CLIENT), tunnel_events());
    greet(open, greeting, room);
    mem_free(room);
    exchange_forget(x);
    tunnel_start(tunnel);
    return true;
}
