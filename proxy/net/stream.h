#ifndef NET_STREAM_H
#define NET_STREAM_H
/*
 * stream - one request and the sink for its response, whatever carries it: HTTP/1 today; TLS and
 * HTTP/2 come in as other implementations of struct stream_ops. The layer above (exchange) sees
 * nothing else of a client.
 *
 * The response is pushed: stream_head once, stream_send until `end`, with back-pressure: a short
 * count means the client is slow; wait for handler.writable and offer the same bytes again (with a
 * chunked body the bytes already promised must be offered again, so never offer what may vanish).
 * The request body is pulled: stream_body_next / stream_body_consume.
 *
 * Threads:   the loop's own. Ownership: the stream belongs to its connection; the exchange may use
 * it from handler.request until it calls stream_end / stream_abort or handler.closed returns. Calls
 * into handler never nest inside a stream_* call of the same stream, with one exception: stream_end
 * may start the next pipelined request from a deferred task, never from inside.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/list.h"
#include "base/span.h"
#include "http/request.h"
#include "net/loop.h"

struct listener_set;
struct stream;

/* Told by the connection. */
struct stream_handler {
    /* A complete, valid head. request and all its spans stay valid and unmoved until
     * stream_end/abort. */
    void (*request)(struct stream *stream);
    /* The sink takes bytes again after a short count. */
    void (*writable)(struct stream *stream);
    /* stream_body_next has something new to say after STREAM_BODY_WAIT. */
    void (*body)(struct stream *stream);
    /* The client is gone (reset, error, a deadline): the stream is dead after this call. */
    void (*closed)(struct stream *stream, enum err why);
    /* A request that was refused by the parser was answered by the connection itself (400, 431,
     * ...), or a client timed out in its head (408): for log and counters. stream->request is NULL
     * but for 413. */
    void (*refused)(struct stream *stream, unsigned status, size_t bytes_sent);
    /* The connection has ended: what its stream->keep was, if it was anything. */
    void (*left)(void *keep);
};

enum stream_body_kind {
    STREAM_BODY_NONE,    /* no content follows (304, 204, HEAD): head only */
    STREAM_BODY_LENGTH,  /* the head carries Content-Length */
    STREAM_BODY_UNKNOWN, /* chunked for 1.1, until close for 1.0 */
    /* A 101 (the fields say Connection and Upgrade): from here on the connection is not HTTP. The
     * request body must have been read to its end; stream_body_next begins anew and hands out what
     * the client sends until its end, stream_send sends bytes as they are, and its `end` shuts our
     * sending side alone. Then stream_end closes. Silence has no deadline here. */
    STREAM_BODY_TUNNEL,
};

enum stream_body {
    STREAM_BODY_BYTES,
    STREAM_BODY_WAIT, /* handler.body follows */
    STREAM_BODY_END,  /* all was consumed */
    STREAM_BODY_BAD,  /* broken framing or cut short: the rest never comes */
};

/* A client's connection that the layer above has taken over: its descriptor, and its place in the
 * books (limits, the client's share, drain). Embedded in its owner, which moves the bytes. */
struct stream_seat {
    int fd; /* non-blocking */
    /* All connections end now: calls stream_seat_end. Set by the owner. */
    void (*cut)(struct stream_seat *seat);
    struct list node; /* from here on: the connection's */
    struct listener_set *set;
    uint64_t ticket;
    void *keep; /* the stream's */
};

/* Where body bytes lie besides in memory, from which the kernel sends them without a copy. It keeps
 * them as they are until they have left. */
struct stream_file {
    int fd;
    off_t offset;
};

/* What differs between HTTP/1, TLS and HTTP/2. */
struct stream_ops {
    void (*head)(struct stream *stream, struct span fields, struct span extra,
                 enum stream_body_kind kind);
    ptrdiff_t (*send)(struct stream *stream, const struct iovec *parts, unsigned count, bool end);
    /* NULL: they are sent from memory. */
    ptrdiff_t (*send_file)(struct stream *stream, const struct stream_file *file,
                           const struct iovec *parts, unsigned count, bool end);
    void (*informational)(struct stream *stream, struct span head);
    enum stream_body (*body_next)(struct stream *stream, struct span *out);
    void (*body_consume)(struct stream *stream, size_t count);
    void (*end)(struct stream *stream);
    void (*abort)(struct stream *stream);
    struct span (*early)(struct stream *stream);
    /* NULL: its bytes cannot be had as they are. */
    void (*take)(struct stream *stream, struct stream_seat *seat, struct loop_watch *watch,
                 uint32_t events);
};

struct stream {
    const struct stream_ops *ops;
    struct http_request *request;
    struct loop *loop;
    const struct sockaddr_storage *peer; /* of the client */
    struct span peer_text;               /* "192.0.2.1", no port */
    const struct listener *listener;     /* where it came in */
    void *listener_ctx;                  /* what listener_open was given */
    uint64_t begin_us;                   /* first byte of the request head, monotonic */
    uint64_t sent_bytes; /* head and body taken so far: by the kernel or the small buffer */
    bool is_https;       /* a proxy before us said that the client came by TLS */
    bool is_held;        /* the layer above keeps bytes waiting: the client is not to blame */
    bool body_too_large; /* STREAM_BODY_BAD because of the configured limit: 413 */
    void *exchange;      /* the layer above's own, NULL at first */
    void *site;          /* the layer above's memory per connection (cached site), NULL at first */
    void *keep;          /* the same, until the connection ends: handler.left */
};

/* fields: status line and fields as "HTTP/1.1 200 OK\r\nName: value\r\n...", extra: more field
 * lines (may be empty), both copied, neither with the final empty line; the connection adds
 * Connection, Transfer-Encoding and Date when missing (the caller says so by leaving them out).
 * Nothing is sent before the first stream_send, so that head and body leave in one system call. */
static inline void stream_head(struct stream *s, struct span fields, struct span extra,
                               enum stream_body_kind kind)
{
    s->ops->head(s, fields, extra, kind);
}

/* Offers body bytes (none: only the head, or only the end). end: these are the last. Returns how
 * many body bytes were taken; fewer than offered: handler.writable follows and the rest, with the
 * same `end`, must be offered again. With all taken and `end` given, the response is complete for
 * the kernel or in the connection's own small buffer. Negative: the client is gone; handler.closed
 * will NOT be called, and the stream stays yours (dead) until you call stream_abort or stream_end.
 */
static inline ptrdiff_t stream_send(struct stream *s, const struct iovec *parts, unsigned count,
                                    bool end)
{
    return s->ops->send(s, parts, count, end);
}

/* The same for bytes that also lie in a file, which is sent from where that is possible. */
static inline ptrdiff_t stream_send_file(struct stream *s, const struct stream_file *file,
                                         const struct iovec *parts, unsigned count, bool end)
{
    return s->ops->send_file != NULL ? s->ops->send_file(s, file, parts, count, end)
                                     : s->ops->send(s, parts, count, end);
}

/* A 1xx response ahead of the final one, complete with its empty line. Ignored for HTTP/1.0
 * clients. */
static inline void stream_informational(struct stream *s, struct span head)
{
    s->ops->informational(s, head);
}

/* The next decoded bytes of the request body; borrowed until stream_body_consume. The first call
 * answers Expect: 100-continue. */
static inline enum stream_body stream_body_next(struct stream *s, struct span *out)
{
    return s->ops->body_next(s, out);
}

static inline void stream_body_consume(struct stream *s, size_t count)
{
    s->ops->body_consume(s, count);
}

/* The response was sent whole: the connection goes on to its next request, or closes (an unread
 * request body is drained up to a bound, else the connection closes). The stream is not yours any
 * more. */
static inline void stream_end(struct stream *s)
{
    s->ops->end(s);
}

/* The response cannot be completed: cuts the connection so that the client sees it is incomplete.
 */
static inline void stream_abort(struct stream *s)
{
    s->ops->abort(s);
}

/* ---- a connection that is HTTP no more (RFC 9110 9.3.6) ---- */

static inline bool stream_can_be_taken(const struct stream *s)
{
    return s->ops->take != NULL;
}

/* What the client has sent behind its request so far; borrowed until the next call or event. */
static inline struct span stream_early(struct stream *s)
{
    return s->ops->early(s);
}

/* Before anything was answered, and not from inside a call of the handler's: the descriptor is the
 * seat's, and the stream with its request is gone. The bytes of stream_early are not read again. The
 * registration becomes that of watch, whose events are 0 if the kernel refuses. */
static inline void stream_take(struct stream *s, struct stream_seat *seat, struct loop_watch *watch,
                               uint32_t events)
{
    s->ops->take(s, seat, watch, events);
}

/* Closes the descriptor; reset: so that the client sees that it is cut. */
void stream_seat_end(struct stream_seat *seat, bool reset);
#endif
