/*
 * watch - the thread that looks after servers: checks them, knocks where one is ejected or an
 * address broken, and looks their names up. A ward is one server under its newest settings; what
 * is due is decided in one place (look), from the server's state and the ward's own clocks, whenever
 * a clock runs out, something has ended, or somebody has stirred.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/interfaces.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "origin/directory_private.h"
#include "origin/origin_private.h"
#include "origin/probe.h"
#include "origin/resolve.h"

#define SECOND_US UINT64_C(1000000)
#define TTL_MIN_S 1u
#define TTL_MAX_S 300u
#define RETRY_MAX_US (30 * SECOND_US)    /* lookups that fail, doubled from a second up to this */
#define ADDRESS_EVERY_US (2 * SECOND_US) /* knocks on a broken address */
#define RENEW_LATEST_US (10 * SECOND_US) /* so long lookups hold another resolver up */
#define HEAD_BYTES_MAX 65536u
#define INTERFACES_EVERY_US (15 * SECOND_US) /* looks at the machine's own addresses */

struct watch {
    struct origins *origins;
    struct loop *loop;
    struct fetch_pool *fetches;
    struct resolver *resolver;
    struct conf *conf; /* a reference: of the resolver */
    uint64_t renew_us; /* since when it is to be made anew, after the lookups; 0: it is not */
    pthread_t thread;
    struct list wards;
    unsigned round; /* of gathering them */
    struct loop_timer interfaces;
    struct mail stir;
    _Atomic bool is_stirred; /* the mail is on its way */
    bool is_over;            /* the thread has ended */
};

struct ward {
    struct list node;
    struct watch *watch;
    struct origin_pool *pool;     /* a reference */
    struct origin_server *server; /* a reference */
    unsigned round;
    struct loop_timer timer;
    /* ---- checks ---- */
    struct origin_server *probed; /* a reference while a probe is under way */
    struct probe probe;
    bool is_check; /* else a knock */
    uint64_t check_at_us;
    uint64_t probed_at_us;      /* the last time */
    struct conf_probe knocking; /* settings of a probe of a server without `check` */
    /* ---- addresses ---- */
    struct knock knock; /* on a broken one */
    uint64_t knock_at_us;
    unsigned knocks; /* whose turn it is */
    char knocked[ORIGIN_ADDRESS_BYTES];
    struct lookup *lookup;
    uint64_t lookup_at_us;
    uint64_t give_up_at_us; /* 0: not waited for */
    unsigned failures;      /* of lookups in a row */
};

/* What a look at the state has shown. */
struct sight {
    enum origin_status phase;
    uint64_t until_us;
    enum names_state names;
    bool is_check_wanted;
    char address[ORIGIN_ADDRESS_BYTES]; /* to check */
    char broken[ORIGIN_ADDRESS_BYTES];  /* to knock on; "": none */
};

static void look(struct ward *ward);

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- checks ---- */

/* every, give or take. */
static uint64_t interval_us(const struct conf_probe *probe)
{
    uint64_t every_us = probe->every_ms * 1000;
    uint64_t half_us = every_us * probe->jitter / 100;
    uint64_t lot;

    random_bytes(&lot, sizeof(lot));
    return every_us - half_us + lot % (2 * half_us + 1);
}

/* Host to send: of the check, the pool, or the server. */
static const char *host_of(const struct origin_server *server)
{
    const struct conf_origins *origins = server->origins;
    const char *host = origins->host;

    if (origins->probe.host != NULL) {
        return origins->probe.host;
    }
    if (host != NULL && strcmp(host, "client") != 0 && strcmp(host, "server") != 0) {
        return host;
    }
    const char *slashes = strstr(server->settings->url, "//");
    return slashes == NULL ? server->settings->url : slashes + 2;
}

static void on_probed(struct probe *probe, const struct health_result *result)
{
    struct ward *ward = CONTAINER_OF(probe, struct ward, probe);
    uint64_t now_us = loop_now_us(ward->watch->loop);

    if (ward->is_check && result->is_unasked) {
        log_warn("check_skipped", "pool=%s server=%s reason=\"%s\"", origin_pool_name(ward->pool),
                 origin_server_name(ward->server), result->detail);
    } else if (ward->is_check) {
        origin_note_check(ward->pool, ward->server->state, result, now_us);
    } else {
        origin_note_knock(ward->pool, ward->server->state, result, now_us);
    }
    origin_server_unref(&ward->probed);
    look(ward);
}

static void start_probe(struct ward *ward, const struct sight *sight, uint64_t now_us)
{
    const struct conf_origins *origins = ward->server->origins;

    ward->is_check = origins->probe.kind != CONF_PROBE_OFF;
    ward->probed = origin_server_ref(ward->server);
    ward->probed_at_us = now_us;
    ward->check_at_us = ward->is_check ? now_us + interval_us(&origins->probe) : 0;
    ward->knocking =
        (struct conf_probe){.kind = CONF_PROBE_TCP, .timeout_ms = origins->timeout.connect_ms};
    const struct probe_target target = {
        .origin = &ward->probed->fetch,
        .address = sight->address,
        .host = host_of(ward->probed),
        .settings = ward->is_check ? &ward->probed->origins->probe : &ward->knocking,
    };
    probe_start(&ward->probe, &target);
}

/* Starts what is due; returns when to look again. */
static uint64_t look_checks(struct ward *ward, const struct sight *sight, uint64_t now_us)
{
    bool is_checked = ward->server->origins->probe.kind != CONF_PROBE_OFF;
    uint64_t at_us = is_checked ? ward->check_at_us : UINT64_MAX;

    if (sight->names == NAMES_PENDING || sight->names == NAMES_NONE || ward->probe.is_busy) {
        return UINT64_MAX; /* its end looks again */
    }
    /* Once when its time is over, then as often as always. */
    if (sight->phase == ORIGIN_IS_EJECTED &&
        (!is_checked || ward->probed_at_us < sight->until_us)) {
        at_us = least(at_us, sight->until_us);
    }
    if (!sight->is_check_wanted && now_us < at_us) {
        return at_us;
    }
    lock_acquire(&ward->pool->lock);
    ward->server->state->is_check_wanted = false;
    lock_release(&ward->pool->lock);
    start_probe(ward, sight, now_us);
    return UINT64_MAX;
}

/* ---- addresses ---- */

static void on_knocked(struct knock *knock, int error, uint64_t took_us)
{
    struct ward *ward = CONTAINER_OF(knock, struct ward, knock);

    (void)took_us;
    if (error == 0) {
        origin_note_address(ward->pool, ward->server->state, ward->knocked, false);
    }
    look(ward);
}

static uint64_t look_addresses(struct ward *ward, const struct sight *sight, uint64_t now_us)
{
    if (sight->broken[0] == '\0' || ward->knock.is_busy) {
        return UINT64_MAX;
    }
    if (now_us < ward->knock_at_us) {
        return ward->knock_at_us;
    }
    ward->knock_at_us = now_us + ADDRESS_EVERY_US;
    ward->knocks++;
    memcpy(ward->knocked, sight->broken, sizeof(ward->knocked));
    knock_start(&ward->knock, ward->knocked, ward->server->fetch.port,
                ward->server->fetch.connect_timeout_us);
    return UINT64_MAX;
}

static uint64_t next_lookup_us(struct ward *ward, const struct names_result *result, uint32_t ttl_s)
{
    uint64_t every_us = ward->server->origins->resolve_every_ms * 1000;

    if (result->answer == NAMES_FOUND) {
        ward->failures = 0;
        ttl_s = ttl_s < TTL_MIN_S ? TTL_MIN_S : ttl_s > TTL_MAX_S ? TTL_MAX_S : ttl_s;
        return every_us > 0 ? every_us : ttl_s * SECOND_US;
    }
    uint64_t wait_us = SECOND_US << (ward->failures < 5 ? ward->failures : 5);
    ward->failures++;
    return least(least(wait_us, RETRY_MAX_US), every_us > 0 ? every_us : RETRY_MAX_US);
}

static bool is_looking_up(const struct watch *watch)
{
    for (const struct list *at = watch->wards.next; at != &watch->wards; at = at->next) {
        if (CONTAINER_OF(at, struct ward, node)->lookup != NULL) {
            return true;
        }
    }
    return false;
}

static void on_resolved(void *ctx, const struct names_result *result, uint32_t ttl_s)
{
    struct ward *ward = ctx;
    uint64_t now_us = loop_now_us(ward->watch->loop);

    if (result->is_partial) {
        origin_note_names(ward->pool, ward->server->state, result, now_us);
        look(ward);
        return;
    }
    ward->lookup = NULL;
    if (ward->watch->renew_us != 0 && !is_looking_up(ward->watch)) {
        watch_stir(ward->watch);
    }
    ward->lookup_at_us = now_us + next_lookup_us(ward, result, ttl_s);
    origin_note_names(ward->pool, ward->server->state, result, now_us);
    look(ward);
}

static uint64_t look_names(struct ward *ward, const struct sight *sight, uint64_t now_us)
{
    struct resolver *resolver = ward->watch->resolver;
    uint64_t at_us = UINT64_MAX;

    if (sight->names == NAMES_LITERAL || resolver == NULL) {
        return UINT64_MAX;
    }
    if (sight->names != NAMES_PENDING) {
        ward->give_up_at_us = 0;
    } else if (ward->give_up_at_us == 0) {
        ward->give_up_at_us = now_us + ward->server->fetch.connect_timeout_us;
    }
    if (ward->give_up_at_us != 0 && now_us >= ward->give_up_at_us) {
        ward->give_up_at_us = 0;
        origin_note_no_names(ward->pool, ward->server->state, now_us);
    } else if (ward->give_up_at_us != 0) {
        at_us = ward->give_up_at_us;
    }
    if (ward->lookup != NULL) {
        return at_us;
    }
    if (now_us < ward->lookup_at_us) {
        return least(at_us, ward->lookup_at_us);
    }
    ward->lookup = lookup_start(resolver, ward->server->settings->host, on_resolved, ward);
    return at_us;
}

/* ---- wards ---- */

static void see(struct ward *ward, struct sight *out)
{
    const struct origin_state *state = ward->server->state;
    const struct origin_names *names = &state->names;

    *out = (struct sight){0};
    lock_acquire(&ward->pool->lock);
    out->phase = state->health.phase;
    out->until_us = state->health.until_us;
    out->names = names->state;
    out->is_check_wanted = state->is_check_wanted;
    for (unsigned i = 0; i < names->count; i++) {
        const struct origin_address *address = &names->list[(ward->knocks + i) % names->count];
        if (out->address[0] == '\0' || !address->is_broken) {
            memcpy(out->address, address->text, sizeof(out->address));
        }
        if (address->is_broken && out->broken[0] == '\0') {
            memcpy(out->broken, address->text, sizeof(out->broken));
        }
    }
    lock_release(&ward->pool->lock);
}

static void look(struct ward *ward)
{
    struct loop *loop = ward->watch->loop;
    uint64_t now_us = loop_now_us(loop);
    struct sight sight;

    see(ward, &sight);
    uint64_t at_us = look_names(ward, &sight, now_us);
    at_us = least(at_us, look_checks(ward, &sight, now_us));
    at_us = least(at_us, look_addresses(ward, &sight, now_us));
    if (at_us == UINT64_MAX) {
        loop_timer_clear(&ward->timer);
    } else {
        loop_timer_set(loop, &ward->timer, at_us > now_us ? at_us - now_us : 0);
    }
}

static void on_timer(struct loop_timer *timer)
{
    look(CONTAINER_OF(timer, struct ward, timer));
}

static struct ward *ward_find(const struct watch *watch, const struct origin_state *state)
{
    for (struct list *at = watch->wards.next; at != &watch->wards; at = at->next) {
        struct ward *ward = CONTAINER_OF(at, struct ward, node);
        if (ward->server->state == state) {
            return ward;
        }
    }
    return NULL;
}

static void ward_free(struct ward *ward)
{
    loop_timer_clear(&ward->timer);
    probe_cancel(&ward->probe);
    knock_cancel(&ward->knock);
    lookup_cancel(&ward->lookup);
    origin_server_unref(&ward->probed);
    origin_server_unref(&ward->server);
    origin_pool_unref(&ward->pool);
    list_remove(&ward->node);
    mem_free(ward);
}

/* Takes the server's reference. */
static void ward_keep(struct watch *watch, struct origin_pool *pool, struct origin_server *server)
{
    struct ward *ward = ward_find(watch, server->state);

    if (ward == NULL) {
        ward = mem_new(sizeof(*ward));
        ward->watch = watch;
        ward->pool = origin_pool_ref(pool);
        loop_timer_init(&ward->timer, on_timer);
        probe_init(&ward->probe, watch->loop, watch->fetches, on_probed);
        knock_init(&ward->knock, watch->loop, on_knocked);
        list_push(&watch->wards, &ward->node);
    } else if (ward->server != server) { /* other settings, maybe sooner */
        const struct conf_probe *probe = &server->origins->probe;
        uint64_t soon_us = loop_now_us(watch->loop) + interval_us(probe);
        ward->check_at_us = least(ward->check_at_us, soon_us);
        ward->lookup_at_us = 0;
        origin_server_unref(&ward->server);
    } else {
        origin_server_unref(&ward->server);
    }
    ward->server = server;
    ward->round = watch->round;
}

/* A reference to server i of the pool; NULL: none so far. */
static struct origin_server *server_at(struct origin_pool *pool, unsigned i)
{
    lock_acquire(&pool->lock);
    struct origin_server *server =
        i < pool->server_count ? origin_server_ref(pool->servers[i]) : NULL;
    lock_release(&pool->lock);
    return server;
}

/* The pools, with a reference each; *count of them. */
static struct origin_pool **list_pools(struct origins *origins, unsigned *count)
{
    unsigned room = 0;

    *count = 0;
    lock_acquire(&origins->lock);
    for (struct list *at = origins->pools.next; at != &origins->pools; at = at->next) {
        room++;
    }
    struct origin_pool **pools = mem_new((room + 1) * sizeof(struct origin_pool *));
    for (struct list *at = origins->pools.next; at != &origins->pools; at = at->next) {
        pools[(*count)++] = origin_pool_ref(CONTAINER_OF(at, struct origin_pool, node));
    }
    lock_release(&origins->lock);
    return pools;
}

static bool is_same(const struct conf_names *a, const struct conf_names *b)
{
    bool is_same = a->count == b->count;

    for (size_t i = 0; is_same && i < a->count; i++) {
        is_same = strcmp(a->list[i], b->list[i]) == 0;
    }
    return is_same;
}

/* Lookups under way with the same name servers are heard out: reloads may come faster than they. */
static bool may_renew(struct watch *watch, const struct conf *conf)
{
    uint64_t now_us = loop_now_us(watch->loop);

    if (watch->resolver == NULL || !is_same(&watch->conf->resolvers, &conf->resolvers) ||
        !is_looking_up(watch)) {
        return true;
    }
    watch->renew_us = watch->renew_us == 0 ? now_us : watch->renew_us;
    return now_us >= watch->renew_us + RENEW_LATEST_US;
}

/* Another configuration may ask other name servers, and /etc/resolv.conf may have changed. */
static void renew_resolver(struct watch *watch)
{
    struct origins *origins = watch->origins;

    lock_acquire(&origins->lock);
    struct conf *conf = origins->conf == NULL ? NULL : conf_ref(origins->conf);
    lock_release(&origins->lock);
    if (conf != NULL) {
        directory_configure(origins->directory, conf);
    }
    if (conf == NULL || conf == watch->conf || !may_renew(watch, conf)) {
        conf_unref(conf);
        return;
    }
    watch->renew_us = 0;
    for (struct list *at = watch->wards.next; at != &watch->wards; at = at->next) {
        lookup_cancel(&CONTAINER_OF(at, struct ward, node)->lookup);
    }
    resolver_free(&watch->resolver);
    conf_unref(watch->conf);
    watch->conf = conf;
    watch->resolver = resolver_new(watch->loop, &conf->resolvers, RESOLVE_LIKE_SYSTEM);
    if (watch->resolver == NULL) {
        log_error("resolver", "cannot be set up; names of origins are not looked up");
    }
}

static void gather(struct watch *watch)
{
    unsigned count;
    struct origin_pool **pools = list_pools(watch->origins, &count);

    watch->round++;
    renew_resolver(watch);
    for (unsigned i = 0; i < count; i++) {
        struct origin_server *server;
        for (unsigned j = 0; (server = server_at(pools[i], j)) != NULL; j++) {
            ward_keep(watch, pools[i], server);
        }
        origin_pool_unref(&pools[i]);
    }
    mem_free(pools);
    for (struct list *at = watch->wards.next; at != &watch->wards;) {
        struct ward *ward = CONTAINER_OF(at, struct ward, node);
        at = at->next;
        if (ward->round != watch->round) {
            ward_free(ward);
        }
    }
}

static void on_stir(struct mail *mail)
{
    struct watch *watch = CONTAINER_OF(mail, struct watch, stir);

    atomic_store(&watch->is_stirred, false); /* what comes from here on stirs again */
    if (watch->is_over) {
        return;
    }
    gather(watch);
    for (struct list *at = watch->wards.next; at != &watch->wards; at = at->next) {
        look(CONTAINER_OF(at, struct ward, node));
    }
}

void watch_stir(struct watch *watch)
{
    if (watch != NULL && !atomic_exchange(&watch->is_stirred, true)) {
        mailbox_post(loop_mailbox(watch->loop), &watch->stir);
    }
}

/* ---- life ---- */

static void on_interfaces(struct loop_timer *timer)
{
    struct watch *watch = CONTAINER_OF(timer, struct watch, interfaces);

    interfaces_refresh();
    loop_timer_set(watch->loop, timer, INTERFACES_EVERY_US);
}

static void *watch_run(void *arg)
{
    struct watch *watch = arg;

    loop_timer_init(&watch->interfaces, on_interfaces);
    on_interfaces(&watch->interfaces);
    loop_run(watch->loop);
    loop_timer_clear(&watch->interfaces);
    while (!list_is_empty(&watch->wards)) {
        ward_free(CONTAINER_OF(watch->wards.next, struct ward, node));
    }
    resolver_free(&watch->resolver);
    directory_close(watch->origins->directory);
    fetch_pool_free(&watch->fetches);
    conf_unref(watch->conf);
    watch->conf = NULL;
    return NULL;
}

/* From now on names are looked up here. */
static void mark_names(struct origins *origins)
{
    unsigned count;
    struct origin_pool **pools = list_pools(origins, &count);

    for (unsigned i = 0; i < count; i++) {
        lock_acquire(&pools[i]->lock);
        for (unsigned j = 0; j < pools[i]->server_count; j++) {
            const struct origin_server *server = pools[i]->servers[j];
            if (!names_is_literal(server->settings->host)) {
                server->state->names.state = NAMES_PENDING;
            }
        }
        lock_release(&pools[i]->lock);
        origin_pool_unref(&pools[i]);
    }
    mem_free(pools);
}

enum err origins_watch_start(struct origins *origins)
{
    struct watch *watch = mem_new(sizeof(*watch));

    CHECK(origins->watch == NULL);
    watch->loop = loop_new();
    if (watch->loop == NULL) {
        mem_free(watch);
        return ERR_IO;
    }
    watch->origins = origins;
    watch->stir.deliver = on_stir;
    list_init(&watch->wards);
    watch->fetches = fetch_pool_new(&(struct fetch_pool_options){
        .loop = watch->loop, .idle_connections = 1, .head_bytes_max = HEAD_BYTES_MAX});
    origins->watch = watch;
    directory_open(origins->directory, watch->loop);
    mark_names(origins);
    watch_stir(watch);
    enum err err = thread_start(&watch->thread, "origins", watch_run, watch);
    if (err != ERR_OK) { /* else the thread reads it already */
        watch->is_over = true;
        directory_close(origins->directory);
    }
    return err;
}

void origins_watch_stop(struct origins *origins)
{
    struct watch *watch = origins->watch;

    if (watch == NULL || watch->is_over) {
        return;
    }
    loop_stop(watch->loop);
    (void)pthread_join(watch->thread, NULL);
    watch->is_over = true;
}

void watch_free(struct watch **watch_at)
{
    struct watch *watch = *watch_at;

    *watch_at = NULL;
    if (watch == NULL) {
        return;
    }
    CHECK(watch->is_over);
    while (mailbox_deliver(loop_mailbox(watch->loop)) > 0) {
    }
    loop_free(&watch->loop);
    mem_free(watch);
}
