#ifndef FETCH_FETCH_PRIVATE_H
#define FETCH_FETCH_PRIVATE_H
/*
 * fetch_private - the inside of the fetch layer, not for others.
 *
 *   fetch.c          one fetch: its callbacks, validation of what comes, flow, its deadline
 *   fetch_multi.c    the pool: libcurl's timer on our loop, completion, cancelling
 *   fetch_socket.c   libcurl's sockets, and whether a kept connection may be used
 *   fetch_options.c  what libcurl is told about a request
 *
 * A struct fetch and its easy handle live together and are used again and again, so that only what
 * differs between requests is told to libcurl.
 *
 * libcurl is never entered from one of its own callbacks. While it runs (pool->in_curl), starting
 * is put off to the pool's task by libcurl's own zero timer, resuming and cancelling by our lists.
 *
 * Threads: the loop's own.
 */
#include <curl/curl.h>

#include "base/list.h"
#include "fetch/fetch.h"

enum {
    FETCH_FIELDS_MAX = 256,        /* lines of a response head */
    FETCH_INFORMATIONAL_MAX = 32,  /* 1xx heads before the final one */
    FETCH_IDLE_HANDLES_MAX = 128,  /* kept for later */
    FETCH_TEXT_BYTES_KEPT = 16384, /* request text memory a kept handle may hold */
    FETCH_BUFFER_BYTES =
        100 * 1024, /* libcurl maps and unmaps receive buffers of 128 KB and more */
    FETCH_URL_BYTES = 300,
    FETCH_PORT_SLOTS = 256,
};

enum fetch_method {
    FETCH_METHOD_UNSET,
    FETCH_METHOD_GET,
    FETCH_METHOD_HEAD,
    FETCH_METHOD_UPLOAD,
};

struct fetch {
    uint32_t magic;
    struct fetch_pool *pool;
    CURL *easy;
    struct list node;       /* pool->active or pool->idle */
    struct list dirty_node; /* pool->dirty: batch is due */
    struct list work_node;  /* pool->resumed, ->early, ->finished or ->doomed */
    const struct fetch_handler *handler;
    void *ctx;
    struct loop_timer deadline;
    uint64_t start_us;
    uint64_t activity_us; /* since when the deadline counts */
    uint64_t connect_timeout_us;
    uint64_t first_byte_timeout_us;
    uint64_t idle_timeout_us;

    bool in_multi;
    bool cancelled;   /* no handler is called any more */
    bool finished;    /* result is final; done is due */
    bool connected;   /* the request goes out */
    bool head_done;   /* handler.head was called */
    bool paused;      /* download: the handler wants no more for now */
    bool body_paused; /* upload: the handler has no more for now */
    bool has_body;
    bool body_ended; /* libcurl has all of it */
    bool is_head;
    bool line_stale;      /* libcurl chose a kept connection that must not be used */
    bool may_retry;       /* a pooled connection found dead: once more on a fresh one */
    uint64_t body_length; /* UINT64_MAX: unknown */
    uint64_t body_sent;
    unsigned informational_count;
    struct fetch_result result;

    /* the response head under way: raw lines */
    char *head;
    size_t head_len;
    size_t head_capacity;
    struct http_response response;

    /* what libcurl was told, and the memory it points into */
    enum fetch_method method;
    bool custom_method;
    bool fresh;
    uint64_t told_connect_timeout_us;
    char url[FETCH_URL_BYTES];
    char *text; /* target, header lines */
    size_t text_capacity;
    struct curl_slist *lines;
    unsigned lines_capacity;
    char error[CURL_ERROR_SIZE];
};

/* One of libcurl's sockets. */
struct fetch_socket {
    struct loop_watch watch;
    struct fetch_pool *pool;
    struct list port_node; /* by local port, pool->ports; alone before it is known */
    uint16_t local_port;   /* 0: not known yet */
    uint16_t peer_port;
    bool used;       /* has carried a request */
    uint32_t wanted; /* what libcurl waits for; less than what is registered while the connection
                        idles */
    bool is_ours;    /* opened by us, and we shall hear of its close */
};

struct fetch_pool {
    struct loop *loop;
    struct fetch_pool_options options;
    CURLM *multi;
    bool in_curl;
    bool settling;
    bool timeout_due;
    struct loop_timer timer; /* libcurl's */
    struct loop_task task;
    struct list active;
    struct list idle;
    struct list dirty;
    struct list resumed;
    struct list early; /* answered in full before their request body had come */
    struct list finished;
    struct list doomed;
    unsigned idle_count;
    struct fetch_socket **sockets; /* by descriptor */
    size_t socket_count;
    struct list nameless; /* ours, whose local port is not known yet */
    struct list ports[FETCH_PORT_SLOTS];
    struct fetch_pool_figures figures;
    struct http_field items[FETCH_FIELDS_MAX]; /* of the head being judged */
};

/* ---- fetch.c ---- */

size_t fetch_on_head(char *data, size_t size, size_t count, void *ctx);
size_t fetch_on_data(char *data, size_t size, size_t count, void *ctx);
size_t fetch_on_body(char *out, size_t size, size_t count, void *ctx);
int fetch_on_connected(void *ctx, char *peer, char *local, int peer_port, int local_port);
void fetch_deadline_fire(struct loop_timer *timer);
/* Fills the result of a transfer libcurl is through with. */
void fetch_result_set(struct fetch *fetch, CURLcode code);

/* ---- fetch_multi.c ---- */

/* Ends it with this fault; done follows. Outside libcurl. */
void fetch_fail(struct fetch *fetch, enum fetch_fault fault, const char *detail);
/* batch is due. */
void fetch_dirty(struct fetch *fetch);
/* Puts it on a work list, the pool's task does the rest. */
void fetch_work(struct fetch *fetch, struct list *list);
/* Acts on what libcurl and its callbacks left to do. After each call into libcurl. */
void fetch_settle(struct fetch_pool *pool);

/* ---- fetch_socket.c ---- */

void fetch_sockets_init(struct fetch_pool *pool);
void fetch_sockets_fini(struct fetch_pool *pool);
/* libcurl's CURLMOPT_SOCKETFUNCTION, CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION. */
int fetch_socket_want(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused);
curl_socket_t fetch_socket_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address);
int fetch_socket_close(void *ctx, curl_socket_t fd);
/* What a connection looks like at the moment a request is to be sent on it. */
enum fetch_line {
    FETCH_LINE_CLEAN,
    FETCH_LINE_STALE,   /* kept connection, closed or with bytes nobody asked for */
    FETCH_LINE_TALKING, /* new connection, and the origin spoke first */
};
enum fetch_line fetch_line_check(struct fetch_pool *pool, int local_port, int peer_port);

/* ---- fetch_options.c ---- */

/* What never changes. False without memory. */
bool fetch_options_init(struct fetch *fetch);
/* What this request needs. False without memory. */
bool fetch_options_set(struct fetch *fetch, const struct fetch_request *request);
/* "http://host:port/" into out. False when it does not fit. */
bool fetch_url_write(char out[FETCH_URL_BYTES], const struct fetch_origin *origin);
#endif
