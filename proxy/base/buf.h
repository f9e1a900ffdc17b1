#ifndef BASE_BUF_H
#define BASE_BUF_H
/*
 * buf - growable bytes with a hard limit and a sticky failure flag.
 * Threads: one owner. Ownership: buf_free gives the memory back.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct buf {
    char *data; /* terminated with a NUL that len does not count */
    size_t len;
    size_t cap;
    size_t limit; /* bytes; appends past it set failed and change nothing */
    bool failed;
};

void buf_init(struct buf *buf, size_t limit);
void buf_append(struct buf *buf, struct span data);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_put_u64(struct buf *buf, uint64_t value);
void buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct span buf_span(const struct buf *buf);
/* Empties it but keeps the memory. */
void buf_clear(struct buf *buf);
void buf_free(struct buf *buf);
#endif
