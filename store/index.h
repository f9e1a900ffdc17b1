#ifndef STORE_INDEX_H
#define STORE_INDEX_H
/*
 * index - one table for all the store knows: READY objects in RAM or on disk, fills in flight,
 * marks of unstorable keys. Shards by the top bits of hash.hi (the order of the `idx` family, so
 * that a shard is known to be complete while the load goes on); inside a shard linear hashing by
 * hash.lo: one bucket is split per insertion, no pause ever.
 *
 * Threads:   everything under shard->lock (LOCK_SHARD) unless said otherwise.
 * Ownership: an entry owns one reference to its object and its selector blob.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/lock.h"
#include "store/object.h"
#include "store/store.h"

#define INDEX_SHARDS 64u
#define INDEX_SEGMENTS 26u
#define INDEX_SEGMENT_BUCKETS 64u /* of the first segment; each next one doubles the table */
#define INDEX_REASONS 512u        /* recently removed keys remembered per shard */
#define INDEX_PASS_MAX 2048u      /* marks of unstorable keys per shard */
#define INDEX_48_BITS ((UINT64_C(1) << 48) - 1)

enum entry_kind {
    ENTRY_FREE,
    ENTRY_READY, /* an object, resident or on disk or both */
    ENTRY_FILL,  /* a fill in flight */
    ENTRY_PASS,  /* not storable until `position` (monotonic ms); a purge gives it a new id */
    ENTRY_TOMB,  /* while loading: what is known about entries still to come, see tomb_* */
};

enum entry_flag {
    ENTRY_SOFT = 1,         /* soft-purged */
    ENTRY_HIT = 2,          /* hit since it was written */
    ENTRY_EXTENTS = 4,      /* more than one record: the idx value says where */
    ENTRY_OVERRIDE = 8,     /* the idx value has newer head and facts than record 0 */
    ENTRY_QUEUED = 16,      /* the writer will set its position */
    ENTRY_BUSY = 32,        /* a load was refused: the next lookup counts it as absent */
    ENTRY_TOMB_HARD = 64,   /* TOMB: entries with a smaller id are purged */
    ENTRY_TOMB_SOFT = 128,  /* TOMB: entries with a smaller id are stale */
    ENTRY_TOMB_KNOWN = 256, /* TOMB: all of this hash has been read from idx */
};

/* What few entries need beside their cache line. */
struct selector {
    int64_t soft_at_ms; /* when it was soft-purged; 0: not known */
    uint32_t len;       /* 0: no selector */
    uint32_t date_s;    /* see struct store_head; 0: not known */
    char bytes[];
};

/* One cache line. */
struct entry {
    struct entry *next;
    struct hash128 hash;
    union {
        struct {
            struct store_object *object; /* resident, or NULL */
            struct selector *selector;   /* NULL: none, and no time of a soft purge */
        };
        struct list pass_node; /* PASS: by age */
        int64_t tomb_soft_ms;  /* TOMB_SOFT: when */
    };
    uint64_t id : 48;
    uint64_t kind : 4;
    uint64_t flags : 12;
    uint64_t position : 48; /* of record 0; 0: not on disk */
    uint64_t size_high : 16;
    uint32_t size_low;        /* with size_high: head and body bytes */
    uint32_t useless_after_s; /* Unix seconds; 0: not known */
};
_Static_assert(sizeof(struct entry) == 64, "an index entry is one cache line");

/* The hint is only ever prefetched: the object last used in this chain is then on its way while the
 * entry that leads to it is still being read (the two are 200-350 ns each among 100,000 objects).
 */
struct bucket {
    struct entry *first;
    const struct store_object *hint;
};

/* S3-FIFO of one shard. */
struct ram_fifo {
    struct list small;
    struct list main;
    uint64_t small_bytes;
    uint64_t main_bytes;
    uint64_t resident; /* objects in either queue */
    uint32_t *ghost;   /* hash tags of those that left small, a ring with direct lookup */
    uint32_t ghost_mask;
};

struct shard {
    _Alignas(64) struct lock lock;
    uint32_t bucket_count;
    uint32_t level_mask; /* buckets of the finished level - 1 */
    struct bucket *segments[INDEX_SEGMENTS];
    struct entry *free;
    uint64_t entry_count; /* all kinds */
    uint64_t ready_count;
    uint64_t disk_count; /* READY with a position */
    uint64_t disk_object_bytes;
    uint64_t fill_count;
    uint64_t index_bytes; /* live entries, selectors, buckets */
    struct list pass_marks;
    uint32_t pass_count;
    bool is_loaded;    /* nothing of it is left in idx that is not here */
    uint64_t *reasons; /* INDEX_REASONS of hash tag << 8 | absence */
    struct ram_fifo ram;
};

/* What left the index under the lock and is let go after it. */
struct trash {
    struct list objects; /* by ram_node */
    struct writer_job *jobs;
};

void index_init(struct store *store);
void index_fini(struct store *store);

static inline uint32_t index_shard_number(struct hash128 hash)
{
    return (uint32_t)(hash.hi >> 58);
}
struct shard *index_shard(struct store *store, struct hash128 hash);

/* First entry of the bucket: walk by next and compare hashes. */
struct entry *index_chain(const struct shard *shard, uint64_t hash_lo);
struct bucket *index_bucket_of(const struct shard *shard, uint64_t hash_lo);
static inline bool entry_is(const struct entry *entry, struct hash128 hash)
{
    return entry->hash.lo == hash.lo && entry->hash.hi == hash.hi;
}
/* The READY or FILL entry with this id, or NULL. */
struct entry *index_find(const struct shard *shard, struct hash128 hash, uint64_t id);
/* Enters a zeroed entry of this kind. */
struct entry *index_insert(struct store *store, struct shard *shard, struct hash128 hash,
                           enum entry_kind kind, uint64_t id);
void index_fill_to_ready(struct shard *shard, struct entry *entry);
/* Unlinks and frees it; object and the deletion of its idx record go to trash. The caller says
 * why, for later lookups (STORE_WAS_ABSENT: nothing to say). */
void index_remove(struct store *store, struct shard *shard, struct entry *entry,
                  enum store_absence why, struct trash *trash);
/* Takes the resident object out of a READY entry. */
void index_drop_object(struct shard *shard, struct entry *entry, struct trash *trash);
/* READY only: makes object the resident one (takes a reference) and enters it in the RAM tier. */
void index_set_object(struct shard *shard, struct entry *entry, struct store_object *object,
                      struct trash *trash);
void index_set_position(struct shard *shard, struct entry *entry, uint64_t position);
void index_set_selector(struct store *store, struct shard *shard, struct entry *entry,
                        struct span selector, uint32_t date_s);
void index_set_size(struct shard *shard, struct entry *entry, uint64_t bytes);
struct span index_selector(const struct entry *entry);
/* Soft-purged at this moment (or before, when it was already); 0: it is not, no longer. */
void index_set_soft(struct store *store, struct shard *shard, struct entry *entry, int64_t at_ms);
/* When it was soft-purged: 0 if it was not, 1 (long ago) when that is not known. */
static inline int64_t entry_soft_at_ms(const struct entry *entry)
{
    if (LIKELY((entry->flags & ENTRY_SOFT) == 0)) {
        return 0;
    }
    return entry->selector == NULL || entry->selector->soft_at_ms == 0
               ? 1
               : entry->selector->soft_at_ms;
}
static inline uint64_t entry_size(const struct entry *entry)
{
    return ((uint64_t)entry->size_high << 32) | entry->size_low;
}
/* 0: not known, as of an object on disk that has no selector. */
static inline uint32_t entry_date_s(const struct entry *entry)
{
    if (entry->selector != NULL && entry->selector->date_s != 0) {
        return entry->selector->date_s;
    }
    return entry->object == NULL ? 0 : entry->object->date_s; /* 0 when it comes from disk */
}
/* The mark of this key, or NULL. */
struct entry *index_find_pass(const struct shard *shard, struct hash128 hash);
void index_set_pass(struct store *store, struct shard *shard, struct hash128 hash,
                    uint64_t until_ms);
enum store_absence index_reason(const struct shard *shard, struct hash128 hash);
void index_note_reason(struct shard *shard, struct hash128 hash, enum store_absence why);
/* While loading: the TOMB of this hash, made when absent. */
struct entry *index_tomb(struct store *store, struct shard *shard, struct hash128 hash, bool make);
/* Loading is over: TOMBs are of no use any more. */
void index_sweep_tombs(struct store *store, struct shard *shard);
/* Calls visit for every entry of the bucket range [*cursor, *cursor + buckets); false at the end.
 */
bool index_walk(struct shard *shard, uint32_t *cursor, uint32_t buckets,
                void (*visit)(struct shard *shard, struct entry *entry, void *ctx), void *ctx);

void trash_init(struct trash *trash);
/* After the lock: references go, jobs go to the writer. */
void trash_empty(struct store *store, struct trash *trash);
#endif
