#ifndef ORIGIN_DIRECTORY_H
#define ORIGIN_DIRECTORY_H
/*
 * directory - the addresses of any host name, for requests whose client names the server: what DNS
 * says, kept as long as it says, shared by all workers. Lookups run on the watch thread
 * (resolve.h); who asks for a name that is being looked up is told by its own loop.
 *
 * Threads: directory_find from any loop's thread; a wait belongs to its loop. Nothing here blocks.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/span.h"
#include "net/loop.h"

struct directory;

#define DIRECTORY_ADDRESSES_MAX 8u

struct directory_addresses {
    unsigned count;
    struct sockaddr_storage list[DIRECTORY_ADDRESSES_MAX]; /* AF_INET or AF_INET6, port 0 */
};

enum directory_answer {
    DIRECTORY_FOUND,  /* at least one; a literal address is its own */
    DIRECTORY_WAIT,   /* wake follows, in the loop: ask again then */
    DIRECTORY_NONE,   /* there is no such name */
    DIRECTORY_FAILED, /* DNS does not answer, and never did for this name */
};

struct directory_wait; /* of one who waits */

/* host: lower case, no port, no brackets. Only with WAIT, *wait is set, and wake(ctx) is called once,
 * in loop and never from inside; the wait is gone then. */
enum directory_answer directory_find(struct directory *directory, struct span host,
                                     struct directory_addresses *out, struct loop *loop,
                                     void (*wake)(void *ctx), void *ctx,
                                     struct directory_wait **wait);
/* wake will not be called. Nulls *wait; NULL inside is fine. */
void directory_cancel(struct directory_wait **wait);
#endif
