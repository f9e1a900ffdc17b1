#ifndef STORE_RECOVER_H
#define STORE_RECOVER_H
/*
 * recover - what a restart finds: numbers that go on where they were, and the index read from idx
 * in the background. Shards become complete in the order of idx; before that a lookup that finds
 * nothing has its key read from idx by itself (recover_key).
 */
#include <stdint.h>

#include "store/store_private.h"

/* The seed, marks and log bounds, from an open database. False: it is no use as it is. */
bool recover_numbers(struct store *store, bool is_start);
/* Starts the thread that loads the index. */
void recover_start(struct store *store);
void recover_stop(struct store *store);
/* Enters what idx has for the key; the id of the only READY entry of that hash, or 0. Read threads.
 */
uint64_t recover_key(struct store *store, struct hash128 hash);
#endif
