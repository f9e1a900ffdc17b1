#ifndef ADMIN_GUARD_H
#define ADMIN_GUARD_H
/*
 * guard - pure checks against web pages that make a browser send requests here: DNS rebinding
 * (Host) and cross-site requests (Sec-Fetch-Site, Origin).
 */
#include <stdbool.h>

#include "conf/conf.h"

/* host: value of Host, NULL: not sent. An address is always right (a rebinding attack needs a
 * name); a name must be localhost or one of server_names. Ports do not matter: tunnels change them.
 */
bool guard_host_is_ours(const char *host, const struct conf_names *server_names);
/* Values of Sec-Fetch-Site, Origin and Host; NULL: not sent. */
bool guard_is_same_origin(const char *fetch_site, const char *origin, const char *host);
/* Value of Content-Type: application/json, with or without parameters. */
bool guard_is_json(const char *content_type);
#endif
