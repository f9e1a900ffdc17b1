/*
 * exchange_fields - the head of a response as this client may see it: fields that are for the one
 * whose request brought them (private="...", RFC 9111 5.2.2.7) and fields that may not be used
 * before the origin was asked (no-cache="...", 5.2.2.4). Rare, so it may cost memory of the arena.
 */
#include "base/buf.h"
#include "exchange/exchange_private.h"
#include "http/head.h"

#define FIELDS_HEAD_LIMIT (256u * 1024u)

static struct span without_unvalidated(struct exchange *x)
{
    struct buf head;
    struct span copy = {0};

    buf_init(&head, FIELDS_HEAD_LIMIT);
    if (http_head_write_unvalidated(&head, store_object_head(x->object),
                                    &x->policy->freshness.targeted)) {
        copy = arena_copy(&x->arena, buf_span(&head));
    }
    buf_free(&head);
    return copy;
}

static struct span with_own_lines(struct exchange *x)
{
    struct span head = store_object_head(x->object);
    char *copy = arena_alloc(&x->arena, head.len + x->origin.own_lines.len);

    if (copy == NULL) {
        return (struct span){0};
    }
    memcpy(copy, head.ptr, head.len);
    memcpy(copy + head.len, x->origin.own_lines.ptr, x->origin.own_lines.len);
    return span_of(copy, head.len + x->origin.own_lines.len);
}

struct span exchange_special_head(struct exchange *x)
{
    bool is_first_hand = x->source != BYTES_CACHE || x->result == RESULT_REVALIDATED;

    if (!is_first_hand && (stored_facts(x->object)->flags & HTTP_STORED_NO_CACHE_FIELDS) != 0) {
        return without_unvalidated(x);
    }
    if (is_first_hand && x->origin.own_lines.len > 0) {
        return with_own_lines(x);
    }
    return store_object_head(x->object);
}
