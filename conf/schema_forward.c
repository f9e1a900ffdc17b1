/* schema_forward - the directives of a forward block that no site has, in the order in which
 * reference and dump show them. */
#include "conf/schema_rows.h"

#define ACL_SYNTAX "[NAME] all | [NAME] CONDITION VALUE... [CONDITION VALUE...] [reason=\"TEXT\"]"

const struct schema_option schema_upstream_options[UPSTREAM_OPTIONS_COUNT] = {
    {"user", SCHEMA_TEXT, "", "who we are to the parents", 0, 0,
     offsetof(struct conf_upstream, user)},
    {"password", SCHEMA_TEXT, "", "and what we prove it with; dumps show ***", 0, 0,
     offsetof(struct conf_upstream, password)},
    {"credentials", SCHEMA_TEXT, "", "a file with USER:PASSWORD in its first line, instead", 0, 0,
     offsetof(struct conf_upstream, credentials)},
    {"else", SCHEMA_TEXT, "fail", "when no parent can be asked", 0, 0,
     offsetof(struct conf_upstream, otherwise)},
};
#define EXCEPT " [except NETWORK...]"
#define BANDWIDTH_SYNTAX                                                                           \
    "RATE[/s] [down | up | both] [key=client | user | forward] [burst=SIZE] [name=NAME]" EXCEPT
#define QUOTA_SYNTAX                                                                               \
    "SIZE per=hour | day | week | month [key=client | user | forward] [count=down | up | both] "   \
    "[action=deny | throttle:RATE] [status=NUMBER] [name=NAME]" EXCEPT
static const char *const word_off[] = {"off"};
static const char *const words_switch[] = {"on", "off"};

static const struct schema_option auth_options[] = {
    {"realm", SCHEMA_TEXT, "proxy", "what clients show their users when they ask for the password",
     0, 0, offsetof(struct conf_site, forward.auth.realm)},
    {"cache", SCHEMA_DURATION, "5m",
     "for how long a proven password is remembered after its last use", SECOND, DAY,
     offsetof(struct conf_site, forward.auth.cache_ms)},
    {"failures", SCHEMA_RATE, "10/m", "wrong passwords of one client address", 0, 0,
     offsetof(struct conf_site, forward.auth.failures)},
};

static const struct schema_row rows[] = {
    {ROW(FORWARD, "acl", BLOCK), .block = SCHEMA_ACL, LIVE, .syntax = "{ ... }",
     AT(conf_site, forward.acl),
     .doc = "Who may ask for what: allow and deny in the order of the file. The first whose "
            "conditions all hold decides; where none does the request is denied, with 403. Without "
            "the block clients on loopback and private networks may, as if by one rule: allow "
            "default client 127.0.0.0/8 ::1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 "
            "fe80::/10.",
     .example = "acl { deny ads host file:/etc/larder/blocked.txt; allow all; }"},
    {ROW(FORWARD, "auth", AUTH), LIVE,
     .syntax =
         "basic FILE [realm=TEXT] [cache=DURATION] [failures=NUMBER/s | NUMBER/m | NUMBER/h | off]",
     AT(conf_site, forward.auth), .options = auth_options, .option_count = ARRAY_LEN(auth_options),
     .doc =
         "Asks clients for a name and a password (HTTP's Basic scheme, in clear text: for networks "
         "that are trusted that far). FILE is one of htpasswd: NAME:HASH a line, read at start and "
         "reload, with hashes of bcrypt (htpasswd -B) or $5$, $6$ (openssl passwd -6), $7$, $y$ of "
         "crypt(3). A password is hashed once and remembered in memory for as long as cache= says "
         "after its last use, unless its line changes. One client address (IPv6: one /64) has "
         "failures= wrong guesses; beyond them a password that is not remembered gets 429 without "
         "being looked at. Default: nobody is asked.",
     .example = "auth basic /etc/larder/htpasswd realm=\"Example Inc.\";"},
    {ROW(FORWARD, "auth_except", NETWORKS), LIVE, .syntax = "NETWORK...",
     AT(conf_site, forward.auth_except),
     .doc = "Clients that are served without a password. One they send is checked all the same.",
     .example = "auth_except 10.0.5.0/24;"},
    {ROW(FORWARD, "groups", GROUP_FILE), LIVE, .syntax = "FILE", AT(conf_site, forward.group_file),
     .doc =
         "Which users belong together, for rules that ask for a group: GROUP: NAME NAME... a line, "
         "read at start and reload. A group may have several lines, a user several groups.",
     .example = "groups /etc/larder/groups;"},
    {ROW(FORWARD, "group", GROUP), LIVE, .syntax = "GROUP NAME...",
     LIST_IN(conf_site, forward.groups, forward.group_count, conf_group),
     .doc = "The same as a line of groups. May be repeated.", .example = "group staff anna ben;"},
    {ROW(FORWARD, "origins", BLOCK), .block = SCHEMA_DIRECT, LIVE, .syntax = "{ ... }",
     AT(conf_site, origins),
     .doc = "How the servers are asked that clients name: timeouts, tries, TLS, kept connections.",
     .example = "origins { timeout connect=5s first_byte=30s; keepalive 8; }"},
    {ROW(FORWARD, "upstream", UPSTREAM), LIVE, .syntax = UPSTREAM_SYNTAX,
     AT(conf_site, forward.upstream), UPSTREAM_OPTIONS,
     .doc =
         "Requests leave by parent proxies: one by its URL (http://HOST[:PORT]), or a pool of "
         "them, with all a pool can do (balance hash url: each URL by the same parent; check; "
         "eject; max; queue; retry). What servers answer takes no parent out. else=direct: when "
         "no parent can be asked, and nothing of the request was sent that may not be sent "
         "again, its server is asked by ourselves; fail (default): such requests fail. Files "
         "are read at start and reload, and keep the password out of dumps. The access rules "
         "hold as ever, but it is the parent that looks up names: private addresses are denied "
         "by themselves where the client wrote one, and by a rule that asks for addresses (then "
         "names are looked up here too, and none of a name's addresses may be denied, as the "
         "parent takes any). https:// URLs that clients ask for as a whole "
         "(fetch_https) do not go by parents: 501. outgoing is for servers, not for parents; a check "
         "is tcp, or a path that the parent itself answers. Without it, and with direct, servers are "
         "asked by ourselves.",
     .example = "upstream http://parent.example:3128 credentials=/etc/larder/parent;"},
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

    {ROW(ACL, "allow", ACL_RULE), LIVE, .syntax = ACL_SYNTAX,
     LIST_IN(conf_acl, list, count, conf_acl_rule),
     .doc =
         "Lets such requests through; of each condition one of its values must hold. Without `to` "
         "only to public addresses, without `port` only to usual ports (http 80 8008 8080, "
         "https and connect 443), and never to larder itself but with `to self`: what a rule "
         "does not let through for that, later ones may. Conditions: client NETWORK...; user "
         "NAME... (* for anybody with a name); group NAME...; host NAME (exact), *.NAME (below "
         "it), .NAME (both), an address, or file:PATH (a name a line in these forms, or as in "
         "a hosts file); to NETWORK... or public private loopback linklocal multicast self: "
         "of the address that is connected to; port N, N-M; scheme http https connect; method "
         "NAME...; path PATTERN... (* is any bytes; without query); regex PCRE2... on "
         "scheme://host/path?query; time \"mon-fri 08:00-18:00\" (local); of the response: "
         "type PATTERN..., size >N or <N. Of a connect no path and no response is seen: such a "
         "rule is not for it. The name is what the log and the page say. May be repeated.",
     .example = "allow staff client 10.0.0.0/8 host *.example.org port 443 8443;"},
    {ROW(ACL, "deny", ACL_RULE), LIVE, .syntax = ACL_SYNTAX,
     LIST_IN(conf_acl, list, count, conf_acl_rule), .joins = "allow",
     .doc =
         "Denies such requests; see allow. reason: what the page and the log say. A size or type "
         "is looked at before any of the response is sent; where its length is not known it is "
         "cut when it grows past the size. May be repeated.",
     .example = "deny ads host file:/etc/larder/blocked.txt reason=\"Blocked by policy\";"},
};

const struct schema_group schema_group_forward = {rows, ARRAY_LEN(rows)};
