#ifndef TUNNEL_TUNNEL_PRIVATE_H
#define TUNNEL_TUNNEL_PRIVATE_H
/* tunnel_private - shared by tunnel*.c only. */
#include "base/list.h"
#include "tunnel/tunnel.h"

enum {
    TUNNEL_SCRATCH_BYTES = 64 * 1024, /* received at once, and the most that is kept of it */
    TUNNEL_TURN_BYTES = 256 * 1024,   /* moved in one direction per loop round */
    /* Received at a time, on average: more goes through a pipe. Measured on loopback (CPU of the
     * relay for a GB): copies 0.44 s, a pipe of 64 KiB 0.36, of 256 KiB 0.28, of 1 MiB 0.22; even
     * writes of 1 KiB, which come 15 KB at a time, are not dearer by the pipe. */
    TUNNEL_BULK_BYTES = 16 * 1024,
    TUNNEL_PIPE_BYTES = 256 * 1024,
    TUNNEL_PIPE_BYTES_MIN = 64 * 1024, /* of less (the user has too many) copies are as good */
    TUNNEL_PIPES_MAX = 64,             /* per worker */
    TUNNEL_PIPES_KEPT = 16,            /* of them, while nobody needs them */
};

struct tunnel_kit {
    struct loop *loop;
    char *scratch;          /* NULL: no tunnel yet */
    struct list free_pipes; /* empty ones */
    struct list used_pipes; /* the one that moved last is the last */
    unsigned free_count, used_count;
    uint64_t no_pipes_us; /* the kernel refused one: not before this again */
};

/* What waits in it is to be sent to its end. */
struct tunnel_pipe {
    struct list node;
    int in, out;
    size_t capacity;
    size_t held; /* bytes */
    uint64_t moved_us;
    struct tunnel_end *end;
};

/* tunnel.c: there may be an earlier deadline. */
void tunnel_arm(struct tunnel *tunnel);
/* tunnel_move.c: moves what there is, as far as the turn goes, and passes an end on. Sets is_broken. */
void tunnel_move(struct tunnel *tunnel, enum tunnel_peer from);
/* Frees what waits to be sent. */
void tunnel_drop(struct tunnel_kit *kit, struct tunnel_end *end);

/* tunnel_pipe.c: end->pipe. False: none is to be had, and copies will do. */
bool tunnel_pipe_take(struct tunnel_kit *kit, struct tunnel_end *end);
/* Back into the pool, or closed if something is left in it. */
void tunnel_pipe_give(struct tunnel_kit *kit, struct tunnel_end *end);
/* Something went through it. */
void tunnel_pipe_moved(struct tunnel_kit *kit, struct tunnel_pipe *pipe);
/* Closes those that nobody uses. */
void tunnel_pipes_close(struct tunnel_kit *kit);

static inline bool tunnel_has_rest(const struct tunnel_end *end)
{
    return end->rest != NULL || (end->pipe != NULL && end->pipe->held > 0);
}

/* Is there something to do for this direction that no event will announce? */
static inline bool tunnel_is_due(const struct tunnel *tunnel, enum tunnel_peer from)
{
    const struct tunnel_end *end = &tunnel->ends[from];
    return end->readable && !end->ended && end->held_us == 0 &&
           !tunnel_has_rest(&tunnel->ends[!from]);
}
#endif
