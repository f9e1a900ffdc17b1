#ifndef EXCHANGE_EXCHANGE_TUNNEL_H
#define EXCHANGE_EXCHANGE_TUNNEL_H
/*
 * exchange_tunnel - a request that offers to switch protocols (RFC 9110 7.8), and the connection it
 * becomes when the origin does: bytes go straight from one side to the other.
 *
 * From the origin they are offered to the stream as they were read; what a slow client does not
 * take is kept, and the origin paused until it is gone. From the client the fetch pulls them out of
 * the stream. Each direction ends by itself; what breaks one side resets the other.
 *
 * Threads: the worker's loop. Ownership: in the exchange's arena; `rest` is the heap's.
 */
#include "exchange/exchange_private.h"
#include "fetch/fetch.h"

struct exchange_tunnel {
    struct span offer; /* protocols for the origin's Upgrade */
    struct span head;  /* of the 101, for the client; empty: the origin has not switched */
    bool is_open;      /* the client has been sent it */
    bool origin_ended; /* sends no more */
    bool end_sent;     /* and the client was told */
    bool is_cut;       /* to be reset: one of the sides is */
    char *rest;        /* what the client is yet to take: [rest_at, rest_len); NULL: nothing */
    size_t rest_at, rest_len;
};

/* From ADMIT: x offers what its policy allows. False: no memory. */
bool exchange_tunnel_offer(struct exchange *x);
/* From the fill (struct fill_owner_calls): the origin's 101, what follows it, and the end. */
bool exchange_tunnel_switched(struct fill_owner *owner, const struct http_response *response);
enum fetch_flow exchange_tunnel_data(struct fill_owner *owner, struct span data);
void exchange_tunnel_over(struct fill_owner *owner, const struct fetch_result *result);
/* Frees what the arena does not. */
void exchange_tunnel_end(struct exchange *x);

/* Is, or was, its connection a tunnel? */
static inline bool exchange_is_tunnel(const struct exchange *x)
{
    return x->tunnel != NULL && x->tunnel->is_open;
}
#endif
