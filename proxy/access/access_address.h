#ifndef ACCESS_ACCESS_ADDRESS_H
#define ACCESS_ACCESS_ADDRESS_H
/*
 * access_address - what kind of address that is: public, or one that means something only here.
 * Threads: any; pure but for interfaces.h.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "conf/conf.h"

/* One of CONF_ACL_PUBLIC .. CONF_ACL_MULTICAST: by the registries of RFC 6890, with what is not
 * globally reachable as private, and 0.0.0.0 and :: as loopback, where they lead. IPv4 that is
 * embedded (mapped, 6to4, NAT64) counts as that. AF_UNSPEC: private. */
enum conf_acl_to access_address_class(const struct sockaddr *address);
/* "private" ... Static. */
const char *access_class_name(enum conf_acl_to class);
/* Would a connection there come to one of our own listeners? The address's own port is not looked
 * at. */
bool access_is_self(const struct conf *conf, const struct sockaddr *address, uint16_t port);
#endif
