/* schema_guard - who may ask and how much: directives of site, rule and limits, in the order in
 * which reference and dump show them. */
#include "conf/schema_rows.h"

#define LIMIT_SYNTAX                                                                                  \
    "requests NUMBER/s | NUMBER/m [burst=NUMBER] [key=client | user | header:NAME | cookie:NAME | "   \
    "site | forward] [status=NUMBER] [count=all | misses] [name=NAME] | concurrent NUMBER [key=...] " \
    "[status=NUMBER] [count=...] [name=NAME] | connections NUMBER [key=client | user | forward] "     \
    "[status=NUMBER] [name=NAME]"
#define ACCESS_SYNTAX "all | NETWORK... [file=PATH]"

static const char *const word_off[] = {"off"};

static const struct schema_row rows[] = {
    {ROW(LIMITS, "connections_per_client", COUNT), LIVE, .syntax = "NUMBER | off",
     .fallback = "off", ALLOWED(word_off), RANGE(1, 1000000),
     AT(conf_limits, connections_per_client),
     .doc = "Connections at one time of one client address (IPv6: of one /64). Those beyond are "
            "closed at once, and counted in larder_connections_refused_total.",
     .example = "connections_per_client 100;"},
    {ROW(LIMITS, "connections_except", NETWORKS), LIVE, .syntax = "NETWORK...",
     AT(conf_limits, connections_except),
     .doc = "Peers that connections_per_client is not for: load balancers, monitoring.",
     .example = "connections_except 10.0.0.0/8;"},
    {ROW(LIMITS, "limit_memory", SIZE), .syntax = "SIZE", .fallback = "4M",
     RANGE(64 * KIB, 4 * GIB), AT(conf_limits, limit_memory_bytes),
     .doc = "Memory for what limit and connections_per_client remember of clients, 32 bytes each, "
            "whatever their number. Only clients that are using up a limit need room; where there "
            "is none, new ones share a bucket (larder_limit_crowded_total).",
     .example = "limit_memory 32M;"},

    {ROW(SITE, "limit", LIMIT), IN_FORWARD, LIVE, .syntax = LIMIT_SYNTAX " | except NETWORK...",
     LIST_IN(conf_site, limits, limit_count, conf_limit),
     .doc =
         "How much one client may ask of this site. requests: a bucket of burst tokens (default: "
         "NUMBER) that refills at the rate; without a token 429. concurrent: requests under way, "
         "beyond them 503. Both with Retry-After. key: whose bucket it is; client is the address, "
         "IPv6 by /64; header and cookie: by their value, without one by client; site (of a "
         "forward proxy forward): all together. count=misses: only requests that the origin is asked for. name: in "
         "larder_limited_total; a reload keeps the buckets of a name. except: clients that no "
         "limit of the site is for. Every limit counts; a request that one refuses takes no "
         "token of the others. At most 16, and 16 in a rule. In a forward proxy also key=user, by "
         "who is logged in (by client where nobody is), and limit connections NUMBER "
         "[key=client | user | forward] [status=NUMBER] [name=NAME]: connections at a time, tunnels "
         "among them, each from its first request to its end; one that is too many gets 503 and "
         "is closed. May be repeated.",
     .example = "limit requests 10/s burst=20;"},
    {ROW(SITE, "allow", ACCESS), LIVE, .syntax = ACCESS_SYNTAX,
     LIST_IN(conf_site, access.list, access.count, conf_access_entry),
     .doc =
         "Lets these clients in. allow and deny are one list in the order of the file, and the "
         "first that holds the client's address decides; where none does it may ask, but a list "
         "without any deny refuses all others. Refused requests get 403. file: networks one a "
         "line (# and ; begin comments), read when the configuration is loaded. May be repeated.",
     .example = "allow 10.0.0.0/8 2001:db8::/32;"},
    {ROW(SITE, "deny", ACCESS), LIVE, .syntax = ACCESS_SYNTAX,
     LIST_IN(conf_site, access.list, access.count, conf_access_entry), .joins = "allow",
     .doc = "Refuses these clients; see allow. May be repeated.",
     .example = "deny 192.0.2.0/24 file=/etc/larder/blocked.txt;"},

    {ROW(RULE, "limit", LIMIT), LIVE, SETS(LIMIT), .syntax = LIMIT_SYNTAX " | off",
     LIST_IN(conf_rule, limits, limit_count, conf_limit),
     .doc = "As in site, beside the limits there. off: without those of the site and of the rules "
            "above. May be repeated.",
     .example = "limit requests 5/m burst=5 name=login;"},
    {ROW(RULE, "allow", ACCESS), LIVE, SETS(LIMIT), .syntax = ACCESS_SYNTAX,
     LIST_IN(conf_rule, access.list, access.count, conf_access_entry),
     .doc = "As in site. A rule's list is asked before that of the site, a later rule's before an "
            "earlier one's. May be repeated.",
     .example = "allow 10.0.0.0/8;"},
    {ROW(RULE, "deny", ACCESS), LIVE, SETS(LIMIT), .syntax = ACCESS_SYNTAX,
     LIST_IN(conf_rule, access.list, access.count, conf_access_entry), .joins = "allow",
     .doc = "As in site; see allow. May be repeated.", .example = "deny all;"},
};

const struct schema_group schema_group_guard = {rows, ARRAY_LEN(rows)};
