#ifndef ORIGIN_PROBE_H
#define ORIGIN_PROBE_H
/*
 * probe - one check of one server: a request through our own fetch code, on a connection of its
 * own, or a TCP connection.
 *
 * Threads: the loop's own. Ownership: embedded in its owner, who cancels it before dying.
 */
#include "base/buf.h"
#include "origin/health_private.h"
#include "origin/knock.h"

struct probe {
    struct loop *loop;
    struct fetch_pool *fetches;
    const struct conf_probe *settings; /* while it is busy; the owner keeps them */
    bool is_busy;
    bool is_tls; /* a connection alone says less than a request will find out */
    struct fetch_origin origin;
    struct fetch *fetch;
    struct knock knock;
    struct loop_timer end; /* tells what was known inside a call of the fetch */
    uint64_t started_us;
    unsigned status;
    struct buf body;
    char detail[96];
    /* Never from inside probe_start; may start again. */
    void (*done)(struct probe *probe, const struct health_result *result);
};

struct probe_target {
    const struct fetch_origin *origin;
    const char *address; /* literal, or "" where origin's host is one */
    const char *host;    /* Host to send */
    const struct conf_probe *settings;
};

void probe_init(struct probe *probe, struct loop *loop, struct fetch_pool *fetches,
                void (*done)(struct probe *probe, const struct health_result *result));
/* What target points to stays until it is done or cancelled. */
void probe_start(struct probe *probe, const struct probe_target *target);
void probe_cancel(struct probe *probe);
#endif
