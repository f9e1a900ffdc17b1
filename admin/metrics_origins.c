/*
 * metrics_origins - pools and servers as metrics, labelled by the names of the configuration. Each
 * metric is a row of a table: a value of one server, or of one pool.
 */
#include <stdio.h>

#include "admin/metrics_text.h"
#include "admin/pools.h"
#include "base/clock.h"
#include "origin/figures.h"

static void put_pool_label(struct buf *out, const char *name, const struct origin_pool_view *pool)
{
    buf_puts(out, name);
    buf_puts(out, "{pool=\"");
    metric_label(out, pool->name);
}

/* name{pool="..",origin=".." */
static void put_labels(struct buf *out, const char *name, const struct origin_pool_view *pool,
                       const struct origin_server_view *server)
{
    put_pool_label(out, name, pool);
    buf_puts(out, "\",origin=\"");
    metric_label(out, server->settings->name);
    buf_putc(out, '"');
}

static void put_value(struct buf *out, uint64_t number)
{
    buf_puts(out, "} ");
    buf_put_u64(out, number);
    buf_putc(out, '\n');
}

/* ---- one value a server ---- */

static uint64_t get_up(const struct origin_server_view *server)
{
    return pools_is_asked(server);
}

static uint64_t get_active(const struct origin_server_view *server)
{
    return server->active;
}

static uint64_t get_bytes(const struct origin_server_view *server)
{
    return server->figures.received_bytes;
}

static uint64_t get_ejections(const struct origin_server_view *server)
{
    return server->health.ejections;
}

static const struct server_metric {
    const char *name, *type, *help;
    uint64_t (*get)(const struct origin_server_view *server);
} server_metrics[] = {
    {"larder_origin_up", "gauge", "1 while the server may be asked.", get_up},
    {"larder_origin_active", "gauge", "Requests under way.", get_active},
    {"larder_origin_bytes_total", "counter", "Body bytes received.", get_bytes},
    {"larder_origin_ejections_total", "counter", "Times it was left out for failed requests.",
     get_ejections},
};

/* ---- one value a pool ---- */

static uint64_t get_pool_up(const struct origin_pool_view *pool)
{
    return pools_asked(pool);
}

static uint64_t get_pool_servers(const struct origin_pool_view *pool)
{
    return pool->server_count;
}

static uint64_t get_queued(const struct origin_pool_view *pool)
{
    return pool->queued;
}

static uint64_t get_queue_size(const struct origin_pool_view *pool)
{
    return pool->settings->queue.size;
}

static uint64_t get_waited(const struct origin_pool_view *pool)
{
    return pool->waited;
}

static uint64_t get_retries(const struct origin_pool_view *pool)
{
    return pool->retries;
}

static uint64_t get_retries_refused(const struct origin_pool_view *pool)
{
    return pool->retries_refused;
}

static const struct pool_metric {
    const char *name, *type, *help;
    uint64_t (*get)(const struct origin_pool_view *pool);
} pool_metrics[] = {
    {"larder_origin_pool_up", "gauge", "Servers of the pool that may be asked.", get_pool_up},
    {"larder_origin_pool_servers", "gauge", "Servers of the pool.", get_pool_servers},
    {"larder_origin_queue_waiting", "gauge", "Requests waiting for a server.", get_queued},
    {"larder_origin_queue_size", "gauge", "Requests that may wait.", get_queue_size},
    {"larder_origin_queue_waited_total", "counter", "Requests that had to wait.", get_waited},
    {"larder_origin_retries_total", "counter", "Requests sent once more.", get_retries},
    {"larder_origin_retry_budget_exhausted_total", "counter",
     "Requests not sent once more because of the budget.", get_retries_refused},
};

/* ---- several values each ---- */

typedef void (*put_server_fn)(struct buf *out, const char *name,
                              const struct origin_pool_view *pool,
                              const struct origin_server_view *server);

struct labelled {
    const char *label, *word;
    uint64_t number;
};

static void put_row(struct buf *out, const char *name, const struct origin_pool_view *pool,
                    const struct origin_server_view *server, struct labelled row)
{
    put_labels(out, name, pool, server);
    buf_printf(out, ",%s=\"%s\"", row.label, row.word);
    put_value(out, row.number);
}

static void put_responses(struct buf *out, const char *name, const struct origin_pool_view *pool,
                          const struct origin_server_view *server)
{
    static const char *const classes[ORIGIN_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

    for (unsigned i = 0; i < ORIGIN_CLASSES; i++) {
        const struct labelled row = {"class", classes[i], server->figures.responses[i]};
        put_row(out, name, pool, server, row);
    }
}

static void put_faults(struct buf *out, const char *name, const struct origin_pool_view *pool,
                       const struct origin_server_view *server)
{
    for (unsigned i = FETCH_OK + 1; i <= FETCH_INTERNAL; i++) {
        const struct labelled row = {"reason", origin_fault_name((enum fetch_fault)i),
                                     server->figures.faults[i]};
        put_row(out, name, pool, server, row);
    }
}

static void put_checks(struct buf *out, const char *name, const struct origin_pool_view *pool,
                       const struct origin_server_view *server)
{
    put_row(out, name, pool, server,
            (struct labelled){"outcome", "passed", server->health.check.passed});
    put_row(out, name, pool, server,
            (struct labelled){"outcome", "failed", server->health.check.failed});
}

/* One bucket for each power of two is enough for a server: a third of the lines. */
#define BUCKET_STEP 3u

static void put_first_byte(struct buf *out, const char *name, const struct origin_pool_view *pool,
                           const struct origin_server_view *server)
{
    const struct origin_figures *figures = &server->figures;
    char part[96];
    uint64_t count = 0;

    (void)snprintf(part, sizeof(part), "%s_bucket", name);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += figures->first_byte[i];
        if (i % BUCKET_STEP == 0 && i + 1 < HISTOGRAM_BUCKETS) {
            put_labels(out, part, pool, server);
            buf_printf(out, ",phase=\"first_byte\",le=\"%.6f\"",
                       (double)histogram_bound_us(i) / 1e6);
            put_value(out, count);
        }
    }
    put_labels(out, part, pool, server);
    buf_puts(out, ",phase=\"first_byte\",le=\"+Inf\"");
    put_value(out, count);
    (void)snprintf(part, sizeof(part), "%s_sum", name);
    put_labels(out, part, pool, server);
    buf_printf(out, ",phase=\"first_byte\"} %.6f\n", (double)figures->first_byte_sum_us / 1e6);
    (void)snprintf(part, sizeof(part), "%s_count", name);
    put_labels(out, part, pool, server);
    buf_puts(out, ",phase=\"first_byte\"");
    put_value(out, count);
}

static void put_refused(struct buf *out, const struct origins_view *view)
{
    static const char name[] = "larder_origin_refused_total";

    metric_head(out, name, "counter", "Requests for which no server was free or up.");
    for (size_t i = 0; i < view->count; i++) {
        const struct origin_pool_view *pool = &view->pools[i];
        const struct {
            const char *reason;
            uint64_t number;
        } rows[] = {{"down", pool->refused_down},
                    {"queue_full", pool->refused_full},
                    {"queue_timeout", pool->refused_late}};
        for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
            put_pool_label(out, name, pool);
            buf_printf(out, "\",reason=\"%s\"", rows[k].reason);
            put_value(out, rows[k].number);
        }
    }
}

static void put_servers(struct buf *out, const struct origins_view *view, const char *name,
                        put_server_fn put)
{
    for (size_t i = 0; i < view->count; i++) {
        for (unsigned k = 0; k < view->pools[i].server_count; k++) {
            put(out, name, &view->pools[i], &view->pools[i].servers[k]);
        }
    }
}

static void put_server_metric(struct buf *out, const struct origins_view *view,
                              const struct server_metric *metric)
{
    metric_head(out, metric->name, metric->type, metric->help);
    for (size_t i = 0; i < view->count; i++) {
        for (unsigned k = 0; k < view->pools[i].server_count; k++) {
            put_labels(out, metric->name, &view->pools[i], &view->pools[i].servers[k]);
            put_value(out, metric->get(&view->pools[i].servers[k]));
        }
    }
}

static void put_pool_metric(struct buf *out, const struct origins_view *view,
                            const struct pool_metric *metric)
{
    metric_head(out, metric->name, metric->type, metric->help);
    for (size_t i = 0; i < view->count; i++) {
        if (view->pools[i].settings != NULL) {
            put_pool_label(out, metric->name, &view->pools[i]);
            buf_putc(out, '"');
            put_value(out, metric->get(&view->pools[i]));
        }
    }
}

void metrics_put_origins(struct buf *out, struct service *service)
{
    static const struct {
        const char *name, *type, *help;
        put_server_fn put;
    } rows[] = {
        {"larder_origin_requests_total", "counter", "Requests that were answered or failed.",
         put_responses},
        {"larder_origin_errors_total", "counter", "Requests that failed.", put_faults},
        {"larder_health_checks_total", "counter", "Active checks by outcome.", put_checks},
        {"larder_origin_duration_seconds", "histogram",
         "Requests to origins, from the start to the phase named.", put_first_byte},
    };
    struct origins_view *view = origins_view_new(service_origins(service), clock_mono_us());

    for (size_t i = 0; i < ARRAY_LEN(server_metrics); i++) {
        put_server_metric(out, view, &server_metrics[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        metric_head(out, rows[i].name, rows[i].type, rows[i].help);
        put_servers(out, view, rows[i].name, rows[i].put);
    }
    for (size_t i = 0; i < ARRAY_LEN(pool_metrics); i++) {
        put_pool_metric(out, view, &pool_metrics[i]);
    }
    put_refused(out, view);
    origins_view_free(&view);
}
