#ifndef USERS_TURNS_H
#define USERS_TURNS_H
/*
 * turns - who is served next: a queue in which clients take turns, so that one who brings much, or many
 * who bring much each, hold up a newcomer for one turn each and not for all they brought.
 *
 * Those whose last password was wrong within the last minute have a round of their own, behind: while
 * others wait they have one turn in TURNS_BEHIND. What one client brought is served in its order.
 *
 * Room: an entry a client with something waiting, and 16 KiB for who failed.
 * Threads: none of its own; whoever owns it holds a lock. Adding, noting and turns_least walk over the
 * clients that wait.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/span.h"

#define TURNS_WHO_MAX 16u
#define TURNS_BEHIND 4u
#define TURNS_FAILED_US ((uint64_t)60 * 1000000)

struct turns;
struct turns_client;

/* Part of what waits; zeroed while it does not. */
struct turns_item {
    struct list node;
    struct turns_client *client; /* NULL: it does not wait */
};

struct turns *turns_new(void);
void turns_free(struct turns **turns); /* with nothing waiting. Nulls *turns; NULL inside is fine */

/* who: at most TURNS_WHO_MAX bytes, copied; none are somebody as well. */
void turns_add(struct turns *turns, struct turns_item *item, struct span who, uint64_t now_us);
/* The next one, which waits no more; NULL: none does. */
struct turns_item *turns_next(struct turns *turns);
/* It waits no more; also if it did not. */
void turns_remove(struct turns_item *item);
/* How the last password of a client turned out. */
void turns_note(struct turns *turns, struct span who, bool is_right, uint64_t now_us);
/* Which one ought to make room for another of who: the last of the client with the most, if that has
 * more than who would have then, or as many and has failed where who has not. NULL: none. */
struct turns_item *turns_least(struct turns *turns, struct span who, uint64_t now_us);
#endif
