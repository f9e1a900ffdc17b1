#ifndef EXCHANGE_EXCHANGE_METER_H
#define EXCHANGE_EXCHANGE_METER_H
/*
 * exchange_meter - the connections, bandwidths and quotas of a forward proxy and one request: refused
 * at its door, or paced and counted while its bytes flow.
 *
 * Counted is what is sent to the client, heads and all, and the content it sends; of tunnels the
 * bytes through them. Pages of our own refusal (limits, 407, rules) are not. A response or tunnel
 * under way when a quota is used up is cut (reason "quota" in the log), or goes on slowly.
 *
 * Threads: the worker's loop. Ownership: in the exchange's arena; what a connection holds is the
 * heap's, and the connection's (stream->keep).
 */
#include "exchange/exchange_private.h"
#include "limit/meter.h"

struct exchange_meter {
    struct meter meter;
    struct exchange *x;
    struct loop_timer timers[METER_SIDES]; /* when bytes may move again */
    bool is_held[METER_SIDES];             /* until then */
};

/* From exchange_guard, for a site that has any: may it go on? Else *next says how it ends. */
bool exchange_meter_begin(struct exchange *x, enum exchange_next *next);
void exchange_meter_end(struct exchange *x);
/* For a tunnel, which outlives the exchange: its meter, the caller's to meter_end and mem_free. NULL:
 * no memory. */
struct meter *exchange_meter_take(struct exchange *x);
/* How many of `want` bytes (at least 1) may move now. 0: none, and the exchange is woken when there
 * are (METER_UP: its fill); or x->meter->meter.spent is not NULL: never again. */
size_t exchange_meter_may(struct exchange *x, enum meter_side side, size_t want);
/* So many have. */
void exchange_meter_moved(struct exchange *x, enum meter_side side, uint64_t bytes);
/* The page of a quota that is used up. */
enum exchange_next exchange_meter_refuse(struct exchange *x);
/* A connection has ended: what stream->keep was. */
void exchange_keep_end(void *of_stream);
#endif
