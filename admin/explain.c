/* explain - POST /api/v1/explain: what would become of a request, and which setting decided. */
#include "explain/explain.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "admin/body.h"
#include "admin/handlers.h"
#include "admin/pools.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "admin/views.h"
#include "base/clock.h"
#include "base/mem.h"

/* ---- the question ---- */

/* "Name: value" */
static bool read_field(struct explain_question *question, const char *line)
{
    const char *colon = line == NULL ? NULL : strchr(line, ':');

    if (colon == NULL || question->field_count == EXPLAIN_FIELDS_MAX) {
        return false;
    }
    question->names[question->field_count] = span_of(line, (size_t)(colon - line));
    question->values[question->field_count] = span_trim(span_str(colon + 1));
    question->field_count++;
    return true;
}

static bool read_fields(struct explain_question *question, const cJSON *fields)
{
    const cJSON *at;

    cJSON_ArrayForEach(at, fields)
    {
        if (!read_field(question, cJSON_GetStringValue(at))) {
            return false;
        }
    }
    return cJSON_IsArray(fields);
}

/* Returns NULL, or what is wrong. Everything is borrowed from body. */
static const char *read_question(struct explain_question *question, const cJSON *body)
{
    const cJSON *at;

    cJSON_ArrayForEach(at, body)
    {
        const char *text = cJSON_GetStringValue(at);
        if (strcmp(at->string, "url") == 0 && text != NULL) {
            question->url = span_str(text);
        } else if (strcmp(at->string, "method") == 0 && text != NULL) {
            question->method = span_str(text);
        } else if (strcmp(at->string, "client") == 0 && text != NULL) {
            question->client = span_str(text);
        } else if (strcmp(at->string, "forward") == 0 && text != NULL) {
            question->forward = span_str(text);
        } else if (strcmp(at->string, "headers") != 0) {
            return "members are url, method, client, forward (strings) and headers (an array of "
                   "strings)";
        } else if (!read_fields(question, at)) {
            return "headers are at most 64 strings \"Name: value\"";
        }
    }
    return question->url.ptr == NULL ? "url is missing" : NULL;
}

/* ---- the answer ---- */

static void put_span(struct json *json, const char *name, struct span text)
{
    json_key(json, name);
    json_string(json, text);
}

/* "larder.conf:12", or null. */
static void put_where(struct json *json, struct conf_where where)
{
    struct buf text;

    json_key(json, "at");
    if (where.file == NULL) {
        json_null(json);
        return;
    }
    buf_init(&text, 8192);
    buf_printf(&text, "%s:%u", where.file, where.line);
    json_string(json, buf_span(&text));
    buf_free(&text);
}

static const char *holds_name(const struct explain *explain, unsigned rule)
{
    if (policy_holds(&explain->asked, rule)) {
        return "yes";
    }
    if (explain->object != NULL && policy_holds(&explain->later, rule)) {
        return "stored"; /* for the response that is stored */
    }
    return "no";
}

static bool asks_response(const struct conf_rule *rule)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        if (rule->conditions[i].kind == CONF_IF_TYPE ||
            rule->conditions[i].kind == CONF_IF_STATUS) {
            return true;
        }
    }
    return false;
}

static void write_rules(const struct explain *explain, const struct conf *conf, struct json *json)
{
    const struct conf_site *site = explain->site->conf;

    json_key(json, "rules");
    json_array(json);
    for (size_t i = 0; i < site->rule_count; i++) {
        struct buf text;
        buf_init(&text, REQUEST_REPLY_MAX_BYTES);
        conf_print_conditions(&site->rules[i], &text);
        json_object(json);
        put_span(json, "conditions", buf_span(&text));
        put_where(json, conf_where_rule(conf, site, &site->rules[i], NULL));
        json_put_text(json, "holds", holds_name(explain, (unsigned)i));
        json_put_bool(json, "asks_response", asks_response(&site->rules[i]));
        json_object_end(json);
        buf_free(&text);
    }
    json_array_end(json);
}

static void write_access(const struct explain *explain, struct json *json)
{
    static const char *const verdicts[] = {
        [EXPLAIN_ACCESS_FREE] = "free",
        [EXPLAIN_ACCESS_DEPENDS] = "depends",
        [EXPLAIN_ACCESS_ALLOWED] = "allowed",
        [EXPLAIN_ACCESS_DENIED] = "denied",
    };

    json_key(json, "access");
    json_object(json);
    json_put_text(json, "verdict", verdicts[explain->access]);
    put_where(json, explain->access_where);
    json_object_end(json);
}

/* The limits of one block, of the site or (rule) of a rule. */
static void write_limits_of(const struct explain *explain, const struct conf *conf,
                            const struct guard *guard, const struct conf_rule *rule,
                            struct json *json)
{
    const struct conf_site *site = explain->site->conf;

    for (unsigned i = 0; i < guard->count; i++) {
        const struct conf_limit *limit = guard->limits[i].conf;
        const struct conf_limit *first = rule == NULL ? site->limits : rule->limits;
        struct buf text;
        buf_init(&text, REQUEST_REPLY_MAX_BYTES);
        conf_print_limit(limit, &text);
        json_object(json);
        json_put_text(json, "name", limit->name);
        put_span(json, "limit", buf_span(&text));
        put_where(json, conf_where_element(conf, site, rule, "limit", (size_t)(limit - first)));
        json_object_end(json);
        buf_free(&text);
    }
}

static void write_limits(const struct explain *explain, const struct conf *conf, struct json *json)
{
    const struct guards *guards = &explain->site->guards;
    const struct guard *guard;
    unsigned at = 0;

    json_key(json, "limits");
    json_array(json);
    while (!explain->is_unlimited && (guard = guards_next(guards, &explain->asked, &at)) != NULL) {
        const struct conf_rule *rule =
            guard == &guards->site ? NULL : &explain->site->conf->rules[guard - guards->rules];
        write_limits_of(explain, conf, guard, rule, json);
    }
    json_array_end(json);
}

static void write_settings(const struct explain *explain, struct json *json)
{
    json_key(json, "settings");
    json_array(json);
    for (unsigned i = 0; i < explain->setting_count; i++) {
        const struct explain_setting *setting = &explain->settings[i];
        json_object(json);
        json_put_text(json, "name", setting->name);
        put_span(json, "value", setting->value);
        json_put_text(json, "from",
                      setting->rule >= 0               ? "rule"
                      : setting->where.file == NULL    ? "default"
                      : explain->site->forward != NULL ? "forward"
                                                       : "site");
        put_where(json, setting->where);
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_stored(const struct explain *explain, struct json *json)
{
    const struct http_stored *facts = &explain->facts;

    json_key(json, "stored");
    if (explain->object == NULL) {
        json_null(json);
        return;
    }
    json_object(json);
    json_put_u64(json, "status", facts->status);
    json_put_u64(json, "age_s", http_current_age_s(facts, explain->now_ms));
    json_key(json, "ttl_s");
    json_i64(json, http_ttl_s(facts, explain->now_ms));
    json_put_u64(json, "lifetime_s", facts->lifetime_s);
    json_put_text(json, "lifetime_from",
                  explain_source_name((enum http_lifetime_source)facts->source));
    json_put_u64(json, "stale_while_revalidate_s", facts->stale_while_revalidate_s);
    json_put_u64(json, "stale_if_error_s", facts->stale_if_error_s);
    json_put_bool(json, "must_revalidate", (facts->flags & HTTP_STORED_MUST_REVALIDATE) != 0);
    json_put_bool(json, "no_cache", (facts->flags & HTTP_STORED_NO_CACHE) != 0);
    json_put_bool(json, "has_validator",
                  (facts->flags & (HTTP_STORED_HAS_ETAG | HTTP_STORED_HAS_LAST_MODIFIED)) != 0);
    json_put_time(json, "stored_at", facts->response_time_ms);
    json_put_time(json, "soft_purged_at", explain->soft_at_ms);
    json_put_text(json, "storable_now", http_store_verdict_name(explain->storable));
    json_object_end(json);
}

static void write_variants(const struct explain *explain, struct json *json)
{
    json_put_u64(json, "variant_count", explain->variant_count);
    json_key(json, "variants");
    json_array(json);
    for (unsigned i = 0; i < explain->variant_count && i < EXPLAIN_VARIANTS_MAX; i++) {
        const struct store_variant *variant = &explain->variants[i];
        json_object(json);
        json_put_u64(json, "bytes", variant->bytes);
        json_put_bool(json, "in_memory", variant->object != NULL);
        json_put_bool(json, "on_disk", variant->is_on_disk);
        json_put_bool(json, "being_filled", variant->is_filling);
        json_put_bool(json, "is_this",
                      explain->object != NULL && variant->object == explain->object);
        json_object_end(json);
    }
    json_array_end(json);
}

/* The one that would be asked, where that is certain, and how they all are. */
static void write_servers(const struct explain *explain, struct service *service, const char *name,
                          struct json *json)
{
    struct origins_view *view = origins_view_new(service_origins(service), clock_mono_us());
    const struct origin_pool_view *pool = pools_find(view, name);

    json_put_text(json, "server", explain->server.name[0] == '\0' ? NULL : explain->server.name);
    json_key(json, "servers");
    json_array(json);
    for (unsigned i = 0; pool != NULL && i < pool->server_count; i++) {
        const struct origin_server_view *server = &pool->servers[i];
        json_object(json);
        json_put_text(json, "name", server->settings->name);
        json_put_text(json, "state", origin_status_name(server->health.status));
        json_put_text(json, "reason", server->health.reason);
        json_put_bool(json, "backup", server->settings->backup);
        json_object_end(json);
    }
    json_array_end(json);
    origins_view_free(&view);
}

static void put_upgrade(struct json *json, struct span offer)
{
    struct buf line;

    buf_init(&line, REQUEST_REPLY_MAX_BYTES);
    buf_puts(&line, "Upgrade: ");
    buf_append(&line, offer);
    json_string(json, buf_span(&line));
    buf_free(&line);
}

static void write_origin(const struct explain *explain, struct service *service, struct json *json)
{
    const struct site *site = explain->site;
    const struct site_pool *pool = site_pool(site, &explain->asked);

    json_key(json, "origin");
    if (!explain->asks_origin) {
        json_null(json);
        return;
    }
    json_object(json);
    if (pool->pool != NULL) {
        json_put_text(json, "pool", origin_pool_name(pool->pool));
        write_servers(explain, service, origin_pool_name(pool->pool), json);
    } else if (site->forward != NULL) {
        json_put_text(json, "pool", "direct");
    }
    put_span(json, "target", explain->onward.target);
    put_span(json, "host", explain->onward.host);
    json_key(json, "headers");
    json_array(json);
    if (explain->upgrade.len > 0) {
        json_string(json, SPAN("Connection: Upgrade"));
        put_upgrade(json, explain->upgrade);
    }
    for (unsigned i = 0; i < explain->line_count; i++) {
        json_string(json, explain->lines[i]);
    }
    json_array_end(json);
    json_object_end(json);
}

static void write_answer(struct admin_request *request, const struct explain *explain,
                         const struct conf *conf)
{
    struct json json;

    reply_json(request, 200, &json);
    json_object(&json);
    put_span(&json, "method", explain->request.method_text);
    put_span(&json, "site", explain->site->name);
    put_span(&json, "key", explain->key);
    json_put_text(&json, "answer", explain_answer_name(explain->answer));
    json_put_text(&json, "reason", http_reason_name(explain->reason));
    json_put_bool(&json, "in_maintenance",
                  sites_in_maintenance(request->admin->service, explain->site->conf));
    if (explain->own_status != 0) {
        json_put_u64(&json, "status", explain->own_status);
        put_span(&json, "location", explain->location);
    }
    json_put_bool(&json, "cache_asked",
                  explain->answer != EXPLAIN_PASS && explain->answer != EXPLAIN_REDIRECT &&
                      explain->answer != EXPLAIN_RESPOND && explain->answer != EXPLAIN_DENIED &&
                      explain->answer != EXPLAIN_TUNNEL);
    write_rules(explain, conf, &json);
    write_access(explain, &json);
    write_limits(explain, conf, &json);
    write_settings(explain, &json);
    write_stored(explain, &json);
    write_variants(explain, &json);
    write_origin(explain, request->admin->service, &json);
    json_object_end(&json);
}

void explain_post(struct admin_request *request)
{
    struct service *service = request->admin->service;
    cJSON *body = body_parse(request);

    if (body == NULL) {
        return;
    }
    struct explain_question *question = mem_new(sizeof(*question));
    struct explain *explain = mem_new(sizeof(*explain));
    struct site_table *sites = service_sites(service);
    const char *fault = read_question(question, body);
    if (fault == NULL) {
        fault = explain_run(explain, sites, service_store(service), question);
        if (fault == NULL) {
            write_answer(request, explain, site_table_conf(sites));
        } else {
            problem_reply(request, PROBLEM_INVALID, "%s", fault);
        }
        explain_end(explain);
    } else {
        problem_reply(request, PROBLEM_INVALID, "%s", fault);
    }
    service_sites_release(service, &sites);
    mem_free(explain);
    mem_free(question);
    cJSON_Delete(body);
}
