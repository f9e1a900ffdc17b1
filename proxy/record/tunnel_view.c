/* tunnel_view - a list that is sorted as it grows. */
#include "record/tunnel_view.h"

#include <string.h>

/* Does a stand before b? */
static int is_before(enum tunnel_order order, const struct tunnel_view *a,
                     const struct tunnel_view *b)
{
    uint64_t mine = order == TUNNEL_BY_AGE ? a->age_us : a->to_client + a->to_origin;
    uint64_t theirs = order == TUNNEL_BY_AGE ? b->age_us : b->to_client + b->to_origin;

    return mine > theirs || (mine == theirs && a->id < b->id);
}

void tunnel_view_insert(struct tunnel_view_list *list, const struct tunnel_view *view)
{
    size_t at = list->count;

    while (at > 0 && is_before(list->order, view, &list->items[at - 1])) {
        at--;
    }
    if (at >= list->max) {
        return;
    }
    size_t keep = list->count < list->max ? list->count : list->max - 1;
    memmove(&list->items[at + 1], &list->items[at], (keep - at) * sizeof(*list->items));
    list->items[at] = *view;
    list->count = keep + 1;
}
