/* schema_privacy - directives about what servers, and our own logs, are told of clients; and the file
 * by which clients find a forward proxy. */
#include "conf/schema_rows.h"

static const char *const words_switch[] = {"on", "off"};
static const char *const words_identity[] = {"hide", "forward", "transparent"};
static const char *const words_anonymize[] = {"off", "truncate", "drop"};

#define AGENT_SYNTAX "keep | remove | \"TEXT\""
#define REFERER_SYNTAX "keep | remove | origin | same_origin"

static const struct schema_row rows[] = {
    {ROW(SITE, "anonymize", CHOICE), IN_FORWARD, LIVE, .syntax = "off | truncate | drop",
     .fallback = "off", ALLOWED(words_anonymize), AT(conf_site, privacy.anonymize),
     .doc =
         "Clients' addresses in logs, live view and lists: truncate keeps the network, a /24 of "
         "IPv4, a /48 of IPv6; drop keeps nothing, no users' names either. Limits and rules "
         "still see the whole, and the accounts of quotas keep it in state_dir. Broken requests, of "
         "which no site can be said, are treated as the strictest of them says.",
     .example = "anonymize truncate;"},
    {ROW(SITE, "log_query", SWITCH), IN_FORWARD, LIVE, .syntax = "on | off", .fallback = "on",
     ALLOWED(words_switch), AT(conf_site, privacy.log_query),
     .doc = "off: what stands behind ? in an address, or in a Referer, is in no log, view or list.",
     .example = "log_query off;"},

    {ROW(FORWARD, "identity", CHOICE), LIVE, .syntax = "hide | forward | transparent",
     .fallback = "hide", ALLOWED(words_identity), AT(conf_site, privacy.identity),
     .doc = "What servers are told of the client. hide: nothing; Forwarded, X-Forwarded-*, Via, "
            "From, every field of a client's address (X-Real-IP and the like) and of a proxy's "
            "user are removed, and none is added. forward: Via, and the address as `forwarded` "
            "says. transparent: what the client sent, and nothing is added; requests that claim "
            "another host or client then are not cached. User and password for this proxy never "
            "go on.",
     .example = "identity forward;"},
    {ROW(FORWARD, "user_agent", AGENT), LIVE, .syntax = AGENT_SYNTAX, .fallback = "keep",
     AT(conf_site, privacy.user_agent),
     .doc = "User-Agent towards servers: as the client sent it, none, or this one for all.",
     .example = "user_agent \"Mozilla/5.0\";"},
    {ROW(FORWARD, "referer", REFERER), LIVE, .syntax = REFERER_SYNTAX, .fallback = "keep",
     AT(conf_site, privacy.referer),
     .doc = "Referer towards servers. origin: scheme and host of it only; same_origin: whole, but "
            "to nobody else than the host it names.",
     .example = "referer same_origin;"},
    {ROW(FORWARD, "drop_cookies", HOSTS), LIVE, .syntax = "HOST-PATTERN... | off",
     .fallback = "off", AT(conf_site, privacy.drop_cookies),
     .doc = "To and from these hosts there are no cookies: Cookie is removed from requests, "
            "Set-Cookie from responses. * is any bytes: *.example.org is all below it, * all.",
     .example = "drop_cookies ads.example *.ads.example;"},
    {ROW(FORWARD, "pac", PAC), LIVE, .syntax = "off | on | FILE", .fallback = "off",
     AT(conf_site, pac),
     .doc = "Answers GET /proxy.pac and /wpad.dat on the listeners of this proxy, and "
            "/proxy.pac?forward=NAME on the admin port, without any login: the file by which "
            "browsers configure themselves. on: made from pac_direct and pac_proxy; a FILE is read "
            "as for respond.",
     .example = "pac on;"},
    {ROW(FORWARD, "pac_direct", PAC_DIRECT), LIVE, .syntax = "HOST-PATTERN|NETWORK... | off",
     .fallback = "off", AT(conf_site, pac.direct),
     .doc = "Hosts that clients are to ask themselves, beside plain names, loopback and private "
            "addresses. Networks are those of addresses in URLs; names are not looked up for them.",
     .example = "pac_direct *.intra.example 192.0.2.0/24;"},
    {ROW(FORWARD, "pac_proxy", PAC_PROXY), LIVE, .syntax = "NAME:PORT | auto", .fallback = "auto",
     AT(conf_site, pac.proxy),
     .doc = "The proxy that the PAC file names. auto: the host and port by which it was asked for; "
            "asked for at the admin port, that host and the port of the first listener.",
     .example = "pac_proxy proxy.example:3128;"},

    {ROW(RULE, "user_agent", AGENT), LIVE, SETS(PRIVACY), .syntax = AGENT_SYNTAX,
     AT(conf_rule, user_agent), .doc = "As in forward.", .example = "user_agent remove;"},
    {ROW(RULE, "referer", REFERER), LIVE, SETS(PRIVACY), .syntax = REFERER_SYNTAX,
     AT(conf_rule, referer), .doc = "As in forward.", .example = "referer origin;"},
    {ROW(RULE, "drop_cookies", HOSTS), LIVE, SETS(PRIVACY), .syntax = "HOST-PATTERN... | off",
     AT(conf_rule, drop_cookies), .doc = "As in forward.", .example = "drop_cookies *;"},
};

const struct schema_group schema_group_privacy = {rows, ARRAY_LEN(rows)};
