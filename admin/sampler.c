/* sampler - the second that just ended is what a sample stands for. */
#include "admin/sampler.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/file.h"
#include "admin/private.h"
#include "admin/views.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#define SAMPLER_LATE_MS                                                                            \
    10 /* past the full second, so that a timer that is early does not skip one */
#define SAMPLER_SAVE_S 60
#define SAMPLER_TOP_S 5
#define SAMPLER_TOP_LIMIT 20u
#define SAMPLER_EVENT_MAX_BYTES ((size_t)1 << 20)

/* Counters that only grow, as they stood. */
struct reading {
    struct counters_sum counters;
    uint64_t evicted;
    uint64_t at_us; /* monotonic */
};

struct sampler {
    struct admin *admin;
    char *path;
    pthread_t thread;
    struct lock lock;
    struct cond wake;
    bool stop; /* [lock] */
    struct reading last, now;
    unsigned ticks;
};

static void take_reading(struct sampler *sampler, struct reading *out, uint64_t *connections)
{
    struct service *service = sampler->admin->service;
    struct service_connections open;
    struct store_stats store;

    service_counters(service, &out->counters);
    service_connections(service, &open);
    store_stats(service_store(service), &store);
    out->evicted = store.evicted_disk;
    if (store.disk_state == STORE_DISK_OFF) {
        out->evicted = store.evicted_memory;
    }
    out->at_us = clock_mono_us();
    *connections = open.open;
}

static void subtract(uint64_t *out, const uint64_t *now, const uint64_t *before, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = now[i] >= before[i] ? now[i] - before[i] : 0;
    }
}

static void make_sum(const struct reading *now, const struct reading *before, uint64_t connections,
                     uint64_t seconds, struct history_sum *out)
{
    const struct counters_sum *a = &now->counters;
    const struct counters_sum *b = &before->counters;
    uint64_t requests = 0;

    *out = (struct history_sum){.seconds = seconds};
    subtract(&out->value[HISTORY_RESULTS], a->requests, b->requests, RESULT_COUNT);
    subtract(&out->value[HISTORY_BYTES], a->bytes, b->bytes, BYTES_COUNT);
    subtract(&out->value[HISTORY_ERRORS_5XX], &a->responses[5], &b->responses[5], 1);
    subtract(&out->value[HISTORY_ERRORS_ORIGIN], &a->errors_origin, &b->errors_origin, 1);
    subtract(&out->value[HISTORY_ERRORS_SELF], &a->errors_self, &b->errors_self, 1);
    subtract(&out->value[HISTORY_EVICTED], &now->evicted, &before->evicted, 1);
    subtract(out->hit_time, a->hit_time, b->hit_time, HISTOGRAM_BUCKETS);
    subtract(out->origin_first_byte, a->origin_first_byte, b->origin_first_byte, HISTOGRAM_BUCKETS);
    out->value[HISTORY_CONNECTIONS] = connections * seconds;
    for (unsigned i = 0; i < RESULT_COUNT; i++) {
        requests += out->value[HISTORY_RESULTS + i];
    }
    out->peak_requests = requests / seconds;
}

static void sample(struct sampler *sampler, int64_t t)
{
    struct history_sum sum;
    uint64_t connections = 0;

    take_reading(sampler, &sampler->now, &connections);
    uint64_t passed_us = sampler->now.at_us - sampler->last.at_us;
    uint64_t seconds = (passed_us + 500000) / 1000000;
    make_sum(&sampler->now, &sampler->last, connections, seconds > 0 ? seconds : 1, &sum);
    history_add(sampler->admin->history, t, &sum);
    memcpy(&sampler->last, &sampler->now, sizeof(sampler->last));
}

static void publish_origins(struct admin *admin, struct buf *text)
{
    struct json json;

    buf_clear(text);
    json_init(&json, text);
    origins_write(admin, &json);
    if (!text->failed) { /* of more than a thousand servers: the page asks instead */
        events_publish(admin->events, "origins", buf_span(text));
    }
}

static void publish(struct sampler *sampler, int64_t now)
{
    struct admin *admin = sampler->admin;
    struct buf text;
    struct json json;

    if (events_count(admin->events) == 0) {
        return;
    }
    buf_init(&text, SAMPLER_EVENT_MAX_BYTES);
    json_init(&json, &text);
    json_object(&json);
    json_key(&json, "t");
    json_i64(&json, now - 1);
    json_key(&json, "status");
    status_write(admin, &json);
    json_key(&json, "point");
    stats_write_point(admin, now - 1, &json);
    json_key(&json, "totals");
    stats_write_totals(admin, now, &json);
    json_object_end(&json);
    events_publish(admin->events, "tick", buf_span(&text));
    publish_origins(admin, &text);
    if (sampler->ticks % SAMPLER_TOP_S == 0) {
        buf_clear(&text);
        json_init(&json, &text);
        top_write(admin, TOP_REQUESTS, SAMPLER_TOP_LIMIT, &json);
        events_publish(admin->events, "top", buf_span(&text));
    }
    buf_free(&text);
}

static void save(struct sampler *sampler, bool sync)
{
    char beside[4096];
    struct buf data;

    if (snprintf(beside, sizeof(beside), "%s.new", sampler->path) >= (int)sizeof(beside)) {
        return;
    }
    buf_init(&data, history_file_max_bytes());
    history_write(sampler->admin->history, &data);
    if (data.failed || !file_write(beside, O_TRUNC, buf_span(&data), sync) ||
        rename(beside, sampler->path) != 0) {
        log_warn("history_not_saved", "path=\"%s\"", sampler->path);
    }
    buf_free(&data);
}

static void load(struct sampler *sampler)
{
    struct buf data;

    int fd = open(sampler->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return; /* the first start */
    }
    buf_init(&data, history_file_max_bytes());
    bool good = file_read_fd(fd, &data);
    (void)close(fd);
    if (!good ||
        history_read(sampler->admin->history, buf_span(&data), clock_wall_ms() / 1000) != ERR_OK) {
        log_warn("history_not_read",
                 "path=\"%s\" note=\"damaged or of another version; the charts start empty\"",
                 sampler->path);
    }
    buf_free(&data);
}

static void tick(struct sampler *sampler)
{
    int64_t now = clock_wall_ms() / 1000;

    sample(sampler, now - 1);
    publish(sampler, now);
    auth_refresh(sampler->admin->auth);
    if (++sampler->ticks % SAMPLER_SAVE_S == 0) {
        save(sampler, false);
    }
}

static void *sampler_run(void *arg)
{
    struct sampler *sampler = arg;

    lock_acquire(&sampler->lock);
    while (!sampler->stop) {
        int wait_ms = 1000 - (int)(clock_wall_ms() % 1000) + SAMPLER_LATE_MS;
        if (!cond_wait(&sampler->wake, &sampler->lock, wait_ms)) {
            lock_release(&sampler->lock);
            tick(sampler);
            lock_acquire(&sampler->lock);
        }
    }
    lock_release(&sampler->lock);
    return NULL;
}

struct sampler *sampler_start(struct admin *admin, const char *path)
{
    struct sampler *sampler = mem_new(sizeof(*sampler));
    uint64_t connections;

    sampler->admin = admin;
    sampler->path = mem_copy(path, strlen(path));
    lock_init(&sampler->lock, LOCK_QUEUE);
    cond_init(&sampler->wake);
    load(sampler);
    take_reading(sampler, &sampler->last, &connections);
    CHECK(thread_start(&sampler->thread, "larder-stats", sampler_run, sampler) == ERR_OK);
    return sampler;
}

void sampler_stop(struct sampler **sampler_ptr)
{
    struct sampler *sampler = *sampler_ptr;

    if (sampler == NULL) {
        return;
    }
    lock_acquire(&sampler->lock);
    sampler->stop = true;
    cond_signal(&sampler->wake);
    lock_release(&sampler->lock);
    CHECK(pthread_join(sampler->thread, NULL) == 0);
    sample(sampler, clock_wall_ms() / 1000);
    save(sampler, true);
    cond_fini(&sampler->wake);
    lock_fini(&sampler->lock);
    mem_free(sampler->path);
    mem_free(sampler);
    *sampler_ptr = NULL;
}
