#ifndef HTTP_QUERY_H
#define HTTP_QUERY_H
/*
 * query - the query of a target without the parameters that do not count, and sorted (RFC 3986
 * 3.4). What is left keeps its bytes, duplicates and empty values, and without sorting its order.
 * Threads: any; pure.
 */
#include <stdbool.h>

#include "base/span.h"

struct http_query_options {
    const struct span *ignore; /* patterns (glob.h) of names */
    unsigned ignore_count;
    bool sort; /* by the bytes of the name; equal names keep their order */
};

/* Is there anything to do for this target? One test when nothing is set. */
static inline bool http_query_applies(const struct http_query_options *options, struct span target)
{
    return (options->ignore_count > 0 || options->sort) && target.len > 0 &&
           memchr(target.ptr, '?', target.len) != NULL;
}

/* Bytes of room for this target, to be aligned to 8. */
size_t http_query_room(struct span target);
/* The target as it counts: itself when nothing changes, else bytes in room. "?" goes only when all
 * parameters were dropped. */
struct span http_query_normal(char *room, struct span target,
                              const struct http_query_options *options);
#endif
