#ifndef STORE_RAM_H
#define STORE_RAM_H
/*
 * ram - the RAM tier: a strict byte budget over everything (objects, pieces, fills, index) and an
 * S3-FIFO per shard. New objects enter `small` (a tenth); what is hit there moves to `main`, what
 * is not leaves and is remembered in `ghost`; whoever comes back from there enters `main` at once.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/index.h"
#include "store/object.h"

enum ram_queue {
    RAM_QUEUE_NONE,
    RAM_QUEUE_SMALL,
    RAM_QUEUE_MAIN,
};

struct ram {
    _Atomic uint64_t budget;
    _Atomic uint64_t used;
    _Atomic uint32_t next_shard; /* where the next victim is sought */
};

void ram_init_shard(struct shard *shard);
void ram_fini_shard(struct shard *shard);
/* [shard] */
void ram_insert(struct shard *shard, struct store_object *object);
void ram_remove(struct shard *shard, struct store_object *object);

/* Counts bytes about to be allocated and evicts until the budget holds. No lock may be held.
 * False: it does not hold because all that is left is in use; the bytes are counted all the same.
 */
bool ram_reserve(struct store *store, uint64_t bytes);
/* Counts without evicting: under locks, small things. */
void ram_count(struct store *store, uint64_t bytes);
void ram_release(struct store *store, uint64_t bytes);
/* Evicts until used <= budget; false when it cannot. No lock may be held. */
bool ram_trim(struct store *store);
/* Larger objects are never wholly in memory. */
uint64_t ram_object_limit(const struct store *store);
bool ram_is_tight(const struct store *store);
#endif
