/* status - how it goes, on one screen. */
#include <stdio.h>
#include <unistd.h>

#include "admin/access.h"
#include "admin/handlers.h"
#include "admin/pools.h"
#include "admin/private.h"
#include "admin/views.h"
#include "base/log.h"

#define STATUS_PROBLEMS ((size_t)20)

static const char *state_name(struct service *service, const struct store_stats *store)
{
    switch (service_state(service)) {
    case SERVICE_STARTING:
        return "starting";
    case SERVICE_DRAINING:
        return "draining";
    case SERVICE_SERVING:
        break;
    }
    return store->recovering ? "recovering" : "serving";
}

static const char *disk_name(enum store_disk_state state)
{
    switch (state) {
    case STORE_DISK_OFF:
        return "off";
    case STORE_DISK_OK:
        return "ok";
    case STORE_DISK_FAILED:
        return "failed";
    }
    return "failed";
}

static void write_store(struct json *json, const struct store_stats *store)
{
    json_object(json);
    json_put_u64(json, "disk_bytes", store->disk_bytes);
    json_put_u64(json, "disk_capacity_bytes", store->disk_capacity_bytes);
    json_put_u64(json, "disk_objects", store->disk_objects);
    json_put_u64(json, "memory_bytes", store->memory_bytes);
    json_put_u64(json, "memory_capacity_bytes", store->memory_capacity_bytes);
    json_put_u64(json, "memory_objects", store->memory_objects);
    json_put_u64(json, "index_bytes", store->index_bytes);
    json_put_u64(json, "fills", store->fills);
    json_put_bool(json, "recovering", store->recovering);
    json_put_double(json, "recovered_share", store->recovered_share);
    json_put_text(json, "disk", disk_name(store->disk_state));
    json_object_end(json);
}

/* What is wrong now, then what went wrong lately. */
static void write_problems(struct json *json, struct service *service)
{
    struct log_problem problems[STATUS_PROBLEMS];
    size_t count = log_problems(problems, STATUS_PROBLEMS);

    json_array(json);
    (void)pools_write_problems(service, json, STATUS_PROBLEMS);
    sites_write_problems(service, json);
    for (size_t i = 0; i < count; i++) {
        json_object(json);
        json_put_text(json, "level", problems[i].level == LOG_LEVEL_ERROR ? "error" : "warn");
        json_put_text(json, "event", problems[i].event);
        json_put_text(json, "text", problems[i].text);
        json_put_time(json, "last", problems[i].last_ms);
        json_put_u64(json, "count", problems[i].count);
        json_put_bool(json, "now", false);
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_config(struct json *json, struct service *service)
{
    struct service_reload reload;

    service_last_reload(service, &reload);
    json_object(json);
    json_put_text(json, "file", service_conf_path(service));
    json_put_time(json, "loaded_at", reload.loaded_ms);
    json_put_bool(json, "last_reload_ok", !reload.ever || reload.ok);
    json_put_text(json, "last_reload_error", reload.ever && !reload.ok ? reload.error : "");
    json_object_end(json);
}

static void write_sites(struct json *json, struct service *service)
{
    json_array(json);
    for (unsigned slot = 1; slot < COUNTERS_SITES; slot++) {
        const char *name = service_site_name(service, slot);
        if (name != NULL) {
            json_string(json, span_str(name));
        }
    }
    json_array_end(json);
}

static void write_forwards(struct json *json, struct service *service)
{
    struct conf *conf = service_conf(service);

    access_write_names(conf, json);
    conf_unref(conf);
}

void status_write(struct admin *admin, struct json *json)
{
    struct service *service = admin->service;
    struct service_connections connections;
    struct store_stats store;
    char host[256] = "";

    store_stats(service_store(service), &store);
    service_connections(service, &connections);
    (void)gethostname(host, sizeof(host) - 1);
    json_object(json);
    json_put_text(json, "version", LARDER_VERSION);
    json_put_text(json, "host", host);
    json_put_u64(json, "pid", (uint64_t)getpid());
    json_put_u64(json, "uptime_s", (uint64_t)service_uptime_s(service));
    json_put_text(json, "state", state_name(service, &store));
    json_put_u64(json, "workers", service_workers(service));
    json_put_u64(json, "connections", connections.open);
    json_key(json, "site_names");
    write_sites(json, service);
    json_key(json, "forwards");
    write_forwards(json, service);
    json_key(json, "store");
    write_store(json, &store);
    json_key(json, "problems");
    write_problems(json, service);
    json_key(json, "config");
    write_config(json, service);
    json_object_end(json);
}

void status_get(struct admin_request *request)
{
    struct json json;

    reply_json(request, 200, &json);
    status_write(request->admin, &json);
}
