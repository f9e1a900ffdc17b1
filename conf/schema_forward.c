/* schema_forward - the directives of a forward block that no site has, in the order in which
 * reference and dump show them. */
#include "conf/schema_rows.h"

static const char *const word_off[] = {"off"};
static const char *const words_switch[] = {"on", "off"};

static const struct schema_row rows[] = {
    {ROW(FORWARD, "origins", BLOCK), .block = SCHEMA_DIRECT, LIVE, .syntax = "{ ... }",
     AT(conf_site, origins),
     .doc = "How the servers are asked that clients name: timeouts, tries, TLS, kept connections.",
     .example = "origins { timeout connect=5s first_byte=30s; keepalive 8; }"},
    {ROW(FORWARD, "fetch_https", SWITCH), LIVE, .syntax = "on | off", .fallback = "off",
     ALLOWED(words_switch), AT(conf_site, forward.fetch_https),
     .doc = "Fetch https:// URLs for clients that ask for them as a whole (GET https://...), with "
            "TLS of ours as origins { tls ... } says: the proxy then sees and may cache what they "
            "fetch. Clients usually ask for a tunnel instead (CONNECT), which this does not touch.",
     .example = "fetch_https on;"},
    {ROW(FORWARD, "outgoing", OUTGOING), LIVE, .syntax = "ADDRESS [ADDRESS] | off",
     .fallback = "off", ALLOWED(word_off), AT(conf_site, forward.outgoing),
     .doc = "Connections to servers leave from this address of the machine, one IPv4 and one IPv6. "
            "When only one is said, the servers' addresses of the other kind are not used.",
     .example = "outgoing 192.0.2.7 2001:db8::7;"},
    {ROW(FORWARD, "tunnel_time", DURATION), LIVE, .syntax = "DURATION | off", .fallback = "off",
     ALLOWED(word_off), RANGE(SECOND, 30 * DAY), AT(conf_site, forward.tunnel_time_ms),
     .doc = "A tunnel (CONNECT) is cut when it has been open for so long, whatever flows; "
            "tunnel_idle is for silence. For tunnels opened from now on.",
     .example = "tunnel_time 12h;"},
};

const struct schema_group schema_group_forward = {rows, ARRAY_LEN(rows)};
