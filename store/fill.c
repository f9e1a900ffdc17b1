/*
 * fill - the leader's side of an object: head, bytes, and one of four ends.
 *
 * Bytes are copied without a lock: the leader writes above flow->filled, readers read below it, and
 * only `filled`, the slots and the state change under the object lock. A fill is kept in memory,
 * streamed to disk, or (stored nowhere) passed on at the pace of its slowest reader; it may move
 * down this list, never up.
 */
#include <string.h>

#include "base/clock.h"
#include "store/pressure.h"
#include "store/store_private.h"

#define FILL_FIRST_BYTES (16u * 1024u)    /* first piece when the length is not known */
#define FILL_STREAM_TIGHT (1024u * 1024u) /* with memory tight, larger fills are streamed */
#define FILL_QUEUE_PIECES 8u              /* a streamed fill's pieces in the writer's queue */
#define FILL_WINDOW_TIGHT 3u

struct store_lead *lead_new(struct store *store, struct store_object *object,
                            struct store_object *stale)
{
    struct store_lead *lead = mem_new(sizeof(*lead));

    lead->magic = LEAD_MAGIC;
    lead->store = store;
    lead->object = object;
    lead->stale = stale;
    lead->max_bytes = store->options.max_object_bytes;
    lead->max_variants = STORE_VARIANTS_MAX;
    return lead;
}

struct store_lead *store_lead_private(struct store *store)
{
    struct store_key none = {.bytes = span_of("", 0)};
    struct store_object *object = object_new_filling(store, &none, store_new_id(store));

    CHECK(object != NULL); /* a few hundred bytes of our own */
    object->flow->is_private = true;
    object->flow->mode = FLOW_PASSING;
    return lead_new(store, object, NULL);
}

struct store_lead *store_lead_apart(struct store *store, const struct store_key *key)
{
    struct store_object *object = object_new_filling(store, key, store_new_id(store));

    if (object == NULL) {
        return store_lead_private(store);
    }
    struct store_lead *lead = lead_new(store, object, NULL);
    lead->is_apart = true;
    return lead;
}

static void lead_mail(struct mail *mail)
{
    struct store_lead *lead = CONTAINER_OF(mail, struct store_lead, mail);
    struct flow *flow = lead->object->flow;

    CHECK_OBJ(lead, LEAD_MAGIC);
    lock_acquire(&flow->lock);
    lead->is_posted = false;
    bool is_closed = lead->is_closed;
    lock_release(&flow->lock);
    if (is_closed) {
        store_object_unref(&lead->object);
        lead->magic = 0;
        mem_free(lead);
    } else {
        lead->wake(lead->ctx);
    }
}

void store_lead_bind(struct store_lead *lead, struct mailbox *box, store_lead_wake_fn wake,
                     void *ctx)
{
    CHECK_OBJ(lead, LEAD_MAGIC);
    struct flow *flow = lead->object->flow;

    lock_acquire(&flow->lock);
    lead->box = box;
    lead->wake = wake;
    lead->ctx = ctx;
    lead->mail.deliver = lead_mail;
    flow->lead = lead;
    lock_release(&flow->lock);
}

struct store_object *store_lead_object(struct store_lead *lead)
{
    CHECK_OBJ(lead, LEAD_MAGIC);
    return lead->object;
}

/* The end of a lead; its object's state is final. */
void lead_end(struct store_lead **lead_in)
{
    struct store_lead *lead = *lead_in;
    struct flow *flow = lead->object->flow;

    *lead_in = NULL;
    store_object_unref(&lead->stale);
    pressure_leave(lead);
    lock_acquire(&flow->lock);
    flow->lead = NULL;
    lead->is_closed = true;
    bool is_posted = lead->is_posted;
    lock_release(&flow->lock);
    if (!is_posted) {
        store_object_unref(&lead->object);
        lead->magic = 0;
        mem_free(lead);
    }
}

void lead_finish(struct store_lead **lead, enum object_state state, uint32_t code)
{
    struct flow *flow = (*lead)->object->flow;
    struct wake_list wakes = {0};

    lock_acquire(&flow->lock);
    CHECK(flow->state == OBJECT_FILLING);
    flow->state = state;
    flow->code = code;
    reader_gather(flow, UINT32_MAX, &wakes);
    lock_release(&flow->lock);
    wakes_post(&wakes);
    lead_end(lead);
}

/* ---- modes ---- */

/* Takes the fill's entry out of the index. */
void fill_leave_index(struct store *store, struct store_object *object, unsigned pass_ms,
                      uint64_t now_ms)
{
    struct shard *shard = index_shard(store, object->hash);
    struct trash trash;

    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *entry = index_find(shard, object->hash, object->id);
    if (entry != NULL) {
        index_remove(store, shard, entry, STORE_WAS_ABSENT, &trash);
    }
    if (pass_ms > 0) {
        index_set_pass(store, shard, object->hash, now_ms + pass_ms);
    }
    lock_release(&shard->lock);
    trash_empty(store, &trash);
}

/* Stored nowhere from now on: readers take the bytes from memory as they come. */
static void fill_pass_on(struct store_lead *lead)
{
    struct store_object *object = lead->object;
    struct flow *flow = object->flow;
    struct wake_list wakes = {0};

    lock_acquire(&flow->lock);
    bool is_new = flow->mode != FLOW_PASSING;
    flow->mode = FLOW_PASSING;
    flow->keeps_loaded = false;
    reader_drop_passed(object, &wakes);
    lock_release(&flow->lock);
    wakes_post(&wakes);
    if (is_new && lead->is_shared) {
        lead->is_shared = false;
        fill_leave_index(lead->store, object, 0, 0);
    }
}

/* [flow] Hands a complete piece to the writer. */
struct writer_job *fill_piece_job(struct store_object *object, uint32_t i, uint64_t bytes)
{
    struct slot *slot = &object->flow->slots[i];
    struct writer_job *job = writer_job_new(WRITER_PIECE, object->hash, object->id);

    CHECK(slot->chunk != NULL && !slot->is_queued);
    job->piece = i;
    job->bytes = bytes;
    job->object = store_object_ref(object);
    job->chunk = chunk_ref(slot->chunk);
    slot->is_queued = true;
    object->flow->queued_count++;
    return job;
}

/* From KEEP to STREAM: what is complete so far goes to the writer. */
static void fill_stream(struct store_lead *lead)
{
    struct store_object *object = lead->object;
    struct flow *flow = object->flow;
    struct writer_job *first = NULL;
    struct writer_job **next = &first;

    lock_acquire(&flow->lock);
    flow->mode = FLOW_STREAM;
    flow->keeps_loaded = false;
    for (uint32_t i = 0; (uint64_t)(i + 1) * STORE_PIECE_BYTES <= lead->written; i++) {
        *next = fill_piece_job(object, i, STORE_PIECE_BYTES);
        next = &(*next)->next;
    }
    lock_release(&flow->lock);
    if (first != NULL) {
        writer_push(lead->store, first);
    }
}

/* Does this body fit where it is going? Moves the fill down when not. */
static void fill_choose_mode(struct store_lead *lead, uint64_t bytes)
{
    struct flow *flow = lead->object->flow;
    struct store *store = lead->store;

    /* mode and is_broken: the writer may break a stream, seen here at the next piece at the latest
     */
    lock_acquire(&flow->lock);
    enum flow_mode mode = flow->mode;
    bool is_broken = flow->is_broken;
    lock_release(&flow->lock);
    if (mode == FLOW_STREAM && (is_broken || !store_has_disk(store))) {
        fill_pass_on(lead);
    } else if (mode == FLOW_KEEP) {
        bool is_large = bytes > ram_object_limit(store);
        bool is_tight = bytes >= FILL_STREAM_TIGHT && ram_is_tight(store);
        if ((is_large || is_tight) && store_has_disk(store)) {
            fill_stream(lead);
        } else if (is_large) {
            fill_pass_on(lead);
        }
    }
}

/* ---- head and body ---- */

enum err store_lead_head(struct store_lead *lead, const struct store_head *head)
{
    CHECK_OBJ(lead, LEAD_MAGIC);
    struct store_object *object = lead->object;
    struct flow *flow = object->flow;
    struct wake_list wakes = {0};

    CHECK(!atomic_load_explicit(&object->has_head, memory_order_relaxed) && lead->written == 0);
    CHECK(lead->mark == 0 && !lead->is_apart); /* shared or detached by now */
    if (head->max_bytes != 0 && head->max_bytes < lead->max_bytes) {
        lead->max_bytes = head->max_bytes;
    }
    if (head->max_variants != 0 && head->max_variants < lead->max_variants) {
        lead->max_variants = head->max_variants;
    }
    if (lead->is_shared && head->length != STORE_LENGTH_UNKNOWN && head->length > lead->max_bytes) {
        return ERR_LIMIT;
    }
    enum err err = object_set_head(object, head);
    if (err != ERR_OK) {
        return err;
    }
    if (lead->is_shared && head->length != STORE_LENGTH_UNKNOWN) {
        fill_choose_mode(lead, head->length);
    }
    lock_acquire(&flow->lock);
    /* release: pairs with the acquire in lookup_probe_fill */
    atomic_store_explicit(&object->has_head, true, memory_order_release);
    reader_gather(flow, UINT32_MAX, &wakes);
    lock_release(&flow->lock);
    wakes_post(&wakes);
    return ERR_OK;
}

void store_lead_detach(struct store_lead *lead, unsigned pass_ms)
{
    CHECK_OBJ(lead, LEAD_MAGIC);
    struct store_object *object = lead->object;
    struct flow *flow = object->flow;
    struct wake_list wakes = {0};

    if (lead->is_shared || lead->mark != 0) {
        lead->is_shared = false;
        lead->mark = 0;
        fill_leave_index(lead->store, object, pass_ms, clock_mono_us() / 1000);
    }
    lead->is_apart = false;
    lock_acquire(&flow->lock);
    flow->mode = FLOW_PASSING;
    flow->keeps_loaded = false;
    flow->is_alone = true;
    reader_gather(flow, UINT32_MAX, &wakes);
    lock_release(&flow->lock);
    wakes_post(&wakes);
}

bool store_lead_share(struct store_lead *lead)
{
    CHECK_OBJ(lead, LEAD_MAGIC);
    struct store *store = lead->store;
    struct store_object *object = lead->object;
    struct shard *shard = index_shard(store, object->hash);
    struct trash trash;

    CHECK(!lead->is_shared);
    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *mark = index_find_pass(shard, object->hash);
    bool is_first = mark != NULL && lead->mark != 0 && mark->id == lead->mark;
    if (lead->is_apart || is_first) {
        if (mark != NULL) {
            index_remove(store, shard, mark, STORE_WAS_ABSENT, &trash); /* holds nothing */
        }
        struct entry *entry = index_insert(store, shard, object->hash, ENTRY_FILL, object->id);
        entry->object = store_object_ref(object);
        lead->is_shared = true;
        lead->is_apart = false;
        lead->mark = 0;
    }
    lock_release(&shard->lock);
    return lead->is_shared;
}

/* Makes slot i and room in its chunk for at least one byte more at `used`. Leader only. */
static enum err fill_make_room(struct store_lead *lead, uint32_t i, uint32_t used)
{
    struct store_object *object = lead->object;
    struct flow *flow = object->flow;
    uint64_t length = store_object_length(object);
    uint32_t cap = STORE_PIECE_BYTES;

    if (i < flow->slot_count && flow->slots[i].chunk != NULL && used < flow->slots[i].chunk->cap) {
        return ERR_OK;
    }
    if (length != STORE_LENGTH_UNKNOWN) {
        cap = piece_bytes(length, i);
    } else if (i == 0) {
        cap = used == 0 ? FILL_FIRST_BYTES : used * 4;
        cap = cap > STORE_PIECE_BYTES ? STORE_PIECE_BYTES : cap;
    }
    CHECK(cap > used);
    struct chunk *chunk = chunk_new(lead->store, cap);
    if (chunk == NULL) {
        return ERR_NOMEM;
    }
    if (used > 0 && flow->slots[i].chunk != NULL) {
        memcpy(chunk->bytes, flow->slots[i].chunk->bytes, used);
    }
    lock_acquire(&flow->lock);
    if (flow_reserve(lead->store, object, i + 1) != ERR_OK) {
        lock_release(&flow->lock);
        chunk_unref(&chunk);
        return ERR_NOMEM;
    }
    if (i == flow->slot_count) {
        flow->slot_count++;
    }
    CHECK(i < flow->slot_count);
    struct chunk *old = flow->slots[i].chunk;
    if (old == NULL) {
        flow->resident_count++;
    }
    flow->slots[i].chunk = chunk;
    lock_release(&flow->lock);
    chunk_unref(&old); /* readers on it have pinned it */
    return ERR_OK;
}

/* A piece is full: publish it, and send it where its mode says. */
static void fill_piece_done(struct store_lead *lead, uint32_t i)
{
    struct store_object *object = lead->object;
    struct flow *flow = object->flow;
    struct writer_job *job = NULL;
    struct wake_list wakes = {0};

    lock_acquire(&flow->lock);
    flow->filled = lead->written;
    if (flow->mode == FLOW_STREAM && !flow->slots[i].is_queued &&
        flow->slots[i].position == OBJECT_NONE_POSITION) {
        job = fill_piece_job(object, i, STORE_PIECE_BYTES);
    } else if (flow->mode == FLOW_PASSING) {
        reader_drop_passed(object, &wakes);
    }
    lock_release(&flow->lock);
    wakes_post(&wakes);
    if (job != NULL) {
        writer_push(lead->store, job);
    }
}

/* Limits that depend on the length so far. */
static enum err fill_check_length(struct store_lead *lead, size_t more)
{
    uint64_t length = store_object_length(lead->object);

    if (length != STORE_LENGTH_UNKNOWN) {
        return more > length - lead->written ? ERR_LIMIT : ERR_OK;
    }
    if (lead->is_shared && lead->written + more > lead->max_bytes) {
        fill_pass_on(lead); /* too large to store, but not to be served */
    }
    return ERR_OK;
}

char *store_lead_place(struct store_lead *lead, size_t *room)
{
    CHECK_OBJ(lead, LEAD_MAGIC);
    uint32_t i = (uint32_t)(lead->written / STORE_PIECE_BYTES);
    uint32_t used = (uint32_t)(lead->written % STORE_PIECE_BYTES);
    uint64_t length = store_object_length(lead->object);

    if (length == STORE_LENGTH_UNKNOWN || lead->written >= length ||
        fill_make_room(lead, i, used) != ERR_OK) {
        return NULL;
    }
    struct chunk *chunk = lead->object->flow->slots[i].chunk;
    *room = chunk->cap - used;
    return chunk->bytes + used;
}

enum err store_lead_append(struct store_lead *lead, struct span data)
{
    CHECK_OBJ(lead, LEAD_MAGIC);
    struct flow *flow = lead->object->flow;
    enum err err = fill_check_length(lead, data.len);

    while (err == ERR_OK && data.len > 0) {
        uint32_t i = (uint32_t)(lead->written / STORE_PIECE_BYTES);
        uint32_t used = (uint32_t)(lead->written % STORE_PIECE_BYTES);

        err = fill_make_room(lead, i, used);
        if (err != ERR_OK) {
            break;
        }
        struct chunk *chunk = flow->slots[i].chunk;
        size_t room = chunk->cap - used;
        size_t n = data.len < room ? data.len : room;
        if (data.ptr != chunk->bytes + used) { /* not store_lead_place's */
            memcpy(chunk->bytes + used, data.ptr, n);
        }
        data.ptr += n;
        data.len -= n;
        lead->written += n;
        if (used + n == STORE_PIECE_BYTES) {
            fill_choose_mode(lead, lead->written);
            fill_piece_done(lead, i);
        }
    }
    return err;
}

void store_lead_flush(struct store_lead *lead)
{
    CHECK_OBJ(lead, LEAD_MAGIC);
    struct flow *flow = lead->object->flow;
    struct wake_list wakes = {0};

    lock_acquire(&flow->lock);
    flow->filled = lead->written;
    reader_gather(flow, UINT32_MAX, &wakes);
    lock_release(&flow->lock);
    wakes_post(&wakes);
}

bool store_lead_must_pause(struct store_lead *lead)
{
    CHECK_OBJ(lead, LEAD_MAGIC);
    struct flow *flow = lead->object->flow;
    bool must = false;

    lock_acquire(&flow->lock);
    switch (flow->mode) {
    case FLOW_KEEP:
        must = lead->is_shared && flow->lead != NULL && pressure_must_wait(lead);
        break;
    case FLOW_STREAM:
        /* At least one piece of ours is queued, so that its completion wakes us. */
        must = flow->queued_count >= FILL_QUEUE_PIECES ||
               (flow->queued_count > 0 && writer_is_behind(lead->store));
        break;
    case FLOW_PASSING:
        must = reader_lags(lead->object);
        break;
    }
    lead->is_paused = must;
    lock_release(&flow->lock);
    return must;
}

bool store_lead_is_abandoned(const struct store_lead *lead)
{
    CHECK_OBJ(lead, LEAD_MAGIC);
    struct flow *flow = lead->object->flow;

    lock_acquire(&flow->lock);
    bool is_abandoned = flow->mode == FLOW_PASSING && reader_nobody(flow);
    lock_release(&flow->lock);
    return is_abandoned;
}

bool store_lead_is_read(const struct store_lead *lead)
{
    CHECK_OBJ(lead, LEAD_MAGIC);
    struct flow *flow = lead->object->flow;

    lock_acquire(&flow->lock);
    bool is_read = flow->reader_count > 0;
    lock_release(&flow->lock);
    return is_read;
}

void lead_gather(struct flow *flow, bool always, struct wake_list *wakes)
{
    struct store_lead *lead = flow->lead;

    if (lead == NULL || !(lead->is_paused || always)) {
        return;
    }
    lead->is_paused = false;
    if (!lead->is_posted) {
        lead->is_posted = true;
        wakes->lead = lead;
    }
}

/* ---- what the writer tells ---- */

/* [flow] A streamed fill keeps only the last few of its pieces that are on disk. */
static void fill_trim_window(struct store *store, struct flow *flow, uint32_t written_piece)
{
    uint32_t keep = ram_is_tight(store) ? FILL_WINDOW_TIGHT : OBJECT_WINDOW_PIECES;

    while (flow->trimmed + keep <= written_piece) {
        struct slot *slot = &flow->slots[flow->trimmed];
        if (slot->is_queued || slot->position == OBJECT_NONE_POSITION) {
            break;
        }
        flow_drop_chunk(flow, flow->trimmed);
        flow->trimmed++;
    }
}

void fill_piece_written(struct store_object *object, uint32_t piece, uint64_t position)
{
    struct flow *flow = object->flow;
    struct wake_list wakes = {0};

    lock_acquire(&flow->lock);
    struct slot *slot = &flow->slots[piece];
    CHECK(slot->is_queued && flow->queued_count > 0);
    slot->is_queued = false;
    flow->queued_count--;
    if (position == OBJECT_NONE_POSITION) {
        flow->is_broken = true;
    } else {
        slot->position = position;
        object->on_disk_partial = true;
        if (flow->mode == FLOW_STREAM) {
            fill_trim_window(object->store, flow, piece);
        }
    }
    lead_gather(flow, false, &wakes);
    lock_release(&flow->lock);
    wakes_post(&wakes);
}

void fill_trim_all(struct store_object *object)
{
    struct flow *flow = object->flow;

    lock_acquire(&flow->lock);
    for (uint32_t i = flow->trimmed; i < flow->slot_count; i++) {
        if (!flow->slots[i].is_queued && flow->slots[i].position != OBJECT_NONE_POSITION) {
            flow_drop_chunk(flow, i);
        }
    }
    flow->trimmed = flow->slot_count;
    lock_release(&flow->lock);
}
