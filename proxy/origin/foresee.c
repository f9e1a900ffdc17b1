/* foresee - the choice of balance.c, made without a trace. */
#include <stdio.h>

#include "base/mem.h"
#include "origin/origin_private.h"
#include "origin/view.h"

/* [pool->lock] */
static unsigned count_asked(const struct origin_pool *pool, uint64_t now_us)
{
    unsigned count = 0;

    for (unsigned i = 0; i < pool->server_count; i++) {
        count += origin_weight(pool, pool->servers[i], now_us) > 0;
    }
    return count;
}

/* [pool->lock] Whose turn it is afterwards is what it was. */
static bool choose(struct origin_pool *pool, const struct origin_want *want, uint64_t now_us,
                   unsigned *index)
{
    int64_t turns[CONF_SERVERS_MAX] = {0};
    uint64_t random = pool->random;

    for (unsigned i = 0; i < pool->server_count; i++) {
        turns[i] = pool->servers[i]->state->turn;
    }
    bool is_made = origin_choose(pool, want, now_us, index) == ORIGIN_CHOICE_MADE;
    for (unsigned i = 0; i < pool->server_count; i++) {
        pool->servers[i]->state->turn = turns[i];
    }
    pool->random = random;
    return is_made;
}

void origin_pool_foresee(struct origin_pool *pool, const struct origin_want *want, uint64_t now_us,
                         struct origin_foreseen *out)
{
    unsigned index = 0;

    *out = (struct origin_foreseen){0};
    lock_acquire(&pool->lock);
    if (pool->settings != NULL && choose(pool, want, now_us, &index)) {
        const struct origin_state *state = pool->servers[index]->state;
        bool is_hash = pool->settings->balance.by >= CONF_BALANCE_HASH_URL;
        out->is_only = count_asked(pool, now_us) == 1;
        if (is_hash || out->is_only || (want->sticky != 0 && state->id == want->sticky)) {
            (void)snprintf(out->name, sizeof(out->name), "%s", state->name);
        }
    }
    lock_release(&pool->lock);
}
