#ifndef WORKER_FORWARD_VIEW_H
#define WORKER_FORWARD_VIEW_H
/*
 * forward_view - what is remembered of those who use the forward proxies, in bounded memory: the last
 * denials, and which destinations, users and clients matter most. Fed from the access records, so
 * addresses are those of the log. Exact figures are in the tallies (record/tally.h): a record may be
 * lost when the log thread cannot keep up.
 *
 * Threads: forward_view_add by the log thread, all else by any.
 */
#include "worker/denials.h"
#include "worker/sketch.h"

enum forward_list {
    FORWARD_DESTINATIONS, /* host names and addresses, without port */
    FORWARD_USERS,        /* who have proven it */
    FORWARD_CLIENTS,
    FORWARD_LISTS,
};

/* The figures of all lists. */
enum forward_figure {
    FORWARD_REQUESTS,
    FORWARD_DENIED,
    FORWARD_BYTES, /* both ways */
    FORWARD_TO_CLIENT,
    FORWARD_TUNNELS,
};

/* And their orders. */
enum forward_order {
    FORWARD_BY_REQUESTS,
    FORWARD_BY_DENIED,
    FORWARD_BY_BYTES,
};

#define FORWARD_LIST_WINDOW_S 3600u

struct forward_view;

struct forward_view *forward_view_new(void);
void forward_view_free(struct forward_view **view);
/* record->is_forward */
void forward_view_add(struct forward_view *view, const struct record *record);
struct denials *forward_view_denials(struct forward_view *view);

struct forward_question {
    enum forward_list list;
    enum forward_order order;
    const char *forward; /* NULL: of all */
};

/* Keys of the items are "NAME WHAT", NAME of the forward proxy. */
size_t forward_view_list(struct forward_view *view, const struct forward_question *question,
                         struct sketch_item *out, size_t max, struct sketch_extent *extent);
/* How many are known. */
size_t forward_view_count(struct forward_view *view, enum forward_list list, const char *forward);
#endif
