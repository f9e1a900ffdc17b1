#ifndef STORE_PRESSURE_H
#define STORE_PRESSURE_H
/*
 * pressure - fills that are kept in memory wait for the writer when its queue is long, instead of
 * finding it full when they are done. Only so long: a fill waits a second in all, half of it when
 * the writer gets nothing done, and once one has waited in vain none waits for a while, so that a
 * disk that is stuck or hopelessly slow costs clients next to nothing; then what finds the queue
 * full is not stored, and counted.
 *
 * Threads:   workers ask, the writer relieves, a thread of its own ends waits that took too long.
 */
#include <stdbool.h>

struct store;
struct store_lead;

/* [flow] Must the leader wait? It is woken when that has ended. */
bool pressure_must_wait(struct store_lead *lead);
/* The lead ends. */
void pressure_leave(struct store_lead *lead);
/* The writer's queue got shorter. No lock held. */
void pressure_relieve(struct store *store);

/* open before the writer starts, close after it has ended. */
void pressure_open(struct store *store);
void pressure_close(struct store *store);
#endif
