#ifndef STORE_IOQ_H
#define STORE_IOQ_H
/*
 * ioq - a bounded queue of disk reads and the threads that do them, with what else may take longer
 * than a worker should (settle.h). Identical loads share one read. A full queue degrades the load to
 * a miss.
 */
#include <stdint.h>

#include "store/store.h"

void ioq_open(struct store *store);
/* Drops what is queued and ends the threads. */
void ioq_close(struct store *store);
/* id 0: whatever idx has for the key (while the index loads). */
struct store_load *ioq_load(struct store *store, const struct store_key *key, uint64_t id,
                            struct mailbox *box,
                            void (*done)(void *ctx, struct store_object *object), void *ctx);
/* Reads piece i of object into its slot; ends in reader_piece_loaded. */
void ioq_piece(struct store *store, struct store_object *object, uint32_t piece);
/* Ends in settle_do, unless memory is refused. */
void ioq_settle(struct store *store, struct store_object *object);
#endif
