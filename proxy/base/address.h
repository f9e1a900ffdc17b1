#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H
/*
 * address - the text of an IP address as a socket address. Threads: any; pure.
 */
#include <stdbool.h>
#include <sys/socket.h>

/* text: "192.0.2.1" or "2001:db8::1", as inet_pton reads them; no brackets, port 0. False: it is no
 * address, and *out is AF_UNSPEC. */
bool address_parse(const char *text, struct sockaddr_storage *out);
#endif
