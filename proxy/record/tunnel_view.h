#ifndef RECORD_TUNNEL_VIEW_H
#define RECORD_TUNNEL_VIEW_H
/*
 * tunnel_view - open tunnels as their operators see them: the oldest, or those that moved most.
 *
 * Threads: any; pure.
 */
#include <stddef.h>
#include <stdint.h>

enum tunnel_order {
    TUNNEL_BY_AGE,
    TUNNEL_BY_BYTES,
};

/* Texts that are longer are cut. */
struct tunnel_view {
    uint64_t id; /* of its request, as in the log */
    int64_t since_ms;
    uint64_t age_us, to_client, to_origin; /* bytes */
    uint16_t port;
    char forward[64], client[64], user[64], rule[64], host[256];
};

struct tunnel_view_list {
    enum tunnel_order order;
    char forward[64]; /* only of this one; empty: of all */
    size_t max;       /* of items */
    size_t count;
    uint64_t open; /* that there are, also those not in the list */
    struct tunnel_view *items;
};

/* Puts one where it belongs, if there is room. */
void tunnel_view_insert(struct tunnel_view_list *list, const struct tunnel_view *view);
#endif
