/*
 * reader - bytes of an object that is still coming, or coming back from disk.
 *
 * No wake-up is lost: a reader that must wait arms itself under the object lock after looking, and
 * whoever changes what it looked at gathers the armed ones under the same lock. A posted mail keeps
 * its reader alive: closing meanwhile only marks it, and the mail frees it. A piece read from disk
 * is handed to those who wait for it, so that a small window cannot take it away again before they
 * run.
 */
#include "store/ioq.h"
#include "store/store_private.h"

#define READER_TIGHT_BYTES (64u * 1024u) /* how far a private fill may run ahead, memory tight */

struct store_reader {
    uint32_t magic;
    bool is_own;
    bool is_linked;   /* in flow->readers [flow] */
    bool is_armed;    /* waits [flow] */
    bool is_posted;   /* its mail is on the way [flow] */
    bool is_closed;   /* the mail frees it [flow] */
    struct list node; /* [flow] */
    struct store *store;
    struct store_object *object;
    _Atomic uint64_t offset; /* own thread writes; others read for the slowest */
    struct chunk *pinned;    /* what the last span points into */
    struct chunk *ready;     /* piece from disk not yet asked for [flow] */
    uint32_t ready_piece;    /* [flow] */
    uint32_t wanted_piece;   /* armed for this piece from disk, or UINT32_MAX [flow] */
    struct mail mail;
    struct store_reader *next_wake;
    struct mailbox *box;
    void (*wake)(void *ctx);
    void *ctx;
};

static uint64_t reader_offset(const struct store_reader *reader)
{
    return atomic_load_explicit(&reader->offset, memory_order_relaxed);
}

static void reader_free(struct store_reader *reader)
{
    chunk_unref(&reader->pinned);
    chunk_unref(&reader->ready);
    store_object_unref(&reader->object);
    reader->magic = 0;
    mem_free(reader);
}

/* ---- wake-ups ---- */

static void reader_mail(struct mail *mail)
{
    struct store_reader *reader = CONTAINER_OF(mail, struct store_reader, mail);
    CHECK_OBJ(reader, READER_MAGIC);
    struct flow *flow = reader->object->flow;

    lock_acquire(&flow->lock);
    reader->is_posted = false;
    bool is_closed = reader->is_closed;
    lock_release(&flow->lock);
    if (is_closed) {
        reader_free(reader);
    } else {
        reader->wake(reader->ctx);
    }
}

void reader_gather(struct flow *flow, uint32_t piece, struct wake_list *wakes)
{
    for (struct list *node = flow->readers.next; node != &flow->readers; node = node->next) {
        struct store_reader *reader = CONTAINER_OF(node, struct store_reader, node);
        if (!reader->is_armed || reader->wanted_piece != piece) {
            continue;
        }
        if (reader->is_own && piece == UINT32_MAX) {
            continue; /* driven by its leader, on the leader's thread */
        }
        reader->is_armed = false;
        reader->wanted_piece = UINT32_MAX;
        if (!reader->is_posted) {
            reader->is_posted = true;
            reader->next_wake = wakes->first;
            wakes->first = reader;
        }
    }
}

void wakes_post(struct wake_list *wakes)
{
    while (wakes->first != NULL) {
        struct store_reader *reader = wakes->first;
        wakes->first = reader->next_wake; /* before the post: then it may be freed any time */
        mailbox_post(reader->box, &reader->mail);
    }
    if (wakes->lead != NULL) {
        struct store_lead *lead = wakes->lead;
        wakes->lead = NULL;
        mailbox_post(lead->box, &lead->mail);
    }
}

/* ---- who holds a passing fill back ---- */

static bool reader_counts(const struct flow *flow, const struct store_reader *reader)
{
    return !flow->is_alone || reader->is_own;
}

/* [flow] The lowest offset anybody still wants; UINT64_MAX: nobody does. */
static uint64_t reader_slowest(const struct flow *flow)
{
    uint64_t slowest = UINT64_MAX;

    for (struct list *node = flow->readers.next; node != &flow->readers; node = node->next) {
        const struct store_reader *reader = CONTAINER_OF(node, struct store_reader, node);
        uint64_t offset = reader_offset(reader);
        if (reader_counts(flow, reader) && offset < slowest) {
            slowest = offset;
        }
    }
    return slowest;
}

bool reader_nobody(const struct flow *flow)
{
    /* A private fill waits for its client; one that was to be shared may never have had a reader.
     */
    return (flow->was_read || !flow->is_private) && reader_slowest(flow) == UINT64_MAX;
}

bool reader_lags(const struct store_object *object)
{
    const struct flow *flow = object->flow;
    uint64_t ahead = ram_is_tight(object->store)
                         ? READER_TIGHT_BYTES
                         : (uint64_t)OBJECT_PASSING_PIECES * STORE_PIECE_BYTES;
    uint64_t slowest = reader_slowest(flow);

    if (reader_nobody(flow)) {
        return false; /* to be cancelled; if it is not, let it run out */
    }
    slowest = slowest == UINT64_MAX ? 0 : slowest;
    return flow->filled > slowest && flow->filled - slowest > ahead;
}

void reader_drop_passed(struct store_object *object, struct wake_list *wakes)
{
    struct flow *flow = object->flow;
    uint64_t slowest = reader_slowest(flow);

    bool is_over = reader_nobody(flow);

    if (slowest == UINT64_MAX) {
        /* A reader may be closed to be opened at another offset: the last pieces wait for it. */
        uint64_t kept = (uint64_t)OBJECT_PASSING_PIECES * STORE_PIECE_BYTES;
        slowest = is_over && flow->filled > kept ? flow->filled - kept : 0;
    }
    if (slowest > flow->filled) {
        slowest = flow->filled;
    }
    while (flow->dropped < slowest / STORE_PIECE_BYTES && flow->dropped < flow->slot_count) {
        flow_drop_chunk(flow, flow->dropped);
        flow->dropped++;
    }
    if (is_over || !reader_lags(object)) {
        lead_gather(flow, is_over, wakes);
    }
}

/* ---- life ---- */

/* NOLINTNEXTLINE(readability-function-size): seven things make a reader */
struct store_reader *store_reader_open(struct store *store, struct store_object *object,
                                       uint64_t offset, bool own, struct mailbox *box,
                                       void (*wake)(void *ctx), void *ctx)
{
    CHECK_OBJ(object, OBJECT_MAGIC);
    struct flow *flow = object->flow;
    struct store_reader *reader = mem_new(sizeof(*reader));

    reader->magic = READER_MAGIC;
    reader->is_own = own;
    list_init(&reader->node);
    reader->store = store;
    reader->object = store_object_ref(object);
    atomic_init(&reader->offset, offset);
    reader->wanted_piece = UINT32_MAX;
    reader->mail.deliver = reader_mail;
    reader->box = box;
    reader->wake = wake;
    reader->ctx = ctx;
    if (flow == NULL || store_object_is_whole(object)) {
        return reader;
    }
    lock_acquire(&flow->lock);
    bool is_full =
        flow->state == OBJECT_FILLING && !own && flow->reader_count >= store->options.max_readers;
    if (!is_full) {
        list_push(&flow->readers, &reader->node);
        reader->is_linked = true;
        flow->reader_count++;
        flow->was_read = true;
    }
    lock_release(&flow->lock);
    if (is_full) {
        reader_free(reader);
        return NULL;
    }
    return reader;
}

void store_reader_close(struct store_reader **reader_in)
{
    struct store_reader *reader = *reader_in;

    *reader_in = NULL;
    if (reader == NULL) {
        return;
    }
    CHECK_OBJ(reader, READER_MAGIC);
    if (!reader->is_linked) {
        reader_free(reader);
        return;
    }
    struct flow *flow = reader->object->flow;
    struct wake_list wakes = {0};
    lock_acquire(&flow->lock);
    list_remove(&reader->node);
    flow->reader_count--;
    reader->is_armed = false;
    reader->is_closed = true;
    bool is_posted = reader->is_posted;
    if (flow->mode == FLOW_PASSING) {
        reader_drop_passed(reader->object, &wakes);
    }
    lock_release(&flow->lock);
    wakes_post(&wakes);
    if (!is_posted) {
        reader_free(reader);
    }
}

enum store_head_state store_reader_head(struct store_reader *reader, uint32_t *code)
{
    CHECK_OBJ(reader, READER_MAGIC);
    struct flow *flow = reader->object->flow;
    enum store_head_state result = STORE_HEAD_READY;

    if (!reader->is_linked) {
        return STORE_HEAD_READY;
    }
    lock_acquire(&flow->lock);
    if (flow->is_alone && !reader->is_own) {
        result = STORE_HEAD_ALONE;
    } else if (flow->state == OBJECT_REFRESHED) {
        result = STORE_HEAD_AGAIN;
    } else if (flow->state == OBJECT_FAILED) {
        result = flow->code == 0 ? STORE_HEAD_AGAIN : STORE_HEAD_FAILED;
        *code = flow->code;
    } else if (!atomic_load_explicit(&reader->object->has_head, memory_order_acquire)) {
        reader->is_armed = true;
        result = STORE_HEAD_WAIT;
    }
    lock_release(&flow->lock);
    return result;
}

struct store_object *store_reader_renewed(struct store_reader *reader)
{
    CHECK_OBJ(reader, READER_MAGIC);
    struct flow *flow = reader->object->flow;
    struct store_object *renewed = NULL;

    if (!reader->is_linked) {
        return NULL;
    }
    lock_acquire(&flow->lock);
    if (flow->renewed != NULL) {
        renewed = store_object_ref(flow->renewed);
    }
    lock_release(&flow->lock);
    return renewed;
}

/* ---- bytes ---- */

/* [flow] Points out at the rest of the piece inside this chunk and pins it. */
static enum store_read reader_give(struct store_reader *reader, struct chunk *chunk,
                                   uint64_t offset, struct span *out)
{
    const struct flow *flow = reader->object->flow;
    uint64_t start = offset / STORE_PIECE_BYTES * STORE_PIECE_BYTES;
    uint64_t end = start + STORE_PIECE_BYTES;

    if (end > flow->filled) {
        end = flow->filled;
    }
    CHECK(end > offset && end - start <= chunk->cap);
    if (reader->pinned != chunk) {
        chunk_unref(&reader->pinned);
        reader->pinned = chunk_ref(chunk);
    }
    *out = span_of(chunk->data + (offset - start), (size_t)(end - offset));
    return STORE_READ_BYTES;
}

/* [flow] Nothing in memory: may it come? *load is set when this reader is to ask the disk. */
static enum store_read reader_seek(struct store_reader *reader, uint32_t i, bool *load)
{
    struct flow *flow = reader->object->flow;
    struct slot *slot = flow_slot(flow, i);

    if (slot == NULL || slot->position == OBJECT_NONE_POSITION) {
        return STORE_READ_FAILED;
    }
    reader->is_armed = true;
    reader->wanted_piece = i;
    *load = !slot->is_loading;
    slot->is_loading = true;
    return STORE_READ_WAIT;
}

/* [flow] */
static enum store_read reader_next_locked(struct store_reader *reader, uint64_t offset,
                                          struct span *out, bool *load)
{
    struct flow *flow = reader->object->flow;
    uint32_t i = (uint32_t)(offset / STORE_PIECE_BYTES);

    if (flow->is_alone && !reader->is_own) {
        return STORE_READ_FAILED;
    }
    if (offset >= flow->filled) {
        switch (flow->state) {
        case OBJECT_READY:
            return STORE_READ_END;
        case OBJECT_FILLING:
            reader->is_armed = true;
            return STORE_READ_WAIT;
        case OBJECT_FAILED:
        case OBJECT_REFRESHED:
            return STORE_READ_FAILED;
        }
    }
    struct slot *slot = flow_slot(flow, i);
    if (slot != NULL && slot->chunk != NULL) {
        return reader_give(reader, slot->chunk, offset, out);
    }
    if (reader->ready != NULL && reader->ready_piece == i) {
        return reader_give(reader, reader->ready, offset, out);
    }
    return reader_seek(reader, i, load);
}

/* Asks for a piece, and for the next one when that is cheap. */
static void reader_load(struct store_reader *reader, uint32_t i)
{
    struct store_object *object = reader->object;
    struct flow *flow = object->flow;
    bool ahead = false;

    ioq_piece(reader->store, object, i);
    lock_acquire(&flow->lock);
    struct slot *slot = flow_slot(flow, i + 1);
    if (slot != NULL && slot->chunk == NULL && !slot->is_loading &&
        slot->position != OBJECT_NONE_POSITION) {
        slot->is_loading = true;
        ahead = true;
    }
    lock_release(&flow->lock);
    if (ahead) {
        ioq_piece(reader->store, object, i + 1);
    }
}

enum store_read store_reader_next(struct store_reader *reader, struct span *out)
{
    CHECK_OBJ(reader, READER_MAGIC);
    struct store_object *object = reader->object;
    uint64_t offset = reader_offset(reader);
    uint32_t i = (uint32_t)(offset / STORE_PIECE_BYTES);
    bool load = false;

    if (store_object_is_whole(object)) {
        if (offset >= store_object_length(object)) {
            return STORE_READ_END;
        }
        struct span piece = store_object_piece(object, i);
        size_t at = (size_t)(offset % STORE_PIECE_BYTES);
        *out = span_of(piece.ptr + at, piece.len - at);
        return STORE_READ_BYTES;
    }
    CHECK(reader->is_linked);
    lock_acquire(&object->flow->lock);
    reader->is_armed = false;
    reader->wanted_piece = UINT32_MAX;
    if (reader->ready != NULL && reader->ready_piece != i) {
        chunk_unref(&reader->ready);
    }
    enum store_read result = reader_next_locked(reader, offset, out, &load);
    lock_release(&object->flow->lock);
    if (load) {
        reader_load(reader, i);
    }
    return result;
}

void store_reader_advance(struct store_reader *reader, size_t count)
{
    CHECK_OBJ(reader, READER_MAGIC);
    uint64_t before = reader_offset(reader);
    struct flow *flow = reader->object->flow;

    atomic_store_explicit(&reader->offset, before + count, memory_order_relaxed);
    if (!reader->is_linked) {
        return;
    }
    struct wake_list wakes = {0};
    lock_acquire(&flow->lock);
    if (flow->mode == FLOW_PASSING && flow->state == OBJECT_FILLING) {
        reader_drop_passed(reader->object, &wakes);
    }
    lock_release(&flow->lock);
    wakes_post(&wakes);
}

/* [flow] Keeps a piece read from disk as long as its object's window allows. */
static void reader_keep_piece(struct store_object *object, uint32_t piece, struct chunk *chunk)
{
    struct flow *flow = object->flow;

    if (flow->slots[piece].chunk != NULL) {
        return;
    }
    if (!flow->keeps_loaded) {
        /* The window is a ring of the pieces read back; the oldest makes room. */
        uint32_t *place = &flow->window[flow->window_at % OBJECT_WINDOW_PIECES];
        uint32_t window = ram_is_tight(object->store) ? 4 : OBJECT_WINDOW_PIECES;
        if (flow->window_at >= OBJECT_WINDOW_PIECES) {
            flow_drop_chunk(flow, *place);
        }
        *place = piece;
        flow->window_at++;
        for (uint32_t i = window; i < OBJECT_WINDOW_PIECES && i < flow->window_at; i++) {
            flow_drop_chunk(flow, flow->window[(flow->window_at - 1 - i) % OBJECT_WINDOW_PIECES]);
        }
        if (flow->window_at == 2 * OBJECT_WINDOW_PIECES) {
            flow->window_at = OBJECT_WINDOW_PIECES;
        }
    }
    flow->slots[piece].chunk = chunk_ref(chunk);
    flow->resident_count++;
    if (flow->keeps_loaded && flow->state == OBJECT_READY &&
        flow->resident_count == flow->slot_count) {
        /* release: pairs with the acquire in store_object_is_whole */
        atomic_store_explicit(&object->whole, true, memory_order_release);
    }
}

void reader_piece_loaded(struct store_object *object, uint32_t piece, struct chunk *chunk)
{
    struct flow *flow = object->flow;
    struct wake_list wakes = {0};

    lock_acquire(&flow->lock);
    flow->slots[piece].is_loading = false;
    if (chunk == NULL) {
        flow->is_broken = true;
        flow->slots[piece].position = OBJECT_NONE_POSITION;
    } else {
        reader_keep_piece(object, piece, chunk);
        for (struct list *node = flow->readers.next; node != &flow->readers; node = node->next) {
            struct store_reader *reader = CONTAINER_OF(node, struct store_reader, node);
            if (reader->is_armed && reader->wanted_piece == piece) {
                chunk_unref(&reader->ready);
                reader->ready = chunk_ref(chunk);
                reader->ready_piece = piece;
            }
        }
    }
    reader_gather(flow, piece, &wakes);
    lock_release(&flow->lock);
    wakes_post(&wakes);
    chunk_unref(&chunk);
}
