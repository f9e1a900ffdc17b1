/*
 * proxy_header - see proxy_header.h.
 *
 *   version 1:  "PROXY" SP ( "TCP4" / "TCP6" ) SP source SP destination SP port SP port CRLF
 *               "PROXY" SP "UNKNOWN" *any CRLF                        at most 107 bytes
 *   version 2:  signature[12] version-command[1] family-transport[1] length[2]
 *               addresses *( type[1] length[2] value )                of `length` bytes together
 */
#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum {
    V1_BYTES_MAX = 107,
    V2_HEAD_BYTES = 16,
    V2_LOCAL = 0x20,
    V2_PROXY = 0x21,
    V2_UNIX_BYTES = 216,
    V2_TYPE_SSL = 0x20,
    V2_CLIENT_SSL = 1, /* in the first byte of PP2_TYPE_SSL */
    V2_SSL_BYTES_MIN = 5,
};

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";
static const char v1_prefix[6] = "PROXY ";

/* ---- version 1 ---- */

/* The next word, up to a space that must be there. */
static bool v1_word(struct span *rest, struct span *out)
{
    const char *space = rest->len == 0 ? NULL : memchr(rest->ptr, ' ', rest->len);

    if (space == NULL) {
        return false;
    }
    *out = span_of(rest->ptr, (size_t)(space - rest->ptr));
    *rest = span_of(space + 1, rest->len - out->len - 1);
    return true;
}

static bool v1_port(struct span word, in_port_t *out)
{
    uint64_t port;

    if (!span_to_u64(word, UINT16_MAX, &port) || (word.len > 1 && word.ptr[0] == '0')) {
        return false;
    }
    *out = htons((uint16_t)port);
    return true;
}

static bool v1_address(struct span word, int family, void *out)
{
    char text[INET6_ADDRSTRLEN];

    if (word.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    return strlen(text) == word.len && inet_pton(family, text, out) == 1;
}

/* rest: behind "TCP4 " or "TCP6 ". */
static bool v1_addresses(struct span rest, int family, struct sockaddr_storage *out)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    bool is_six = family == AF_INET6;
    struct in6_addr destination;
    struct span words[3];
    in_port_t port;

    if (!v1_word(&rest, &words[0]) || !v1_word(&rest, &words[1]) || !v1_word(&rest, &words[2]) ||
        !v1_address(words[0], family, is_six ? (void *)&six.sin6_addr : (void *)&four.sin_addr) ||
        !v1_address(words[1], family, &destination) ||
        !v1_port(words[2], is_six ? &six.sin6_port : &four.sin_port) || !v1_port(rest, &port)) {
        return false;
    }
    if (is_six) {
        memcpy(out, &six, sizeof(six));
    } else {
        memcpy(out, &four, sizeof(four));
    }
    return true;
}

/* data begins with "PROXY ", or with a part of it. */
static enum proxy_header v1_parse(struct span data, size_t *used, struct proxy_client *out)
{
    size_t most = data.len < V1_BYTES_MAX ? data.len : V1_BYTES_MAX;
    const char *end = memchr(data.ptr, '\n', most);

    if (end == NULL) {
        return data.len < V1_BYTES_MAX ? PROXY_HEADER_MORE : PROXY_HEADER_BAD;
    }
    size_t len = (size_t)(end - data.ptr);
    if (len <= sizeof(v1_prefix) || data.ptr[len - 1] != '\r') {
        return PROXY_HEADER_BAD;
    }
    struct span rest = span_of(data.ptr + sizeof(v1_prefix), len - 1 - sizeof(v1_prefix));
    *used = len + 1;
    if (span_eq(rest, SPAN("UNKNOWN")) || span_starts(rest, SPAN("UNKNOWN "))) {
        out->is_peer = true;
        return PROXY_HEADER_DONE;
    }
    bool is_six = span_starts(rest, SPAN("TCP6 "));
    if (!is_six && !span_starts(rest, SPAN("TCP4 "))) {
        return PROXY_HEADER_BAD;
    }
    rest = span_of(rest.ptr + 5, rest.len - 5);
    return v1_addresses(rest, is_six ? AF_INET6 : AF_INET, &out->address) ? PROXY_HEADER_DONE
                                                                          : PROXY_HEADER_BAD;
}

/* ---- version 2 ---- */

static size_t v2_u16(const char *at)
{
    return (size_t)((unsigned)(unsigned char)at[0] << 8 | (unsigned char)at[1]);
}

/* Addresses come first in what is left. Returns their bytes; SIZE_MAX: a family that is none, or
 * they are cut. */
static size_t v2_addresses(unsigned family, struct span rest, struct proxy_client *out)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    size_t bytes;

    switch (family) {
    case 0x00: /* UNSPEC */
        out->is_peer = true;
        return 0;
    case 0x11: /* IPv4, over a stream or datagrams (QUIC) */
    case 0x12:
        bytes = 2 * sizeof(four.sin_addr) + 4;
        if (rest.len >= bytes) {
            memcpy(&four.sin_addr, rest.ptr, sizeof(four.sin_addr));
            memcpy(&four.sin_port, rest.ptr + 8, sizeof(four.sin_port));
            memcpy(&out->address, &four, sizeof(four));
        }
        break;
    case 0x21: /* IPv6 */
    case 0x22:
        bytes = 2 * sizeof(six.sin6_addr) + 4;
        if (rest.len >= bytes) {
            memcpy(&six.sin6_addr, rest.ptr, sizeof(six.sin6_addr));
            memcpy(&six.sin6_port, rest.ptr + 32, sizeof(six.sin6_port));
            memcpy(&out->address, &six, sizeof(six));
        }
        break;
    case 0x31: /* Unix */
    case 0x32:
        bytes = V2_UNIX_BYTES;
        out->address.ss_family = AF_UNIX;
        break;
    default:
        return SIZE_MAX;
    }
    return rest.len >= bytes ? bytes : SIZE_MAX;
}

/* False: they do not fill the header exactly. */
static bool v2_values(struct span rest, struct proxy_client *out)
{
    while (rest.len > 0) {
        size_t len = rest.len < 3 ? SIZE_MAX : v2_u16(rest.ptr + 1);
        if (len == SIZE_MAX || len > rest.len - 3) {
            return false;
        }
        const char *value = rest.ptr + 3;
        if ((unsigned char)rest.ptr[0] == V2_TYPE_SSL) {
            if (len < V2_SSL_BYTES_MIN) {
                return false;
            }
            out->is_tls = (value[0] & V2_CLIENT_SSL) != 0;
        }
        rest = span_of(value + len, rest.len - 3 - len);
    }
    return true;
}

/* data begins with the signature, or is a part of it. */
static enum proxy_header v2_parse(struct span data, size_t *used, struct proxy_client *out)
{
    unsigned command =
        data.len <= sizeof(v2_signature) ? V2_PROXY : (unsigned char)data.ptr[sizeof(v2_signature)];

    if (command != V2_LOCAL && command != V2_PROXY) {
        return PROXY_HEADER_BAD;
    }
    if (data.len < V2_HEAD_BYTES) {
        return PROXY_HEADER_MORE;
    }
    unsigned family = (unsigned char)data.ptr[13];
    size_t len = v2_u16(data.ptr + 14);
    if (len > PROXY_HEADER_MAX_BYTES - V2_HEAD_BYTES) {
        return PROXY_HEADER_BAD;
    }
    if (data.len < V2_HEAD_BYTES + len) {
        return PROXY_HEADER_MORE;
    }
    *used = V2_HEAD_BYTES + len;
    if (command == V2_LOCAL) { /* what else it says is to be discarded */
        out->is_peer = true;
        return PROXY_HEADER_DONE;
    }
    struct span rest = span_of(data.ptr + V2_HEAD_BYTES, len);
    size_t bytes = v2_addresses(family, rest, out);
    if (bytes == SIZE_MAX || !v2_values(span_of(rest.ptr + bytes, rest.len - bytes), out)) {
        return PROXY_HEADER_BAD;
    }
    return PROXY_HEADER_DONE;
}

enum proxy_header proxy_header_parse(struct span data, size_t *used, struct proxy_client *out)
{
    size_t v1 = data.len < sizeof(v1_prefix) ? data.len : sizeof(v1_prefix);
    size_t v2 = data.len < sizeof(v2_signature) ? data.len : sizeof(v2_signature);
    enum proxy_header result = PROXY_HEADER_BAD;

    *used = 0;
    *out = (struct proxy_client){0};
    if (data.len == 0) {
        return PROXY_HEADER_MORE;
    }
    if (memcmp(data.ptr, v1_prefix, v1) == 0) {
        result = v1_parse(data, used, out);
    } else if (memcmp(data.ptr, v2_signature, v2) == 0) {
        result = v2_parse(data, used, out);
    }
    if (result != PROXY_HEADER_DONE) {
        *used = 0;
        *out = (struct proxy_client){0};
    }
    return result;
}
