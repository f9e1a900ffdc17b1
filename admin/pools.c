/* pools - what is left of a pool, and what is wrong with it. */
#include "admin/pools.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define QUEUE_FULL_RECENT_US UINT64_C(60000000)

bool pools_is_asked(const struct origin_server_view *server)
{
    return server->health.status == ORIGIN_IS_UP || server->health.status == ORIGIN_IS_TRIAL;
}

unsigned pools_asked(const struct origin_pool_view *pool)
{
    unsigned count = 0;

    for (unsigned i = 0; i < pool->server_count; i++) {
        count += pools_is_asked(&pool->servers[i]);
    }
    return count;
}

void pools_warning(const struct origin_pool_view *pool, unsigned left, char *out, size_t size)
{
    out[0] = '\0';
    if (left == 0) {
        (void)snprintf(out, size,
                       "no server of pool %s is left: visitors get stale copies, then 503",
                       pool->name);
    }
}

const struct origin_pool_view *pools_find(const struct origins_view *view, const char *name)
{
    for (size_t i = 0; i < view->count; i++) {
        if (view->pools[i].settings != NULL && strcmp(view->pools[i].name, name) == 0) {
            return &view->pools[i];
        }
    }
    return NULL;
}

const struct origin_server_view *pools_server(const struct origin_pool_view *pool, const char *name)
{
    for (unsigned i = 0; i < pool->server_count; i++) {
        if (strcmp(pool->servers[i].settings->name, name) == 0) {
            return &pool->servers[i];
        }
    }
    return NULL;
}

/* ---- problems ---- */

struct problems {
    struct json *json;
    unsigned count, limit;
};

static void put_problem(struct problems *problems, const char *level, const char *event,
                        const char *text, int64_t since_ms)
{
    struct json *json = problems->json;

    if (problems->count == problems->limit) {
        return;
    }
    problems->count++;
    json_object(json);
    json_put_text(json, "level", level);
    json_put_text(json, "event", event);
    json_put_text(json, "text", text);
    json_put_time(json, "last", clock_wall_ms());
    json_put_time(json, "since", since_ms);
    json_put_u64(json, "count", 1);
    json_put_bool(json, "now", true); /* a state, that ends by itself when it is over */
    json_object_end(json);
}

/* When the last of its servers left, as far as is known. */
static int64_t emptied_ms(const struct origin_pool_view *pool)
{
    int64_t latest = 0;

    for (unsigned i = 0; i < pool->server_count; i++) {
        int64_t since = pool->servers[i].health.since_ms;
        latest = since > latest ? since : latest;
    }
    return latest;
}

static void pool_empty(struct problems *problems, const struct origin_pool_view *pool)
{
    char text[POOLS_TEXT_BYTES];

    pools_warning(pool, pools_asked(pool), text, sizeof(text));
    if (text[0] != '\0') {
        text[0] = 'N';
        put_problem(problems, "error", "pool_empty", text, emptied_ms(pool));
    }
}

static void server_out(struct problems *problems, const struct origin_pool_view *pool,
                       enum origin_status status)
{
    for (unsigned i = 0; i < pool->server_count; i++) {
        const struct origin_server_view *server = &pool->servers[i];
        char text[POOLS_TEXT_BYTES];
        if (server->health.status != status) {
            continue;
        }
        (void)snprintf(text, sizeof(text), "%s/%s is %s%s%s", pool->name, server->settings->name,
                       origin_status_name(status), server->health.reason[0] == '\0' ? "" : ": ",
                       server->health.reason);
        put_problem(problems, "warn", status == ORIGIN_IS_DOWN ? "origin_down" : "origin_ejected",
                    text, server->health.since_ms);
    }
}

static void servers_down(struct problems *problems, const struct origin_pool_view *pool)
{
    server_out(problems, pool, ORIGIN_IS_DOWN);
}

static void servers_ejected(struct problems *problems, const struct origin_pool_view *pool)
{
    server_out(problems, pool, ORIGIN_IS_EJECTED);
}

static void queue_full(struct problems *problems, const struct origin_pool_view *pool)
{
    uint64_t now_us = clock_mono_us();
    char text[POOLS_TEXT_BYTES];

    if (pool->full_us == 0 || now_us > pool->full_us + QUEUE_FULL_RECENT_US) {
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "The queue of pool %s was full in the last minute: every server has its max, "
                   "some visitors got 503",
                   pool->name);
    put_problem(problems, "warn", "queue_full", text, 0);
}

static void dns_fails(struct problems *problems, const struct origin_pool_view *pool)
{
    for (unsigned i = 0; i < pool->server_count; i++) {
        const struct origin_server_view *server = &pool->servers[i];
        char text[POOLS_TEXT_BYTES];
        if (!server->health.dns.is_warning) {
            continue;
        }
        (void)snprintf(
            text, sizeof(text), "The name of %s/%s (%s) cannot be looked up: %s; %s", pool->name,
            server->settings->name, server->settings->host,
            server->health.dns.detail[0] == '\0' ? "no answer" : server->health.dns.detail,
            server->health.dns.count > 0 ? "its last addresses are used" : "it has no address");
        put_problem(problems, "warn", "origin_dns", text, 0);
    }
}

unsigned pools_write_problems(struct service *service, struct json *json, unsigned limit)
{
    static void (*const kinds[])(struct problems *, const struct origin_pool_view *) = {
        pool_empty, servers_down, servers_ejected, queue_full, dns_fails};
    struct origins_view *view = origins_view_new(service_origins(service), clock_mono_us());
    struct problems problems = {.json = json, .limit = limit};

    for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
        for (size_t i = 0; i < view->count; i++) {
            if (view->pools[i].settings != NULL) {
                kinds[kind](&problems, &view->pools[i]);
            }
        }
    }
    origins_view_free(&view);
    return problems.count;
}
