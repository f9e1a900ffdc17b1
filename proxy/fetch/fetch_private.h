#ifndef FETCH_FETCH_PRIVATE_H
#define FETCH_FETCH_PRIVATE_H
/*
 * fetch_private - the inside of the fetch layer, not for others.
 *
 *   fetch.c            life of one fetch: start, cancel, resume, deadline, the second try, the end
 *   fetch_request.c    what goes out: the head as text, the body, its framing
 *   fetch_proxy_header.c  before it: whose request it is
 *   fetch_response.c   what comes in: heads judged by the strict parser, framing, flow
 *   fetch_tunnel.c     after a 101: bytes both ways
 *   fetch_conn.c       connections: opened and read and written through libcurl, kept, closed
 *   fetch_peer.c       the servers they go to
 *   fetch_tls.c        what is said to OpenSSL about them
 *   fetch_h2.c         connections of HTTP/2, and the fetches that ride them together
 *   fetch_h2_session.c nghttp2 on such a connection
 *   fetch_feed.c       what it brings for a fetch
 *   fetch_multi.c      libcurl's multi handle in our loop: its timer and its sockets
 *
 * libcurl resolves, connects and moves the bytes (CURLOPT_CONNECT_ONLY, curl_easy_send and
 * curl_easy_recv); HTTP/1 on top of it is ours. No handler is ever called from inside libcurl.
 *
 * Handlers may cancel their own fetch from inside a call: while fetch->busy it is only marked, and
 * goes when the call has returned.
 *
 * Threads: the loop's own.
 */
#include <curl/curl.h>

#include "base/hash.h"
#include "base/list.h"
#include "fetch/fetch.h"
#include "http/framing.h"

enum {
    FETCH_FIELDS_MAX = 256,        /* lines of a response head */
    FETCH_INFORMATIONAL_MAX = 32,  /* 1xx heads before the final one */
    FETCH_SPARES_MAX = 64,         /* fetches, and connections' handles, kept for later */
    FETCH_TEXT_BYTES_KEPT = 16384, /* memory for request text a spare fetch may hold */
    FETCH_SCRATCH_BYTES = 64 * 1024,
    FETCH_FIRST_BYTES = 16 * 1024, /* read at once while the head is not there */
    FETCH_PIECE_BYTES = 16 * 1024, /* of a request body */
    FETCH_TURN_BYTES = 256 * 1024, /* read or written before others have their turn */
    FETCH_DIRECT_BYTES = 8 * 1024, /* the least worth reading to its place at once */
    FETCH_URL_BYTES = 300,
    FETCH_PEER_SLOTS_MIN = 64,
    FETCH_PEERS_RESTING_MAX = 256, /* servers remembered without a connection */
    FETCH_REFUSALS_MAX = 2,   /* HTTP/2: so often a request nobody acted on is sent once more */
    FETCH_ADDRESS_BYTES = 48, /* a literal address and its end */
};

struct fetch_conn;
struct fetch_h2; /* fetch_h2_private.h */

/* What follows the final head (RFC 9112 6.3). */
enum fetch_framing {
    FETCH_BODY_NONE,
    FETCH_BODY_LENGTH,
    FETCH_BODY_CHUNKED,
    FETCH_BODY_CLOSE,  /* up to the end of the connection */
    FETCH_BODY_STREAM, /* HTTP/2: up to the end of the stream */
    FETCH_TUNNEL,      /* no HTTP any more */
};

struct fetch {
    uint32_t magic;
    struct fetch_pool *pool;
    struct fetch_conn *conn; /* NULL: none yet, or no more */
    const struct fetch_origin *origin;
    char address[FETCH_ADDRESS_BYTES]; /* "": any of the host's */
    struct list node;                  /* pool->active or pool->spares */
    struct list work_node;             /* pool->work: the task will look at it */
    const struct fetch_handler *handler;
    void *ctx;
    struct loop_timer deadline;
    uint64_t start_us;
    uint64_t activity_us; /* since when the deadline counts */
    uint64_t halt_us;     /* since when our own side holds it up; 0: it does not */
    uint64_t halted_us;   /* for so long it did before */
    struct fetch_result result;
    struct fetch_patience patience; /* first_byte and idle: what counts; total 0: no bound */

    bool busy;      /* one of its handlers is being called */
    bool cancelled; /* no handler is called any more */
    bool over;      /* result is final */
    bool dirty;     /* batch is due */
    bool connected; /* the request goes out */
    bool may_retry; /* a kept connection found dead: once more on a fresh one */
    bool is_head;

    /* ---- the request ---- */
    char *text; /* its head */
    size_t text_len;
    size_t text_capacity;
    char *piece;     /* a framed piece of its body, when it has one */
    const char *out; /* bytes still to be written, in text or piece */
    size_t out_len;
    bool has_body;
    bool body_paused;     /* the handler has no more for now */
    bool is_held;         /* fetch_hold_back */
    bool body_ended;      /* all of it is in `out` or written; or given up */
    bool body_given_up;   /* the origin answered without waiting for it */
    uint64_t body_length; /* UINT64_MAX: chunked */
    uint64_t body_sent;

    /* ---- the response ---- */
    bool head_done;   /* handler.head was called */
    bool paused;      /* the handler wants no more for now */
    bool may_keep;    /* the origin lets the connection live on */
    uint64_t keep_us; /* for so long, as far as the origin says */
    enum fetch_framing framing;
    uint64_t body_left; /* FETCH_BODY_LENGTH */
    struct http_chunk_decoder chunks;
    unsigned informational_count;
    char *head; /* a head that did not come in one piece */
    size_t head_len;
    size_t head_capacity;
    char *held; /* bytes read before the handler paused */
    size_t held_len;
    size_t held_capacity; /* HTTP/2 */
    struct http_response response;

    /* ---- HTTP/2 ---- */
    bool shares;           /* may use a connection together with others */
    bool stream_closed;    /* on both sides */
    bool stream_ended;     /* the response is complete, some of it held back; conn is NULL */
    bool stream_bad;       /* nghttp2 did not like what came, and resets it */
    bool body_deferred;    /* nghttp2 waits to be told that there is more of the request body */
    unsigned refusals;     /* times the origin did not take it */
    int32_t stream;        /* 0: none */
    struct list ride_node; /* conn->waiting, or the riders of its connection */

    /* ---- a tunnel ---- */
    struct span upgrade; /* what was offered; in text */
    uint64_t tunnel_idle_us;
    bool input_ended;  /* the origin sends no more */
    bool output_ended; /* it was told that we send no more */
};

enum fetch_peer_protocol {
    FETCH_PEER_UNKNOWN, /* what it chooses by ALPN */
    FETCH_PEER_H1,
    FETCH_PEER_H2,
};

/* One server to connect to. */
struct fetch_peer {
    struct fetch_pool *pool;
    struct fetch_peer *next; /* in its slot */
    uint64_t hash;
    struct list rest_node; /* pool->resting, without a connection */
    struct list idle;      /* its kept connections, the latest first */
    unsigned idle_count;
    unsigned conn_count;
    unsigned port;
    char *host;
    struct sockaddr_storage from; /* AF_UNSPEC: wherever */
    bool has_tls;
    struct fetch_tls tls; /* all in it is its own */
    CURLSH *sessions;     /* TLS sessions to resume */
    struct list shared;   /* connections that carry many fetches, or may come to */
    enum fetch_peer_protocol protocol;
};

struct fetch_conn {
    uint32_t magic;
    struct fetch_pool *pool;
    CURL *easy;
    struct fetch_peer *peer;
    struct fetch *fetch;               /* who uses it; NULL: kept for later, or a spare handle */
    struct list node;                  /* pool->spare_conns */
    struct list idle_node;             /* peer->idle */
    struct list age_node;              /* pool->idle, the oldest first */
    uint64_t idle_until_us;            /* when a kept one is closed */
    char address[FETCH_ADDRESS_BYTES]; /* as its first fetch wanted it */
    int fd;                            /* -1: not connected */
    bool in_multi;
    bool is_used; /* has carried a request */
    uint64_t told_connect_timeout_us;
    char url[FETCH_URL_BYTES]; /* what the handle was told */
    struct curl_slist *connect_to;
    bool is_shared;         /* HTTP/2 was, or will be, offered */
    bool speaks_h2;         /* and chosen */
    struct fetch_h2 *h2;    /* NULL: not HTTP/2 */
    struct list share_node; /* peer->shared */
    struct list waiting;    /* fetches that would ride it once it is ready */
    unsigned waiting_count;
    int alert;        /* TLS: the origin's, as of OpenSSL; 0: none */
    bool is_denied;   /* the system gave us no socket */
    bool is_homeless; /* or not from that address */
    char error[CURL_ERROR_SIZE];
};

/* One of libcurl's sockets. */
struct fetch_socket {
    struct loop_watch watch;
    struct fetch_pool *pool;
    struct fetch_conn *conn; /* whose it is, once connected: then libcurl does not wait for it */
};

struct fetch_pool {
    struct loop *loop;
    struct fetch_pool_options options;
    CURLM *multi;
    bool timeout_due;
    struct loop_timer timer;      /* libcurl's */
    struct loop_timer idle_timer; /* closes what is kept for too long */
    uint64_t idle_due_us;         /* when it fires; UINT64_MAX: it does not */
    struct loop_task task;
    struct list active;
    struct list spares;
    unsigned spare_count;
    struct list work;
    struct list h2_all;  /* sessions */
    struct list h2_work; /* those the task will look at */
    struct list spare_conns;
    CURLSH *no_sessions; /* what a handle shares that has no TLS, see fetch_conn.c */
    unsigned spare_conn_count;
    struct list idle; /* kept connections */
    unsigned idle_count;
    struct fetch_peer **peers; /* slots, a power of two of them */
    size_t peer_slots, peer_count;
    struct hash_seed peer_seed;
    struct list resting; /* peers without a connection, the longest first */
    unsigned resting_count;
    struct fetch_socket **sockets; /* by descriptor */
    size_t socket_count;
    struct fetch_pool_figures figures;
    struct http_field items[FETCH_FIELDS_MAX]; /* of the head being judged */
    char scratch[FETCH_SCRATCH_BYTES];         /* what is being read */
};

enum fetch_io {
    FETCH_IO_DONE,  /* *count bytes, at least one */
    FETCH_IO_AGAIN, /* nothing now */
    FETCH_IO_END,   /* the peer ended it in good order */
    FETCH_IO_BROKEN,
};

/* ---- fetch.c ---- */

/* Its connection is up: the request may go out. */
void fetch_connected(struct fetch *fetch);
/* Why its connection could not be had. out: in words. */
enum fetch_fault fetch_connect_fault(const struct fetch_conn *conn, CURLcode code, char *out,
                                     size_t size);
/* Looks for a connection, kept, shared or new. */
void fetch_go(struct fetch *fetch);
/* Leaves its connection and looks for another one: nothing has come of the request. */
void fetch_again(struct fetch *fetch);
/* Our own side holds it up from now on, or no longer: `paused` or `body_paused` has changed. */
void fetch_halt_note(struct fetch *fetch);
/* Its connection has something to read or room to write. */
void fetch_ready(struct fetch *fetch, uint32_t events);
/* The task will look at it at the end of this round. */
void fetch_work(struct fetch *fetch);
/* Ends it: the connection is kept or closed, batch and done are called, the fetch is gone. The
 * first fault counts; FETCH_OK: the response is complete. */
void fetch_end(struct fetch *fetch, enum fetch_fault fault, const char *detail, bool keep);
/* Its connection ended without a head: true when it goes out once more. */
bool fetch_retry(struct fetch *fetch);
/* Waits for what it needs now: input unless paused, room to write when there is something. */
void fetch_watch(struct fetch *fetch);

/* ---- fetch_proxy_header.c ---- */

#define FETCH_PROXY_HEADER_BYTES 108 /* always enough */

/* Writes the header. Returns its length; 0: none is wanted. */
size_t fetch_proxy_header_write(char *out, const struct fetch_request *request);

/* ---- fetch_request.c ---- */

/* Puts the head together. False without memory. */
bool fetch_text_build(struct fetch *fetch, const struct fetch_request *request);
/* Writes what there is and can be. pull: may ask the handler for more of the body. False: the fetch
 * is gone. */
bool fetch_write(struct fetch *fetch, bool pull);

/* ---- fetch_response.c ---- */

/* Reads and hands on what there is, first what was held back. False: the fetch is gone. */
bool fetch_read(struct fetch *fetch);

/* What to do after a piece. */
enum fetch_step {
    FETCH_STEP_MORE,
    FETCH_STEP_WHOLE, /* the response is complete */
    FETCH_STEP_BAD,   /* fault and detail are set */
    FETCH_STEP_GONE,  /* cancelled by its handler */
};

/* Appends to a head that comes in pieces. False without memory. */
bool fetch_head_append(struct fetch *fetch, struct span data);
/* A whole head; busy is set. */
enum fetch_step fetch_head_judge(struct fetch *fetch, struct span head);
/* Hands on bytes of a body that are not coded, no more than belong to it; busy is set. */
enum fetch_step fetch_length_take(struct fetch *fetch, struct span *data);

/* ---- fetch_feed.c: for fetches that ride HTTP/2 ---- */

enum fetch_feed {
    FETCH_FEED_MORE,
    FETCH_FEED_LAST,
    FETCH_FEED_LATER, /* fetch_h2_resume follows */
    FETCH_FEED_GONE,
};

/* The head in fetch->head. False, as with the others: the fetch is gone. */
bool fetch_feed_head(struct fetch *fetch);
/* *used: bytes that need not be held back. */
bool fetch_feed_data(struct fetch *fetch, struct span data, size_t *used);
/* What was held back. */
bool fetch_feed_held(struct fetch *fetch);
/* The origin has ended the stream. */
void fetch_feed_end(struct fetch *fetch);
/* Hands on what was held back of a stream that has ended. */
void fetch_feed_rest(struct fetch *fetch);
/* The stream was broken off. is_refused: the origin has not acted on the request. */
void fetch_feed_reset(struct fetch *fetch, const char *reason, bool is_refused);
/* Its connection has ended. problem: the origin's fault, or NULL. */
void fetch_feed_broken(struct fetch *fetch, const char *problem);
/* More of the request body. */
enum fetch_feed fetch_feed_body(struct fetch *fetch, char *out, size_t size, size_t *got);

/* ---- fetch_h2.c ---- */

/* Gets on a connection of others, or waits for one. False: there is none. */
bool fetch_h2_board(struct fetch *fetch);
/* The origin has chosen HTTP/2; conn->fetch is the first on it. False without memory. */
bool fetch_h2_opened(struct fetch_conn *conn);
/* A fetch goes that has only waited for it. */
void fetch_h2_left(struct fetch_h2 *h2, const struct fetch *fetch);
/* The fetch goes; its stream is reset unless it is closed. */
void fetch_h2_leave(struct fetch *fetch);
/* It wants more, or has more to send. */
void fetch_h2_resume(struct fetch *fetch);
/* Reads and writes, and sees to those who wait. Not from inside its callbacks. */
void fetch_h2_run(struct fetch_h2 *h2, bool may_read);
void fetch_h2_work_later(struct fetch_h2 *h2);
/* Those that were put off. */
void fetch_h2_work(struct fetch_pool *pool);
/* With a word to the origin; its connection is closed by the caller. */
void fetch_h2_close(struct fetch_h2 *h2);
struct fetch_conn *fetch_h2_conn(const struct list *node);

/* ---- fetch_peer.c ---- */

/* NULL: unknown. */
struct fetch_peer *fetch_peer_find(struct fetch_pool *pool, const struct fetch_origin *origin);
/* For one more connection. */
struct fetch_peer *fetch_peer_join(struct fetch_pool *pool, const struct fetch_origin *origin);
void fetch_peer_leave(struct fetch_peer *peer);
void fetch_peers_init(struct fetch_pool *pool);
void fetch_peers_fini(struct fetch_pool *pool);

/* ---- fetch_tls.c ---- */

void fetch_tls_copy(struct fetch_tls *to, const struct fetch_tls *from);
void fetch_tls_drop(struct fetch_tls *tls);
/* May a connection made by one serve the other? */
bool fetch_tls_is_same(const struct fetch_tls *a, const struct fetch_tls *b);
/* Tells the handle of a connection that is to be opened. */
bool fetch_tls_setup(struct fetch_conn *conn);
/* Of a connect that failed with code; FETCH_OK: it is not about TLS. out: in words. */
enum fetch_fault fetch_tls_fault(const struct fetch_conn *conn, CURLcode code, char *out,
                                 size_t size);
/* Was the connection ended by the origin's TLS alert? out: in words. */
bool fetch_tls_refused(const struct fetch_conn *conn, char *out, size_t size);

/* ---- fetch_tunnel.c ---- */

/* A 101 was read. False: it may not be believed. */
bool fetch_tunnel_begin(struct fetch *fetch);
/* The origin ended its side. FETCH_IO_END: both have ended; FETCH_IO_AGAIN: it goes on. */
enum fetch_io fetch_tunnel_input_ended(struct fetch *fetch);
/* Asks the handler for more to send. False: the fetch is gone. */
bool fetch_tunnel_pull(struct fetch *fetch);
/* What there was is written, or cannot be: shuts our side when it is time. False: the fetch is
 * gone. */
bool fetch_tunnel_written(struct fetch *fetch);
/* Closing its connection is to reset it, if it is a tunnel. */
void fetch_tunnel_reset(const struct fetch *fetch);
/* Ends it as not in good order. */
void fetch_tunnel_cut(struct fetch *fetch);

/* ---- fetch_conn.c ---- */

/* A kept connection on which nothing has happened, or NULL. */
struct fetch_conn *fetch_conn_take(const struct fetch *fetch);
/* Begins a new one; fetch_connected or fetch_connect_failed follows, never from inside. NULL:
 * libcurl or memory refused. */
struct fetch_conn *fetch_conn_open(struct fetch *fetch, bool is_shared);
/* libcurl is to look at this connect once more. */
void fetch_conn_push(struct fetch_conn *conn);
/* libcurl is through with connecting. */
void fetch_conn_opened(struct fetch_conn *conn, CURLcode code);
/* What a read would find; FETCH_IO_AGAIN: nothing, as it should be before anybody has asked. */
enum fetch_io fetch_conn_peek(struct fetch_conn *conn);
enum fetch_io fetch_conn_read(struct fetch_conn *conn, char *to, size_t size, size_t *count);
enum fetch_io fetch_conn_write(struct fetch_conn *conn, const char *from, size_t size,
                               size_t *count);
uint64_t fetch_conn_connect_us(const struct fetch_conn *conn);
/* Nobody uses it now: stays for the next one who comes before max_us are over, as one of at most
 * so many of its server. */
void fetch_conn_keep(struct fetch_conn *conn, unsigned most, uint64_t max_us);
bool fetch_conn_is_kept(const struct fetch_conn *conn);
/* It is used again. */
void fetch_conn_unkeep(struct fetch_conn *conn);
/* In whatever state it is; nobody uses it or waits for it. */
void fetch_conn_close(struct fetch_conn *conn);
void fetch_conns_init(struct fetch_pool *pool);
void fetch_conns_fini(struct fetch_pool *pool);

/* ---- fetch_multi.c ---- */

void fetch_multi_init(struct fetch_pool *pool);
void fetch_multi_fini(struct fetch_pool *pool);
/* libcurl asked to be called at once. */
void fetch_multi_run_due(struct fetch_pool *pool);
/* The sockets libcurl opens for a connection (CURLOPT_OPENSOCKETFUNCTION), and closes for the pool
 * (...CLOSE...). */
curl_socket_t fetch_socket_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address);
int fetch_socket_close(void *ctx, curl_socket_t fd);
/* From now on its events are the connection's, not libcurl's. False: unknown descriptor. */
bool fetch_socket_adopt(struct fetch_conn *conn);
/* events as of epoll; 0: none. Only after fetch_socket_adopt. */
void fetch_socket_watch(const struct fetch_conn *conn, uint32_t events);
#endif
