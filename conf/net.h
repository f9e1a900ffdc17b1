#ifndef CONF_NET_H
#define CONF_NET_H
/* net - addresses, networks, host names and origin URLs as the language writes them. Pure. */
#include "base/arena.h"
#include "conf/conf.h"

#define CONF_HOST_MAX_BYTES ((size_t)253)

/* Why a word was refused; each has its message in type_net.c. */
enum conf_net {
    CONF_NET_OK,
    CONF_NET_FORM,    /* not ADDRESS:PORT, not NETWORK/BITS, no URL */
    CONF_NET_NO_PORT, /* the port is missing */
    CONF_NET_PORT,    /* not 1..65535 */
    CONF_NET_ADDRESS, /* not an IP address */
    CONF_NET_BITS,    /* prefix length out of range, or address bits behind it */
    CONF_NET_HOST,    /* not a host name */
    CONF_NET_SCHEME,  /* another or no scheme */
    CONF_NET_PATH,    /* something behind host and port */
    CONF_NET_USER,    /* user:password@ */
};

/* ( IPv4 / "[" IPv6 "]" / nothing ) ":" port. Does not set text. */
enum conf_net conf_net_listen(struct span word, struct conf_listen *out);
/* IPv4 or IPv6, optionally "/" bits. ::ffff:a.b.c.d, and networks of such, come out as IPv4. */
enum conf_net conf_net_network(struct span word, struct conf_network *out);
/* A DNS name of letters, digits, "-" and "_", an IPv4 address, or [IPv6]; no port. */
bool conf_net_is_host(struct span word);
/* A host as above with an optional ":" port. */
bool conf_net_is_authority(struct span word);
/* "http://" host [ ":" port ] [ "/" ]. host borrows word, without brackets. */
enum conf_net conf_net_url(struct span word, bool *has_tls, struct span *host, uint16_t *port);
/* 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104. */
bool conf_net_is_loopback(const struct sockaddr_storage *address);
#endif
