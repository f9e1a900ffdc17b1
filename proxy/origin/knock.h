#ifndef ORIGIN_KNOCK_H
#define ORIGIN_KNOCK_H
/*
 * knock - does this address take a TCP connection? It is closed at once.
 *
 * Threads: the loop's own. Ownership: embedded in its owner, who cancels it before dying.
 */
#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"

struct knock {
    struct loop *loop;
    struct loop_watch watch;
    struct loop_timer timer;
    bool is_busy;
    int error; /* known at once; told by the timer */
    uint64_t started_us;
    /* error: 0, or an errno (ETIMEDOUT for ours). Not from inside knock_start; may start again. */
    void (*done)(struct knock *knock, int error, uint64_t took_us);
};

void knock_init(struct knock *knock, struct loop *loop,
                void (*done)(struct knock *knock, int error, uint64_t took_us));
/* address: literal, no brackets. Not while it is busy. */
void knock_start(struct knock *knock, const char *address, unsigned port, uint64_t timeout_us);
void knock_cancel(struct knock *knock);
#endif
