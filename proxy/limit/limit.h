#ifndef LIMIT_LIMIT_H
#define LIMIT_LIMIT_H
/*
 * limit - who may have how much: token buckets and counts of what is under way, of any number of
 * clients in memory that is fixed at the start, shared by all workers.
 *
 * A key says which limit and whose bucket; it is a hash of 128 bits under a secret of the table, so
 * that nobody can choose to share another one's. Time is handed in, and only compared with itself.
 *
 * A full bucket says nothing that no bucket says, nor does a count of 0: such an entry is idle, and
 * forgetting it changes no answer. So when there is no room for a newcomer, the idle entry that was
 * used least recently leaves, and never one that is in use. When all of those it might replace are in
 * use, newcomers of that limit share one bucket (or one count) per shard until there is room: the
 * limit then holds for all of them together. An attacker with a million addresses so neither resets
 * a bucket, nor grows memory, nor gets past the limit.
 *
 * Memory: LIMIT_ENTRY_BYTES an entry, and about 650 KiB beside them.
 * Threads: any, but limit_table_new and _free. One short lock per call (rank LOCK_LIMIT).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "base/span.h"

#define LIMIT_ENTRY_BYTES 32
#define LIMIT_MEMORY_MIN ((size_t)64 << 10)
/* Limits that are told apart where newcomers share and in figures; 0 is for all beyond. */
#define LIMIT_GROUPS 256

struct limit_table;

/* A limit, by its names: the same as long as the table lives. */
struct limit_ref {
    uint64_t id;
    unsigned group; /* below LIMIT_GROUPS */
};

struct limit_key {
    struct hash128 hash;
    unsigned group;
};

/* A bucket holds room_ns / token_ns tokens and gets one every token_ns. */
struct limit_rate {
    uint64_t token_ns;
    uint64_t room_ns;
};

/* bytes: for the entries; rounded down to a power of two. */
struct limit_table *limit_table_new(size_t bytes);
void limit_table_free(struct limit_table **table); /* nulls *table; nothing may be held any more */

/* What it does to those who want more; two of one name but another use are two. */
enum limit_use {
    LIMIT_REFUSES, /* tokens and counts */
    LIMIT_SLOWS,   /* bytes */
};

/* What stands for a limit in its keys and figures. */
struct limit_ref limit_register(struct limit_table *table, enum limit_use use, struct span site,
                                struct span name);
/* kind tells apart what is told by different means. */
struct limit_key limit_key(const struct limit_table *table, const struct limit_ref *ref, char kind,
                           struct span who);
/* An address as it is counted: 4 bytes of IPv4 (also when mapped), the /64 of IPv6. Borrowed from
 * the address. */
struct span limit_client(const struct sockaddr *address);

/* count tokens every period_s, at most burst of them kept; all at least 1. */
struct limit_rate limit_rate(uint32_t count, uint32_t period_s, uint32_t burst);
/* Takes a token: returns 0. Or takes none and returns after how many nanoseconds there will be one.
 * A bucket that was filled under another rate never owes more than all of this one's tokens. */
uint64_t limit_take(struct limit_table *table, const struct limit_key *key,
                    const struct limit_rate *rate, uint64_t now_us);
/* The same for whoever has another way when there is none: that is not counted as refused. */
uint64_t limit_try(struct limit_table *table, const struct limit_key *key,
                   const struct limit_rate *rate, uint64_t now_us);
/* Puts back a token just taken. */
void limit_give_back(struct limit_table *table, const struct limit_key *key,
                     const struct limit_rate *rate, uint64_t now_us);

/* One more under way, of at most `most`: returns what limit_release wants, never 0. 0: there are so
 * many already. */
uint64_t limit_acquire(struct limit_table *table, const struct limit_key *key, uint32_t most,
                       uint64_t now_us);
void limit_release(struct limit_table *table, uint64_t hold, uint64_t now_us);

/* ---- bytes ---- */

/* How fast bytes may flow. */
struct limit_flow {
    uint64_t bytes_s;
    uint64_t room_ns; /* of what may come at once */
    uint32_t turn;    /* bytes to book at a time: some 30 ms, so that connections take turns */
};
#define LIMIT_FLOW_MIN_S ((uint64_t)1 << 10)
#define LIMIT_FLOW_MAX_S ((uint64_t)1 << 40)

/* bytes_s: LIMIT_FLOW_MIN_S..LIMIT_FLOW_MAX_S; burst: bytes, at most that many; 0: a tenth of a
 * second's, at least 4 KiB. */
struct limit_flow limit_flow(uint64_t bytes_s, uint64_t burst);
/* Books bytes (at most LIMIT_FLOW_MAX_S) and says after how many nanoseconds they may move; 0: now.
 * Who asks first moves first, whichever worker asks; who has booked need not ask again. So
 * connections that each book one turn at a time share the flow evenly. */
uint64_t limit_book(struct limit_table *table, const struct limit_key *key,
                    const struct limit_flow *flow, uint64_t bytes, uint64_t now_us);
/* Puts back what was booked and will not move. */
void limit_unbook(struct limit_table *table, const struct limit_key *key,
                  const struct limit_flow *flow, uint64_t bytes, uint64_t now_us);

struct limit_figures {
    uint64_t entries, in_use; /* in use: a bucket that is not full, or something under way */
    uint64_t bytes;           /* all memory of the table */
    uint64_t crowded;         /* calls so far that had to share, for want of room */
};
/* Looks at every entry: not for the path of a request. */
void limit_table_figures(struct limit_table *table, uint64_t now_us, struct limit_figures *out);
/* How often the limit of a group refused, or (*use) let bytes wait. site and name (static as long as
 * the table lives) are NULL when the group is not used; group 0 is "-", "-". */
uint64_t limit_refused(struct limit_table *table, unsigned group, enum limit_use *use,
                       const char **site, const char **name);

/* The quotas that belong to it, as long as the table lives. */
struct quota_store;
struct quota_store *limit_quotas(struct limit_table *table);
#endif
