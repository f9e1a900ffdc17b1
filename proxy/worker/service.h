#ifndef WORKER_SERVICE_H
#define WORKER_SERVICE_H
/*
 * service - the running daemon as its operators' side sees it: workers, store, configuration,
 * state. The admin server and main use this and nothing deeper.
 *
 * Threads: any, unless said otherwise; nothing here waits for a worker.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "record/counters.h"
#include "record/tally.h"
#include "store/store.h"
#include "worker/top.h"

struct service;
struct forward_view;
struct limit_table;
struct site_state;
struct site_table;
struct origins;
struct users;

enum service_state {
    SERVICE_STARTING,
    SERVICE_SERVING,
    SERVICE_DRAINING,
};

struct service_connections {
    uint64_t open, idle, accepted, refused, refused_proxy, timed_out, too_slow, made_room,
        bad_requests;
    uint64_t origin_active, origin_requests, origin_connects, origin_reused;
};

struct service_reload {
    bool ok;
    bool ever;         /* a reload was tried since start */
    int64_t tried_ms;  /* Unix milliseconds */
    int64_t loaded_ms; /* when the configuration in force was loaded */
    char error[512];   /* first line of the report, when not ok */
};

enum service_state service_state(const struct service *service);
/* Seconds since start. */
double service_uptime_s(const struct service *service);
unsigned service_workers(const struct service *service);
struct store *service_store(struct service *service);
struct limit_table *service_limits(struct service *service);
struct users *service_users(struct service *service);
/* The configuration in force, with a reference: conf_unref it. */
struct conf *service_conf(struct service *service);
const char *service_conf_path(const struct service *service);
/* Sums all workers' counters. out is large (20 KB): not on a small stack. */
void service_counters(struct service *service, struct counters_sum *out);
void service_connections(struct service *service, struct service_connections *out);
/* Name of a counters site slot, or NULL when unused. Slot 0: "-". Stable for the life of the
 * process. */
const char *service_site_name(struct service *service, unsigned slot);
/* The pools of origins, as long as the service. */
struct origins *service_origins(struct service *service);
/* What operators said of sites, by slot. */
struct site_state *service_site_state(struct service *service);
struct top *service_top(struct service *service);
/* Of the forward proxies: the last denials, destinations, users, clients. */
struct forward_view *service_forward_view(struct service *service);
/* Open tunnels (tunnel_view.h). Waits for the workers, a second at most: for the job thread. False:
 * one of them did not answer. */
struct tunnel_view_list;
bool service_tunnels(struct service *service, struct tunnel_view_list *list);
/* Exact figures of the forward proxies and their rules, of all workers. out is large (40 KB). */
void service_tally(struct service *service, struct tally_sum *out);
uint64_t service_log_dropped(const struct service *service);
/* Reads the file again and applies it whole, or changes nothing. report (may be NULL) gets the
 * errors as text, or what needs a restart; json (may be NULL) the same as a JSON array of problems.
 */
bool service_reload(struct service *service, struct buf *report, struct buf *json);
void service_last_reload(struct service *service, struct service_reload *out);
/* Begins the drain, as SIGTERM does. */
void service_stop(struct service *service);
/* The cache key of an absolute URL for a purge, under the settings its site has now: fills buf, or
 * returns what is wrong with the URL, static text. site: of which cache, by its first name
 * ("forward:office"), which leaves buf empty when it has no such URL; NULL: of the published site that
 * has it. other_scheme: of the same address under https instead of http, or the other way round. */
const char *service_purge_key(struct service *service, const char *url, const char *site,
                              bool other_scheme, struct buf *out);
/* The sites in force, compiled for those who are no worker. Give them back to the same service. */
struct site_table *service_sites(struct service *service);
void service_sites_release(struct service *service, struct site_table **sites);
#endif
