/* part - see part.h. */
#include "fill/part.h"

#include "http/head.h"

static const struct http_stored *part_parent_facts(const struct store_object *parent)
{
    return (const struct http_stored *)(const void *)store_object_facts(parent);
}

uint64_t part_total(const struct store_object *parent)
{
    uint64_t total;
    struct span text = http_head_find(store_object_head(parent), HTTP_FIELD_CONTENT_LENGTH);

    return span_to_u64(text, INT64_MAX, &total) ? total : 0;
}

uint64_t part_whole_length(const struct store_object *object)
{
    return (part_parent_facts(object)->flags & HTTP_STORED_PARTS) != 0
               ? part_total(object)
               : store_object_length(object);
}

struct span part_validator(const struct store_object *parent)
{
    struct span head = store_object_head(parent);
    const struct http_validators validators = {
        .etag = http_head_find(head, HTTP_FIELD_ETAG),
        .last_modified = http_head_find(head, HTTP_FIELD_LAST_MODIFIED),
    };

    return http_strong_validator(part_parent_facts(parent), &validators);
}

struct store_key part_key(const struct store *store, char *room, const struct store_object *parent,
                          uint64_t index)
{
    return store_key_of(store, derived_key_write(room, store_object_key(parent),
                                                 part_parent_facts(parent), DERIVED_PART, index));
}

struct http_range_part part_cell(uint64_t index, uint64_t total)
{
    uint64_t first = index * PART_BYTES;

    return (struct http_range_part){first, total - first > PART_BYTES ? first + PART_BYTES - 1
                                                                      : total - 1};
}

bool part_matches(struct span selector, void *ctx)
{
    (void)selector;
    (void)ctx;
    return true;
}

enum store_judgement part_judge(const uint8_t *facts, int64_t soft_at_ms, void *ctx)
{
    const struct http_range_part *wanted = ctx;
    const struct part_facts *part = (const struct part_facts *)(const void *)facts;

    (void)soft_at_ms;
    return wanted->first >= part->first && wanted->last <= part->last ? STORE_JUDGE_FRESH
                                                                      : STORE_JUDGE_VALIDATE;
}
