#ifndef STORE_SETTLE_H
#define STORE_SETTLE_H
/*
 * settle - large objects that are hit again and again move into a memfile, from which they are sent
 * without a copy. That costs as much as sending them a few times, so it is done for those alone, by
 * a read thread: lookups find the new object when it is there, who holds the old one goes on with it.
 */
#include "store/object.h"

/* How many memfiles this process can afford. */
uint32_t settle_most(void);
/* A whole object with pieces was hit. Any thread, no lock held. */
void settle_note_hit(struct store *store, struct store_object *object);
/* The move. A read thread, no lock held. */
void settle_do(struct store *store, struct store_object *object);
#endif
