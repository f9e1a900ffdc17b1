#ifndef ADMIN_VIEWS_H
#define ADMIN_VIEWS_H
/* views - the JSON values that both a plain GET and the event stream show. Each writes one value.
 */
#include <stdint.h>

#include "admin/history.h"
#include "admin/json.h"
#include "worker/top.h"

struct admin;
struct service;

/* Is it switched to maintenance? */
struct conf_site;
bool sites_in_maintenance(struct service *service, const struct conf_site *site);
/* The slot of its counters; 0: one of those beyond what is counted apart. */
unsigned sites_slot(struct service *service, const struct conf_site *site);
/* Sites in maintenance, as elements of status' problems. */
void sites_write_problems(struct service *service, struct json *json);
void status_write(struct admin *admin, struct json *json);
/* now: Unix seconds. */
void stats_write(struct admin *admin, enum history_range range, int64_t now, struct json *json);
/* One value per column of stats_write for the second t. */
void stats_write_point(struct admin *admin, int64_t t, struct json *json);
void stats_write_totals(struct admin *admin, int64_t now, struct json *json);
/* All pools of origins with their servers. */
void origins_write(struct admin *admin, struct json *json);
/* limit: 1..TOP_LIMIT_MAX. */
#define TOP_LIMIT_MAX 100u
void top_write(struct admin *admin, enum top_order order, unsigned limit, struct json *json);
#endif
