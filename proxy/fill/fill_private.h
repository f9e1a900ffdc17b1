#ifndef FILL_FILL_PRIVATE_H
#define FILL_FILL_PRIVATE_H
/* fill_private - the state of one fill, shared by the fill*.c files only. */
#include "base/buf.h"
#include "fill/fill.h"
#include "fill/fill_request.h"
#include "fill/stored.h"
#include "http/cache_status.h"
#include "http/response.h"
#include "net/loop.h"
#include "record/counters.h"
#include "site/onward.h"

#define FILL_MAGIC 0x46494c4cu
#define FILL_ARENA_LIMIT (256u * 1024u)
#define FILL_HEAD_LIMIT (256u * 1024u) /* bytes of a stored head */
#define FILL_AWAY_S 86400u             /* so long a stale response is kept for a dead origin */

struct fill {
    uint32_t magic;
    bool shared; /* in the store's table, or to be */
    bool solo;   /* not yet: the head decides */
    bool apart;  /* the same, of a POST */
    bool background;
    bool has_lookup; /* the cache was asked: its settings count */
    bool head_done;
    bool paused;
    bool failed;       /* the deferred task ends it with fail_code */
    bool restart;      /* a 304 that fits nothing: again, without condition */
    bool complete;     /* every byte of a known length was appended */
    bool is_tunnel;    /* the origin has switched protocols */
    bool has_range;    /* range says what was asked for */
    bool body_taken;   /* of the client's request: it cannot be had again */
    bool interim_sent; /* a 1xx was passed on */
    uint32_t fail_code;
    uint32_t last_code;      /* how the try before this one failed; 0: this is the first */
    unsigned dropped_status; /* the deferred task asks the server of `next`; 0: it does not */
    struct fill_env *env;
    struct fill_owner *owner; /* NULL: gone, or it does not need it any more */
    struct site_table *table;
    const struct site *site;
    struct policy policy; /* the owner's, then with what the head says */
    struct onward onward; /* how the origin is asked */
    struct span upgrade;  /* protocols it is offered while there is an owner, or NULL */
    const struct http_request *request; /* the owner's, or a copy in the arena */
    struct site_client client;          /* address: while its request is */
    struct origin_claim claim;          /* on the server that is asked */
    struct origin_claim next;           /* granted, for the try after this one */
    struct origin_want want;
    uint64_t begun_us;                 /* total time counts from here */
    uint64_t asked_us;                 /* when `fetch` began */
    uint64_t idle_timeout_us;          /* of that server */
    const struct fetch_origin *origin; /* whom this try asks: the claim's server, or `direct` */
    const char *address;               /* and where: literal; NULL: the host is one */
    struct fill_direct *direct;        /* for a forward proxy's client (fill_direct.c); or NULL */
    struct fetch *fetch;               /* NULL while it waits for a server */
    struct store_lead *lead;
    struct store_lead *part_lead; /* of the part that takes this fill's body, for a moment */
    struct store_object *stale;
    struct store_object *twin;
    struct store_object *refreshed;
    struct store_object **variants; /* in the arena; a reference each */
    unsigned variant_count;
    struct http_directives directives;   /* of the request; the spans in it are not to be read */
    const struct http_fields *selecting; /* in the arena; NULL: the request's own */
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
/* fill.c: the request goes out, to the server of fill->claim. */
void fill_fetch(struct fill *fill);
/* fill_origin.c: has a server of the pool, then fill_fetch, now or later; or the fill fails. */
void fill_ask(struct fill *fill);
/* fill_direct.c: the same for the server that a forward proxy's client named. */
void fill_direct_ask(struct fill *fill);
/* fill_direct.c: a fetch failed; is another address tried? Then that is under way. */
bool fill_direct_retry(struct fill *fill, const struct fetch_result *result);
/* fill_direct.c: a response has a status that is retried on; is there another address that may be
 * asked? Then fill_direct_retry_next asks it. */
bool fill_direct_retry_status(struct fill *fill, const struct conf_retry *retry);
void fill_direct_retry_next(struct fill *fill);
/* fill_direct.c: lets go of what is waited for. */
void fill_direct_end(struct fill *fill);
/* fill_parent.c, of a forward proxy whose requests leave by parents: a claim on one of them is
 * granted, and this is how it is asked. */
void fill_parent_choose(struct fill *fill);
/* fill_parent.c: no parent can be asked. Is the server, by ourselves? Then that is under way. */
bool fill_parent_instead(struct fill *fill);
/* fill_parent.c: a parent does not know us: nothing that a client could do about. */
enum fetch_flow fill_parent_refused(struct fill *fill, unsigned status);
/* fill_direct.c, of a fill that has `direct`: is the server's name being looked up? */
bool fill_direct_waits(const struct fill *fill);
/* Nobody has been asked yet: a server, or its address, is waited for. */
static inline bool fill_waits(const struct fill *fill)
{
    return fill->claim.ticket != NULL ||
           (UNLIKELY(fill->direct != NULL) && fill_direct_waits(fill));
}
/* fill_origin.c: the claim's verdict is there. */
void fill_go_on(struct fill *fill, enum origin_verdict verdict);
/* fill_retry.c: what is left of the total time; 0: over, UINT64_MAX: there is no bound. */
uint64_t fill_time_left_us(const struct fill *fill);
/* fill_retry.c: how long the fetch that began at asked_us may take. */
struct fetch_patience fill_patience(const struct fill *fill);
/* fill_retry.c: after which kind of failure that is, as enum conf_retry_on; 0: nothing that another
 * server would do better. */
uint32_t fill_retry_kind(const struct fetch_result *result);
/* fill_retry.c: nothing of the answer was passed on, somebody waits for it, and what went out
 * (is_sent) may go out again. */
bool fill_may_repeat(const struct fill *fill, const struct conf_retry *retry, bool is_sent);
/* fill_retry.c: a fetch failed; is the request sent again? Then that is under way. */
bool fill_retry(struct fill *fill, const struct fetch_result *result);
/* fill_retry.c: the same for a response with this status, which the caller then cancels. */
bool fill_retry_status(struct fill *fill, unsigned status);
/* fill_retry.c, from the deferred task: goes on after fill_retry_status. */
void fill_retry_next(struct fill *fill);
void fill_log_fault(const struct fill *fill, const struct fetch_result *result);
/* fill_origin.c: the server is not needed any more. result NULL: given up by us. */
void fill_let_go(struct fill *fill, const struct fetch_result *result);
/* The same after a final head whose body nobody waits for. */
void fill_let_go_answered(struct fill *fill);
/* fill_sticky.c: which server a cookie of ours names (0: it is none), and at the head: the cookie
 * the client needs. */
uint32_t fill_sticky_id(struct span text);
void fill_sticky_note(struct fill *fill);
/* fill.c: the lead wakes this fill from now on. */
void fill_bind(struct fill *fill);
/* fill_head.c: the origin's final head has come. */
enum fetch_flow fill_on_head(void *ctx, const struct http_response *response);
/* fill_head.c: the same, when it is about the whole. */
enum fetch_flow fill_take_head(struct fill *fill, const struct http_response *response);
/* fill_head.c: a 304, or what says as much. */
enum fetch_flow fill_on_not_modified(struct fill *fill, const struct http_response *response);
/* fill_head.c: publishes the head; a response that may not be shared goes on as a private one.
 * is_parent: of a representation whose parts are stored each by itself; the lead is still to be
 * committed, and what may not be shared fails with FILL_CODE_ALONE. */
enum fetch_flow fill_publish(struct fill *fill, const struct http_response *response,
                             bool is_parent);
/* fill_head.c: when what is stored with these facts is of no use any more; 0: not known. */
int64_t fill_useless_after_s(const struct fill *fill, const struct http_stored *stored);
/* fill_range.c: before the head of a parent with these facts can be seen, somebody must lead the
 * part that comes with it. False: not possible. */
bool fill_range_lead_part(struct fill *fill, const struct http_stored *parent);
/* fill_range.c: the answer to a request with a range. */
enum fetch_flow fill_range_on_head(struct fill *fill, const struct http_response *response);
/* fill_head.c: may it be stored as the answer to this request? Writes the selector. */
enum http_store_verdict fill_judge_storing(const struct fill *fill,
                                           const struct http_store_request *request,
                                           const struct http_response *response,
                                           struct buf *selector);
/* fill_select.c: what Vary selects, without what the operator ignores. False: nothing will ever
 * match. */
bool fill_build_selector(const struct fill *fill, const struct http_response *response,
                         struct buf *selector);
/* fill_select.c: do the fields of this response select as those of the stored object do? */
bool fill_selects_alike(const struct fill *fill, const struct store_object *stored,
                        const struct http_response *response);
/* fill_head.c: the facts, and what the store is to know of them. */
void fill_put_facts(const struct fill *fill, struct store_head *out,
                    const struct http_stored *stored);
/* fill_head.c: merged head and its facts as the store wants them, after a 304 or the like that
 * confirms `base`. False: it speaks of something else, or memory is short. */
struct fill_renewal {
    struct buf head;
    struct http_field items[STORED_FIELDS_MAX];
    struct http_response merged;
    struct store_head out; /* without selector and length */
};
bool fill_renew(struct fill *fill, const struct store_object *base,
                const struct http_response *response, struct fill_renewal *renewal);

/* fill_variants.c: what other variants are there, before the request goes out. */
void fill_variants_take(struct fill *fill);
void fill_variants_drop(struct fill *fill);
/* The If-None-Match line that offers them, in the arena; empty when there is nothing to offer. */
struct span fill_variants_line(struct fill *fill);
/* A 304 to that: the variant it selects answers (fill->refreshed). False: none does. */
bool fill_variants_select(struct fill *fill, const struct http_response *response);

/* fill_head.c: rules that ask of the response have their say now; of a part, of the whole it is of. */
void fill_settle_policy(struct fill *fill, const struct http_response *response);
/* fill_apart.c: settles whether the answer to a POST is stored for GET (RFC 9110 9.3.3). */
void fill_apart_settle(struct fill *fill, const struct http_response *response,
                       struct buf *selector);
/* fill_twin.c: a HEAD response updates the stored response of GET, or makes it stale (RFC
 * 9111 4.3.5). */
void fill_twin_update(struct fill *fill, const struct http_response *response);
/* fill_invalidate.c: RFC 9111 4.4. */
void fill_invalidate(struct fill *fill, const struct http_response *response);
/* fill_invalidate.c: does this URI reference, read against the request's target, name the target? */
bool fill_is_target(struct fill *fill, struct span reference);
#endif
