#ifndef BASE_ARENA_H
#define BASE_ARENA_H
/*
 * arena - bump memory of one request. Everything dies together at arena_reset. A cap bounds what a
 * request can make us hold; past it arena_alloc returns NULL and the sticky overflow flag is set,
 * so that a caller may do twenty steps and check once.
 *
 * Threads: one owner. Nothing in an arena may be referenced by the store, a mail or another thread.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    char *at;
    char *end;
    size_t used;  /* bytes in all blocks */
    size_t limit; /* bytes */
    bool overflow;
};

/* limit: the most bytes it may hold. No memory is taken before the first allocation. */
void arena_init(struct arena *arena, size_t limit);
/* 16-byte aligned, uninitialised; NULL past the limit. */
void *arena_alloc(struct arena *arena, size_t bytes);
/* A copy inside the arena; empty span with NULL ptr past the limit. */
struct span arena_copy(struct arena *arena, struct span data);
/* Both, one behind the other; far cheaper than arena_printf. Empty span with NULL ptr past the limit. */
struct span arena_join(struct arena *arena, struct span first, struct span second);
/* A terminated copy; NULL past the limit. */
char *arena_string(struct arena *arena, struct span text);
/* printf into the arena; empty span past the limit. */
struct span arena_printf(struct arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Gives all memory back and clears the flag. */
void arena_reset(struct arena *arena);
#endif
