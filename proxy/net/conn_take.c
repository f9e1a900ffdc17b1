/*
 * conn_take - a connection whose bytes are somebody else's business from now on. What is left of it
 * is a seat of a few words, so that one that is silent for hours costs next to nothing here.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn.h"

struct span conn_early(struct stream *stream)
{
    struct conn *conn = conn_of(stream);

    CHECK(conn->state == CONN_BUSY && conn->body_done && conn->piece.len == 0);
    return span_of(conn->window->data + conn->begin, conn->end - conn->begin);
}

void conn_take(struct stream *stream, struct stream_seat *seat, struct loop_watch *watch,
               uint32_t events)
{
    struct conn *conn = conn_of(stream);
    struct listener_set *set = conn->set;

    CHECK(conn->state == CONN_BUSY && !conn->in_handler && !conn->is_opening);
    CHECK(conn->body_done && !conn->head_made && !conn_has_output(conn));
    seat->fd = conn->watch.fd;
    seat->set = set;
    seat->ticket = conn->ticket;
    seat->keep = stream->keep;
    stream->keep = NULL;
    list_init(&seat->node);
    list_push(&set->seats, &seat->node);
    watch->fd = seat->fd;
    loop_watch_pass(set->loop, &conn->watch, watch, events);
    conn_free(conn);
}

void stream_seat_end(struct stream_seat *seat, bool reset)
{
    if (reset) {
        struct linger cut = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(seat->fd, SOL_SOCKET, SO_LINGER, &cut, sizeof(cut));
    }
    (void)close(seat->fd);
    seat->fd = -1;
    list_remove(&seat->node);
    if (UNLIKELY(seat->keep != NULL)) {
        seat->set->handler->left(seat->keep);
        seat->keep = NULL;
    }
    conn_leave(seat->set, seat->ticket);
}
