#ifndef BASE_LOCK_H
#define BASE_LOCK_H
/*
 * lock - mutexes with ranks. A thread may only take a lock of a higher rank than any it holds;
 * debug builds (LARDER_DEBUG) keep a per-thread stack and panic on a breach, release builds pay for
 * the mutex alone.
 *
 * Not allowed under any lock: RocksDB, libcurl, libmicrohttpd, socket I/O, logging above debug,
 * callbacks, allocation of outsider-chosen size.
 */
#include <pthread.h>
#include <stdbool.h>

/* The full order, lowest first. */
enum lock_rank {
    LOCK_CONF = 10,      /* configuration snapshot swap */
    LOCK_ADMIN = 15,     /* admin sessions, tokens, SSE clients */
    LOCK_ORIGINS = 17,   /* the registry of origin pools */
    LOCK_PURGE = 20,     /* purge records */
    LOCK_SHARD = 30,     /* one shard of the store's index */
    LOCK_OBJECT = 40,    /* one object's body and subscribers */
    LOCK_POOL = 45,      /* one pool of origins: its servers and its queue */
    LOCK_DIRECTORY = 47, /* the addresses of names that clients ask for */
    LOCK_QUEUE = 50,     /* a queue towards a service thread */
    LOCK_LIMIT = 55,     /* one shard of the limits' table */
    LOCK_USERS = 57,     /* one shard of what is known of passwords */
    LOCK_STATS = 60,     /* statistics history, top lists */
    LOCK_LOG = 70,       /* error log sink */
};

struct lock {
    pthread_mutex_t mutex;
    enum lock_rank rank;
};

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_fini(struct lock *lock);
void lock_acquire(struct lock *lock);
void lock_release(struct lock *lock);
/* Debug builds: does this thread hold it? Release builds: always true. For CHECK only. */
bool lock_is_held(const struct lock *lock);

/* Condition variables exist only in service threads; workers wait in epoll. */
struct cond {
    pthread_cond_t cond;
};
void cond_init(struct cond *cond);
void cond_fini(struct cond *cond);
/* Waits at most timeout_ms (negative: for ever). Returns false when the time ran out. */
bool cond_wait(struct cond *cond, struct lock *lock, int timeout_ms);
void cond_signal(struct cond *cond);
void cond_broadcast(struct cond *cond);
#endif
