#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H
/*
 * exchange - one request's way through the house. A newcomer reads exchange.c first: the table of
 * steps and the loop that drives it.
 *
 * An exchange sees a request and a response sink (net/stream.h), never a socket. Its origin side is
 * a `fill` (fill/fill.h): the fetch and the leader's duty towards the store, which may outlive the
 * client.
 *
 * Threads: the owning worker's loop. One exchange_env per worker.
 */
#include <stdbool.h>
#include <stdint.h>

#include "fill/fill.h"
#include "net/stream.h"
#include "record/counters.h"
#include "record/record.h"
#include "site/site.h"
#include "store/store.h"

struct directory;
struct exchange;
struct limit_table;
struct maintenance;
struct tally;
struct tunnel_kit;
struct tunnel_view_list;
struct users_desk;

/* What every exchange of a worker shares. Filled by the worker; lists start empty. */
struct exchange_env {
    struct loop *loop;
    struct store *store;
    struct limit_table *limits;            /* shared by all workers */
    const struct maintenance *maintenance; /* the same */
    struct users_desk *users;              /* of this worker */
    struct directory *directory;           /* the same: addresses of names clients ask for */
    struct counters *counters;
    struct record_ring *ring;
    struct tally *tally;      /* of the forward proxies */
    struct site_table *sites; /* in force for new requests */
    bool access_log;          /* every request gets a record */
    uint32_t sample_mask;     /* else one in mask + 1, for the top list */
    uint64_t request_count;
    uint64_t request_id_base; /* random high bits */
    uint64_t request_ids;     /* that were given */
    struct exchange *free_exchanges;
    unsigned free_count;
    unsigned live_exchanges;
    struct list tunnels;           /* every one open after a CONNECT (tunnels.h) */
    struct tunnel_kit *tunnel_kit; /* NULL: there was none yet */
    struct fill_env fill;          /* fetches and press are the worker's to set */
};

void exchange_env_init(struct exchange_env *env);
/* Ends every fill (their followers on other workers look up again) and frees the pools. */
void exchange_env_fini(struct exchange_env *env);
/* tunnels.c: adds to this list the tunnels of this worker, in its loop only. */
void exchange_env_tunnels(struct exchange_env *env, struct tunnel_view_list *list);
/* What the net layer is given. listener_ctx of each stream is the struct exchange_env. */
const struct stream_handler *exchange_stream_handler(void);
#endif
