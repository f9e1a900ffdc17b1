/* socket - see socket.h. */
#include "admin/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/listener.h"

#define SOCKET_BACKLOG 512

static int fail(int fd, char *why, size_t size, const char *what, const char *where)
{
    int code = errno;
    char text[96];

    (void)snprintf(why, size, "%s %s: %s", what, where, strerror_r(code, text, sizeof(text)));
    if (fd >= 0) {
        (void)close(fd);
    }
    errno = code;
    return -1;
}

int socket_listen_tcp(const struct conf_listen *conf, unsigned *port, char *why, size_t why_size)
{
    struct sockaddr_storage address = conf->address;
    socklen_t len = conf->address_len;
    int on = 1;
    int off = 0;

    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 && conf->any && errno == EAFNOSUPPORT) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(conf->port)};
        memset(&address, 0, sizeof(address));
        memcpy(&address, &v4, sizeof(v4));
        len = sizeof(v4);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    if (fd < 0) {
        return fail(fd, why, why_size, "cannot listen on", conf->text);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (conf->any && address.ss_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (bind(fd, (const struct sockaddr *)&address, len) != 0 || listen(fd, SOCKET_BACKLOG) != 0) {
        return fail(fd, why, why_size, "cannot listen on", conf->text);
    }
    *port = listener_port(fd);
    return fd;
}

/* Somebody answers there. */
static bool is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;

    if (fd >= 0) {
        (void)close(fd);
    }
    return alive;
}

static void make_folder(const char *path)
{
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const char *slash = strrchr(path, '/');

    if (slash != NULL && slash != path) {
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
        (void)mkdir(folder, 0755);
    }
}

int socket_listen_unix(const char *path, unsigned mode, char *why, size_t why_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat facts;

    if (strlen(path) >= sizeof(address.sun_path)) {
        (void)snprintf(why, why_size, "the socket's path is longer than %zu bytes",
                       sizeof(address.sun_path) - 1);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    make_folder(path);
    if (lstat(path, &facts) == 0) {
        if (!S_ISSOCK(facts.st_mode)) {
            (void)snprintf(why, why_size, "%s is in the way and no socket", path);
            return -1;
        }
        if (is_alive(&address)) {
            (void)snprintf(why, why_size, "another larder listens on %s", path);
            return -1;
        }
        (void)unlink(path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(path, (mode_t)mode) != 0 || listen(fd, SOCKET_BACKLOG) != 0) {
        return fail(fd, why, why_size, "cannot listen on", path);
    }
    return fd;
}
