/*
 * tunnel_move - bytes from one side to the other: through the shared buffer while they come in small
 * pieces, through a pipe while they come in large ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "tunnel/tunnel_private.h"

void tunnel_drop(struct tunnel_kit *kit, struct tunnel_end *end)
{
    mem_free(end->rest);
    end->rest = NULL;
    end->rest_at = end->rest_len = 0;
    tunnel_pipe_give(kit, end);
}

/* ---- sending ---- */

/* What the kernel took of so many bytes, from what its call returned. */
static size_t taken(struct tunnel *tunnel, struct tunnel_end *to, size_t count, ssize_t result)
{
    if (result < 0 && errno != EAGAIN && errno != EINTR) {
        tunnel->is_broken = true;
        return 0;
    }
    size_t sent = result < 0 ? 0 : (size_t)result;
    if (sent > 0) {
        to->sent += sent;
        tunnel->moved_us = loop_now_us(tunnel->kit->loop);
    }
    if (sent < count && !(result < 0 && errno == EINTR)) {
        to->writable = false; /* no room for all: it is told when there is some */
    }
    return sent;
}

static size_t push(struct tunnel *tunnel, struct tunnel_end *to, const char *bytes, size_t count)
{
    ssize_t result;

    do {
        result = send(to->watch.fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (result < 0 && errno == EINTR);
    return taken(tunnel, to, count, result);
}

/* Sends these, and keeps what the kernel does not take. */
static void deliver(struct tunnel *tunnel, struct tunnel_end *to, const char *bytes, size_t count)
{
    size_t sent = push(tunnel, to, bytes, count);

    if (sent == count || tunnel->is_broken) {
        return;
    }
    to->rest = mem_try(count - sent);
    if (to->rest == NULL) {
        tunnel->is_broken = true;
        return;
    }
    memcpy(to->rest, bytes + sent, count - sent);
    to->rest_at = 0;
    to->rest_len = (uint32_t)(count - sent);
}

void tunnel_give(struct tunnel *tunnel, enum tunnel_peer to, struct span bytes)
{
    if (bytes.len > 0 && !tunnel->is_broken) {
        deliver(tunnel, &tunnel->ends[to], bytes.ptr, bytes.len);
    }
}

/* Out of the pipe, as far as the kernel takes it. */
static void drain(struct tunnel *tunnel, struct tunnel_end *to)
{
    struct tunnel_pipe *pipe = to->pipe;

    /* A call ends where a piece of it does, too: only one that takes nothing means that there is no
     * room. */
    while (pipe->held > 0 && to->writable && !tunnel->is_broken) {
        ssize_t result = splice(pipe->out, NULL, to->watch.fd, NULL, pipe->held,
                                SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        size_t sent = taken(tunnel, to, result > 0 ? (size_t)result : pipe->held, result);
        pipe->held -= sent;
        if (sent > 0) {
            tunnel_pipe_moved(tunnel->kit, pipe);
        }
    }
}

/* Is nothing left that waits to be sent? */
static bool flush(struct tunnel *tunnel, struct tunnel_end *to)
{
    if (!tunnel_has_rest(to)) {
        return true;
    }
    if (!to->writable) {
        return false;
    }
    if (to->rest != NULL) {
        to->rest_at +=
            (uint32_t)push(tunnel, to, to->rest + to->rest_at, to->rest_len - to->rest_at);
        if (to->rest_at < to->rest_len) {
            return false;
        }
        mem_free(to->rest);
        to->rest = NULL;
        return true;
    }
    drain(tunnel, to);
    return to->pipe->held == 0;
}

/* ---- receiving ---- */

/* How many bytes may be received now. */
static size_t allowed(struct tunnel *tunnel, enum tunnel_peer from, size_t wanted)
{
    struct tunnel_end *end = &tunnel->ends[from];
    uint64_t again_us = 0;

    if (tunnel->meter == NULL) {
        return wanted;
    }
    size_t count = tunnel->meter->allow(tunnel->meter_ctx, from, wanted, &again_us);
    if (count == 0 && again_us == UINT64_MAX) {
        tunnel->is_spent = true;
    } else if (count == 0) {
        end->held_us = again_us;
        tunnel_arm(tunnel);
    }
    return count;
}

/* What came of so many bytes that might; keeps the books. */
static void received(struct tunnel *tunnel, enum tunnel_peer from, size_t asked, ssize_t result)
{
    struct tunnel_end *end = &tunnel->ends[from];
    size_t count = result > 0 ? (size_t)result : 0;

    if (result == 0) {
        end->ended = true;
    } else if (result < 0 && errno == EAGAIN) {
        end->readable = false;
    } else if (result < 0 && errno != EINTR) {
        tunnel->is_broken = true;
    }
    if (tunnel->meter != NULL && count < asked) {
        tunnel->meter->spare(tunnel->meter_ctx, from, asked - count);
    }
    if (count == 0) {
        return;
    }
    end->received += count;
    end->pace = (uint32_t)((3 * (size_t)end->pace + count) / 4);
    tunnel->moved_us = loop_now_us(tunnel->kit->loop);
    if (tunnel->handler->moved != NULL) {
        tunnel->handler->moved(tunnel, from, count);
    }
}

/* Once through the shared buffer. Returns how many bytes came. */
static size_t copy(struct tunnel *tunnel, enum tunnel_peer from, size_t most)
{
    struct tunnel_end *end = &tunnel->ends[from];
    size_t asked = allowed(tunnel, from, most < TUNNEL_SCRATCH_BYTES ? most : TUNNEL_SCRATCH_BYTES);

    if (asked == 0) {
        return 0;
    }
    ssize_t got = recv(end->watch.fd, tunnel->kit->scratch, asked, MSG_DONTWAIT);
    received(tunnel, from, asked, got);
    if (got <= 0) {
        return 0;
    }
    /* Fewer than asked for: there are no more, and what comes later is announced. */
    end->readable = (size_t)got == asked || end->fin_seen;
    deliver(tunnel, &tunnel->ends[!from], tunnel->kit->scratch, (size_t)got);
    return (size_t)got;
}

/* Once through the pipe of the other side. */
static size_t pass(struct tunnel *tunnel, enum tunnel_peer from, size_t most)
{
    struct tunnel_end *end = &tunnel->ends[from];
    struct tunnel_end *to = &tunnel->ends[!from];
    struct tunnel_pipe *pipe = to->pipe;
    size_t asked = allowed(tunnel, from, most < pipe->capacity ? most : pipe->capacity);

    if (asked == 0) {
        return 0;
    }
    ssize_t got =
        splice(end->watch.fd, NULL, pipe->in, NULL, asked, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    received(tunnel, from, asked, got);
    if (got <= 0) {
        return 0;
    }
    pipe->held = (size_t)got;
    drain(tunnel, to);
    return (size_t)got;
}

void tunnel_move(struct tunnel *tunnel, enum tunnel_peer from)
{
    struct tunnel_end *end = &tunnel->ends[from];
    struct tunnel_end *to = &tunnel->ends[!from];
    size_t left = TUNNEL_TURN_BYTES;
    bool is_moving = !to->is_shut && flush(tunnel, to);

    while (is_moving && left > 0 && !tunnel->is_broken && tunnel_is_due(tunnel, from)) {
        bool is_bulk = end->pace >= TUNNEL_BULK_BYTES && tunnel_pipe_take(tunnel->kit, to);
        size_t moved = is_bulk ? pass(tunnel, from, left) : copy(tunnel, from, left);
        is_moving = moved > 0;
        left -= moved;
    }
    if (!tunnel_has_rest(to)) {
        tunnel_pipe_give(tunnel->kit, to);
        if (end->ended && !to->is_shut && !tunnel->is_broken && !tunnel->is_dying) {
            to->is_shut = true;
            (void)shutdown(to->watch.fd, SHUT_WR);
        }
    }
}
