#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H
/*
 * address - IP addresses as socket addresses. Threads: any; pure.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* text: "192.0.2.1" or "2001:db8::1", as inet_pton reads them; no brackets, port 0. False: it is no
 * address, and *out is AF_UNSPEC. */
bool address_parse(const char *text, struct sockaddr_storage *out);
/* Of an AF_INET or AF_INET6 address; host order. */
void address_set_port(struct sockaddr_storage *address, uint16_t port);
#endif
