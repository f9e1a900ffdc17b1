/* schema_forward - the directives of a forward block that no site has, in the order in which
 * reference and dump show them. */
#include "conf/schema_rows.h"

static const char *const word_off[] = {"off"};

static const struct schema_row rows[] = {
    {ROW(FORWARD, "origins", BLOCK), .block = SCHEMA_DIRECT, LIVE, .syntax = "{ ... }",
     AT(conf_site, origins),
     .doc = "How the servers are asked that clients name: timeouts, tries, TLS, kept connections.",
     .example = "origins { timeout connect=5s first_byte=30s; keepalive 8; }"},
    {ROW(FORWARD, "tunnel_time", DURATION), LIVE, .syntax = "DURATION | off", .fallback = "off",
     ALLOWED(word_off), RANGE(SECOND, 30 * DAY), AT(conf_site, forward.tunnel_time_ms),
     .doc = "A tunnel (CONNECT) is cut when it has been open for so long, whatever flows; "
            "tunnel_idle is for silence. For tunnels opened from now on.",
     .example = "tunnel_time 12h;"},
};

const struct schema_group schema_group_forward = {rows, ARRAY_LEN(rows)};
