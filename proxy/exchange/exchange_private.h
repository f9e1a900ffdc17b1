#ifndef EXCHANGE_EXCHANGE_PRIVATE_H
#define EXCHANGE_EXCHANGE_PRIVATE_H
/* exchange_private - the state of one request, shared by the files of this folder only. */
#include "base/arena.h"
#include "exchange/exchange.h"
#include "exchange/exchange_ask.h"
#include "fill/fill.h"
#include "fill/stored.h"
#include "http/cache_status.h"
#include "http/directives.h"
#include "http/freshness.h"
#include "http/range.h"
#include "site/client.h"

struct buf;
struct exchange_connect;
struct exchange_forward;
struct exchange_meter;
struct exchange_plan;
struct exchange_tunnel;

#define EXCHANGE_MAGIC 0x45584348u
#define EXCHANGE_KEY_INLINE 384
#define EXCHANGE_ARENA_LIMIT (256u * 1024u)
/* A request that is sent back to the lookup more often goes to the origin by itself. */
#define EXCHANGE_LOOKUPS_MAX 6

enum exchange_step {
    EXCHANGE_STEP_ADMIT,
    EXCHANGE_STEP_FORWARD,
    EXCHANGE_STEP_LOOKUP,
    EXCHANGE_STEP_DISK,
    EXCHANGE_STEP_PASS,
    EXCHANGE_STEP_HEAD,
    EXCHANGE_STEP_ENCODE,
    EXCHANGE_STEP_REPLY,
    EXCHANGE_STEP_PART,
    EXCHANGE_STEP_SEND,
    EXCHANGE_STEP_TUNNEL,
    EXCHANGE_STEP_CONNECT,
    EXCHANGE_STEP_ERROR,
    EXCHANGE_STEP_DONE,
    EXCHANGE_STEP_COUNT,
};

enum exchange_next {
    EXCHANGE_GO,   /* x->step was set */
    EXCHANGE_PARK, /* somebody holds our wake-up */
    EXCHANGE_END,  /* freed */
};

/* An answer of our own. */
struct own_page {
    struct span body; /* in the arena or the configuration; NULL ptr: a page about error_text */
    const char *type;
    struct span lines; /* more fields; ptr NULL: none */
    bool is_edited;    /* the operator's changes of response fields apply */
    bool closes;       /* the connection ends with it */
};

struct exchange {
    uint32_t magic;
    uint8_t step;
    bool driving;     /* a step is running: wake-ups only note themselves */
    bool woken;       /* and are noted here */
    bool client_gone; /* the stream is dead */
    bool looked_up;   /* cacheable request */
    bool head_sent;
    bool whole;     /* object is whole: send from its pieces */
    bool end_known; /* `end` is the last byte to send + 1 */
    bool body_none; /* head only */
    bool aborted;
    bool led_range;   /* a fill of ours asked for a range already */
    bool refuse_sole; /* the stored part cannot be added to, and is not enough */
    bool solo;        /* the key is marked as not storable: our fill is beside the others */
    bool apart; /* what others fetch may not be used for this request: no more waiting for it */
    bool collapsed;
    bool origin_counted; /* by limits that count misses */
    bool log_record;
    bool in_maintenance; /* only what is in the cache is sent */
    uint8_t lookups;
    uint8_t coding; /* enum http_coding: of what is being sent, or looked for */
    uint8_t coding_lookups;
    uint8_t result;  /* enum request_result */
    uint8_t reason;  /* enum http_reason */
    uint8_t forward; /* enum http_forward */
    uint16_t status;
    uint32_t retry_after_s; /* told with an error page; 0: not */
    struct exchange_env *env;
    struct stream *stream;
    struct site_table *table;
    const struct site *site;
    const struct policy *policy; /* the site's, or policy_room; NULL: no site */
    struct site_client client;
    struct guard_hold *holds;    /* places among concurrent requests, to be given back */
    struct span target;          /* as it counts for key and origin: site_target */
    struct store_object *object; /* what is being sent or waited for; a reference */
    struct store_object *stale;  /* fall-back or what is revalidated; a reference */
    struct store_object *loaded; /* fresh from disk, for the next lookup; a reference */
    struct store_reader *reader;
    struct store_load *load;
    struct exchange_forward *forwarding; /* in the arena; NULL: not by a forward proxy */
    struct exchange_meter *meter;        /* in the arena; NULL: nobody paces or counts its bytes */
    struct exchange_connect *connecting; /* a tunnel being opened, in the arena; NULL: none */
    struct exchange_tunnel *tunnel;      /* offers an upgrade (exchange_tunnel.h); NULL: does not */
    struct exchange_plan
        *plan;               /* of a body in several stretches, in the arena; NULL: it is in one */
    uint64_t request_id;     /* once somebody wanted it (exchange_request_id); 0: nobody did */
    uint64_t received_bytes; /* of the request's content, or through a tunnel */
    uint64_t offset, end;    /* body bytes [offset, end) are still to be sent */
    uint64_t first_byte_us;  /* of the response, after the request; 0: not yet */
    uint32_t age_s;
    int64_t ttl_s;
    int64_t soft_at_ms; /* of `stale`, or of the stale object being sent: its soft purge; 0: none */
    enum byte_source source;
    const char *error_text;              /* of an error page, static */
    struct own_page own;                 /* what exchange_error sends */
    enum http_proxy_error proxy_error;   /* HTTP_PROXY_ERROR_COUNT: none */
    struct http_directives directives;   /* of the request */
    const struct http_fields *selecting; /* fill_selecting; NULL: not asked yet */
    struct store_key key;
    struct arena arena;
    struct exchange *next_free;
    struct fill_owner origin; /* the origin's side; from its pool on no zeros are needed */
    char key_inline[EXCHANGE_KEY_INLINE];
    struct policy policy_room; /* when rules have a say */
};

/* exchange_forward.c: lets go of what it waits for. Only with x->forwarding. */
void exchange_forward_end(struct exchange *x);
/* exchange.c: runs steps until the exchange parks or ends. Safe to call from any wake-up. */
void exchange_drive(struct exchange *x);
static inline enum exchange_next exchange_go(struct exchange *x, enum exchange_step step)
{
    x->step = (uint8_t)step;
    return EXCHANGE_GO;
}
/* The client left, or must see that the body is not whole. */
static inline enum exchange_next exchange_cut(struct exchange *x)
{
    x->aborted = true;
    return exchange_go(x, EXCHANGE_STEP_DONE);
}
/* Its stream was taken, and it is accounted elsewhere: frees it. */
void exchange_forget(struct exchange *x);
/* Lets go of reader, object, stale, load. */
void exchange_release(struct exchange *x);

/* exchange_origin.c: a fill for this request, by these options and what is the same for all. */
struct fill *exchange_fill(struct exchange *x, struct fill_options *options);
/* The exchange in which an owner lies. */
static inline struct exchange *exchange_of_owner(struct fill_owner *owner)
{
    return CONTAINER_OF(owner, struct exchange, origin);
}

/* exchange_client.c. Of this request. */
const struct site_client *exchange_client(const struct exchange *x);
/* At the request's begin: the peer. */
void exchange_client_begin(struct exchange *x);
/* x->site was found by Host (or there is none): whom it trusts has its say. May change the
 * request's authority, and x->site with it, to what the client asked that proxy for. Then the
 * request's scheme is the client's. False: what the trusted peer says is not to be understood. */
bool exchange_client_settle(struct exchange *x);

/* One function per step. */
enum exchange_next exchange_admit(struct exchange *x);
enum exchange_next exchange_forward(struct exchange *x);
enum exchange_next exchange_lookup(struct exchange *x);
enum exchange_next exchange_disk(struct exchange *x);
enum exchange_next exchange_pass(struct exchange *x);
enum exchange_next exchange_head(struct exchange *x);
enum exchange_next exchange_encode(struct exchange *x);
enum exchange_next exchange_reply(struct exchange *x);
enum exchange_next exchange_part(struct exchange *x);
enum exchange_next exchange_send(struct exchange *x);
enum exchange_next exchange_tunnel(struct exchange *x);
enum exchange_next exchange_connect(struct exchange *x);
enum exchange_next exchange_error(struct exchange *x);
enum exchange_next exchange_done(struct exchange *x);

/* exchange_meter.c: as exchange_offer. */
ptrdiff_t exchange_meter_offer(struct exchange *x, const struct iovec *parts, unsigned count,
                               bool end);
/* What stream_send does, at the pace that is allowed to its client: a short count means that the
 * exchange is woken when more may go. */
static inline ptrdiff_t exchange_offer(struct exchange *x, const struct iovec *parts,
                                       unsigned count, bool end)
{
    return UNLIKELY(x->meter != NULL) ? exchange_meter_offer(x, parts, count, end)
                                      : stream_send(x->stream, parts, count, end);
}

/* exchange_reply.c: answers with a stored object, whose reference it takes. */
enum exchange_next exchange_serve(struct exchange *x, struct store_object *object,
                                  enum request_result result, enum http_reason reason);
/* exchange_reply.c: what exchange_serve ends with: x->object is what will be sent. */
enum exchange_next exchange_open(struct exchange *x);

/* exchange_encode.c, for sites that compress. Shall the stored response x->object be sent encoded?
 * Sets x->coding. */
bool exchange_prefers_coding(struct exchange *x);
/* May this response be sent encoded to others? Then caches behind us must know (Vary). */
bool exchange_varies_by_coding(struct exchange *x, const struct http_stored *facts);
/* A date in If-Range does not say in which coding the client has its part. */
bool exchange_range_is_vague(const struct exchange *x, const struct http_stored *facts);

/* exchange_maintenance.c, for a site that is in it. Is it over with that? Then *next says how. */
bool exchange_maintenance(struct exchange *x, enum http_reason pass_reason,
                          enum exchange_next *next);
/* exchange_maintenance.c: 503. */
enum exchange_next exchange_maintenance_page(struct exchange *x);
/* exchange_lookup.c: only what is in the cache may be sent, and it is not there. */
enum exchange_next exchange_fail_not_cached(struct exchange *x);
/* exchange_own.c: is it answered by a setting alone (redirect, respond)? Then *next says how. */
bool exchange_answer(struct exchange *x, enum exchange_next *next);
/* exchange_own.c: does If-None-Match name this tag (RFC 9110 13.1.2)? */
bool exchange_has_tag(const struct http_request *request, struct span tag);
/* exchange_own.c: is there a page to be sent in place of this response of the origin? Then all of it
 * but its status is let go. */
bool exchange_intercept(struct exchange *x);
/* exchange_reply.c: an own small response instead of one from origin or cache. */
enum exchange_next exchange_fail(struct exchange *x, unsigned status, const char *text);
/* The same for a fill's failure code (enum fetch_fault + 1, FILL_CODE_*). */
enum exchange_next exchange_fail_fetch(struct exchange *x, uint32_t code);
/* exchange_range.c: a body of these, one after another. NULL: no memory. */
struct exchange_plan *exchange_plan_new(struct exchange *x, const struct http_range_set *set);
/* exchange_stale.c: a fetch ended with this code for reasons that are none of this request's: its
 * own may fare better. */
bool exchange_must_go_alone(const struct exchange *x, uint32_t code);
/* exchange_stale.c: the fetch ended with this code and without an answer. */
enum exchange_next exchange_origin_failed(struct exchange *x, uint32_t code);
struct rearm_subject;
/* Was this stale response sent for a dead origin a moment ago, and will this request take it? */
bool exchange_is_rearmed(const struct exchange_judge *judge, const struct rearm_subject *subject);
/* exchange_range.c: a body of several ranges, for exchange_range_head. False: they are too much. */
bool exchange_plan_multipart(struct exchange *x, const struct http_range_set *set, uint64_t length);
/* exchange_range.c: writes the head of a 206, or with set NULL of a 416, and says in x what is to
 * be sent. length: of the representation. False: the stored head is damaged, or no memory. */
bool exchange_range_head(struct exchange *x, const struct http_range_set *set, uint64_t length,
                         struct buf *head);
/* exchange_part.c: the bytes of this parent are to be sent; set NULL: all. x->plan is made if it is
 * not there yet. */
enum exchange_next exchange_parts_begin(struct exchange *x, const struct http_range_set *set,
                                        uint64_t total);
/* exchange_part.c: the first of them are there, so that the head may be written. */
bool exchange_parts_ready(const struct exchange *x);
/* exchange_part.c: lets go of what the plan holds. */
void exchange_plan_drop(struct exchange *x);
/* exchange_send.c: our own request, with what the client asked for, stored nowhere. */
enum exchange_next exchange_go_alone(struct exchange *x);
/* exchange_send.c: has the reader at x->offset. False: there are too many. */
bool exchange_seek(struct exchange *x);
void exchange_note_first_byte(struct exchange *x);
/* exchange_admit.c: the site is settled, a forward proxy has let it pass: from its path and rules to
 * the cache. is_understood: what trusted peers say of the client was. */
enum exchange_next exchange_enter(struct exchange *x, bool is_understood);
/* exchange_admit.c: PURGE on the proxy port. */
enum exchange_next exchange_purge(struct exchange *x);

/* exchange_fields.c: the object's head where it is not the same for all; NULL ptr: no memory, or
 * the stored bytes are damaged. */
struct span exchange_special_head(struct exchange *x);

/* exchange_account.c: the access record and the counters of one finished request. */
void exchange_account(struct exchange *x);
/* By which logs name it, and people who saw its error page. */
uint64_t exchange_request_id(struct exchange *x);
/* Of it the counters alone. */
void exchange_count(struct exchange *x);
/* Of it the record so far, with weight, in one block of the heap; NULL: no memory. */
struct record *exchange_record(struct exchange *x);
/* The same for a request the connection refused by itself. */
void exchange_account_refused(struct exchange_env *env, struct stream *stream, unsigned status,
                              size_t bytes_sent);

/* exchange_guard.c, for sites that have guards. May it go on? Else *next says how it ends. */
bool exchange_guard(struct exchange *x, enum exchange_next *next);
/* The same before the origin is asked for it. */
bool exchange_guard_origin(struct exchange *x, enum exchange_next *next);
/* It is no longer under way. */
void exchange_guard_release(struct exchange *x);

/* exchange_policy.c. Rules that ask of the response have a say in what is sent: settles the policy once more. */
void exchange_policy_late(struct exchange *x);
/* The head as the client gets it; empty: no memory. */
struct span exchange_edit_head(struct exchange *x, struct span head);

/* A reader or the sink woke us. */
void exchange_wake(void *ctx);

/* The object's head, to send. */
static inline struct span exchange_object_head(struct exchange *x)
{
    if (UNLIKELY((stored_facts(x->object)->flags & HTTP_STORED_NO_CACHE_FIELDS) != 0 ||
                 x->origin.own_lines.len > 0)) {
        return exchange_special_head(x);
    }
    return store_object_head(x->object);
}

#endif
