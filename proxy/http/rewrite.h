#ifndef HTTP_REWRITE_H
#define HTTP_REWRITE_H
/*
 * rewrite - the target as the origin has it, and what the origin says of itself (Location,
 * Content-Location: RFC 9110 10.2.2, 8.7) as the public has it. Percent-encoding stays as it is.
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* Both as http_path_fold writes, without a "/" at the end; empty: nothing. */
struct http_rewrite {
    struct span strip; /* taken off the front of the path, when it is there in whole segments */
    struct span add;   /* then put before it */
};

/* Room http_rewrite_target may need at most. */
static inline size_t http_rewrite_bytes(const struct http_rewrite *rewrite, struct span target)
{
    return rewrite->add.len + target.len + 1;
}

/* The target with another path; the query stays. Itself when nothing changes, or it does not begin
 * with "/". *is_stripped: was the prefix there? */
struct span http_rewrite_target(char *out, struct span target, const struct http_rewrite *rewrite,
                                bool *is_stripped);

/* How one request was sent on. */
struct http_rewrite_back {
    struct http_rewrite rewrite; /* as it was applied: strip empty when the prefix was not there */
    struct span client;          /* authority the client asked */
    struct span host;            /* Host the origin was sent */
    struct span server;          /* authority of the origin itself */
    struct span scheme;          /* towards the origin: "http" or "https" */
};

/* Room http_rewrite_reference may need at most. */
static inline size_t http_rewrite_reference_bytes(const struct http_rewrite_back *back,
                                                  struct span reference)
{
    return back->rewrite.strip.len + reference.len + 1;
}

/* A URI reference of the origin as the client may follow it: the origin's own scheme and authority
 * go, so that the rest is read against what the client asked, and the path becomes the public one.
 * References to others, relative ones, and what has no public path stay as they are. */
struct span http_rewrite_reference(char *out, struct span reference,
                                   const struct http_rewrite_back *back);
#endif
