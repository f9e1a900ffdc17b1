/*
 * fetch_proxy_header - the PROXY protocol header a connection begins with, version 1 or 2, as
 * HAProxy's document describes it. What the client connected to is not known here: the destination
 * is the unspecified address, port 0.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "fetch/fetch_private.h"

#define V2_LOCAL 0x20
#define V2_PROXY 0x21
#define V2_TCP4 0x11
#define V2_TCP6 0x21

static size_t write_v1(char *out, const struct sockaddr_storage *client)
{
    char address[INET6_ADDRSTRLEN];
    bool is_v6 = client != NULL && client->ss_family == AF_INET6;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)client;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)client;
    int len = -1;

    if (client != NULL && (is_v6 || client->ss_family == AF_INET)) {
        const void *bytes = is_v6 ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr;
        CHECK(inet_ntop(client->ss_family, bytes, address, sizeof(address)) != NULL);
        len = snprintf(out, FETCH_PROXY_HEADER_BYTES, "PROXY TCP%c %s %s %u 0\r\n",
                       is_v6 ? '6' : '4', address, is_v6 ? "::" : "0.0.0.0",
                       ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
    } else {
        len = snprintf(out, FETCH_PROXY_HEADER_BYTES, "PROXY UNKNOWN\r\n");
    }
    CHECK(len > 0 && len < FETCH_PROXY_HEADER_BYTES);
    return (size_t)len;
}

static size_t write_v2(char *out, const struct sockaddr_storage *client)
{
    static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
    size_t at = sizeof(signature) - 1;
    size_t address_len = 0;

    memset(out, 0, FETCH_PROXY_HEADER_BYTES);
    memcpy(out, signature, at);
    out[at] = V2_LOCAL;
    char *addresses = out + at + 4;
    if (client != NULL && client->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)client;
        address_len = 12;
        out[at] = V2_PROXY;
        out[at + 1] = V2_TCP4;
        memcpy(addresses, &v4->sin_addr, 4);
        memcpy(addresses + 8, &v4->sin_port, 2);
    } else if (client != NULL && client->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)client;
        address_len = 36;
        out[at] = V2_PROXY;
        out[at + 1] = V2_TCP6;
        memcpy(addresses, &v6->sin6_addr, 16);
        memcpy(addresses + 32, &v6->sin6_port, 2);
    }
    out[at + 3] = (char)address_len;
    return at + 4 + address_len;
}

size_t fetch_proxy_header_write(char *out, const struct fetch_request *request)
{
    switch (request->origin->proxy_header) {
    case FETCH_PROXY_HEADER_NONE:
        break;
    case FETCH_PROXY_HEADER_V1:
        return write_v1(out, request->client);
    case FETCH_PROXY_HEADER_V2:
        return write_v2(out, request->client);
    }
    return 0;
}
