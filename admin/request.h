#ifndef ADMIN_REQUEST_H
#define ADMIN_REQUEST_H
/*
 * request - one request to the admin server and the answer being made, without libmicrohttpd's
 * types.
 *
 * Threads: the door's, or the job thread while the connection is suspended; never both.
 */
#include <stdbool.h>
#include <stdint.h>

#include "admin/auth.h"
#include "base/buf.h"
#include "base/check.h"
#include "conf/conf.h"

#define REQUEST_BODY_MAX_BYTES ((size_t)1 << 20)
#define REQUEST_REPLY_MAX_BYTES ((size_t)16 << 20)
#define REQUEST_HEADERS 8u

struct admin;

struct reply_header {
    const char *name; /* static */
    char value[256];
};

struct admin_reply {
    unsigned status;
    const char *type; /* static; NULL: no body */
    struct buf body;
    struct span fixed; /* when ptr is set: static bytes in place of body */
    struct reply_header headers[REQUEST_HEADERS];
    unsigned header_count;
    bool is_stream; /* the events, body is the snapshot */
};

struct admin_request {
    struct admin *admin;
    struct conf *conf; /* the one in force when it came */
    const char *method;
    const char *path;
    struct buf body;
    char address[48]; /* of the peer, for limits and logs; "unix:1000" */
    bool is_local;    /* over the Unix socket */
    bool is_loopback;
    bool is_trusted; /* Unix socket and our own user or root */
    char id[24];
    struct auth_identity who;
    struct admin_reply reply;
    void *connection; /* libmicrohttpd's */
};

/* Header, query or cookie of the request; NULL: not sent. Threads as above. */
const char *request_header(const struct admin_request *request, const char *name);
const char *request_query(const struct admin_request *request, const char *name);
const char *request_cookie(const struct admin_request *request, const char *name);

/* Who asks, for logs and histories: "token:NAME", "session:NAME", "unix:1000". Truncated to size. */
void request_by(const struct admin_request *request, char *out, size_t size);

/* Sets status and type and gives the empty body to write to. */
struct buf *reply_begin(struct admin_request *request, unsigned status, const char *type);
/* Starts a JSON answer. */
struct json;
void reply_json(struct admin_request *request, unsigned status, struct json *json);
void reply_header(struct admin_request *request, const char *name, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
#endif
