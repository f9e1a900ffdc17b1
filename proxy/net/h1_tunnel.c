/*
 * h1_tunnel - a connection after a 101: what the client sends is handed out as it comes, and each
 * side ends by itself.
 *
 * Bytes are received behind the request's head while they are few, and into a larger block of their
 * own while they are many, which is given back as soon as they are used up. When our sending side is shut, epoll
 * reports the end of the client's as a hang-up, whether it is asked for or not: nothing is watched
 * then while there is no room to read.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include "net/conn.h"

enum {
    TUNNEL_ROOM_BYTES = 1024, /* behind the head: less is not worth a system call */
};

void h1_tunnel_begin(struct conn *conn)
{
    CHECK(conn->body_done && conn->piece.len == 0);
    conn->cut_by_reset = true;
    conn->close_after = true;
    conn->read_deadline_us = CONN_NEVER; /* the layer above knows for how long it may be silent */
    /* Where the head ends is forgotten once a body had a block of its own: then it keeps all. */
    conn->tunnel_floor = conn->window == conn->block ? conn->floor : conn->block->capacity;
}

/* All that was received is used up. */
static void h1_tunnel_reset(struct conn *conn)
{
    if (conn->end > conn->floor) {
        conn->is_wide = conn->end == conn->window->capacity;
    }
    if (conn->window != conn->block) {
        conn_block_give(conn->set, conn->window);
        conn->window = conn->block;
        conn->floor = conn->tunnel_floor;
    }
    conn->begin = conn->end = conn->floor;
    if (conn->read_full) {
        conn->read_full = false;
        conn_interest_update(conn);
    }
}

void h1_tunnel_widen(struct conn *conn)
{
    bool is_narrow = conn->is_wide || conn->window->capacity - conn->end < TUNNEL_ROOM_BYTES;

    if (conn->window != conn->block || conn->begin != conn->end || !is_narrow) {
        return;
    }
    struct conn_block *block = conn_block_take(conn->set, CONN_BODY_BYTES);
    if (block != NULL) {
        conn->window = block;
        conn->floor = conn->begin = conn->end = 0;
    }
}

enum stream_body h1_tunnel_next(struct conn *conn, struct span *out)
{
    if (conn->begin < conn->end) {
        *out = span_of(conn->window->data + conn->begin, conn->end - conn->begin);
        return STREAM_BODY_BYTES;
    }
    if (conn->eof) {
        return STREAM_BODY_END;
    }
    h1_tunnel_reset(conn);
    conn->want_body = true;
    return STREAM_BODY_WAIT;
}

void h1_tunnel_consume(struct conn *conn, size_t count)
{
    CHECK(count <= conn->end - conn->begin);
    conn->begin += count;
}

void h1_tunnel_shut(struct conn *conn)
{
    if (conn->response_done && !conn->is_shut && !conn_has_output(conn)) {
        conn->is_shut = true;
        (void)shutdown(conn->watch.fd, SHUT_WR);
        conn_interest_update(conn);
    }
}
