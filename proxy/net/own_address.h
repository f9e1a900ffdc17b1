#ifndef NET_OWN_ADDRESS_H
#define NET_OWN_ADDRESS_H
/*
 * own_address - is it this machine that would be connected to? Threads: any. Does not block; a few
 * system calls.
 */
#include <stdbool.h>
#include <sys/socket.h>

/* AF_INET or AF_INET6. False also when it cannot be told: there is no way to it. */
bool own_address(const struct sockaddr *address);
#endif
