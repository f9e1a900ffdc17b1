#ifndef EXCHANGE_FILL_H
#define EXCHANGE_FILL_H
/*
 * fill - the origin side of an exchange: one fetch, and the leader's duty towards the store.
 *
 * A fill begins with a request and, unless it is private, a lead in the store's table. Its own
 * client is merely the first reader of the object it fills. When that client leaves, a private fill
 * is cancelled; a shared one goes on for the followers and the cache, with a copy of the request.
 *
 * Threads: the worker's loop. Ownership: a fill frees itself when its fetch is over.
 */
#include "exchange/exchange_private.h"

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
    struct exchange *owner;         /* whose request it is */
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
    uint32_t connect_us, first_byte_us;
    bool stored, had_age;
    uint8_t reason; /* why not stored: enum http_reason */
};
void fill_figures(const struct fill *fill, struct fill_figures *out);
struct list *fill_node(struct fill *fill);
struct fill *fill_of_node(struct list *node);
#endif
