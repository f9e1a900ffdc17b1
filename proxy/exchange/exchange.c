/*
 * exchange - the walk of a request, as a table of steps. READ THIS FILE FIRST.
 *
 *   ADMIT   is it allowed, whose site is it, may the cache be asked     -> LOOKUP | PASS | FORWARD | ERROR
 *   FORWARD a forward proxy's: who asks, and may he                     -> LOOKUP | PASS | CONNECT | ERROR
 *   LOOKUP  ask the store: hit, stale, follow, lead, on disk            -> REPLY | HEAD | DISK | PASS
 *   DISK    a read thread brings the record                             -> LOOKUP
 *   PASS    a fetch of our own that nobody shares                       -> HEAD
 *   HEAD    wait for the origin's head, ours or the leader's            -> REPLY | LOOKUP | PASS | TUNNEL | ERROR
 *   ENCODE  a variant in a coding the client prefers, if there is one   -> REPLY
 *   REPLY   status and fields of the response                           -> SEND | PART
 *   PART    a body of several stretches: the next one                   -> SEND | REPLY | DONE
 *   SEND    body bytes, as the client takes them and the object has them -> DONE | PART
 *   TUNNEL  the origin has switched protocols: bytes both ways           -> DONE
 *   CONNECT a connection to the server, which becomes a tunnel (tunnels.h) -> END | ERROR
 *   ERROR   a small page of our own                                     -> DONE
 *   DONE    access record, counters, references; the connection's next request
 *
 * A step returns GO (x->step says where), PARK (a reader, a load, the fetch or the sink holds our
 * wake-up) or END. Steps never call each other, and a wake-up that comes while a step runs is only
 * noted, so the stack stays flat however requests and callbacks interleave.
 */
#include "exchange/exchange.h"

#include "base/mem.h"
#include "exchange/exchange_connect.h"
#include "exchange/exchange_forward.h"
#include "exchange/exchange_meter.h"
#include "exchange/exchange_private.h"
#include "exchange/exchange_tunnel.h"
#include "fill/fill.h"
#include "tunnel/tunnel.h"

static const struct {
    const char *name;
    enum exchange_next (*run)(struct exchange *x);
} steps[EXCHANGE_STEP_COUNT] = {
    [EXCHANGE_STEP_ADMIT] = {"admit", exchange_admit},
    [EXCHANGE_STEP_FORWARD] = {"forward", exchange_forward},
    [EXCHANGE_STEP_LOOKUP] = {"lookup", exchange_lookup},
    [EXCHANGE_STEP_DISK] = {"disk", exchange_disk},
    [EXCHANGE_STEP_PASS] = {"pass", exchange_pass},
    [EXCHANGE_STEP_HEAD] = {"head", exchange_head},
    [EXCHANGE_STEP_ENCODE] = {"encode", exchange_encode},
    [EXCHANGE_STEP_REPLY] = {"reply", exchange_reply},
    [EXCHANGE_STEP_PART] = {"part", exchange_part},
    [EXCHANGE_STEP_SEND] = {"send", exchange_send},
    [EXCHANGE_STEP_TUNNEL] = {"tunnel", exchange_tunnel},
    [EXCHANGE_STEP_CONNECT] = {"connect", exchange_connect},
    [EXCHANGE_STEP_ERROR] = {"error", exchange_error},
    [EXCHANGE_STEP_DONE] = {"done", exchange_done},
};

/* Kept for reuse per worker; more are given back to the heap. */
#define FREE_EXCHANGES_MAX 256u

void exchange_drive(struct exchange *x)
{
    CHECK_OBJ(x, EXCHANGE_MAGIC);
    if (x->driving) {
        x->woken = true;
        return;
    }
    x->driving = true;
    for (;;) {
        x->woken = false;
        enum exchange_next next = steps[x->step].run(x);
        if (next == EXCHANGE_END) {
            return;
        }
        if (next == EXCHANGE_PARK && !x->woken) {
            break;
        }
    }
    x->driving = false;
}

void exchange_wake(void *ctx)
{
    exchange_drive(ctx);
}

static struct exchange *exchange_new(struct exchange_env *env, struct stream *stream)
{
    struct exchange *x = env->free_exchanges;
    if (x != NULL) {
        env->free_exchanges = x->next_free;
        env->free_count--;
        memset(x, 0, offsetof(struct exchange, origin.pool));
    } else {
        x = mem_new(sizeof(*x));
    }
    x->magic = EXCHANGE_MAGIC;
    x->env = env;
    x->stream = stream;
    x->proxy_error = HTTP_PROXY_ERROR_COUNT;
    x->source = BYTES_SELF;
    arena_init(&x->arena, EXCHANGE_ARENA_LIMIT);
    stream->exchange = x;
    exchange_client_begin(x);
    env->live_exchanges++;
    return x;
}

void exchange_release(struct exchange *x)
{
    if (x->reader != NULL) {
        store_reader_close(&x->reader);
    }
    if (x->load != NULL) {
        store_load_cancel(&x->load);
    }
    if (x->object != NULL) {
        store_object_unref(&x->object);
    }
    if (x->loaded != NULL) {
        store_object_unref(&x->loaded);
    }
    x->whole = false;
    if (x->plan != NULL) {
        exchange_plan_drop(x);
    }
}

/* The last step's epilogue; see exchange_done. */
static void exchange_free(struct exchange *x)
{
    struct exchange_env *env = x->env;
    exchange_release(x);
    if (x->stale != NULL) {
        store_object_unref(&x->stale);
    }
    if (x->origin.fill != NULL) {
        fill_detach(&x->origin.fill);
    }
    if (UNLIKELY(x->holds != NULL)) {
        exchange_guard_release(x);
    }
    if (UNLIKELY(x->tunnel != NULL)) {
        exchange_tunnel_end(x);
    }
    if (UNLIKELY(x->forwarding != NULL)) {
        exchange_judge_end(x);
    }
    if (UNLIKELY(x->meter != NULL)) {
        exchange_meter_end(x);
    }
    if (UNLIKELY(x->connecting != NULL)) {
        exchange_connect_end(x);
    }
    if (UNLIKELY(x->forwarding != NULL)) {
        exchange_forward_end(x);
    }
    if (x->table != NULL) {
        site_table_unref(&x->table);
    }
    arena_reset(&x->arena);
    x->magic = 0;
    env->live_exchanges--;
    if (env->free_count >= FREE_EXCHANGES_MAX) {
        mem_free(x);
        return;
    }
    x->next_free = env->free_exchanges;
    env->free_exchanges = x;
    env->free_count++;
}

void exchange_forget(struct exchange *x)
{
    exchange_free(x);
}

enum exchange_next exchange_done(struct exchange *x)
{
    struct stream *stream = x->client_gone ? NULL : x->stream;
    bool aborted = x->aborted;
    exchange_account(x);
    exchange_free(x);
    if (stream != NULL) {
        stream->exchange = NULL;
        if (aborted) {
            stream_abort(stream);
        } else {
            stream_end(stream);
        }
    }
    return EXCHANGE_END;
}

/* ---- told by the connection ---- */

static void on_request(struct stream *stream)
{
    struct exchange_env *env = stream->listener_ctx;
    exchange_drive(exchange_new(env, stream));
}

static void on_writable(struct stream *stream)
{
    struct exchange *x = stream->exchange;
    if (x != NULL) {
        exchange_drive(x);
    }
}

static void on_body(struct stream *stream)
{
    struct exchange *x = stream->exchange;
    if (x != NULL && x->origin.fill != NULL) {
        fill_body_ready(x->origin.fill);
    }
}

static void on_closed(struct stream *stream, enum err why)
{
    (void)why;
    struct exchange *x = stream->exchange;
    if (x == NULL) {
        return;
    }
    /* The request's bytes vanish after this call: a shared fill copies what it needs now. */
    x->client_gone = true;
    x->aborted = true;
    if (x->origin.fill != NULL) {
        fill_detach(&x->origin.fill);
    }
    stream->exchange = NULL;
    x->step = EXCHANGE_STEP_DONE;
    exchange_drive(x);
}

static void on_refused(struct stream *stream, unsigned status, size_t bytes_sent)
{
    exchange_account_refused(stream->listener_ctx, stream, status, bytes_sent);
}

const struct stream_handler *exchange_stream_handler(void)
{
    static const struct stream_handler handler = {
        .request = on_request,
        .writable = on_writable,
        .body = on_body,
        .closed = on_closed,
        .refused = on_refused,
        .left = exchange_keep_end,
    };
    return &handler;
}

void exchange_env_init(struct exchange_env *env)
{
    env->fill.loop = env->loop;
    env->fill.store = env->store;
    env->fill.directory = env->directory;
    env->fill.counters = env->counters;
    fill_env_init(&env->fill);
    list_init(&env->tunnels);
    random_bytes(&env->request_id_base, sizeof(env->request_id_base));
    env->request_id_base &= ~(uint64_t)0xffffffff;
}

void exchange_env_fini(struct exchange_env *env)
{
    CHECK(env->live_exchanges == 0 && list_is_empty(&env->tunnels));
    tunnel_kit_free(&env->tunnel_kit);
    fill_env_fini(&env->fill);
    while (env->free_exchanges != NULL) {
        struct exchange *x = env->free_exchanges;
        env->free_exchanges = x->next_free;
        mem_free(x);
    }
    site_table_unref(&env->sites);
}
