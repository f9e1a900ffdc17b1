/*
 * judge - what outcomes, checks, lookups and operators say of a server, brought to its state under
 * the pool's lock and told in the log outside of it.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "origin/origin_private.h"

static const struct conf_probe no_probe;

/* [pool->lock] */
static bool rules_of(const struct origin_pool *pool, struct health_rules *out)
{
    const struct conf_origins *settings = pool->settings;

    if (settings == NULL) {
        return false;
    }
    enum conf_eject_kind kind = settings->eject.kind;
    *out = (struct health_rules){
        .eject = &settings->eject,
        .is_ejecting =
            kind == CONF_EJECT_ON || (kind == CONF_EJECT_AUTO && pool->server_count >= 2),
        .breaker = &settings->breaker,
    };
    return true;
}

/* [pool->lock] */
static bool is_last(const struct origin_pool *pool, const struct origin_server *server)
{
    for (unsigned i = 0; i < pool->server_count; i++) {
        const struct origin_state *other = pool->servers[i]->state;
        if (other != server->state && health_may_ask(&other->health, false) &&
            other->names.state != NAMES_PENDING) {
            return false;
        }
    }
    return true;
}

/* Back: it starts slowly. [pool->lock] */
static void note_up(struct origin_state *state, const struct health_change *change, uint64_t now_us)
{
    if (change->is_any && change->to == ORIGIN_IS_UP) {
        state->up_since_us = now_us;
    }
}

static bool is_unreachable(enum fetch_fault fault)
{
    return fault == FETCH_CONNECT_REFUSED || fault == FETCH_CONNECT_TIMEOUT;
}

void origin_judge(struct origin_pool *pool, const struct origin_place *place,
                  const struct origin_outcome *outcome, uint64_t now_us,
                  struct health_change *change)
{
    const struct origin_server *server = place->server;
    struct origin_health *health = &server->state->health;
    struct health_rules rules;

    change->is_any = false;
    if (outcome == NULL || !outcome->is_known || !rules_of(pool, &rules)) {
        health_cancel(health, place->is_trial);
        return;
    }
    if (UNLIKELY(place->address[0] != '\0') &&
        names_note(&server->state->names, place->address, is_unreachable(outcome->fault))) {
        watch_stir(pool->origins->watch);
    }
    bool is_failure = health_is_failure(&rules, outcome);
    bool is_none = !is_failure && health->streak == 0 && !rules.breaker->is_on;
    bool is_ignored = !rules.is_ejecting && !rules.breaker->is_on;
    if (LIKELY(is_none || is_ignored) && health->phase == ORIGIN_IS_UP) {
        health_cancel(health, place->is_trial); /* somebody else has said that it is up */
        return;
    }
    const struct health_ended ended = {
        .outcome = outcome,
        .is_trial = place->is_trial,
        .is_last = is_failure && is_last(pool, server),
    };
    health_outcome(health, &rules, &ended, now_us, change);
    note_up(server->state, change, now_us);
}

void origin_tell(struct origin_pool *pool, const struct origin_state *state,
                 const struct health_change *change)
{
    if (LIKELY(!change->is_any)) {
        return;
    }
    log_info("origin_state", "pool=%s server=%s from=%s to=%s reason=\"%s\"", pool->name,
             state->name, origin_status_name(change->from), origin_status_name(change->to),
             change->reason);
    if (change->to == ORIGIN_IS_DOWN || change->to == ORIGIN_IS_EJECTED) {
        log_warn("origin_out", "pool=%s server=%s reason=\"%s\"", pool->name, state->name,
                 change->reason);
    }
    watch_stir(pool->origins->watch);
}

/* ---- from the watch and the operator ---- */

/* Tells and lets those who wait move. */
static void spread(struct origin_pool *pool, const struct origin_state *state,
                   const struct health_change *change, uint64_t now_us)
{
    origin_tell(pool, state, change);
    if (change->is_any) {
        origin_pool_move(pool, now_us);
    }
}

void origin_note_check(struct origin_pool *pool, struct origin_state *state,
                       const struct health_result *result, uint64_t now_us)
{
    struct health_change change = {.is_any = false};

    lock_acquire(&pool->lock);
    if (pool->settings != NULL && pool->settings->probe.kind != CONF_PROBE_OFF) {
        health_checked(&state->health, &pool->settings->probe, result, now_us, &change);
    }
    note_up(state, &change, now_us);
    lock_release(&pool->lock);
    spread(pool, state, &change, now_us);
}

void origin_note_knock(struct origin_pool *pool, struct origin_state *state,
                       const struct health_result *result, uint64_t now_us)
{
    struct health_change change = {.is_any = false};
    struct health_rules rules;

    lock_acquire(&pool->lock);
    if (rules_of(pool, &rules)) {
        health_knocked(&state->health, &rules, result, now_us, &change);
    }
    note_up(state, &change, now_us);
    lock_release(&pool->lock);
    spread(pool, state, &change, now_us);
}

void origin_note_address(struct origin_pool *pool, struct origin_state *state, const char *address,
                         bool is_broken)
{
    lock_acquire(&pool->lock);
    (void)names_note(&state->names, address, is_broken);
    lock_release(&pool->lock);
}

/* [pool->lock] */
static void name_changed(struct origin_state *state, uint64_t now_us, struct health_change *change)
{
    char reason[ORIGIN_REASON_BYTES];
    bool is_nameless = state->names.state == NAMES_NONE;

    (void)snprintf(reason, sizeof(reason), "%s%s",
                   is_nameless ? "no address: " : "its name has an address",
                   is_nameless ? state->names.detail : "");
    health_name(&state->health, is_nameless, reason, now_us, change);
}

void origin_note_names(struct origin_pool *pool, struct origin_state *state,
                       const struct names_result *result, uint64_t now_us)
{
    struct health_change change = {.is_any = false};
    char addresses[256];
    size_t len = 0;

    lock_acquire(&pool->lock);
    bool was_warning = state->names.is_warning;
    bool is_news = names_take(&state->names, result, clock_wall_ms());
    bool is_warning = state->names.is_warning;
    name_changed(state, now_us, &change);
    note_up(state, &change, now_us);
    addresses[0] = '\0';
    for (unsigned i = 0; i < state->names.count && len < sizeof(addresses); i++) {
        len += (size_t)snprintf(addresses + len, sizeof(addresses) - len, "%s%s", i == 0 ? "" : " ",
                                state->names.list[i].text);
    }
    lock_release(&pool->lock);
    if (is_warning && (is_news || !was_warning)) {
        log_warn("origin_dns", "pool=%s server=%s reason=\"%s\" keeping=\"%s\"", pool->name,
                 state->name, result->detail, addresses);
    } else if (is_news) {
        log_info("origin_addresses", "pool=%s server=%s addresses=\"%s\"", pool->name, state->name,
                 addresses);
    }
    spread(pool, state, &change, now_us);
    if (is_news) {
        origin_pool_move(pool, now_us);
    }
}

void origin_note_no_names(struct origin_pool *pool, struct origin_state *state, uint64_t now_us)
{
    struct health_change change = {.is_any = false};

    lock_acquire(&pool->lock);
    names_give_up(&state->names);
    name_changed(state, now_us, &change);
    note_up(state, &change, now_us);
    lock_release(&pool->lock);
    spread(pool, state, &change, now_us);
}

void origin_note_settings(struct origin_pool *pool)
{
    uint64_t now_us = clock_mono_us();

    for (unsigned i = 0;; i++) {
        struct health_change change = {.is_any = false};
        struct origin_server *server = NULL;
        struct health_rules rules;
        lock_acquire(&pool->lock);
        if (i < pool->server_count && rules_of(pool, &rules)) {
            server = origin_server_ref(pool->servers[i]);
            health_settle(&server->state->health, &pool->settings->probe, &rules, now_us, &change);
        }
        lock_release(&pool->lock);
        if (server == NULL) {
            return;
        }
        spread(pool, server->state, &change, now_us);
        origin_server_unref(&server);
    }
}

/* A reference to the server of that name, or NULL. */
static struct origin_server *find_server(struct origin_pool *pool, const char *name)
{
    struct origin_server *found = NULL;

    lock_acquire(&pool->lock);
    for (unsigned i = 0; i < pool->server_count && found == NULL; i++) {
        if (strcmp(pool->servers[i]->state->name, name) == 0) {
            found = origin_server_ref(pool->servers[i]);
        }
    }
    lock_release(&pool->lock);
    return found;
}

bool origins_set_state(struct origins *origins, const char *pool_name, const char *server_name,
                       enum origin_status status, const char *who, const char *reason)
{
    struct origin_pool *pool = origins_find(origins, pool_name);
    struct origin_server *server = pool == NULL ? NULL : find_server(pool, server_name);
    uint64_t now_us = clock_mono_us();
    struct health_change change = {.is_any = false};

    CHECK(status == ORIGIN_IS_UP || status == ORIGIN_IS_DRAINED ||
          status == ORIGIN_IS_IN_MAINTENANCE);
    if (server != NULL) {
        lock_acquire(&pool->lock);
        health_order(&server->state->health, status, who, reason, now_us, &change);
        note_up(server->state, &change, now_us);
        lock_release(&pool->lock);
        spread(pool, server->state, &change, now_us);
    }
    bool found = server != NULL;
    origin_server_unref(&server);
    origin_pool_unref(&pool);
    return found;
}

bool origins_check_now(struct origins *origins, const char *pool_name, const char *server_name)
{
    struct origin_pool *pool = origins_find(origins, pool_name);
    struct origin_server *server = pool == NULL ? NULL : find_server(pool, server_name);

    bool found = server != NULL;
    if (found) {
        lock_acquire(&pool->lock);
        server->state->is_check_wanted = true;
        lock_release(&pool->lock);
        watch_stir(origins->watch);
    }
    origin_server_unref(&server);
    origin_pool_unref(&pool);
    return found;
}

void origin_state_show(const struct origin_pool *pool, const struct origin_state *state,
                       struct origin_health_view *out)
{
    const struct conf_origins *settings = pool->settings;

    health_show(&state->health, settings == NULL ? &no_probe : &settings->probe, out);
    names_show(&state->names, out);
}

bool origin_lacks_names(const struct origin_pool *pool)
{
    for (unsigned i = 0; i < pool->server_count; i++) {
        const struct origin_health *health = &pool->servers[i]->state->health;
        if (health->is_nameless && health->order == ORIGIN_IS_UP && health->phase == ORIGIN_IS_UP) {
            return true;
        }
    }
    return false;
}
