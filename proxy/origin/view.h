#ifndef ORIGIN_VIEW_H
#define ORIGIN_VIEW_H
/*
 * view - a picture of all pools for operators: API, metrics, problems. Each pool by itself is
 * consistent.
 *
 * Threads: any; a view belongs to who made it. Ownership: text in a view lives as long as it.
 */
#include "origin/figures.h"
#include "origin/health.h"
#include "origin/origin.h"

struct origin_server_view {
    const struct conf_server *settings;
    unsigned active;   /* requests under way */
    uint64_t requests; /* ever */
    struct origin_figures figures;
    struct origin_recent recent;
    struct origin_health_view health;
};

struct origin_pool_view {
    const char *name;
    const struct conf_origins *settings; /* NULL: no configuration has it any more */
    struct origin_server_view *servers;  /* in the order of the file */
    unsigned server_count;
    unsigned active; /* also of servers that are no longer in the pool */
    unsigned queued;
    uint64_t waited; /* ever in the queue */
    uint64_t refused_down, refused_full, refused_late;
    uint64_t retries, retries_refused; /* sent again; not, because of the budget */
    uint64_t full_us;                  /* monotonic; when the queue was full last, 0: never */

    struct origin_pool *pool; /* a reference */
    struct conf *conf;        /* private: keeps settings; NULL with settings */
};

struct origins_view {
    struct origin_pool_view *pools; /* by name */
    size_t count;
};

/* Which server a request would be sent to now, as far as that does not depend on turns and lots. */
struct origin_foreseen {
    char name[80]; /* ""; not certain, or none may be asked */
    bool is_only;  /* no other may be asked */
};
/* Changes nothing. */
void origin_pool_foresee(struct origin_pool *pool, const struct origin_want *want, uint64_t now_us,
                         struct origin_foreseen *out);

struct origins_view *origins_view_new(struct origins *origins, uint64_t now_us);
/* Nulls *view; NULL inside is fine. */
void origins_view_free(struct origins_view **view);
#endif
