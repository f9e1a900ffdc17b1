#ifndef STORE_STORE_H
#define STORE_STORE_H
/*
 * store - stored responses: RAM tier, index, fills in flight and the log inside RocksDB, behind one
 * header. The store knows bytes, not HTTP: what a response means (freshness, Vary) is judged by
 * pure functions handed in with each lookup, and its facts are an opaque fixed-size record.
 *
 * An object is one response variant. Its body is a row of pieces: piece i holds the bytes
 * [i * STORE_PIECE_BYTES, (i + 1) * STORE_PIECE_BYTES). An object is filled once, by one leader
 * (FILLING -> READY or FAILED, never back), while any number of readers follow at their own pace.
 * Pieces of a large object leave memory once they are on disk and come back on demand.
 *
 * Threads:   every function from any thread unless said otherwise. Worker calls never block on
 * disk. Ownership: objects are counted; every pointer you keep needs its own reference. A lead is a
 * token that must end in commit, refresh or abort; a reader must be closed. Errors:    trouble with
 * the disk makes the store forget, never fail: loads turn into misses, fills stay in RAM or are not
 * stored. Nothing here makes a request fail that the origin could answer.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mailbox.h"
#include "base/span.h"

#define STORE_PIECE_BYTES (256u * 1024u)
#define STORE_FACTS_BYTES 64u
#define STORE_LENGTH_UNKNOWN UINT64_MAX
#define STORE_VARIANTS_MAX 256u /* of one key */

struct store;
struct store_object;
struct store_lead;
struct store_reader;

struct store_options {
    const char *path;          /* folder, made when absent; NULL: RAM only */
    uint64_t disk_bytes;       /* the folder stays under this at every moment; >= 64 MiB */
    uint64_t memory_bytes;     /* objects in RAM, fills, index: all counted */
    uint64_t max_object_bytes; /* larger bodies are not stored */
    unsigned read_threads;     /* 1..16 */
    unsigned flush_ms;         /* bodies reach the disk at most this late, 100..2000 */
    unsigned max_readers;      /* readers per filling object; more get ERR_LIMIT */
};

/* Does another process have the store in this folder open? */
bool store_is_in_use(const char *path, int *pid);
/* Opens the store and starts its threads. A folder that cannot be opened is moved aside to
 * `<path>/quarantine-<time>` and an empty store is started; when even that fails it runs in RAM
 * only and says so in the log. Never NULL. The index loads in the background; lookups are right
 * meanwhile. */
struct store *store_open(const struct store_options *options);
/* Flushes and closes. No lead, reader or object may be left. Nulls *store. */
void store_close(struct store **store);
/* New RAM budget, in force soon after. */
void store_set_memory(struct store *store, uint64_t memory_bytes);

/* ---- keys ---- */

/* The primary key: method class and full URI, as bytes the store compares and never reads. */
struct store_key {
    struct span bytes; /* borrowed */
    struct hash128 hash;
};
struct store_key store_key_of(const struct store *store, struct span bytes);

/* ---- objects ---- */

/* What a leader publishes once the origin's head is known. All borrowed, copied by the store. */
struct store_head {
    struct span head;     /* stored response head, opaque */
    struct span selector; /* what Vary selected, opaque; empty: no Vary */
    uint8_t facts[STORE_FACTS_BYTES];
    uint64_t length;         /* body bytes or STORE_LENGTH_UNKNOWN */
    int64_t useless_after_s; /* Unix seconds past which it may go first; 0: not known */
    int64_t date_s; /* Unix seconds: of objects that match, the latest is chosen; 0: not known */
    /* Of this fill alone; 0: the store's own. Smaller counts. */
    uint64_t max_bytes;    /* a longer body is not stored */
    unsigned max_variants; /* of its key, with this one; the least used and oldest leave */
};

struct store_object *store_object_ref(struct store_object *object);
void store_object_unref(struct store_object **object); /* nulls *object */

/* Below: borrowed, valid while you hold a reference, immutable once the head is published. */
struct span store_object_key(const struct store_object *object);
struct span store_object_head(const struct store_object *object);
struct span store_object_selector(const struct store_object *object);
const uint8_t *store_object_facts(const struct store_object *object);
/* Body length, or STORE_LENGTH_UNKNOWN while filling without one. */
uint64_t store_object_length(const struct store_object *object);
/* Body bytes that readers find there by now; all of them once it is READY. */
uint64_t store_object_filled(const struct store_object *object);
/* READY and every piece in memory for as long as you hold a reference: the fast path of a hit, with
 * no lock and no reader. An acquire load. */
bool store_object_is_whole(const struct store_object *object);
/* Bytes of piece i of a whole object; i < ceil(length / STORE_PIECE_BYTES). */
struct span store_object_piece(const struct store_object *object, size_t i);
/* A file in memory that holds the body of a whole object, the first byte at 0; -1: there is none.
 * Large objects get one when they are hit often. */
int store_object_file(const struct store_object *object);

/* ---- lookup ---- */

enum store_judgement {
    STORE_JUDGE_FRESH,    /* serve it */
    STORE_JUDGE_STALE,    /* serve it now, somebody refreshes (stale-while-revalidate) */
    STORE_JUDGE_VALIDATE, /* not without asking the origin */
};

enum store_verdict {
    STORE_FRESH,  /* object: serve it */
    STORE_STALE,  /* object: serve it; lead is set when you are the one to refresh it */
    STORE_LEAD,   /* lead: fetch it; object: what to revalidate, or NULL */
    STORE_FOLLOW, /* object: somebody fetches it, open a reader; stale: fall-back or NULL */
    STORE_DISK,   /* it is on disk: store_load, then look up again */
    STORE_PASS,   /* known not to be storable, !may_solo: fetch it yourself, do not queue */
    STORE_ABSENT, /* may_lead was false and nothing usable is there; stale: fall-back or NULL */
};

/* Why it is not a hit, for the access log. */
enum store_absence {
    STORE_WAS_ABSENT,
    STORE_WAS_EXPIRED,
    STORE_WAS_VARIANT, /* the key is there, no variant matches */
    STORE_WAS_PURGED_SOFT,
    STORE_WAS_PURGED_HARD, /* removed by a purge not long ago */
    STORE_WAS_EVICTED,     /* not long ago */
    STORE_WAS_CORRUPT,
};

struct store_lookup {
    /* in */
    struct store_key key;
    bool may_lead;               /* false: do not begin a fill */
    bool may_follow;             /* false: do not wait for somebody else's fill */
    bool is_peek;                /* changes nothing and begins nothing: what would be decided? */
    bool may_solo;               /* a key known not to be storable: lead beside the others, see
                                    store_lead_share; false: STORE_PASS */
    bool is_new_key;             /* nothing was ever stored under it: the disk is not asked */
    struct store_object *loaded; /* borrowed result of store_load, or NULL: counts as resident */
    /* Pure, run under the shard lock: no call back into the store, no allocation, no lock. */
    bool (*matches)(struct span selector, void *ctx);
    /* soft_at_ms: wall clock of its soft purge, or 0; 1 when that is not known any more. */
    enum store_judgement (*judge)(const uint8_t *facts, int64_t soft_at_ms, void *ctx);
    void *ctx;
    /* out; references and the lead belong to the caller */
    struct store_object *object;
    struct store_object *stale; /* fall-back where object is not it, or NULL: FOLLOW, ABSENT, PASS,
                                   LEAD when is_solo */
    struct store_lead *lead;
    enum store_absence absence;
    int64_t soft_at_ms;  /* of object, or of stale where that is set, as for judge */
    bool object_on_disk; /* FRESH/STALE: it came through `loaded` */
    bool is_solo;        /* LEAD: there is a mark, nobody follows this lead */
};

/* Decides under one shard lock and, for LEAD that is no peek, enters the fill in the same critical section. */
enum store_verdict store_lookup(struct store *store, struct store_lookup *lookup);

/* One variant of a key as it lies there now. */
struct store_variant {
    struct store_object *object; /* in memory: a reference of the caller's; NULL: on disk only */
    uint64_t bytes;              /* head and body; 0 while it is being filled */
    int64_t soft_at_ms;          /* as in store_lookup */
    bool is_on_disk;
    bool is_filling;
};
/* The first max variants of a key, in no order; returns how many there are in all. Changes nothing.
 */
unsigned store_peek(struct store *store, const struct store_key *key, struct store_variant *out,
                    unsigned max);

/* A disk read under way. done() runs on the mailbox's thread, exactly once, also after cancel()
 * when it was too late; object is NULL when the record is gone or damaged (then look up again: the
 * entry has been dropped). The reference passes to done(). One read serves all who ask together. */
struct store_load;
struct store_load *store_load_start(struct store *store, const struct store_lookup *lookup,
                                    struct mailbox *box,
                                    void (*done)(void *ctx, struct store_object *object),
                                    void *ctx);
/* done() will not be called any more. Mailbox's thread only. Nulls *load. */
void store_load_cancel(struct store_load **load);

/* ---- filling ---- */

/* Told on the mailbox's thread when a paused leader may go on, or nobody wants the bytes any more.
 */
typedef void (*store_lead_wake_fn)(void *ctx);

/* A fill of nobody's: not in any table, for one client whose response cannot be shared. */
struct store_lead *store_lead_private(struct store *store);
/* A fill that nobody follows, of a response that may turn out to be this key's although the request
 * was no lookup (RFC 9110 9.3.3): before its head store_lead_share or store_lead_detach. Without
 * memory a private one, which can only be detached. */
struct store_lead *store_lead_apart(struct store *store, const struct store_key *key);
/* Before the first append. Worker that drives the fetch. */
void store_lead_bind(struct store_lead *lead, struct mailbox *box, store_lead_wake_fn wake,
                     void *ctx);
/* The object being filled; borrowed for the life of the lead. */
struct store_object *store_lead_object(struct store_lead *lead);
/* Publishes the head; readers wake. ERR_LIMIT: longer than max_object_bytes or head->max_bytes,
 * detach it instead. */
MUST_USE enum err store_lead_head(struct store_lead *lead, const struct store_head *head);
/* The response may not be shared: out of the table, readers other than those opened with
 * `own` are told STORE_HEAD_ALONE, and for pass_ms the key is marked (0: not remembered): solo
 * leads or STORE_PASS. The lead goes on as a private one: publish the head after this. */
void store_lead_detach(struct store_lead *lead, unsigned pass_ms);
/* A solo lead or one apart whose response may be stored after all, before its head: from now on it
 * is like any other, and the mark goes. False: the mark a solo one began under is gone, so another
 * lead was first or the key was purged since; detach it, the response is for its own client only. */
MUST_USE bool store_lead_share(struct store_lead *lead);
/* Copies bytes to the end of the body. ERR_LIMIT: over length or max_object_bytes (abort it);
 * ERR_NOMEM: abort it. */
MUST_USE enum err store_lead_append(struct store_lead *lead, struct span data);
/* Where the next bytes of a body of known length will stand: written there, and then appended with
 * just that pointer, they are not copied. NULL: append from anywhere. */
char *store_lead_place(struct store_lead *lead, size_t *room);
/* Wakes the readers: once after each batch of appends. */
void store_lead_flush(struct store_lead *lead);
/* Should the origin be held back? A private fill: its reader lags by more than two pieces. A shared
 * one: the disk queue is long; an object that fits into RAM waits for that once, a second at most.
 * wake() follows when that ends. */
bool store_lead_must_pause(struct store_lead *lead);
/* A fill that is stored nowhere and whose readers are all gone: cancel the fetch. A shared one goes
 * on. */
bool store_lead_is_abandoned(const struct store_lead *lead);
/* Does anybody read it now? */
bool store_lead_is_read(const struct store_lead *lead);
/* Complete and correct: READY, into the RAM tier, queued for disk; replaces the entries of the same
 * key and selector, and the object that was to be validated. An object invalidated while it was
 * filled is dropped (hard) or stored as stale (soft). A body shorter than the length given is a
 * CHECK failure: compare before. */
void store_lead_commit(struct store_lead **lead);
/* The origin said 304: the stale object lives on under a new head and facts, its body shared, its
 * disk record re-pointed, not rewritten. Returns the refreshed object with a reference; followers
 * find it by store_reader_renewed. */
struct store_object *store_lead_refresh(struct store_lead **lead, const struct store_head *head);
/* The origin said 304 to the validators of several variants: this one (whole; borrowed) answers the
 * request too. It is stored a second time under the new head and selector, large bodies shared.
 * Returns that with a reference, as above. NULL, and nothing done: no memory. */
struct store_object *store_lead_adopt(struct store_lead **lead, struct store_object *variant,
                                      const struct store_head *head);
/* What this lead was to renew is out of force: the origin has answered with something else that may
 * not be stored. */
void store_lead_supersede(struct store_lead *lead);
/* Is a shared fill still in the table, so that its end will be stored? Not when it was purged. */
bool store_lead_is_entered(const struct store_lead *lead);
/* Failed. code is opaque and handed to the followers; 0: the fetch was given up for a reason of its
 * own, followers look up again and one of them leads. Accepts NULL inside. */
void store_lead_abort(struct store_lead **lead, uint32_t code);

/* ---- reading an object that is not whole ---- */

enum store_head_state {
    STORE_HEAD_READY,  /* head, facts, length are there */
    STORE_HEAD_WAIT,   /* not yet; wake() will be called */
    STORE_HEAD_ALONE,  /* not shareable: go to the origin yourself */
    STORE_HEAD_AGAIN,  /* store_reader_renewed; else look up again */
    STORE_HEAD_FAILED, /* the leader failed; *code says how */
};

enum store_read {
    STORE_READ_BYTES,  /* out is set */
    STORE_READ_WAIT,   /* nothing now; wake() will be called */
    STORE_READ_END,    /* all of the body was read */
    STORE_READ_FAILED, /* the rest will never come: cut the connection */
};

/* own: the leader's own client, which stays when the fill turns out private, and which the leader
 * drives itself on its own thread after each head, flush, commit, refresh, abort and detach: those
 * wake every reader but the own one (a wake for a piece read back from disk still comes). offset:
 * first byte wanted. wake(ctx) runs on the mailbox's thread. Takes its own reference to object.
 * NULL: max_readers reached. */
struct store_reader *store_reader_open(struct store *store, struct store_object *object,
                                       uint64_t offset, bool own, struct mailbox *box,
                                       void (*wake)(void *ctx), void *ctx);
enum store_head_state store_reader_head(struct store_reader *reader, uint32_t *code);
/* Behind STORE_HEAD_AGAIN: what a 304 has confirmed. It answers whoever waited for that, as the bytes
 * of a fill do, also when it has been purged meanwhile. A reference; NULL: there is none. */
struct store_object *store_reader_renewed(struct store_reader *reader);
/* The bytes at the reader's offset, at most to the end of one piece; they stay valid and pinned
 * until the next store_reader_next or close. Does not move the offset. */
enum store_read store_reader_next(struct store_reader *reader, struct span *out);
/* So many bytes were sent. */
void store_reader_advance(struct store_reader *reader, size_t count);
/* wake() will not be called any more. Mailbox's thread only. Nulls *reader. */
void store_reader_close(struct store_reader **reader);

/* ---- stored objects beside a fill ---- */

/* Gives a stored object another head and other facts, as a 304 would: nothing happens when it is no
 * longer what is stored. Also ends a soft purge, but not one since asked_at_ms: wall clock of the
 * request to which this is the answer. */
void store_object_renew(struct store *store, struct store_object *object,
                        const struct store_head *head, int64_t asked_at_ms);
/* Variants of a key that are whole in memory and not soft-purged, at most max: references in out. */
unsigned store_variants(struct store *store, const struct store_key *key, struct store_object **out,
                        unsigned max);

/* ---- removing ---- */

enum store_purge_mode {
    STORE_PURGE_HARD, /* gone */
    STORE_PURGE_SOFT, /* stale */
};

struct store_purge_result {
    uint64_t objects;   /* variants removed or made stale (dry run: would be) */
    uint64_t bytes;     /* of their bodies and heads */
    uint64_t in_flight; /* fills that will not be stored, or stored as stale */
};

/* All variants of one key, fills in flight included, in force at return. Any thread but a worker's
 * when durable: then it also waits (bounded) until the removal is in the log with a sync, so that a
 * restart cannot bring the object back. */
void store_purge_key(struct store *store, struct span key, enum store_purge_mode mode, bool dry_run,
                     bool durable, struct store_purge_result *out);

/* Takes this very object out of the store, if it is still there: the origin has another
 * representation by now. Any thread. */
void store_forget(struct store *store, const struct store_object *object);

/* ---- figures ---- */

enum store_disk_state {
    STORE_DISK_OFF, /* RAM only by configuration */
    STORE_DISK_OK,
    STORE_DISK_FAILED, /* writes fail or the folder is full: not storing, tried again every few
                          seconds */
};

struct store_stats {
    uint64_t memory_bytes, memory_capacity_bytes, memory_objects;
    uint64_t memory_files; /* of these objects, those with a file in memory */
    uint64_t index_bytes, index_entries;
    uint64_t disk_bytes, disk_capacity_bytes, disk_objects;
    uint64_t fills, queued_write_bytes;
    uint64_t evicted_memory, evicted_disk, reinserted, purged, replaced, corrupt, expired;
    uint64_t read_bytes, read_count, written_bytes, written_count, read_errors, write_errors;
    uint64_t not_stored_disk; /* kept in RAM only: the disk queue was full */
    enum store_disk_state disk_state;
    bool recovering;
    double recovered_share; /* 0..1 of the index */
};
void store_stats(struct store *store, struct store_stats *out);
#endif
