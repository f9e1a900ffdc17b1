/*
 * door - libmicrohttpd calls on_request several times for one request: at the head, for each piece
 * of the body, at its end, and once more after a job. Replies are queued only in the last two.
 *
 * This file and events.c alone include microhttpd.h.
 */
#include "admin/door.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "admin/guests.h"
#include "admin/json.h"
#include "admin/private.h"
#include "admin/problem.h"
#include "admin/request.h"
#include "admin/route.h"
#include "base/log.h"
#include "base/mem.h"

#define DOOR_MAGIC 0x646f6f72u
#define VISIT_MAGIC 0x76697369u
#define DOOR_CONNECTIONS 512u
#define DOOR_ROOM 448u   /* the rest is for those that are on their way out */
#define DOOR_WAIT_S 10u  /* without a byte, before a whole request is here */
#define DOOR_SERVE_S 30u /* later, and between requests */
#define DOOR_CONNECTION_BYTES ((size_t)32768)
/* Of a body that is too large; then we hang up. */
#define DOOR_DISCARD_MAX_BYTES ((size_t)8 << 20)

struct door {
    uint32_t magic;
    struct admin *admin;
    bool is_local;
    struct guests guests;
    struct MHD_Daemon *daemon;
};

/* One request with its place between the calls. */
struct visit {
    uint32_t magic;
    struct job job;
    struct admin_request request;
    const struct route *route;
    bool judged;
    bool done;
    bool too_large;
    size_t discarded;
};

/* ---- what handlers use ---- */

static const char *lookup(const struct admin_request *request, enum MHD_ValueKind kind,
                          const char *name)
{
    return MHD_lookup_connection_value(request->connection, kind, name);
}

const char *request_header(const struct admin_request *request, const char *name)
{
    return lookup(request, MHD_HEADER_KIND, name);
}

const char *request_query(const struct admin_request *request, const char *name)
{
    return lookup(request, MHD_GET_ARGUMENT_KIND, name);
}

const char *request_cookie(const struct admin_request *request, const char *name)
{
    return lookup(request, MHD_COOKIE_KIND, name);
}

struct buf *reply_begin(struct admin_request *request, unsigned status, const char *type)
{
    request->reply.status = status;
    request->reply.type = type;
    request->reply.fixed = (struct span){0};
    buf_clear(&request->reply.body);
    return &request->reply.body;
}

void reply_json(struct admin_request *request, unsigned status, struct json *json)
{
    json_init(json, reply_begin(request, status, "application/json"));
}

void reply_header(struct admin_request *request, const char *name, const char *fmt, ...)
{
    struct admin_reply *reply = &request->reply;
    va_list args;

    CHECK(reply->header_count < REQUEST_HEADERS);
    struct reply_header *header = &reply->headers[reply->header_count++];
    header->name = name;
    va_start(args, fmt);
    (void)vsnprintf(header->value, sizeof(header->value), fmt, args);
    va_end(args);
}

/* ---- who it is ---- */

/* The peer as text; of IPv6 only the /64, since anyone has all the rest. */
static void peer_text(const struct sockaddr *peer, char *out, size_t size)
{
    if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)peer;
        (void)inet_ntop(AF_INET, &v4->sin_addr, out, (socklen_t)size);
    } else if (peer->sa_family == AF_INET6) {
        struct in6_addr address = ((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&address)) {
            (void)inet_ntop(AF_INET, &address.s6_addr[12], out, (socklen_t)size);
            return;
        }
        memset(&address.s6_addr[8], 0, 8);
        (void)inet_ntop(AF_INET6, &address, out, (socklen_t)size);
    } else {
        (void)snprintf(out, size, "-");
    }
}

static bool peer_is_loopback(const struct sockaddr *peer)
{
    if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)peer;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (peer->sa_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
    }
    return false;
}

static void identify_peer(struct admin_request *request, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info;

    if (request->is_local) {
        struct ucred peer = {.uid = (uid_t)-1};
        socklen_t len = sizeof(peer);
        info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info != NULL &&
            getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
            request->is_trusted = peer.uid == 0 || peer.uid == geteuid();
        }
        (void)snprintf(request->address, sizeof(request->address), "unix:%u", (unsigned)peer.uid);
        return;
    }
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == NULL || info->client_addr == NULL) {
        (void)snprintf(request->address, sizeof(request->address), "-");
        return;
    }
    peer_text(info->client_addr, request->address, sizeof(request->address));
    request->is_loopback = peer_is_loopback(info->client_addr);
}

/* Plain HTTP is for loopback and the networks named in the configuration. */
static enum MHD_Result on_accept(void *ctx, const struct sockaddr *peer, socklen_t len)
{
    struct door *door = ctx;

    (void)len;
    if (door->is_local || peer_is_loopback(peer)) {
        return MHD_YES;
    }
    struct conf *conf = service_conf(door->admin->service);
    bool allowed = conf_networks_match(&conf->admin.plain_http_from, peer);
    conf_unref(conf);
    if (!allowed) {
        char address[48];
        peer_text(peer, address, sizeof(address));
        log_warn("admin_peer_refused", "address=%s", address);
    }
    return allowed ? MHD_YES : MHD_NO;
}

static struct guest *guest_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info == NULL ? NULL : info->socket_context;
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct door *door = ctx;
    struct guest *guest = *state;

    CHECK_OBJ(door, DOOR_MAGIC);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *state = info == NULL ? NULL : guest_new(&door->guests, info->connect_fd);
    } else if (guest != NULL) {
        guest_free(&guest);
        *state = NULL;
    }
}

/* ---- one request ---- */

static struct visit *visit_new(struct door *door, struct MHD_Connection *connection,
                               const char *url, const char *method)
{
    struct visit *visit = mem_new(sizeof(*visit));
    struct admin_request *request = &visit->request;
    uint64_t number = atomic_fetch_add_explicit(&door->admin->requests, 1, memory_order_relaxed);

    visit->magic = VISIT_MAGIC;
    request->admin = door->admin;
    request->connection = connection;
    request->method = method;
    request->path = url;
    request->is_local = door->is_local;
    request->conf = service_conf(door->admin->service);
    buf_init(&request->body, REQUEST_BODY_MAX_BYTES);
    buf_init(&request->reply.body, REQUEST_REPLY_MAX_BYTES);
    (void)snprintf(request->id, sizeof(request->id), "%08x%08llx", door->admin->id_prefix,
                   (unsigned long long)(number & 0xffffffffu));
    identify_peer(request, connection);
    return visit;
}

static void visit_free(struct visit *visit)
{
    conf_unref(visit->request.conf);
    buf_free(&visit->request.body);
    buf_free(&visit->request.reply.body);
    visit->magic = 0;
    mem_free(visit);
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    /* Refused only for want of memory or for a line break in the value; both leave the header out.
     */
    (void)MHD_add_response_header(response, name, value);
}

static void add_headers(struct MHD_Response *response, const struct visit *visit)
{
    static const char *const fixed[][2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
         "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
    };
    const struct admin_reply *reply = &visit->request.reply;
    bool says_caching = false;

    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        add_header(response, fixed[i][0], fixed[i][1]);
    }
    for (unsigned i = 0; i < reply->header_count; i++) {
        add_header(response, reply->headers[i].name, reply->headers[i].value);
        says_caching = says_caching || strcmp(reply->headers[i].name, "Cache-Control") == 0;
    }
    if (!says_caching) {
        add_header(response, "Cache-Control", "no-store");
    }
    if (reply->type != NULL) {
        add_header(response, "Content-Type", reply->type);
    }
    add_header(response, "X-Request-Id", visit->request.id);
}

static bool session_is_open(void *ctx, uint64_t session)
{
    return auth_session_is_open(ctx, session);
}

static struct MHD_Response *make_response(struct visit *visit)
{
    struct admin_request *request = &visit->request;
    struct admin *admin = request->admin;

    if (request->reply.is_stream) {
        struct MHD_Response *stream =
            events_open(admin->events, request->connection, buf_span(&request->reply.body),
                        session_is_open, admin->auth, request->who.session);
        if (stream != NULL) {
            return stream;
        }
        request->reply.is_stream = false;
        problem_reply(request, PROBLEM_BUSY, "at most %u event streams at once", EVENTS_STREAMS);
        reply_header(request, "Retry-After", "5");
    }
    if (request->reply.body.failed) {
        problem_reply(request, PROBLEM_INTERNAL, "the answer is too large, or there is no memory");
    }
    struct span body =
        request->reply.fixed.ptr != NULL ? request->reply.fixed : buf_span(&request->reply.body);
    /* libmicrohttpd only reads it; fixed bytes live for ever, the buffer as long as the visit,
     * which ends after the response is sent. */
    return MHD_create_response_from_buffer(body.len, span_unconst(body.len == 0 ? "" : body.ptr),
                                           MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result visit_reply(struct visit *visit, struct MHD_Connection *connection)
{
    struct MHD_Response *response = make_response(visit);

    if (response == NULL) {
        return MHD_NO;
    }
    add_headers(response, visit);
    enum MHD_Result result = MHD_queue_response(connection, visit->request.reply.status, response);
    MHD_destroy_response(response);
    return result;
}

static void visit_job(struct job *job)
{
    struct visit *visit = CONTAINER_OF(job, struct visit, job);
    struct MHD_Connection *connection = visit->request.connection;

    visit->route->run(&visit->request);
    visit->done = true;
    MHD_resume_connection(connection); /* from here on the visit is the door's again */
}

static enum MHD_Result visit_judge(struct visit *visit, struct MHD_Connection *connection)
{
    struct guest *guest = guest_of(connection);

    visit->judged = true;
    if (guest != NULL) {
        guest_is_served(guest);
    }
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, DOOR_SERVE_S);
    visit->route = route_admit(&visit->request, visit->too_large);
    if (visit->route == NULL || !visit->route->is_slow) {
        if (visit->route != NULL) {
            visit->route->run(&visit->request);
        }
        visit->done = true;
        return visit_reply(visit, connection);
    }
    visit->job.run = visit_job;
    MHD_suspend_connection(connection); /* before the push: the job may be done at once */
    if (!jobs_push(visit->request.admin->jobs, &visit->job)) {
        problem_reply(&visit->request, PROBLEM_BUSY, "too many purges or reloads wait already");
        reply_header(&visit->request, "Retry-After", "2");
        visit->done = true;
        MHD_resume_connection(connection);
    }
    return MHD_YES;
}

static enum MHD_Result visit_body(struct visit *visit, const char *data, size_t *size)
{
    buf_append(&visit->request.body, span_of(data, *size));
    if (visit->request.body.failed) {
        visit->too_large = true;
        visit->discarded += *size;
    }
    *size = 0;
    return visit->discarded > DOOR_DISCARD_MAX_BYTES ? MHD_NO : MHD_YES;
}

/* libmicrohttpd gives the parameters. */
/* NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    struct door *door = ctx;
    struct visit *visit = *state;

    (void)version;
    CHECK_OBJ(door, DOOR_MAGIC);
    if (visit == NULL) {
        *state = visit_new(door, connection, url, method);
        return MHD_YES;
    }
    CHECK_OBJ(visit, VISIT_MAGIC);
    if (*size > 0) {
        return visit_body(visit, data, size);
    }
    if (!visit->judged) {
        return visit_judge(visit, connection);
    }
    return visit->done ? visit_reply(visit, connection) : MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct visit *visit = *state;
    struct guest *guest = guest_of(connection);

    (void)ctx;
    (void)code;
    if (guest != NULL) {
        guest_waits(guest);
    }
    if (visit != NULL) {
        CHECK_OBJ(visit, VISIT_MAGIC);
        visit_free(visit);
        *state = NULL;
    }
}

static void on_log(void *ctx, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));

static void on_log(void *ctx, const char *fmt, va_list args)
{
    char text[256];
    char shown[512];

    (void)ctx;
    (void)vsnprintf(text, sizeof(text), fmt, args);
    log_debug("admin_daemon", "text=\"%s\"", log_escape(shown, sizeof(shown), span_str(text)));
}

struct door *door_open(struct admin *admin, int fd, bool is_local)
{
    struct door *door = mem_new(sizeof(*door));

    door->magic = DOOR_MAGIC;
    door->admin = admin;
    door->is_local = is_local;
    guests_init(&door->guests, DOOR_ROOM);
    door->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG,
        0, on_accept, door, on_request, door, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, DOOR_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, DOOR_WAIT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        DOOR_CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, door, MHD_OPTION_END);
    if (door->daemon == NULL) {
        (void)close(fd);
        mem_free(door);
        return NULL;
    }
    return door;
}

void door_close(struct door **door)
{
    if (*door != NULL) {
        CHECK_OBJ(*door, DOOR_MAGIC);
        MHD_stop_daemon((*door)->daemon);
        (*door)->magic = 0;
        mem_free(*door);
        *door = NULL;
    }
}
