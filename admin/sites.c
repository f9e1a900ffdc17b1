/* sites - GET /api/v1/sites, POST /api/v1/sites/NAME/maintenance. */
#include <string.h>

#include <cjson/cJSON.h>

#include "admin/body.h"
#include "admin/handlers.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "admin/views.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/site_state.h"

#define SITES_PATH "/api/v1/sites/"
#define MAINTENANCE_END "/maintenance"

unsigned sites_slot(struct service *service, const struct conf_site *site)
{
    for (unsigned slot = 1; slot < COUNTERS_SITES; slot++) {
        const char *name = service_site_name(service, slot);
        if (name != NULL && strcmp(name, site->names.list[0]) == 0) {
            return slot;
        }
    }
    return 0;
}

static const struct conf_site *find_site(const struct conf *conf, struct span name)
{
    for (size_t i = 0; i < conf->site_count; i++) {
        const struct conf_names *names = &conf->sites[i].names;
        for (size_t j = 0; j < names->count; j++) {
            if (span_eq_nocase(name, span_str(names->list[j]))) {
                return &conf->sites[i];
            }
        }
    }
    return NULL;
}

static void write_maintenance(struct json *json, const struct conf_site *site,
                              const struct site_note *note)
{
    json_object(json);
    json_put_bool(json, "on", note->on);
    json_put_text(json, "reason", note->reason);
    json_put_time(json, "since", note->on ? note->since_ms : 0);
    json_put_text(json, "by", note->on ? note->by : "");
    json_put_u64(json, "retry_after_s", (site->maintenance.retry_after_ms + 999) / 1000);
    json_put_bool(json, "cached", site->maintenance.cached);
    json_object_end(json);
}

static void write_site(struct json *json, struct service *service, const struct conf_site *site)
{
    struct site_note note;

    site_state_get(service_site_state(service), sites_slot(service, site), &note);
    json_object(json);
    json_put_text(json, "name", site->names.list[0]);
    json_key(json, "names");
    json_array(json);
    for (size_t i = 0; i < site->names.count; i++) {
        json_string(json, span_str(site->names.list[i]));
    }
    json_array_end(json);
    json_key(json, "maintenance");
    write_maintenance(json, site, &note);
    json_object_end(json);
}

void sites_get(struct admin_request *request)
{
    struct conf *conf = service_conf(request->admin->service);
    struct json json;

    reply_json(request, 200, &json);
    json_object(&json);
    json_key(&json, "sites");
    json_array(&json);
    for (size_t i = 0; i < conf->site_count; i++) {
        write_site(&json, request->admin->service, &conf->sites[i]);
    }
    json_array_end(&json);
    json_object_end(&json);
    conf_unref(conf);
}

/* NAME of the path; empty: it is another address. */
static struct span name_of(const char *path)
{
    struct span text = span_str(path + strlen(SITES_PATH));
    size_t end = strlen(MAINTENANCE_END);

    if (text.len <= end || strcmp(text.ptr + text.len - end, MAINTENANCE_END) != 0) {
        return span_of("", 0);
    }
    return span_of(text.ptr, text.len - end);
}

/* {"on": true, "reason": "..."}. False: the answer is made. */
static bool read_order(struct admin_request *request, const cJSON *body, bool *on,
                       const char **reason)
{
    const cJSON *at;
    bool has_on = false;

    *reason = "";
    cJSON_ArrayForEach(at, body)
    {
        if (strcmp(at->string, "on") == 0 && cJSON_IsBool(at)) {
            *on = cJSON_IsTrue(at);
            has_on = true;
        } else if (strcmp(at->string, "reason") == 0 && cJSON_IsString(at) &&
                   strlen(at->valuestring) < SITE_REASON_BYTES) {
            *reason = at->valuestring;
        } else {
            problem_reply(request, PROBLEM_INVALID,
                          "members are on (true or false) and reason (a string below %u bytes)",
                          SITE_REASON_BYTES);
            return false;
        }
    }
    if (!has_on) {
        problem_reply(request, PROBLEM_INVALID, "on is missing: true or false");
    }
    return has_on;
}

static void maintain(struct admin_request *request, const struct conf_site *site, bool on,
                     const char *reason)
{
    struct service *service = request->admin->service;
    unsigned slot = sites_slot(service, site);
    struct json json;

    if (slot == 0) {
        problem_reply(request, PROBLEM_INVALID,
                      "only the first %d sites of a process can be switched at run time",
                      COUNTERS_SITES - 1);
        return;
    }
    site_state_maintain(service_site_state(service), slot, on, reason, request->who.name);
    char shown[SITE_REASON_BYTES * 4];
    log_escape(shown, sizeof(shown), span_str(reason));
    log_info("maintenance", "site=%s state=%s by=%s reason=\"%s\"", site->names.list[0],
             on ? "on" : "off", request->who.name, shown);
    reply_json(request, 200, &json);
    write_site(&json, service, site);
}

void sites_post(struct admin_request *request)
{
    struct span name = name_of(request->path);
    bool on = false;
    const char *reason;

    if (name.len == 0) {
        problem_reply(request, PROBLEM_NOT_FOUND, "no address %s", request->path);
        return;
    }
    cJSON *body = body_parse(request);
    if (body == NULL) {
        return;
    }
    struct conf *conf = service_conf(request->admin->service);
    const struct conf_site *site = find_site(conf, name);
    if (site == NULL) {
        problem_reply(request, PROBLEM_NOT_FOUND, "no site has the name %.*s", (int)name.len,
                      name.ptr);
    } else if (read_order(request, body, &on, &reason)) {
        maintain(request, site, on, reason);
    }
    conf_unref(conf);
    cJSON_Delete(body);
}

bool sites_in_maintenance(struct service *service, const struct conf_site *site)
{
    struct site_note note;

    site_state_get(service_site_state(service), sites_slot(service, site), &note);
    return note.on;
}

void sites_write_problems(struct service *service, struct json *json)
{
    struct conf *conf = service_conf(service);

    for (size_t i = 0; i < conf->site_count; i++) {
        struct site_note note;
        struct buf text;
        site_state_get(service_site_state(service), sites_slot(service, &conf->sites[i]), &note);
        if (!note.on) {
            continue;
        }
        buf_init(&text, 1024);
        buf_printf(&text, "Site %s is in maintenance%s%s, by %s", conf->sites[i].names.list[0],
                   note.reason[0] == '\0' ? "" : ": ", note.reason, note.by);
        json_object(json);
        json_put_text(json, "level", "warn");
        json_put_text(json, "event", "maintenance");
        json_put_text(json, "text", text.data);
        json_put_time(json, "last", clock_wall_ms());
        json_put_time(json, "since", note.since_ms);
        json_put_u64(json, "count", 1);
        json_put_bool(json, "now", true);
        json_object_end(json);
        buf_free(&text);
    }
    conf_unref(conf);
}
