/* origins_view - all pools as JSON: GET /api/v1/origins and the event `origins`. */
#include <stdio.h>
#include <string.h>

#include "admin/pools.h"
#include "admin/private.h"
#include "admin/views.h"
#include "base/clock.h"
#include "origin/figures.h"

static void put_ms(struct json *json, const char *name, double us)
{
    json_key(json, name);
    if (us < 0) {
        json_null(json);
    } else {
        json_double(json, us / 1000.0);
    }
}

/* 0 is no bound. */
static void put_bound(struct json *json, const char *name, uint64_t bound)
{
    json_key(json, name);
    if (bound == 0) {
        json_null(json);
    } else {
        json_u64(json, bound);
    }
}

/* Unix milliseconds of a monotonic time; 0: never. */
static int64_t wall_of(uint64_t mono_us)
{
    uint64_t now_us = clock_mono_us();

    return mono_us == 0 || mono_us > now_us
               ? 0
               : clock_wall_ms() - (int64_t)((now_us - mono_us) / 1000);
}

/* ---- a server ---- */

static void write_check(const struct origin_health_view *health, struct json *json)
{
    json_key(json, "last_check");
    if (health->check.at_ms == 0) {
        json_null(json);
    } else {
        json_object(json);
        json_put_time(json, "time", health->check.at_ms);
        json_put_text(json, "result", health->check.is_passed ? "passed" : "failed");
        json_put_text(json, "detail", health->check.detail);
        put_ms(json, "ms", (double)health->check.took_us);
        json_object_end(json);
    }
    json_put_bool(json, "checks", health->check.is_on);
    json_put_u64(json, "checks_passed", health->check.passed);
    json_put_u64(json, "checks_failed", health->check.failed);
}

static void write_addresses(const struct origin_health_view *health, struct json *json)
{
    json_key(json, "addresses");
    json_array(json);
    for (unsigned i = 0; i < health->dns.count && i < ORIGIN_ADDRESSES_MAX; i++) {
        json_string(json, span_str(health->dns.addresses[i]));
    }
    json_array_end(json);
    json_put_time(json, "resolved_at", health->dns.at_ms);
    json_put_text(json, "resolve_error", health->dns.is_warning ? health->dns.detail : "");
}

static void write_errors(const struct origin_figures *figures, struct json *json)
{
    json_key(json, "errors");
    json_object(json);
    for (unsigned i = FETCH_OK + 1; i < ORIGIN_FAULTS; i++) {
        if (figures->faults[i] > 0) {
            json_put_u64(json, origin_fault_name((enum fetch_fault)i), figures->faults[i]);
        }
    }
    json_object_end(json);
}

static void write_figures(const struct origin_server_view *server, struct json *json)
{
    static const char *const classes[ORIGIN_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    const struct origin_figures *figures = &server->figures;
    const struct origin_recent *recent = &server->recent;

    json_put_u64(json, "active", server->active);
    json_put_u64(json, "requests", server->requests);
    json_put_double(json, "requests_per_s", (double)recent->responses / recent->seconds);
    json_put_u64(json, "responses_last_minute", recent->responses);
    json_put_u64(json, "errors_last_minute", recent->failures);
    json_key(json, "responses");
    json_object(json);
    for (unsigned i = 0; i < ORIGIN_CLASSES; i++) {
        json_put_u64(json, classes[i], figures->responses[i]);
    }
    json_object_end(json);
    write_errors(figures, json);
    put_ms(json, "first_byte_p50_ms", recent->p50_us);
    put_ms(json, "first_byte_p95_ms", recent->p95_us);
    json_put_u64(json, "bytes", figures->received_bytes);
    json_put_u64(json, "connections_made", figures->connected);
    json_put_u64(json, "connections_reused", figures->reused);
}

static void write_server(const struct origin_pool_view *pool,
                         const struct origin_server_view *server, struct json *json)
{
    const struct origin_health_view *health = &server->health;

    json_object(json);
    json_put_text(json, "name", server->settings->name);
    json_put_text(json, "url", server->settings->url);
    json_put_text(json, "state", origin_status_name(health->status));
    json_put_text(json, "reason", health->reason);
    json_put_text(json, "by", health->who);
    json_put_time(json, "since", health->since_ms);
    json_put_u64(json, "changes", health->changes);
    json_put_u64(json, "ejections", health->ejections);
    /* Without it nobody is left to ask. */
    json_put_bool(json, "is_last", pools_is_asked(server) && pools_asked(pool) == 1);
    json_put_u64(json, "weight", server->settings->weight);
    put_bound(json, "max", server->settings->max);
    json_put_bool(json, "backup", server->settings->backup);
    write_check(health, json);
    write_addresses(health, json);
    write_figures(server, json);
    json_object_end(json);
}

/* ---- a pool ---- */

static bool upstream_uses(const struct conf_upstream *upstream, const char *pool)
{
    return upstream->is_set && !upstream->is_direct && strcmp(upstream->pool, pool) == 0;
}

static bool site_uses(const struct conf_site *site, const char *pool)
{
    const char *own = site->origins.server_count > 0 ? site->names.list[0] : site->origins.name;
    bool uses = own != NULL && strcmp(own, pool) == 0;

    for (size_t i = 0; i < site->rule_count && !uses; i++) {
        const struct conf_rule *rule = &site->rules[i];
        uses = ((rule->set & CONF_RULE_ORIGINS) != 0 && strcmp(rule->origins, pool) == 0) ||
               upstream_uses(&rule->upstream, pool);
    }
    return uses || upstream_uses(&site->forward.upstream, pool);
}

static void write_sites(const struct conf *conf, const char *pool, struct json *json)
{
    json_key(json, "sites");
    json_array(json);
    for (size_t i = 0; i < conf->site_count; i++) {
        if (site_uses(&conf->sites[i], pool)) {
            json_string(json, span_str(conf->sites[i].names.list[0]));
        }
    }
    json_array_end(json);
}

static void write_balance(const struct conf_balancing *balance, struct json *json)
{
    static const char *const words[] = {
        [CONF_BALANCE_ROUND_ROBIN] = "round robin",
        [CONF_BALANCE_LEAST_CONN] = "least connections",
        [CONF_BALANCE_RANDOM] = "random",
        [CONF_BALANCE_HASH_URL] = "hash of URL",
        [CONF_BALANCE_HASH_CLIENT] = "hash of client address",
        [CONF_BALANCE_HASH_HEADER] = "hash of header",
        [CONF_BALANCE_HASH_COOKIE] = "hash of cookie",
    };
    char text[160];

    (void)snprintf(text, sizeof(text), "%s%s%s", words[balance->by],
                   balance->name == NULL ? "" : " ", balance->name == NULL ? "" : balance->name);
    json_put_text(json, "balance", text);
}

static void write_queue(const struct origin_pool_view *pool, struct json *json)
{
    json_key(json, "queue");
    json_object(json);
    json_put_u64(json, "waiting", pool->queued);
    json_put_u64(json, "size", pool->settings->queue.size);
    json_put_double(json, "timeout_s", (double)pool->settings->queue.timeout_ms / 1000.0);
    json_put_u64(json, "waited", pool->waited);
    json_put_u64(json, "refused_full", pool->refused_full);
    json_put_u64(json, "refused_late", pool->refused_late);
    json_put_u64(json, "refused_down", pool->refused_down);
    json_put_time(json, "full_at", wall_of(pool->full_us));
    json_object_end(json);
}

static void write_pool(const struct conf *conf, const struct origin_pool_view *pool,
                       struct json *json)
{
    char warning[POOLS_TEXT_BYTES];
    unsigned up = pools_asked(pool);

    pools_warning(pool, up, warning, sizeof(warning));
    json_object(json);
    json_put_text(json, "name", pool->name);
    write_sites(conf, pool->name, json);
    write_balance(&pool->settings->balance, json);
    json_put_u64(json, "active", pool->active);
    json_put_u64(json, "up", up);
    json_put_text(json, "warning", warning);
    json_put_u64(json, "retries", pool->retries);
    json_put_u64(json, "retries_refused", pool->retries_refused);
    write_queue(pool, json);
    json_key(json, "servers");
    json_array(json);
    for (unsigned i = 0; i < pool->server_count; i++) {
        write_server(pool, &pool->servers[i], json);
    }
    json_array_end(json);
    json_object_end(json);
}

void origins_write(struct admin *admin, struct json *json)
{
    struct conf *conf = service_conf(admin->service);
    struct origins_view *view = origins_view_new(service_origins(admin->service), clock_mono_us());

    json_object(json);
    json_key(json, "pools");
    json_array(json);
    for (size_t i = 0; i < view->count; i++) {
        if (view->pools[i].settings != NULL) {
            write_pool(conf, &view->pools[i], json);
        }
    }
    json_array_end(json);
    json_object_end(json);
    origins_view_free(&view);
    conf_unref(conf);
}
