/* origins - the registry of pools, and how they take new settings. */
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "origin/directory_private.h"
#include "origin/origin_private.h"

/* ---- servers and their state ---- */

struct origin_server *origin_server_ref(struct origin_server *server)
{
    atomic_fetch_add_explicit(&server->references, 1, memory_order_relaxed);
    return server;
}

static void state_unref(struct origin_pool *pool, struct origin_state *state)
{
    lock_acquire(&pool->lock);
    bool is_last = --state->references == 0;
    lock_release(&pool->lock);
    if (is_last) {
        mem_free(state->name);
        mem_free(state->url);
        mem_free(state);
    }
}

void origin_server_unref(struct origin_server **server_at)
{
    struct origin_server *server = *server_at;

    *server_at = NULL;
    /* acq_rel: what others did with it is done before it goes */
    if (server == NULL ||
        atomic_fetch_sub_explicit(&server->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    state_unref(server->pool, server->state);
    conf_unref(server->conf);
    mem_free(server);
}

/* The same in every process, so that a cookie holds across restarts and on other Larders. */
static uint32_t state_id(const char *pool, const char *name)
{
    const struct span parts[] = {span_str(pool), SPAN("\n"), span_str(name)};
    uint64_t hash = hash64_parts((struct hash_seed){0}, parts, ARRAY_LEN(parts));
    uint32_t id = (uint32_t)(hash ^ hash >> 32);

    return id == 0 ? 1 : id;
}

static struct origin_state *state_new(const struct origin_pool *pool,
                                      const struct conf_server *settings)
{
    struct origin_state *state = mem_new(sizeof(*state));

    state->name = mem_copy(settings->name, strlen(settings->name));
    state->url = mem_copy(settings->url, strlen(settings->url));
    state->id = state_id(pool->name, settings->name);
    if (pool->origins->watch != NULL && !names_is_literal(settings->host)) {
        state->names.state = NAMES_PENDING;
    }
    state->figures.born_us = clock_mono_us();
    return state;
}

/* What the pool knows of this server already, or NULL. [pool->lock] */
static struct origin_state *state_find(const struct origin_pool *pool,
                                       const struct conf_server *settings)
{
    for (unsigned i = 0; i < pool->server_count; i++) {
        struct origin_state *state = pool->servers[i]->state;
        if (strcmp(state->name, settings->name) == 0 && strcmp(state->url, settings->url) == 0) {
            return state;
        }
    }
    return NULL;
}

/* What the snapshot holds, in the words of the fetch layer. */
static void server_tls(struct origin_server *server, const struct conf_origins *origins)
{
    const struct conf_origin_tls *tls = &origins->tls;
    const struct conf_certificate *identity = tls->identity;
    const struct conf_certificate *trust =
        tls->trust != NULL ? tls->trust : server->conf->system_trust;

    if (!server->settings->has_tls) {
        return;
    }
    server->tls = (struct fetch_tls){
        .verify = !tls->no_verify,
        .name = tls->name != NULL ? tls->name : server->settings->host,
        .http2 = origins->http2,
        .min_version = tls->only_13 ? FETCH_TLS_1_3 : FETCH_TLS_1_2,
    };
    if (server->tls.verify) {
        server->tls.trust = trust->trust;
        server->tls.id = trust->id;
    }
    if (identity != NULL) {
        server->tls.certificate = identity->certificate;
        server->tls.chain = identity->chain;
        server->tls.key = identity->key;
        server->tls.id ^= identity->id * 3;
    }
    server->fetch.tls = &server->tls;
}

static struct origin_server *server_new(struct origin_pool *pool, struct conf *conf,
                                        const struct conf_origins *origins,
                                        const struct conf_server *settings)
{
    struct origin_server *server = mem_new(sizeof(*server));

    atomic_init(&server->references, 1);
    server->pool = pool;
    server->conf = conf_ref(conf);
    server->settings = settings;
    server->origins = origins;
    server->fetch = (struct fetch_origin){
        .name = settings->name,
        .host = settings->host,
        .port = settings->port,
        .connect_timeout_us = origins->timeout.connect_ms * 1000,
        .first_byte_timeout_us = origins->timeout.first_byte_ms * 1000,
        .idle_timeout_us = origins->timeout.idle_ms * 1000,
        .total_timeout_us = origins->timeout.total_ms * 1000,
        .proxy_header = (enum fetch_proxy_header)origins->proxy_protocol,
        .keepalive = origins->keepalive.count,
        .keepalive_idle_us = origins->keepalive.idle_ms * 1000,
    };
    server_tls(server, origins);
    lock_acquire(&pool->lock);
    bool is_new_pool = pool->server_count == 0;
    server->state = state_find(pool, settings);
    if (server->state != NULL) {
        server->state->references++;
    }
    lock_release(&pool->lock);
    if (server->state == NULL) {
        server->state = state_new(pool, settings);
        server->state->references = 1;
        server->state->up_since_us = is_new_pool ? 0 : clock_mono_us();
    }
    return server;
}

const struct fetch_origin *origin_server_fetch(const struct origin_server *server)
{
    return &server->fetch;
}

const char *origin_server_url(const struct origin_server *server)
{
    return server->settings->url;
}

const char *origin_server_name(const struct origin_server *server)
{
    return server->settings->name;
}

const struct origin_state *origin_server_state(const struct origin_server *server)
{
    return server->state;
}

uint32_t origin_server_id(const struct origin_server *server)
{
    return server->state->id;
}

/* ---- pools ---- */

struct origin_pool *origin_pool_ref(struct origin_pool *pool)
{
    CHECK_OBJ(pool, ORIGIN_POOL_MAGIC);
    atomic_fetch_add_explicit(&pool->references, 1, memory_order_relaxed);
    return pool;
}

/* Puts other settings in force; NULL: none. conf's reference is taken here. */
static void pool_set(struct origin_pool *pool, struct conf *conf,
                     const struct conf_origins *settings)
{
    unsigned count = settings == NULL ? 0 : (unsigned)settings->server_count;
    struct origin_server **servers = mem_new((count + 1) * sizeof(struct origin_server *));

    for (unsigned i = 0; i < count; i++) {
        servers[i] = server_new(pool, conf, settings, &settings->servers[i]);
    }
    lock_acquire(&pool->lock);
    struct origin_server **old = pool->servers;
    unsigned old_count = pool->server_count;
    struct conf *old_conf = pool->conf;
    pool->servers = servers;
    pool->server_count = count;
    pool->settings = settings;
    pool->conf = settings == NULL ? NULL : conf_ref(conf);
    lock_release(&pool->lock);
    for (unsigned i = 0; i < old_count; i++) {
        origin_server_unref(&old[i]);
    }
    mem_free(old);
    conf_unref(old_conf);
}

void origin_pool_unref(struct origin_pool **pool_at)
{
    struct origin_pool *pool = *pool_at;

    *pool_at = NULL;
    if (pool == NULL ||
        atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    CHECK(list_is_empty(&pool->queue));
    pool_set(pool, NULL, NULL);
    mem_free(pool->servers);
    lock_fini(&pool->lock);
    mem_free(pool->name);
    pool->magic = 0;
    mem_free(pool);
}

const char *origin_pool_name(const struct origin_pool *pool)
{
    return pool->name;
}

/* ---- the registry ---- */

struct origins *origins_new(void)
{
    struct origins *origins = mem_new(sizeof(*origins));

    lock_init(&origins->lock, LOCK_ORIGINS);
    list_init(&origins->pools);
    origins->directory = directory_new();
    return origins;
}

void origins_free(struct origins **origins_at)
{
    struct origins *origins = *origins_at;
    struct list *node;

    *origins_at = NULL;
    if (origins == NULL) {
        return;
    }
    while ((node = list_pop(&origins->pools)) != NULL) {
        struct origin_pool *pool = CONTAINER_OF(node, struct origin_pool, node);
        origin_pool_unref(&pool);
    }
    watch_free(&origins->watch);
    directory_free(&origins->directory);
    conf_unref(origins->conf);
    lock_fini(&origins->lock);
    mem_free(origins);
}

struct directory *origins_directory(struct origins *origins)
{
    return origins->directory;
}

/* [origins->lock] */
static struct origin_pool *registry_find(const struct origins *origins, const char *name)
{
    for (struct list *at = origins->pools.next; at != &origins->pools; at = at->next) {
        struct origin_pool *pool = CONTAINER_OF(at, struct origin_pool, node);
        if (strcmp(pool->name, name) == 0) {
            return pool;
        }
    }
    return NULL;
}

struct origin_pool *origins_find(struct origins *origins, const char *name)
{
    lock_acquire(&origins->lock);
    struct origin_pool *pool = registry_find(origins, name);
    if (pool != NULL) {
        origin_pool_ref(pool);
    }
    lock_release(&origins->lock);
    return pool;
}

static struct origin_pool *pool_new(struct origins *origins, const char *name)
{
    struct origin_pool *pool = mem_new(sizeof(*pool));

    pool->magic = ORIGIN_POOL_MAGIC;
    atomic_init(&pool->references, 1);
    pool->name = mem_copy(name, strlen(name));
    pool->origins = origins;
    list_init(&pool->node);
    list_init(&pool->queue);
    lock_init(&pool->lock, LOCK_POOL);
    random_bytes(&pool->random, sizeof(pool->random));
    pool->random |= 1;
    return pool;
}

static void apply_one(struct origins *origins, struct conf *conf, const char *name,
                      const struct conf_origins *settings)
{
    struct origin_pool *pool = origins_find(origins, name);

    if (pool == NULL) {
        pool = pool_new(origins, name);
        lock_acquire(&origins->lock);
        list_push(&origins->pools, &pool->node);
        lock_release(&origins->lock);
        origin_pool_ref(pool);
    }
    pool_set(pool, conf, settings);
    origin_note_settings(pool);
    origin_pool_move(pool, clock_mono_us()); /* there may be more places, or more servers */
    origin_pool_unref(&pool);
}

/* Pools this configuration does not name go, with the last who uses them. */
static void drop_others(struct origins *origins, const struct conf *conf)
{
    struct list gone;
    struct list *node;

    list_init(&gone);
    lock_acquire(&origins->lock);
    for (struct list *at = origins->pools.next; at != &origins->pools;) {
        struct origin_pool *pool = CONTAINER_OF(at, struct origin_pool, node);
        at = at->next;
        if (pool->conf != conf) {
            list_remove(&pool->node);
            list_push(&gone, &pool->node);
        }
    }
    lock_release(&origins->lock);
    while ((node = list_pop(&gone)) != NULL) {
        struct origin_pool *pool = CONTAINER_OF(node, struct origin_pool, node);
        origin_pool_unref(&pool);
    }
}

void origins_apply(struct origins *origins, struct conf *conf)
{
    lock_acquire(&origins->lock);
    struct conf *old = origins->conf;
    origins->conf = conf_ref(conf);
    lock_release(&origins->lock);
    conf_unref(old);
    for (size_t i = 0; i < conf->pool_count; i++) {
        apply_one(origins, conf, conf->pools[i].name, &conf->pools[i]);
    }
    for (size_t i = 0; i < conf->site_count; i++) {
        const struct conf_site *site = &conf->sites[i];
        if (site->origins.server_count > 0) {
            apply_one(origins, conf, site->names.list[0], &site->origins);
        }
    }
    for (size_t i = 0; i < conf->parent_count; i++) {
        apply_one(origins, conf, conf->parents[i]->name, conf->parents[i]);
    }
    drop_others(origins, conf);
    watch_stir(origins->watch);
}
