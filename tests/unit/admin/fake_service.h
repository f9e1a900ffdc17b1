#ifndef FAKE_SERVICE_H
#define FAKE_SERVICE_H
/* fake_service - the service and the store as the admin server sees them, under the test's control.
 * Included by one .c per program: it defines the functions. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "limit/limit.h"
#include "origin/origin.h"
#include "record/tunnel_view.h"
#include "users/users.h"
#include "worker/forward_view.h"
#include "worker/service.h"
#include "worker/service_run.h"
#include "worker/site_state.h"

struct fake_purge {
    char key[256];
    enum store_purge_mode mode;
    bool dry_run, durable;
};

static struct {
    struct conf *conf;
    struct top *top;
    struct forward_view *forwards;
    struct tally *tally;
    struct origins *origins;
    _Atomic int state;
    _Atomic unsigned hits; /* counters show so many */
    bool reload_fails;
    _Atomic unsigned reloads, reopens, stops;
    _Atomic unsigned purge_ms; /* a purge takes so long */
    _Atomic bool purge_holds;  /* or until this is false */
    _Atomic unsigned purges_begun;
    _Atomic unsigned purge_count;
    struct fake_purge purges[16];
} fake = {.state = SERVICE_SERVING};

static struct tally *fake_tally(void)
{
    if (fake.tally == NULL) {
        fake.tally = tally_new();
    }
    return fake.tally;
}

enum service_state service_state(const struct service *service)
{
    (void)service;
    return (enum service_state)atomic_load(&fake.state);
}

double service_uptime_s(const struct service *service)
{
    (void)service;
    return 12.5;
}

unsigned service_workers(const struct service *service)
{
    (void)service;
    return 2;
}

struct store *service_store(struct service *service)
{
    return (struct store *)(void *)service;
}

struct limit_table *service_limits(struct service *service)
{
    static struct limit_table *limits;
    (void)service;
    limits = limits == NULL ? limit_table_new(LIMIT_MEMORY_MIN) : limits;
    return limits;
}

struct users *service_users(struct service *service)
{
    static struct users *users;
    (void)service;
    if (users == NULL) {
        users = users_new(&(struct users_options){.threads = 1, .queue_max = 1, .remembered = 256});
    }
    return users;
}

struct site_state *service_site_state(struct service *service)
{
    static struct site_state state;
    static bool is_made;
    (void)service;
    if (!is_made) {
        site_state_init(&state);
        is_made = true;
    }
    return &state;
}

struct conf *service_conf(struct service *service)
{
    (void)service;
    return conf_ref(fake.conf);
}

const char *service_conf_path(const struct service *service)
{
    (void)service;
    return "fake.conf";
}

void service_counters(struct service *service, struct counters_sum *out)
{
    (void)service;
    memset(out, 0, sizeof(*out));
    unsigned hits = atomic_load(&fake.hits);
    out->site[0][RESULT_HIT] = out->requests[RESULT_HIT] = hits;
    out->site[1][RESULT_MISS] = out->requests[RESULT_MISS] = 3;
    out->site_responses[1][2] = out->responses[2] = 3;
    out->hit_time[5] = hits;
    out->hit_time_sum_us = hits * 200;
}

void service_connections(struct service *service, struct service_connections *out)
{
    (void)service;
    *out = (struct service_connections){.open = 9, .idle = 4, .accepted = 20};
}

const char *service_site_name(struct service *service, unsigned slot)
{
    (void)service;
    return slot == 0 ? "-" : slot == 1 ? "www.\"x\"\\y" : NULL;
}

struct origins *service_origins(struct service *service)
{
    (void)service;
    return fake.origins;
}

struct top *service_top(struct service *service)
{
    (void)service;
    return fake.top;
}

struct forward_view *service_forward_view(struct service *service)
{
    (void)service;
    if (fake.forwards == NULL) {
        fake.forwards = forward_view_new();
    }
    return fake.forwards;
}

bool service_tunnels(struct service *service, struct tunnel_view_list *list)
{
    (void)service;
    const struct tunnel_view view = {.id = 0xab,
                                     .since_ms = 1700000000000,
                                     .age_us = 1500000,
                                     .to_client = 70,
                                     .to_origin = 8,
                                     .port = 443,
                                     .forward = "office",
                                     .client = "192.0.2.1",
                                     .user = "anna",
                                     .rule = "rest",
                                     .host = "example.org"};
    list->open = 5;
    tunnel_view_insert(list, &view);
    return true;
}

void service_tally(struct service *service, struct tally_sum *out)
{
    (void)service;
    out->count = 0;
    tally_sum_add(out, fake_tally());
}

uint64_t service_log_dropped(const struct service *service)
{
    (void)service;
    return 0;
}

bool service_reload(struct service *service, struct buf *report, struct buf *json)
{
    (void)service;
    atomic_fetch_add(&fake.reloads, 1);
    if (fake.reload_fails) {
        buf_puts(report, "x.conf:1:1: error: no \"such\" thing\n");
        buf_puts(json, "{\"problems\":[{\"line\":1,\"message\":\"no [such] thing\"}],\"count\":1}");
    } else {
        buf_puts(json, "{\"problems\":[],\"count\":0}");
    }
    return !fake.reload_fails;
}

void service_last_reload(struct service *service, struct service_reload *out)
{
    (void)service;
    *out = (struct service_reload){.ok = true, .loaded_ms = 1700000000000};
}

void service_stop(struct service *service)
{
    (void)service;
    atomic_fetch_add(&fake.stops, 1);
}

void service_reopen_logs(struct service *service)
{
    (void)service;
    atomic_fetch_add(&fake.reopens, 1);
}

/* Not asked for here: explain is tested with a whole daemon (e2e l04). */
struct site_table *service_sites(struct service *service)
{
    (void)service;
    abort();
}

void service_sites_release(struct service *service, struct site_table **sites)
{
    (void)service;
    (void)sites;
}

/* Of another cache than the published site's "SITE URL". */
const char *service_purge_key(struct service *service, const char *url, const char *site,
                              bool other_scheme, struct buf *out)
{
    (void)service;
    if (strncmp(url, "http", 4) != 0) {
        return "the URL needs a scheme";
    }
    buf_puts(out, other_scheme ? "other:" : "");
    buf_printf(out, site == NULL ? "%s" : "%s ", site == NULL ? "" : site);
    buf_puts(out, url);
    return NULL;
}

void store_stats(struct store *store, struct store_stats *out)
{
    (void)store;
    *out = (struct store_stats){
        .memory_bytes = 1000, .disk_state = STORE_DISK_OK, .recovered_share = 0.5};
}

/* A URL with "stored" in it has two variants, with "both" one more under the other scheme. */
void store_purge_key(struct store *store, struct span key, enum store_purge_mode mode, bool dry_run,
                     bool durable, struct store_purge_result *out)
{
    (void)store;
    atomic_fetch_add(&fake.purges_begun, 1);
    (void)usleep(atomic_load(&fake.purge_ms) * 1000);
    while (atomic_load(&fake.purge_holds)) {
        (void)usleep(1000);
    }
    *out = (struct store_purge_result){0};
    bool is_other = span_starts(key, SPAN("other:"));
    if (is_other && memmem(key.ptr, key.len, "both", 4) != NULL) {
        *out = (struct store_purge_result){.objects = 1, .bytes = 7};
    } else if (!is_other && memmem(key.ptr, key.len, "stored", 6) != NULL) {
        *out = (struct store_purge_result){.objects = 2, .bytes = 100, .in_flight = 1};
    }
    struct fake_purge *note = &fake.purges[atomic_fetch_add(&fake.purge_count, 1) % 16];
    *note = (struct fake_purge){.mode = mode, .dry_run = dry_run, .durable = durable};
    (void)snprintf(note->key, sizeof(note->key), "%.*s", (int)key.len, key.ptr);
}
#endif
