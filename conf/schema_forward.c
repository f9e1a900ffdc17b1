/* schema_forward - the directives of a forward block that no site has, in the order in which
 * reference and dump show them. */
#include "conf/schema_rows.h"

#define EXCEPT " [except NETWORK...]"
#define BANDWIDTH_SYNTAX                                                                           \
    "RATE[/s] [down | up | both] [key=client | user | forward] [burst=SIZE] [name=NAME]" EXCEPT
#define QUOTA_SYNTAX                                                                               \
    "SIZE per=hour | day | week | month [key=client | user | forward] [count=down | up | both] "   \
    "[action=deny | throttle:RATE] [status=NUMBER] [name=NAME]" EXCEPT
static const char *const word_off[] = {"off"};

static const struct schema_row rows[] = {
    {ROW(FORWARD, "origins", BLOCK), .block = SCHEMA_DIRECT, LIVE, .syntax = "{ ... }",
     AT(conf_site, origins),
     .doc = "How the servers are asked that clients name: timeouts, tries, TLS, kept connections.",
     .example = "origins { timeout connect=5s first_byte=30s; keepalive 8; }"},
    {ROW(FORWARD, "bandwidth", BANDWIDTH), LIVE, .syntax = BANDWIDTH_SYNTAX,
     LIST_IN(conf_site, forward.bandwidths, forward.bandwidth_count, conf_bandwidth),
     .doc =
         "How fast a client may move bytes, in bytes a second: responses to it, from the cache or "
         "not (down), what it sends (up), or the two together (both, the default); tunnels "
         "likewise. key: whose connections share it; user: by client where nobody is logged in. "
         "burst: what may come at once (default: a tenth of a second's, at least 4K). It slows "
         "down and refuses nothing; every bandwidth counts. name: in "
         "larder_bandwidth_waits_total. except: clients it is not for. At most 8. May be repeated.",
     .example = "bandwidth 10M/s key=user;"},
    {ROW(FORWARD, "quota", QUOTA), LIVE, .syntax = QUOTA_SYNTAX,
     LIST_IN(conf_site, forward.quotas, forward.quota_count, conf_quota),
     .doc =
         "How many bytes may be moved in an hour, a day, a week (from Monday) or a month, by the "
         "local calendar. Counted while they flow: responses with their heads and what tunnels "
         "bring (down), content of requests and what tunnels send (up). When it is used up, "
         "action=deny (the default) refuses requests with status (403) and Retry-After, and cuts "
         "what is under way; throttle lets all go on at that rate, shared. key, except: as of "
         "bandwidth. Accounts are kept in state_dir every 5 seconds and at the end, by forward "
         "proxy, name and period; a reload keeps them. larder quota lists and resets them. At most "
         "65536 accounts: beyond, newcomers share one. At most 8 quotas. May be repeated.",
     .example = "quota 50G per=month key=user;"},
    {ROW(FORWARD, "tunnel_time", DURATION), LIVE, .syntax = "DURATION | off", .fallback = "off",
     ALLOWED(word_off), RANGE(SECOND, 30 * DAY), AT(conf_site, forward.tunnel_time_ms),
     .doc = "A tunnel (CONNECT) is cut when it has been open for so long, whatever flows; "
            "tunnel_idle is for silence. For tunnels opened from now on.",
     .example = "tunnel_time 12h;"},
};

const struct schema_group schema_group_forward = {rows, ARRAY_LEN(rows)};
