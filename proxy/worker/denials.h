#ifndef WORKER_DENIALS_H
#define WORKER_DENIALS_H
/*
 * denials - the last requests that forward proxies refused, newest first: a ring of fixed size.
 *
 * Threads: any (rank LOCK_STATS). Memory: DENIALS_KEPT entries, about 1.3 MiB, had with the first one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "record/record.h"

#define DENIALS_KEPT 1000u

/* Text that is longer is cut; never NULL. */
struct denial {
    uint64_t id;         /* from 1, one more each time */
    uint64_t request_id; /* as in the log, and on the page its client saw */
    int64_t wall_ms;
    uint16_t status;
    uint16_t port;
    char forward[64], rule[64], why[160];
    char client[64], user[64];
    char method[24], scheme[8], host[256], path[512];
};

struct denials_filter { /* NULL: any */
    const char *forward, *rule, *client, *user;
    const char *host;   /* that name, or one below it */
    uint64_t before_id; /* 0: from the newest on */
};

struct denials;

struct denials *denials_new(void);
void denials_free(struct denials **denials);
/* record: of a forward proxy. */
void denials_add(struct denials *denials, const struct record *record);
/* Newest first. Returns how many were filled; *more: there are others, older than the last. */
size_t denials_list(struct denials *denials, const struct denials_filter *filter,
                    struct denial *out, size_t max, bool *more);
/* How many there were since the start. */
uint64_t denials_seen(struct denials *denials);

/* The name of the forward proxy, "office" of the site "forward:office". */
struct span denial_forward(const struct record *record);
/* Of "example.org:8080" the host without brackets, and the port; without one that of the scheme
 * ("connect" has none: 0). */
struct span denial_host(struct span authority, struct span scheme, uint16_t *port);
#endif
