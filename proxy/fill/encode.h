#ifndef FILL_ENCODE_H
#define FILL_ENCODE_H
/*
 * encode - encoded variants of stored responses: derived objects (derived.h) whose bodies the press
 * makes. A variant holds its own head and bytes; how long it may be used is the base object's
 * matter alone, so its facts are a copy of the base's, and one made before the base was last
 * renewed is recognized by them and gets a new head.
 *
 * Threads: the worker's loop; at the end of the service also the thread that sweeps its mailbox.
 */
#include <stdbool.h>
#include <stdint.h>

#include "fill/fill.h"
#include "http/coding.h"
#include "http/freshness.h"

/* The facts of a variant, in the store's opaque record. */
struct encode_facts {
    struct http_stored stored; /* the base's; all zero in a mark */
    uint32_t check;            /* sum over the encoded bytes */
    uint8_t is_mark;           /* no variant: encoding gains nothing, do not try again */
    uint8_t spare[3];
};
_Static_assert(sizeof(struct encode_facts) == STORE_FACTS_BYTES, "goes to disk as it is");

/* Is the variant with these facts of this base as it is now? A mark always is. */
bool encode_is_current(const uint8_t *variant, const struct http_stored *base);

/* Would encode_start do anything for this base now? A body that is not in memory is read first, one
 * at a time for each worker. */
bool encode_has_room(const struct fill_env *env, const struct store_object *base);

/* Makes the variant in the background. Takes the lead of its key; base: READY, borrowed. */
void encode_start(struct fill_env *env, const struct site *site, struct store_lead *lead,
                  struct store_object *base, enum http_coding coding);

/* The base was renewed by a 304: the variant gets its fields, the bytes stay. Takes the lead (of a
 * stale verdict). Returns the variant with a reference, or NULL. */
struct store_object *encode_refresh(struct store_lead *lead, const struct store_object *variant,
                                    const struct store_object *base, enum http_coding coding);

/* The worker ends: gives up what waits for the store; what is in the press comes back by mail. */
void encode_env_end(struct fill_env *env);
#endif
