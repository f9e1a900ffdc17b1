// SPDX-License-Identifier: MIT
/*
 * origin - the bench's web site: one thread, epoll, HTTP/1.1 keep-alive. GET /o/SIZE/ID answers the
 * body body.h describes with Cache-Control: max-age=3600; GET /count answers how many such requests
 * came. origin PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "body.h"

struct conn {
    int fd;
    bool wants_out; /* registered for EPOLLOUT */
    bool is_last;   /* close when the answer is out */
    char in[8192];
    size_t in_len;
    char head[512];
    size_t head_len;
    size_t head_sent;
    const char *body;
    size_t body_len;
    size_t body_sent;
};

static const char *pattern;
static uint64_t request_count;
static int epoll_fd;

static void conn_free(struct conn *conn)
{
    close(conn->fd);
    free(conn);
}

/* Sends what is left. Returns -1: dead, 0: more later, 1: all sent. */
static int conn_flush(struct conn *conn)
{
    while (conn->head_sent < conn->head_len || conn->body_sent < conn->body_len) {
        struct iovec parts[2] = {
            {conn->head + conn->head_sent, conn->head_len - conn->head_sent},
            {(char *)conn->body + conn->body_sent, conn->body_len - conn->body_sent}};
        ssize_t sent = writev(conn->fd, parts, 2);
        if (sent < 0) {
            return errno == EAGAIN ? 0 : -1;
        }
        size_t of_head = conn->head_len - conn->head_sent;
        of_head = (size_t)sent < of_head ? (size_t)sent : of_head;
        conn->head_sent += of_head;
        conn->body_sent += (size_t)sent - of_head;
    }
    return 1;
}

/* An IMF-fixdate, made once a second. */
static const char *date_now(void)
{
    static char text[40];
    static time_t made;
    time_t now = time(NULL);
    struct tm parts;

    if (now != made) {
        gmtime_r(&now, &parts);
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        made = now;
    }
    return text;
}

static void answer_make(struct conn *conn, const char *head)
{
    static char text[64];
    unsigned long size = 0;
    unsigned long long id = 0;
    int status = 200;

    if (strncmp(head, "GET /count ", 11) == 0) {
        conn->body = text;
        conn->body_len =
            (size_t)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)request_count);
    } else if (sscanf(head, "GET /o/%lu/%llu", &size, &id) == 2 && size <= BODY_MAX_BYTES) {
        request_count++;
        conn->body = body_of(pattern, id);
        conn->body_len = size;
    } else {
        status = 404;
        conn->body_len = 0;
    }
    conn->is_last = strcasestr(head, "\r\nConnection: close") != NULL;
    conn->head_len = (size_t)snprintf(
        conn->head, sizeof(conn->head),
        "HTTP/1.1 %d %s\r\nServer: bench\r\nDate: %s\r\nContent-Type: application/octet-stream\r\n"
        "Content-Length: %zu\r\nCache-Control: %s\r\nETag: \"%llu-%lu\"\r\n%s\r\n",
        status, status == 200 ? "OK" : "Not Found", date_now(), conn->body_len,
        conn->body == text ? "no-store" : "max-age=31536000", id, size,
        conn->is_last ? "Connection: close\r\n" : "");
    conn->head_sent = 0;
    conn->body_sent = 0;
}

/* Answers every whole request in the buffer. Returns -1 when the connection is to be closed. */
static int conn_serve(struct conn *conn)
{
    for (;;) {
        int done = conn_flush(conn);
        if (done < 0 || (done == 1 && conn->is_last)) {
            return -1;
        }
        if ((done == 0) != conn->wants_out) {
            struct epoll_event event = {.events = EPOLLIN | (done == 0 ? EPOLLOUT : 0u),
                                        .data.ptr = conn};
            epoll_ctl(epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
            conn->wants_out = done == 0;
        }
        if (done == 0) {
            return 0;
        }
        conn->in[conn->in_len] = '\0';
        char *end = strstr(conn->in, "\r\n\r\n");
        if (end == NULL) {
            return conn->in_len == sizeof(conn->in) - 1 ? -1 : 0;
        }
        *end = '\0';
        conn->body = NULL;
        answer_make(conn, conn->in);
        size_t used = (size_t)(end - conn->in) + 4;
        conn->in_len -= used;
        memmove(conn->in, conn->in + used, conn->in_len);
    }
}

static int conn_read(struct conn *conn)
{
    ssize_t got = read(conn->fd, conn->in + conn->in_len, sizeof(conn->in) - 1 - conn->in_len);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        return -1;
    }
    conn->in_len += got > 0 ? (size_t)got : 0;
    return 0;
}

static void accept_all(int listen_fd)
{
    int fd;
    int one = 1;

    while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *conn = calloc(1, sizeof(*conn));
        if (conn == NULL) {
            close(fd);
            return;
        }
        conn->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static int listen_on(const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 1024) != 0) {
        perror("origin: listen");
        exit(2);
    }
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: origin PORT\n");
        return 2;
    }
    pattern = body_pattern_new();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listen_fd = listen_on(argv[1]);
    struct epoll_event listening = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &listening);
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(epoll_fd, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            struct conn *conn = events[i].data.ptr;
            if (conn == NULL) {
                accept_all(listen_fd);
                continue;
            }
            int dead = (events[i].events & (EPOLLERR | EPOLLHUP)) != 0 ? -1 : 0;
            if (dead == 0 && (events[i].events & EPOLLIN) != 0) {
                dead = conn_read(conn);
            }
            if (dead == 0) {
                dead = conn_serve(conn);
            }
            if (dead != 0) {
                conn_free(conn);
            }
        }
    }
}
