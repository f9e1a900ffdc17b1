/*
 * pool - claims on the servers of a pool: granted at once, queued, or refused.
 *
 * A ticket in the queue is granted by whoever frees a place, mostly another worker. It then has a
 * server and its count, whatever its own loop does: the mail that tells it finds the claim, or finds
 * it given up and passes the place on.
 */
#include <string.h>

#include "base/mem.h"
#include "origin/origin_private.h"

/* Tickets looked at for one that can go: one that waits for its own server holds nobody up. */
#define QUEUE_LOOK_MAX 64u
/* Passed over, as another just like them has to wait: of clients that are to stay somewhere. */
#define QUEUE_PASS_MAX 4096u

/* [pool->lock] */
static void take(struct origin_pool *pool, unsigned index, struct origin_place *out)
{
    struct origin_state *state = pool->servers[index]->state;

    out->server = origin_server_ref(pool->servers[index]);
    out->is_trial = health_take(&state->health);
    names_pick(&state->names, out->address);
    state->active++;
    state->requests++;
    pool->active++;
}

/* [pool->lock] */
static enum origin_verdict refuse_down(struct origin_pool *pool)
{
    pool->refused_down++;
    return origin_lacks_names(pool) ? ORIGIN_UNKNOWN : ORIGIN_DOWN;
}

/* Tickets that were granted or refused under the lock are told outside of it. */
static void post_all(struct list *told)
{
    struct list *node;

    while ((node = list_pop(told)) != NULL) {
        struct origin_ticket *ticket = CONTAINER_OF(node, struct origin_ticket, node);
        mailbox_post(ticket->mailbox, &ticket->mail);
    }
}

/* [pool->lock] */
static void settle(struct origin_pool *pool, struct origin_ticket *ticket,
                   enum origin_verdict verdict, struct list *told)
{
    list_remove(&ticket->node);
    pool->queued--;
    ticket->verdict = verdict;
    list_push(told, &ticket->node);
}

static bool is_first_try(const struct origin_want *want)
{
    return want->tried_count == 0;
}

/* [pool->lock] */
static void move_queue(struct origin_pool *pool, uint64_t now_us, struct list *told)
{
    const struct origin_want *busy = NULL; /* of the last one that has to wait */
    bool is_sticky = pool->settings != NULL && pool->settings->sticky.cookie != NULL;
    unsigned pass_max = is_sticky ? QUEUE_PASS_MAX : QUEUE_LOOK_MAX;
    unsigned looked = 0;
    unsigned passed = 0;

    for (struct list *at = pool->queue.next;
         at != &pool->queue && looked < QUEUE_LOOK_MAX && passed < pass_max;) {
        struct origin_ticket *ticket = CONTAINER_OF(at, struct origin_ticket, node);
        unsigned index = 0;
        at = at->next;
        if (busy != NULL && ticket->want.sticky == busy->sticky && is_first_try(busy) &&
            is_first_try(&ticket->want)) {
            passed++;
            continue;
        }
        switch (origin_choose(pool, &ticket->want, now_us, &index)) {
        case ORIGIN_CHOICE_MADE:
            take(pool, index, &ticket->granted);
            settle(pool, ticket, ORIGIN_GRANTED, told);
            break;
        case ORIGIN_CHOICE_NONE:
            settle(pool, ticket, refuse_down(pool), told);
            break;
        case ORIGIN_CHOICE_BUSY:
            busy = &ticket->want;
            looked++;
            break;
        }
    }
}

void origin_pool_move(struct origin_pool *pool, uint64_t now_us)
{
    struct list told;

    list_init(&told);
    lock_acquire(&pool->lock);
    move_queue(pool, now_us, &told);
    lock_release(&pool->lock);
    post_all(&told);
}

/* A place that was taken is free again. */
static void give_back(struct origin_pool *pool, const struct origin_place *place,
                      const struct origin_outcome *outcome, uint64_t now_us)
{
    struct origin_server *server = place->server;
    struct health_change change;
    struct list told;

    list_init(&told);
    lock_acquire(&pool->lock);
    CHECK(server->state->active > 0 && pool->active > 0);
    server->state->active--;
    pool->active--;
    if (outcome != NULL) {
        origin_figures_note(&server->state->figures, outcome, now_us);
    }
    origin_judge(pool, place, outcome, now_us, &change);
    if (UNLIKELY(pool->queued > 0)) {
        move_queue(pool, now_us, &told);
    }
    lock_release(&pool->lock);
    post_all(&told);
    origin_tell(pool, server->state, &change);
    origin_server_unref(&server);
}

/* ---- tickets ---- */

static void ticket_free(struct origin_ticket *ticket)
{
    loop_timer_clear(&ticket->timer);
    origin_pool_unref(&ticket->pool);
    mem_free(ticket);
}

static void claim_set(struct origin_claim *claim, const struct origin_place *place)
{
    claim->server = place->server;
    claim->is_trial = place->is_trial;
    memcpy(claim->address, place->address, sizeof(claim->address));
}

/* In the claim's own loop. */
static void on_mail(struct mail *mail)
{
    struct origin_ticket *ticket = CONTAINER_OF(mail, struct origin_ticket, mail);
    struct origin_claim *claim = ticket->claim;
    enum origin_verdict verdict = ticket->verdict;

    if (claim == NULL) {
        if (ticket->granted.server != NULL) {
            give_back(ticket->pool, &ticket->granted, NULL, ticket->now_us);
        }
        ticket_free(ticket);
        return;
    }
    void (*wake)(void *ctx, enum origin_verdict verdict) = ticket->wake;
    void *ctx = ticket->ctx;
    claim_set(claim, &ticket->granted);
    claim->ticket = NULL;
    ticket_free(ticket);
    wake(ctx, verdict);
}

/* Out of the queue, if it still is in it. */
static bool ticket_leave(struct origin_ticket *ticket)
{
    struct origin_pool *pool = ticket->pool;

    lock_acquire(&pool->lock);
    bool was_queued = ticket->verdict == ORIGIN_WAITING;
    if (was_queued) {
        list_remove(&ticket->node);
        pool->queued--;
    }
    lock_release(&pool->lock);
    return was_queued;
}

static void on_timer(struct loop_timer *timer)
{
    struct origin_ticket *ticket = CONTAINER_OF(timer, struct origin_ticket, timer);
    struct origin_claim *claim = ticket->claim;
    void (*wake)(void *ctx, enum origin_verdict verdict) = ticket->wake;
    void *ctx = ticket->ctx;

    CHECK(claim != NULL);
    if (!ticket_leave(ticket)) {
        return; /* the mail is on its way */
    }
    lock_acquire(&ticket->pool->lock);
    ticket->pool->refused_late++;
    lock_release(&ticket->pool->lock);
    claim->ticket = NULL;
    ticket_free(ticket);
    wake(ctx, ORIGIN_LATE);
}

static struct origin_ticket *ticket_new(struct origin_claim *claim, struct origin_pool *pool,
                                        const struct origin_want *want, struct loop *loop)
{
    struct origin_ticket *ticket = mem_new(sizeof(*ticket));

    ticket->mail.deliver = on_mail;
    list_init(&ticket->node);
    ticket->pool = origin_pool_ref(pool);
    ticket->want = *want;
    ticket->verdict = ORIGIN_WAITING;
    loop_timer_init(&ticket->timer, on_timer);
    ticket->mailbox = loop_mailbox(loop);
    ticket->claim = claim;
    return ticket;
}

/* ---- claims ---- */

/* [pool->lock] Those who came before go first. */
static enum origin_verdict decide(struct origin_pool *pool, struct origin_claim *claim,
                                  const struct origin_want *want, uint64_t now_us)
{
    struct origin_place place = {0};
    unsigned index = 0;

    switch (origin_choose(pool, want, now_us, &index)) {
    case ORIGIN_CHOICE_NONE:
        return want->at_once ? ORIGIN_DOWN : refuse_down(pool);
    case ORIGIN_CHOICE_MADE:
        take(pool, index, &place);
        claim_set(claim, &place);
        return ORIGIN_GRANTED;
    case ORIGIN_CHOICE_BUSY:
        break;
    }
    if (want->at_once) {
        return ORIGIN_FULL;
    }
    if (pool->settings == NULL || pool->queued >= pool->settings->queue.size) {
        pool->refused_full++;
        pool->full_us = now_us;
        return ORIGIN_FULL;
    }
    return ORIGIN_WAITING;
}

enum origin_verdict origin_claim_begin(struct origin_claim *claim, struct origin_pool *pool,
                                       const struct origin_want *want, struct loop *loop,
                                       void (*wake)(void *ctx, enum origin_verdict verdict),
                                       void *ctx)
{
    struct origin_ticket *ticket = NULL;
    uint64_t patience_us = 0;

    CHECK(claim->pool == NULL);
    *claim = (struct origin_claim){.pool = origin_pool_ref(pool)};
    lock_acquire(&pool->lock);
    enum origin_verdict verdict = decide(pool, claim, want, loop_now_us(loop));
    if (want->tried_count == 0 && (verdict == ORIGIN_GRANTED || verdict == ORIGIN_WAITING)) {
        origin_budget_request(&pool->budget, loop_now_us(loop));
    }
    if (verdict == ORIGIN_WAITING) {
        ticket = ticket_new(claim, pool, want, loop);
        ticket->wake = wake;
        ticket->ctx = ctx;
        patience_us = pool->settings->queue.timeout_ms * 1000;
        if (want->patience_us != 0 && want->patience_us < patience_us) {
            patience_us = want->patience_us;
        }
        list_push(&pool->queue, &ticket->node);
        pool->queued++;
        pool->waited++;
    }
    lock_release(&pool->lock);
    if (ticket != NULL) {
        claim->ticket = ticket;
        loop_timer_set(loop, &ticket->timer, patience_us);
    }
    return verdict;
}

bool origin_retry_take(struct origin_pool *pool, unsigned budget, bool is_free, uint64_t now_us)
{
    lock_acquire(&pool->lock);
    bool may = is_free || origin_budget_take(&pool->budget, now_us, budget);
    pool->retries += may;
    pool->retries_refused += !may;
    lock_release(&pool->lock);
    return may;
}

void origin_claim_answered(struct origin_claim *claim, unsigned status, uint64_t now_us)
{
    const struct origin_outcome outcome = {.is_known = true, .status = status, .head_seen = true};
    struct origin_pool *pool = claim->pool;
    struct health_change change;
    struct list told;

    if (LIKELY(!claim->is_trial)) {
        return;
    }
    struct origin_place place = {.server = claim->server, .is_trial = true};
    memcpy(place.address, claim->address, sizeof(place.address));
    claim->is_trial = false;
    list_init(&told);
    lock_acquire(&pool->lock);
    origin_judge(pool, &place, &outcome, now_us, &change);
    move_queue(pool, now_us, &told);
    lock_release(&pool->lock);
    post_all(&told);
    origin_tell(pool, claim->server->state, &change);
}

void origin_claim_end(struct origin_claim *claim, const struct origin_outcome *outcome,
                      uint64_t now_us)
{
    struct origin_pool *pool = claim->pool;
    struct origin_ticket *ticket = claim->ticket;
    struct origin_place place = {.server = claim->server, .is_trial = claim->is_trial};

    if (pool == NULL) {
        return;
    }
    memcpy(place.address, claim->address, sizeof(place.address));
    *claim = (struct origin_claim){0};
    if (place.server != NULL) {
        give_back(pool, &place, outcome, now_us);
    }
    if (ticket != NULL) {
        ticket->claim = NULL;
        ticket->now_us = now_us;
        loop_timer_clear(&ticket->timer);
        if (ticket_leave(ticket)) {
            ticket_free(ticket);
        } /* else its mail frees it */
    }
    origin_pool_unref(&pool);
}
