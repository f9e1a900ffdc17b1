#ifndef LIMIT_METER_H
#define LIMIT_METER_H
/*
 * meter - the bytes of one request, response or tunnel on their way: how many may move now under every
 * bandwidth and quota that is for them, and what has moved.
 *
 * Under a bandwidth a turn is booked (limit_book) in all buckets together and moves when the last of
 * them allows; what was booked and did not fit the socket stays booked. A quota gives out what is left
 * of it and no more; used up it ends what is under way, or slows it down.
 *
 * Threads: one; what the meters share is in the table and the store. Ownership: inside another struct,
 * and may be moved as it is; accounts are references of the meter's.
 */
#include "limit/limit.h"
#include "limit/quota.h"

#define METER_FLOWS_MAX 8u
#define METER_QUOTAS_MAX 8u

enum meter_side {
    METER_DOWN, /* to the client */
    METER_UP,   /* from it */
    METER_SIDES,
};

/* One bucket it draws from. */
struct meter_flow {
    struct limit_key key;
    struct limit_flow rate; /* bytes_s 0: none */
    bool is_for[METER_SIDES];
};

struct meter_quota {
    struct quota_account *account;
    bool counts[METER_SIDES];
    struct meter_flow slow; /* once it is used up; no rate: then it is over */
};

struct meter {
    struct limit_table *limits;
    unsigned flow_count, quota_count;
    int64_t booked[METER_SIDES]; /* bytes, not moved yet; below 0: moved beyond what was booked */
    uint64_t ready_us[METER_SIDES]; /* when they may */
    bool is_paced[METER_SIDES];     /* some bucket is for what was last allowed */
    const struct quota *spent;      /* the quota that ended it; NULL: none */
    struct meter_flow flows[METER_FLOWS_MAX];
    struct meter_quota quotas[METER_QUOTAS_MAX];
};

/* Flows and quotas are there, the rest is 0. */
void meter_begin(struct meter *meter);
/* How many of `want` bytes (at least 1) may move now. 0: none before *wait_us have passed (at least 1);
 * or (*wait_us 0) never again, as meter->spent is used up. */
uint64_t meter_may(struct meter *meter, enum meter_side side, uint64_t want, uint64_t now_us,
                   uint64_t *wait_us);
/* So many have: as many as it said or fewer, or some more (heads, framing). */
void meter_moved(struct meter *meter, enum meter_side side, uint64_t bytes);
/* So many of those have not, after all. */
void meter_unmoved(struct meter *meter, enum meter_side side, uint64_t bytes);
/* Settles what was booked, lets go of the accounts. */
void meter_end(struct meter *meter, uint64_t now_us);
#endif
