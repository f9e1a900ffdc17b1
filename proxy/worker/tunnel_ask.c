/*
 * tunnel_ask - one mail to each worker. What they share with the asker is counted, since a worker may
 * come to its mail when nobody waits any more.
 */
#include "worker/tunnel_ask.h"

#include <string.h>

#include "base/check.h"
#include "base/lock.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "exchange/exchange.h"

#define WAIT_MS 1000

struct desk {
    struct lock lock;
    struct cond answered;
    unsigned references;          /* [lock] */
    unsigned pending;             /* [lock] workers that have not answered */
    struct tunnel_view_list list; /* [lock] */
};

struct question {
    struct mail mail;
    struct desk *desk;
    struct worker *worker;
    struct tunnel_view_list list; /* the worker's, until it has answered */
    struct tunnel_view items[];
};

/* The lock is held, and let go. */
static void desk_leave(struct desk *desk)
{
    bool is_last = --desk->references == 0;

    lock_release(&desk->lock);
    if (is_last) {
        cond_fini(&desk->answered);
        lock_fini(&desk->lock);
        mem_free(desk->list.items);
        mem_free(desk);
    }
}

/* In the worker's loop. */
static void on_question(struct mail *mail)
{
    struct question *question = CONTAINER_OF(mail, struct question, mail);
    struct desk *desk = question->desk;

    exchange_env_tunnels(worker_env(question->worker), &question->list);
    lock_acquire(&desk->lock);
    for (size_t i = 0; i < question->list.count; i++) {
        tunnel_view_insert(&desk->list, &question->list.items[i]);
    }
    desk->list.open += question->list.open;
    if (--desk->pending == 0) {
        cond_signal(&desk->answered);
    }
    desk_leave(desk);
    mem_free(question);
}

static void ask(struct desk *desk, struct worker *worker, const struct tunnel_view_list *list)
{
    struct question *question = mem_new(sizeof(*question) + list->max * sizeof(question->items[0]));

    *question = (struct question){
        .mail = {.deliver = on_question}, .desk = desk, .worker = worker, .list = *list};
    question->list.items = question->items;
    worker_post(worker, &question->mail);
}

bool tunnel_ask(struct worker *const *workers, unsigned count, struct tunnel_view_list *list)
{
    struct desk *desk = mem_new(sizeof(*desk));

    lock_init(&desk->lock, LOCK_QUEUE);
    cond_init(&desk->answered);
    desk->references = count + 1;
    desk->pending = count;
    desk->list = *list;
    desk->list.items = mem_new((list->max + 1) * sizeof(*list->items));
    for (unsigned i = 0; i < count; i++) {
        ask(desk, workers[i], list);
    }
    lock_acquire(&desk->lock);
    while (desk->pending > 0 && cond_wait(&desk->answered, &desk->lock, WAIT_MS)) {
    }
    bool is_whole = desk->pending == 0;
    list->count = desk->list.count;
    list->open = desk->list.open;
    memcpy(list->items, desk->list.items, list->count * sizeof(*list->items));
    desk_leave(desk);
    return is_whole;
}
