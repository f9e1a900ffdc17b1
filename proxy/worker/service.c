/*
 * service - workers, store, log thread and the configuration in force, as one thing.
 */
#include "worker/service.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interfaces.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "limit/limit.h"
#include "net/listener.h"
#include "origin/origin.h"
#include "press/press.h"
#include "site/url_key.h"
#include "users/users.h"
#include "worker/access_log.h"
#include "worker/descriptors.h"
#include "worker/folders.h"
#include "worker/forward_view.h"
#include "worker/privileges.h"
#include "worker/quota_keeper.h"
#include "worker/service_run.h"
#include "worker/site_state.h"
#include "worker/tunnel_ask.h"
#include "worker/worker.h"

#define BACKLOG 4096
#define TOP_WINDOW_S 300
#define SETTLE_TURNS 2000u
#define SETTLE_TURN_US 1000u
#define WORKERS_MAX 256u
#define PRESS_JOBS_MAX 64u
#define PRESS_BYTES_MAX ((uint64_t)64 << 20)
#define PURGE_KEY_ARENA_BYTES ((size_t)1 << 20)
#define LISTENS_MAX 64u
/* At a tenth of a second each on two threads the last one waits 13 s. */
#define LOGINS_MAX 256u
/* 384 KiB, and a quarter of it for wrong ones; touched as it is used. */
#define LOGINS_REMEMBERED ((size_t)16384)

struct service {
    struct store *store;
    struct press *press;
    struct limit_table *limits;
    struct quota_keeper quotas;
    struct users *users;
    struct origins *origins;
    struct worker **workers;
    unsigned worker_count;
    struct conn_shared shared;
    struct record_ring *rings[WORKERS_MAX]; /* the log thread's */
    struct access_log *log;
    struct top *top;
    struct forward_view *forwards;
    char *conf_path;
    uint64_t started_us;
    _Atomic int state; /* enum service_state */
    _Atomic bool wants_stop;
    _Atomic bool reloading;
    unsigned ports[LISTENS_MAX];
    unsigned listen_count;
    int state_lock; /* descriptor, or -1 */
    struct lock conf_lock;
    struct conf *conf;            /* [conf_lock] */
    struct site_table *sites;     /* [conf_lock] its count too */
    struct service_reload reload; /* [conf_lock] */
    struct lock slot_lock;        /* rank LOCK_STATS */
    char *slots[COUNTERS_SITES];  /* [slot_lock] set once each */
    struct site_state site_state;
};

/* ---- asked by the admin side ---- */

enum service_state service_state(const struct service *service)
{
    return (enum service_state)atomic_load(&service->state);
}

double service_uptime_s(const struct service *service)
{
    return (double)(clock_mono_us() - service->started_us) / 1e6;
}

unsigned service_workers(const struct service *service)
{
    return service->worker_count;
}

struct store *service_store(struct service *service)
{
    return service->store;
}

struct limit_table *service_limits(struct service *service)
{
    return service->limits;
}

struct users *service_users(struct service *service)
{
    return service->users;
}

struct conf *service_conf(struct service *service)
{
    lock_acquire(&service->conf_lock);
    struct conf *conf = conf_ref(service->conf);
    lock_release(&service->conf_lock);
    return conf;
}

const char *service_conf_path(const struct service *service)
{
    return service->conf_path;
}

void service_counters(struct service *service, struct counters_sum *out)
{
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < service->worker_count; i++) {
        counters_sum_add(out, worker_counters(service->workers[i]));
    }
}

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void service_connections(struct service *service, struct service_connections *out)
{
    *out = (struct service_connections){0};
    for (unsigned i = 0; i < service->worker_count; i++) {
        const struct net_counters *net = worker_net_counters(service->workers[i]);
        struct fetch_pool_figures fetches;
        worker_fetch_figures(service->workers[i], &fetches);
        out->open += get(&net->connections);
        out->idle += get(&net->idle_connections);
        out->accepted += get(&net->accepted);
        out->refused +=
            get(&net->refused_limit) + get(&net->refused_gate) + get(&net->refused_descriptors);
        out->refused_proxy += get(&net->refused_proxy);
        out->too_slow += get(&net->too_slow);
        out->made_room += get(&net->made_room);
        out->timed_out += get(&net->timed_out);
        out->bad_requests += get(&net->bad_requests);
        out->origin_active += fetches.active;
        out->origin_requests += fetches.requests;
        out->origin_connects += fetches.connects;
        out->origin_reused += fetches.reused;
    }
}

static unsigned slot_of(void *ctx, const char *name)
{
    struct service *service = ctx;
    unsigned slot = 0;
    lock_acquire(&service->slot_lock);
    for (unsigned i = 1; i < COUNTERS_SITES; i++) {
        if (service->slots[i] == NULL) {
            service->slots[i] = mem_copy(name, strlen(name));
        }
        if (strcmp(service->slots[i], name) == 0) {
            slot = i;
            break;
        }
    }
    lock_release(&service->slot_lock);
    return slot;
}

const char *service_site_name(struct service *service, unsigned slot)
{
    if (slot == 0) {
        return "-";
    }
    lock_acquire(&service->slot_lock);
    const char *name = slot < COUNTERS_SITES ? service->slots[slot] : NULL;
    lock_release(&service->slot_lock);
    return name;
}

struct origins *service_origins(struct service *service)
{
    return service->origins;
}

struct site_state *service_site_state(struct service *service)
{
    return &service->site_state;
}

struct top *service_top(struct service *service)
{
    return service->top;
}

struct forward_view *service_forward_view(struct service *service)
{
    return service->forwards;
}

bool service_tunnels(struct service *service, struct tunnel_view_list *list)
{
    return tunnel_ask(service->workers, service->worker_count, list);
}

void service_tally(struct service *service, struct tally_sum *out)
{
    out->count = 0;
    for (unsigned i = 0; i < service->worker_count; i++) {
        tally_sum_add(out, worker_tally(service->workers[i]));
    }
}

uint64_t service_log_dropped(const struct service *service)
{
    return access_log_dropped(service->log);
}

void service_last_reload(struct service *service, struct service_reload *out)
{
    lock_acquire(&service->conf_lock);
    *out = service->reload;
    lock_release(&service->conf_lock);
}

void service_stop(struct service *service)
{
    atomic_store(&service->wants_stop, true);
}

struct site_table *service_sites(struct service *service)
{
    lock_acquire(&service->conf_lock);
    struct site_table *sites = site_table_ref(service->sites);
    lock_release(&service->conf_lock);
    return sites;
}

void service_sites_release(struct service *service, struct site_table **sites)
{
    lock_acquire(&service->conf_lock);
    site_table_unref(sites);
    lock_release(&service->conf_lock);
}

const char *service_purge_key(struct service *service, const char *url, const char *site,
                              bool other_scheme, struct buf *out)
{
    struct site_table *sites = service_sites(service);
    struct arena arena;
    struct span key;
    arena_init(&arena, PURGE_KEY_ARENA_BYTES);
    const char *fault = url_key(sites, &arena, span_str(url), span_str(site),
                                other_scheme ? URL_SCHEME_OTHER : URL_SCHEME_OWN, &key);
    if (fault == NULL) {
        buf_append(out, key);
    }
    arena_reset(&arena);
    service_sites_release(service, &sites);
    return fault;
}

/* ---- reload ---- */

static enum access_log_format format_of(const struct conf_access_log *access)
{
    if (access->kind == CONF_LOG_OFF) {
        return ACCESS_LOG_OFF;
    }
    return access->format == CONF_LOG_JSON ? ACCESS_LOG_JSON : ACCESS_LOG_COMBINED;
}

static void apply_error_log(const struct conf *conf)
{
    if (log_open(conf->log.error.path, conf->log.error.level) != ERR_OK) {
        char why[96];
        log_error("error_log_open", "path=\"%s\" reason=\"%s\"", conf->log.error.path,
                  strerror_r(errno, why, sizeof(why)));
    }
}

static void apply_logs(struct service *service, const struct conf *conf)
{
    apply_error_log(conf);
    if (access_log_configure(service->log, format_of(&conf->log.access), conf->log.access.path) !=
        ERR_OK) {
        char why[96];
        log_error("access_log_open", "path=\"%s\" reason=\"%s\"", conf->log.access.path,
                  strerror_r(errno, why, sizeof(why)));
    }
}

static void note_reload(struct service *service, bool ok, struct buf *text)
{
    struct service_reload note = {.ok = ok, .ever = true, .tried_ms = clock_wall_ms()};
    if (!ok) {
        const char *end = strchr(text->data, '\n');
        int len = (int)(end != NULL ? (size_t)(end - text->data) : text->len);
        snprintf(note.error, sizeof(note.error), "%.*s", len, text->data);
    }
    lock_acquire(&service->conf_lock);
    note.loaded_ms = ok ? note.tried_ms : service->reload.loaded_ms;
    service->reload = note;
    lock_release(&service->conf_lock);
}

/* So that a reload is in force when it is answered. Bounded: a worker in a long round is no fault.
 */
static void wait_settled(const struct service *service)
{
    for (unsigned turn = 0; turn < SETTLE_TURNS; turn++) {
        bool settled = true;
        for (unsigned i = 0; i < service->worker_count; i++) {
            settled = settled && worker_is_settled(service->workers[i]);
        }
        if (settled) {
            return;
        }
        clock_sleep_us(SETTLE_TURN_US);
    }
}

static void put_in_force(struct service *service, struct conf *conf)
{
    origins_apply(service->origins, conf);
    struct site_table *sites =
        site_table_new(conf, service->origins, service->limits, slot_of, service);
    lock_acquire(&service->conf_lock);
    struct conf *old = service->conf;
    struct site_table *old_sites = service->sites;
    service->conf = conf_ref(conf);
    service->sites = sites;
    site_table_unref(&old_sites);
    lock_release(&service->conf_lock);
    conf_unref(old);
    for (unsigned i = 0; i < service->worker_count; i++) {
        worker_apply(service->workers[i], conf);
    }
    apply_logs(service, conf);
    store_set_memory(service->store, conf->store.memory_bytes);
    wait_settled(service);
}

/* The differences, one a line, as one line. */
static void log_needs_restart(const struct buf *text)
{
    char line[400];
    int len = snprintf(line, sizeof(line), "%.*s", (int)text->len, text->data);
    for (int i = 0; i < len && line[i] != '\0'; i++) {
        if (line[i] == '\n') {
            line[i] = i + 1 < len ? ';' : '\0';
        }
    }
    log_warn("reload_needs_restart", "%s", line);
}

static bool reload_now(struct service *service, struct buf *text, struct buf *json)
{
    struct conf *conf = NULL;
    struct conf_report *report = conf_report_new();
    if (service->conf_path == NULL) {
        buf_puts(text, "this service was not started from a file; there is nothing to reload\n");
        conf_report_free(report);
        return false;
    }
    bool ok = conf_load(service->conf_path, &conf, report) == ERR_OK;
    if (ok) {
        struct conf *old = service_conf(service);
        conf_report_print(report, text); /* warnings */
        if (conf_diff_restart(old, conf, text) > 0) {
            log_needs_restart(text);
        } else {
            log_settled("reload_needs_restart");
        }
        conf_keep_restart(conf, old);
        conf_unref(old);
        put_in_force(service, conf);
        conf_unref(conf);
    } else {
        conf_report_print(report, text);
        buf_puts(text, "nothing was changed\n");
    }
    if (json != NULL) {
        conf_report_print_json(report, json);
    }
    conf_report_free(report);
    return ok;
}

bool service_reload(struct service *service, struct buf *report, struct buf *json)
{
    struct buf text;
    if (atomic_exchange(&service->reloading, true)) {
        if (report != NULL) {
            buf_puts(report, "another reload is under way\n");
        }
        return false;
    }
    buf_init(&text, 1 << 20);
    bool ok = reload_now(service, &text, json);
    if (text.data == NULL) {
        buf_puts(&text, "");
    }
    note_reload(service, ok, &text);
    if (ok) {
        log_settled("reload_failed");
        log_info("reloaded", "file=\"%s\"", service->conf_path);
    } else {
        log_error("reload_failed", "the old configuration stays; %.*s",
                  (int)strcspn(text.data, "\n"), text.data);
    }
    if (report != NULL) {
        buf_append(report, buf_span(&text));
    }
    buf_free(&text);
    atomic_store(&service->reloading, false);
    return ok;
}

/* ---- life ---- */

static unsigned worker_count_of(const struct conf *conf)
{
    if (conf->workers > 0) {
        return conf->workers;
    }
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1 : (unsigned)n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

static void tell_no_listen(const char *address, int number, char *error, size_t size)
{
    char why[96];
    const char *hint = "";
    if (number == EACCES) {
        hint = "; ports below 1024 need root (then add: user NAME;) or CAP_NET_BIND_SERVICE";
    } else if (number == EADDRINUSE) {
        hint = "; `ss -ltnp` says who has it";
    }
    snprintf(error, size, "cannot listen on %s: %s%s", address,
             strerror_r(number, why, sizeof(why)), hint);
}

/* One socket per worker and address. */
static bool bind_all(struct service *service, const struct conf *conf, int *fds, char *error,
                     size_t size)
{
    for (unsigned w = 0; w < service->worker_count; w++) {
        for (unsigned i = 0; i < service->listen_count; i++) {
            char text[128];
            snprintf(text, sizeof(text), "%s", conf->listens[i].text);
            if (w > 0 && conf->listens[i].port == 0) {
                char *colon = strrchr(text, ':');
                snprintf(colon, sizeof(text) - (size_t)(colon - text), ":%u", service->ports[i]);
            }
            bool taken = w == 0 && listener_is_taken(text);
            int fd = taken ? -1 : listener_bind(text, BACKLOG);
            if (taken) {
                errno = EADDRINUSE;
            }
            if (fd < 0) {
                tell_no_listen(conf->listens[i].text, errno, error, size);
                return false;
            }
            fds[w * service->listen_count + i] = fd;
            service->ports[i] = listener_port(fd);
        }
    }
    return true;
}

static bool build_workers(struct service *service, const struct service_options *options,
                          const int *fds)
{
    service->workers = mem_new(service->worker_count * sizeof(struct worker *));
    for (unsigned w = 0; w < service->worker_count; w++) {
        service->workers[w] = worker_new(&(struct worker_options){
            .index = w,
            .store = service->store,
            .press = service->press,
            .origins = service->origins,
            .origin_idle_max = descriptors_for_idle(service->worker_count),
            .conf = options->conf,
            .shared = &service->shared,
            .limits = service->limits,
            .users = service->users,
            .maintenance = &service->site_state.maintenance,
            .listen_fds = fds + (size_t)w * service->listen_count,
            .listen_count = service->listen_count,
            .slot_of = slot_of,
            .slot_ctx = service,
        });
        if (service->workers[w] == NULL) {
            return false;
        }
    }
    return true;
}

static struct store *open_store(const struct conf *conf)
{
    return store_open(&(struct store_options){
        .path = conf->store.path,
        .disk_bytes = conf->store.size_bytes,
        .memory_bytes = conf->store.memory_bytes,
        .max_object_bytes = conf->store.max_object_bytes,
        .read_threads = conf->store.read_threads,
        .flush_ms = (unsigned)conf->store.flush_ms,
        .max_readers = conf->limits.waiters,
    });
}

static struct press *open_press(unsigned workers)
{
    return press_new(&(struct press_options){
        .threads = workers >= 4 ? 2 : 1,
        .jobs_max = PRESS_JOBS_MAX,
        .bytes_max = PRESS_BYTES_MAX,
    });
}

static struct users *open_users(unsigned workers)
{
    return users_new(&(struct users_options){
        .threads = workers >= 8   ? 4
                   : workers >= 2 ? 2
                                  : 1,
        .queue_max = LOGINS_MAX,
        .remembered = LOGINS_REMEMBERED,
    });
}

struct service *service_new(const struct service_options *options, char *error, size_t error_size)
{
    struct conf *conf = options->conf;
    struct service *service = mem_new(sizeof(*service));
    service->worker_count = worker_count_of(conf);
    service->listen_count =
        conf->listen_count > LISTENS_MAX ? LISTENS_MAX : (unsigned)conf->listen_count;
    lock_init(&service->conf_lock, LOCK_CONF);
    lock_init(&service->slot_lock, LOCK_STATS);
    site_state_init(&service->site_state);
    service->conf = conf_ref(conf);
    service->conf_path = options->conf_path == NULL
                             ? NULL
                             : mem_copy(options->conf_path, strlen(options->conf_path));
    service->reload = (struct service_reload){.ok = true, .loaded_ms = clock_wall_ms()};
    privileges_raise_descriptors();
    fetch_global_init();
    int *fds = mem_new((size_t)service->worker_count * service->listen_count * sizeof(*fds));
    memset(fds, -1, (size_t)service->worker_count * service->listen_count * sizeof(*fds));
    if (!bind_all(service, conf, fds, error, error_size) ||
        !privileges_settle(conf, error, error_size) ||
        !folders_take(conf, &service->state_lock, error, error_size)) {
        for (size_t i = 0; i < (size_t)service->worker_count * service->listen_count; i++) {
            if (fds[i] >= 0) {
                close(fds[i]);
            }
        }
        mem_free(fds);
        conf_unref(service->conf);
        mem_free(service->conf_path);
        mem_free(service);
        return NULL;
    }
    apply_error_log(conf); /* what the store has to say belongs there too */
    service->store = open_store(conf);
    service->press = open_press(service->worker_count);
    service->limits = limit_table_new(conf->limits.limit_memory_bytes);
    quota_keeper_open(&service->quotas, limit_quotas(service->limits), conf->state_dir);
    service->users = open_users(service->worker_count);
    service->top = top_new(TOP_WINDOW_S);
    service->forwards = forward_view_new();
    service->origins = origins_new();
    interfaces_refresh(); /* from now on the watch thread does */
    origins_apply(service->origins, conf);
    service->sites = site_table_new(conf, service->origins, service->limits, slot_of, service);
    CHECK(build_workers(service, options, fds));
    mem_free(fds);
    return service;
}

enum err service_start(struct service *service)
{
    service->started_us = clock_mono_us();
    for (unsigned w = 0; w < service->worker_count; w++) {
        service->rings[w] = worker_ring(service->workers[w]);
    }
    service->log =
        access_log_start(service->rings, service->worker_count, service->top, service->forwards);
    apply_logs(service, service->conf);
    enum err watched = origins_watch_start(service->origins);
    if (watched != ERR_OK) {
        return watched;
    }
    for (unsigned w = 0; w < service->worker_count; w++) {
        enum err err = worker_start(service->workers[w]);
        if (err != ERR_OK) {
            return err;
        }
    }
    atomic_store(&service->state, SERVICE_SERVING);
    return ERR_OK;
}

unsigned service_port(const struct service *service, unsigned i)
{
    return i < service->listen_count ? service->ports[i] : 0;
}

bool service_wants_stop(const struct service *service)
{
    return atomic_load(&service->wants_stop);
}

void service_drain(struct service *service)
{
    atomic_store(&service->state, SERVICE_DRAINING);
    for (unsigned w = 0; w < service->worker_count; w++) {
        worker_drain(service->workers[w]);
    }
}

bool service_is_drained(const struct service *service)
{
    for (unsigned w = 0; w < service->worker_count; w++) {
        if (!worker_is_drained(service->workers[w])) {
            return false;
        }
    }
    return true;
}

void service_tick(struct service *service)
{
    quota_keeper_tick(&service->quotas);
}

void service_reopen_logs(struct service *service)
{
    log_reopen();
    access_log_reopen(service->log);
}

void service_end(struct service **service_at)
{
    struct service *service = *service_at;
    *service_at = NULL;
    origins_watch_stop(service->origins);
    for (unsigned w = 0; w < service->worker_count; w++) {
        worker_stop(service->workers[w]);
    }
    for (unsigned w = 0; w < service->worker_count; w++) {
        worker_join(service->workers[w]);
    }
    press_free(&service->press);
    users_free(&service->users);
    /* Mails posted by the press and the users' threads, and by one worker to another that has left its loop. */
    for (unsigned w = 0; w < service->worker_count; w++) {
        worker_sweep(service->workers[w]);
    }
    access_log_stop(&service->log);
    store_close(&service->store);
    for (unsigned w = 0; w < service->worker_count; w++) {
        worker_free(&service->workers[w]);
    }
    quota_keeper_close(&service->quotas);
    limit_table_free(&service->limits);
    top_free(&service->top);
    forward_view_free(&service->forwards);
    site_table_unref(&service->sites);
    origins_free(&service->origins);
    conf_unref(service->conf);
    for (unsigned i = 0; i < COUNTERS_SITES; i++) {
        mem_free(service->slots[i]);
    }
    lock_fini(&service->conf_lock);
    lock_fini(&service->slot_lock);
    site_state_fini(&service->site_state);
    mem_free(service->conf_path);
    mem_free(service->workers);
    if (service->state_lock >= 0) {
        close(service->state_lock);
    }
    mem_free(service);
}
