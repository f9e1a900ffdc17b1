#ifndef TESTS_FUZZ_CURL_DOUBLE_H
#define TESTS_FUZZ_CURL_DOUBLE_H
/*
 * curl_double - stands in for libcurl's handles, so that fetch can be driven without a network and
 * without TLS: connections that are up one round after they were asked for, whose bytes come from
 * and go to the program that includes this. Header only, for one file of a program.
 *
 * A connection's descriptor is a socket that was never connected: epoll reports it in each round.
 */
#include <stdarg.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "fetch/fetch_private.h"

struct double_easy {
    struct list node; /* of double_multi */
    struct fetch_conn *conn;
    curl_opensocket_callback open;
    curl_closesocket_callback close;
    void *open_ctx, *close_ctx;
    curl_socket_t fd;
    unsigned number; /* of the connection */
};

static struct {
    struct list asked; /* to connect */
    struct list done;
    curl_multi_timer_callback timer;
    void *timer_ctx;
    CURLMsg message;
} double_multi;

/* ---- of the program ---- */

/* A connection is to be made. CURLE_OK: it is; conn->speaks_h2 may be set. */
static CURLcode double_connect(struct double_easy *easy);
static CURLcode double_recv(struct double_easy *easy, char *to, size_t size, size_t *count);
static CURLcode double_send(struct double_easy *easy, const char *from, size_t size, size_t *count);
static void double_closed(struct double_easy *easy);

/* ---- of libcurl ---- */

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

CURL *curl_easy_init(void)
{
    struct double_easy *easy = mem_new(sizeof(*easy));

    list_init(&easy->node);
    easy->fd = CURL_SOCKET_BAD;
    return easy;
}

void curl_easy_cleanup(CURL *handle)
{
    struct double_easy *easy = handle;

    CHECK(list_is_empty(&easy->node) && easy->fd == CURL_SOCKET_BAD);
    mem_free(easy);
}

CURLcode curl_easy_setopt(CURL *handle, CURLoption option, ...)
{
    struct double_easy *easy = handle;
    va_list args;

    va_start(args, option);
    if (option == CURLOPT_PRIVATE) {
        easy->conn = va_arg(args, struct fetch_conn *);
    } else if (option == CURLOPT_OPENSOCKETFUNCTION) {
        easy->open = va_arg(args, curl_opensocket_callback);
    } else if (option == CURLOPT_CLOSESOCKETFUNCTION) {
        easy->close = va_arg(args, curl_closesocket_callback);
    } else if (option == CURLOPT_OPENSOCKETDATA) {
        easy->open_ctx = va_arg(args, void *);
    } else if (option == CURLOPT_CLOSESOCKETDATA) {
        easy->close_ctx = va_arg(args, void *);
    }
    va_end(args);
    return CURLE_OK;
}

CURLcode curl_easy_getinfo(CURL *handle, CURLINFO info, ...)
{
    struct double_easy *easy = handle;
    va_list args;

    va_start(args, info);
    if (info == CURLINFO_PRIVATE) {
        *va_arg(args, char **) = (char *)easy->conn;
    } else if (info == CURLINFO_ACTIVESOCKET) {
        *va_arg(args, curl_socket_t *) = easy->fd;
    }
    va_end(args);
    return CURLE_OK;
}

CURLcode curl_easy_pause(CURL *handle, int what)
{
    (void)handle;
    (void)what;
    return CURLE_OK;
}

CURLcode curl_easy_recv(CURL *handle, void *to, size_t size, size_t *count)
{
    return double_recv(handle, to, size, count);
}

CURLcode curl_easy_send(CURL *handle, const void *from, size_t size, size_t *count)
{
    return double_send(handle, from, size, count);
}

CURLM *curl_multi_init(void)
{
    list_init(&double_multi.asked);
    list_init(&double_multi.done);
    return &double_multi;
}

CURLMcode curl_multi_cleanup(CURLM *multi)
{
    (void)multi;
    CHECK(list_is_empty(&double_multi.asked) && list_is_empty(&double_multi.done));
    return CURLM_OK;
}

CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option, ...)
{
    va_list args;

    (void)multi;
    va_start(args, option);
    if (option == CURLMOPT_TIMERFUNCTION) {
        double_multi.timer = va_arg(args, curl_multi_timer_callback);
    } else if (option == CURLMOPT_TIMERDATA) {
        double_multi.timer_ctx = va_arg(args, void *);
    }
    va_end(args);
    return CURLM_OK;
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *handle)
{
    struct double_easy *easy = handle;

    list_push(&double_multi.asked, &easy->node);
    (void)double_multi.timer(multi, 0, double_multi.timer_ctx);
    return CURLM_OK;
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *handle)
{
    struct double_easy *easy = handle;

    (void)multi;
    list_remove(&easy->node);
    if (easy->fd != CURL_SOCKET_BAD) {
        (void)easy->close(easy->close_ctx, easy->fd);
        easy->fd = CURL_SOCKET_BAD;
        double_closed(easy);
    }
    return CURLM_OK;
}

CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int events, int *running)
{
    struct list *node;

    (void)multi;
    (void)fd;
    (void)events;
    *running = 0;
    while ((node = list_pop(&double_multi.asked)) != NULL) {
        list_push(&double_multi.done, node);
    }
    return CURLM_OK;
}

CURLMsg *curl_multi_info_read(CURLM *multi, int *left)
{
    struct list *node = list_pop(&double_multi.done);
    struct curl_sockaddr address = {.family = AF_UNIX, .socktype = SOCK_STREAM};

    (void)multi;
    *left = 0;
    if (node == NULL) {
        return NULL;
    }
    struct double_easy *easy = CONTAINER_OF(node, struct double_easy, node);
    CURLcode code = double_connect(easy);
    if (code == CURLE_OK) {
        easy->fd = easy->open(easy->open_ctx, CURLSOCKTYPE_IPCXN, &address);
        CHECK(easy->fd != CURL_SOCKET_BAD);
    }
    double_multi.message = (CURLMsg){.msg = CURLMSG_DONE, .easy_handle = easy, .data.result = code};
    return &double_multi.message;
}
#endif
