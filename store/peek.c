/* peek - what is stored under a key, for those who only look: no use is counted, nothing is moved. */
#include "store/store_private.h"

static bool peek_is_one(const struct entry *entry, const struct store_key *key)
{
    return entry_is(entry, key->hash) &&
           (entry->kind == ENTRY_READY || entry->kind == ENTRY_FILL) &&
           (entry->object == NULL || span_eq(store_object_key(entry->object), key->bytes));
}

unsigned store_peek(struct store *store, const struct store_key *key, struct store_variant *out,
                    unsigned max)
{
    CHECK_OBJ(store, STORE_MAGIC);
    struct shard *shard = index_shard(store, key->hash);
    unsigned count = 0;

    lock_acquire(&shard->lock);
    for (struct entry *entry = index_chain(shard, key->hash.lo); entry != NULL;
         entry = entry->next) {
        if (!peek_is_one(entry, key)) {
            continue;
        }
        if (count < max) {
            bool is_ready = entry->kind == ENTRY_READY;
            out[count] = (struct store_variant){
                .object =
                    is_ready && entry->object != NULL ? store_object_ref(entry->object) : NULL,
                .bytes = is_ready ? entry_size(entry) : 0,
                .soft_at_ms = entry_soft_at_ms(entry),
                .is_on_disk = entry->position != 0,
                .is_filling = !is_ready,
            };
        }
        count++;
    }
    lock_release(&shard->lock);
    return count;
}
