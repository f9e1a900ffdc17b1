#ifndef ORIGIN_ORIGIN_H
#define ORIGIN_ORIGIN_H
/*
 * origin - pools of origin servers: which server a request is sent to, how many at a time, who
 * waits, and what is known of each server's health.
 *
 * A pool lives as long as somebody uses its name and takes new settings at a reload; a server is
 * the same one across reloads when its pool, its name and its URL are the same, and then keeps its
 * state. All workers share them: `max` and the figures hold for the process.
 *
 * A request holds a claim on one server from before it is sent until the response is over. Claims
 * that find every server busy wait in their pool's queue.
 *
 * Threads:   pools and the registry from any thread (a short lock per pool); a claim belongs to the
 *            loop it was made in. Ownership: counted, as said below. Nothing here blocks.
 */
#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "fetch/fetch.h"
#include "net/loop.h"

struct origins;       /* the registry: one per process */
struct origin_pool;   /* counted */
struct origin_server; /* counted; one server under the settings of one configuration */
struct origin_state;  /* what is known of it, across reloads */
struct origin_ticket; /* private: a claim that waits */
struct directory;     /* directory.h */

struct origins *origins_new(void);
/* All pools must have been given back, but those the registry itself holds. */
void origins_free(struct origins **origins);
/* Starts the thread that checks servers and looks up their names; before any claim. Without it
 * names are left to libcurl, nothing is checked, and what is ejected stays so. */
MUST_USE enum err origins_watch_start(struct origins *origins);
/* Ends it; before the loops that claims live in are freed. */
void origins_watch_stop(struct origins *origins);
/* Brings every pool in line with conf, which is in force from now on. One thread at a time. */
void origins_apply(struct origins *origins, struct conf *conf);
/* Addresses of any name; the registry's. Without the watch it knows literal addresses only. */
struct directory *origins_directory(struct origins *origins);
/* The pool of this name (conf_origins.name, or of a site's own pool the site's first name), with a
 * reference; NULL: there is none. */
struct origin_pool *origins_find(struct origins *origins, const char *name);
struct origin_pool *origin_pool_ref(struct origin_pool *pool);
/* Nulls *pool; NULL inside is fine. */
void origin_pool_unref(struct origin_pool **pool);
const char *origin_pool_name(const struct origin_pool *pool);

/* ---- asking for a server ---- */

#define ORIGIN_TRIES_MAX 8u

/* What the choice depends on. */
struct origin_want {
    uint64_t hash;   /* of what the pool balances by; 0 when it does not */
    uint32_t sticky; /* the server a client is to stay with (origin_server_id); 0: none */
    /* Servers that failed this request: asked again only when there is no other. */
    const struct origin_state *tried[ORIGIN_TRIES_MAX];
    unsigned tried_count;
    uint64_t patience_us; /* the most to wait in the queue; 0: as the pool says */
    bool at_once;         /* no waiting: ORIGIN_FULL instead. It is no figure of the pool's then */
};

enum origin_verdict {
    ORIGIN_GRANTED,
    ORIGIN_WAITING, /* wake follows, in the loop */
    ORIGIN_DOWN,    /* no server may be asked now */
    ORIGIN_UNKNOWN, /* the same, as their names have no address */
    ORIGIN_FULL,    /* every server is busy, and the queue is full */
    ORIGIN_LATE,    /* too long in the queue; only told by wake */
};

struct origin_claim {
    struct origin_pool *pool;     /* a reference; NULL: no claim */
    struct origin_server *server; /* a reference; NULL: not granted */
    struct origin_ticket *ticket; /* while it waits */
    char address[64];             /* literal address to connect to; empty: the host is one */
    bool is_trial;                /* private: its outcome decides whether the server is back */
};

/* Asks for a server of pool. Before WAITING ends, wake(ctx, verdict) is called once, in the loop and
 * never from inside; not after origin_claim_end. claim must stay where it is. */
enum origin_verdict origin_claim_begin(struct origin_claim *claim, struct origin_pool *pool,
                                       const struct origin_want *want, struct loop *loop,
                                       void (*wake)(void *ctx, enum origin_verdict verdict),
                                       void *ctx);

/* May a request that failed be sent again? Counts it then, against `budget` percent of the pool's
 * requests; is_free: nothing of it has come to a server, so that it is no second request to any. */
bool origin_retry_take(struct origin_pool *pool, unsigned budget, bool is_free, uint64_t now_us);

/* How it went, as far as the server is concerned. */
struct origin_outcome {
    bool is_known; /* false: given up by us; says nothing of the server */
    enum fetch_fault fault;
    unsigned status; /* of the final response; 0: none came */
    bool is_relayed; /* by a proxy: the status speaks of others, and counts in the figures only */
    bool head_seen;
    uint64_t connect_us; /* 0: a kept connection */
    uint64_t first_byte_us;
    uint64_t received_bytes;
};

/* The head of the final response is there: of a trial it decides, as a body may go on for hours. */
void origin_claim_answered(struct origin_claim *claim, unsigned status, uint64_t now_us);

/* Gives the claim back, granted, waiting or none; the next one in the queue may go. Clears it. */
void origin_claim_end(struct origin_claim *claim, const struct origin_outcome *outcome,
                      uint64_t now_us);

/* ---- a server ---- */

/* For fetch_start; lives as long as a reference to the server. */
const struct fetch_origin *origin_server_fetch(const struct origin_server *server);
/* "http://host:port", as configured. */
const char *origin_server_url(const struct origin_server *server);
const char *origin_server_name(const struct origin_server *server);
const struct origin_state *origin_server_state(const struct origin_server *server);
/* For a cookie: never 0, the same in every process for the same pool and name. */
uint32_t origin_server_id(const struct origin_server *server);
#endif
