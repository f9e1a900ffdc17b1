/* press - the queue and its threads; the compressors are in press_coder.c. */
#include "press/press.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "press/press_private.h"

#define THREADS_MAX 8u

struct press {
    struct press_options options;
    struct lock lock; /* LOCK_QUEUE */
    struct cond work;
    struct press_job *first; /* [lock] */
    struct press_job **last; /* [lock] */
    unsigned jobs;           /* [lock] that wait or run */
    uint64_t bytes;          /* [lock] of them */
    bool is_started;         /* [lock] */
    unsigned threads_running;
    pthread_t threads[THREADS_MAX];
    _Atomic bool is_closing;
    _Atomic bool is_full; /* written under the lock */
};

/* [lock] */
static void press_count(struct press *press, int jobs, const struct press_job *job)
{
    press->jobs += (unsigned)jobs;
    press->bytes += jobs > 0 ? job->length : (uint64_t)0 - job->length;
    atomic_store_explicit(&press->is_full,
                          press->jobs >= press->options.jobs_max ||
                              press->bytes >= press->options.bytes_max,
                          memory_order_relaxed);
}

/* Waits for a job; NULL: the end. */
static struct press_job *press_take(struct press *press)
{
    lock_acquire(&press->lock);
    while (press->first == NULL && !atomic_load(&press->is_closing)) {
        (void)cond_wait(&press->work, &press->lock, -1);
    }
    struct press_job *job = press->first;
    if (job != NULL) {
        press->first = job->next;
        if (press->first == NULL) {
            press->last = &press->first;
        }
    }
    lock_release(&press->lock);
    return job;
}

static void press_give_back(struct press *press, struct press_job *job)
{
    lock_acquire(&press->lock);
    press_count(press, -1, job);
    lock_release(&press->lock);
    mailbox_post(job->box, &job->mail); /* the job is its owner's from here on */
}

static void press_do(struct press *press, struct press_job *job)
{
    /* The same sum for the same bytes in every process: it goes into entity tags. */
    const struct hash_seed fixed = {0};

    press_encode(job, &press->is_closing);
    if (job->result == PRESS_DONE) {
        job->check = (uint32_t)hash64(fixed, span_of(job->data, job->len));
    }
}

static void *press_run(void *arg)
{
    struct press *press = arg;
    struct press_job *job;

    thread_be_patient();
    while ((job = press_take(press)) != NULL) {
        press_do(press, job);
        press_give_back(press, job);
    }
    return NULL;
}

struct press *press_new(const struct press_options *options)
{
    struct press *press = mem_new(sizeof(*press));

    CHECK(options->threads > 0 && options->threads <= THREADS_MAX && options->jobs_max > 0);
    press->options = *options;
    lock_init(&press->lock, LOCK_QUEUE);
    cond_init(&press->work);
    press->last = &press->first;
    return press;
}

/* [lock] With one thread fewer it is only slower. */
static void press_start(struct press *press)
{
    press->is_started = true;
    for (unsigned i = 0; i < press->options.threads; i++) {
        if (thread_start(&press->threads[press->threads_running], "press", press_run, press) ==
            ERR_OK) {
            press->threads_running++;
        }
    }
}

static void on_mail(struct mail *mail)
{
    struct press_job *job = CONTAINER_OF(mail, struct press_job, mail);

    job->done(job);
}

bool press_submit(struct press *press, struct press_job *job)
{
    CHECK(job->length > 0 && job->length <= PRESS_LENGTH_MAX && job->limit > 0);
    job->next = NULL;
    job->data = NULL;
    job->len = 0;
    job->mail.deliver = on_mail;
    lock_acquire(&press->lock);
    if (!press->is_started) {
        press_start(press);
    }
    bool is_taken = press->threads_running > 0 && press->jobs < press->options.jobs_max &&
                    (press->jobs == 0 || press->bytes + job->length <= press->options.bytes_max) &&
                    !atomic_load(&press->is_closing);
    if (is_taken) {
        press_count(press, 1, job);
        *press->last = job;
        press->last = &job->next;
        cond_signal(&press->work);
    }
    lock_release(&press->lock);
    return is_taken;
}

bool press_is_full(const struct press *press)
{
    return atomic_load_explicit(&press->is_full, memory_order_relaxed);
}

void press_free(struct press **press_at)
{
    struct press *press = *press_at;

    *press_at = NULL;
    if (press == NULL) {
        return;
    }
    lock_acquire(&press->lock);
    atomic_store(&press->is_closing, true);
    cond_broadcast(&press->work);
    lock_release(&press->lock);
    for (unsigned i = 0; i < press->threads_running; i++) {
        CHECK(pthread_join(press->threads[i], NULL) == 0);
    }
    CHECK(press->first == NULL && press->jobs == 0 && press->bytes == 0);
    cond_fini(&press->work);
    lock_fini(&press->lock);
    mem_free(press);
}
