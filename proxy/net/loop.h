#ifndef NET_LOOP_H
#define NET_LOOP_H
/*
 * loop - one worker's epoll round: descriptors, timers, deferred calls, mailbox, cached time.
 *
 * Level-triggered; a registration is left unchanged for the life of a connection wherever possible.
 * Timers live in a wheel of 16 ms slots; owners of frequently moved deadlines keep the deadline
 * themselves and let the timer fire and re-arm, so that the hit path touches no timer.
 *
 * Threads:   everything from the loop's own thread, but loop_stop and posts to the mailbox.
 * Ownership: watches, timers and tasks are embedded in their owners, which remove them before
 * dying; removal is safe at any moment, also from inside another watch's callback in the same
 * round.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/span.h"

struct loop;

/* One watched descriptor. */
struct loop_watch {
    void (*ready)(struct loop_watch *watch, uint32_t events); /* EPOLLIN | EPOLLOUT | ... */
    int fd;
    uint32_t events; /* what is registered; 0: nothing */
};

struct loop_timer {
    struct list node;
    uint64_t at_us; /* monotonic */
    void (*fire)(struct loop_timer *timer);
};

/* Runs once at the end of the current round. */
struct loop_task {
    struct list node;
    void (*run)(struct loop_task *task);
};

/* NULL when the kernel refuses epoll or an eventfd. */
struct loop *loop_new(void);
void loop_free(struct loop **loop);
/* Runs until loop_stop. Each round: wait, ready callbacks, mailbox, timers, tasks. */
void loop_run(struct loop *loop);
/* Any thread. The round under way ends, then loop_run returns. */
void loop_stop(struct loop *loop);
struct mailbox *loop_mailbox(struct loop *loop);

MUST_USE enum err loop_watch_add(struct loop *loop, struct loop_watch *watch, uint32_t events);
/* events 0 removes it; EPOLLERR alone keeps it for errors and hang-up only. */
void loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events);
/* Before close(fd). Harmless when not registered. */
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);
/* The same without the system call: the descriptor is closed next, and nobody has a copy of it. */
void loop_watch_forget(struct loop *loop, struct loop_watch *watch);
/* The registration of `from` becomes that of `to`, whose fd is the same. to->events 0: the kernel
 * refuses. */
void loop_watch_pass(struct loop *loop, struct loop_watch *from, struct loop_watch *to,
                     uint32_t events);

void loop_timer_init(struct loop_timer *timer, void (*fire)(struct loop_timer *timer));
/* Sets or moves. delay in microseconds from now. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t delay_us);
void loop_timer_clear(struct loop_timer *timer);

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *task));
/* Once per round however often asked. */
void loop_task_defer(struct loop *loop, struct loop_task *task);
void loop_task_clear(struct loop_task *task);

/* Cached at the start of each round and each mailbox batch. */
uint64_t loop_now_us(const struct loop *loop); /* monotonic */
int64_t loop_wall_ms(const struct loop *loop); /* Unix milliseconds */
/* IMF-fixdate of now, 29 bytes, refreshed once a second. */
struct span loop_http_date(struct loop *loop);
#endif
