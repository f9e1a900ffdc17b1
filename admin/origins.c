/*
 * origins - GET /api/v1/origins; POST /api/v1/origins/POOL/SERVER {"state","reason"} and
 * POST /api/v1/origins/POOL/SERVER/check.
 */
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "admin/body.h"
#include "admin/handlers.h"
#include "admin/pools.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "admin/views.h"
#include "base/clock.h"
#include "base/log.h"

#define ORIGINS_PATH "/api/v1/origins/"
#define SHOWN_BYTES 256

void origins_get(struct admin_request *request)
{
    struct json json;

    reply_json(request, 200, &json);
    origins_write(request->admin, &json);
}

/* ---- which server ---- */

struct target {
    struct buf text; /* pool and server name, each terminated */
    const char *pool, *server;
    bool is_check;
};

/* "POOL/SERVER" or "POOL/SERVER/check"; names have no slash. */
static bool target_read(struct target *target, const char *path)
{
    struct span rest = span_str(path + strlen(ORIGINS_PATH));
    const char *slash = memchr(rest.ptr, '/', rest.len);

    buf_init(&target->text, 4096);
    if (slash == NULL || slash == rest.ptr || slash[1] == '\0') {
        return false;
    }
    buf_append(&target->text, rest);
    if (target->text.failed) {
        return false;
    }
    target->text.data[slash - rest.ptr] = '\0';
    target->pool = target->text.data;
    char *server = target->text.data + (slash - rest.ptr) + 1;
    target->server = server;
    char *more = strchr(server, '/');
    if (more != NULL) {
        *more = '\0';
        target->is_check = strcmp(more + 1, "check") == 0;
    }
    return more == NULL || target->is_check;
}

static void put_names(const struct origins_view *view, const struct origin_pool_view *pool,
                      struct json *json)
{
    json_key(json, "names");
    json_array(json);
    for (unsigned i = 0; pool != NULL && i < pool->server_count; i++) {
        json_string(json, span_str(pool->servers[i].settings->name));
    }
    for (size_t i = 0; pool == NULL && i < view->count; i++) {
        if (view->pools[i].settings != NULL) {
            json_string(json, span_str(view->pools[i].name));
        }
    }
    json_array_end(json);
}

static void list_names(const struct origins_view *view, const struct origin_pool_view *pool,
                       char *out, size_t size)
{
    size_t count = pool != NULL ? pool->server_count : view->count;
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count && len < size; i++) {
        const char *name = pool != NULL ? pool->servers[i].settings->name : view->pools[i].name;
        int put = snprintf(out + len, size - len, "%s%s", len == 0 ? "" : ", ", name);
        len += put > 0 ? (size_t)put : 0;
    }
}

static void reply_unknown(struct admin_request *request, const struct origins_view *view,
                          const struct target *target)
{
    const struct origin_pool_view *pool = pools_find(view, target->pool);
    char names[POOLS_TEXT_BYTES];
    struct json json;

    list_names(view, pool, names, sizeof(names));
    if (pool == NULL) {
        problem_begin(request, PROBLEM_NOT_FOUND, &json, "no pool \"%s\"; the pools: %s",
                      target->pool, names);
    } else {
        problem_begin(request, PROBLEM_NOT_FOUND, &json,
                      "pool %s has no server \"%s\"; its servers: %s", pool->name, target->server,
                      names);
    }
    put_names(view, pool, &json);
    json_object_end(&json);
}

/* ---- what is done with it ---- */

struct order {
    enum origin_status status;
    const char *reason; /* "": none given */
};

static void reply_field(struct admin_request *request, const char *pointer, const char *message)
{
    struct json json;

    problem_begin(request, PROBLEM_INVALID, &json, "%s", message);
    json_key(&json, "errors");
    json_array(&json);
    json_object(&json);
    json_put_text(&json, "pointer", pointer);
    json_put_text(&json, "message", message);
    json_object_end(&json);
    json_array_end(&json);
    json_object_end(&json);
}

static bool read_state(const char *text, enum origin_status *out)
{
    static const enum origin_status allowed[] = {ORIGIN_IS_UP, ORIGIN_IS_DRAINED,
                                                 ORIGIN_IS_IN_MAINTENANCE};

    for (size_t i = 0; text != NULL && i < ARRAY_LEN(allowed); i++) {
        if (strcmp(text, origin_status_name(allowed[i])) == 0) {
            *out = allowed[i];
            return true;
        }
    }
    return false;
}

/* False: the answer is made. Borrowed from body. */
static bool order_read(struct admin_request *request, const cJSON *body, struct order *order)
{
    const cJSON *at;

    *order = (struct order){.reason = ""};
    cJSON_ArrayForEach(at, body)
    {
        if (strcmp(at->string, "reason") == 0) {
            order->reason = cJSON_GetStringValue(at);
        } else if (strcmp(at->string, "state") != 0) {
            reply_field(request, "", "members are state and reason");
            return false;
        }
    }
    if (!read_state(body_text(body, "state"), &order->status)) {
        reply_field(request, "/state", "state is one of up, drain, maintenance");
        return false;
    }
    if (order->reason == NULL) {
        reply_field(request, "/reason", "reason is a string");
        return false;
    }
    return true;
}

/* How it is now, and what is left of the pool. */
static void reply_server(struct admin_request *request, const struct target *target)
{
    struct origins_view *view =
        origins_view_new(service_origins(request->admin->service), clock_mono_us());
    const struct origin_pool_view *pool = pools_find(view, target->pool);
    const struct origin_server_view *server =
        pool == NULL ? NULL : pools_server(pool, target->server);
    char warning[POOLS_TEXT_BYTES];
    struct json json;

    if (server == NULL) { /* gone with a reload at this moment */
        reply_unknown(request, view, target);
        origins_view_free(&view);
        return;
    }
    pools_warning(pool, pools_asked(pool), warning, sizeof(warning));
    reply_json(request, 200, &json);
    json_object(&json);
    json_put_text(&json, "pool", pool->name);
    json_put_text(&json, "server", server->settings->name);
    json_put_text(&json, "state", origin_status_name(server->health.status));
    json_put_text(&json, "reason", server->health.reason);
    json_put_text(&json, "by", server->health.who);
    json_put_time(&json, "since", server->health.since_ms);
    json_put_u64(&json, "active", server->active);
    json_put_u64(&json, "up", pools_asked(pool));
    json_put_text(&json, "warning", warning);
    json_object_end(&json);
    origins_view_free(&view);
}

static bool act(struct admin_request *request, const struct target *target,
                const struct order *order)
{
    struct origins *origins = service_origins(request->admin->service);
    char shown[SHOWN_BYTES];
    char by[ORIGIN_WHO_BYTES];

    request_by(request, by, sizeof(by));
    if (target->is_check) {
        if (!origins_check_now(origins, target->pool, target->server)) {
            return false;
        }
        log_info("origin_check_asked", "pool=%s server=%s by=%s", target->pool, target->server, by);
        return true;
    }
    if (!origins_set_state(origins, target->pool, target->server, order->status, by,
                           order->reason)) {
        return false;
    }
    log_info("origin_state_set", "pool=%s server=%s state=%s by=%s reason=\"%s\"", target->pool,
             target->server, origin_status_name(order->status), by,
             log_escape(shown, sizeof(shown), span_str(order->reason)));
    return true;
}

static void run(struct admin_request *request, const struct target *target,
                const struct order *order)
{
    if (act(request, target, order)) {
        reply_server(request, target);
        return;
    }
    struct origins_view *view =
        origins_view_new(service_origins(request->admin->service), clock_mono_us());
    reply_unknown(request, view, target);
    origins_view_free(&view);
}

void origins_post(struct admin_request *request)
{
    struct target target = {0};
    struct order order = {0};

    if (!target_read(&target, request->path)) {
        problem_reply(request, PROBLEM_NOT_FOUND,
                      "no address %s; it is " ORIGINS_PATH "POOL/SERVER, or .../check",
                      request->path);
        buf_free(&target.text);
        return;
    }
    cJSON *body = body_parse(request);
    if (body != NULL && target.is_check && cJSON_GetArraySize(body) > 0) {
        reply_field(request, "", "a check takes no members");
    } else if (body != NULL && (target.is_check || order_read(request, body, &order))) {
        run(request, &target, &order);
    }
    cJSON_Delete(body);
    buf_free(&target.text);
}
