/* hostname - see hostname.h. inet_pton takes four decimal numbers without leading zeros, and of IPv6
 * no zone. */
#include "base/hostname.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define NAME_MAX_BYTES 253u
#define LABEL_MAX_BYTES 63u

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Is it a number for inet_aton and the URL Standard ("ends in a number")? Then the host is an
 * address to them. */
static bool is_number(struct span label)
{
    bool is_hex = label.len >= 2 && label.ptr[0] == '0' && label.ptr[1] == 'x';
    for (size_t i = is_hex ? 2 : 0; i < label.len; i++) {
        char c = label.ptr[i];
        if (!is_digit(c) && !(is_hex && c >= 'a' && c <= 'f')) {
            return false;
        }
    }
    return label.len > 0;
}

static bool is_label(struct span label)
{
    for (size_t i = 0; i < label.len; i++) {
        char c = label.ptr[i];
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_') {
            return false;
        }
    }
    return label.len > 0 && label.len <= LABEL_MAX_BYTES;
}

static void set_v4(struct sockaddr_storage *address, struct in_addr v4, char *room,
                   struct span *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = v4};
    memcpy(address, &in, sizeof(in));
    (void)inet_ntop(AF_INET, &v4, room, HOSTNAME_BYTES);
    *out = span_str(room);
}

static enum hostname_kind read_v6(char room[HOSTNAME_BYTES], struct span *out,
                                  struct sockaddr_storage *address)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET6, room, &in.sin6_addr) != 1) {
        return HOSTNAME_BAD;
    }
    if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
        struct in_addr v4;
        memcpy(&v4, &in.sin6_addr.s6_addr[12], sizeof(v4));
        set_v4(address, v4, room, out);
        return HOSTNAME_ADDRESS;
    }
    memcpy(address, &in, sizeof(in));
    (void)inet_ntop(AF_INET6, &in.sin6_addr, room, HOSTNAME_BYTES);
    *out = span_str(room);
    return HOSTNAME_ADDRESS;
}

static enum hostname_kind read_name(char room[HOSTNAME_BYTES], size_t len, struct span *out,
                                    struct sockaddr_storage *address)
{
    struct in_addr v4;
    struct span label = span_of(room, 0);
    for (size_t i = 0; i <= len; i++) {
        if (i == len || room[i] == '.') {
            label.len = (size_t)(room + i - label.ptr);
            if (!is_label(label)) {
                return HOSTNAME_BAD;
            }
            label = i == len ? label : span_of(room + i + 1, 0);
        }
    }
    if (!is_number(label)) {
        *out = span_of(room, len);
        return HOSTNAME_NAME;
    }
    if (inet_pton(AF_INET, room, &v4) != 1) {
        return HOSTNAME_BAD;
    }
    set_v4(address, v4, room, out);
    return HOSTNAME_ADDRESS;
}

enum hostname_kind hostname_read(struct span text, char room[HOSTNAME_BYTES], struct span *out,
                                 struct sockaddr_storage *address)
{
    *address = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    *out = span_of(NULL, 0);
    if (text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']') {
        text = span_of(text.ptr + 1, text.len - 2);
        if (memchr(text.ptr, ':', text.len) == NULL) {
            return HOSTNAME_BAD;
        }
    } else if (text.len > 1 && text.ptr[text.len - 1] == '.') {
        text.len--;
    }
    if (text.len == 0 || text.len > NAME_MAX_BYTES) {
        return HOSTNAME_BAD;
    }
    for (size_t i = 0; i < text.len; i++) {
        room[i] = ascii_lower(text.ptr[i]);
    }
    room[text.len] = '\0';
    if (memchr(room, '\0', text.len) != NULL) {
        return HOSTNAME_BAD;
    }
    return memchr(room, ':', text.len) != NULL ? read_v6(room, out, address)
                                               : read_name(room, text.len, out, address);
}
