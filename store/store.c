/* store - opening, closing, options. */
#include "store/store.h"

#include <string.h>

#include "base/log.h"
#include "store/disk.h"
#include "store/disk_files.h"
#include "store/ioq.h"
#include "store/recover.h"
#include "store/settle.h"
#include "store/store_private.h"

/* Opens the folder, or leaves the store in RAM only (for now) when that cannot be. */
static void store_open_disk(struct store *store)
{
    struct disk_options options = {.path = store->path,
                                   .disk_bytes = store->options.disk_bytes,
                                   .memory_bytes = store->options.memory_bytes};

    store->disk = disk_new(&options);
    writer_open(store);
    /* Beside the database, so that it is known even when that opens only later. */
    if (disk_files_seed(store->path, store->seed.value, &store->seed.value) != ERR_OK) {
        log_warn("store_seed", "path=%s: what is stored now is not found after a restart",
                 store->path);
    }
    bool is_good = disk_is_open(store->disk) && recover_numbers(store, true);
    if (!is_good && disk_is_open(store->disk)) {
        is_good = disk_start_over(store->disk) == ERR_OK && recover_numbers(store, true);
    }
    atomic_store_explicit(&store->disk_state, is_good ? STORE_DISK_OK : STORE_DISK_FAILED,
                          memory_order_relaxed);
    ioq_open(store);
    if (is_good) {
        recover_start(store);
    }
    writer_start(store);
}

bool store_is_in_use(const char *path, int *pid)
{
    return disk_files_in_use(path, pid);
}

struct store *store_open(const struct store_options *options)
{
    void *block = mem_new(sizeof(struct store) + 64);
    size_t past = (uintptr_t)block & 63;
    struct store *store = (void *)((char *)block + (past == 0 ? 0 : 64 - past));

    store->magic = STORE_MAGIC;
    store->block = block;
    store->options = *options;
    if (options->path != NULL) {
        store->path = mem_copy(options->path, strlen(options->path));
        store->options.path = store->path;
    }
    random_bytes(&store->seed, sizeof(store->seed));
    atomic_init(&store->next_id, 1);
    atomic_init(&store->ram.budget, options->memory_bytes);
    atomic_init(&store->disk_state, STORE_DISK_OFF);
    store->memfiles_max = settle_most();
    index_init(store);
    if (store->path != NULL) {
        store_open_disk(store);
    }
    return store;
}

void store_close(struct store **store_in)
{
    struct store *store = *store_in;

    *store_in = NULL;
    if (store == NULL) {
        return;
    }
    CHECK_OBJ(store, STORE_MAGIC);
    if (store->path != NULL) {
        atomic_store_explicit(&store->is_closing, true, memory_order_relaxed);
        ioq_close(store);
        writer_close(store);
    }
    index_fini(store);
    disk_free(&store->disk); /* last: pieces may lie in its memory */
    mem_free(store->path);
    store->magic = 0;
    mem_free(store->block);
}

void store_set_memory(struct store *store, uint64_t memory_bytes)
{
    CHECK_OBJ(store, STORE_MAGIC);
    atomic_store_explicit(&store->ram.budget, memory_bytes, memory_order_relaxed);
    (void)ram_trim(store);
}

struct store_key store_key_of(const struct store *store, struct span bytes)
{
    return (struct store_key){.bytes = bytes, .hash = hash128(store->seed, bytes)};
}
