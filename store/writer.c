/*
 * writer - queue and loop. The writer takes all that is queued and lets it gather for a few
 * milliseconds first, so that one wake-up, one write and one WAL record serve many objects; what
 * somebody waits for (a sync, a paused leader) goes at once.
 */
#include "store/writer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/disk.h"
#include "store/pressure.h"
#include "store/recover.h"
#include "store/writer_private.h"

#define WRITER_GATHER_MS 5
#define WRITER_URGENT_BYTES (1024u * 1024u)
#define WRITER_QUEUE_EIGHTHS 3u /* of the memory */
#define WRITER_QUEUE_MIN (2u * 1024u * 1024u)
#define WRITER_QUEUE_MAX (256u * 1024u * 1024u)
#define WRITER_BEHIND_SHARE 3u /* of that */

struct writer_job *writer_job_new(enum writer_job_kind kind, struct hash128 hash, uint64_t id)
{
    struct writer_job *job = mem_new(sizeof(*job));

    job->kind = kind;
    job->hash = hash;
    job->id = id;
    return job;
}

void writer_job_free(struct writer_job *job)
{
    store_object_unref(&job->object);
    chunk_unref(&job->chunk);
    mem_free(job);
}

void writer_push(struct store *store, struct writer_job *jobs)
{
    struct writer *writer = store->writer;
    uint64_t bytes = 0;
    struct writer_job *last = jobs;
    CHECK(writer != NULL && jobs != NULL);

    for (struct writer_job *job = jobs; job != NULL; job = job->next) {
        bytes += job->bytes;
        last = job;
    }
    uint64_t queued =
        atomic_fetch_add_explicit(&writer->queued_bytes, bytes, memory_order_relaxed) + bytes;
    lock_acquire(&writer->lock);
    bool was_empty = writer->first == NULL;
    *writer->last = jobs;
    writer->last = &last->next;
    bool is_urgent = queued > WRITER_URGENT_BYTES && !writer->is_urgent;
    writer->is_urgent = writer->is_urgent || is_urgent;
    if (was_empty || is_urgent) {
        cond_signal(&writer->work);
    }
    lock_release(&writer->lock);
}

uint64_t writer_queued_bytes(const struct store *store)
{
    return store->writer == NULL ? 0 : counter_get(&store->writer->queued_bytes);
}

static uint64_t writer_queue_limit(const struct store *store)
{
    uint64_t budget = atomic_load_explicit(&store->ram.budget, memory_order_relaxed);
    uint64_t limit = budget / 8 * WRITER_QUEUE_EIGHTHS;

    return limit < WRITER_QUEUE_MIN   ? WRITER_QUEUE_MIN
           : limit > WRITER_QUEUE_MAX ? WRITER_QUEUE_MAX
                                      : limit;
}

bool writer_has_room(const struct store *store, uint64_t bytes)
{
    return writer_queued_bytes(store) + bytes <= writer_queue_limit(store);
}

uint64_t writer_room_ahead(const struct store *store)
{
    uint64_t limit = writer_queue_limit(store) / WRITER_BEHIND_SHARE;
    uint64_t queued = writer_queued_bytes(store);

    return queued < limit ? limit - queued : 0;
}

bool writer_is_behind(const struct store *store)
{
    return writer_room_ahead(store) == 0;
}

bool writer_sync(struct store *store, int timeout_ms)
{
    struct writer *writer = store->writer;
    uint64_t until_us = clock_mono_us() + (uint64_t)timeout_ms * 1000;
    struct writer_job *job = writer_job_new(WRITER_SYNC, (struct hash128){0}, 0);

    lock_acquire(&writer->lock);
    *writer->last = job;
    writer->last = &job->next;
    writer->is_urgent = true;
    cond_signal(&writer->work);
    uint64_t ticket = ++writer->tickets;
    uint64_t now_us;
    while (writer->tickets_done < ticket && (now_us = clock_mono_us()) < until_us) {
        (void)cond_wait(&writer->done, &writer->lock, (int)((until_us - now_us) / 1000) + 1);
    }
    bool is_done = writer->tickets_done >= ticket;
    lock_release(&writer->lock);
    return is_done;
}

/* Takes all jobs; waits for the first one, and a little for its companions. */
static struct writer_job *writer_take(struct store *store, bool *is_closing)
{
    struct writer *writer = store->writer;
    int wait_ms = (int)upkeep_wait_ms(store);

    lock_acquire(&writer->lock);
    if (writer->first == NULL && !writer->is_closing) {
        (void)cond_wait(&writer->work, &writer->lock, wait_ms);
    }
    if (writer->first != NULL && !writer->is_urgent && !writer->is_closing) {
        (void)cond_wait(&writer->work, &writer->lock, WRITER_GATHER_MS);
    }
    struct writer_job *jobs = writer->first;
    writer->first = NULL;
    writer->last = &writer->first;
    writer->is_urgent = false;
    *is_closing = writer->is_closing;
    lock_release(&writer->lock);
    return jobs;
}

static void writer_do(struct store *store, struct writer_job *jobs)
{
    struct writer *writer = store->writer;

    batch_jobs(store, jobs);
    /* What eviction found worth keeping; writing it may evict again, but not for ever: its share of
     * what is dropped is bounded. */
    while (writer->again != NULL) {
        struct writer_job *job = writer->again;
        writer->again = job->next;
        job->next = NULL;
        batch_job(store, job);
        if (writer->again == NULL) {
            batch_finish(store);
        }
    }
}

static void *writer_run(void *arg)
{
    struct store *store = arg;
    bool is_closing = false;

    thread_be_patient();
    for (;;) {
        struct writer_job *jobs = writer_take(store, &is_closing);
        bool is_idle = jobs == NULL;
        writer_do(store, jobs);
        upkeep_run(store, is_idle && !is_closing);
        if (is_closing && is_idle) {
            if (!store->loader_runs) {
                break;
            }
            recover_stop(store); /* it may have left jobs: one more turn */
        }
    }
    if (disk_is_open(store->disk) && disk_seal_body(store->disk) != ERR_OK) {
        counter_add(&store->counters.write_errors, 1);
    }
    return NULL;
}

/* ---- life ---- */

void writer_open(struct store *store)
{
    struct writer *writer = mem_new(sizeof(*writer));

    lock_init(&writer->lock, LOCK_QUEUE);
    lock_init(&writer->recovered.lock, LOCK_QUEUE);
    cond_init(&writer->work);
    cond_init(&writer->done);
    writer->last = &writer->first;
    writer->staged_last = &writer->staged;
    writer->next_position = 1;
    writer->has_quarantine = true; /* looked for once */
    store->writer = writer;
}

void writer_start(struct store *store)
{
    pressure_open(store);
    CHECK(thread_start(&store->writer->thread, "store-write", writer_run, store) == ERR_OK);
}

void writer_close(struct store *store)
{
    struct writer *writer = store->writer;

    lock_acquire(&writer->lock);
    writer->is_closing = true;
    cond_signal(&writer->work);
    lock_release(&writer->lock);
    CHECK(pthread_join(writer->thread, NULL) == 0);
    CHECK(writer->first == NULL && writer->staged == NULL);
    pressure_close(store);
    while (writer->pending != NULL) {
        struct writer_job *job = writer->pending;
        writer->pending = job->next;
        writer_job_free(job);
    }
    ledger_free(&writer->ledger);
    ledger_free(&writer->old_ledger);
    mem_free(writer->recovered.items);
    cond_fini(&writer->work);
    cond_fini(&writer->done);
    lock_fini(&writer->recovered.lock);
    lock_fini(&writer->lock);
    store->writer = NULL;
    mem_free(writer);
}
