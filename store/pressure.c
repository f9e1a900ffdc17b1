/* pressure - see pressure.h. */
#include "store/pressure.h"

#include "base/clock.h"
#include "base/thread.h"
#include "store/writer_private.h"

#define PRESSURE_MS 1000u      /* a fill waits so long at most */
#define PRESSURE_STUCK_MS 500u /* and so long while the writer gets nothing done */
#define PRESSURE_REST_MS 2000u /* none waits so long after one has waited in vain */
#define PRESSURE_TICK_MS 50

bool pressure_must_wait(struct store_lead *lead)
{
    struct writer *writer = lead->store->writer;

    if (writer == NULL || (!lead->has_waited && !writer_is_behind(lead->store))) {
        return false;
    }
    uint64_t now_us = clock_mono_us();
    lock_acquire(&writer->lock);
    /* Looked at again under the lock: the writer shortens the queue first and then comes for those
     * who wait. Once is all a fill waits: pausing it at every piece would cost more than it saves.
     */
    if (!lead->has_waited && now_us >= writer->rest_until_us && store_has_disk(lead->store) &&
        writer_is_behind(lead->store)) {
        if (list_is_empty(&writer->waiting)) {
            cond_signal(&writer->pressure);
        }
        lead->has_waited = true;
        lead->waits_since_us = now_us;
        list_push(&writer->waiting, &lead->wait_node);
    }
    bool must = lead->has_waited && !list_is_empty(&lead->wait_node);
    lock_release(&writer->lock);
    return must;
}

void pressure_leave(struct store_lead *lead)
{
    if (lead->has_waited) {
        struct writer *writer = lead->store->writer;
        lock_acquire(&writer->lock);
        list_remove(&lead->wait_node);
        lock_release(&writer->lock);
    }
}

/* The lead may be gone by now; its object is not. Takes the reference. */
static void pressure_wake(struct store_object *object)
{
    struct wake_list wakes = {0};

    lock_acquire(&object->flow->lock);
    lead_gather(object->flow, false, &wakes);
    lock_release(&object->flow->lock);
    wakes_post(&wakes);
    store_object_unref(&object);
}

/* [queue] Takes the first one out: a reference to its object, or NULL. With now_us, the first that
 * has waited too long. */
static struct store_object *pressure_take(struct writer *writer, uint64_t now_us)
{
    for (struct list *node = writer->waiting.next; node != &writer->waiting; node = node->next) {
        struct store_lead *lead = CONTAINER_OF(node, struct store_lead, wait_node);
        uint64_t since_us = lead->waits_since_us;
        uint64_t sign_us = writer->relieved_us > since_us ? writer->relieved_us : since_us;
        if (now_us == 0 || since_us + writer->patience_us <= now_us ||
            sign_us + writer->stuck_us <= now_us) {
            list_remove(node);
            return store_object_ref(lead->object);
        }
    }
    return NULL;
}

void pressure_relieve(struct store *store)
{
    struct writer *writer = store->writer;
    uint64_t room = writer_room_ahead(store);

    lock_acquire(&writer->lock);
    writer->relieved_us = clock_mono_us();
    lock_release(&writer->lock);
    while (room > 0) {
        lock_acquire(&writer->lock);
        struct store_object *object = pressure_take(writer, 0);
        lock_release(&writer->lock);
        if (object == NULL) {
            break;
        }
        uint64_t length = store_object_length(object);
        length = length == STORE_LENGTH_UNKNOWN || length == 0 ? STORE_PIECE_BYTES : length;
        room -= length < room ? length : room;
        pressure_wake(object);
    }
}

static void *pressure_run(void *arg)
{
    struct store *store = arg;
    struct writer *writer = store->writer;

    lock_acquire(&writer->lock);
    while (!writer->has_ended) {
        bool is_empty = list_is_empty(&writer->waiting);
        (void)cond_wait(&writer->pressure, &writer->lock, is_empty ? -1 : PRESSURE_TICK_MS);
        uint64_t now_us = clock_mono_us();
        struct store_object *object;
        while ((object = pressure_take(writer, now_us)) != NULL) {
            writer->rest_until_us = now_us + (uint64_t)PRESSURE_REST_MS * 1000;
            lock_release(&writer->lock);
            pressure_wake(object);
            lock_acquire(&writer->lock);
        }
    }
    lock_release(&writer->lock);
    return NULL;
}

void pressure_open(struct store *store)
{
    struct writer *writer = store->writer;

    writer->patience_us = (uint64_t)PRESSURE_MS * 1000;
    writer->stuck_us = (uint64_t)PRESSURE_STUCK_MS * 1000;
    list_init(&writer->waiting);
    cond_init(&writer->pressure);
    CHECK(thread_start(&writer->pressure_thread, "store-pressure", pressure_run, store) == ERR_OK);
}

void pressure_close(struct store *store)
{
    struct writer *writer = store->writer;

    lock_acquire(&writer->lock);
    CHECK(list_is_empty(&writer->waiting));
    writer->has_ended = true;
    cond_signal(&writer->pressure);
    lock_release(&writer->lock);
    CHECK(pthread_join(writer->pressure_thread, NULL) == 0);
    cond_fini(&writer->pressure);
}
