/*
 * tunnel_move - bytes from one side to the other.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "tunnel/tunnel_private.h"

void tunnel_drop(struct tunnel_end *end)
{
    mem_free(end->rest);
    end->rest = NULL;
    end->rest_at = end->rest_len = 0;
}

/* Bytes the kernel took. */
static size_t push(struct tunnel *tunnel, struct tunnel_end *to, const char *bytes, size_t count)
{
    ssize_t sent = send(to->watch.fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        tunnel->is_broken = true;
        return 0;
    }
    size_t taken = sent < 0 ? 0 : (size_t)sent;
    to->writable = taken == count || (sent < 0 && errno == EINTR);
    to->sent += taken;
    return taken;
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

/* Is nothing left that waits to be sent? */
static bool flush(struct tunnel *tunnel, struct tunnel_end *to)
{
    if (!tunnel_has_rest(to)) {
        return true;
    }
    if (!to->writable) {
        return false;
    }
    size_t sent = push(tunnel, to, to->rest + to->rest_at, to->rest_len - to->rest_at);
    to->rest_at += (uint32_t)sent;
    if (sent > 0) {
        tunnel->moved_us = loop_now_us(tunnel->kit->loop);
    }
    if (to->rest_at < to->rest_len) {
        return false;
    }
    tunnel_drop(to);
    return true;
}

/* How many bytes may be received now. */
static size_t allowed(struct tunnel *tunnel, enum tunnel_peer from, size_t wanted)
{
    struct tunnel_end *end = &tunnel->ends[from];
    uint64_t again_us = 0;

    if (tunnel->meter == NULL) {
        return wanted;
    }
    size_t count = tunnel->meter->allow(tunnel->meter_ctx, from, wanted, &again_us);
    if (count == 0) {
        end->held_us = again_us;
        tunnel_arm(tunnel);
    }
    return count;
}

static void received(struct tunnel *tunnel, enum tunnel_peer from, size_t asked, size_t count)
{
    struct tunnel_end *end = &tunnel->ends[from];

    if (tunnel->meter != NULL && count < asked) {
        tunnel->meter->spare(tunnel->meter_ctx, from, asked - count);
    }
    if (count == 0) {
        return;
    }
    end->received += count;
    tunnel->moved_us = loop_now_us(tunnel->kit->loop);
    if (tunnel->handler->moved != NULL) {
        tunnel->handler->moved(tunnel, from, count);
    }
}

/* Once through the shared buffer. Returns how many bytes went. */
static size_t copy(struct tunnel *tunnel, enum tunnel_peer from, size_t most)
{
    struct tunnel_end *end = &tunnel->ends[from];
    size_t asked = allowed(tunnel, from, most < TUNNEL_SCRATCH_BYTES ? most : TUNNEL_SCRATCH_BYTES);

    if (asked == 0) {
        return 0;
    }
    ssize_t got = recv(end->watch.fd, tunnel->kit->scratch, asked, MSG_DONTWAIT);
    int error = errno;
    received(tunnel, from, asked, got > 0 ? (size_t)got : 0);
    if (got > 0) {
        /* Fewer than asked for: there are no more, and what comes later is announced. */
        end->readable = (size_t)got == asked || end->fin_seen;
        deliver(tunnel, &tunnel->ends[!from], tunnel->kit->scratch, (size_t)got);
        return (size_t)got;
    }
    if (got == 0) {
        end->ended = true;
    } else if (error == EAGAIN) {
        end->readable = false;
    } else if (error != EINTR) {
        tunnel->is_broken = true;
    }
    return 0;
}

void tunnel_move(struct tunnel *tunnel, enum tunnel_peer from)
{
    struct tunnel_end *end = &tunnel->ends[from];
    struct tunnel_end *to = &tunnel->ends[!from];
    size_t left = TUNNEL_TURN_BYTES;

    if (to->is_shut || !flush(tunnel, to)) {
        return;
    }
    while (left > 0 && !tunnel->is_broken && tunnel_is_due(tunnel, from)) {
        size_t moved = copy(tunnel, from, left);
        if (moved == 0) {
            break;
        }
        left -= moved;
    }
    if (end->ended && !tunnel_has_rest(to) && !tunnel->is_broken) {
        to->is_shut = true;
        (void)shutdown(to->watch.fd, SHUT_WR);
    }
}
