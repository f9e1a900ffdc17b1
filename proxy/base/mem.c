/* mem - thin doors to malloc, so that each call says how it may fail. */
#include "base/mem.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void *mem_new(size_t bytes)
{
    void *block = calloc(1, bytes == 0 ? 1 : bytes);

    CHECK(block != NULL);
    return block;
}

void *mem_try(size_t bytes)
{
    return malloc(bytes == 0 ? 1 : bytes);
}

void *mem_try_aligned(size_t alignment, size_t bytes)
{
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void *mem_try_resize(void *block, size_t bytes)
{
    return realloc(block, bytes == 0 ? 1 : bytes);
}

char *mem_copy(const char *ptr, size_t len)
{
    char *copy = malloc(len + 1);

    CHECK(len < SIZE_MAX && copy != NULL);
    if (len > 0) {
        memcpy(copy, ptr, len);
    }
    copy[len] = '\0';
    return copy;
}

size_t mem_usable(const void *block)
{
    /* The C library's prototype lacks the const; it only reads the block's own head. */
    return malloc_usable_size((void *)block);
}

void mem_free(void *block)
{
    free(block);
}

void mem_setup(void)
{
    /* Transfer buffers of 128 KB and more would otherwise be mapped and unmapped per request (168
     * us against 89 us for a 100 KB fetch); few arenas keep the footprint of idle threads small.
     * Under another allocator these calls do nothing. */
    // NOLINTBEGIN(concurrency-mt-unsafe): before any thread starts, as the header demands
    (void)mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);
    (void)mallopt(M_TRIM_THRESHOLD, 256 * 1024 * 1024);
    (void)mallopt(M_ARENA_MAX, 4);
    // NOLINTEND(concurrency-mt-unsafe)
}
