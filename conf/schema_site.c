/* schema_site - the directives of site, in the order in which reference and dump show them. */
#include "conf/schema_rows.h"

static const char *const words_switch[] = {"on", "off"};
static const char *const words_forwarded[] = {"off", "on", "x_forwarded", "rfc7239", "both"};
static const char *const words_normalize[] = {"auto", "off", "reject", "fold"};
static const char *const words_codings[] = {"off", "gzip", "brotli"};

static const struct schema_option level_options[] = {
    {"gzip", SCHEMA_COUNT, "6", "effort of gzip, 1 to 9", 1, 9,
     offsetof(struct conf_site, compress.gzip_level)},
    {"brotli", SCHEMA_COUNT, "5", "effort of brotli, 0 to 11", 0, 11,
     offsetof(struct conf_site, compress.brotli_level)},
};

static const struct schema_row rows[] = {
    {ROW(SITE, "origins", BLOCK), .block = SCHEMA_ORIGINS, LIVE, .required = true,
     .syntax = "NAME; | { ... }", AT(conf_site, origins),
     .doc = "Where the site's content comes from: servers of its own, or a pool with a name.",
     .example = "origins { server app http://10.0.0.11:8080; }"},
    {ROW(SITE, "cache", BLOCK), IN_FORWARD, .block = SCHEMA_CACHE, LIVE, .syntax = "{ ... }",
     AT(conf_site, cache), .doc = "What is stored and for how long.",
     .example = "cache { stale_while_revalidate 30s; }"},
    {ROW(SITE, "compress", CODINGS), IN_FORWARD, LIVE,
     .syntax = "gzip brotli | gzip | brotli | off", .fallback = "off", ALLOWED(words_codings),
     AT(conf_site, compress),
     .doc = "Keeps compressed copies of stored responses for clients that take them. Each is made "
            "once, in the background; what the origin encoded itself or marked no-transform is "
            "left alone.",
     .example = "compress gzip brotli;"},
    {ROW(SITE, "compress_types", MEDIA_TYPES), IN_FORWARD, LIVE, .syntax = "TYPE...",
     .fallback = "text/* application/json application/*+json application/javascript "
                 "application/xml application/*+xml application/wasm image/svg+xml image/x-icon "
                 "image/vnd.microsoft.icon font/ttf font/otf application/vnd.ms-fontobject",
     AT(conf_site, compress.types),
     .doc = "Media types worth compressing; * stands for anything. A change holds for what is "
            "stored from then on.",
     .example = "compress_types text/* application/json;"},
    {ROW(SITE, "compress_min", SIZE), IN_FORWARD, LIVE, .syntax = "SIZE", .fallback = "1K",
     RANGE(1, 256 * MIB), AT(conf_site, compress.min_bytes),
     .doc = "Smaller responses are not compressed.", .example = "compress_min 512;"},
    {ROW(SITE, "compress_max", SIZE), IN_FORWARD, LIVE, .syntax = "SIZE", .fallback = "16M",
     RANGE(1, 256 * MIB), AT(conf_site, compress.max_bytes),
     .doc = "Larger responses are not compressed.", .example = "compress_max 64M;"},
    {ROW(SITE, "compress_level", OPTIONS), IN_FORWARD, LIVE,
     .syntax = "[gzip=NUMBER] [brotli=NUMBER]", .fallback = "", AT(conf_site, compress),
     .options = level_options, .option_count = ARRAY_LEN(level_options),
     .doc = "How hard to try: higher is smaller and slower. A change holds for copies made from "
            "then on.",
     .example = "compress_level gzip=9 brotli=11;"},
    {ROW(SITE, "normalize_path", CHOICE), LIVE, .syntax = "auto | off | reject | fold",
     .fallback = "auto", ALLOWED(words_normalize), AT(conf_site, normalize),
     .doc =
         "Paths that can be written or read in several ways (//, /../, %61 for a, %2F for a "
         "slash). fold: rules, cache key and origin all get the plain form (%2F stays), and "
         "what rules would judge otherwise if %2F or \\ were a slash is refused with 400. "
         "reject: 400 for all but the plain form. off: as sent, so that rules on path can be "
         "passed by. auto: fold if a rule asks for path or prefix, or a prefix is stripped or "
         "added, else off. What stands behind ; is part of the path here: for origins that drop it "
         "(Java servers) a rule for /admin names \"/admin;*\" too.",
     .example = "normalize_path reject;"},
    {ROW(SITE, "strip_prefix", PREFIX), LIVE, .syntax = "PREFIX | off", .fallback = "off",
     AT(conf_site, rewrite.strip_prefix),
     .doc = "Taken off the path on its way to the origin, in whole segments: /api of /api and "
            "/api/x, not of /apix. The cache key is what the client asked.",
     .example = "strip_prefix /api;"},
    {ROW(SITE, "add_prefix", PREFIX), LIVE, .syntax = "PREFIX | off", .fallback = "off",
     AT(conf_site, rewrite.add_prefix),
     .doc = "Put before the path on its way to the origin, after strip_prefix. The cache key is "
            "what the client asked.",
     .example = "add_prefix /v2;"},
    {ROW(SITE, "redirect_rewrite", SWITCH), LIVE, .syntax = "on | off", .fallback = "on",
     ALLOWED(words_switch), AT(conf_site, rewrite.redirect_rewrite),
     .doc = "Location and Content-Location that name the origin itself, or paths below add_prefix, "
            "become those a client may follow. Holds for what is fetched from then on.",
     .example = "redirect_rewrite off;"},
    {ROW(SITE, "redirect", REDIRECT), LIVE, .syntax = REDIRECT_SYNTAX, .fallback = "off",
     AT(conf_site, redirect),
     .doc = "Sends clients elsewhere. https: those that came without it, to the same address with "
            "it; host: those that asked for another name, to this one; both with 301, or 308 for "
            "other methods than GET and HEAD. STATUS (301, 302, 303, 307, 308) and a URL in "
            "quotes, which begins with http://, https:// or /: all. In it {host} is the name the "
            "client asked for, {path} the path, {query} the query with its \"?\".",
     .example = "redirect https host www.example.com;"},
    {ROW(SITE, "respond", RESPOND), LIVE, .syntax = RESPOND_SYNTAX, .fallback = "off",
     AT(conf_site, respond),
     .doc = "Answers with this, and asks neither cache nor origin; a redirect goes before it. A "
            "file begins with /, is read with the configuration (at most 1M) and again at a "
            "reload.",
     .example = "respond 410 \"This site has moved on.\";"},
    {ROW(SITE, "error_page", ERROR_PAGE), IN_FORWARD, LIVE,
     .syntax = "STATUS... FILE [intercept] [type=TYPE]",
     LIST_IN(conf_site, error_pages, error_page_count, conf_error_page),
     .doc = "What is sent with errors Larder makes itself (404, 500-599, 4xx); intercept: also in "
            "place of what the origin sends with such a status. The file is read as for respond. "
            "A later one overrides an earlier one. May be repeated.",
     .example = "error_page 502 503 504 /etc/larder/sorry.html;"},
    {ROW(SITE, "maintenance", BLOCK), .block = SCHEMA_MAINTENANCE, LIVE, .syntax = "{ ... }",
     AT(conf_site, maintenance),
     .doc = "What the site says while it is switched to maintenance: `larder maintenance on SITE`, "
            "or the API. It stays so over reloads, until it is switched off or larder ends. "
            "redirect and respond go on.",
     .example = "maintenance { allow 10.0.0.0/8; page /etc/larder/sorry.html; }"},
    {ROW(SITE, "cache_status", SWITCH), IN_FORWARD, LIVE, .syntax = "on | off", .fallback = "on",
     ALLOWED(words_switch), AT(conf_site, cache_status),
     .doc = "Sends Cache-Status (RFC 9211) with each response.", .example = "cache_status off;"},
    {ROW(SITE, "via", TOKEN), IN_FORWARD, LIVE, .syntax = "NAME", .fallback = "larder",
     AT(conf_site, via), .doc = "Our name in Via and Cache-Status.", .example = "via edge1;"},
    {ROW(SITE, "trust", TRUST), LIVE, .syntax = TRUST_SYNTAX, AT(conf_site, trust),
     .doc = "Proxies before this site instead of those said at the top level.",
     .example = "trust rfc7239 10.0.0.0/24;"},
    {ROW(SITE, "forwarded", CHOICE), IN_FORWARD, LIVE,
     .syntax = "x_forwarded | rfc7239 | both | off", .fallback = "on", ALLOWED(words_forwarded),
     AT(conf_site, forwarded),
     .doc = "Tells the origin who asks: the client, then the proxies of ours it came through "
            "(trust), in X-Forwarded-For with -Proto and -Host (on is the same), or in Forwarded. "
            "What anybody else sends in them, in X-Real-IP and the like is always dropped. In a "
            "forward proxy only the addresses, and only with identity forward.",
     .example = "forwarded both;"},
    {ROW(SITE, "upgrade", UPGRADE), IN_FORWARD, LIVE, .syntax = "on | off | PROTOCOL...",
     .fallback = "off", AT(conf_site, upgrade),
     .doc = "Protocols a client may switch its connection to, if the origin does (RFC 9110 7.8); "
            "on: websocket. Then bytes flow both ways until one side ends. off: Upgrade is "
            "dropped from requests.",
     .example = "upgrade websocket;"},
    {ROW(SITE, "tunnel_idle", DURATION), IN_FORWARD, LIVE, .syntax = "DURATION", .fallback = "1h",
     RANGE(SECOND, 30 * DAY), AT(conf_site, tunnel_idle_ms),
     .doc = "An upgraded connection, or a tunnel of a forward proxy, without a byte in either "
            "direction for so long is ended.",
     .example = "tunnel_idle 10m;"},
    {ROW(SITE, "header", HEADER), IN_FORWARD, LIVE, .syntax = HEADER_SYNTAX,
     LIST_IN(conf_site, headers, header_count, conf_header),
     .doc = "Changes header fields of requests on their way to the origin, or of responses on "
            "their way to the client (also of stored ones): set replaces, add keeps what is there. "
            "In the order of the file; those of rules follow. May be repeated.",
     .example = "header response remove X-Powered-By;"},
    {ROW(SITE, "rule", BLOCK), IN_FORWARD, .block = SCHEMA_RULE, LIVE,
     .syntax = "CONDITION VALUE... [CONDITION VALUE...] { ... }",
     LIST_IN(conf_site, rules, rule_count, conf_rule),
     .owner_offset = offsetof(struct conf_rule, owner),
     .doc = "Settings for some requests or responses. Conditions: path GLOB (without the query; * "
            "is any bytes, / too; letter case counts; %61 is a), prefix PREFIX (/api is one of "
            "/api and /api/x, not of /apix), host NAME (*.NAME is any below it; * is any), method "
            "NAME, cookie NAME[=GLOB], header "
            "NAME[=GLOB], and of the response type GLOB (image/*) and status (404, 400-499, "
            "5xx). One of the values and all of the conditions must hold. Rules are "
            "read from top to bottom, every one that holds applies, and a later one overrides an "
            "earlier one. May be repeated.",
     .example = "rule path /static/* method GET { ttl 30d; ignore_cookies; }"},

    {ROW(MAINTENANCE, "allow", NETWORKS), LIVE, .syntax = "NETWORK...", AT(conf_maintenance, allow),
     .doc = "Clients that are served as ever.", .example = "allow 10.0.0.0/8 2001:db8::/32;"},
    {ROW(MAINTENANCE, "page", PAGE), LIVE, .syntax = "FILE | \"TEXT\" [type=TYPE]",
     AT(conf_maintenance, page),
     .doc = "What the others get, with 503; read as for respond. Unset: as error_page says for "
            "503.",
     .example = "page /etc/larder/sorry.html;"},
    {ROW(MAINTENANCE, "retry_after", DURATION), LIVE, .syntax = "DURATION", .fallback = "5m",
     RANGE(0, 365 * DAY), AT(conf_maintenance, retry_after_ms),
     .doc = "Retry-After to send; 0: none.", .example = "retry_after 1h;"},
    {ROW(MAINTENANCE, "cached", SWITCH), LIVE, .syntax = "on | off", .fallback = "off",
     ALLOWED(words_switch), AT(conf_maintenance, cached),
     .doc =
         "Goes on serving what is in the cache, fresh or stale, and asks the origin for nothing.",
     .example = "cached on;"},
};

const struct schema_group schema_group_site = {rows, ARRAY_LEN(rows)};
