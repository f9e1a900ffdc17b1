#ifndef DEMO_PAGES_H
#define DEMO_PAGES_H
/*
 * demo_pages - what the demo site says: a pure function from a path to an answer.
 * Threads: any. Ownership: the answer's body buffer belongs to the caller (buf_free).
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

struct demo_page {
    unsigned status;
    const char *type;          /* static */
    const char *cache_control; /* static */
    struct buf body;           /* empty when pattern_bytes is not 0 */
    uint64_t pattern_bytes;    /* length of a body made by demo_pattern_fill() */
    uint64_t etag;
};

enum {
    DEMO_ARTICLE_COUNT = 200,
    DEMO_PICTURE_COUNT = 12,
};

/* path: the request target, query included. now_ms: wall time, Unix milliseconds. */
void demo_page_make(struct span path, int64_t now_ms, struct demo_page *out);
/* The bytes of the large file from offset on. */
void demo_pattern_fill(char *out, size_t len, uint64_t offset);
#endif
