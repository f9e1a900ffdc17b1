#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H
/* store_private - the store itself and what its files share. Not for other folders. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/lock.h"
#include "store/index.h"
#include "store/object.h"
#include "store/ram.h"
#include "store/store.h"
#include "store/writer.h"

#define STORE_MAGIC 0x53544f52u
#define LEAD_MAGIC 0x4c454144u
#define READER_MAGIC 0x52454144u
#define STORE_PURGE_WAIT_MS 5000 /* a durable purge waits so long for the log at most */

struct disk;
struct ioq;
struct entry_pool;

/* All relaxed: figures, not signals. */
struct store_counters {
    _Atomic uint64_t evicted_memory, evicted_disk, reinserted, purged, replaced, corrupt, expired;
    _Atomic uint64_t read_bytes, read_count, written_bytes, written_count;
    _Atomic uint64_t read_errors, write_errors, not_stored_disk;
};

struct store {
    uint32_t magic;
    struct store_options options;
    char *path;
    struct hash_seed seed;
    _Atomic uint64_t next_id;
    void *block; /* the allocation this aligned struct lies in */
    struct ram ram;
    struct lock pool_lock;    /* LOCK_QUEUE */
    struct entry_pool *pools; /* where entries live [pool_lock] */
    struct store_counters counters;
    struct disk *disk;            /* NULL: RAM only */
    struct writer *writer;        /* NULL: RAM only */
    struct ioq *ioq;              /* NULL: RAM only */
    _Atomic uint32_t memfiles;    /* how many objects have one */
    _Atomic bool has_no_memfiles; /* this kernel makes none */
    uint32_t memfiles_max;
    pthread_t loader;
    bool loader_runs;
    _Atomic bool is_loading;
    _Atomic bool is_closing;
    _Atomic uint32_t loaded_share; /* of 65536 */
    _Atomic uint64_t log_first;    /* records below this position are gone */
    _Atomic int disk_state;        /* enum store_disk_state */
    _Atomic uint64_t disk_used;    /* bytes of the folder as last reckoned */
    struct shard shards[INDEX_SHARDS];
};

static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline uint64_t counter_get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline uint64_t store_new_id(struct store *store)
{
    return atomic_fetch_add_explicit(&store->next_id, 1, memory_order_relaxed);
}

static inline bool store_has_disk(const struct store *store)
{
    return atomic_load_explicit(&store->disk_state, memory_order_relaxed) == STORE_DISK_OK;
}

/* A leader's duty. */
struct store_lead {
    uint32_t magic;
    bool is_shared; /* has an entry in the index, or had */
    bool is_closed; /* ended while its mail was on the way: the mail frees it [flow] */
    bool is_posted; /* its mail is on the way [flow] */
    bool is_paused; /* wants to be woken [flow] */
    struct store *store;
    struct store_object *object;
    struct store_object *stale; /* what a 304 would refresh, or NULL */
    uint64_t mark;              /* solo: id of the mark it began under; 0: not, or no longer */
    bool is_apart;              /* in no table, but may enter without a mark */
    uint64_t max_bytes;         /* a longer body is not stored */
    unsigned max_variants;      /* of the key */
    uint64_t written;           /* bytes copied; the rest of the world sees flow->filled */
    bool has_waited;            /* for the writer (pressure.c); the leader's own */
    uint64_t waits_since_us;    /* [queue] */
    struct list wait_node;      /* [queue] */
    struct mail mail;
    struct mailbox *box;
    store_lead_wake_fn wake;
    void *ctx;
};

struct store_lead *lead_new(struct store *store, struct store_object *object,
                            struct store_object *stale);

/* The end of a lead whose object's state is final. Nulls *lead. */
void lead_end(struct store_lead **lead);
/* Sets the final state, wakes the readers, ends the lead. */
void lead_finish(struct store_lead **lead, enum object_state state, uint32_t code);
/* [shard] Removes the other READY entries of this key and selector. False, and nothing changed,
 * when one of them is newer: it began later and ended earlier than this one. */
bool commit_replace(struct store *store, struct shard *shard, struct hash128 hash, uint64_t id,
                    struct span selector, struct trash *trash);
/* [shard] The object that was to be validated leaves when something else came for it, also under
 * another selector: it would match the same requests for as long as it stays. Takes NULL. */
void commit_supersede(struct store *store, struct shard *shard, const struct store_object *stale,
                      struct trash *trash);
/* [shard] What the entry says about its object. */
void commit_describe(struct store *store, struct shard *shard, struct entry *entry,
                     const struct store_object *object);
/* [shard] The fill's entry becomes the object's. False: a newer one is there. */
bool commit_enter(const struct store_lead *lead, struct shard *shard, struct entry *entry,
                  struct store_object *resident, bool is_queued, struct trash *trash);
/* Takes a reference of its own to the object. */
struct writer_job *commit_job(enum writer_job_kind kind, struct store_object *object,
                              uint64_t bytes);
/* Takes the fill's entry out of the index; pass_ms > 0: the key is marked as not storable. */
void fill_leave_index(struct store *store, struct store_object *object, unsigned pass_ms,
                      uint64_t now_ms);
/* [flow] Hands a complete piece to the writer. */
struct writer_job *fill_piece_job(struct store_object *object, uint32_t i, uint64_t bytes);

/* Wake-ups gathered under the object lock and posted after it. */
struct wake_list {
    struct store_reader *first;
    struct store_lead *lead;
};
/* [flow] Takes the readers that wait for this piece from disk, or (UINT32_MAX) for the leader. */
void reader_gather(struct flow *flow, uint32_t piece, struct wake_list *wakes);
/* [flow] The lead, when it is paused or `always`. */
void lead_gather(struct flow *flow, bool always, struct wake_list *wakes);
/* After the lock. */
void wakes_post(struct wake_list *wakes);
/* [flow] Is a fill that is stored nowhere too far ahead of its slowest reader? */
bool reader_lags(const struct store_object *object);
/* [flow] Has a fill that is stored nowhere lost all who wanted it? */
bool reader_nobody(const struct flow *flow);
/* [flow] PASSING: drops what every reader has passed and wakes the lead. */
void reader_drop_passed(struct store_object *object, struct wake_list *wakes);
/* A piece came from disk (or NULL: it did not). Takes the chunk reference. No lock held. */
void reader_piece_loaded(struct store_object *object, uint32_t piece, struct chunk *chunk);

/* The writer is done with a piece (position 0: it failed). No lock held. */
void fill_piece_written(struct store_object *object, uint32_t piece, uint64_t position);
/* The writer is done with a streamed object: its window may go. */
void fill_trim_all(struct store_object *object);

#endif
