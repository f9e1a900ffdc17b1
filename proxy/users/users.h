#ifndef USERS_USERS_H
#define USERS_USERS_H
/*
 * users - is this the password of that user? Hashing it takes milliseconds on purpose, so that is done
 * on threads of its own, once: those who ask the same meanwhile wait for the one answer, and what was
 * found out is remembered in fixed room, for as long as it is used.
 *
 * What is remembered is a keyed hash (BLAKE2b under a secret of this process) of the user's line, the
 * name and the password, never the password. A line that a reload changes makes another hash of it, so
 * nothing has to be forgotten and every other user stays proven. A name that nobody has is hashed like
 * one of the others, and takes as long.
 *
 * Clients take turns (turns.h): however much others have waiting, a newcomer waits for about one hash
 * of each, and those whose last password was wrong stand behind. When there is no room for his, one of
 * who has most waiting makes room.
 *
 * Guessing is not counted here. Who counts (exchange_login.c) asks in this order: users_ask; then
 * users_join; then, if the client may guess once more, users_begin.
 *
 * Threads:   users_new and _free from the service, the rest from the desk's own loop. Locks are short
 *            (LOCK_QUEUE, LOCK_USERS); no lock is held while hashing.
 * Ownership: a question borrows for the call.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "conf/conf_auth.h"
#include "net/loop.h"

struct users;
struct users_desk; /* of one loop */
struct users_wait; /* of one who waits */

#define USERS_MAC_BYTES 16u
#define USERS_WHO_MAX 16u
#define USERS_DEPOSIT_WORDS 8u

struct users_options {
    unsigned threads;   /* 1..8; they start with the first password */
    unsigned queue_max; /* checks that wait or run */
    size_t remembered;  /* right passwords; a power of two >= 256. Wrong ones: a quarter */
};

/* The threads need the mailboxes of the loops until users_free, and those must be delivered once more
 * behind it. */
struct users *users_new(const struct users_options *options);
void users_free(struct users **users); /* nulls *users; NULL inside is fine. The desks have gone */

struct users_desk *users_desk_new(struct users *users, struct loop *loop);
void users_desk_free(struct users_desk **desk);

struct users_question {
    const struct conf_auth *auth;
    struct span name, password; /* as users_credentials_read gives them */
    struct span who;            /* whose guesses count together: a client; at most USERS_WHO_MAX */
    /* set by users_ask: */
    const struct conf_user *user; /* of that name; NULL: nobody */
    uint8_t mac[USERS_MAC_BYTES];
};

enum users_answer {
    USERS_RIGHT,
    USERS_WRONG,
    USERS_NEW,    /* it is not known */
    USERS_WAIT,   /* done() follows */
    USERS_JOINED, /* the same, and it was being found out already */
    USERS_AGAIN,  /* by done() only: something else has been found out: ask again */
    USERS_FULL,   /* too much is to be found out already; by done() too, before it was begun */
};

/* Who waits. done is told RIGHT, WRONG, AGAIN or FULL, in the loop and never from inside; *wait is gone
 * then. */
struct users_waiter {
    void (*done)(void *ctx, enum users_answer answer);
    void *ctx;
};

/* What a guess costs its client, until it turns out right: then a thread of users gives it back, before
 * users_join counts that password no more. So who asks next meets the one or the other. */
struct users_deposit {
    void (*give_back)(const struct users_deposit *deposit); /* without a lock of ours */
    uint64_t what[USERS_DEPOSIT_WORDS];                     /* the caller's */
};

/* From memory: RIGHT, WRONG or NEW. */
enum users_answer users_ask(struct users_desk *desk, struct users_question *question);
/* Behind USERS_NEW. Waits (WAIT, *wait is set) if the same is being found out, or if `most` or more
 * passwords from this client are: whether one more may be tried will be seen then. Else NEW. */
enum users_answer users_join(struct users_desk *desk, const struct users_question *question,
                             unsigned most, const struct users_waiter *waiter,
                             struct users_wait **wait);
/* Behind USERS_NEW of users_join. Finds it out: WAIT or JOINED (*wait is set), FULL; or RIGHT or WRONG
 * when another desk just has. deposit (NULL: none) is copied, and taken over with WAIT only. */
enum users_answer users_begin(struct users_desk *desk, const struct users_question *question,
                              const struct users_deposit *deposit,
                              const struct users_waiter *waiter, struct users_wait **wait);
/* done will not be called. What nobody waits for any more and has not begun is dropped. Nulls *wait;
 * NULL inside is fine. */
void users_cancel(struct users_wait **wait);

struct users_figures {
    uint64_t right, wrong; /* hashed so far, by result */
    uint64_t full;         /* turned away, at once or by another client's turn */
    unsigned checks;       /* that wait or run now */
};
void users_figures(struct users *users, struct users_figures *out);
#endif
