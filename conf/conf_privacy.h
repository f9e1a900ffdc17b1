#ifndef CONF_CONF_PRIVACY_H
#define CONF_CONF_PRIVACY_H
/*
 * conf_privacy - the part of a snapshot (conf.h, which includes this) about what servers, and our own
 * logs, are told of clients.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf_answer.h"

struct conf_network;

/* What a server is told of a forward proxy's client. Hiding is the default: the servers are anybody's,
 * and an address that was told cannot be taken back. RFC 9110 7.6.3 wants Via of every proxy; it is there
 * with FORWARD, and loops are seen without it too (site/loop.h). */
enum conf_identity {
    CONF_IDENTITY_HIDE,        /* nothing: neither who it is, nor that there is a proxy */
    CONF_IDENTITY_FORWARD,     /* its address, and Via (RFC 9110 7.6.3) */
    CONF_IDENTITY_TRANSPARENT, /* what it says of itself; we add nothing */
};

struct conf_agent {
    enum {
        CONF_AGENT_UNSET, /* of a rule, or of a published site: as it came */
        CONF_AGENT_KEEP,
        CONF_AGENT_REMOVE,
        CONF_AGENT_TEXT,
    } kind;
    const char *text; /* only with CONF_AGENT_TEXT, else NULL */
};

enum conf_referer {
    CONF_REFERER_UNSET, /* as in conf_agent */
    CONF_REFERER_KEEP,
    CONF_REFERER_REMOVE,
    CONF_REFERER_ORIGIN,      /* scheme, host and port of it */
    CONF_REFERER_SAME_ORIGIN, /* only to where it points to */
};

/* Patterns of host names in lower case, * is any bytes. */
struct conf_hosts {
    const char *const *list;
    size_t count;
    bool is_set; /* of a rule: false, what counts without it counts */
};

/* Of clients' addresses in logs and views. */
enum conf_anonymize {
    CONF_ANONYMIZE_OFF,
    CONF_ANONYMIZE_TRUNCATE, /* the network: /24 of IPv4, /48 of IPv6 */
    CONF_ANONYMIZE_DROP,     /* none, and no users either */
};

struct conf_privacy {
    enum conf_identity identity; /* of a forward proxy */
    struct conf_agent user_agent;
    enum conf_referer referer;
    struct conf_hosts drop_cookies; /* to and from whom there are none */
    enum conf_anonymize anonymize;
    bool log_query;
};

/* Which hosts a PAC file sends past the proxy. */
struct conf_pac_direct {
    const char *const *hosts; /* patterns as in conf_hosts */
    size_t host_count;
    const struct conf_network *networks;
    size_t network_count;
};

/* The file by which clients configure themselves. */
struct conf_pac {
    enum {
        CONF_PAC_OFF,
        CONF_PAC_ON,   /* made from the settings below */
        CONF_PAC_FILE, /* the operator's */
    } kind;
    struct conf_page page; /* with CONF_PAC_FILE */
    struct conf_pac_direct direct;
    const char *proxy; /* NAME:PORT to name; NULL: as the client asked */
};
#endif
