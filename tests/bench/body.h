#ifndef BENCH_BODY_H
#define BENCH_BODY_H
/*
 * body - what the bench origin serves and the load generator expects: URL /o/SIZE/ID has a body of
 * SIZE bytes that starts at a place in one fixed pattern chosen by ID. Any other body is a wrong
 * byte.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BODY_SPREAD_BYTES = 1 << 20, /* ids choose an offset below this */
    BODY_MAX_BYTES = 16 << 20,
};

static inline char *body_pattern_new(void)
{
    size_t words = (BODY_SPREAD_BYTES + BODY_MAX_BYTES) / sizeof(uint64_t);
    uint64_t *pattern = malloc(words * sizeof(uint64_t));
    uint64_t x = 0x9e3779b97f4a7c15u;

    if (pattern == NULL) {
        fprintf(stderr, "no memory\n");
        exit(2);
    }
    for (size_t i = 0; i < words; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        pattern[i] = x;
    }
    return (char *)pattern;
}

static inline uint64_t body_mix(uint64_t id)
{
    id ^= id >> 33;
    id *= 0xff51afd7ed558ccdu;
    id ^= id >> 33;
    id *= 0xc4ceb9fe1a85ec53u;
    return id ^ (id >> 33);
}

static inline const char *body_of(const char *pattern, uint64_t id)
{
    return pattern + body_mix(id) % BODY_SPREAD_BYTES;
}
#endif
