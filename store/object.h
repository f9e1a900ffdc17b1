#ifndef STORE_OBJECT_H
#define STORE_OBJECT_H
/*
 * object - one response variant in memory, in one of two shapes.
 *
 * Without a flow: READY and whole, one piece, immutable; small ones are a single allocation of
 * object + key + selector + head + body. With a flow: being filled, or READY with its pieces coming
 * and going. `whole` turns true once, after which nothing in the object or its flow changes.
 *
 * Threads:   flow fields are guarded by flow->lock (LOCK_OBJECT); `ram_*` by the shard lock.
 * Ownership: objects and chunks are counted; the index, leads, readers, queues hold references.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/lock.h"
#include "base/mem.h"
#include "store/memfile.h"
#include "store/store.h"

#define OBJECT_MAGIC 0x4f424a31u
#define OBJECT_COMPACT_BYTES (32u * 1024u) /* up to here everything is one allocation */
#define OBJECT_WINDOW_PIECES 16u           /* pieces of a streamed object kept in memory */
#define OBJECT_PASSING_PIECES 2u           /* a private fill runs this far ahead of its reader */
#define OBJECT_NONE_POSITION 0u

/* An immutable-once-published run of body bytes. */
struct chunk {
    _Atomic int32_t refs;
    uint32_t cap;        /* bytes set aside */
    struct store *store; /* for the memory budget */
    const char *data;    /* bytes[] or into pin */
    void *pin;           /* owns the memory where data is not bytes[], or NULL */
    void (*unpin)(void *pin);
    char bytes[];
};

enum object_state {
    OBJECT_FILLING,   /* a leader works on it */
    OBJECT_READY,     /* complete and correct */
    OBJECT_FAILED,    /* the leader gave up: code */
    OBJECT_REFRESHED, /* the origin said 304: `renewed`, or look up again */
};

enum flow_mode {
    FLOW_KEEP,    /* all pieces stay in memory */
    FLOW_STREAM,  /* pieces go to disk as they fill, a window stays in memory */
    FLOW_PASSING, /* stored nowhere: pieces go once every reader has passed them */
};

/* Where piece i is. */
struct slot {
    struct chunk *chunk; /* in memory, or NULL */
    uint64_t position;   /* in the log; 0: not there */
    bool is_queued;      /* the writer has it in its queue */
    bool is_loading;     /* a read thread works on it */
};

/* The part of an object that changes. Everything [flow->lock] unless said otherwise. */
struct flow {
    struct lock lock;
    enum object_state state;
    enum flow_mode mode;
    uint32_t code;
    bool is_alone;         /* detached: only readers opened with own may go on */
    bool is_private;       /* in no table from birth */
    bool is_broken;        /* a piece was lost on the way to or from disk */
    bool was_read;         /* had a reader once */
    bool keeps_loaded;     /* small enough for RAM: pieces read from disk stay */
    uint64_t filled;       /* published bytes */
    uint32_t dropped;      /* PASSING: pieces below this number are gone for good */
    uint32_t trimmed;      /* STREAM: pieces below this number have left the fill's window */
    uint32_t queued_count; /* pieces in the writer's queue */
    struct slot *slots;
    uint32_t slot_count;
    uint32_t slot_cap;
    struct list readers;
    uint32_t reader_count;
    uint32_t resident_count;               /* slots with a chunk */
    uint32_t window[OBJECT_WINDOW_PIECES]; /* pieces read back, oldest at window_at */
    uint32_t window_at;
    struct memfile *memfile;      /* all of a whole body, or NULL; a reference, never changes */
    _Atomic uint32_t large_hits;  /* see settle.h */
    struct store_lead *lead;      /* to be woken, or NULL */
    struct store_object *renewed; /* REFRESHED: what the 304 confirmed; a reference */
};

struct store_object {
    /* Rarely wanted first, so that what a hit reads lies in a row: the second half of this struct,
     * then key, selector, head and a small body. */
    struct list ram_node; /* S3-FIFO queue; list of the dying when out of it [shard] */
    struct hash128 hash;
    uint64_t id;
    struct chunk *chunk; /* owns body, or NULL when inline */
    struct store *store;
    char *head_block;    /* separate allocation of selector + head, or NULL */
    uint64_t charge;     /* bytes counted for this struct and what hangs on it but chunks */
    uint64_t ram_charge; /* what the RAM tier counts for it [shard] */
    int64_t useless_after_s;
    uint32_t date_s;      /* see struct store_head, saturated */
    bool on_disk_partial; /* slots have positions: pieces can be read [flow] */

    uint32_t magic;
    _Atomic int32_t refs;
    _Atomic bool whole;
    _Atomic bool has_head; /* published; after it head and facts never change */
    uint8_t ram_frequency; /* 0..3 [shard] */
    uint8_t ram_queue;     /* enum ram_queue [shard] */
    uint32_t key_len;
    uint32_t selector_len;
    uint32_t head_len;
    _Atomic uint64_t length;
    const char *key;
    const char *head; /* selector lies right before it */
    const char *body; /* single piece, no flow */
    struct flow *flow;
    uint8_t facts[STORE_FACTS_BYTES];
};

/* The lines of memory a hit reads, asked for together. */
static inline void object_prefetch(const struct store_object *object)
{
    /* The object may be NULL or gone: its address is all that is used, and reckoned as a number. */
    uintptr_t at = (uintptr_t)object + offsetof(struct store_object, magic);

    /* NOLINTBEGIN(performance-no-int-to-ptr) */
    __builtin_prefetch((const void *)at, 1);
    __builtin_prefetch((const void *)(at + 64));
    __builtin_prefetch((const void *)(at + 128));
    __builtin_prefetch((const void *)(at + 192));
    /* NOLINTEND(performance-no-int-to-ptr) */
}

/* An object to be filled; key copied. NULL when memory is refused. */
struct store_object *object_new_filling(struct store *store, const struct store_key *key,
                                        uint64_t id);
/* A compact READY object with room for len body bytes at *room; facts copied. NULL: refused. */
struct store_object *object_new_compact(struct store *store, const struct store_key *key,
                                        const struct store_head *head, uint64_t id, char **room);
/* A READY object whose only piece is data inside chunk (reference taken over). */
struct store_object *object_new_chunk(struct store *store, const struct store_key *key,
                                      const struct store_head *head, uint64_t id,
                                      struct chunk *chunk, const char *data);
/* A READY object with a flow of n empty slots. */
struct store_object *object_new_partial(struct store *store, const struct store_key *key,
                                        const struct store_head *head, uint64_t id, uint32_t n);
/* The same body under another head: inline bytes are copied, chunks shared. */
struct store_object *object_new_refreshed(struct store_object *stale, const struct store_head *head,
                                          uint64_t id);
/* A whole object as it is, its body in a memfile (reference taken over) that holds it. NULL: no
 * memory, the reference is given back. */
struct store_object *object_new_settled(struct store_object *old, struct memfile *file);
/* Copies selector and head into a block of their own. [flow lock not needed: leader only] */
enum err object_set_head(struct store_object *object, const struct store_head *head);

struct span object_selector(const struct store_object *object);
struct store_head object_head_of(const struct store_object *object);
struct store_key object_key_of(const struct store_object *object);
/* Memory of the whole object as the RAM tier should weigh it. */
uint64_t object_weight(const struct store_object *object);

static inline struct slot *flow_slot(struct flow *flow, uint64_t i)
{
    return i < flow->slot_count ? &flow->slots[i] : NULL;
}
/* Makes room for slot i. [flow lock] */
enum err flow_reserve(struct store *store, struct store_object *object, uint32_t count);
void flow_drop_chunk(struct flow *flow, uint32_t i);

struct chunk *chunk_new(struct store *store, uint32_t cap);
/* Memory that pin owns, which is taken over: unpin gives it back. */
struct chunk *chunk_new_pinned(struct store *store, void *pin, void (*unpin)(void *pin),
                               const char *data, uint32_t len);
struct chunk *chunk_ref(struct chunk *chunk);
void chunk_unref(struct chunk **chunk);

static inline uint32_t pieces_of(uint64_t length)
{
    return (uint32_t)((length + STORE_PIECE_BYTES - 1) / STORE_PIECE_BYTES);
}

static inline uint32_t piece_bytes(uint64_t length, uint64_t i)
{
    uint64_t rest = length - i * STORE_PIECE_BYTES;

    return (uint32_t)(rest < STORE_PIECE_BYTES ? rest : STORE_PIECE_BYTES);
}
#endif
