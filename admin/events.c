/*
 * events - a ring of the last events as ready text, each counted by the streams that are sending
 * it.
 *
 * One exception to the rule "no libmicrohttpd under a lock": suspend and resume are called with
 * ours held. Else a publish between "nothing new" and the suspension would be slept through.
 * libmicrohttpd holds only locks of its own connection lists there and calls nothing of ours.
 */
#include "admin/events.h"

#include <string.h>

#include <microhttpd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/mem.h"

#define EVENTS_MAGIC 0x65766e74u
#define STREAM_MAGIC 0x7374726du
#define EVENTS_RING 32u
#define EVENTS_TEXT_MAX_BYTES ((size_t)4 << 20)
#define EVENTS_BLOCK_BYTES ((size_t)16384)

struct event {
    unsigned refs; /* [lock] */
    struct buf text;
};

struct events {
    uint32_t magic;
    struct lock lock;
    bool closed;                     /* [lock] */
    unsigned count;                  /* [lock] */
    uint64_t last_id;                /* [lock] */
    struct list streams;             /* [lock] */
    struct event *ring[EVENTS_RING]; /* [lock] by id % EVENTS_RING */
};

struct stream {
    uint32_t magic;
    struct list link; /* [lock] in events.streams */
    struct events *events;
    struct MHD_Connection *connection;
    events_allowed_fn allowed;
    void *ctx;
    uint64_t session;
    uint64_t next_id;    /* [lock] */
    struct event *event; /* [lock] being sent, or NULL */
    size_t sent;         /* [lock] bytes of it */
    bool suspended;      /* [lock] */
};

struct events *events_new(void)
{
    struct events *events = mem_new(sizeof(*events));

    events->magic = EVENTS_MAGIC;
    lock_init(&events->lock, LOCK_QUEUE);
    list_init(&events->streams);
    return events;
}

static void event_unref_locked(struct event **event)
{
    if (*event != NULL && --(*event)->refs == 0) {
        buf_free(&(*event)->text);
        mem_free(*event);
    }
    *event = NULL;
}

static void wake_all_locked(struct events *events)
{
    for (struct list *at = events->streams.next; at != &events->streams; at = at->next) {
        struct stream *stream = CONTAINER_OF(at, struct stream, link);
        if (stream->suspended) {
            stream->suspended = false;
            MHD_resume_connection(stream->connection);
        }
    }
}

void events_close(struct events *events)
{
    CHECK_OBJ(events, EVENTS_MAGIC);
    lock_acquire(&events->lock);
    events->closed = true;
    wake_all_locked(events);
    lock_release(&events->lock);
}

void events_free(struct events **events_ptr)
{
    struct events *events = *events_ptr;

    if (events == NULL) {
        return;
    }
    CHECK_OBJ(events, EVENTS_MAGIC);
    lock_acquire(&events->lock);
    CHECK(list_is_empty(&events->streams));
    for (unsigned i = 0; i < EVENTS_RING; i++) {
        event_unref_locked(&events->ring[i]);
    }
    lock_release(&events->lock);
    lock_fini(&events->lock);
    events->magic = 0;
    mem_free(events);
    *events_ptr = NULL;
}

unsigned events_count(struct events *events)
{
    CHECK_OBJ(events, EVENTS_MAGIC);
    lock_acquire(&events->lock);
    unsigned count = events->count;
    lock_release(&events->lock);
    return count;
}

static struct event *event_new(const char *name, struct span data)
{
    struct event *event = mem_new(sizeof(*event));

    event->refs = 1;
    buf_init(&event->text, EVENTS_TEXT_MAX_BYTES);
    buf_printf(&event->text, "event: %s\ndata: ", name);
    buf_append(&event->text, data);
    return event;
}

static void event_finish(struct event *event, uint64_t id)
{
    buf_printf(&event->text, "\nid: %llu\n\n", (unsigned long long)id);
    if (event->text.failed) { /* too large or no memory: a comment keeps the stream alive */
        buf_clear(&event->text);
        buf_puts(&event->text, ":\n\n");
    }
}

void events_publish(struct events *events, const char *name, struct span data)
{
    CHECK_OBJ(events, EVENTS_MAGIC);
    struct event *event = event_new(name, data);
    lock_acquire(&events->lock);
    uint64_t id = ++events->last_id;
    event_finish(event, id);
    event_unref_locked(&events->ring[id % EVENTS_RING]);
    events->ring[id % EVENTS_RING] = event;
    wake_all_locked(events);
    lock_release(&events->lock);
}

/* Moves on to the next event; false: nothing new. */
static bool stream_next_locked(struct stream *stream)
{
    struct events *events = stream->events;

    if (stream->event != NULL && stream->sent < stream->event->text.len) {
        return true;
    }
    event_unref_locked(&stream->event);
    if (stream->next_id > events->last_id) {
        return false;
    }
    if (events->last_id - stream->next_id >= EVENTS_RING) {
        stream->next_id = events->last_id; /* lagged: only the newest matters */
    }
    stream->event = events->ring[stream->next_id++ % EVENTS_RING];
    stream->event->refs++;
    stream->sent = 0;
    return true;
}

static ssize_t stream_read(void *ctx, uint64_t position, char *out, size_t max)
{
    struct stream *stream = ctx;
    ssize_t put = 0;

    (void)position;
    CHECK_OBJ(stream, STREAM_MAGIC);
    if (stream->session != 0 && !stream->allowed(stream->ctx, stream->session)) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    lock_acquire(&stream->events->lock);
    if (stream->events->closed) {
        put = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (stream_next_locked(stream)) {
        size_t left = stream->event->text.len - stream->sent;
        size_t count = left < max ? left : max;
        memcpy(out, stream->event->text.data + stream->sent, count);
        stream->sent += count;
        put = (ssize_t)count;
    } else {
        stream->suspended = true;
        MHD_suspend_connection(stream->connection);
    }
    lock_release(&stream->events->lock);
    return put;
}

static void stream_free(void *ctx)
{
    struct stream *stream = ctx;

    CHECK_OBJ(stream, STREAM_MAGIC);
    lock_acquire(&stream->events->lock);
    list_remove(&stream->link);
    stream->events->count--;
    event_unref_locked(&stream->event);
    lock_release(&stream->events->lock);
    stream->magic = 0;
    mem_free(stream);
}

struct MHD_Response *events_open(struct events *events, struct MHD_Connection *connection,
                                 struct span snapshot, events_allowed_fn allowed, void *ctx,
                                 uint64_t session)
{
    CHECK_OBJ(events, EVENTS_MAGIC);
    struct stream *stream = mem_new(sizeof(*stream));
    stream->magic = STREAM_MAGIC;
    stream->events = events;
    stream->connection = connection;
    stream->allowed = allowed;
    stream->ctx = ctx;
    stream->session = session;
    stream->event = event_new("snapshot", snapshot);
    lock_acquire(&events->lock);
    bool room = !events->closed && events->count < EVENTS_STREAMS;
    if (room) {
        events->count++;
        list_push(&events->streams, &stream->link);
        event_finish(stream->event, events->last_id);
        stream->next_id = events->last_id + 1;
    } else {
        event_unref_locked(&stream->event);
    }
    lock_release(&events->lock);
    if (!room) {
        mem_free(stream);
        return NULL;
    }
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, EVENTS_BLOCK_BYTES, stream_read, stream, stream_free);
    if (response == NULL) {
        stream_free(stream);
    }
    return response;
}
