#ifndef FILL_STORED_H
#define FILL_STORED_H
/* stored - the facts of a stored response, which to the store are opaque bytes. Threads: any; pure. */
#include "base/check.h"
#include "http/freshness.h"
#include "store/store.h"

/* Lines of a stored head: what an origin may send (256) and our own. */
#define STORED_FIELDS_MAX 264

static inline const struct http_stored *stored_facts(const struct store_object *object)
{
    return (const struct http_stored *)(const void *)store_object_facts(object);
}

/* The facts as they count: a soft purge is the moment the response became stale. Points to the
 * object's own or to *room. */
static inline const struct http_stored *
stored_facts_soft(const struct http_stored *facts, int64_t soft_at_ms, struct http_stored *room)
{
    if (LIKELY(soft_at_ms == 0)) {
        return facts;
    }
    *room = *facts;
    http_stored_make_stale(room, soft_at_ms);
    return room;
}
#endif
