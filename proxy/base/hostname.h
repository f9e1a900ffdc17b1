#ifndef BASE_HOSTNAME_H
#define BASE_HOSTNAME_H
/*
 * hostname - one spelling for each host: what is compared with rules and lists is what is looked up
 * and connected to. An address has one text here; text that some programs read as an address and
 * others as a name (2130706433, 0177.0.0.1, 0x7f.1, 127.1) is neither.
 *
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/span.h"

#define HOSTNAME_BYTES ((size_t)256)

enum hostname_kind {
    HOSTNAME_BAD,     /* no host, or an address in a spelling that is not the usual one */
    HOSTNAME_NAME,    /* lower case, without the dot of the root at its end */
    HOSTNAME_ADDRESS, /* the text of RFC 5952, without brackets; IPv4 in IPv6 as IPv4 */
};

/* What a host (RFC 3986 3.2.2, with or without brackets) comes out as in room; *out borrows it.
 * *address: of an address, with port 0; else AF_UNSPEC. Labels are letters, digits, "-" and "_". */
enum hostname_kind hostname_read(struct span text, char room[HOSTNAME_BYTES], struct span *out,
                                 struct sockaddr_storage *address);
#endif
