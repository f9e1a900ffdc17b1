#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H
/*
 * fetch - requests to origins: one multi handle of libcurl per worker inside the worker's own loop,
 * pooled easy handles, keep-alive connections. libcurl connects, shakes hands for TLS and carries the
 * bytes; HTTP/1 is framed here, and HTTP/2 with nghttp2, by the same strict rules as on the client's
 * side (http/response.h, http/framing.h), so that nothing an origin sends is believed before it was
 * judged. Names are looked up elsewhere (origin/): requests to them come with an address.
 *
 * Threads:   the loop's own. Ownership: a fetch lives from fetch_start until its done() has
 * returned or fetch_cancel. Request spans are borrowed for the call of fetch_start only. Handlers
 * may call any fetch_* function of their own fetch, also cancel, at any moment.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/span.h"
#include "http/response.h"
#include "net/loop.h"

struct fetch;
struct fetch_pool;
/* Of OpenSSL. */
struct x509_store_st;
struct x509_st;
struct stack_st_X509;
struct evp_pkey_st;

#define FETCH_TLS_1_2 0x0303u
#define FETCH_TLS_1_3 0x0304u

/* How TLS is spoken with an origin. Immutable, belongs to the configuration snapshot; what it
 * refers to may be shared by all threads and is taken another reference of while in use. */
struct fetch_tls {
    bool verify;                 /* no connection unless the certificate is valid for name */
    const char *name;            /* host name (then sent as SNI) or address; never NULL */
    bool http2;                  /* offered to it (ALPN), and used if it chooses it */
    unsigned min_version;        /* FETCH_TLS_1_2 or FETCH_TLS_1_3 */
    struct x509_store_st *trust; /* whom to believe; never NULL with verify */
    struct x509_st *certificate; /* shown to an origin that asks for one; NULL: none */
    struct stack_st_X509 *chain; /* sent behind it; NULL: none */
    struct evp_pkey_st *key;     /* of certificate */
    uint64_t id;                 /* differs when what trust, certificate, chain or key hold does */
};

/* What a connection begins with, to say whose request it carries (HAProxy's PROXY protocol). */
enum fetch_proxy_header {
    FETCH_PROXY_HEADER_NONE,
    FETCH_PROXY_HEADER_V1, /* text */
    FETCH_PROXY_HEADER_V2, /* binary */
};

/* One origin server, immutable, outlives its fetches (it belongs to the configuration snapshot). */
struct fetch_origin {
    const char *name;
    const char *host; /* name or literal address, no brackets */
    unsigned port;
    const struct fetch_tls *tls; /* NULL: plain text */
    /* An address of ours that connections leave from, to addresses of the same family; its port is
     * not read. NULL: the system's choice. */
    const struct sockaddr_storage *from;
    uint64_t connect_timeout_us;
    uint64_t first_byte_timeout_us; /* request sent to first byte of the final head */
    uint64_t idle_timeout_us;       /* between bytes */
    uint64_t total_timeout_us;      /* all of it but what our own side takes; 0: no bound */
    /* Without TLS only; each request then has a connection of its own. */
    enum fetch_proxy_header proxy_header;
    unsigned keepalive;         /* connections kept open for later per worker; 0: none */
    uint64_t keepalive_idle_us; /* so long, unless the origin's Keep-Alive says less */
};

/* How long to wait, in place of what the origin says; 0: as it says. */
struct fetch_patience {
    uint64_t first_byte_us, idle_us, total_us;
};

struct fetch_request {
    const struct fetch_origin *origin;
    /* Where to connect: a literal IPv4 or IPv6 address, no brackets; no resolver is asked then.
     * NULL: wherever libcurl finds origin->host. Copied. */
    const char *address;
    /* For proxy_header: AF_INET or AF_INET6; another family, or NULL: it is not told. */
    const struct sockaddr_storage *client;
    struct span method; /* validated token */
    struct span host;   /* Host field value */
    struct span target; /* origin form, validated: no SP, CTL */
    bool to_proxy; /* origin is a proxy: target goes out as http://HOST and target (RFC 9112 3.2.2),
                      by HTTP/1 */
    const struct span *lines; /* "Name: value", validated: no CR, LF, NUL; without Host,
                                 Content-Length, TE, Connection */
    unsigned line_count;
    bool has_body;
    uint64_t body_length; /* UINT64_MAX: chunked */
    bool may_retry;       /* idempotent and no body: a dead pooled connection is tried once more */
    /* Protocols offered (http/upgrade.h): goes out with the request, on a connection of its own,
     * and a 101 to one of them makes the rest of this fetch a tunnel. Empty: none. */
    struct span upgrade;
    uint64_t tunnel_idle_us; /* without a byte in either direction */
    struct fetch_patience patience;
};

enum fetch_flow {
    FETCH_GO,
    FETCH_PAUSE,  /* this data was taken; give no more until fetch_resume */
    FETCH_CANCEL, /* the caller will not want more; done() is not called */
};

enum fetch_fault {
    FETCH_OK,
    FETCH_DNS,
    FETCH_CONNECT_REFUSED,
    FETCH_CONNECT_TIMEOUT,
    FETCH_TLS_CERTIFICATE, /* the origin's is not valid */
    FETCH_TLS,             /* no agreement, or the origin refused us */
    FETCH_FIRST_BYTE_TIMEOUT,
    FETCH_IDLE_TIMEOUT,
    FETCH_TOTAL_TIMEOUT,
    FETCH_CLOSED,       /* before a complete head */
    FETCH_BAD_RESPONSE, /* head or framing not in the grammar */
    FETCH_INCOMPLETE,   /* body shorter than announced, or a cut chunk stream */
    FETCH_BODY_BAD,     /* the request body could not be delivered (client's fault) */
    FETCH_OUTGOING,     /* no connection can leave from origin->from: it is not ours now */
    FETCH_INTERNAL,
};

struct fetch_result {
    enum fetch_fault fault;
    bool head_seen; /* handler.head was called */
    bool reused_connection;
    bool request_sent;   /* some of it was written on a connection: it may have been acted on */
    bool body_taken;     /* handler.body has given bytes, which it cannot give again */
    bool length_certain; /* body delimited by length or chunks, not by close */
    bool cut;            /* a tunnel that did not end in good order: broken, or idle for too long */
    uint64_t connect_us; /* 0 when reused; with the TLS handshake */
    uint64_t first_byte_us; /* from start */
    uint64_t total_us;
    uint64_t received_bytes; /* of body */
    char detail[96];         /* in words, terminated, printable */
};

struct fetch_handler {
    /* A 1xx other than 100, complete head with its empty line, validated. May be NULL. */
    void (*informational)(void *ctx, struct span head);
    /* The final head; response and its spans are valid for the call. Status 101: what follows is a
     * tunnel: data and body carry raw bytes, the first of these after fetch_resume_body. */
    enum fetch_flow (*head)(void *ctx, const struct http_response *response);
    enum fetch_flow (*data)(void *ctx, struct span data);
    /* Where the next bytes of a body of known length belong: they are then read there, and data is
     * called with just that pointer. NULL, or the call returning NULL: no such place. May be NULL.
     */
    char *(*place)(void *ctx, size_t *room);
    /* Of a tunnel: the origin sends no more, but may still be sent to. May be NULL where no upgrade
     * is offered. */
    void (*ended)(void *ctx);
    /* After each batch of head/data calls: wake readers now. */
    void (*batch)(void *ctx);
    /* Exactly once, unless cancelled; never from inside fetch_start. */
    void (*done)(void *ctx, const struct fetch_result *result);
    /* Request body: fill up to size bytes. *count 0 with FETCH_PAUSE: nothing yet,
     * fetch_resume_body later; 0 with FETCH_GO: the end. FETCH_CANCEL: broken by the client, the
     * origin must not see a complete body. */
    enum fetch_flow (*body)(void *ctx, char *out, size_t size, size_t *count);
};

struct fetch_pool_options {
    struct loop *loop;
    unsigned idle_connections; /* the most kept open for later, all origins together */
    size_t head_bytes_max;     /* of a response head */
};

/* fetch_global_init once per process before any pool. */
void fetch_global_init(void);
struct fetch_pool *fetch_pool_new(const struct fetch_pool_options *options);
/* All fetches must be done or cancelled. */
void fetch_pool_free(struct fetch_pool **pool);
struct fetch *fetch_start(struct fetch_pool *pool, const struct fetch_request *request,
                          const struct fetch_handler *handler, void *ctx);
void fetch_resume(struct fetch *fetch);
void fetch_resume_body(struct fetch *fetch);
/* It is the caller who keeps bytes waiting (its clients' bandwidth), or not any more: meanwhile no
 * silence counts, of a tunnel neither. */
void fetch_hold_back(struct fetch *fetch, bool is_held);
/* How long to wait from now on. */
void fetch_be_patient(struct fetch *fetch, const struct fetch_patience *patience);
/* done() will not be called. Nulls *fetch. Accepts NULL inside. */
void fetch_cancel(struct fetch **fetch);

/* Origin connections of this pool, for the figures. */
struct fetch_pool_figures {
    uint64_t active, requests, connects, reused;
};
void fetch_pool_figures(const struct fetch_pool *pool, struct fetch_pool_figures *out);
#endif
