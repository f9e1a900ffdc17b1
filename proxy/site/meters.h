#ifndef SITE_METERS_H
#define SITE_METERS_H
/*
 * meters - how fast and how much the clients of a forward proxy may move, and over how many
 * connections, in the form the request path wants. What it means for a request: exchange_meter.c.
 *
 * Threads: as the site table it is part of. Ownership: borrows from the configuration and the
 * table's arena.
 */
#include "base/arena.h"
#include "conf/conf.h"
#include "limit/meter.h"

struct meters_bandwidth {
    const struct conf_bandwidth *conf;
    struct limit_ref ref;
    struct limit_flow flow;
};

struct meters_quota {
    const struct conf_quota *conf;
    struct quota *quota;  /* NULL: of a table that nobody asks through */
    struct limit_ref ref; /* of the bucket when it is used up */
    struct limit_flow slow;
};

struct meters_connections {
    const struct conf_limit *conf;
    struct limit_ref ref;
};

struct meters {
    const struct meters_bandwidth *bandwidths;
    const struct meters_quota *quotas;
    const struct meters_connections *connections;
    unsigned bandwidth_count, quota_count, connection_count;
};

/* limits NULL: of a table that nobody asks through. */
void meters_compile(struct meters *meters, struct arena *arena, const struct conf_site *site,
                    struct limit_table *limits);
static inline bool meters_are_used(const struct meters *meters)
{
    return meters->bandwidth_count + meters->quota_count + meters->connection_count > 0;
}
#endif
