#ifndef BASE_HASH_H
#define BASE_HASH_H
/*
 * hash - XXH3 with a random secret per process or store, so that outsiders cannot choose
 * collisions. Tables that matter compare the full key as well.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct hash128 {
    uint64_t lo;
    uint64_t hi;
};

struct hash_seed {
    uint64_t value;
};

struct hash128 hash128(struct hash_seed seed, struct span data);
uint64_t hash64(struct hash_seed seed, struct span data);
/* Fills bytes from the kernel's random source; aborts when it cannot. */
void random_bytes(void *out, size_t len);
#endif
