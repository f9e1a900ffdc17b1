#ifndef ORIGIN_ORIGIN_PRIVATE_H
#define ORIGIN_ORIGIN_PRIVATE_H
/*
 * origin_private - the inside of the origin layer, not for others.
 *
 *   origins.c   the registry: pools by name, and new settings for them
 *   pool.c      claims: granted, queued, given back
 *   balance.c   which server: the algorithms
 *   budget.c    how many requests may be sent again
 *   health.c    one server's state machine: up, down, ejected, trial
 *   names.c     the addresses of one server's name
 *   judge.c     brings news of servers to their states, and tells it
 *   watch.c     the thread that looks after them: checks (probe.c), names (resolve.c)
 *   directory.c the addresses of names that clients ask for, looked up by the same thread
 *   figures.c   what a server has answered
 *   view.c      a picture of it all for operators
 *   foresee.c   which server would be asked now
 *
 * One lock per pool (rank LOCK_POOL) covers all that changes of the pool and of its servers' state.
 * Under it nothing is called that could block or come back.
 */
#include <stdatomic.h>

#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/mailbox.h"
#include "origin/budget.h"
#include "origin/figures.h"
#include "origin/health_private.h"
#include "origin/names.h"
#include "origin/origin.h"

#define ORIGIN_POOL_MAGIC 0x4f504f4cu

/* [pool->lock] but for name, url and id, which never change. */
struct origin_state {
    unsigned references; /* servers of old and new settings */
    char *name;
    char *url;
    uint32_t id;
    unsigned active;      /* claims granted and not yet given back */
    int64_t turn;         /* round robin: what it is owed */
    uint64_t up_since_us; /* new in the pool, or back, at this moment; 0: it was always there */
    uint64_t requests;    /* claims granted, ever */
    struct origin_figures figures;
    struct origin_health health;
    struct origin_names names;
    bool is_check_wanted; /* by an operator, now */
};

struct origin_server {
    _Atomic unsigned references;
    struct origin_pool *pool; /* borrowed: whoever holds a server holds its pool */
    struct conf *conf;        /* a reference: the strings below */
    const struct conf_server *settings;
    const struct conf_origins *origins; /* of the whole pool */
    struct fetch_origin fetch;
    struct fetch_tls tls; /* of fetch, when it has TLS */
    struct origin_state *state;
};

struct origin_pool {
    uint32_t magic;
    _Atomic unsigned references;
    char *name;
    struct origins *origins; /* the registry, which lives longer */
    struct list node;        /* registry's */
    struct lock lock;
    /* ---- [lock] ---- */
    struct conf *conf; /* a reference; NULL: no configuration has it any more */
    const struct conf_origins *settings;
    struct origin_server **servers; /* a reference each */
    unsigned server_count;
    unsigned active;   /* of all servers, also of those that are no longer in it */
    struct list queue; /* tickets, the oldest first */
    unsigned queued;
    uint64_t random; /* state of the lots */
    struct origin_budget budget;
    uint64_t retries, retries_refused; /* figures: sent again; not, for the budget */
    uint64_t waited, refused_down, refused_full, refused_late; /* figures */
    uint64_t full_us; /* when the queue was full last; 0: never */
};

struct origins {
    struct lock lock;
    struct list pools;   /* [lock] a reference each */
    struct conf *conf;   /* [lock] a reference: in force; NULL: none yet */
    struct watch *watch; /* NULL: nobody looks after them */
    struct directory *directory;
};

/* What was granted. */
struct origin_place {
    struct origin_server *server;       /* a reference; NULL: nothing */
    char address[ORIGIN_ADDRESS_BYTES]; /* to connect to; "": the server's host is one */
    bool is_trial;
};

/* A claim in the queue. Made and freed by its loop's thread; who grants it posts the mail. */
struct origin_ticket {
    struct mail mail;
    struct list node;         /* pool->queue; [pool->lock] */
    struct origin_pool *pool; /* a reference */
    struct origin_want want;
    struct origin_place granted; /* [pool->lock] once it is granted */
    enum origin_verdict verdict; /* [pool->lock] WAITING while it is queued */
    struct loop_timer timer;
    struct mailbox *mailbox;
    struct origin_claim *claim; /* NULL: given up */
    void (*wake)(void *ctx, enum origin_verdict verdict);
    void *ctx;
    uint64_t now_us; /* of who granted it */
};

/* origins.c, all of them */
struct origin_server *origin_server_ref(struct origin_server *server);
/* Nulls *server. Not under the pool's lock. */
void origin_server_unref(struct origin_server **server);

/* balance.c, under the pool's lock. */

enum origin_choice {
    ORIGIN_CHOICE_MADE,
    ORIGIN_CHOICE_BUSY, /* there are servers up, each with its max */
    ORIGIN_CHOICE_NONE, /* none is up */
};
/* *out: index into pool->servers. */
enum origin_choice origin_choose(struct origin_pool *pool, const struct origin_want *want,
                                 uint64_t now_us, unsigned *out);
/* Its weight now: 0 when it may not be asked. In thousandths of the weight in the settings; less
 * while it starts slowly. */
uint64_t origin_weight(const struct origin_pool *pool, const struct origin_server *server,
                       uint64_t now_us);

/* pool.c: a server may have become free or known as up or down: the queue moves. Not under the
 * lock. */
void origin_pool_move(struct origin_pool *pool, uint64_t now_us);

/* judge.c */

/* A request on this place is over; outcome NULL: nobody knows how. change is told by origin_tell,
 * outside of the lock. [pool->lock] */
void origin_judge(struct origin_pool *pool, const struct origin_place *place,
                  const struct origin_outcome *outcome, uint64_t now_us,
                  struct health_change *change);
void origin_tell(struct origin_pool *pool, const struct origin_state *state,
                 const struct health_change *change);
/* Is there a server that could be asked, had it an address? [pool->lock] */
bool origin_lacks_names(const struct origin_pool *pool);
/* [pool->lock] */
void origin_state_show(const struct origin_pool *pool, const struct origin_state *state,
                       struct origin_health_view *out);
/* From here on not under the lock. What a check, a knock and a lookup brought. */
void origin_note_check(struct origin_pool *pool, struct origin_state *state,
                       const struct health_result *result, uint64_t now_us);
void origin_note_knock(struct origin_pool *pool, struct origin_state *state,
                       const struct health_result *result, uint64_t now_us);
void origin_note_address(struct origin_pool *pool, struct origin_state *state, const char *address,
                         bool is_broken);
void origin_note_names(struct origin_pool *pool, struct origin_state *state,
                       const struct names_result *result, uint64_t now_us);
/* The first lookup takes too long. */
void origin_note_no_names(struct origin_pool *pool, struct origin_state *state, uint64_t now_us);
/* The pool has other settings. */
void origin_note_settings(struct origin_pool *pool);

/* watch.c: something is to be looked at; any thread, cheap. NULL: nobody does. */
void watch_stir(struct watch *watch);
/* Its thread has ended. Nulls *watch; NULL inside is fine. */
void watch_free(struct watch **watch);
#endif
