#include "store/disk.h"
#include "store/ioq.h"
#include "store/store_private.h"
void disk_unpin(void *pin)
{
    (void)pin;
}
struct store_load *ioq_load(struct store *store, const struct store_key *key, uint64_t id,
                            struct mailbox *box,
                            void (*done)(void *ctx, struct store_object *object), void *ctx)
{
    (void)store;
    (void)key;
    (void)id;
    (void)box;
    (void)done;
    (void)ctx;
    CHECK(!"no disk");
}
void store_load_cancel(struct store_load **load)
{
    *load = NULL;
}
void ioq_piece(struct store *store, struct store_object *object, uint32_t piece)
{
    (void)store;
    (void)object;
    (void)piece;
    CHECK(!"no disk");
}
