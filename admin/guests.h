#ifndef ADMIN_GUESTS_H
#define ADMIN_GUESTS_H
/*
 * guests - the connections of one door. libmicrohttpd takes no more when its limit is reached, so
 * whoever opens connections and sends nothing could keep everybody out. Here the one that has kept
 * us waiting for a request for longest makes room for the next.
 *
 * Threads: the door's own; each door has its own guests.
 */
#include <stdbool.h>

#include "base/list.h"

struct guests {
    unsigned count;
    unsigned room;       /* with more than these, each newcomer costs the place of one that waits */
    bool is_crowded;     /* said so in the log */
    struct list waiting; /* without a whole request; the oldest first */
};

struct guest {
    struct guests *all;
    struct list node;
    int fd; /* borrowed */
};

void guests_init(struct guests *guests, unsigned room);
/* A new connection, which waits. Hangs up on the oldest waiting one when there is no room. */
struct guest *guest_new(struct guests *guests, int fd);
/* Its request is here as a whole; from now on it may not be hung up on. */
void guest_is_served(struct guest *guest);
/* The answer is out, or the request was given up: it waits for the next. */
void guest_waits(struct guest *guest);
/* Before its descriptor is closed. Nulls *guest. */
void guest_free(struct guest **guest);
#endif
