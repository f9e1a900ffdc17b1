/*
 * lock - adaptive mutexes (a short spin before sleeping suits sections of a few hundred
 * nanoseconds) and, in debug builds, the rank check on a per-thread stack of held locks.
 */
#include "base/lock.h"

#include <errno.h>
#include <time.h>

#include "base/check.h"

#ifdef LARDER_DEBUG
#define LOCK_DEPTH 8

static _Thread_local const struct lock *lock_held[LOCK_DEPTH];
static _Thread_local unsigned lock_held_count;

static void lock_note_acquire(const struct lock *lock)
{
    CHECK(lock_held_count < LOCK_DEPTH);
    for (unsigned i = 0; i < lock_held_count; i++) {
        CHECK(lock_held[i]->rank < lock->rank);
    }
    lock_held[lock_held_count++] = lock;
}

static void lock_note_release(const struct lock *lock)
{
    for (unsigned i = lock_held_count; i-- > 0;) {
        if (lock_held[i] == lock) {
            for (unsigned j = i + 1; j < lock_held_count; j++) {
                lock_held[j - 1] = lock_held[j];
            }
            lock_held_count--;
            return;
        }
    }
    bool held = false;
    CHECK(held);
}

bool lock_is_held(const struct lock *lock)
{
    for (unsigned i = 0; i < lock_held_count; i++) {
        if (lock_held[i] == lock) {
            return true;
        }
    }
    return false;
}
#else
static void lock_note_acquire(const struct lock *lock)
{
    (void)lock;
}

static void lock_note_release(const struct lock *lock)
{
    (void)lock;
}

bool lock_is_held(const struct lock *lock)
{
    (void)lock;
    return true;
}
#endif

void lock_init(struct lock *lock, enum lock_rank rank)
{
    pthread_mutexattr_t attr;

    CHECK(pthread_mutexattr_init(&attr) == 0);
    CHECK(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP) == 0);
    CHECK(pthread_mutex_init(&lock->mutex, &attr) == 0);
    CHECK(pthread_mutexattr_destroy(&attr) == 0);
    lock->rank = rank;
}

void lock_fini(struct lock *lock)
{
    CHECK(pthread_mutex_destroy(&lock->mutex) == 0);
}

void lock_acquire(struct lock *lock)
{
    /* Before the mutex, so that a breach is reported instead of dead-locking. */
    lock_note_acquire(lock);
    CHECK(pthread_mutex_lock(&lock->mutex) == 0);
}

void lock_release(struct lock *lock)
{
    lock_note_release(lock);
    CHECK(pthread_mutex_unlock(&lock->mutex) == 0);
}

void cond_init(struct cond *cond)
{
    pthread_condattr_t attr;

    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&cond->cond, &attr) == 0);
    CHECK(pthread_condattr_destroy(&attr) == 0);
}

void cond_fini(struct cond *cond)
{
    CHECK(pthread_cond_destroy(&cond->cond) == 0);
}

bool cond_wait(struct cond *cond, struct lock *lock, int timeout_ms)
{
    struct timespec until;

    CHECK(lock_is_held(lock));
    if (timeout_ms < 0) {
        CHECK(pthread_cond_wait(&cond->cond, &lock->mutex) == 0);
        return true;
    }
    CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int result = pthread_cond_timedwait(&cond->cond, &lock->mutex, &until);
    CHECK(result == 0 || result == ETIMEDOUT);
    return result == 0;
}

void cond_signal(struct cond *cond)
{
    CHECK(pthread_cond_signal(&cond->cond) == 0);
}

void cond_broadcast(struct cond *cond)
{
    CHECK(pthread_cond_broadcast(&cond->cond) == 0);
}
