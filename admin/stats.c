/* stats - the history as JSON columns, and the definitions of what the figures mean. */
#include <string.h>

#include "admin/handlers.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "admin/views.h"
#include "base/clock.h"
#include "base/mem.h"

enum column_kind {
    COLUMN_REQUESTS, /* all results together */
    COLUMN_VALUE,    /* index is an enum history_column */
    COLUMN_CONNECTIONS,
    COLUMN_ORIGIN_P50,
    COLUMN_ORIGIN_P95,
    COLUMN_HIT_P50,
    COLUMN_HIT_P95,
};

static const struct column {
    const char *name;
    enum column_kind kind;
    unsigned index;
} columns[] = {
    {"requests", COLUMN_REQUESTS, 0},
    {"hit", COLUMN_VALUE, HISTORY_RESULTS + RESULT_HIT},
    {"stale", COLUMN_VALUE, HISTORY_RESULTS + RESULT_STALE},
    {"revalidated", COLUMN_VALUE, HISTORY_RESULTS + RESULT_REVALIDATED},
    {"miss", COLUMN_VALUE, HISTORY_RESULTS + RESULT_MISS},
    {"pass", COLUMN_VALUE, HISTORY_RESULTS + RESULT_PASS},
    {"synthetic", COLUMN_VALUE, HISTORY_RESULTS + RESULT_SYNTHETIC},
    {"denied", COLUMN_VALUE, HISTORY_RESULTS + RESULT_DENIED},
    {"error", COLUMN_VALUE, HISTORY_RESULTS + RESULT_ERROR},
    {"bytes_cache", COLUMN_VALUE, HISTORY_BYTES + BYTES_CACHE},
    {"bytes_origin", COLUMN_VALUE, HISTORY_BYTES + BYTES_ORIGIN},
    {"bytes_self", COLUMN_VALUE, HISTORY_BYTES + BYTES_SELF},
    {"origin_first_byte_p50_ms", COLUMN_ORIGIN_P50, 0},
    {"origin_first_byte_p95_ms", COLUMN_ORIGIN_P95, 0},
    {"hit_p50_ms", COLUMN_HIT_P50, 0},
    {"hit_p95_ms", COLUMN_HIT_P95, 0},
    {"connections", COLUMN_CONNECTIONS, 0},
    {"evicted", COLUMN_VALUE, HISTORY_EVICTED},
};

static const char *const range_names[HISTORY_RANGES] = {
    [HISTORY_5M] = "5m", [HISTORY_1H] = "1h", [HISTORY_24H] = "24h", [HISTORY_7D] = "7d"};

static const char *const definitions[][2] = {
    {"hit_ratio", "(hit + stale + revalidated) / (hit + stale + revalidated + miss)"},
    {"byte_hit_ratio", "bytes from the cache / bytes to clients"},
    {"cacheable_share", "(hit + stale + revalidated + miss) / requests"},
    {"revalidated", "the origin said 304, the body came from the cache"},
    {"pass", "never looked for in the cache"},
    {"errors_5xx",
     "responses 5xx; errors_origin came from the origin, errors_self are our own; those "
     "made on purpose (denied, synthetic) are in neither"},
    {"saved_bytes_per_s", "bytes from the cache to clients, a second"},
    {"evictions", "stored responses dropped to make room"},
};

static uint64_t sum_results(const uint64_t *value)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < RESULT_COUNT; i++) {
        sum += value[HISTORY_RESULTS + i];
    }
    return sum;
}

static void write_ms(struct json *json, double us)
{
    if (us < 0) {
        json_null(json);
    } else {
        json_double(json, us / 1000.0);
    }
}

static void write_value(struct json *json, const struct column *column,
                        const struct history_point *point)
{
    if (!point->known) {
        json_null(json);
        return;
    }
    switch (column->kind) {
    case COLUMN_REQUESTS:
        json_u64(json, sum_results(point->value));
        break;
    case COLUMN_VALUE:
        json_u64(json, point->value[column->index]);
        break;
    case COLUMN_CONNECTIONS:
        json_double(json, point->connections);
        break;
    case COLUMN_ORIGIN_P50:
        write_ms(json, point->origin_p50_us);
        break;
    case COLUMN_ORIGIN_P95:
        write_ms(json, point->origin_p95_us);
        break;
    case COLUMN_HIT_P50:
        write_ms(json, point->hit_p50_us);
        break;
    case COLUMN_HIT_P95:
        write_ms(json, point->hit_p95_us);
        break;
    }
}

void stats_write_point(struct admin *admin, int64_t t, struct json *json)
{
    struct history_point point;

    (void)history_second(admin->history, t, &point);
    json_object(json);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        json_key(json, columns[i].name);
        write_value(json, &columns[i], &point);
    }
    json_object_end(json);
}

static void put_ratio(struct json *json, const char *name, double ratio)
{
    json_key(json, name);
    if (ratio < 0) {
        json_null(json);
    } else {
        json_double(json, ratio);
    }
}

static void put_rate(struct json *json, const char *name, uint64_t count, uint64_t seconds)
{
    put_ratio(json, name, seconds == 0 ? -1.0 : (double)count / (double)seconds);
}

static void put_quantile(struct json *json, const char *name, const uint64_t *bucket, double q)
{
    json_key(json, name);
    write_ms(json, histogram_quantile_us(bucket, q));
}

static void write_sum(struct json *json, const struct history_sum *sum)
{
    const uint64_t *results = &sum->value[HISTORY_RESULTS];
    const uint64_t *bytes = &sum->value[HISTORY_BYTES];

    json_object(json);
    json_put_u64(json, "requests", sum_results(sum->value));
    for (unsigned i = 0; i < RESULT_COUNT; i++) {
        json_put_u64(json, request_result_name((enum request_result)i), results[i]);
    }
    json_put_u64(json, "bytes_cache", bytes[BYTES_CACHE]);
    json_put_u64(json, "bytes_origin", bytes[BYTES_ORIGIN]);
    json_put_u64(json, "bytes_self", bytes[BYTES_SELF]);
    put_ratio(json, "hit_ratio", counters_hit_ratio(results));
    put_ratio(json, "byte_hit_ratio", counters_byte_hit_ratio(bytes));
    put_ratio(json, "cacheable_share", counters_cacheable_share(results));
    json_put_u64(json, "errors_5xx", sum->value[HISTORY_ERRORS_5XX]);
    json_put_u64(json, "errors_origin", sum->value[HISTORY_ERRORS_ORIGIN]);
    json_put_u64(json, "errors_self", sum->value[HISTORY_ERRORS_SELF]);
    put_quantile(json, "origin_first_byte_p50_ms", sum->origin_first_byte, 0.5);
    put_quantile(json, "origin_first_byte_p95_ms", sum->origin_first_byte, 0.95);
    put_quantile(json, "cache_p50_ms", sum->hit_time, 0.5);
    put_quantile(json, "cache_p95_ms", sum->hit_time, 0.95);
    put_rate(json, "requests_per_s", sum_results(sum->value), sum->seconds);
    put_rate(json, "saved_bytes_per_s", bytes[BYTES_CACHE], sum->seconds);
    json_put_u64(json, "evictions", sum->value[HISTORY_EVICTED]);
    json_put_u64(json, "covered_s", sum->seconds);
    json_object_end(json);
}

void stats_write_totals(struct admin *admin, int64_t now, struct json *json)
{
    struct history_sum sum;

    json_object(json);
    history_last_minute(admin->history, now, &sum);
    json_key(json, "last_minute");
    write_sum(json, &sum);
    history_last_day(admin->history, now, &sum);
    json_key(json, "day");
    write_sum(json, &sum);
    json_put_u64(json, "peak_requests_per_s", sum.peak_requests);
    json_object_end(json);
}

static void write_columns(struct json *json, const struct history_point *points, unsigned length)
{
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        json_key(json, columns[i].name);
        json_array(json);
        for (unsigned k = 0; k < length; k++) {
            write_value(json, &columns[i], &points[k]);
        }
        json_array_end(json);
    }
}

void stats_write(struct admin *admin, enum history_range range, int64_t now, struct json *json)
{
    unsigned length = history_length(range);
    unsigned step = history_step_s(range);
    struct history_point *points = mem_new(length * sizeof(*points));
    int64_t first = history_series(admin->history, range, now, points);

    json_object(json);
    json_put_text(json, "range", range_names[range]);
    json_put_u64(json, "step_s", step);
    json_key(json, "t");
    json_array(json);
    for (unsigned i = 0; i < length; i++) {
        json_i64(json, first + (int64_t)(i * step));
    }
    json_array_end(json);
    write_columns(json, points, length);
    json_key(json, "totals");
    stats_write_totals(admin, now, json);
    json_key(json, "definitions");
    json_object(json);
    for (size_t i = 0; i < ARRAY_LEN(definitions); i++) {
        json_put_text(json, definitions[i][0], definitions[i][1]);
    }
    json_object_end(json);
    json_object_end(json);
    mem_free(points);
}

void stats_get(struct admin_request *request)
{
    const char *wanted = request_query(request, "range");
    struct json json;

    for (unsigned i = 0; i < HISTORY_RANGES; i++) {
        if (strcmp(wanted == NULL ? "5m" : wanted, range_names[i]) == 0) {
            reply_json(request, 200, &json);
            stats_write(request->admin, (enum history_range)i, clock_wall_ms() / 1000, &json);
            return;
        }
    }
    problem_reply(request, PROBLEM_BAD_REQUEST, "range is one of 5m, 1h, 24h, 7d");
}
