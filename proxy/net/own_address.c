/*
 * own_address - a datagram socket that is connected to an address has for its own one what the
 * system would send from: to itself the machine sends from the very address it sends to. Nothing is
 * sent. 0.0.0.0 and :: are understood as the system does.
 */
#include "net/own_address.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static bool is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)(const void *)a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)(const void *)b;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)(const void *)a;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)(const void *)b;

    if (a->ss_family != b->ss_family) {
        return false;
    }
    return a->ss_family == AF_INET ? a4->sin_addr.s_addr == b4->sin_addr.s_addr
                                   : memcmp(&a6->sin6_addr, &b6->sin6_addr, 16) == 0;
}

bool own_address(const struct sockaddr *address)
{
    struct sockaddr_storage own = {0};
    struct sockaddr_storage peer = {0};
    socklen_t own_len = sizeof(own);
    socklen_t peer_len = sizeof(peer);
    socklen_t len =
        address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return false;
    }
    bool is_own = connect(fd, address, len) == 0 &&
                  getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 &&
                  getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 && is_same(&own, &peer);
    (void)close(fd);
    return is_own;
}
