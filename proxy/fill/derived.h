#ifndef FILL_DERIVED_H
#define FILL_DERIVED_H
/*
 * derived - keys of objects made from another one's bytes: a part of it, an encoding of it. They
 * name the base object's generation, so that with the base object (purged, replaced) they are out
 * of reach at once and leave the store when it needs their room. Only the base object's facts say
 * how long they may be used.
 *
 * Threads: any; pure.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "http/freshness.h"

enum derived_kind {
    DERIVED_PART = 'p',     /* index: which of the parts */
    DERIVED_ENCODING = 'e', /* index: which coding */
};

/* What a key needs beyond the base key. */
#define DERIVED_KEY_EXTRA 18u

/* Writes base key, NUL, kind, generation, index (big-endian) into room of base.len +
 * DERIVED_KEY_EXTRA bytes and returns it. A URI has no NUL, so it never meets a plain key. */
struct span derived_key_write(char *room, struct span base, const struct http_stored *facts,
                              enum derived_kind kind, uint64_t index);
#endif
