#ifndef TUNNEL_TUNNEL_PRIVATE_H
#define TUNNEL_TUNNEL_PRIVATE_H
/* tunnel_private - shared by tunnel*.c only. */
#include "tunnel/tunnel.h"

enum {
    TUNNEL_SCRATCH_BYTES = 64 * 1024, /* received at once, and the most that is kept of it */
    TUNNEL_TURN_BYTES = 256 * 1024,   /* moved in one direction per loop round */
};

struct tunnel_kit {
    struct loop *loop;
    char *scratch; /* NULL: no tunnel yet */
};

/* tunnel.c: there may be an earlier deadline. */
void tunnel_arm(struct tunnel *tunnel);
/* tunnel_move.c: moves what there is, as far as the turn goes, and passes an end on. Sets is_broken. */
void tunnel_move(struct tunnel *tunnel, enum tunnel_peer from);
/* Frees what waits to be sent. */
void tunnel_drop(struct tunnel_end *end);

static inline bool tunnel_has_rest(const struct tunnel_end *end)
{
    return end->rest != NULL;
}

/* Is there something to do for this direction that no event will announce? */
static inline bool tunnel_is_due(const struct tunnel *tunnel, enum tunnel_peer from)
{
    const struct tunnel_end *end = &tunnel->ends[from];
    return end->readable && !end->ended && end->held_us == 0 &&
           !tunnel_has_rest(&tunnel->ends[!from]);
}
#endif
