#ifndef CONF_CONF_FORWARD_H
#define CONF_CONF_FORWARD_H
/*
 * conf_forward - what a `forward` block says beside what it has in common with a site: whom the
 * forward proxy serves, what they may ask for, and what is told of them.
 *
 * Part of the snapshot (conf.h): immutable, owned by it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "conf/conf_acl.h"
#include "conf/conf_auth.h"
#include "conf/conf_networks.h"
#include "conf/conf_quota.h"
#include "conf/conf_upstream.h"

/* Where connections to servers come from; ss_family AF_UNSPEC: not said. With only one of them said
 * the servers' addresses of the other family are not used. Both unsaid: the system's choice. */
struct conf_outgoing {
    struct sockaddr_storage v4, v6;
};

struct conf_forward {
    const char *name; /* NULL: it is a site */
    struct conf_acl acl;
    bool fetch_https; /* absolute https:// targets are fetched, with TLS of ours */
    struct conf_outgoing outgoing;
    struct conf_upstream upstream; /* not set: the servers are asked by ourselves */
    uint64_t tunnel_time_ms;       /* a tunnel lasts so long at most; 0: any time */
    const struct conf_bandwidth *bandwidths;
    size_t bandwidth_count; /* at most CONF_BANDWIDTHS_MAX, as of quotas */
    const struct conf_quota *quotas;
    size_t quota_count;
    struct conf_auth auth;
    struct conf_networks auth_except; /* clients that need no password */
    struct conf_group_file group_file;
    const struct conf_group *groups; /* those in the block */
    size_t group_count;
};

/* Is there a group of that name, in the file or in the block? */
bool conf_forward_has_group(const struct conf_forward *forward, struct span name);
#endif
