#ifndef FILL_FILL_H
#define FILL_FILL_H
/*
 * fill - the origin side of a request: one fetch, and the leader's duty towards the store.
 *
 * A fill begins with a request and, unless it is private, a lead in the store's table. Its own
 * client is merely the first reader of the object it fills. When that client leaves, a private fill
 * is cancelled; a shared one goes on for the followers and the cache, with a copy of the request.
 *
 * Of the request's side a fill knows its owner (struct fill_owner), which lies in it, and what it was
 * started with.
 *
 * Threads: the worker's loop. Ownership: a fill frees itself when its fetch is over.
 */
#include "access/access.h"
#include "base/arena.h"
#include "base/list.h"
#include "fetch/fetch.h"
#include "http/directives.h"
#include "http/request.h"
#include "origin/budget.h"
#include "site/client.h"
#include "site/site.h"
#include "store/store.h"

struct counters;
struct directory;
struct fill;
struct fill_owner;
struct loop;
struct press;
struct rearm_table;

/* What all fills of a worker share. */
struct fill_env {
    struct loop *loop;
    struct store *store;
    struct fetch_pool *fetches;
    struct press *press;         /* shared by all workers */
    struct directory *directory; /* the same: addresses of names clients ask for */
    struct counters *counters;
    uint64_t generation;                /* of the next response stored; begins at random */
    struct origin_budget direct_budget; /* of what is asked of servers that clients name */
    struct rearm_table *rearm;          /* NULL: nothing noted yet */
    unsigned live;
    struct list fills;     /* every one alive, for the end */
    struct list encodes;   /* every variant being made (encode.h) */
    unsigned encode_reads; /* of them, bodies being read from disk */
    bool is_ended;
};

/* The pointers are set already. */
void fill_env_init(struct fill_env *env);
/* Ends every fill (their followers on other workers look up again) and gives up what is encoded. */
void fill_env_fini(struct fill_env *env);

/* What a fill asks of its owner's side, and tells it. None of them starts or detaches a fill, but
 * for drive. */
struct fill_owner_calls {
    /* There is something to do: the head, bytes, the end. May detach the fill, and so free it. */
    void (*drive)(struct fill_owner *owner);
    /* A 1xx of the origin, as it is passed on. False: too late for one. */
    bool (*interim)(struct fill_owner *owner, struct span head);
    /* The next bytes of the request's content, as fetch_handler.body. CANCEL: *code says why. */
    enum fetch_flow (*content)(struct fill_owner *owner, char *out, size_t size, size_t *count,
                               uint32_t *code);
    /* Of a forward proxy's client: what its rules are asked about the server he named. */
    struct access_facts (*facts)(const struct fill_owner *owner);
    /* The same: they allow this address, which is asked now; or (NULL) none that it has. */
    void (*judged)(struct fill_owner *owner, const struct sockaddr_storage *address,
                   const struct access_verdict *verdict);
    /* The origin has switched protocols (only where some were offered). False: no memory. */
    bool (*switched)(struct fill_owner *owner, const struct http_response *response);
    /* What it sends after that; and (result NULL) that it sends no more, or that all is over. */
    enum fetch_flow (*tunnel_data)(struct fill_owner *owner, struct span data);
    void (*tunnel_over)(struct fill_owner *owner, const struct fetch_result *result);
};

/* The origin's side as its request sees it; lies in the exchange, and outlives the fill. Who starts a
 * fill sets calls and arena; what comes before pool is zero at first. */
struct fill_owner {
    struct fill *fill;       /* its own fetch, or NULL */
    struct span own_lines;   /* fields of a shared response for its own client alone */
    struct span sticky_line; /* Set-Cookie for its client; empty: none is due */
    uint32_t connect_us;
    uint16_t status; /* of the response; 0: none */
    uint8_t fault;   /* enum fetch_fault of the server asked last; 0: none */
    uint8_t tries;   /* how often a server was asked */
    bool had_age;    /* our fetch's response came from another cache */
    bool stored;
    bool has_name; /* pool and name say who was asked last */
    /* From here on no zeros are needed. */
    const char *pool; /* its name; NULL: the site's own */
    const struct fill_owner_calls *calls;
    struct arena *arena; /* of the request */
    char name[65];
};

/* How a fill failed. */
#define FILL_CODE_FAULT(fault) ((uint32_t)(fault) + 1u)
/* The origin answered 5xx and a stale copy may be sent instead. */
#define FILL_CODE_STALE 100u
/* A request that would not fit the arena. */
#define FILL_CODE_INTERNAL 101u
/* The request body grew past limits.request_body. */
#define FILL_CODE_TOO_LARGE 102u
/* What came cannot be shared or joined to what is stored: go to the origin yourself. */
#define FILL_CODE_ALONE 103u
/* The origin has another representation than the stored parts are of: look up again. */
#define FILL_CODE_CHANGED 104u
/* No origin server was asked: none may be; the queue is full; the wait was too long. */
#define FILL_CODE_DOWN 105u
#define FILL_CODE_FULL 106u
#define FILL_CODE_LATE 107u
/* The same: what is known of the servers' names is that they have no address. */
#define FILL_CODE_NAMELESS 108u
/* The parent proxy wants to know who we are (407), or does not believe it. */
#define FILL_CODE_LOGIN 121u
/* An https:// URL that would go by a parent. */
#define FILL_CODE_NO_TLS 122u
/* A quota was used up while the request body was taken. */
#define FILL_CODE_QUOTA 120u
/* Of a forward proxy: the rules allow none of the server's addresses, to the client it was for. */
#define FILL_CODE_DENIED 109u
/* The same: its name was not looked up in time; nor will it be, as too many are. */
#define FILL_CODE_NAME_LATE 110u
#define FILL_CODE_NAMES_BUSY 111u

/* The part of a representation that a fill asks the origin for (RFC 9110 14). */
struct fill_range {
    bool is_suffix; /* the last `first` bytes */
    uint64_t first;
    uint64_t last; /* included; UINT64_MAX: to the end */
    /* NULL: nothing is known yet, and the lead is for the whole under the ordinary key. Else the
     * lead is for a part of this (part.h). */
    struct store_object *parent;
    struct store_object *prefix; /* a part whose bytes come before `first`, to be joined; or NULL */
};

struct fill_options {
    struct fill_env *env;
    struct fill_owner *owner; /* whose request it is; of whom all of this block is borrowed */
    struct site_table *table;
    const struct site *site;
    const struct policy *policy;
    const struct http_request *request;
    const struct site_client *client;
    const struct http_directives *directives; /* of the request */
    const struct store_key *key;
    struct span target;  /* as it counts for key and origin */
    struct span upgrade; /* protocols for the origin's Upgrade; NULL ptr: none */
    bool looked_up;      /* the cache was asked: its settings count */

    struct store_lead *lead;        /* taken; NULL: private */
    struct store_object *stale;     /* revalidate this; borrowed, referenced */
    int64_t soft_at_ms;             /* when stale was soft-purged, or 0 */
    struct store_object *twin;      /* HEAD: the stored response of GET; borrowed, referenced */
    const struct fill_range *range; /* ask for this only, with a lead; NULL: for all. Borrowed */
    bool apart;                     /* POST: the response may turn out to be one for GET */
    bool offer_variants;            /* other variants are stored: offer their validators */
    bool background;                /* the owner does not wait for it as its own */
    bool solo;                      /* the lead is one (store_lead_share) */
};

/* Starts it; the result reaches the owner by its reader on fill_object(). Never NULL. */
struct fill *fill_start(const struct fill_options *options);
/* The object being filled; borrowed while the fill has an owner. */
struct store_object *fill_object(struct fill *fill);
/* The owner goes away or has all it needs. Nulls *fill. */
void fill_detach(struct fill **fill);
/* More of the request body is there. */
void fill_body_ready(struct fill *fill);
/* It is we who keep bytes waiting, or not any more: the origin's deadlines do not run. */
void fill_hold(struct fill *fill, bool is_held);
/* The origin has switched protocols and its client knows: bytes may flow. */
void fill_tunnel_begin(struct fill *fill);
/* The client takes more of what the origin sends. */
void fill_tunnel_resume(struct fill *fill);
/* A 304 renewed the stale object: takes the reference to the renewed one, or NULL. */
struct store_object *fill_take_refreshed(struct fill *fill);
/* Ends it at once, whoever waits. For the worker's end. */
void fill_kill(struct fill *fill);

struct fill_figures {
    uint16_t origin_status;
    uint32_t connect_us;
    bool stored, had_age;
    uint8_t reason; /* why not stored: enum http_reason */
};
void fill_figures(const struct fill *fill, struct fill_figures *out);
#endif
