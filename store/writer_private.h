#ifndef STORE_WRITER_PRIVATE_H
#define STORE_WRITER_PRIVATE_H
/* writer_private - the writer's own state, shared by writer.c, batch.c, evict.c, upkeep.c,
 * recover.c.
 *
 * Threads: fields marked [queue] under writer->lock; all else is the writer thread's, or set before
 * it starts. */
#include "base/list.h"
#include "store/ledger.h"
#include "store/store_private.h"

#define WRITER_BATCH_BYTES (4u * 1024u * 1024u)
#define WRITER_MARK_STEP (UINT64_C(1) << 28) /* numbers reserved ahead of their use */
#define WRITER_RETRY_US 3000000u             /* how often a failed disk is tried again */
#define WRITER_PENDING_MAX 100000u           /* index changes kept while the disk has failed */

/* What the load found, for the ledger. */
struct recover_list {
    struct lock lock; /* LOCK_QUEUE */
    struct ledger_item *items;
    size_t count, cap;
    bool is_lost;
};

struct writer {
    struct lock lock; /* LOCK_QUEUE */
    struct cond work;
    struct cond done;
    struct writer_job *first, **last; /* [queue] */
    bool is_closing;                  /* [queue] */
    bool is_urgent;                   /* [queue] somebody waits or much is queued */
    uint64_t tickets;                 /* [queue] syncs asked for */
    uint64_t tickets_done;            /* [queue] */
    _Atomic uint64_t queued_bytes;
    pthread_t thread;

    struct list waiting; /* leads that wait for a shorter queue (pressure.c) [queue] */
    struct cond pressure;
    uint64_t patience_us;   /* a fill waits so long at most; set before fills begin */
    uint64_t stuck_us;      /* and so long while the writer gets nothing done */
    uint64_t relieved_us;   /* when the writer last got something done [queue] */
    uint64_t rest_until_us; /* no lead waits before this [queue] */
    bool has_ended;         /* [queue] */
    pthread_t pressure_thread;

    uint64_t first_id; /* ids from here on are of this run */
    uint64_t log_last; /* last position at the start */
    uint64_t id_mark, position_mark;
    uint64_t next_position;
    struct recover_list recovered;
    bool was_opened;  /* numbers and index of the database are, or are being, taken over */
    bool has_adopted; /* recovered is in old_ledger */
    struct ledger old_ledger, ledger;

    /* the batch being gathered */
    struct writer_job *staged, **staged_last; /* COMMIT and PIECE with their positions */
    uint64_t tickets_staged;
    bool wants_sync;
    uint64_t batch_bytes;       /* of bodies in it */
    bool batch_failed;          /* a body of this batch could not be written: none of it counts */
    struct writer_job *again;   /* COMMITs of objects worth keeping, from eviction */
    struct writer_job *pending; /* index changes while the disk has failed */
    uint32_t pending_count;
    bool must_start_over;

    /* the folder */
    uint64_t measured_bytes; /* files and what is on its way to them when last measured */
    uint64_t idx_bytes;
    uint64_t limit_bytes; /* disk_bytes, or what the file system has room for */
    uint64_t put_bytes;   /* since then */
    uint64_t measured_us;
    bool has_quarantine;

    uint64_t unsealed_us; /* when the first body of the tail was put, 0: none */
    uint32_t reopen_failures;
    uint64_t retry_us;
    uint64_t upkeep_us;
    uint64_t merge_us;
    uint32_t sweep_shard, sweep_bucket;
};

void recover_note(struct store *store, uint64_t position, struct hash128 hash);

/* batch.c */
void batch_job(struct store *store, struct writer_job *job);
/* All of a list, taken apart, and what they began. */
void batch_jobs(struct store *store, struct writer_job *jobs);
/* Writes what is staged: bodies, then index records. */
void batch_finish(struct store *store);
/* Makes the tail of the log a file of the database. */
void batch_seal(struct store *store);

/* evict.c */
/* Makes sure bytes more fit under the folder's bound, evicting the oldest files. */
bool evict_make_room(struct store *store, uint64_t bytes);
void evict_measure(struct store *store);
/* Drops the oldest files worth about so many bytes. */
bool evict_oldest(struct store *store, uint64_t bytes);
/* After a crash of the database inside our life: what lies behind `last` was never written. */
void evict_lost_tail(struct store *store, uint64_t last);

/* upkeep.c */
void upkeep_fail(struct store *store);
void upkeep_run(struct store *store, bool is_idle);
uint64_t upkeep_wait_ms(const struct store *store);
#endif
