#ifndef ORIGIN_RESOLVE_H
#define ORIGIN_RESOLVE_H
/*
 * resolve - looks names up by c-ares inside a loop: the hosts file, then DNS (A and AAAA, CNAME
 * followed). What only getaddrinfo knows (mDNS, other sources of nsswitch.conf) is not asked.
 *
 * Threads: the loop's own. Reads small files of the system: not for a worker's loop.
 */
#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "net/loop.h"
#include "origin/names.h"

struct resolver;
struct lookup;

enum resolve_kind {
    RESOLVE_LIKE_SYSTEM, /* with the search domains of /etc/resolv.conf */
    RESOLVE_ABSOLUTE,    /* names are whole as they are */
};

/* servers: ADDRESS:PORT each; none: those of /etc/resolv.conf, as it is now. NULL when it cannot be
 * set up. */
struct resolver *resolver_new(struct loop *loop, const struct conf_names *servers,
                              enum resolve_kind kind);
/* Lookups under way are never told. Nulls *resolver; NULL inside is fine. */
void resolver_free(struct resolver **resolver);
/* Calls done once, never from inside; or twice, when DNS has had addresses of only one family for a
 * second: then first with those (is_partial), and the lookup goes on. ttl_s: 0 unless FOUND. Lives
 * until the last done has returned. */
struct lookup *
lookup_start(struct resolver *resolver, const char *host,
             void (*done)(void *ctx, const struct names_result *result, uint32_t ttl_s), void *ctx);
/* done will not be called any more. Nulls *lookup; NULL inside is fine. */
void lookup_cancel(struct lookup **lookup);
#endif
