/* schema_forward - the directives of a forward block that no site has, in the order in which
 * reference and dump show them. */
#include "conf/schema_rows.h"

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
static const char *const word_off[] = {"off"};

static const struct schema_row rows[] = {
    {ROW(FORWARD, "origins", BLOCK), .block = SCHEMA_DIRECT, LIVE, .syntax = "{ ... }",
     AT(conf_site, origins),
     .doc = "How the servers are asked that clients name: timeouts, tries, TLS, kept connections.",
     .example = "origins { timeout connect=5s first_byte=30s; keepalive 8; }"},
    {ROW(FORWARD, "upstream", UPSTREAM), LIVE, .syntax = UPSTREAM_SYNTAX,
     AT(conf_site, forward.upstream), UPSTREAM_OPTIONS,
     .doc =
         "Requests leave by parent proxies: one by its URL (http://HOST[:PORT]), or a pool of "
         "them, with all a pool can do (balance hash url: each URL by the same parent; check; "
         "eject; max; queue; retry). What servers answer takes no parent out. else=direct: when no parent can be "
         "asked, and nothing of the request was sent that may not be sent again, its server is "
         "asked by ourselves; fail (default): such requests fail. Files are read at start and "
         "reload, and keep the password out of dumps. The access rules hold as ever, but it is "
         "the parent that looks up names: private addresses are denied by themselves where "
         "the client wrote one, and by a rule that asks for addresses (then names are looked "
         "up here too). Without it, and with direct, servers are asked by ourselves.",
     .example = "upstream http://parent.example:3128 credentials=/etc/larder/parent;"},
    {ROW(FORWARD, "tunnel_time", DURATION), LIVE, .syntax = "DURATION | off", .fallback = "off",
     ALLOWED(word_off), RANGE(SECOND, 30 * DAY), AT(conf_site, forward.tunnel_time_ms),
     .doc = "A tunnel (CONNECT) is cut when it has been open for so long, whatever flows; "
            "tunnel_idle is for silence. For tunnels opened from now on.",
     .example = "tunnel_time 12h;"},
};

const struct schema_group schema_group_forward = {rows, ARRAY_LEN(rows)};
