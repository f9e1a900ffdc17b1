#ifndef STORE_WRITER_H
#define STORE_WRITER_H
/*
 * writer - the only thread that writes to RocksDB. Jobs are done in the order they came, many in
 * one batch: bodies first (without WAL), then index records (with WAL), so that after a kill -9 no
 * index record that survives lacks its body unless the body log ends before it.
 */
#include <stdbool.h>
#include <stdint.h>

#include "store/object.h"

enum writer_job_kind {
    WRITER_COMMIT,  /* a READY object: its records unless streamed, then its idx record */
    WRITER_PIECE,   /* one piece of a streamed object */
    WRITER_REFRESH, /* idx record with a newer head */
    WRITER_DELETE,  /* one idx record */
    WRITER_SOFT,    /* mark one idx record soft */
    WRITER_PURGE,   /* while loading: all idx records of a hash with a smaller id */
    WRITER_PURGE_SOFT,
    WRITER_SYNC, /* everything before it is on disk when `done` passes its ticket */
};

struct writer_job {
    struct writer_job *next;
    enum writer_job_kind kind;
    uint32_t piece;
    struct hash128 hash;
    uint64_t id;
    uint64_t bytes;              /* counted against the queue's limit */
    struct store_object *object; /* reference */
    struct chunk *chunk;         /* reference */
    uint64_t position;           /* writer's own: where it went; SOFT: when, Unix milliseconds */
};

struct writer_job *writer_job_new(enum writer_job_kind kind, struct hash128 hash, uint64_t id);
/* Drops its references and frees it. */
void writer_job_free(struct writer_job *job);
/* Takes the chain of jobs. No lock of LOCK_QUEUE rank or above held. */
void writer_push(struct store *store, struct writer_job *jobs);
/* Room for so many bytes more? False: it is not stored on disk. */
bool writer_has_room(const struct store *store, uint64_t bytes);
/* Is so much queued that fills should wait? Well before there is no room. */
bool writer_is_behind(const struct store *store);
/* Bytes until it is. */
uint64_t writer_room_ahead(const struct store *store);
/* Waits until all pushed so far is written with a sync; false after timeout_ms. */
bool writer_sync(struct store *store, int timeout_ms);
uint64_t writer_queued_bytes(const struct store *store);

/* open makes the queue, start the thread, close works off what is queued and ends. */
void writer_open(struct store *store);
void writer_start(struct store *store);
void writer_close(struct store *store);
#endif
