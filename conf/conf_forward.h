#ifndef CONF_CONF_FORWARD_H
#define CONF_CONF_FORWARD_H
/*
 * conf_forward - what a `forward` block says beside what it has in common with a site: whom the
 * forward proxy serves, what they may ask for, and what is told of them.
 *
 * Part of the snapshot (conf.h): immutable, owned by it.
 */

#include <stdint.h>

#include "conf/conf_acl.h"

struct conf_forward {
    const char *name; /* NULL: it is a site */
    struct conf_acl acl;
    uint64_t tunnel_time_ms; /* a tunnel lasts so long at most; 0: any time */
};
#endif
