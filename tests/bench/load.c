// SPDX-License-Identifier: MIT
/*
 * load - asks a proxy for the bench origin's objects and checks every answer.
 *
 * One thread, epoll, keep-alive, one request at a time per connection. Each answer must have status
 * 200 and the Content-Length its URL says; one in --sample is compared byte for byte, the rest is
 * counted and dropped (large bodies inside the kernel, so that the generator is not the limit). A
 * hit is what the proxy says: `X-Cache: HIT` or a Cache-Status with `; hit`. Prints one JSON
 * object.
 *
 *   load --port P [--connections N] (--seconds S | --requests N) --size BYTES|LOW-HIGH
 *        [--objects N] [--first ID] [--order uniform|zipf|each] [--zipf-exponent X] [--sample N]
 *        [--new-connections] | --idle N (opens, asks once on each, prints, holds until stdin ends)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "body.h"

enum {
    ZIPF_SAMPLES = 1 << 20,
    READ_BYTES = 256 << 10,
    STALL_MS = 20000,
    SOURCES = 200, /* local addresses 127.0.1.1 and on: connections do not run out of ports */
    LATENCY_SLOTS = 4096,
};

struct options {
    unsigned port;
    unsigned connections;
    double seconds;
    uint64_t requests;
    unsigned size_low;
    unsigned size_high;
    uint64_t objects;
    uint64_t first;
    enum {
        ORDER_UNIFORM,
        ORDER_ZIPF,
        ORDER_EACH
    } order;
    double zipf_exponent;
    unsigned sample;
    bool new_connections;
    unsigned idle;
};

struct conn {
    int fd;
    bool in_body;
    bool is_checked; /* compare this body */
    bool must_close;
    uint64_t id;
    size_t wanted; /* body bytes this URL has */
    size_t got;
    uint64_t begin_us;
    char head[4096];
    size_t head_len;
};

static struct options opt = {.connections = 64,
                             .size_low = 1024,
                             .size_high = 1024,
                             .objects = 1,
                             .zipf_exponent = 0.9,
                             .sample = 32};
static const char *pattern;
static uint32_t *zipf_ids;
static int epoll_fd;
static char sink[READ_BYTES];
static uint64_t started, finished, hits, checked, bytes, random_state = 88172645463325252u;
static uint64_t deadline_us;
static uint32_t latency[LATENCY_SLOTS]; /* 16 steps per power of two of microseconds */
static unsigned opened;

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state >> 11;
}

static void fail(const struct conn *conn, const char *what)
{
    fprintf(stderr, "load: %s (object %llu, %zu of %zu body bytes; %llu done)\n%.*s\n", what,
            (unsigned long long)conn->id, conn->got, conn->wanted, (unsigned long long)finished,
            (int)conn->head_len, conn->head);
    exit(1);
}

/* Samples of ranks with P(k) ~ 1/k^exponent; ranks are spread over the ids by a fixed shuffle. */
static void zipf_make(void)
{
    double *sum = malloc(opt.objects * sizeof(*sum));
    uint32_t *place = malloc(opt.objects * sizeof(*place));
    double total = 0;

    zipf_ids = malloc(ZIPF_SAMPLES * sizeof(*zipf_ids));
    if (sum == NULL || place == NULL || zipf_ids == NULL) {
        exit(2);
    }
    for (uint64_t i = 0; i < opt.objects; i++) {
        total += 1 / pow((double)(i + 1), opt.zipf_exponent);
        sum[i] = total;
        place[i] = (uint32_t)i;
    }
    for (uint64_t i = opt.objects - 1; i > 0; i--) {
        uint64_t j = random_next() % (i + 1);
        uint32_t other = place[i];
        place[i] = place[j];
        place[j] = other;
    }
    for (size_t i = 0; i < ZIPF_SAMPLES; i++) {
        double point = total * ((double)(random_next() & 0xffffffffffff) / 281474976710656.0);
        uint64_t low = 0;
        uint64_t high = opt.objects - 1;
        while (low < high) {
            uint64_t middle = (low + high) / 2;
            if (sum[middle] < point) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        zipf_ids[i] = place[low];
    }
    free(sum);
    free(place);
}

static uint64_t id_next(void)
{
    switch (opt.order) {
    case ORDER_ZIPF:
        return opt.first + zipf_ids[started % ZIPF_SAMPLES];
    case ORDER_EACH:
        return opt.first + started % opt.objects;
    case ORDER_UNIFORM:
        break;
    }
    return opt.first + random_next() % opt.objects;
}

static size_t size_of(uint64_t id)
{
    return opt.size_low + body_mix(id + 1) % (opt.size_high - opt.size_low + 1);
}

static bool may_start(void)
{
    return opt.requests != 0 ? started < opt.requests : now_us() < deadline_us;
}

static void conn_open(struct conn *conn)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)opt.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;

    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        perror("load: socket");
        exit(2);
    }
    if (opt.new_connections || opt.idle != 0) {
        from.sin_addr.s_addr = htonl(0x7f000101 + opened++ % SOURCES);
        setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
        if (bind(conn->fd, (struct sockaddr *)&from, sizeof(from)) != 0) {
            perror("load: bind");
            exit(2);
        }
    }
    if (connect(conn->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        perror("load: connect");
        exit(1);
    }
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event);
}

static void request_send(struct conn *conn)
{
    char text[256];

    conn->id = id_next();
    conn->wanted = size_of(conn->id);
    conn->got = 0;
    conn->head_len = 0;
    conn->in_body = false;
    conn->is_checked = started % opt.sample == 0;
    started++;
    conn->begin_us = now_us();
    int len = snprintf(text, sizeof(text), "GET /o/%zu/%llu HTTP/1.1\r\nHost: bench.test\r\n%s\r\n",
                       conn->wanted, (unsigned long long)conn->id,
                       opt.new_connections ? "Connection: close\r\n" : "");
    if (send(conn->fd, text, (size_t)len, MSG_NOSIGNAL) != len) {
        fail(conn, "cannot send a request");
    }
}

static void latency_add(uint64_t us)
{
    unsigned slot = (unsigned)us;
    if (us >= 32) {
        unsigned power = 63 - (unsigned)__builtin_clzll(us);
        slot = (power - 3) * 16 + (unsigned)((us >> (power - 4)) & 15);
    }
    latency[slot < LATENCY_SLOTS ? slot : LATENCY_SLOTS - 1]++;
}

static uint64_t latency_at(double part)
{
    uint64_t left = (uint64_t)((double)finished * part);
    for (unsigned slot = 0; slot < LATENCY_SLOTS; slot++) {
        if (latency[slot] > left) {
            return slot < 32 ? slot : (16ull + slot % 16) << (slot / 16 - 1);
        }
        left -= latency[slot];
    }
    return 0;
}

/* Judges the head; the bytes after it move on as body. */
static void head_check(struct conn *conn, const char *end)
{
    const char *length = strcasestr(conn->head, "\r\nContent-Length:");
    const char *status = strcasestr(conn->head, "\r\nCache-Status:");
    char *line_end = status == NULL ? NULL : strstr(status + 2, "\r\n");

    if (strncmp(conn->head, "HTTP/1.1 200 ", 13) != 0) {
        fail(conn, "status is not 200");
    }
    if (length == NULL || length > end || strtoul(length + 17, NULL, 10) != conn->wanted) {
        fail(conn, "Content-Length is wrong or absent");
    }
    if (strcasestr(conn->head, "\r\nX-Cache: HIT") != NULL ||
        (status != NULL && line_end != NULL &&
         memmem(status, (size_t)(line_end - status), "; hit", 5) != NULL)) {
        hits++;
    }
    conn->must_close = strcasestr(conn->head, "\r\nConnection: close") != NULL;
}

static void body_check(struct conn *conn, const char *data, size_t len)
{
    if (conn->got + len > conn->wanted) {
        fail(conn, "more bytes than Content-Length");
    }
    if (conn->is_checked && memcmp(data, body_of(pattern, conn->id) + conn->got, len) != 0) {
        fail(conn, "a wrong byte in the body");
    }
    conn->got += len;
}

static void response_end(struct conn *conn)
{
    finished++;
    bytes += conn->wanted;
    checked += conn->is_checked;
    latency_add(now_us() - conn->begin_us);
    if (opt.idle != 0) {
        return;
    }
    if (opt.new_connections || conn->must_close) {
        close(conn->fd);
        conn->fd = -1;
    }
    if (may_start()) {
        if (conn->fd < 0) {
            conn_open(conn);
        }
        request_send(conn);
    }
}

static void conn_read_head(struct conn *conn)
{
    ssize_t got = recv(conn->fd, conn->head + conn->head_len,
                       sizeof(conn->head) - 1 - conn->head_len, MSG_DONTWAIT);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        fail(conn, "the connection ended inside a head");
    }
    conn->head_len += (size_t)got;
    conn->head[conn->head_len] = '\0';
    char *end = strstr(conn->head, "\r\n\r\n");
    if (end == NULL) {
        return;
    }
    end[2] = '\0'; /* the checks see the head alone */
    head_check(conn, end);
    size_t head_bytes = (size_t)(end - conn->head) + 4;
    conn->in_body = true;
    body_check(conn, conn->head + head_bytes, conn->head_len - head_bytes);
    conn->head_len = head_bytes - 2;
}

static void conn_read(struct conn *conn)
{
    if (!conn->in_body) {
        conn_read_head(conn);
    }
    while (conn->in_body && conn->got < conn->wanted) {
        size_t left = conn->wanted - conn->got;
        bool drop = !conn->is_checked && left > 4096;
        size_t ask = left < READ_BYTES || drop ? left : READ_BYTES;
        ssize_t got =
            recv(conn->fd, drop ? NULL : sink, ask, MSG_DONTWAIT | (drop ? MSG_TRUNC : 0));
        if (got <= 0) {
            if (got < 0 && errno == EAGAIN) {
                return;
            }
            fail(conn, "the connection ended inside a body");
        }
        body_check(conn, sink, (size_t)got);
    }
    if (conn->in_body) {
        response_end(conn);
    }
}

static void run(struct conn *conns, unsigned count)
{
    for (unsigned i = 0; i < count && may_start(); i++) {
        conn_open(&conns[i]);
        request_send(&conns[i]);
    }
    while (finished < started) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll_fd, events, 256, STALL_MS);
        if (ready == 0) {
            fprintf(stderr, "load: nothing came for %d ms; %llu of %llu done\n", STALL_MS,
                    (unsigned long long)finished, (unsigned long long)started);
            exit(1);
        }
        for (int i = 0; i < ready; i++) {
            struct conn *conn = events[i].data.ptr;
            if (finished < started) {
                conn_read(conn);
            }
        }
    }
}

static void print_result(double seconds)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("{\"requests\":%llu,\"hits\":%llu,\"checked\":%llu,\"bytes\":%llu,\"seconds\":%.4f,"
           "\"p50_us\":%llu,\"p99_us\":%llu,\"load_cpu_s\":%.3f}\n",
           (unsigned long long)finished, (unsigned long long)hits, (unsigned long long)checked,
           (unsigned long long)bytes, seconds, (unsigned long long)latency_at(0.5),
           (unsigned long long)latency_at(0.99), cpu);
    fflush(stdout);
}

/* Opens the idle connections in groups, each asks once, and holds them. */
static void run_idle(struct conn *conns)
{
    uint64_t begin_us = now_us();

    for (unsigned i = 0; i < opt.idle; i += 100) {
        opt.requests = i + 100 < opt.idle ? i + 100 : opt.idle;
        run(conns + i, 100);
    }
    print_result((double)(now_us() - begin_us) / 1e6);
    while (read(STDIN_FILENO, sink, sizeof(sink)) > 0) {
    }
    for (unsigned i = 0; i < opt.idle; i++) {
        char byte;
        ssize_t got = recv(conns[i].fd, &byte, 1, MSG_DONTWAIT);
        if (got >= 0 || errno != EAGAIN) {
            fprintf(stderr, "load: idle connection %u did not stay open\n", i);
            exit(1);
        }
    }
}

static void options_read(int argc, char **argv)
{
    static const struct option LONG[] = {{"port", 1, NULL, 'p'},
                                         {"connections", 1, NULL, 'c'},
                                         {"seconds", 1, NULL, 's'},
                                         {"requests", 1, NULL, 'n'},
                                         {"size", 1, NULL, 'z'},
                                         {"objects", 1, NULL, 'o'},
                                         {"first", 1, NULL, 'f'},
                                         {"order", 1, NULL, 'r'},
                                         {"zipf-exponent", 1, NULL, 'x'},
                                         {"sample", 1, NULL, 'm'},
                                         {"new-connections", 0, NULL, 'N'},
                                         {"idle", 1, NULL, 'I'},
                                         {NULL, 0, NULL, 0}};
    char *rest;
    int letter;

    while ((letter = getopt_long(argc, argv, "", LONG, NULL)) != -1) {
        switch (letter) {
        case 'p':
            opt.port = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'c':
            opt.connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            opt.seconds = strtod(optarg, NULL);
            break;
        case 'n':
            opt.requests = strtoull(optarg, NULL, 10);
            break;
        case 'z':
            opt.size_low = (unsigned)strtoul(optarg, &rest, 10);
            opt.size_high = *rest == '-' ? (unsigned)strtoul(rest + 1, NULL, 10) : opt.size_low;
            break;
        case 'o':
            opt.objects = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            opt.first = strtoull(optarg, NULL, 10);
            break;
        case 'r':
            opt.order = strcmp(optarg, "zipf") == 0   ? ORDER_ZIPF
                        : strcmp(optarg, "each") == 0 ? ORDER_EACH
                                                      : ORDER_UNIFORM;
            break;
        case 'x':
            opt.zipf_exponent = strtod(optarg, NULL);
            break;
        case 'm':
            opt.sample = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'N':
            opt.new_connections = true;
            break;
        case 'I':
            opt.idle = (unsigned)strtoul(optarg, NULL, 10);
            break;
        default:
            exit(2);
        }
    }
    if (opt.port == 0 || opt.connections == 0 || opt.objects == 0 || opt.sample == 0 ||
        opt.size_high < opt.size_low || opt.size_high > BODY_MAX_BYTES ||
        (opt.seconds <= 0 && opt.requests == 0 && opt.idle == 0)) {
        fprintf(stderr, "load: see the head of load.c for the options\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    options_read(argc, argv);
    pattern = body_pattern_new();
    if (opt.order == ORDER_ZIPF) {
        zipf_make();
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct conn *conns = calloc(opt.idle != 0 ? opt.idle + 100 : opt.connections, sizeof(*conns));
    if (conns == NULL) {
        return 2;
    }
    uint64_t begin_us = now_us();
    deadline_us = begin_us + (uint64_t)(opt.seconds * 1e6);
    if (opt.idle != 0) {
        run_idle(conns);
    } else {
        run(conns, opt.connections);
        print_result((double)(now_us() - begin_us) / 1e6);
    }
    return 0;
}
