/* jobs - a queue of at most 64, in order. */
#include "admin/jobs.h"

#include "base/check.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/thread.h"

#define JOBS_MAX 64u

struct jobs {
    pthread_t thread;
    struct lock lock;
    struct cond wake;
    struct job *first; /* [lock] */
    struct job **last; /* [lock] */
    unsigned count;    /* [lock] */
    bool stop;         /* [lock] */
};

static void *jobs_run(void *arg)
{
    struct jobs *jobs = arg;

    lock_acquire(&jobs->lock);
    while (!jobs->stop || jobs->first != NULL) {
        struct job *job = jobs->first;
        if (job == NULL) {
            (void)cond_wait(&jobs->wake, &jobs->lock, -1);
            continue;
        }
        jobs->first = job->next;
        if (jobs->first == NULL) {
            jobs->last = &jobs->first;
        }
        jobs->count--;
        lock_release(&jobs->lock);
        job->run(job);
        lock_acquire(&jobs->lock);
    }
    lock_release(&jobs->lock);
    return NULL;
}

struct jobs *jobs_start(void)
{
    struct jobs *jobs = mem_new(sizeof(*jobs));

    lock_init(&jobs->lock, LOCK_QUEUE);
    cond_init(&jobs->wake);
    jobs->last = &jobs->first;
    CHECK(thread_start(&jobs->thread, "larder-jobs", jobs_run, jobs) == ERR_OK);
    return jobs;
}

void jobs_stop(struct jobs *jobs)
{
    lock_acquire(&jobs->lock);
    bool first = !jobs->stop;
    jobs->stop = true;
    cond_signal(&jobs->wake);
    lock_release(&jobs->lock);
    if (first) {
        CHECK(pthread_join(jobs->thread, NULL) == 0);
    }
}

void jobs_free(struct jobs **jobs)
{
    if (*jobs != NULL) {
        jobs_stop(*jobs);
        cond_fini(&(*jobs)->wake);
        lock_fini(&(*jobs)->lock);
        mem_free(*jobs);
        *jobs = NULL;
    }
}

bool jobs_push(struct jobs *jobs, struct job *job)
{
    bool room;

    job->next = NULL;
    lock_acquire(&jobs->lock);
    room = !jobs->stop && jobs->count < JOBS_MAX;
    if (room) {
        *jobs->last = job;
        jobs->last = &job->next;
        jobs->count++;
        cond_signal(&jobs->wake);
    }
    lock_release(&jobs->lock);
    return room;
}
