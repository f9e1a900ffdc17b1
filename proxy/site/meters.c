/* meters - see meters.h. */
#include "site/meters.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

_Static_assert((int)CONF_PER_HOUR == (int)CALENDAR_HOUR &&
                   (int)CONF_PER_MONTH == (int)CALENDAR_MONTH,
               "one is the other");
_Static_assert((int)CONF_SIDE_DOWN == (int)QUOTA_DOWN && (int)CONF_SIDE_UP == (int)QUOTA_UP,
               "one is the other");
_Static_assert(CONF_BANDWIDTHS_MAX <= METER_FLOWS_MAX, "a meter has room for all");
_Static_assert(CONF_BANDWIDTHS_MAX <= METER_QUOTAS_MAX, "a meter has room for all");

/* The configuration is bounded, so is what is made of it: never NULL. */
static void *meters_alloc(struct arena *arena, size_t count, size_t bytes)
{
    void *room = arena_alloc(arena, (count + 1) * bytes);
    CHECK(room != NULL);
    memset(room, 0, (count + 1) * bytes);
    return room;
}

static struct limit_ref ref_of(struct limit_table *limits, enum limit_use use, struct span site,
                               const char *name)
{
    return limits == NULL ? (struct limit_ref){0}
                          : limit_register(limits, use, site, span_str(name));
}

static void quotas_compile(struct meters *meters, struct arena *arena, const struct conf_site *site,
                           struct limit_table *limits)
{
    const struct conf_forward *forward = &site->forward;
    struct meters_quota *room = meters_alloc(arena, forward->quota_count, sizeof(*room));
    struct span name = span_str(site->names.list[0]);

    for (size_t i = 0; i < forward->quota_count; i++) {
        const struct conf_quota *conf = &forward->quotas[i];
        char slow[80]; /* no bandwidth has such a name */
        (void)snprintf(slow, sizeof(slow), "quota:%s", conf->name);
        room[i].conf = conf;
        room[i].ref = ref_of(limits, LIMIT_SLOWS, name, slow);
        if (conf->throttle_bytes_s > 0) {
            room[i].slow = limit_flow(conf->throttle_bytes_s, 0);
        }
        if (limits != NULL) {
            room[i].quota = quota_register(limit_quotas(limits), name, span_str(conf->name),
                                           (enum calendar_per)conf->per, conf->bytes, conf->sides);
        }
    }
    meters->quotas = room;
    meters->quota_count = (unsigned)forward->quota_count;
}

void meters_compile(struct meters *meters, struct arena *arena, const struct conf_site *site,
                    struct limit_table *limits)
{
    const struct conf_forward *forward = &site->forward;
    struct meters_bandwidth *bandwidths =
        meters_alloc(arena, forward->bandwidth_count, sizeof(*bandwidths));
    struct meters_connections *connections =
        meters_alloc(arena, site->limit_count, sizeof(*connections));
    struct span name = span_str(site->names.list[0]);

    *meters = (struct meters){.bandwidths = bandwidths, .connections = connections};
    for (size_t i = 0; i < forward->bandwidth_count; i++) {
        const struct conf_bandwidth *conf = &forward->bandwidths[i];
        bandwidths[i] =
            (struct meters_bandwidth){.conf = conf,
                                      .ref = ref_of(limits, LIMIT_SLOWS, name, conf->name),
                                      .flow = limit_flow(conf->bytes_s, conf->burst)};
    }
    meters->bandwidth_count = (unsigned)forward->bandwidth_count;
    for (size_t i = 0; i < site->limit_count; i++) {
        const struct conf_limit *conf = &site->limits[i];
        if (conf->kind == CONF_LIMIT_CONNECTIONS) {
            connections[meters->connection_count++] = (struct meters_connections){
                .conf = conf, .ref = ref_of(limits, LIMIT_REFUSES, name, conf->name)};
        }
    }
    quotas_compile(meters, arena, site, limits);
}
