#ifndef EXCHANGE_FILL_PRIVATE_H
#define EXCHANGE_FILL_PRIVATE_H
/* fill_private - the state of one fill, shared by fill.c and fill_head.c only. */
#include "exchange/fill.h"

#define FILL_MAGIC 0x46494c4cu
#define FILL_HEAD_LIMIT (256u * 1024u) /* bytes of a stored head */

struct fill {
    uint32_t magic;
    bool shared; /* in the store's table, or to be */
    bool solo;   /* not yet: the head decides */
    bool background;
    bool has_lookup; /* the cache was asked: its settings count */
    bool head_done;
    bool paused;
    bool failed;   /* the deferred task ends it with fail_code */
    bool restart;  /* a 304 that fits nothing: again, without condition */
    bool complete; /* every byte of a known length was appended */
    uint32_t fail_code;
    struct exchange_env *env;
    struct exchange *owner;
    struct site_table *table;
    const struct site *site;
    struct policy policy;               /* the owner's, then with what the head says */
    struct span target;                 /* what the origin is asked for */
    const struct http_request *request; /* the owner's, or a copy in the arena */
    struct span peer_text;
    struct fetch *fetch;
    struct store_lead *lead;
    struct store_object *stale;
    struct store_object *refreshed;
    struct store_key key;
    int64_t soft_at_ms; /* of stale */
    int64_t request_time_ms;
    uint64_t alone_us; /* when its client had left and nobody else was seen reading; 0: not */
    uint64_t length, received; /* of the body; length STORE_LENGTH_UNKNOWN */
    struct fill_figures figures;
    struct loop_task task;
    struct list node;
    struct arena arena;
};

/* From head or data: ends the fill with this code once the fetch has returned. */
enum fetch_flow fill_fail_later(struct fill *fill, uint32_t code);
/* fill_head.c: the origin's final head has come. */
enum fetch_flow fill_on_head(void *ctx, const struct http_response *response);
#endif
