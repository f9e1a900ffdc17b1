#ifndef ORIGIN_DIRECTORY_H
#define ORIGIN_DIRECTORY_H
/*
 * directory - the addresses of any host name, for requests whose client names the server: the hosts
 * file and DNS (A and AAAA, CNAME followed), as absolute names: no search domains, so that a name
 * means what the rules took it for. Shared by all workers. Lookups run on the watch thread
 * (resolve.h), one per name however many ask; who waits for it is told by its own loop.
 *
 * Answers are kept as long as they say, but 1 s at least and 5 min at most; that there is no such
 * name 10 s; that DNS failed 1 s, 2 s, ... 30 s. While DNS fails, or is silent for a second, the last
 * good answer is used, up to a day old; and of a name that is new, the addresses of the family that
 * has been answered for (RFC 8305 section 3). At most 65,536 names are kept (about 500 bytes each), the
 * ones asked for last; at most 1,000 are being looked up.
 *
 * Threads: any; a wait belongs to its loop. A known name costs one probe of a table under a short
 * lock. Nothing here blocks.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/span.h"
#include "net/loop.h"

struct directory;

#define DIRECTORY_ADDRESSES_MAX 8u

/* In the order in which to try them: those that took no connection a moment ago last. */
struct directory_addresses {
    unsigned count;
    bool is_partial; /* of one family: DNS has not answered for the other one for a second. If none
                        of these will do, ask again with wants_all */
    struct sockaddr_storage list[DIRECTORY_ADDRESSES_MAX]; /* AF_INET or AF_INET6, port 0; never
                                                              IPv4 mapped into IPv6 */
};

enum directory_answer {
    DIRECTORY_FOUND,  /* at least one; a literal address, in whatever spelling, is its own */
    DIRECTORY_WAIT,   /* wake follows, in the loop: ask again then */
    DIRECTORY_NONE,   /* there is no such name, it has no address, or it cannot be a name */
    DIRECTORY_FAILED, /* DNS does not know, and never did for this name */
    DIRECTORY_SILENT, /* the same: it did not answer in time (10 s) */
    DIRECTORY_BUSY,   /* too many names are being looked up */
};

struct directory_wait; /* of one who waits */

/* Who asks, and is told where. */
struct directory_asker {
    struct loop *loop;
    void (*wake)(void *ctx);
    void *ctx;
    bool wants_all; /* addresses of one family will not do while the other may follow */
};

/* host: lower case, no port, no brackets; a dot at its end is fine. Only with WAIT, *wait is set, and
 * asker->wake is called once, in its loop and never from inside; the wait is gone then. */
enum directory_answer directory_find(struct directory *directory, struct span host,
                                     struct directory_addresses *out,
                                     const struct directory_asker *asker,
                                     struct directory_wait **wait);
/* wake will not be called. Nulls *wait; NULL inside is fine. */
void directory_cancel(struct directory_wait **wait);
/* A connection to this address of the host could not be made, or (false) was: for 30 s it comes
 * last. */
void directory_note(struct directory *directory, struct span host, const struct sockaddr *address,
                    bool is_broken, uint64_t now_us);

struct directory_figures {
    uint64_t names, looking_up; /* now */
    uint64_t answers;           /* from what is known, to those who had waited for it as well */
    uint64_t lookups;           /* begun */
    uint64_t negatives, failures, timeouts; /* how lookups ended that found nothing */
    uint64_t stale;                         /* answers older than their time to live were given */
    uint64_t busy;                          /* refused: too many lookups */
};
void directory_figures(struct directory *directory, struct directory_figures *out);
#endif
