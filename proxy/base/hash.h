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
/* hash64 of the parts, one behind the other. */
uint64_t hash64_parts(struct hash_seed seed, const struct span *parts, size_t count);
/* Fills bytes from the kernel's random source; aborts when it cannot. */
void random_bytes(void *out, size_t len);
#endif
