/*
 * ioq - read threads.
 *
 * Loads of one object that are asked for together share a read: a job stays in `pending` until it
 * is answered, and later askers join it. Pieces are asked for by readers, one at a time each, so
 * their number is bounded by that of readers; loads are bounded by QUEUE_MAX, and past it the entry
 * is marked busy, which makes the next lookup a miss instead of a loop.
 */
#include "store/ioq.h"

#include <string.h>

#include "base/log.h"
#include "base/thread.h"
#include "store/record.h"
#include "store/recover.h"
#include "store/settle.h"
#include "store/store_private.h"

#define IOQ_MAX 4096u
#define IOQ_PENDING 256u
#define IOQ_THREADS_MAX 16u
#define LOAD_MAGIC 0x4c4f4144u

struct store_load {
    uint32_t magic;
    bool is_posted;    /* [ioq] */
    bool is_cancelled; /* [ioq] */
    struct list node;  /* in job->waiters [ioq] */
    struct ioq *ioq;
    struct mail mail;
    struct mailbox *box;
    void (*done)(void *ctx, struct store_object *object);
    void *ctx;
    struct store_object *object;
};

struct ioq_job {
    struct list node;    /* queue [ioq] */
    struct list pending; /* loads: by hash [ioq] */
    struct list waiters; /* loads [ioq] */
    struct hash128 hash;
    uint64_t id;
    uint64_t asked_id;           /* id as asked for: 0 while the index loads */
    struct store_object *object; /* pieces, settling */
    uint32_t piece;
    bool is_settling;
    struct span key; /* loads: the bytes behind this struct */
    char bytes[];
};

struct ioq {
    struct lock lock; /* LOCK_QUEUE */
    struct cond work;
    unsigned waiting;                 /* [lock] threads with nothing to do */
    unsigned called;                  /* [lock] of these, woken and on their way */
    struct list queue;                /* [lock] */
    struct list pending[IOQ_PENDING]; /* [lock] */
    unsigned load_count;              /* [lock] */
    bool is_closing;                  /* [lock] */
    unsigned thread_count;
    pthread_t threads[IOQ_THREADS_MAX];
};

/* ---- answers ---- */

static void load_mail(struct mail *mail)
{
    struct store_load *load = CONTAINER_OF(mail, struct store_load, mail);
    CHECK_OBJ(load, LOAD_MAGIC);
    struct ioq *ioq = load->ioq;

    lock_acquire(&ioq->lock);
    bool is_cancelled = load->is_cancelled;
    lock_release(&ioq->lock);
    struct store_object *object = load->object;
    void (*done)(void *ctx, struct store_object *) = load->done;
    void *ctx = load->ctx;
    load->magic = 0;
    mem_free(load);
    if (is_cancelled) {
        store_object_unref(&object);
    } else {
        done(ctx, object);
    }
}

void store_load_cancel(struct store_load **load_in)
{
    struct store_load *load = *load_in;

    *load_in = NULL;
    if (load == NULL) {
        return;
    }
    CHECK_OBJ(load, LOAD_MAGIC);
    struct ioq *ioq = load->ioq;
    lock_acquire(&ioq->lock);
    bool is_posted = load->is_posted;
    load->is_cancelled = true;
    if (!is_posted) {
        list_remove(&load->node);
    }
    lock_release(&ioq->lock);
    if (!is_posted) {
        load->magic = 0;
        mem_free(load);
    }
}

/* Hands the object (or NULL) to all who asked; takes the reference. */
static void ioq_answer(struct ioq *ioq, struct ioq_job *job, struct store_object *object)
{
    struct list waiters;

    list_init(&waiters);
    lock_acquire(&ioq->lock);
    list_remove(&job->pending);
    ioq->load_count--;
    for (struct list *node; (node = list_pop(&job->waiters)) != NULL;) {
        struct store_load *load = CONTAINER_OF(node, struct store_load, node);
        load->is_posted = true;
        load->object = object == NULL ? NULL : store_object_ref(object);
        list_push(&waiters, node);
    }
    lock_release(&ioq->lock);
    for (struct list *node; (node = list_pop(&waiters)) != NULL;) {
        struct store_load *load = CONTAINER_OF(node, struct store_load, node);
        mailbox_post(load->box, &load->mail);
    }
    store_object_unref(&object);
    mem_free(job);
}

/* ---- the work ---- */

/* A read went wrong: what does the index make of it? */
static void ioq_load_failed(struct store *store, struct hash128 hash, uint64_t id,
                            uint64_t position, enum err err)
{
    struct shard *shard = index_shard(store, hash);
    struct trash trash;
    bool is_corrupt = false;

    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *entry = index_find(shard, hash, id);
    if (entry == NULL || entry->kind != ENTRY_READY || entry->position != position) {
        /* purged, replaced or written anew meanwhile: nothing is wrong */
    } else if (err == ERR_IO || err == ERR_NOMEM) {
        entry->flags |= ENTRY_BUSY;
    } else {
        is_corrupt = position >= atomic_load_explicit(&store->log_first, memory_order_relaxed);
        index_remove(store, shard, entry, is_corrupt ? STORE_WAS_CORRUPT : STORE_WAS_EVICTED,
                     &trash);
    }
    lock_release(&shard->lock);
    trash_empty(store, &trash);
    counter_add(err == ERR_IO ? &store->counters.read_errors : &store->counters.corrupt,
                err == ERR_IO || is_corrupt ? 1 : 0);
}

/* Makes the loaded object resident, unless the entry is gone or has one by now. */
static struct store_object *ioq_install(struct store *store, struct store_object *object)
{
    struct shard *shard = index_shard(store, object->hash);
    struct trash trash;

    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *entry = index_find(shard, object->hash, object->id);
    if (entry == NULL || entry->kind != ENTRY_READY) {
        list_push(&trash.objects, &object->ram_node);
        object = NULL;
    } else if (entry->object != NULL) {
        list_push(&trash.objects, &object->ram_node);
        object = store_object_ref(entry->object);
    } else {
        index_set_object(shard, entry, object, &trash);
        entry->flags &= ~(unsigned)ENTRY_BUSY & 0xfffu;
    }
    lock_release(&shard->lock);
    trash_empty(store, &trash);
    return object;
}

/* Where the entry says the object is. False: no such entry any more. */
static bool ioq_find_place(struct store *store, const struct ioq_job *job,
                           struct record_place *place)
{
    struct shard *shard = index_shard(store, job->hash);

    lock_acquire(&shard->lock);
    struct entry *entry = index_find(shard, job->hash, job->id);
    bool found = entry != NULL && entry->kind == ENTRY_READY && entry->position != 0;
    if (found) {
        *place = (struct record_place){
            .hash = job->hash,
            .id = job->id,
            .position = entry->position,
            .needs_idx = (entry->flags & (ENTRY_EXTENTS | ENTRY_OVERRIDE)) != 0,
        };
    }
    lock_release(&shard->lock);
    return found;
}

static void ioq_do_load(struct store *store, struct ioq_job *job)
{
    struct store_object *object = NULL;
    struct record_place place;

    if (job->id == 0) {
        /* Asked while the index loads: enter what idx has for the key; load it when it is one. */
        job->id = recover_key(store, job->hash);
    }
    if (job->id != 0 && ioq_find_place(store, job, &place)) {
        enum err err = record_load(store, &place, &job->key, &object);
        if (err != ERR_OK) {
            ioq_load_failed(store, job->hash, job->id, place.position, err);
        } else {
            object = ioq_install(store, object);
        }
    }
    ioq_answer(store->ioq, job, object);
}

/* A piece of a READY object cannot be had: later lookups shall not meet it. */
static void ioq_forget(struct store *store, struct store_object *object, enum err err,
                       enum store_absence why)
{
    struct shard *shard = index_shard(store, object->hash);
    struct trash trash;

    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *entry = index_find(shard, object->hash, object->id);
    if (entry != NULL && entry->kind == ENTRY_READY && entry->object == object) {
        if (err == ERR_IO || err == ERR_NOMEM) {
            index_drop_object(shard, entry, &trash); /* another time it may be read */
        } else {
            index_remove(store, shard, entry, why, &trash);
        }
    }
    lock_release(&shard->lock);
    trash_empty(store, &trash);
}

static void ioq_do_piece(struct store *store, struct ioq_job *job)
{
    struct flow *flow = job->object->flow;
    struct chunk *chunk = NULL;

    lock_acquire(&flow->lock);
    struct slot *slot = flow_slot(flow, job->piece);
    uint64_t position = slot == NULL ? 0 : slot->position;
    lock_release(&flow->lock);
    enum err err = position == 0
                       ? ERR_ABSENT
                       : record_load_piece(store, job->object, job->piece, position, &chunk);
    if (err != ERR_OK) {
        bool is_gone = position < atomic_load_explicit(&store->log_first, memory_order_relaxed);
        if (err == ERR_IO) {
            counter_add(&store->counters.read_errors, 1);
        } else if (!is_gone) {
            counter_add(&store->counters.corrupt, 1);
        }
        ioq_forget(store, job->object, err, is_gone ? STORE_WAS_EVICTED : STORE_WAS_CORRUPT);
    }
    reader_piece_loaded(job->object, job->piece, chunk);
    store_object_unref(&job->object);
    mem_free(job);
}

static void ioq_do_settle(struct store *store, struct ioq_job *job)
{
    settle_do(store, job->object);
    store_object_unref(&job->object);
    mem_free(job);
}

/* [lock] There is work. One thread at a time is called; when it comes it calls the next if there is
 * more: a burst costs a few wake-ups, and no job waits behind a read that takes long. */
static void ioq_call(struct ioq *ioq)
{
    if (ioq->called == 0 && ioq->waiting > 0) {
        ioq->called++;
        cond_signal(&ioq->work);
    }
}

/* [lock] */
static void ioq_wait(struct ioq *ioq)
{
    ioq->waiting++;
    while (ioq->called == 0 && !ioq->is_closing) {
        (void)cond_wait(&ioq->work, &ioq->lock, -1);
    }
    ioq->called -= ioq->called > 0 ? 1 : 0;
    ioq->waiting--;
}

static void *ioq_run(void *arg)
{
    struct store *store = arg;
    struct ioq *ioq = store->ioq;

    thread_be_patient();
    lock_acquire(&ioq->lock);
    for (;;) {
        struct list *node = list_pop(&ioq->queue);
        if (node == NULL) {
            if (ioq->is_closing) {
                break;
            }
            ioq_wait(ioq);
            continue;
        }
        if (!list_is_empty(&ioq->queue)) {
            ioq_call(ioq);
        }
        lock_release(&ioq->lock);
        struct ioq_job *job = CONTAINER_OF(node, struct ioq_job, node);
        if (job->is_settling) {
            ioq_do_settle(store, job);
        } else if (job->object != NULL) {
            ioq_do_piece(store, job);
        } else {
            ioq_do_load(store, job);
        }
        lock_acquire(&ioq->lock);
    }
    lock_release(&ioq->lock);
    return NULL;
}

/* ---- asking ---- */

static struct ioq_job *ioq_job_new(struct hash128 hash, uint64_t id, struct span key)
{
    struct ioq_job *job = mem_try(sizeof(*job) + key.len);

    if (job == NULL) {
        return NULL;
    }
    memset(job, 0, sizeof(*job));
    list_init(&job->node);
    list_init(&job->pending);
    list_init(&job->waiters);
    job->hash = hash;
    job->id = id;
    job->asked_id = id;
    if (key.len > 0) {
        memcpy(job->bytes, key.ptr, key.len);
    }
    job->key = span_of(job->bytes, key.len);
    return job;
}

/* [ioq] A load of the same under way. Its id may have been found meanwhile: then it does not match,
 * and this one is read by itself. */
static struct ioq_job *ioq_find_pending(struct ioq *ioq, struct hash128 hash, uint64_t id,
                                        struct span key)
{
    struct list *head = &ioq->pending[hash.lo % IOQ_PENDING];

    for (struct list *node = head->next; node != head; node = node->next) {
        struct ioq_job *job = CONTAINER_OF(node, struct ioq_job, pending);
        if (job->hash.lo == hash.lo && job->hash.hi == hash.hi && job->asked_id == id &&
            span_eq(job->key, key)) {
            return job;
        }
    }
    return NULL;
}

static void ioq_mark_busy(struct store *store, struct hash128 hash, uint64_t id)
{
    struct shard *shard = index_shard(store, hash);

    lock_acquire(&shard->lock);
    struct entry *entry = index_find(shard, hash, id);
    if (entry != NULL && entry->kind == ENTRY_READY) {
        entry->flags |= ENTRY_BUSY;
    }
    lock_release(&shard->lock);
}

struct store_load *ioq_load(struct store *store, const struct store_key *key, uint64_t id,
                            struct mailbox *box,
                            void (*done)(void *ctx, struct store_object *object), void *ctx)
{
    struct ioq *ioq = store->ioq;
    CHECK(ioq != NULL);
    struct store_load *load = mem_new(sizeof(*load));
    struct ioq_job *fresh = ioq_job_new(key->hash, id, key->bytes);
    bool is_refused = false;

    load->magic = LOAD_MAGIC;
    load->ioq = ioq;
    load->box = box;
    load->done = done;
    load->ctx = ctx;
    load->mail.deliver = load_mail;
    list_init(&load->node);
    lock_acquire(&ioq->lock);
    struct ioq_job *job = ioq_find_pending(ioq, key->hash, id, key->bytes);
    if (job == NULL && fresh != NULL && ioq->load_count < IOQ_MAX && !ioq->is_closing) {
        job = fresh;
        fresh = NULL;
        list_push(&ioq->pending[key->hash.lo % IOQ_PENDING], &job->pending);
        list_push(&ioq->queue, &job->node);
        ioq->load_count++;
        ioq_call(ioq);
    }
    if (job != NULL) {
        list_push(&job->waiters, &load->node);
    } else {
        is_refused = true;
        load->is_posted = true;
    }
    lock_release(&ioq->lock);
    mem_free(fresh);
    if (is_refused) {
        ioq_mark_busy(store, key->hash, id);
        mailbox_post(box, &load->mail);
    }
    return load;
}

static void ioq_push(struct ioq *ioq, struct ioq_job *job)
{
    lock_acquire(&ioq->lock);
    list_push(&ioq->queue, &job->node);
    ioq_call(ioq);
    lock_release(&ioq->lock);
}

void ioq_piece(struct store *store, struct store_object *object, uint32_t piece)
{
    CHECK(store->ioq != NULL);
    struct ioq_job *job = ioq_job_new(object->hash, object->id, span_of(NULL, 0));

    CHECK(job != NULL);
    job->object = store_object_ref(object);
    job->piece = piece;
    ioq_push(store->ioq, job);
}

void ioq_settle(struct store *store, struct store_object *object)
{
    CHECK(store->ioq != NULL);
    struct ioq_job *job = ioq_job_new(object->hash, object->id, span_of(NULL, 0));

    if (job != NULL) {
        job->object = store_object_ref(object);
        job->is_settling = true;
        ioq_push(store->ioq, job);
    }
}

void ioq_open(struct store *store)
{
    struct ioq *ioq = mem_new(sizeof(*ioq));
    unsigned wanted = store->options.read_threads;

    lock_init(&ioq->lock, LOCK_QUEUE);
    cond_init(&ioq->work);
    list_init(&ioq->queue);
    for (unsigned i = 0; i < IOQ_PENDING; i++) {
        list_init(&ioq->pending[i]);
    }
    store->ioq = ioq;
    wanted = wanted < 1 ? 1 : wanted > IOQ_THREADS_MAX ? IOQ_THREADS_MAX : wanted;
    while (ioq->thread_count < wanted &&
           thread_start(&ioq->threads[ioq->thread_count], "store-read", ioq_run, store) == ERR_OK) {
        ioq->thread_count++;
    }
    CHECK(ioq->thread_count > 0); /* at start: nothing works without threads */
}

void ioq_close(struct store *store)
{
    struct ioq *ioq = store->ioq;

    if (ioq == NULL) {
        return;
    }
    lock_acquire(&ioq->lock);
    ioq->is_closing = true;
    cond_broadcast(&ioq->work);
    lock_release(&ioq->lock);
    /* What is queued is still done, so that every piece and load is answered. */
    for (unsigned i = 0; i < ioq->thread_count; i++) {
        CHECK(pthread_join(ioq->threads[i], NULL) == 0);
    }
    CHECK(list_is_empty(&ioq->queue));
    cond_fini(&ioq->work);
    lock_fini(&ioq->lock);
    mem_free(ioq);
    store->ioq = NULL;
}
