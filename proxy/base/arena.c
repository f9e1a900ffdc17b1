/*
 * arena - blocks of growing size, newest first. Small requests live in one block of 2 KB; each
 * further block doubles up to 64 KB, so that a large head costs few allocations.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"

#define ARENA_ALIGN ((size_t)16)
#define ARENA_FIRST_BYTES ((size_t)2048)
#define ARENA_BLOCK_MAX_BYTES ((size_t)65536)

struct arena_block {
    struct arena_block *next;
    size_t bytes;
};

_Static_assert(sizeof(struct arena_block) % 16 == 0, "data behind the head must stay aligned");

void arena_init(struct arena *arena, size_t limit)
{
    *arena = (struct arena){.limit = limit};
}

static bool arena_grow(struct arena *arena, size_t need)
{
    size_t left = arena->limit - arena->used;
    size_t bytes = arena->blocks == NULL ? ARENA_FIRST_BYTES : arena->blocks->bytes * 2;

    if (bytes > ARENA_BLOCK_MAX_BYTES) {
        bytes = ARENA_BLOCK_MAX_BYTES;
    }
    if (need > left || sizeof(struct arena_block) > left - need) {
        return false;
    }
    if (bytes < need + sizeof(struct arena_block)) {
        bytes = need + sizeof(struct arena_block);
    }
    if (bytes > left) {
        bytes = left;
    }
    struct arena_block *block = mem_try(bytes);
    if (block == NULL) {
        return false;
    }
    block->next = arena->blocks;
    block->bytes = bytes;
    arena->blocks = block;
    arena->used += bytes;
    arena->at = (char *)(block + 1);
    arena->end = (char *)block + bytes;
    return true;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX - ARENA_ALIGN) {
        arena->overflow = true;
        return NULL;
    }
    size_t need = (bytes + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    if (need == 0) {
        need = ARENA_ALIGN;
    }
    if (arena->at == NULL || need > (size_t)(arena->end - arena->at)) {
        if (arena->overflow || !arena_grow(arena, need)) {
            arena->overflow = true;
            return NULL;
        }
    }
    void *result = arena->at;
    arena->at += need;
    return result;
}

struct span arena_copy(struct arena *arena, struct span data)
{
    char *copy = arena_alloc(arena, data.len);

    if (copy == NULL) {
        return (struct span){0};
    }
    if (data.len > 0) {
        memcpy(copy, data.ptr, data.len);
    }
    return span_of(copy, data.len);
}

struct span arena_join(struct arena *arena, struct span first, struct span second)
{
    char *at = arena_alloc(arena, first.len + second.len);

    if (at == NULL) {
        return (struct span){0};
    }
    if (first.len > 0) {
        memcpy(at, first.ptr, first.len);
    }
    if (second.len > 0) {
        memcpy(at + first.len, second.ptr, second.len);
    }
    return span_of(at, first.len + second.len);
}

char *arena_string(struct arena *arena, struct span text)
{
    char *copy = arena_alloc(arena, text.len + 1);

    if (copy == NULL) {
        return NULL;
    }
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    copy[text.len] = '\0';
    return copy;
}

struct span arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args;
    va_list again;

    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    CHECK(len >= 0);
    char *text = arena_alloc(arena, (size_t)len + 1);
    if (text != NULL) {
        (void)vsnprintf(text, (size_t)len + 1, fmt, again);
    }
    va_end(again);
    return text == NULL ? (struct span){0} : span_of(text, (size_t)len);
}

void arena_reset(struct arena *arena)
{
    struct arena_block *block = arena->blocks;

    while (block != NULL) {
        struct arena_block *next = block->next;
        mem_free(block);
        block = next;
    }
    arena_init(arena, arena->limit);
}
