#ifndef FILL_PART_H
#define FILL_PART_H
/*
 * part - a large representation of which parts are stored (RFC 9111 3.3, 3.4).
 *
 * The parent lies under the ordinary key and selector: the head of the 200 with the full
 * Content-Length, facts with HTTP_STORED_PARTS, no body. Its parts lie under derived keys
 * (derived.h): part i has bytes of the cell [i * PART_BYTES, (i + 1) * PART_BYTES), usually all of
 * it. Only the parent's facts say whether they may be used, and since their keys name its
 * generation, a purged or replaced parent takes them all out of reach at once, while one that a
 * 304 renews keeps them.
 *
 * Threads: any; pure.
 */
#include "fill/derived.h"
#include "http/range.h"
#include "store/store.h"

#define PART_BYTES (UINT64_C(1024) * 1024)

/* Facts of a part's object in the store: goes to disk as it is. */
struct part_facts {
    uint64_t first; /* bytes of the representation it holds */
    uint64_t last;  /* included; the same cell */
    uint8_t spare[STORE_FACTS_BYTES - 16u];
};
_Static_assert(sizeof(struct part_facts) == STORE_FACTS_BYTES, "part_facts goes to disk as it is");

static inline const struct part_facts *part_facts(const struct store_object *part)
{
    return (const struct part_facts *)(const void *)store_object_facts(part);
}

/* Bytes of the whole representation, from the parent's head; 0: damaged. */
uint64_t part_total(const struct store_object *parent);
/* Bytes of the body that this stored response stands for, be it in parts or not. */
uint64_t part_whole_length(const struct store_object *object);
/* The validator under which parts may join it; empty: none. Borrowed from the parent. */
struct span part_validator(const struct store_object *parent);
/* The key of the part of cell `index`. room: of the parent's key and DERIVED_KEY_EXTRA bytes. */
struct store_key part_key(const struct store *store, char *room, const struct store_object *parent,
                          uint64_t index);
/* The cell's bytes in a representation of total bytes. */
struct http_range_part part_cell(uint64_t index, uint64_t total);

/* For struct store_lookup: is this part of use? ctx: const struct http_range_part, bytes all of
 * which must be in it. */
bool part_matches(struct span selector, void *ctx);
enum store_judgement part_judge(const uint8_t *facts, int64_t soft_at_ms, void *ctx);
#endif
