/* forward_view - see forward_view.h. */
#include "worker/forward_view.h"

#include <string.h>

#include "base/mem.h"

struct forward_view {
    struct denials *denials;
    struct sketch *list[FORWARD_LISTS];
};

struct forward_view *forward_view_new(void)
{
    static const struct sketch_shape shape = {
        .window_s = FORWARD_LIST_WINDOW_S,
        .order_count = 3,
        .order = {[FORWARD_BY_REQUESTS] = FORWARD_REQUESTS,
                  [FORWARD_BY_DENIED] = FORWARD_DENIED,
                  [FORWARD_BY_BYTES] = FORWARD_BYTES},
    };
    struct forward_view *view = mem_new(sizeof(*view));

    view->denials = denials_new();
    for (unsigned i = 0; i < FORWARD_LISTS; i++) {
        view->list[i] = sketch_new(&shape);
    }
    return view;
}

void forward_view_free(struct forward_view **view)
{
    if (*view != NULL) {
        denials_free(&(*view)->denials);
        for (unsigned i = 0; i < FORWARD_LISTS; i++) {
            sketch_free(&(*view)->list[i]);
        }
        mem_free(*view);
        *view = NULL;
    }
}

static size_t key_put(char *key, size_t at, struct span part)
{
    for (size_t i = 0; i < part.len && at < SKETCH_KEY_BYTES - 1; i++) {
        unsigned char c = (unsigned char)part.ptr[i];
        key[at++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    return at;
}

static void list_add(struct forward_view *view, enum forward_list list, struct span forward,
                     struct span what, const struct sketch_sum *more)
{
    char key[SKETCH_KEY_BYTES];

    if (what.len > 0) {
        size_t len = key_put(key, key_put(key, key_put(key, 0, forward), SPAN(" ")), what);
        sketch_add(view->list[list], span_of(key, len), more);
    }
}

void forward_view_add(struct forward_view *view, const struct record *record)
{
    bool is_denied = record->result == RESULT_DENIED;
    bool is_tunnel = span_eq(record->method, SPAN("CONNECT")) && !is_denied;
    const struct sketch_sum more = {
        .figure = {[FORWARD_REQUESTS] = 1,
                   [FORWARD_DENIED] = is_denied,
                   [FORWARD_BYTES] = record->bytes + record->received,
                   [FORWARD_TO_CLIENT] = record->bytes,
                   [FORWARD_TUNNELS] = is_tunnel},
        .last_ms = record->wall_ms,
    };
    struct span forward = denial_forward(record);
    uint16_t port;

    if (is_denied) {
        denials_add(view->denials, record);
    }
    list_add(view, FORWARD_DESTINATIONS, forward, denial_host(record->host, record->scheme, &port),
             &more);
    list_add(view, FORWARD_USERS, forward, record->user, &more);
    list_add(view, FORWARD_CLIENTS, forward, record->client, &more);
}

struct denials *forward_view_denials(struct forward_view *view)
{
    return view->denials;
}

/* room: SKETCH_KEY_BYTES */
static struct span prefix_of(const char *forward, char *room)
{
    if (forward == NULL) {
        return SPAN("");
    }
    return span_of(room, key_put(room, key_put(room, 0, span_str(forward)), SPAN(" ")));
}

size_t forward_view_list(struct forward_view *view, const struct forward_question *question,
                         struct sketch_item *out, size_t max, struct sketch_extent *extent)
{
    char room[SKETCH_KEY_BYTES];
    const struct sketch_question asked = {
        .order = question->order,
        .prefix = prefix_of(question->forward, room),
    };

    return sketch_list(view->list[question->list], &asked, out, max, extent);
}

size_t forward_view_count(struct forward_view *view, enum forward_list list, const char *forward)
{
    char room[SKETCH_KEY_BYTES];

    return sketch_count(view->list[list], prefix_of(forward, room));
}
