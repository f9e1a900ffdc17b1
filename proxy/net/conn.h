#ifndef NET_CONN_H
#define NET_CONN_H
/*
 * conn - one client connection speaking HTTP/1: the inside of the net layer, not for others.
 *
 *   listener.c  accepts, counts, drains          conn.c      life, events, deadlines
 *   h1_read.c   heads and request bodies          h1_write.c  responses
 *   h1_tunnel.c what follows a 101                conn_proxy.c  the PROXY protocol header
 *   conn_pace.c clients that are too slow         conn_take.c   connections taken over by others
 *
 * A connection owns little while idle: this struct. A block (request, field table, receive buffer)
 * comes from the worker's pool with the first byte of a head and goes back when its last byte is
 * done.
 *
 * Functions that may end the connection return false when they did: touch it no more.
 *
 * Threads: the loop's own.
 */
#include "base/list.h"
#include "http/framing.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/stream.h"

enum {
    CONN_BLOCK_BYTES = 4096,      /* receive buffer of a pooled block; larger heads grow it */
    CONN_BODY_BYTES = 16384,      /* of a block that only receives a body */
    CONN_WINDOW_BYTES_MIN = 4096, /* less room behind a head: the body gets a block of its own */
    CONN_TURN_BYTES = 256 * 1024, /* sent per loop round by one connection */
    CONN_JOIN_BYTES = 16384,      /* a body up to this is copied behind its head: one plain send */
    CONN_SCRATCH_HEAD_BYTES = 65536,
    CONN_SCRATCH_BYTES = CONN_SCRATCH_HEAD_BYTES + CONN_JOIN_BYTES + 64,
    CONN_OUT_BYTES_MAX = 1024 * 1024, /* response heads of our own making kept for a slow client */
    CONN_DRAIN_BYTES_MAX = 65536, /* of an unread request body before the connection is given up */
    CONN_PIPELINE_MAX = 16,       /* requests answered in one go */
    CONN_POOL_BLOCKS_MAX = 256,
};
#define CONN_LINGER_US ((uint64_t)2000000)
/* A client that ended its side and is sent nothing for so long is taken for gone: a FIN alone does
 * not say whether somebody still listens. */
#define CONN_LEAVING_US ((uint64_t)5000000)
#define CONN_NEVER UINT64_MAX

/* A request and the bytes it was parsed from. */
struct conn_block {
    struct conn_block *next; /* in the pool */
    struct http_request request;
    char *data;
    size_t capacity; /* of data */
    unsigned items_count;
    struct http_field items[]; /* data lies behind them */
};

/* How fast a client goes on while it is waited for; see conn_pace.c. */
struct conn_pace {
    uint64_t since_us;  /* it is waited for since; 0: it is not */
    uint64_t waited_us; /* of the window under way, before that */
    uint64_t bytes;     /* of a body: in the window. Of a response: acknowledged before it; 0: no
                           window has begun */
};

enum conn_state {
    CONN_HEAD,   /* waits for a request head; idle as long as no byte of it came */
    CONN_BUSY,   /* the handler has the request */
    CONN_BROKEN, /* the client is gone, found out inside a call of the handler's: ends with this
                    round */
    CONN_ENDED,  /* the handler let go; what follows is decided when no handler call is under way */
    CONN_ABORTED, /* the same, and the client must see that its response is cut */
    CONN_FLUSH,   /* the last bytes of the response wait for the client */
    CONN_DRAIN,   /* the rest of the request body is read off */
    CONN_LINGER, /* nothing more is sent; reads off what comes, so that no reset eats our last words
                  */
};

struct conn {
    uint32_t magic;
    uint8_t state;   /* enum conn_state */
    bool is_opening; /* not in epoll yet: its first bytes are tried at once */
    bool in_handler;
    bool is_idle;     /* counted as such */
    bool close_after; /* this response is the connection's last */
    bool eof;         /* the client sent its FIN */
    bool read_full;   /* no room: EPOLLIN is off */
    bool fin_seen;    /* but there is a FIN behind what was not read yet */
    bool want_body;   /* the handler waits for handler.body */
    bool want_writable;
    bool body_done; /* the request body was seen whole; true without a body */
    bool body_bad;
    bool continue_due;  /* Expect: 100-continue, not yet answered */
    bool head_made;     /* stream_head was called */
    bool response_done; /* all bytes of the response were taken, `end` included */
    bool chunked;       /* the response */
    uint8_t kind;       /* enum stream_body_kind */
    bool handler_told;  /* CONN_BROKEN: stream_send said so, or the handler let go */
    bool proxy_due;     /* a PROXY protocol header comes first */
    bool cut_by_reset;  /* a plain close would look like the end of the response */
    bool is_shut;       /* a tunnel: we have sent our FIN */
    bool is_wide;       /* a tunnel: what came last filled its room */
    struct stream stream;
    struct listener_set *set;
    struct list node;
    struct loop_watch watch;
    struct loop_timer timer;
    struct loop_task task;
    uint64_t read_deadline_us;
    uint64_t send_deadline_us; /* the next look at a response that waits for its client */
    uint64_t body_stop_us;     /* without a byte of the body until then: the end */
    uint64_t send_stop_us;     /* the same of the response */
    uint64_t send_seen;        /* bytes acknowledged at the last look; 0: there was none */
    struct conn_pace upload;
    struct conn_pace download;
    unsigned requests; /* begun on this connection */

    struct conn_block *block;  /* holds the head; NULL while idle */
    struct conn_block *window; /* receives; mostly the same block */
    size_t floor;              /* first byte of the window the head does not need */
    size_t tunnel_floor;       /* the same of the block, kept while the window is another */
    size_t begin;              /* received, not yet parsed: [begin, end) of window->data */
    size_t end;
    size_t scanned;      /* http_request_parse's */
    struct span piece;   /* decoded body bytes not yet consumed */
    uint64_t body_left;  /* of a body with a length: not yet made a piece */
    uint64_t body_bytes; /* decoded so far */
    uint64_t drained_bytes;
    struct http_chunk_decoder decoder;

    size_t head_bytes; /* head waiting in the worker's scratch */
    char *out;         /* what the kernel did not take: [out_begin, out_end) */
    size_t out_begin;
    size_t out_end;
    size_t out_capacity;
    uint64_t chunk_left; /* of the chunk under way, promised to the client */
    uint64_t turn_us;    /* the round turn_bytes belongs to */
    size_t turn_bytes;

    uint64_t ticket; /* of the set's gate; 0: none */
    char peer_name[46];
    struct sockaddr_storage peer;
};

struct listener {
    struct list node;
    unsigned index; /* in the order they were added */
    struct listener_set *set;
    struct loop_watch watch;
    void *ctx;
};

struct listener_set {
    struct loop *loop;
    const struct stream_handler *handler;
    listener_proxy_fn proxy;
    struct listener_gate gate;
    struct conn_limits limits;
    struct conn_shared *shared;
    struct net_counters *counters;
    struct list listeners;
    unsigned listener_count;
    struct list conns;
    struct list seats;   /* of connections taken over (stream_take) */
    unsigned conn_count; /* of both */
    bool draining;
    int reserve; /* descriptor given up to refuse a client when there are no others; -1: none */
    struct loop_timer pause; /* no accepting until it fires */
    struct loop_task done_task;
    void (*done)(void *ctx);
    void *done_ctx;
    struct conn_block *pool;
    unsigned pool_count;
    struct conn *scratch_owner; /* whose head lies in scratch */
    char scratch[CONN_SCRATCH_BYTES];
};

static inline struct conn *conn_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct conn, stream);
}

/* Single writer: no locked instruction needed. */
static inline void net_count(_Atomic uint64_t *counter, uint64_t add)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + add, memory_order_relaxed);
}

/* ---- conn.c ---- */

/* Takes over a non-blocking socket that was counted in shared->connections; on failure closes it.
 * peer may be NULL. proxy_due: a PROXY protocol header comes first. */
void conn_open(struct listener *listener, int fd, const struct sockaddr_storage *peer,
               bool proxy_due);
/* Takes it out of everything and frees it; tells no handler. */
void conn_destroy(struct conn *conn, bool reset);
/* The client is gone or timed out: tells the handler if it has the request. */
void conn_gone(struct conn *conn, enum err why, bool reset);
/* The client is gone, but the caller is the handler: it is told by what the call returns, or else
 * by handler.closed at the end of the round. */
void conn_break(struct conn *conn);
/* Acts on CONN_ENDED and CONN_ABORTED after a handler call. */
bool conn_settle(struct conn *conn);
/* Whose connection it is: address as accept gave it, or as a proxy names it. NULL: unknown. */
void conn_peer_set(struct conn *conn, const struct sockaddr_storage *peer);
/* Sets what epoll reports; no system call when nothing changes. */
void conn_interest_update(struct conn *conn);
void conn_read_deadline_set(struct conn *conn, uint64_t at_us);
/* The client has ended its side while it waits for a response: not for ever. */
void conn_leaving_set(struct conn *conn);
void conn_send_deadline_set(struct conn *conn, uint64_t at_us);
/* Shuts the sending side, then reads off. */
bool conn_linger(struct conn *conn);

/* A block with at least `bytes` of room; NULL without memory. */
struct conn_block *conn_block_take(struct listener_set *set, size_t bytes);
void conn_block_give(struct listener_set *set, struct conn_block *block);

/* Asks the gate for the peer. False: it must go, and was counted. */
bool conn_enter(struct conn *conn);
/* Frees all but the descriptor and its place in the books. */
void conn_free(struct conn *conn);
/* A connection has ended: gives its place back. */
void conn_leave(struct listener_set *set, uint64_t ticket);

/* ---- listener.c ---- */

/* Closes the connection that is idle for longest among some, which are looked at in turn: to keep
 * all of them in order would cost each request. False: none of them is idle. */
bool listener_make_room(struct listener_set *set);

/* ---- conn_pace.c ---- */

/* The request body is waited for: sets the read deadline. */
void conn_pace_body_wait(struct conn *conn);
/* Some of it came. */
void conn_pace_body_came(struct conn *conn);
/* The read deadline has passed. True: give up; else there is a new one. */
bool conn_pace_body_is_over(struct conn *conn);
/* The response is blocked by its client: sets the send deadline. */
void conn_pace_send_wait(struct conn *conn);
/* It is not any more. */
void conn_pace_send_went(struct conn *conn);
/* The send deadline has passed. True: give up; else there is a new one. */
bool conn_pace_send_is_over(struct conn *conn);

/* ---- conn_take.c ---- */

struct span conn_early(struct stream *stream);
void conn_take(struct stream *stream, struct stream_seat *seat, struct loop_watch *watch,
               uint32_t events);

/* ---- conn_proxy.c ---- */

/* Takes the PROXY protocol header off what was received, once it is whole (clears proxy_due). */
bool conn_proxy_advance(struct conn *conn);

/* ---- h1_read.c ---- */

bool h1_readable(struct conn *conn);
/* Parses and hands out what was received, request by request. */
bool h1_advance(struct conn *conn);
/* A head (or what stands before one) is not whole yet: makes room, sets its deadline. */
bool h1_head_wait(struct conn *conn);
/* The response is out: on to the next request. */
bool h1_next(struct conn *conn);
/* Discards the rest of the request body; goes on to the next request when it is through. */
bool h1_drain(struct conn *conn);
/* Answers a faulty request. The connection lingers and closes. */
bool h1_refuse(struct conn *conn, unsigned status, const char *reason);
enum stream_body h1_body_next(struct stream *stream, struct span *out);
void h1_body_consume(struct stream *stream, size_t count);
/* May the rest of the request body still be read off, so that the connection can be kept? */
bool h1_body_is_drainable(const struct conn *conn);

/* ---- h1_tunnel.c ---- */

static inline bool conn_is_tunnel(const struct conn *conn)
{
    return conn->kind == STREAM_BODY_TUNNEL && conn->head_made;
}

/* The head of a 101 is being sent. */
void h1_tunnel_begin(struct conn *conn);
/* Before receiving: takes a larger block if there is little room, and nothing in it. */
void h1_tunnel_widen(struct conn *conn);
enum stream_body h1_tunnel_next(struct conn *conn, struct span *out);
void h1_tunnel_consume(struct conn *conn, size_t count);
/* Shuts the sending side if all was sent and `end` was said. */
void h1_tunnel_shut(struct conn *conn);

/* ---- h1_write.c ---- */

extern const struct stream_ops h1_stream_ops;

static inline bool conn_has_output(const struct conn *conn)
{
    return conn->out_begin != conn->out_end;
}

/* The kernel takes bytes again. */
bool h1_writable(struct conn *conn);
/* Sends bytes of the connection's own, keeping what the kernel does not take. False: the client is
 * gone. */
bool h1_push(struct conn *conn, struct span bytes);
/* Another connection needs the scratch. */
void h1_scratch_release(struct conn *conn);
#endif
