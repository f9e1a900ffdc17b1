/*
 * metrics - the Prometheus text format 0.0.4: base units, labels from the configuration and our own
 * words, never from traffic. No metric without a source.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/handlers.h"
#include "admin/metrics_text.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/cache_status.h"
#include "http/coding.h"
#include "limit/limit.h"
#include "limit/quota.h"
#include "users/users.h"
#include "worker/site_state.h"

static void value(struct buf *out, const char *name, uint64_t number)
{
    buf_puts(out, name);
    buf_putc(out, ' ');
    buf_put_u64(out, number);
    buf_putc(out, '\n');
}

static void counter(struct buf *out, const char *name, const char *help, uint64_t number)
{
    metric_head(out, name, "counter", help);
    value(out, name, number);
}

static void gauge(struct buf *out, const char *name, const char *help, uint64_t number)
{
    metric_head(out, name, "gauge", help);
    value(out, name, number);
}

struct labelled {
    const char *label; /* its value */
    uint64_t number;
};

static void rows_put(struct buf *out, const char *name, const char *label,
                     const struct labelled rows[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s{%s=\"%s\"} ", name, label, rows[i].label);
        buf_put_u64(out, rows[i].number);
        buf_putc(out, '\n');
    }
}

/* name{site="...",label="word"} number */
static void site_line(struct buf *out, const char *name, const char *site, const char *label,
                      const struct labelled *row)
{
    buf_puts(out, name);
    buf_puts(out, "{site=\"");
    metric_label(out, site);
    buf_printf(out, "\",%s=\"%s\"} ", label, row->label);
    buf_put_u64(out, row->number);
    buf_putc(out, '\n');
}

struct scrape {
    struct buf *out;
    struct service *service;
    struct counters_sum counters;
    struct service_connections connections;
    struct store_stats store;
};

/* The i-th figure of a site: by result, by status class, or bytes by source. */
static struct labelled site_figure(const struct counters_sum *sum, unsigned kind, unsigned slot,
                                   unsigned i)
{
    static const char *const classes[6] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    static const char *const sources[BYTES_COUNT] = {"cache", "origin", "self"};

    switch (kind) {
    case 0:
        return (struct labelled){request_result_name((enum request_result)i), sum->site[slot][i]};
    case 1:
        return (struct labelled){classes[i], sum->site_responses[slot][i]};
    default:
        return (struct labelled){sources[i], sum->site_bytes[slot][i]};
    }
}

static void put_sites(struct scrape *scrape)
{
    static const char *const names[3] = {"larder_requests_total", "larder_responses_total",
                                         "larder_response_bytes_total"};
    static const char *const helps[3] = {"Requests by what was done.", "Responses by status class.",
                                         "Bytes sent to clients by where they came from."};
    static const char *const labels[3] = {"result", "class", "source"};
    static const unsigned counts[3] = {RESULT_COUNT, 6, BYTES_COUNT};

    for (unsigned kind = 0; kind < 3; kind++) {
        metric_head(scrape->out, names[kind], "counter", helps[kind]);
        for (unsigned slot = 0; slot < COUNTERS_SITES; slot++) {
            const char *site = service_site_name(scrape->service, slot);
            for (unsigned i = 0; site != NULL && i < counts[kind]; i++) {
                struct labelled row = site_figure(&scrape->counters, kind, slot, i);
                site_line(scrape->out, names[kind], site, labels[kind], &row);
            }
        }
    }
}

static void put_maintenance(struct scrape *scrape)
{
    static const char name[] = "larder_site_maintenance";

    metric_head(scrape->out, name, "gauge", "Is the site switched to maintenance?");
    for (unsigned slot = 1; slot < COUNTERS_SITES; slot++) {
        const char *site = service_site_name(scrape->service, slot);
        struct site_note note;
        if (site == NULL) {
            continue;
        }
        site_state_get(service_site_state(scrape->service), slot, &note);
        buf_printf(scrape->out, "%s{site=\"", name);
        metric_label(scrape->out, site);
        buf_printf(scrape->out, "\"} %d\n", note.on ? 1 : 0);
    }
}

static void put_histogram(struct buf *out, const char *name, const char *label,
                          const uint64_t bucket[HISTOGRAM_BUCKETS], uint64_t sum_us)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += bucket[i];
        if (i + 1 < HISTOGRAM_BUCKETS) {
            buf_printf(out, "%s_bucket{%s,le=\"%.6f\"} %llu\n", name, label,
                       (double)histogram_bound_us(i) / 1e6, (unsigned long long)count);
        }
    }
    buf_printf(out, "%s_bucket{%s,le=\"+Inf\"} %llu\n", name, label, (unsigned long long)count);
    buf_printf(out, "%s_sum{%s} %.6f\n", name, label, (double)sum_us / 1e6);
    buf_printf(out, "%s_count{%s} %llu\n", name, label, (unsigned long long)count);
}

static void put_times(struct scrape *scrape)
{
    const struct counters_sum *sum = &scrape->counters;

    metric_head(scrape->out, "larder_request_duration_seconds", "histogram",
                "From the request to the last byte.");
    put_histogram(scrape->out, "larder_request_duration_seconds", "result=\"hit\"", sum->hit_time,
                  sum->hit_time_sum_us);
    put_histogram(scrape->out, "larder_request_duration_seconds", "result=\"miss\"", sum->miss_time,
                  sum->miss_time_sum_us);
}

static void put_reasons(struct scrape *scrape, const char *name, const char *help, unsigned first,
                        unsigned last)
{
    metric_head(scrape->out, name, "counter", help);
    for (unsigned i = first; i <= last && i < COUNTERS_REASONS; i++) {
        const struct labelled row = {http_reason_name((enum http_reason)i),
                                     scrape->counters.reasons[i]};
        rows_put(scrape->out, name, "reason", &row, 1);
    }
}

static void put_origin(struct scrape *scrape)
{
    struct buf *out = scrape->out;

    counter(out, "larder_origin_connects_total", "Connections made to origins.",
            scrape->connections.origin_connects);
    counter(out, "larder_origin_reused_total", "Origin requests over a connection that was there.",
            scrape->connections.origin_reused);
    metrics_put_origins(out, scrape->service);
}

static void put_encoded(struct scrape *scrape)
{
    const struct counters_sum *sum = &scrape->counters;
    const struct labelled bytes[] = {{"in", sum->encoded_bytes_in},
                                     {"out", sum->encoded_bytes_out}};
    const struct labelled skipped[] = {{"no_gain", sum->encode_no_gain},
                                       {"queue_full", sum->encode_dropped},
                                       {"failed", sum->encode_failed}};
    struct labelled made[HTTP_CODING_COUNT - 1];
    struct labelled hits[HTTP_CODING_COUNT - 1];
    struct buf *out = scrape->out;

    for (unsigned i = HTTP_CODING_GZIP; i < HTTP_CODING_COUNT; i++) {
        const char *name = http_coding_name((enum http_coding)i).ptr;
        made[i - 1] = (struct labelled){name, sum->encoded[i]};
        hits[i - 1] = (struct labelled){name, sum->encoded_hits[i]};
    }
    metric_head(out, "larder_compressed_total", "counter", "Compressed copies made, by coding.");
    rows_put(out, "larder_compressed_total", "coding", made, ARRAY_LEN(made));
    metric_head(out, "larder_compressed_hits_total", "counter",
                "Responses sent from compressed copies.");
    rows_put(out, "larder_compressed_hits_total", "coding", hits, ARRAY_LEN(hits));
    metric_head(out, "larder_compressed_bytes_total", "counter",
                "Bytes before and after compression.");
    rows_put(out, "larder_compressed_bytes_total", "direction", bytes, ARRAY_LEN(bytes));
    metric_head(out, "larder_compress_skipped_total", "counter",
                "Compressed copies not made, by reason.");
    rows_put(out, "larder_compress_skipped_total", "reason", skipped, ARRAY_LEN(skipped));
}

/* How often limits of a kind did what they do, by their names, which come from the configuration. */
static void put_limited(struct scrape *scrape, enum limit_use use, const char *metric,
                        const char *help)
{
    struct limit_table *limits = service_limits(scrape->service);

    metric_head(scrape->out, metric, "counter", help);
    for (unsigned i = 0; i < LIMIT_GROUPS; i++) {
        const char *site;
        const char *name;
        enum limit_use own;
        uint64_t times = limit_refused(limits, i, &own, &site, &name);
        if (site != NULL && own == use && (i > 0 || times > 0)) {
            const struct labelled row = {name, times};
            site_line(scrape->out, metric, site, "limit", &row);
        }
    }
}

static void put_quotas(struct scrape *scrape)
{
    struct quota_store *store = limit_quotas(service_limits(scrape->service));
    struct quota_figures figures;
    struct buf *out = scrape->out;

    metric_head(out, "larder_quota_refused_total", "counter",
                "Requests refused because a quota is used up.");
    const struct quota *quota;
    for (size_t i = 0; (quota = quota_at(store, i)) != NULL; i++) {
        const struct labelled row = {quota->name,
                                     atomic_load_explicit(&quota->refused, memory_order_relaxed)};
        site_line(out, "larder_quota_refused_total", quota->site, "quota", &row);
    }
    quota_figures(store, &figures);
    gauge(out, "larder_quota_accounts", "Accounts of quotas, of at most 65536.", figures.accounts);
    counter(out, "larder_quota_crowded_total",
            "Requests that shared an account with others for want of room.", figures.crowded);
}

static void put_limits(struct scrape *scrape)
{
    struct limit_table *limits = service_limits(scrape->service);
    struct limit_figures figures;
    struct buf *out = scrape->out;

    put_limited(scrape, LIMIT_REFUSES, "larder_limited_total",
                "Requests refused by a limit; site - : connections of one client.");
    put_limited(scrape, LIMIT_SLOWS, "larder_bandwidth_waits_total",
                "Times that bytes waited for a bandwidth, or for a quota that is used up.");
    put_quotas(scrape);
    limit_table_figures(limits, clock_mono_us(), &figures);
    const struct labelled entries[] = {{"used", figures.in_use},
                                       {"free", figures.entries - figures.in_use}};
    metric_head(out, "larder_limit_entries", "gauge", "Buckets and counts that limits remember.");
    rows_put(out, "larder_limit_entries", "state", entries, ARRAY_LEN(entries));
    gauge(out, "larder_limit_bytes", "Memory of the limits, fixed at the start.", figures.bytes);
    counter(out, "larder_limit_crowded_total",
            "Times that a client shared a bucket with others for want of room.", figures.crowded);
}

/* Passwords of forward proxies. */
static void put_users(struct scrape *scrape)
{
    struct users_figures figures;
    struct buf *out = scrape->out;

    users_figures(service_users(scrape->service), &figures);
    const struct labelled rows[] = {{"right", figures.right}, {"wrong", figures.wrong}};
    metric_head(out, "larder_passwords_hashed_total", "counter",
                "Passwords that were not remembered and had to be hashed.");
    rows_put(out, "larder_passwords_hashed_total", "result", rows, ARRAY_LEN(rows));
    gauge(out, "larder_passwords_waiting", "Being hashed, or waiting for it.", figures.checks);
    counter(out, "larder_passwords_refused_total", "Not hashed because too many waited (503).",
            figures.full);
}

static void put_tunnels(struct scrape *scrape)
{
    const struct counters_sum *sum = &scrape->counters;
    const struct labelled bytes[] = {{"to_client", sum->tunnel_bytes[TUNNEL_TO_CLIENT]},
                                     {"to_origin", sum->tunnel_bytes[TUNNEL_TO_ORIGIN]}};
    uint64_t closed = sum->tunnels_closed;
    struct buf *out = scrape->out;

    counter(out, "larder_tunnels_total", "Connections switched to another protocol.",
            sum->tunnels_opened);
    gauge(out, "larder_tunnels_open", "Of these, open now.",
          sum->tunnels_opened > closed ? sum->tunnels_opened - closed : 0);
    metric_head(out, "larder_tunnel_bytes_total", "counter", "Bytes through them.");
    rows_put(out, "larder_tunnel_bytes_total", "direction", bytes, ARRAY_LEN(bytes));
}

static void put_traffic(struct scrape *scrape)
{
    const struct counters_sum *sum = &scrape->counters;
    const struct service_connections *net = &scrape->connections;
    const struct labelled errors[] = {{"origin", sum->errors_origin}, {"self", sum->errors_self}};
    const struct labelled open[] = {{"idle", net->idle}, {"active", net->open - net->idle}};
    struct buf *out = scrape->out;

    put_sites(scrape);
    put_times(scrape);
    put_encoded(scrape);
    put_tunnels(scrape);
    counter(out, "larder_collapsed_total", "Requests that waited for another one's fetch.",
            sum->collapsed);
    put_reasons(scrape, "larder_miss_total", "Cacheable requests that were no hit, by reason.",
                HTTP_REASON_ABSENT, HTTP_REASON_CORRUPT);
    put_reasons(scrape, "larder_pass_total", "Requests never looked for in the cache, by reason.",
                HTTP_REASON_RULE, HTTP_REASON_TUNNEL);
    put_reasons(scrape, "larder_unasked_total",
                "Requests answered 503 because no origin could be asked, by reason.",
                HTTP_REASON_ORIGIN_DOWN, HTTP_REASON_QUEUE_TIMEOUT);
    put_reasons(scrape, "larder_not_stored_total", "Responses that were not stored, by reason.",
                HTTP_REASON_NO_STORE, HTTP_REASON_STREAM);
    metric_head(
        out, "larder_errors_total", "counter",
        "Responses 5xx by who made them, but for those made on purpose: denied, synthetic.");
    rows_put(out, "larder_errors_total", "source", errors, ARRAY_LEN(errors));
    metric_head(out, "larder_connections", "gauge", "Client connections.");
    rows_put(out, "larder_connections", "state", open, ARRAY_LEN(open));
    counter(out, "larder_connections_accepted_total", "Client connections accepted.",
            net->accepted);
    counter(out, "larder_connections_refused_total",
            "Client connections refused at a limit or for want of descriptors.", net->refused);
    counter(
        out, "larder_connections_refused_proxy_total",
        "Client connections closed for want of a PROXY protocol header they owed, or from a peer "
        "that may not send one.",
        net->refused_proxy);
    counter(out, "larder_connections_timed_out_total", "Client connections ended by a deadline.",
            net->timed_out);
    counter(out, "larder_connections_too_slow_total",
            "Of them, clients slower than limits { min_rate }.", net->too_slow);
    counter(out, "larder_connections_made_room_total",
            "Idle client connections closed for new clients at the limit.", net->made_room);
    counter(out, "larder_bad_requests_total", "Requests the parser refused.", net->bad_requests);
}

static void put_store(struct scrape *scrape)
{
    const struct store_stats *store = &scrape->store;
    bool has_disk = store->disk_state != STORE_DISK_OFF;
    const struct labelled bytes[] = {{"memory", store->memory_bytes},
                                     {"disk", store->disk_bytes},
                                     {"index", store->index_bytes}};
    const struct labelled capacity[] = {{"memory", store->memory_capacity_bytes},
                                        {"disk", store->disk_capacity_bytes}};
    const struct labelled objects[] = {{"memory", store->memory_objects},
                                       {"disk", store->disk_objects}};
    const struct labelled removed[] = {
        {"size", has_disk ? store->evicted_disk : store->evicted_memory},
        {"expired", store->expired},
        {"purged", store->purged},
        {"replaced", store->replaced},
        {"corrupt", store->corrupt}};
    const struct labelled errors[] = {{"read", store->read_errors}, {"write", store->write_errors}};
    struct buf *out = scrape->out;

    metric_head(out, "larder_store_bytes", "gauge", "In use.");
    rows_put(out, "larder_store_bytes", "tier", bytes, ARRAY_LEN(bytes));
    metric_head(out, "larder_store_capacity_bytes", "gauge", "The most that may be in use.");
    rows_put(out, "larder_store_capacity_bytes", "tier", capacity, ARRAY_LEN(capacity));
    metric_head(out, "larder_store_objects", "gauge", "Stored responses.");
    rows_put(out, "larder_store_objects", "tier", objects, ARRAY_LEN(objects));
    metric_head(out, "larder_store_removed_total", "counter",
                "Stored responses that left the store.");
    rows_put(out, "larder_store_removed_total", "reason", removed, ARRAY_LEN(removed));
    gauge(out, "larder_store_memory_files", "Large objects in memory that are sent without a copy.",
          store->memory_files);
    counter(out, "larder_store_memory_evictions_total", "Objects that left memory to make room.",
            store->evicted_memory);
    counter(out, "larder_store_reinserted_total", "Objects written again to outlive their file.",
            store->reinserted);
    gauge(out, "larder_store_fills", "Objects being filled.", store->fills);
    gauge(out, "larder_store_queued_write_bytes", "Waiting for the disk.",
          store->queued_write_bytes);
    counter(out, "larder_store_not_written_total", "Kept in memory only, the disk was too slow.",
            store->not_stored_disk);
    counter(out, "larder_store_read_bytes_total", "Read from disk.", store->read_bytes);
    counter(out, "larder_store_written_bytes_total", "Written to disk.", store->written_bytes);
    counter(out, "larder_store_reads_total", "Objects and pieces read from disk.",
            store->read_count);
    counter(out, "larder_store_writes_total", "Batches written to disk.", store->written_count);
    metric_head(out, "larder_store_errors_total", "counter", "Disk operations that failed.");
    rows_put(out, "larder_store_errors_total", "op", errors, ARRAY_LEN(errors));
    gauge(out, "larder_store_recovering", "1 while the index is loaded.", store->recovering);
    gauge(out, "larder_store_disk_failed", "1 while the disk cannot be used.",
          store->disk_state == STORE_DISK_FAILED);
}

static void put_admin(struct scrape *scrape, struct admin *admin)
{
    const struct labelled orders[] = {
        {"hard",
         atomic_load_explicit(&admin->purge_orders[STORE_PURGE_HARD], memory_order_relaxed)},
        {"soft",
         atomic_load_explicit(&admin->purge_orders[STORE_PURGE_SOFT], memory_order_relaxed)}};
    const struct labelled purged[] = {
        {"hard", atomic_load_explicit(&admin->purged[STORE_PURGE_HARD], memory_order_relaxed)},
        {"soft", atomic_load_explicit(&admin->purged[STORE_PURGE_SOFT], memory_order_relaxed)}};
    const struct labelled dropped[] = {{"ring_full", scrape->counters.log_dropped},
                                       {"write_failed", service_log_dropped(scrape->service)}};
    struct service_reload reload;
    struct buf *out = scrape->out;

    service_last_reload(scrape->service, &reload);
    metric_head(out, "larder_purges_total", "counter", "Purges asked for over the admin API.");
    rows_put(out, "larder_purges_total", "mode", orders, ARRAY_LEN(orders));
    metric_head(out, "larder_purged_objects_total", "counter",
                "Stored responses these purges matched.");
    rows_put(out, "larder_purged_objects_total", "mode", purged, ARRAY_LEN(purged));
    gauge(out, "larder_config_last_reload_successful", "1 unless the last reload failed.",
          !reload.ever || reload.ok);
    gauge(out, "larder_config_last_reload_success_timestamp_seconds",
          "When the configuration in force was loaded.", (uint64_t)(reload.loaded_ms / 1000));
    metric_head(out, "larder_log_dropped_total", "counter", "Access log lines that were lost.");
    rows_put(out, "larder_log_dropped_total", "cause", dropped, ARRAY_LEN(dropped));
    counter(out, "larder_admin_auth_failures_total", "Wrong tokens and logins.",
            auth_failures(admin->auth));
    counter(out, "larder_admin_requests_total", "Requests to the admin server.",
            atomic_load_explicit(&admin->requests, memory_order_relaxed));
    gauge(out, "larder_admin_streams", "Open event streams.", events_count(admin->events));
}

static uint64_t resident_bytes(void)
{
    char line[256] = "";
    uint64_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file != NULL) {
        if (fgets(line, sizeof(line), file) == NULL) {
            line[0] = '\0';
        }
        (void)fclose(file);
    }
    /* "total resident ...", in pages */
    char *second = strchr(line, ' ');
    if (second != NULL) {
        pages = strtoull(second, NULL, 10);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_process(struct scrape *scrape)
{
    struct rusage usage;
    struct buf *out = scrape->out;

    metric_head(out, "larder_build_info", "gauge", "The version that runs.");
    buf_puts(out, "larder_build_info{version=\"" LARDER_VERSION "\"} 1\n");
    gauge(out, "larder_workers", "Worker threads.", service_workers(scrape->service));
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        double cpu_s = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
        metric_head(out, "process_cpu_seconds_total", "counter", "Processor time.");
        buf_printf(out, "process_cpu_seconds_total %.6f\n", cpu_s);
    }
    gauge(out, "process_resident_memory_bytes", "Memory in use.", resident_bytes());
    metric_head(out, "process_start_time_seconds", "gauge", "Unix time of the start.");
    buf_printf(out, "process_start_time_seconds %.3f\n",
               (double)clock_wall_ms() / 1000.0 - service_uptime_s(scrape->service));
}

void metrics_get(struct admin_request *request)
{
    struct admin *admin = request->admin;

    if (request->conf->admin.metrics == CONF_METRICS_OFF) {
        problem_reply(request, PROBLEM_NOT_FOUND, "metrics are off; `admin { metrics on; }`");
        return;
    }
    struct scrape *scrape = mem_new(sizeof(*scrape));
    scrape->out = reply_begin(request, 200, "text/plain; version=0.0.4; charset=utf-8");
    scrape->service = admin->service;
    service_counters(admin->service, &scrape->counters);
    service_connections(admin->service, &scrape->connections);
    store_stats(service_store(admin->service), &scrape->store);
    put_process(scrape);
    put_traffic(scrape);
    put_limits(scrape);
    put_users(scrape);
    put_maintenance(scrape);
    put_origin(scrape);
    metrics_put_forwards(scrape->out, scrape->service);
    metrics_put_names(scrape->out, scrape->service);
    put_store(scrape);
    put_admin(scrape, admin);
    mem_free(scrape);
}
