/* purges - POST and GET /api/v1/purges. An order is checked whole before anything is removed. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "admin/body.h"
#include "admin/handlers.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "admin/purge_hints.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#define PURGE_URLS_MAX 1000u
#define PURGE_SITES_MAX 64u
#define PURGE_URL_BYTES ((size_t)16384)
#define PURGE_FAULTS_MAX 20u
#define PURGE_SAMPLE 5u
#define PURGE_HINTED_URLS 20u /* looked at for near matches */
#define PURGE_LOGGED_RESULTS 20u
#define PURGE_REASON_BYTES 200u
#define PURGES_LIMIT_DEFAULT 50u

struct fault {
    char pointer[64];
    char message[160];
};

struct purge_order {
    struct service *service;
    const struct conf *conf;
    const char *urls[PURGE_URLS_MAX]; /* borrowed from the body */
    const char
        *sites[PURGE_SITES_MAX]; /* which caches, by the first name; NULL: the published site's */
    unsigned site_count;
    struct store_purge_result results[PURGE_URLS_MAX];
    unsigned url_count;
    bool has_mode, dry_run;
    bool is_exact; /* not also under the other scheme */
    enum store_purge_mode mode;
    const char *reason;
    struct fault faults[PURGE_FAULTS_MAX];
    unsigned fault_count; /* all, also those not kept */
    /* done */
    const char *last_url, *last_site; /* of the last key that there was */
    char id[24];
    struct store_purge_result sum;
    int64_t effective_ms;
    double took_s;
};

static void add_fault(struct purge_order *order, const char *message, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static void add_fault(struct purge_order *order, const char *message, const char *fmt, ...)
{
    va_list args;

    if (order->fault_count < PURGE_FAULTS_MAX) {
        struct fault *fault = &order->faults[order->fault_count];
        va_start(args, fmt);
        (void)vsnprintf(fault->pointer, sizeof(fault->pointer), fmt, args);
        va_end(args);
        (void)snprintf(fault->message, sizeof(fault->message), "%s", message);
    }
    order->fault_count++;
}

static void read_urls(struct purge_order *order, const cJSON *urls)
{
    const cJSON *at;
    struct buf key;
    unsigned i = 0;

    if (!cJSON_IsArray(urls) || cJSON_GetArraySize(urls) == 0) {
        add_fault(order, "must be an array of at least one URL", "/select/urls");
        return;
    }
    if (cJSON_GetArraySize(urls) > (int)PURGE_URLS_MAX) {
        add_fault(order, "at most 1000 URLs in one purge", "/select/urls");
        return;
    }
    buf_init(&key, PURGE_URL_BYTES);
    cJSON_ArrayForEach(at, urls)
    {
        const char *url = cJSON_GetStringValue(at);
        buf_clear(&key);
        const char *wrong = url == NULL ? "must be a string"
                                        : service_purge_key(order->service, url, NULL, false, &key);
        if (wrong == NULL && key.failed) {
            wrong = "the URL is too long";
        }
        if (wrong != NULL) {
            add_fault(order, wrong, "/select/urls/%u", i);
        } else {
            order->urls[order->url_count++] = url;
        }
        i++;
    }
    buf_free(&key);
}

/* A site by its first name, a forward proxy as "forward:NAME". Borrowed from the configuration. */
static const char *find_site(const struct conf *conf, const char *name)
{
    for (size_t i = 0; name != NULL && i < conf->site_count; i++) {
        if (strcmp(conf->sites[i].names.list[0], name) == 0) {
            return conf->sites[i].names.list[0];
        }
    }
    return NULL;
}

static void read_sites(struct purge_order *order, const cJSON *sites)
{
    const cJSON *at;
    unsigned i = 0;

    if (!cJSON_IsArray(sites) || cJSON_GetArraySize(sites) == 0 ||
        cJSON_GetArraySize(sites) > (int)PURGE_SITES_MAX) {
        add_fault(order, "must be an array of 1 to 64 names of sites", "/select/sites");
        return;
    }
    cJSON_ArrayForEach(at, sites)
    {
        const char *name = find_site(order->conf, cJSON_GetStringValue(at));
        if (name == NULL) {
            add_fault(order, "is not the first name of a site, or \"forward:NAME\"",
                      "/select/sites/%u", i);
        } else {
            order->sites[order->site_count++] = name;
        }
        i++;
    }
}

/* None named: the published site that has the URL, and the caches of all forward proxies. */
static void take_all_sites(struct purge_order *order)
{
    const struct conf *conf = order->conf;

    order->sites[order->site_count++] = NULL;
    for (size_t i = 0; i < conf->site_count && order->site_count < PURGE_SITES_MAX; i++) {
        if (conf->sites[i].forward.name != NULL) {
            order->sites[order->site_count++] = conf->sites[i].names.list[0];
        }
    }
}

static void read_select(struct purge_order *order, const cJSON *select)
{
    const cJSON *sites = cJSON_GetObjectItemCaseSensitive(select, "sites");
    const cJSON *at;
    const cJSON *urls = NULL;
    const char *scheme = "both";

    if (!cJSON_IsObject(select)) {
        add_fault(order, "must be an object", "/select");
        return;
    }
    cJSON_ArrayForEach(at, select)
    {
        if (strcmp(at->string, "urls") == 0 && urls == NULL) {
            urls = at;
        } else if (strcmp(at->string, "scheme") == 0) {
            scheme = cJSON_GetStringValue(at);
        } else if (at != sites) {
            add_fault(order, "is not known here, or given twice; this version selects by \"urls\"",
                      "/select/%.40s", at->string);
        }
    }
    order->is_exact = scheme != NULL && strcmp(scheme, "exact") == 0;
    if (scheme == NULL || (!order->is_exact && strcmp(scheme, "both") != 0)) {
        add_fault(order, "must be \"both\" (http and https) or \"exact\"", "/select/scheme");
    }
    read_urls(order, urls);
    if (sites != NULL) {
        read_sites(order, sites);
    } else {
        take_all_sites(order);
    }
}

static void read_mode(struct purge_order *order, const cJSON *mode)
{
    const char *text = cJSON_GetStringValue(mode);

    if (text != NULL && (strcmp(text, "soft") == 0 || strcmp(text, "hard") == 0)) {
        order->mode = text[0] == 's' ? STORE_PURGE_SOFT : STORE_PURGE_HARD;
        order->has_mode = true;
    } else {
        add_fault(order, "must be \"soft\" (stale from now on) or \"hard\" (remove)", "/mode");
    }
}

static void read_member(struct purge_order *order, const cJSON *at)
{
    if (strcmp(at->string, "mode") == 0) {
        read_mode(order, at);
    } else if (strcmp(at->string, "dry_run") == 0) {
        order->dry_run = cJSON_IsTrue(at);
        if (!cJSON_IsBool(at)) {
            add_fault(order, "must be true or false", "/dry_run");
        }
    } else if (strcmp(at->string, "reason") == 0) {
        order->reason = cJSON_GetStringValue(at);
        if (order->reason == NULL || strlen(order->reason) > PURGE_REASON_BYTES) {
            add_fault(order, "must be a string of at most 200 bytes", "/reason");
        }
    } else if (strcmp(at->string, "select") != 0) {
        add_fault(order, "is not known; members are select, mode, dry_run, reason", "/%.40s",
                  at->string);
    }
}

static bool is_repeated(const cJSON *at)
{
    for (const cJSON *next = at->next; next != NULL; next = next->next) {
        if (strcmp(next->string, at->string) == 0) {
            return true;
        }
    }
    return false;
}

static void read_order(struct purge_order *order, const cJSON *body)
{
    const cJSON *at;
    unsigned members = 0;

    order->reason = "";
    cJSON_ArrayForEach(at, body)
    {
        if (++members > 8) { /* bounds the search for repeats */
            add_fault(order, "too many members", "/");
            return;
        }
        if (is_repeated(at)) {
            add_fault(order, "is given twice", "/%.40s", at->string);
        }
        read_member(order, at);
    }
    const cJSON *select = cJSON_GetObjectItemCaseSensitive(body, "select");
    if (select == NULL) {
        add_fault(order, "is missing", "/select");
    } else {
        read_select(order, select);
    }
    if (cJSON_GetObjectItemCaseSensitive(body, "mode") == NULL) {
        add_fault(order, "is missing; \"soft\" or \"hard\"", "/mode");
    }
}

static void reply_faults(struct admin_request *request, const struct purge_order *order)
{
    struct json json;

    problem_begin(request, PROBLEM_INVALID, &json, "Nothing was purged; %u thing%s wrong.",
                  order->fault_count, order->fault_count == 1 ? " is" : "s are");
    json_key(&json, "errors");
    json_array(&json);
    for (unsigned i = 0; i < order->fault_count && i < PURGE_FAULTS_MAX; i++) {
        json_object(&json);
        json_put_text(&json, "pointer", order->faults[i].pointer);
        json_put_text(&json, "message", order->faults[i].message);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
}

/* One URL in one cache. */
struct purge_aim {
    const char *url;
    const char *site; /* as in service_purge_key */
    bool other_scheme;
    bool durable;
};

/* False: this cache has no such URL. */
static bool purge_key(struct admin *admin, const struct purge_order *order,
                      const struct purge_aim *aim, struct store_purge_result *sum)
{
    struct store_purge_result found = {0};
    struct buf key;

    buf_init(&key, PURGE_URL_BYTES);
    bool is_there =
        service_purge_key(admin->service, aim->url, aim->site, aim->other_scheme, &key) == NULL &&
        !key.failed && key.len > 0;
    if (is_there) {
        store_purge_key(service_store(admin->service), buf_span(&key), order->mode, order->dry_run,
                        aim->durable, &found);
    }
    buf_free(&key);
    sum->objects += found.objects;
    sum->bytes += found.bytes;
    sum->in_flight += found.in_flight;
    return is_there;
}

/* durable: the last of what this does. The published site's cache comes last: it has every URL. */
static void purge_one(struct admin *admin, struct purge_order *order, const char *url, bool durable,
                      struct store_purge_result *out)
{
    *out = (struct store_purge_result){0};
    for (unsigned i = order->site_count; i-- > 0;) {
        struct purge_aim aim = {.url = url, .site = order->sites[i], .other_scheme = true};
        if (!order->is_exact) {
            (void)purge_key(admin, order, &aim, out);
        }
        aim.other_scheme = false;
        aim.durable = durable && i == 0;
        if (purge_key(admin, order, &aim, out)) {
            order->last_url = url;
            order->last_site = order->sites[i];
        }
    }
}

/* The last one is durable, and with it all before: the log is written in order. Of sites that were
 * named some do not have the last URL, so there the last that was one is purged once more. */
static void carry_out(struct admin *admin, struct purge_order *order)
{
    uint64_t start_us = clock_mono_us();
    bool is_named = order->sites[0] != NULL;

    for (unsigned i = 0; i < order->url_count; i++) {
        struct store_purge_result *result = &order->results[i];
        bool last = i + 1 == order->url_count;
        purge_one(admin, order, order->urls[i], last && !order->dry_run && !is_named, result);
        order->sum.objects += result->objects;
        order->sum.bytes += result->bytes;
        order->sum.in_flight += result->in_flight;
    }
    if (is_named && !order->dry_run && order->last_url != NULL) {
        const struct purge_aim last = {
            .url = order->last_url, .site = order->last_site, .durable = true};
        struct store_purge_result again = {0};
        (void)purge_key(admin, order, &last, &again);
    }
    order->effective_ms = clock_wall_ms();
    order->took_s = (double)(clock_mono_us() - start_us) / 1e6;
}

static void write_hints(struct admin_request *request, const struct purge_order *order,
                        struct json *json)
{
    json_key(json, "hints");
    json_array(json);
    for (unsigned i = 0; i < order->url_count && i < PURGE_HINTED_URLS; i++) {
        if (order->results[i].objects == 0 && order->results[i].in_flight == 0) {
            purge_hints_write(request, order->urls[i], json);
        }
    }
    json_array_end(json);
}

static void write_results(const struct purge_order *order, unsigned limit, struct json *json)
{
    unsigned shown = 0;

    json_key(json, "sample");
    json_array(json);
    for (unsigned i = 0; i < order->url_count && shown < PURGE_SAMPLE; i++) {
        if (order->results[i].objects > 0) {
            json_string(json, span_str(order->urls[i]));
            shown++;
        }
    }
    json_array_end(json);
    json_key(json, "results");
    json_array(json);
    for (unsigned i = 0; i < order->url_count && i < limit; i++) {
        json_object(json);
        json_put_text(json, "url", order->urls[i]);
        json_put_u64(json, "matched", order->results[i].objects);
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_order(struct admin_request *request, const struct purge_order *order,
                        unsigned limit, struct json *json)
{
    char by[AUTH_NAME_BYTES + 16];

    request_by(request, by, sizeof(by));
    json_object(json);
    json_put_text(json, "id", order->id);
    json_put_text(json, "state", "done");
    json_put_text(json, "mode", order->mode == STORE_PURGE_SOFT ? "soft" : "hard");
    json_put_bool(json, "dry_run", order->dry_run);
    json_put_u64(json, "urls", order->url_count);
    json_put_u64(json, "matched", order->sum.objects);
    json_put_u64(json, "variants", order->sum.objects);
    json_put_u64(json, "bytes", order->sum.bytes);
    json_put_u64(json, "in_flight", order->sum.in_flight);
    json_put_time(json, "effective_at", order->effective_ms);
    json_put_double(json, "took_s", order->took_s);
    json_put_text(json, "by", by);
    json_put_text(json, "reason", order->reason);
    write_results(order, limit, json);
}

static void remember(struct admin_request *request, const struct purge_order *order)
{
    struct admin *admin = request->admin;
    unsigned results = PURGE_LOGGED_RESULTS;
    struct buf row;
    struct json json;

    buf_init(&row, REQUEST_REPLY_MAX_BYTES);
    do { /* a few long URLs must not make a row too long to be kept */
        buf_clear(&row);
        json_init(&json, &row);
        write_order(request, order, results, &json);
        json_object_end(&json);
        results /= 2;
    } while (results > 0 && row.len > 8192);
    if (row.len > 8192) {
        buf_clear(&row);
        json_init(&json, &row);
        struct purge_order *bare = mem_new(sizeof(*bare));
        *bare = *order;
        bare->url_count = 0;
        write_order(request, bare, 0, &json);
        json_object_end(&json);
        mem_free(bare);
    }
    purge_log_add(admin->purges, buf_span(&row), order->effective_ms);
    events_publish(admin->events, "purge", buf_span(&row));
    buf_free(&row);
}

static void finish(struct admin_request *request, struct purge_order *order)
{
    struct admin *admin = request->admin;
    struct json json;
    char shown[256];
    uint64_t number;

    random_bytes(&number, sizeof(number));
    (void)snprintf(order->id, sizeof(order->id), "p_%016llx", (unsigned long long)number);
    carry_out(admin, order);
    if (!order->dry_run) {
        atomic_fetch_add_explicit(&admin->purge_orders[order->mode], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&admin->purged[order->mode], order->sum.objects,
                                  memory_order_relaxed);
    }
    log_info("purge", "id=%s mode=%s dry_run=%d urls=%u first=%s matched=%llu by=%s", order->id,
             order->mode == STORE_PURGE_SOFT ? "soft" : "hard", order->dry_run, order->url_count,
             log_escape(shown, sizeof(shown), span_str(order->urls[0])),
             (unsigned long long)order->sum.objects, request->who.name);
    reply_json(request, 200, &json);
    write_order(request, order, PURGE_URLS_MAX, &json);
    write_hints(request, order, &json);
    json_object_end(&json);
    remember(request, order);
}

void purges_post(struct admin_request *request)
{
    cJSON *body = body_parse(request);

    if (body == NULL) {
        return;
    }
    struct purge_order *order = mem_new(sizeof(*order));
    order->service = request->admin->service;
    order->conf = request->conf;
    read_order(order, body);
    if (order->fault_count > 0) {
        reply_faults(request, order);
    } else {
        finish(request, order);
    }
    mem_free(order);
    cJSON_Delete(body);
}

void purges_get(struct admin_request *request)
{
    const char *limit_text = request_query(request, "limit");
    uint64_t limit = PURGES_LIMIT_DEFAULT;
    struct json json;

    if (limit_text != NULL &&
        (!span_to_u64(span_str(limit_text), PURGE_LOG_RECENT, &limit) || limit == 0)) {
        problem_reply(request, PROBLEM_BAD_REQUEST, "limit is 1 to %u", PURGE_LOG_RECENT);
        return;
    }
    reply_json(request, 200, &json);
    json_object(&json);
    json_key(&json, "items");
    purge_log_write(request->admin->purges, (unsigned)limit, &json);
    json_key(&json, "next");
    json_null(&json);
    json_object_end(&json);
}
