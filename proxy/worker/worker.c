/*
 * worker - the thread and its mail.
 */
#include "worker/worker.h"

#include <pthread.h>
#include <stdio.h>

#include "base/mailbox.h"
#include "base/mem.h"
#include "base/thread.h"
#include "exchange/exchange.h"
#include "limit/limit.h"
#include "origin/origin.h"
#include "record/tally.h"
#include "users/users.h"

#define RING_BYTES (1u << 20)
#define TICK_US 1000000u
/* Above so many requests in a second only one in SAMPLE_MASK + 1 goes to the top list. */
#define SAMPLE_ABOVE 2000u
#define SAMPLE_MASK 15u

struct worker {
    unsigned index;
    pthread_t thread;
    struct loop *loop;
    struct fetch_pool *fetches;
    struct origins *origins;
    struct listener_set *listeners;
    struct counters *counters;
    struct net_counters net;
    struct record_ring *ring;
    struct tally *tally;
    struct exchange_env env;
    struct limit_ref per_client; /* connections_per_client */
    unsigned (*slot_of)(void *ctx, const char *name);
    void *slot_ctx;
    struct loop_timer tick;
    uint64_t ticked_requests;
    _Atomic bool drained;
    _Atomic unsigned conf_pending; /* given by worker_apply, not yet in force */
    _Atomic uint64_t figures[4];
    struct mail drain_mail;
};

struct apply_mail {
    struct mail mail;
    struct worker *worker;
    struct conf *conf;
};

static struct conn_limits limits_of(const struct conf *conf)
{
    const struct conf_limits *limits = &conf->limits;
    return (struct conn_limits){
        .head = {.head_bytes = limits->head_bytes,
                 .target_bytes = limits->target_bytes,
                 .fields_count = limits->fields},
        .request_body_bytes = limits->request_body_bytes,
        .head_timeout_us = limits->head_timeout_ms * 1000,
        .body_timeout_us = limits->body_timeout_ms * 1000,
        .idle_timeout_us = limits->client_idle_ms * 1000,
        .send_timeout_us = limits->send_timeout_ms * 1000,
        .rate_bytes_s = limits->min_rate_bytes,
        .rate_window_us = limits->min_rate_over_ms * 1000,
        .requests_max = limits->keepalive_requests,
        .connections_max = limits->connections,
    };
}

static enum listener_proxy on_accept(void *ctx, unsigned index, const struct sockaddr *peer)
{
    const struct exchange_env *env = ctx;
    const struct conf *conf = site_table_conf(env->sites);
    CHECK(index < conf->listen_count);
    const struct conf_networks *from = &conf->listens[index].proxy_from;
    if (LIKELY(from->count == 0)) {
        return LISTENER_PLAIN;
    }
    return conf_networks_match(from, peer) ? LISTENER_PROXY_HEADER : LISTENER_PROXY_REFUSED;
}

static bool gate_enter(void *ctx, const struct sockaddr *client, uint64_t *ticket)
{
    const struct worker *worker = ctx;
    const struct conf_limits *limits = &site_table_conf(worker->env.sites)->limits;
    if (LIKELY(limits->connections_per_client == 0) ||
        conf_networks_match(&limits->connections_except, client)) {
        return true;
    }
    struct limit_key key =
        limit_key(worker->env.limits, &worker->per_client, 'c', limit_client(client));
    *ticket = limit_acquire(worker->env.limits, &key, limits->connections_per_client,
                            loop_now_us(worker->loop));
    return *ticket != 0;
}

static void gate_leave(void *ctx, uint64_t ticket)
{
    const struct worker *worker = ctx;
    limit_release(worker->env.limits, ticket, loop_now_us(worker->loop));
}

static void use_conf(struct worker *worker, struct conf *conf)
{
    struct site_table *old = worker->env.sites;
    worker->env.sites = site_table_new(conf, worker->origins, worker->env.limits, worker->slot_of,
                                       worker->slot_ctx);
    worker->env.access_log = conf->log.access.kind != CONF_LOG_OFF;
    site_table_unref(&old);
}

static void on_apply(struct mail *mail)
{
    struct apply_mail *apply = CONTAINER_OF(mail, struct apply_mail, mail);
    struct worker *worker = apply->worker;
    if (worker->listeners != NULL) {
        struct conn_limits limits = limits_of(apply->conf);
        use_conf(worker, apply->conf);
        listener_set_limits(worker->listeners, &limits);
    }
    atomic_fetch_sub(&worker->conf_pending, 1);
    conf_unref(apply->conf);
    mem_free(apply);
}

void worker_apply(struct worker *worker, struct conf *conf)
{
    struct apply_mail *apply = mem_new(sizeof(*apply));
    apply->mail.deliver = on_apply;
    apply->worker = worker;
    apply->conf = conf_ref(conf);
    atomic_fetch_add(&worker->conf_pending, 1);
    mailbox_post(loop_mailbox(worker->loop), &apply->mail);
}

bool worker_is_settled(const struct worker *worker)
{
    return atomic_load(&worker->conf_pending) == 0;
}

static void on_drained(void *ctx)
{
    struct worker *worker = ctx;
    atomic_store(&worker->drained, true);
}

static void on_drain(struct mail *mail)
{
    struct worker *worker = CONTAINER_OF(mail, struct worker, drain_mail);
    if (worker->listeners != NULL) {
        listener_set_drain(worker->listeners, on_drained, worker);
    }
}

void worker_drain(struct worker *worker)
{
    worker->drain_mail.deliver = on_drain;
    mailbox_post(loop_mailbox(worker->loop), &worker->drain_mail);
}

bool worker_is_drained(const struct worker *worker)
{
    return atomic_load(&worker->drained);
}

static void on_tick(struct loop_timer *timer)
{
    struct worker *worker = CONTAINER_OF(timer, struct worker, tick);
    uint64_t requests = worker->env.request_count - worker->ticked_requests;
    struct fetch_pool_figures now;
    worker->ticked_requests = worker->env.request_count;
    worker->env.sample_mask = requests > SAMPLE_ABOVE ? SAMPLE_MASK : 0;
    fetch_pool_figures(worker->fetches, &now);
    atomic_store_explicit(&worker->figures[0], now.active, memory_order_relaxed);
    atomic_store_explicit(&worker->figures[1], now.requests, memory_order_relaxed);
    atomic_store_explicit(&worker->figures[2], now.connects, memory_order_relaxed);
    atomic_store_explicit(&worker->figures[3], now.reused, memory_order_relaxed);
    loop_timer_set(worker->loop, &worker->tick, TICK_US);
}

struct worker *worker_new(const struct worker_options *options)
{
    struct worker *worker = mem_new(sizeof(*worker));
    worker->index = options->index;
    worker->loop = loop_new();
    if (worker->loop == NULL) {
        mem_free(worker);
        return NULL;
    }
    worker->origins = options->origins;
    worker->slot_of = options->slot_of;
    worker->slot_ctx = options->slot_ctx;
    worker->counters = mem_new(sizeof(*worker->counters));
    worker->ring = record_ring_new(RING_BYTES);
    worker->tally = tally_new();
    worker->fetches = fetch_pool_new(&(struct fetch_pool_options){
        .loop = worker->loop,
        .idle_connections = options->origin_idle_max,
        .head_bytes_max = 65536,
    });
    worker->env.loop = worker->loop;
    worker->env.store = options->store;
    worker->env.fill.press = options->press;
    worker->env.limits = options->limits;
    worker->env.maintenance = options->maintenance;
    worker->per_client =
        limit_register(options->limits, LIMIT_REFUSES, SPAN("-"), SPAN("connections"));
    worker->env.users = users_desk_new(options->users, worker->loop);
    worker->env.directory = origins_directory(options->origins);
    worker->env.fill.fetches = worker->fetches;
    worker->env.counters = worker->counters;
    worker->env.tally = worker->tally;
    worker->env.ring = worker->ring;
    exchange_env_init(&worker->env);
    use_conf(worker, options->conf);
    worker->listeners = listener_set_new(&(struct listener_set_options){
        .loop = worker->loop,
        .handler = exchange_stream_handler(),
        .proxy = on_accept,
        .gate = {.enter = gate_enter, .leave = gate_leave, .ctx = worker},
        .limits = limits_of(options->conf),
        .shared = options->shared,
        .counters = &worker->net,
    });
    for (unsigned i = 0; i < options->listen_count; i++) {
        CHECK(listener_set_add(worker->listeners, options->listen_fds[i], &worker->env) == ERR_OK);
    }
    loop_timer_init(&worker->tick, on_tick);
    loop_timer_set(worker->loop, &worker->tick, TICK_US);
    return worker;
}

static void *worker_run(void *arg)
{
    struct worker *worker = arg;
    loop_run(worker->loop);
    loop_timer_clear(&worker->tick);
    listener_set_free(&worker->listeners);
    exchange_env_fini(&worker->env);
    fetch_pool_free(&worker->fetches);
    users_desk_free(&worker->env.users);
    return NULL;
}

enum err worker_start(struct worker *worker)
{
    char name[16];
    snprintf(name, sizeof(name), "worker-%u", worker->index);
    return thread_start(&worker->thread, name, worker_run, worker);
}

void worker_stop(struct worker *worker)
{
    loop_stop(worker->loop);
}

void worker_join(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
}

void worker_sweep(struct worker *worker)
{
    while (mailbox_deliver(loop_mailbox(worker->loop)) > 0) {
    }
}

void worker_free(struct worker **worker_at)
{
    struct worker *worker = *worker_at;
    *worker_at = NULL;
    worker_sweep(worker);
    CHECK(list_is_empty(&worker->env.fill.encodes));
    loop_free(&worker->loop);
    record_ring_free(&worker->ring);
    tally_free(&worker->tally);
    mem_free(worker->counters);
    mem_free(worker);
}

void worker_post(struct worker *worker, struct mail *mail)
{
    mailbox_post(loop_mailbox(worker->loop), mail);
}

const struct counters *worker_counters(const struct worker *worker)
{
    return worker->counters;
}

const struct net_counters *worker_net_counters(const struct worker *worker)
{
    return &worker->net;
}

void worker_fetch_figures(struct worker *worker, struct fetch_pool_figures *out)
{
    out->active = atomic_load_explicit(&worker->figures[0], memory_order_relaxed);
    out->requests = atomic_load_explicit(&worker->figures[1], memory_order_relaxed);
    out->connects = atomic_load_explicit(&worker->figures[2], memory_order_relaxed);
    out->reused = atomic_load_explicit(&worker->figures[3], memory_order_relaxed);
}

struct exchange_env *worker_env(struct worker *worker)
{
    return &worker->env;
}

const struct tally *worker_tally(const struct worker *worker)
{
    return worker->tally;
}

struct record_ring *worker_ring(struct worker *worker)
{
    return worker->ring;
}
