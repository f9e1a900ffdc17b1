#ifndef BASE_MEM_H
#define BASE_MEM_H
/*
 * mem - the one door to the heap, so that every allocation says how it may fail.
 *
 * mem_new/mem_copy: small, fixed-size things of our own; the process ends when they are refused.
 * mem_try:          anything whose size an outsider picks; NULL when refused, and the caller
 * degrades.
 */
#include <stddef.h>

/* Zeroed memory; aborts when refused. Owned by the caller, freed with mem_free. */
void *mem_new(size_t bytes);
/* Uninitialised memory or NULL. */
void *mem_try(size_t bytes);
/* The same, at a multiple of alignment, which is a power of two. */
void *mem_try_aligned(size_t alignment, size_t bytes);
/* Resizes; NULL (and the old block untouched) when refused. */
void *mem_try_resize(void *block, size_t bytes);
/* A terminated copy of len bytes; aborts when refused. */
char *mem_copy(const char *ptr, size_t len);
/* Bytes the allocator really set aside for this block (at least what was asked). */
size_t mem_usable(const void *block);
void mem_free(void *block);
/* Sets the allocator up for a long-running server: call once, before any thread starts. */
void mem_setup(void);
#endif
