/* stats - figures, gathered shard by shard; each lock is held for a few loads. */
#include "store/store_private.h"

void store_stats(struct store *store, struct store_stats *out)
{
    CHECK_OBJ(store, STORE_MAGIC);
    const struct store_counters *counters = &store->counters;

    *out = (struct store_stats){
        .memory_bytes = counter_get(&store->ram.used),
        .memory_capacity_bytes = counter_get(&store->ram.budget),
        .memory_files = atomic_load_explicit(&store->memfiles, memory_order_relaxed),
        .disk_bytes = counter_get(&store->disk_used),
        .disk_capacity_bytes = store->options.path == NULL ? 0 : store->options.disk_bytes,
        .queued_write_bytes = writer_queued_bytes(store),
        .evicted_memory = counter_get(&counters->evicted_memory),
        .evicted_disk = counter_get(&counters->evicted_disk),
        .reinserted = counter_get(&counters->reinserted),
        .purged = counter_get(&counters->purged),
        .replaced = counter_get(&counters->replaced),
        .corrupt = counter_get(&counters->corrupt),
        .expired = counter_get(&counters->expired),
        .read_bytes = counter_get(&counters->read_bytes),
        .read_count = counter_get(&counters->read_count),
        .written_bytes = counter_get(&counters->written_bytes),
        .written_count = counter_get(&counters->written_count),
        .read_errors = counter_get(&counters->read_errors),
        .write_errors = counter_get(&counters->write_errors),
        .not_stored_disk = counter_get(&counters->not_stored_disk),
        .disk_state =
            (enum store_disk_state)atomic_load_explicit(&store->disk_state, memory_order_relaxed),
        .recovering = atomic_load_explicit(&store->is_loading, memory_order_relaxed),
    };
    uint32_t share = atomic_load_explicit(&store->loaded_share, memory_order_relaxed);
    out->recovered_share = out->recovering ? (double)share / 65536.0 : 1.0;
    for (uint32_t i = 0; i < INDEX_SHARDS; i++) {
        struct shard *shard = &store->shards[i];
        lock_acquire(&shard->lock);
        out->memory_objects += shard->ram.resident;
        out->index_bytes += shard->index_bytes;
        out->index_entries += shard->entry_count;
        out->disk_objects += shard->disk_count;
        out->fills += shard->fill_count;
        lock_release(&shard->lock);
    }
}
