/*
 * loop - epoll with the watch's own address as its datum.
 *
 * A watch removed inside a round is wiped from the events of that round that were not yet
 * delivered; that costs a scan of at most LOOP_EVENTS entries per removal and nothing per event (a
 * table of slots with generations would cost a cache line per event).
 *
 * Timers: a hashed wheel. A slot holds all timers whose tick is equal modulo the wheel's size;
 * those of a later lap stay where they are when their slot comes by. next_tick is a lower bound of
 * the earliest busy slot, so that a round without due timers compares two numbers and touches
 * nothing else. The bitmap of busy slots is cleared lazily, because loop_timer_clear knows no loop.
 */
#include "net/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/date.h"

enum {
    LOOP_EVENTS = 256,  /* taken from the kernel per round */
    WHEEL_SLOTS = 4096, /* one lap is 65 s */
    WHEEL_WORDS = WHEEL_SLOTS / 64,
};
#define WHEEL_TICK_US ((uint64_t)16000)
#define LOOP_WAIT_MAX_MS 60000

struct loop {
    int epoll;
    int event_count;
    int event_at; /* the one being delivered */
    bool mail_waiting;
    bool stopped;
    _Atomic bool stop_posted;
    uint64_t now_us;
    int64_t wall_ms;
    int64_t date_s;     /* what date[] says */
    uint64_t done_tick; /* slots up to here were run */
    uint64_t next_tick; /* no timer is due before it; UINT64_MAX: none set */
    struct list tasks;
    struct mailbox mailbox;
    struct loop_watch mailbox_watch;
    struct mail stop_mail;
    char date[HTTP_DATE_BYTES];
    uint64_t busy[WHEEL_WORDS];
    struct list wheel[WHEEL_SLOTS];
    struct epoll_event events[LOOP_EVENTS];
};

static void loop_clock_read(struct loop *loop)
{
    loop->now_us = clock_mono_us();
    loop->wall_ms = clock_wall_ms();
}

static void loop_mailbox_ready(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    CONTAINER_OF(watch, struct loop, mailbox_watch)->mail_waiting = true;
}

static void loop_stop_deliver(struct mail *mail)
{
    CONTAINER_OF(mail, struct loop, stop_mail)->stopped = true;
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_new(sizeof(*loop));

    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0) {
        mem_free(loop);
        return NULL;
    }
    loop_clock_read(loop);
    loop->date_s = -1;
    loop->done_tick = loop->now_us / WHEEL_TICK_US;
    loop->next_tick = UINT64_MAX;
    atomic_init(&loop->stop_posted, false);
    list_init(&loop->tasks);
    for (unsigned i = 0; i < WHEEL_SLOTS; i++) {
        list_init(&loop->wheel[i]);
    }
    mailbox_init(&loop->mailbox);
    loop->stop_mail.deliver = loop_stop_deliver;
    loop->mailbox_watch = (struct loop_watch){.ready = loop_mailbox_ready, .fd = loop->mailbox.fd};
    if (loop_watch_add(loop, &loop->mailbox_watch, EPOLLIN) != ERR_OK) {
        loop_free(&loop);
    }
    return loop;
}

void loop_free(struct loop **loop)
{
    if (*loop == NULL) {
        return;
    }
    /* A mail may post another one. */
    while (mailbox_deliver(&(*loop)->mailbox) > 0) {
    }
    mailbox_fini(&(*loop)->mailbox);
    (void)close((*loop)->epoll);
    mem_free(*loop);
    *loop = NULL;
}

struct mailbox *loop_mailbox(struct loop *loop)
{
    return &loop->mailbox;
}

void loop_stop(struct loop *loop)
{
    if (!atomic_exchange_explicit(&loop->stop_posted, true, memory_order_acq_rel)) {
        mailbox_post(&loop->mailbox, &loop->stop_mail);
    }
}

/* ---- watches ---- */

enum err loop_watch_add(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = watch}};

    CHECK(watch->events == 0 && events != 0);
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event) != 0) {
        return errno == ENOMEM || errno == ENOSPC ? ERR_NOMEM : ERR_IO;
    }
    watch->events = events;
    return ERR_OK;
}

void loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = watch}};

    if (events == watch->events) {
        return;
    }
    if (events == 0) {
        loop_watch_remove(loop, watch);
        return;
    }
    int op = watch->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(loop->epoll, op, watch->fd, &event) != 0) {
        /* Out of kernel memory: the owner's deadline ends what waits for this descriptor. */
        log_error("epoll_refused", "fd=%d errno=%d", watch->fd, errno);
        return;
    }
    watch->events = events;
}

void loop_watch_forget(struct loop *loop, struct loop_watch *watch)
{
    watch->events = 0;
    for (int i = loop->event_at; i < loop->event_count; i++) {
        if (loop->events[i].data.ptr == watch) {
            loop->events[i].data.ptr = NULL;
        }
    }
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch)
{
    if (watch->events != 0) {
        (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
        loop_watch_forget(loop, watch);
    }
}

void loop_watch_pass(struct loop *loop, struct loop_watch *from, struct loop_watch *to,
                     uint32_t events)
{
    CHECK(to->events == 0 && to->fd == from->fd && events != 0);
    to->events = from->events == 0 ? 0 : ~events; /* the kernel is to hear of `to` in any case */
    loop_watch_forget(loop, from);
    loop_watch_change(loop, to, events);
    if (to->events != events) {
        loop_watch_remove(loop, to); /* it must not name `from` any more */
    }
}

/* ---- timers ---- */

void loop_timer_init(struct loop_timer *timer, void (*fire)(struct loop_timer *timer))
{
    list_init(&timer->node);
    timer->at_us = 0;
    timer->fire = fire;
}

static uint64_t loop_tick_of(uint64_t at_us)
{
    return (at_us + WHEEL_TICK_US - 1) / WHEEL_TICK_US;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t delay_us)
{
    /* A year is for ever; keeps the sum from wrapping. */
    const uint64_t delay_max_us = (uint64_t)365 * 86400 * 1000000;

    list_remove(&timer->node);
    timer->at_us = loop->now_us + (delay_us < delay_max_us ? delay_us : delay_max_us);
    uint64_t tick = loop_tick_of(timer->at_us);
    if (tick <= loop->done_tick) {
        tick = loop->done_tick + 1; /* its slot was run already */
    }
    uint64_t slot = tick % WHEEL_SLOTS;
    list_push(&loop->wheel[slot], &timer->node);
    loop->busy[slot / 64] |= (uint64_t)1 << (slot % 64);
    if (tick < loop->next_tick) {
        loop->next_tick = tick;
    }
}

void loop_timer_clear(struct loop_timer *timer)
{
    list_remove(&timer->node);
}

/* The first busy slot behind `from`, as a tick; UINT64_MAX when the wheel is empty. */
static uint64_t loop_tick_find(struct loop *loop, uint64_t from)
{
    for (uint64_t tick = from + 1; tick <= from + WHEEL_SLOTS;) {
        uint64_t slot = tick % WHEEL_SLOTS;
        uint64_t word = loop->busy[slot / 64] >> (slot % 64);
        if (word == 0) {
            tick += 64 - slot % 64;
            continue;
        }
        unsigned skip = (unsigned)__builtin_ctzll(word);
        tick += skip;
        slot += skip;
        if (!list_is_empty(&loop->wheel[slot])) {
            return tick;
        }
        loop->busy[slot / 64] &= ~((uint64_t)1 << (slot % 64)); /* all were cleared */
    }
    return UINT64_MAX;
}

static void loop_slot_run(struct loop *loop, struct list *slot)
{
    struct list due;

    list_init(&due);
    /* First take out, then fire: a callback may set and clear any timer. */
    for (struct list *at = slot->next; at != slot;) {
        struct list *next = at->next;
        if (CONTAINER_OF(at, struct loop_timer, node)->at_us <= loop->now_us) {
            list_remove(at);
            list_push(&due, at);
        }
        at = next;
    }
    for (struct list *node = list_pop(&due); node != NULL; node = list_pop(&due)) {
        struct loop_timer *timer = CONTAINER_OF(node, struct loop_timer, node);
        timer->fire(timer);
    }
}

static void loop_timers_run(struct loop *loop)
{
    uint64_t now_tick = loop->now_us / WHEEL_TICK_US;

    if (loop->next_tick > now_tick) {
        return;
    }
    /* After a long sleep each slot needs only one visit. */
    uint64_t tick = loop->next_tick;
    if (now_tick - tick >= WHEEL_SLOTS) {
        tick = now_tick - WHEEL_SLOTS + 1;
    }
    loop->done_tick = now_tick;
    for (; tick <= now_tick; tick++) {
        loop_slot_run(loop, &loop->wheel[tick % WHEEL_SLOTS]);
    }
    loop->next_tick = loop_tick_find(loop, now_tick);
}

/* ---- tasks ---- */

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *task))
{
    list_init(&task->node);
    task->run = run;
}

void loop_task_defer(struct loop *loop, struct loop_task *task)
{
    if (list_is_empty(&task->node)) {
        list_push(&loop->tasks, &task->node);
    }
}

void loop_task_clear(struct loop_task *task)
{
    list_remove(&task->node);
}

/* What a task defers runs in the next round, so that descriptors get their turn in between. */
static void loop_tasks_run(struct loop *loop)
{
    struct list now;

    if (list_is_empty(&loop->tasks)) {
        return;
    }
    now.next = loop->tasks.next;
    now.prev = loop->tasks.prev;
    now.next->prev = &now;
    now.prev->next = &now;
    list_init(&loop->tasks);
    for (struct list *node = list_pop(&now); node != NULL; node = list_pop(&now)) {
        struct loop_task *task = CONTAINER_OF(node, struct loop_task, node);
        task->run(task);
    }
}

/* ---- rounds ---- */

static int loop_wait_ms(const struct loop *loop)
{
    if (!list_is_empty(&loop->tasks)) {
        return 0;
    }
    if (loop->next_tick == UINT64_MAX) {
        return -1;
    }
    uint64_t at_us = loop->next_tick * WHEEL_TICK_US;
    if (at_us <= loop->now_us) {
        return 0;
    }
    uint64_t wait_ms = (at_us - loop->now_us + 999) / 1000;
    return wait_ms < LOOP_WAIT_MAX_MS ? (int)wait_ms : LOOP_WAIT_MAX_MS;
}

static void loop_round(struct loop *loop)
{
    int count = epoll_wait(loop->epoll, loop->events, LOOP_EVENTS, loop_wait_ms(loop));

    CHECK(count >= 0 || errno == EINTR);
    loop_clock_read(loop);
    loop->event_count = count > 0 ? count : 0;
    for (loop->event_at = 0; loop->event_at < loop->event_count; loop->event_at++) {
        const struct epoll_event *event = &loop->events[loop->event_at];
        struct loop_watch *watch = event->data.ptr;
        if (watch != NULL) {
            watch->ready(watch, event->events);
        }
    }
    loop->event_count = 0;
    if (loop->mail_waiting) {
        loop->mail_waiting = false;
        loop_clock_read(loop);
        (void)mailbox_deliver(&loop->mailbox);
    }
    loop_timers_run(loop);
    loop_tasks_run(loop);
}

void loop_run(struct loop *loop)
{
    /* Timers set before the first round were set by the time of loop_new. */
    loop_clock_read(loop);
    while (!loop->stopped) {
        loop_round(loop);
    }
    loop->stopped = false;
    atomic_store_explicit(&loop->stop_posted, false, memory_order_release);
}

uint64_t loop_now_us(const struct loop *loop)
{
    return loop->now_us;
}

int64_t loop_wall_ms(const struct loop *loop)
{
    return loop->wall_ms;
}

struct span loop_http_date(struct loop *loop)
{
    int64_t now_s = loop->wall_ms / 1000;

    if (UNLIKELY(now_s != loop->date_s)) {
        loop->date_s = now_s;
        http_date_write(loop->date, now_s);
    }
    return span_of(loop->date, HTTP_DATE_BYTES);
}
