#ifndef EXCHANGE_FILL_PRIVATE_H
#define EXCHANGE_FILL_PRIVATE_H
/* fill_private - the state of one fill, shared by the fill*.c files only. */
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
    bool failed;    /* the deferred task ends it with fail_code */
    bool restart;   /* a 304 that fits nothing: again, without condition */
    bool complete;  /* every byte of a known length was appended */
    bool has_range; /* range says what was asked for */
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
    struct store_lead *part_lead; /* of the part that takes this fill's body, for a moment */
    struct store_object *stale;
    struct store_object *refreshed;
    struct store_key key;
    int64_t soft_at_ms; /* of stale */
    int64_t request_time_ms;
    uint64_t alone_us; /* when its client had left and nobody else was seen reading; 0: not */
    uint64_t length, received; /* of the body; length STORE_LENGTH_UNKNOWN */
    uint64_t skip;             /* bytes to come that lie before what is kept */
    struct fill_range range;   /* parent and prefix: references */
    struct fill_figures figures;
    struct loop_task task;
    struct list node;
    struct arena arena;
};

/* From head or data: ends the fill with this code once the fetch has returned. */
enum fetch_flow fill_fail_later(struct fill *fill, uint32_t code);
/* fill.c: the lead wakes this fill from now on. */
void fill_bind(struct fill *fill);
/* Takes the settings over as they count for this fill. */
void fill_set_policy(struct fill *fill, const struct policy *policy);
/* fill_head.c: the origin's final head has come. */
enum fetch_flow fill_on_head(void *ctx, const struct http_response *response);
/* fill_head.c: the same, when it is about the whole. */
enum fetch_flow fill_take_head(struct fill *fill, const struct http_response *response);
/* fill_head.c: a 304, or what says as much. */
enum fetch_flow fill_renew(struct fill *fill, const struct http_response *response);
/* fill_head.c: publishes the head; a response that may not be shared goes on as a private one.
 * is_parent: of a representation whose parts are stored each by itself; the lead is still to be
 * committed, and what may not be shared fails with FILL_CODE_ALONE. */
enum fetch_flow fill_publish(struct fill *fill, const struct http_response *response,
                             bool is_parent);
/* fill_head.c: when what is stored with these facts is of no use any more; 0: not known. */
int64_t fill_useless_after_s(const struct http_stored *stored);
/* fill_range.c: before the head of a parent with these facts can be seen, somebody must lead the
 * part that comes with it. False: not possible. */
bool fill_range_lead_part(struct fill *fill, const struct http_stored *parent);
/* fill_range.c: the answer to a request with a range. */
enum fetch_flow fill_range_on_head(struct fill *fill, const struct http_response *response);
#endif
