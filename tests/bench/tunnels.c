/*
 * tunnels - load for a proxy's CONNECT: clients and the server they want, in one process.
 *
 *   tunnels --port PROXY --tunnels N [--down BYTES] [--up BYTES]         of each tunnel, at the same time
 *   tunnels --port PROXY --tunnels N --messages M --size BYTES           to and fro, one after another
 *   tunnels --port PROXY --tunnels N --short M                           M tunnels by each of N clients, 1 KB each way
 *
 * Prints seconds and bytes as JSON. A byte that is wrong or missing ends it with status 1; the head of each piece
 * received is compared with the pattern.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "body.h"

enum {
    PIECE_BYTES = 256 * 1024,
    LOOK_BYTES = 64,
    SMALL_BYTES = 1024
};

/* What a client tells the server first. */
struct wish {
    uint64_t down, up, messages, size;
};

static char *pattern;
static int proxy_port, server_port, listener;
static struct wish wish;
static unsigned shorts;

static void fail(const char *what)
{
    fprintf(stderr, "tunnels: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            fail("send");
        }
        data += sent;
        len -= (size_t)sent;
    }
}

static void receive_all(int fd, char *data, size_t len)
{
    while (len > 0) {
        ssize_t got = recv(fd, data, len, 0);
        if (got <= 0) {
            fail("receive");
        }
        data += got;
        len -= (size_t)got;
    }
}

static void send_stream(int fd, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes;) {
        size_t offset = (size_t)(at % BODY_SPREAD_BYTES);
        size_t len = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;
        send_all(fd, pattern + offset, len);
        at += len;
    }
}

/* Every piece of a stream of whole pieces lies in the pattern as it was sent. */
static void receive_stream(int fd, uint64_t bytes)
{
    char *room = malloc(PIECE_BYTES);

    for (uint64_t at = 0; at < bytes;) {
        size_t most = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;
        ssize_t got = recv(fd, room, most, 0);
        if (got <= 0) {
            fail("receive");
        }
        size_t offset = (size_t)(at % BODY_SPREAD_BYTES);
        size_t look = got < LOOK_BYTES ? (size_t)got : LOOK_BYTES;
        look = look < BODY_SPREAD_BYTES - offset ? look : BODY_SPREAD_BYTES - offset;
        if (memcmp(room, pattern + offset, look) != 0) {
            errno = EILSEQ;
            fail("wrong bytes");
        }
        at += (uint64_t)got;
    }
    free(room);
}

struct sender {
    int fd;
    uint64_t bytes;
};

static void *sender_run(void *arg)
{
    const struct sender *sender = arg;
    send_stream(sender->fd, sender->bytes);
    return NULL;
}

static void both(int fd, uint64_t out, uint64_t in)
{
    struct sender sender = {fd, out};
    pthread_t thread;

    if (pthread_create(&thread, NULL, sender_run, &sender) != 0) {
        fail("thread");
    }
    receive_stream(fd, in);
    pthread_join(thread, NULL);
}

static void *server_run(void *arg)
{
    (void)arg;
    for (;;) {
        struct wish its;
        int one = 1;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            fail("accept");
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        receive_all(fd, (char *)&its, sizeof(its));
        if (its.messages > 0) {
            char *room = malloc((size_t)its.size);
            for (uint64_t i = 0; i < its.messages; i++) {
                receive_all(fd, room, (size_t)its.size);
                send_all(fd, room, (size_t)its.size);
            }
            free(room);
        } else {
            both(fd, its.down, its.up);
        }
        char byte;
        (void)!recv(fd, &byte, 1, 0);
        close(fd);
    }
    return NULL;
}

static int tunnel_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)proxy_port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    char head[512];
    size_t len = 0;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        fail("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    int asked =
        snprintf(head, sizeof(head), "CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
                 server_port, server_port);
    send_all(fd, head, (size_t)asked);
    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
        if (len == sizeof(head)) {
            fail("a long head");
        }
        receive_all(fd, head + len, 1);
        len++;
    }
    if (memcmp(head, "HTTP/1.1 200", 12) != 0 && memcmp(head, "HTTP/1.0 200", 12) != 0) {
        fprintf(stderr, "tunnels: %.*s\n", (int)len, head);
        exit(1);
    }
    return fd;
}

static void one_tunnel(const struct wish *its)
{
    int fd = tunnel_open();

    send_all(fd, (const char *)its, sizeof(*its));
    if (its->messages > 0) {
        char *room = malloc((size_t)its->size);
        for (uint64_t i = 0; i < its->messages; i++) {
            send_all(fd, pattern + i % SMALL_BYTES, (size_t)its->size);
            receive_all(fd, room, (size_t)its->size);
            if (memcmp(room, pattern + i % SMALL_BYTES, (size_t)its->size) != 0) {
                errno = EILSEQ;
                fail("wrong bytes");
            }
        }
        free(room);
    } else {
        both(fd, its->up, its->down);
    }
    close(fd);
}

static void *client_run(void *arg)
{
    (void)arg;
    if (shorts == 0) {
        one_tunnel(&wish);
    }
    for (unsigned i = 0; i < shorts; i++) {
        const struct wish its = {.messages = 1, .size = SMALL_BYTES};
        one_tunnel(&its);
    }
    return NULL;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    unsigned tunnels = 1;
    static pthread_t threads[4096];

    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--port") == 0) {
            proxy_port = (int)value;
        } else if (strcmp(argv[i], "--tunnels") == 0) {
            tunnels = (unsigned)value;
        } else if (strcmp(argv[i], "--down") == 0) {
            wish.down = value;
        } else if (strcmp(argv[i], "--up") == 0) {
            wish.up = value;
        } else if (strcmp(argv[i], "--messages") == 0) {
            wish.messages = value;
        } else if (strcmp(argv[i], "--size") == 0) {
            wish.size = value;
        } else if (strcmp(argv[i], "--short") == 0) {
            shorts = (unsigned)value;
        }
    }
    if (tunnels == 0 || tunnels > 4096 || wish.size > BODY_MAX_BYTES) {
        fprintf(stderr, "tunnels: 1..4096 of them\n");
        return 2;
    }
    pattern = body_pattern_new();
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 4096) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
        fail("listen");
    }
    server_port = ntohs(address.sin_port);
    for (unsigned i = 0; i < tunnels; i++) {
        pthread_t server;
        if (pthread_create(&server, NULL, server_run, NULL) != 0) {
            fail("thread");
        }
    }
    double begin = now_s();
    for (unsigned i = 0; i < tunnels; i++) {
        if (pthread_create(&threads[i], NULL, client_run, NULL) != 0) {
            fail("thread");
        }
    }
    for (unsigned i = 0; i < tunnels; i++) {
        pthread_join(threads[i], NULL);
    }
    uint64_t bytes = shorts > 0          ? 2ull * SMALL_BYTES * shorts
                     : wish.messages > 0 ? 2 * wish.messages * wish.size
                                         : wish.down + wish.up;
    printf("{\"seconds\": %.6f, \"bytes\": %llu}\n", now_s() - begin,
           (unsigned long long)(bytes * tunnels));
    return 0;
}
