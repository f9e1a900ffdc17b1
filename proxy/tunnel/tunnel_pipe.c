/*
 * tunnel_pipe - the pipes of a worker, through which bulk goes without being copied.
 *
 * A pipe is taken for a turn, and given back at its end unless the other side did not take all. So
 * those whose readers are slow have them for long; when all are taken, the one that has not moved for
 * longest is emptied into memory of its tunnel's own. Nobody can hoard them.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "tunnel/tunnel_private.h"

/* A pipe that has not moved for so long may be taken away. */
#define STALE_US ((uint64_t)1000000)
/* The kernel has refused one: descriptors or the user's share of pipe memory are used up. */
#define REFUSED_US ((uint64_t)1000000)

static void close_pipe(struct tunnel_pipe *pipe)
{
    (void)close(pipe->in);
    (void)close(pipe->out);
    mem_free(pipe);
}

static struct tunnel_pipe *new_pipe(struct tunnel_kit *kit)
{
    uint64_t now = loop_now_us(kit->loop);
    int fds[2];

    if (now < kit->no_pipes_us) {
        return NULL;
    }
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) {
        kit->no_pipes_us = now + REFUSED_US;
        return NULL;
    }
    (void)fcntl(fds[1], F_SETPIPE_SZ, TUNNEL_PIPE_BYTES);
    int capacity = fcntl(fds[1], F_GETPIPE_SZ);
    struct tunnel_pipe *pipe = mem_new(sizeof(*pipe));
    list_init(&pipe->node);
    pipe->in = fds[1];
    pipe->out = fds[0];
    if (capacity < TUNNEL_PIPE_BYTES_MIN) {
        kit->no_pipes_us = now + REFUSED_US;
        close_pipe(pipe);
        return NULL;
    }
    pipe->capacity = (size_t)capacity;
    return pipe;
}

/* Moves what it holds into memory. False: it is not to be had. */
static bool empty(struct tunnel_pipe *pipe)
{
    struct tunnel_end *end = pipe->end;
    char *rest = mem_try(pipe->held);

    if (rest == NULL || read(pipe->out, rest, pipe->held) != (ssize_t)pipe->held) {
        mem_free(rest);
        return false;
    }
    end->rest = rest;
    end->rest_at = 0;
    end->rest_len = (uint32_t)pipe->held;
    end->pipe = NULL;
    pipe->held = 0;
    return true;
}

static struct tunnel_pipe *stale_pipe(struct tunnel_kit *kit)
{
    struct tunnel_pipe *oldest = CONTAINER_OF(kit->used_pipes.next, struct tunnel_pipe, node);

    if (loop_now_us(kit->loop) - oldest->moved_us < STALE_US || !empty(oldest)) {
        return NULL;
    }
    list_remove(&oldest->node);
    kit->used_count--;
    return oldest;
}

bool tunnel_pipe_take(struct tunnel_kit *kit, struct tunnel_end *end)
{
    struct tunnel_pipe *pipe = NULL;

    if (end->pipe != NULL) {
        return true;
    }
    if (kit->free_count > 0) {
        pipe = CONTAINER_OF(list_pop(&kit->free_pipes), struct tunnel_pipe, node);
        kit->free_count--;
    } else if (kit->used_count < TUNNEL_PIPES_MAX) {
        pipe = new_pipe(kit);
    } else {
        pipe = stale_pipe(kit);
    }
    if (pipe == NULL) {
        return false;
    }
    pipe->end = end;
    end->pipe = pipe;
    list_push(&kit->used_pipes, &pipe->node);
    kit->used_count++;
    pipe->moved_us = loop_now_us(kit->loop);
    return true;
}

void tunnel_pipe_give(struct tunnel_kit *kit, struct tunnel_end *end)
{
    struct tunnel_pipe *pipe = end->pipe;

    if (pipe == NULL) {
        return;
    }
    end->pipe = NULL;
    list_remove(&pipe->node);
    kit->used_count--;
    if (pipe->held > 0 || kit->free_count >= TUNNEL_PIPES_KEPT) {
        close_pipe(pipe);
        return;
    }
    list_push_front(&kit->free_pipes, &pipe->node);
    kit->free_count++;
}

void tunnel_pipe_moved(struct tunnel_kit *kit, struct tunnel_pipe *pipe)
{
    pipe->moved_us = loop_now_us(kit->loop);
    list_remove(&pipe->node);
    list_push(&kit->used_pipes, &pipe->node);
}

void tunnel_pipes_close(struct tunnel_kit *kit)
{
    CHECK(kit->used_count == 0);
    for (struct list *node = list_pop(&kit->free_pipes); node != NULL;
         node = list_pop(&kit->free_pipes)) {
        close_pipe(CONTAINER_OF(node, struct tunnel_pipe, node));
    }
    kit->free_count = 0;
}
