/* settle - see settle.h. */
#include "store/settle.h"

#include <sys/resource.h>

#include "store/ioq.h"
#include "store/store_private.h"

#define SETTLE_HITS 4u   /* the first try; then at each doubling */
#define SETTLE_MAX 1024u /* memfiles, and so descriptors */
#define SETTLE_SHARE 16u /* of the descriptors that this process may have */

uint32_t settle_most(void)
{
    struct rlimit limit;
    uint64_t most = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : SETTLE_MAX;

    most /= SETTLE_SHARE;
    return most > SETTLE_MAX ? SETTLE_MAX : (uint32_t)most;
}

void settle_note_hit(struct store *store, struct store_object *object)
{
    uint32_t hits =
        atomic_fetch_add_explicit(&object->flow->large_hits, 1, memory_order_relaxed) + 1;

    if (hits >= SETTLE_HITS && (hits & (hits - 1)) == 0 && object->flow->memfile == NULL &&
        store->ioq != NULL && store_object_length(object) >= MEMFILE_BYTES_MIN &&
        !atomic_load_explicit(&store->has_no_memfiles, memory_order_relaxed) &&
        atomic_load_explicit(&store->memfiles, memory_order_relaxed) < store->memfiles_max) {
        ioq_settle(store, object);
    }
}

/* Copies the whole object into the empty file. */
static enum err settle_copy(const struct store_object *object, struct memfile *file)
{
    enum err err = ERR_OK;

    for (uint32_t i = 0; err == ERR_OK && i < pieces_of(store_object_length(object)); i++) {
        err = memfile_write(file, (uint64_t)i * STORE_PIECE_BYTES, store_object_piece(object, i));
    }
    return err == ERR_OK ? memfile_seal(file) : err;
}

/* [shard] What the writer has yet to do is done with the object it was told of. */
static bool settle_may_replace(const struct entry *entry, const struct store_object *object)
{
    return entry != NULL && entry->kind == ENTRY_READY && entry->object == object &&
           (entry->flags & ENTRY_QUEUED) == 0;
}

static void settle_enter(struct store *store, struct store_object *old, struct store_object *fresh)
{
    struct shard *shard = index_shard(store, old->hash);
    struct trash trash;

    trash_init(&trash);
    lock_acquire(&shard->lock);
    struct entry *entry = index_find(shard, old->hash, old->id);
    if (settle_may_replace(entry, old)) {
        uint8_t frequency = old->ram_frequency;
        index_set_object(shard, entry, fresh, &trash);
        fresh->ram_frequency = frequency;
        memfile_count(fresh->flow->memfile, &store->memfiles);
    }
    lock_release(&shard->lock);
    trash_empty(store, &trash);
}

/* An empty file for so many bytes. NULL: it cannot be, now or ever. */
static struct memfile *settle_make(struct store *store, uint64_t length)
{
    struct memfile *file;

    if (memfile_new(length, &file) == ERR_ABSENT) {
        atomic_store_explicit(&store->has_no_memfiles, true, memory_order_relaxed);
    }
    return file;
}

void settle_do(struct store *store, struct store_object *object)
{
    struct shard *shard = index_shard(store, object->hash);
    uint64_t length = store_object_length(object);

    lock_acquire(&shard->lock);
    bool may = settle_may_replace(index_find(shard, object->hash, object->id), object);
    lock_release(&shard->lock);
    struct memfile *file = may ? settle_make(store, length) : NULL;
    if (file == NULL) {
        return;
    }
    /* For a moment there are two of it: room for that, which then is the pieces' own. */
    bool ok = ram_reserve(store, length) && settle_copy(object, file) == ERR_OK;
    ram_release(store, length);
    if (!ok) {
        memfile_unref(&file);
        return;
    }
    struct store_object *fresh = object_new_settled(object, file);
    if (fresh != NULL) {
        settle_enter(store, object, fresh);
        store_object_unref(&fresh);
    }
}
