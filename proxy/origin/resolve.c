/*
 * resolve - see resolve.h. c-ares cannot end one query alone: a cancelled lookup stays until its
 * answers come, without anybody to tell.
 *
 * c-ares asks for A and AAAA at once, and answers when it has both, or has asked for the one that is
 * missing three times. So when a lookup takes as long as one of those times, each family is asked for
 * alone, and what has addresses is told (RFC 8305 section 3). Not sooner: by then c-ares asks again
 * anyway, so a name server that is only slow is not asked more than by c-ares. The lookup as a whole
 * goes on; it has the hosts file, and the order of RFC 6724 over both families.
 */
#include "origin/resolve.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#define TIMEOUT_MS 1000 /* of one question to one server; grows with each round */
#define TRIES 3
#define APART_US (TIMEOUT_MS * UINT64_C(1000)) /* each family is asked for alone from then on */
#define BESIDE_US UINT64_C(50000) /* for the other one, when one is there (RFC 8305 section 8) */
#define IDLE_US UINT64_C(1000000) /* with nothing under way */
#define SERVERS_TEXT_BYTES ((size_t)1024)

struct resolver {
    struct loop *loop;
    ares_channel channel;
    struct loop_timer timer;
    struct list sockets;
    struct list lookups;
};

struct resolver_socket {
    struct list node;
    struct loop_watch watch;
    struct resolver *resolver;
};

struct lookup {
    struct list node;
    struct resolver *resolver;
    struct loop_timer timer; /* tells */
    struct loop_timer early; /* asks for each family alone, then tells what came of that */
    char *host;
    unsigned asked; /* answers that c-ares owes */
    bool is_answered;
    bool is_apart; /* each family was asked for alone */
    struct names_result result, part;
    uint32_t ttl_s, part_ttl_s;
    void (*done)(void *ctx, const struct names_result *result,
                 uint32_t ttl_s); /* NULL: cancelled */
    void *ctx;
};

/* ---- c-ares in the loop ---- */

static void set_timer(struct resolver *resolver)
{
    struct timeval room;
    const struct timeval *left = ares_timeout(resolver->channel, NULL, &room);

    loop_timer_set(resolver->loop, &resolver->timer,
                   left == NULL ? IDLE_US
                                : (uint64_t)left->tv_sec * 1000000 + (uint64_t)left->tv_usec);
}

static void on_timer(struct loop_timer *timer)
{
    struct resolver *resolver = CONTAINER_OF(timer, struct resolver, timer);

    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(resolver);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    const struct resolver_socket *own = CONTAINER_OF(watch, struct resolver_socket, watch);
    struct resolver *resolver = own->resolver;
    int fd = watch->fd;
    bool reads = (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;

    /* own may be gone from here on */
    ares_process_fd(resolver->channel, reads ? fd : ARES_SOCKET_BAD,
                    (events & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD);
    set_timer(resolver);
}

static struct resolver_socket *socket_find(const struct resolver *resolver, int fd)
{
    for (struct list *at = resolver->sockets.next; at != &resolver->sockets; at = at->next) {
        struct resolver_socket *own = CONTAINER_OF(at, struct resolver_socket, node);
        if (own->watch.fd == fd) {
            return own;
        }
    }
    return NULL;
}

static void on_socket(void *ctx, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = ctx;
    struct resolver_socket *own = socket_find(resolver, fd);
    uint32_t events = (readable != 0 ? EPOLLIN : 0u) | (writable != 0 ? EPOLLOUT : 0u);

    if (events == 0) {
        if (own != NULL) {
            loop_watch_remove(resolver->loop, &own->watch);
            list_remove(&own->node);
            mem_free(own);
        }
        return;
    }
    if (own != NULL) {
        loop_watch_change(resolver->loop, &own->watch, events);
        return;
    }
    own = mem_new(sizeof(*own));
    own->watch = (struct loop_watch){.ready = on_ready, .fd = fd};
    own->resolver = resolver;
    list_push(&resolver->sockets, &own->node);
    if (loop_watch_add(resolver->loop, &own->watch, events) != ERR_OK) {
        log_error("resolver_socket", "cannot be watched");
    }
}

/* ---- life ---- */

static bool set_servers(ares_channel channel, const struct conf_names *servers)
{
    struct buf text;

    if (servers->count == 0) {
        return true;
    }
    buf_init(&text, SERVERS_TEXT_BYTES);
    for (size_t i = 0; i < servers->count; i++) {
        buf_printf(&text, "%s%s", i == 0 ? "" : ",", servers->list[i]);
    }
    bool good = !text.failed && ares_set_servers_ports_csv(channel, text.data) == ARES_SUCCESS;
    buf_free(&text);
    return good;
}

static void library_init(void)
{
    CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
}

struct resolver *resolver_new(struct loop *loop, const struct conf_names *servers,
                              enum resolve_kind kind)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct resolver *resolver = mem_new(sizeof(*resolver));
    struct ares_options options = {
        .timeout = TIMEOUT_MS,
        .tries = TRIES,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = resolver,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;

    if (kind == RESOLVE_ABSOLUTE) {
        mask |= ARES_OPT_DOMAINS | ARES_OPT_NDOTS; /* none, and none needed */
    }

    (void)pthread_once(&once, library_init);
    resolver->loop = loop;
    list_init(&resolver->sockets);
    list_init(&resolver->lookups);
    loop_timer_init(&resolver->timer, on_timer);
    if (ares_init_options(&resolver->channel, &options, mask) != ARES_SUCCESS) {
        mem_free(resolver);
        return NULL;
    }
    if (!set_servers(resolver->channel, servers)) {
        log_error("resolver_servers", "not taken; the system's are asked");
    }
    return resolver;
}

static void lookup_free(struct lookup *lookup)
{
    loop_timer_clear(&lookup->timer);
    loop_timer_clear(&lookup->early);
    list_remove(&lookup->node);
    mem_free(lookup->host);
    mem_free(lookup);
}

/* Nobody is to be told any more. */
static void lookup_end(struct lookup *lookup)
{
    lookup->done = NULL;
    loop_timer_clear(&lookup->timer);
    loop_timer_clear(&lookup->early);
    if (lookup->asked == 0) {
        lookup_free(lookup);
    }
}

void resolver_free(struct resolver **resolver_at)
{
    struct resolver *resolver = *resolver_at;

    *resolver_at = NULL;
    if (resolver == NULL) {
        return;
    }
    ares_destroy(resolver->channel); /* ends what is under way */
    CHECK(list_is_empty(&resolver->sockets));
    while (!list_is_empty(&resolver->lookups)) {
        lookup_free(CONTAINER_OF(resolver->lookups.next, struct lookup, node));
    }
    loop_timer_clear(&resolver->timer);
    mem_free(resolver);
}

/* ---- lookups ---- */

static bool has_address(const struct names_result *result, const char *text)
{
    for (unsigned i = 0; i < result->count; i++) {
        if (strcmp(result->addresses[i], text) == 0) {
            return true;
        }
    }
    return false;
}

/* A link-local address is none without an interface. */
static bool address_text(const struct sockaddr *address, char out[ORIGIN_ADDRESS_BYTES])
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

    if (address->sa_family == AF_INET) {
        return inet_ntop(AF_INET, &v4->sin_addr, out, ORIGIN_ADDRESS_BYTES) != NULL;
    }
    return address->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) &&
           inet_ntop(AF_INET6, &v6->sin6_addr, out, ORIGIN_ADDRESS_BYTES) != NULL;
}

static uint32_t take_addresses(struct names_result *result, const struct ares_addrinfo *info)
{
    uint32_t ttl = UINT32_MAX;

    for (const struct ares_addrinfo_cname *at = info->cnames; at != NULL; at = at->next) {
        ttl = at->ttl < 0 || (uint32_t)at->ttl > ttl ? ttl : (uint32_t)at->ttl;
    }
    for (const struct ares_addrinfo_node *at = info->nodes; at != NULL; at = at->ai_next) {
        char text[ORIGIN_ADDRESS_BYTES] = "";
        if (result->count < ORIGIN_ADDRESSES_MAX && address_text(at->ai_addr, text) &&
            !has_address(result, text)) {
            memcpy(result->addresses[result->count++], text, sizeof(text));
            ttl = at->ai_ttl < 0 || (uint32_t)at->ai_ttl > ttl ? ttl : (uint32_t)at->ai_ttl;
        }
    }
    return ttl;
}

/* c-ares owes one answer less. Is it of use to somebody? Else the lookup may be gone. */
static bool is_wanted(struct lookup *lookup, int status)
{
    lookup->asked--;
    if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) {
        return false; /* resolver_free frees it */
    }
    if (lookup->done == NULL) {
        lookup_end(lookup);
        return false;
    }
    return true;
}

static void on_answer(void *ctx, int status, int timeouts, struct ares_addrinfo *info)
{
    struct lookup *lookup = ctx;

    (void)timeouts;
    if (info != NULL) {
        lookup->ttl_s = take_addresses(&lookup->result, info);
        ares_freeaddrinfo(info);
    }
    if (!is_wanted(lookup, status)) {
        return;
    }
    struct names_result *result = &lookup->result;
    if (result->count > 0) {
        result->answer = NAMES_FOUND;
    } else {
        bool is_negative = status == ARES_ENOTFOUND || status == ARES_ENODATA ||
                           status == ARES_SUCCESS || status == ARES_EBADNAME;
        result->answer = is_negative ? NAMES_NEGATIVE : NAMES_FAILED;
        result->is_silent = status == ARES_ETIMEOUT;
        (void)snprintf(result->detail, sizeof(result->detail), "%s",
                       is_negative ? "there is no such name, or it has no address"
                                   : ares_strerror(status));
        lookup->ttl_s = 0;
    }
    if (result->answer == NAMES_FAILED && lookup->part.count > 0) {
        *result = lookup->part;
        lookup->ttl_s = lookup->part_ttl_s;
    }
    result->is_partial = false;
    lookup->is_answered = true;
    loop_timer_clear(&lookup->early);
    loop_timer_set(lookup->resolver->loop, &lookup->timer, 0);
}

static void on_tell(struct loop_timer *timer)
{
    struct lookup *lookup = CONTAINER_OF(timer, struct lookup, timer);

    if (lookup->done != NULL) {
        lookup->done(lookup->ctx, &lookup->result, lookup->ttl_s);
    }
    lookup_end(lookup);
}

/* ---- one family alone ---- */

static void on_part(void *ctx, int status, int timeouts, struct ares_addrinfo *info)
{
    struct lookup *lookup = ctx;
    bool is_first = lookup->part.count == 0;

    (void)timeouts;
    if (info != NULL) {
        uint32_t ttl_s = take_addresses(&lookup->part, info);
        lookup->part_ttl_s = ttl_s < lookup->part_ttl_s ? ttl_s : lookup->part_ttl_s;
        ares_freeaddrinfo(info);
    }
    if (is_wanted(lookup, status) && !lookup->is_answered && is_first && lookup->part.count > 0) {
        lookup->part.answer = NAMES_FOUND;
        lookup->part.is_partial = true;
        loop_timer_set(lookup->resolver->loop, &lookup->early, BESIDE_US);
    }
}

static void ask_apart(struct lookup *lookup)
{
    static const int families[] = {AF_INET, AF_INET6};
    struct resolver *resolver = lookup->resolver;

    lookup->is_apart = true;
    lookup->asked += ARRAY_LEN(families);
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        const struct ares_addrinfo_hints hints = {.ai_family = families[i],
                                                  .ai_socktype = SOCK_STREAM};
        ares_getaddrinfo(resolver->channel, lookup->host, NULL, &hints, on_part, lookup);
    }
    set_timer(resolver);
}

static void on_early(struct loop_timer *timer)
{
    struct lookup *lookup = CONTAINER_OF(timer, struct lookup, early);

    if (!lookup->is_apart) {
        ask_apart(lookup);
    } else {
        lookup->done(lookup->ctx, &lookup->part, lookup->part_ttl_s);
    }
}

struct lookup *
lookup_start(struct resolver *resolver, const char *host,
             void (*done)(void *ctx, const struct names_result *result, uint32_t ttl_s), void *ctx)
{
    struct lookup *lookup = mem_new(sizeof(*lookup));
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    lookup->resolver = resolver;
    lookup->done = done;
    lookup->ctx = ctx;
    lookup->host = mem_copy(host, strlen(host));
    lookup->asked = 1;
    lookup->part_ttl_s = UINT32_MAX;
    loop_timer_init(&lookup->timer, on_tell);
    loop_timer_init(&lookup->early, on_early);
    loop_timer_set(resolver->loop, &lookup->early, APART_US);
    list_push(&resolver->lookups, &lookup->node);
    ares_getaddrinfo(resolver->channel, host, NULL, &hints, on_answer, lookup);
    set_timer(resolver);
    return lookup;
}

void lookup_cancel(struct lookup **lookup_at)
{
    struct lookup *lookup = *lookup_at;

    *lookup_at = NULL;
    if (lookup == NULL) {
        return;
    }
    lookup_end(lookup);
}
