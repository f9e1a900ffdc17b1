/* directory_host - what a host is: an address, a name, or neither. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "origin/directory_private.h"

#define NAME_BYTES_MAX 253u /* RFC 1035 2.3.4, without the dot at the end */
#define LABEL_BYTES_MAX 63u
#define LITERAL_BYTES 64u

/* IPv4 mapped into IPv6 is IPv4. */
static void address_take(struct directory_address *out, bool is_v6, const uint8_t bytes[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    bool is_mapped = is_v6 && memcmp(bytes, mapped, sizeof(mapped)) == 0;

    *out = (struct directory_address){.is_v6 = is_v6 && !is_mapped};
    if (out->is_v6) {
        memcpy(out->bytes, bytes, 16);
    } else {
        memcpy(out->bytes, is_mapped ? bytes + 12 : bytes, 4);
    }
}

bool directory_address_read(struct directory_address *out, const char *text)
{
    uint8_t bytes[16] = {0};

    if (inet_pton(AF_INET6, text, bytes) == 1) {
        address_take(out, true, bytes);
        return true;
    }
    if (inet_pton(AF_INET, text, bytes) == 1) {
        address_take(out, false, bytes);
        return true;
    }
    return false;
}

/* 127.0.0.1, and what connecting to it would understand as well: 127.1, 0x7f000001, 2130706433. */
bool directory_is_literal(struct span host, struct directory_address *out)
{
    char text[LITERAL_BYTES];
    struct in_addr v4;

    if (host.len == 0 || host.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    if (directory_address_read(out, text)) {
        return true;
    }
    if (strspn(text, "0123456789abcdefx.") != host.len || inet_aton(text, &v4) == 0) {
        return false;
    }
    uint8_t bytes[16] = {0};
    memcpy(bytes, &v4, sizeof(v4));
    address_take(out, false, bytes);
    return true;
}

static bool is_number(struct span text)
{
    bool is_hex = text.len >= 2 && text.ptr[0] == '0' && text.ptr[1] == 'x';

    for (size_t i = is_hex ? 2 : 0; i < text.len; i++) {
        char c = text.ptr[i];
        if ((c < '0' || c > '9') && (!is_hex || c < 'a' || c > 'f')) {
            return false;
        }
    }
    return text.len > 0;
}

/* Letters, digits, - and _ in labels of 1 to 63. A last label that is a number is of no name, but of an
 * address that is malformed. */
bool directory_is_name(struct span host)
{
    size_t from = 0;

    if (host.len == 0 || host.len > NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i <= host.len; i++) {
        char c = i < host.len ? host.ptr[i] : '.';
        bool is_letter =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!is_letter) {
            return false;
        }
        if (c != '.') {
            continue;
        }
        if (i == from || i - from > LABEL_BYTES_MAX) {
            return false;
        }
        if (i == host.len && is_number(span_of(host.ptr + from, i - from))) {
            return false;
        }
        from = i + 1;
    }
    return true;
}
