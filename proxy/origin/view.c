/*
 * view - pools are counted under the registry's lock, each is copied under its own; text stays
 * where it is, in a configuration that is held.
 */
#include "origin/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "origin/origin_private.h"

static void view_server(struct origin_server_view *out, const struct origin_pool *pool,
                        const struct origin_server *server, uint64_t now_us)
{
    const struct origin_state *state = server->state;

    *out = (struct origin_server_view){.settings = server->settings,
                                       .active = state->active,
                                       .requests = state->requests,
                                       .figures = state->figures};
    origin_figures_recent(&state->figures, now_us, &out->recent);
    origin_state_show(pool, state, &out->health);
}

static void view_pool(struct origin_pool_view *out, struct origin_pool *pool, uint64_t now_us)
{
    lock_acquire(&pool->lock);
    out->name = pool->name;
    out->pool = pool;
    out->settings = pool->settings;
    out->conf = pool->conf == NULL ? NULL : conf_ref(pool->conf);
    out->servers = mem_new(pool->server_count * sizeof(*out->servers));
    out->server_count = pool->server_count;
    out->active = pool->active;
    out->queued = pool->queued;
    out->waited = pool->waited;
    out->refused_down = pool->refused_down;
    out->retries = pool->retries;
    out->retries_refused = pool->retries_refused;
    out->refused_full = pool->refused_full;
    out->refused_late = pool->refused_late;
    out->full_us = pool->full_us;
    for (unsigned i = 0; i < pool->server_count; i++) {
        view_server(&out->servers[i], pool, pool->servers[i], now_us);
    }
    lock_release(&pool->lock);
}

static int by_name(const void *a, const void *b)
{
    const struct origin_pool_view *left = a;
    const struct origin_pool_view *right = b;

    return strcmp(left->name, right->name);
}

/* The pools, with a reference each. */
static void view_list(struct origins_view *view, struct origins *origins)
{
    lock_acquire(&origins->lock);
    for (struct list *at = origins->pools.next; at != &origins->pools; at = at->next) {
        view->count++;
    }
    view->pools = mem_new(view->count * sizeof(*view->pools));
    view->count = 0;
    for (struct list *at = origins->pools.next; at != &origins->pools; at = at->next) {
        struct origin_pool *pool = CONTAINER_OF(at, struct origin_pool, node);
        view->pools[view->count++].pool = origin_pool_ref(pool);
    }
    lock_release(&origins->lock);
}

struct origins_view *origins_view_new(struct origins *origins, uint64_t now_us)
{
    struct origins_view *view = mem_new(sizeof(*view));

    view_list(view, origins);
    for (size_t i = 0; i < view->count; i++) {
        view_pool(&view->pools[i], view->pools[i].pool, now_us);
    }
    qsort(view->pools, view->count, sizeof(*view->pools), by_name);
    return view;
}

void origins_view_free(struct origins_view **view_at)
{
    struct origins_view *view = *view_at;

    *view_at = NULL;
    for (size_t i = 0; view != NULL && i < view->count; i++) {
        mem_free(view->pools[i].servers);
        conf_unref(view->pools[i].conf);
        origin_pool_unref(&view->pools[i].pool);
    }
    if (view != NULL) {
        mem_free(view->pools);
        mem_free(view);
    }
}
