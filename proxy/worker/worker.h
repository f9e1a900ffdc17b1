#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H
/*
 * worker - one thread that owns a loop, its client connections, its origin connections and its
 * counters. Everybody else talks to it by mail.
 *
 * Threads: start, stop, join and free from the service; the others from any thread.
 */
#include <stdatomic.h>

#include "base/check.h"
#include "conf/conf.h"
#include "fetch/fetch.h"
#include "net/listener.h"
#include "record/counters.h"
#include "record/record.h"
#include "store/store.h"

struct exchange_env;
struct mail;
struct worker;

struct limit_table;
struct maintenance;
struct users;

struct worker_options {
    unsigned index;
    struct store *store;
    struct press *press;
    struct origins *origins;  /* shared by all */
    unsigned origin_idle_max; /* connections kept open for later; each server has its own bound */
    struct conf *conf;        /* borrowed for the call */
    struct conn_shared *shared;
    struct limit_table *limits;
    const struct maintenance *maintenance;
    struct users *users;
    const int *listen_fds; /* taken */
    unsigned listen_count;
    unsigned (*slot_of)(void *ctx, const char *name); /* any thread */
    void *slot_ctx;
};

/* NULL: no loop to be had. */
struct worker *worker_new(const struct worker_options *options);
MUST_USE enum err worker_start(struct worker *worker);
/* New settings for new requests. Takes a reference of its own. */
void worker_apply(struct worker *worker, struct conf *conf);
/* Has it taken every configuration it was given? */
bool worker_is_settled(const struct worker *worker);
/* Stops accepting and lets the responses under way end; worker_is_drained tells. */
void worker_drain(struct worker *worker);
bool worker_is_drained(const struct worker *worker);
/* Ends the thread at once: connections are cut, fills given up. */
void worker_stop(struct worker *worker);
void worker_join(struct worker *worker);
/* After join: runs mails still waiting. */
void worker_sweep(struct worker *worker);
void worker_free(struct worker **worker);

/* Runs on its thread; after its end in worker_sweep. */
void worker_post(struct worker *worker, struct mail *mail);
/* For what was posted. */
struct exchange_env *worker_env(struct worker *worker);
const struct counters *worker_counters(const struct worker *worker);
const struct net_counters *worker_net_counters(const struct worker *worker);
/* Origin connection figures, copied once a second by the worker itself. */
void worker_fetch_figures(struct worker *worker, struct fetch_pool_figures *out);
struct record_ring *worker_ring(struct worker *worker);
struct tally;
const struct tally *worker_tally(const struct worker *worker);
#endif
