/* schema - the directives, in the order in which the reference and the dump show them. */
#include "conf/schema.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)
#define SECOND ((uint64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define AT(owner, member) .offset = offsetof(struct owner, member)
#define LIST(list, count, element)                                                                 \
    .offset = offsetof(struct conf, list), .count_offset = offsetof(struct conf, count),           \
    .element_bytes = sizeof(struct element)
#define LIST_IN(owner, list, count, element)                                                       \
    .offset = offsetof(struct owner, list), .count_offset = offsetof(struct owner, count),         \
    .element_bytes = sizeof(struct element)
#define ALLOWED(words) .allowed = (words), .allowed_count = ARRAY_LEN(words)
#define ROW(where, word, kind) .name = (word), .context = SCHEMA_##where, .type = SCHEMA_##kind
/* In the type's unit; of a path: bytes (a Unix socket holds 107). */
#define RANGE(lowest, highest) .min = (lowest), .max = (highest)
#define LIVE .reloadable = true
#define SETS(name) .set_bit = CONF_RULE_##name

#define HEADER_SYNTAX "request | response  add NAME VALUE | set NAME VALUE | remove NAME"

static const char *const word_auto[] = {"auto"};
static const char *const word_off[] = {"off"};
static const char *const word_store[] = {"store"};
static const char *const words_switch[] = {"on", "off"};
static const char *const words_metrics[] = {"off", "on", "open"};
static const char *const words_cookie[] = {"pass", "store", "strip"};
static const char *const words_access[] = {"combined", "json"};
static const char *const words_error[] = {"error", "warn", "info", "debug"};

static const char *const words_codings[] = {"off", "gzip", "brotli"};

static const struct schema_option level_options[] = {
    {"gzip", SCHEMA_COUNT, "6", "effort of gzip, 1 to 9", 1, 9,
     offsetof(struct conf_site, compress.gzip_level)},
    {"brotli", SCHEMA_COUNT, "5", "effort of brotli, 0 to 11", 0, 11,
     offsetof(struct conf_site, compress.brotli_level)},
};

static const struct schema_option socket_options[] = {
    {"mode", SCHEMA_MODE, "0660", "permission bits of the socket file", 0, 0777,
     offsetof(struct conf_admin, socket_mode)},
};

static const struct schema_option timeout_options[] = {
    {"connect", SCHEMA_DURATION, "2s", "until the connection stands", 10, 10 * MINUTE,
     offsetof(struct conf_origins, timeout.connect_ms)},
    {"first_byte", SCHEMA_DURATION, "30s", "from the request to the first byte of the answer", 10,
     DAY, offsetof(struct conf_origins, timeout.first_byte_ms)},
    {"idle", SCHEMA_DURATION, "30s", "between two pieces of the answer", 10, DAY,
     offsetof(struct conf_origins, timeout.idle_ms)},
    {"total", SCHEMA_DURATION, "0", "for the whole answer, without what clients take; 0: no bound",
     0, DAY, offsetof(struct conf_origins, timeout.total_ms)},
};

const struct schema_row schema_rows[] = {
    {ROW(ANY, "include", INCLUDE), LIVE, .syntax = "FILE-OR-GLOB...",
     .doc = "Reads other files at this place; paths are relative to the file that includes, "
            "wildcards go in alphabetical order.",
     .example = "include conf.d/*.conf;"},

    {ROW(MAIN, "workers", COUNT), .syntax = "auto | NUMBER", .fallback = "auto", ALLOWED(word_auto),
     RANGE(1, 256), AT(conf, workers),
     .doc = "Worker threads; auto is one per processor the program may use.",
     .example = "workers 4;"},
    {ROW(MAIN, "user", USER), .syntax = "NAME", AT(conf, user),
     .doc = "Drops to this user and its groups after the ports are bound. Unset: stay who we are.",
     .example = "user larder;"},
    {ROW(MAIN, "state_dir", PATH), .syntax = "PATH", .fallback = "/var/lib/larder",
     AT(conf, state_dir), .doc = "Folder for statistics and tokens; made when it is missing.",
     .example = "state_dir /var/lib/larder;"},
    {ROW(MAIN, "listen", LISTEN), .required = true, .syntax = "ADDRESS:PORT | :PORT",
     LIST(listens, listen_count, conf_listen),
     .doc = "Takes clients on this address; :PORT means every IPv4 and IPv6 address. May be "
            "repeated.",
     .example = "listen [::1]:8080;"},
    {ROW(MAIN, "admin", BLOCK), .block = SCHEMA_ADMIN, LIVE, .syntax = "{ ... }", AT(conf, admin),
     .doc = "Dashboard, API and metrics.", .example = "admin { listen 127.0.0.1:8090; }"},
    {ROW(MAIN, "store", BLOCK), .block = SCHEMA_STORE, LIVE, .syntax = "{ ... }", AT(conf, store),
     .doc = "Where cached responses are kept.", .example = "store { size 200G; memory 4G; }"},
    {ROW(MAIN, "log", BLOCK), .block = SCHEMA_LOG, LIVE, .syntax = "{ ... }", AT(conf, log),
     .doc = "Access log and error log.", .example = "log { access stderr json; }"},
    {ROW(MAIN, "limits", BLOCK), .block = SCHEMA_LIMITS, LIVE, .syntax = "{ ... }",
     AT(conf, limits), .doc = "What one client and all clients may take.",
     .example = "limits { connections 50000; }"},
    {ROW(MAIN, "site", BLOCK), .block = SCHEMA_SITE, LIVE, .required = true,
     .syntax = "NAME... { ... }", LIST(sites, site_count, conf_site),
     .doc = "A web site by its exact host names, or * for every name no other site has. May be "
            "repeated.",
     .example =
         "site www.example.com example.com { origins { server app http://10.0.0.11:8080; } }"},

    {ROW(ADMIN, "listen", ADMIN_LISTEN), .syntax = "ADDRESS:PORT | off",
     .fallback = "127.0.0.1:8090", ALLOWED(word_off), .offset = 0,
     .doc = "Address of dashboard and API. Anything but loopback needs plain_http_from.",
     .example = "listen 127.0.0.1:8090;"},
    {ROW(ADMIN, "socket", PATH), .syntax = "PATH [mode=0660] | off",
     .fallback = "/run/larder/admin.sock", ALLOWED(word_off), RANGE(1, 107),
     AT(conf_admin, socket_path), .options = socket_options,
     .option_count = ARRAY_LEN(socket_options),
     .doc = "Unix socket for the command line. Our own user and root are administrators there, "
            "others need a token.",
     .example = "socket /run/larder/admin.sock mode=0660;"},
    {ROW(ADMIN, "tokens", PATH), .syntax = "PATH", AT(conf_admin, tokens_path),
     .doc = "File with the hashes of access tokens; made at the first start. Unset: tokens in "
            "state_dir.",
     .example = "tokens /var/lib/larder/tokens;"},
    {ROW(ADMIN, "session", DURATION), LIVE, .syntax = "DURATION", .fallback = "12h",
     RANGE(MINUTE, 365 * DAY), AT(conf_admin, session_ms),
     .doc = "How long a dashboard login lasts.", .example = "session 8h;"},
    {ROW(ADMIN, "metrics", CHOICE), LIVE, .syntax = "on | open | off", .fallback = "on",
     ALLOWED(words_metrics), AT(conf_admin, metrics),
     .doc = "/metrics for Prometheus: on needs a token with scope read, open needs none.",
     .example = "metrics open;"},
    {ROW(ADMIN, "www_dir", FOLDER), .syntax = "PATH", AT(conf_admin, www_dir),
     .doc = "Serves the dashboard from this folder instead of the built-in one.",
     .example = "www_dir /usr/share/larder/www;"},
    {ROW(ADMIN, "plain_http_from", NETWORKS), LIVE, .syntax = "NETWORK...",
     AT(conf_admin, plain_http_from),
     .doc = "Peers beside loopback that may use the admin listener without TLS. Passwords and "
            "tokens cross that network in the clear.",
     .example = "plain_http_from 10.0.0.0/8;"},
    {ROW(ADMIN, "server_names", NAMES), LIVE, .syntax = "NAME...", AT(conf_admin, server_names),
     .doc = "Host names under which browsers may reach the dashboard, beside its address.",
     .example = "server_names cache.example.com;"},

    {ROW(STORE, "path", PATH), .syntax = "PATH | off", .fallback = "/var/cache/larder",
     ALLOWED(word_off), AT(conf_store, path),
     .doc = "Folder of the disk store; off keeps everything in memory.",
     .example = "path /var/cache/larder;"},
    {ROW(STORE, "size", SIZE), .syntax = "SIZE", .fallback = "10G", RANGE(64 * MIB, 1024 * TIB),
     AT(conf_store, size_bytes),
     .doc = "Most bytes all files of the store may take; the oldest unused objects leave first.",
     .example = "size 200G;"},
    {ROW(STORE, "memory", SIZE), LIVE, .syntax = "SIZE", .fallback = "256M",
     RANGE(16 * MIB, 16 * TIB), AT(conf_store, memory_bytes), .doc = "Memory for cached objects.",
     .example = "memory 4G;"},
    {ROW(STORE, "max_object", SIZE), LIVE, .syntax = "SIZE", .fallback = "4G", RANGE(KIB, 16 * TIB),
     AT(conf_store, max_object_bytes), .doc = "Larger responses are passed on but not stored.",
     .example = "max_object 1G;"},
    {ROW(STORE, "flush", DURATION), .syntax = "DURATION", .fallback = "1500ms",
     RANGE(100, 2 * SECOND), AT(conf_store, flush_ms),
     .doc = "How far the disk may be behind: what a crash can lose.", .example = "flush 500ms;"},
    {ROW(STORE, "read_threads", COUNT), .syntax = "NUMBER", .fallback = "2", RANGE(1, 16),
     AT(conf_store, read_threads), .doc = "Threads that fetch objects from disk.",
     .example = "read_threads 4;"},

    {ROW(LOG, "access", ACCESS_LOG), LIVE,
     .syntax = "PATH [combined | json] | stderr [combined | json] | off", .fallback = "off",
     ALLOWED(words_access), AT(conf_log, access),
     .doc = "One line per request. combined is the default format.",
     .example = "access /var/log/larder/access.log json;"},
    {ROW(LOG, "error", ERROR_LOG), LIVE,
     .syntax = "PATH [error | warn | info | debug] | stderr [error | warn | info | debug]",
     .fallback = "stderr info", ALLOWED(words_error), AT(conf_log, error),
     .doc = "What the program has to say; info is the default level.",
     .example = "error /var/log/larder/error.log warn;"},

    {ROW(LIMITS, "connections", COUNT), LIVE, .syntax = "NUMBER", .fallback = "50000",
     RANGE(1, 10000000), AT(conf_limits, connections),
     .doc = "Client connections at one time, all workers together.",
     .example = "connections 100000;"},
    {ROW(LIMITS, "head", SIZE), LIVE, .syntax = "SIZE", .fallback = "32K", RANGE(KIB, MIB),
     AT(conf_limits, head_bytes), .doc = "Size of a request head: request line and all fields.",
     .example = "head 64K;"},
    {ROW(LIMITS, "target", SIZE), LIVE, .syntax = "SIZE", .fallback = "16K", RANGE(256, MIB),
     AT(conf_limits, target_bytes), .doc = "Size of the address in the request line; at most head.",
     .example = "target 8K;"},
    {ROW(LIMITS, "fields", COUNT), LIVE, .syntax = "NUMBER", .fallback = "128", RANGE(8, 1000),
     AT(conf_limits, fields), .doc = "Header fields in one request.", .example = "fields 100;"},
    {ROW(LIMITS, "request_body", SIZE), LIVE, .syntax = "SIZE", .fallback = "1G",
     RANGE(0, 1024 * TIB), AT(conf_limits, request_body_bytes),
     .doc = "Size of a request body; 0 refuses every body.", .example = "request_body 100M;"},
    {ROW(LIMITS, "head_timeout", DURATION), LIVE, .syntax = "DURATION", .fallback = "15s",
     RANGE(100, HOUR), AT(conf_limits, head_timeout_ms),
     .doc = "For the whole request head to arrive.", .example = "head_timeout 5s;"},
    {ROW(LIMITS, "body_timeout", DURATION), LIVE, .syntax = "DURATION", .fallback = "60s",
     RANGE(100, DAY), AT(conf_limits, body_timeout_ms),
     .doc = "Between two pieces of a request body.", .example = "body_timeout 30s;"},
    {ROW(LIMITS, "client_idle", DURATION), LIVE, .syntax = "DURATION", .fallback = "60s",
     RANGE(100, DAY), AT(conf_limits, client_idle_ms),
     .doc = "How long a connection may wait for its next request.", .example = "client_idle 15s;"},
    {ROW(LIMITS, "send_timeout", DURATION), LIVE, .syntax = "DURATION", .fallback = "60s",
     RANGE(100, DAY), AT(conf_limits, send_timeout_ms),
     .doc = "How long a client may take nothing of a response before it is cut off.",
     .example = "send_timeout 30s;"},
    {ROW(LIMITS, "waiters", COUNT), LIVE, .syntax = "NUMBER", .fallback = "10000",
     RANGE(1, 10000000), AT(conf_limits, waiters),
     .doc = "Requests that may wait for one object being fetched.", .example = "waiters 2000;"},
    {ROW(LIMITS, "drain", DURATION), LIVE, .syntax = "DURATION", .fallback = "60s", RANGE(0, DAY),
     AT(conf_limits, drain_ms), .doc = "How long a stop waits for responses in flight.",
     .example = "drain 20s;"},

    {ROW(SITE, "origins", BLOCK), .block = SCHEMA_ORIGINS, LIVE, .required = true,
     .syntax = "{ ... }", AT(conf_site, origins), .doc = "Where the site's content comes from.",
     .example = "origins { server app http://10.0.0.11:8080; }"},
    {ROW(SITE, "cache", BLOCK), .block = SCHEMA_CACHE, LIVE, .syntax = "{ ... }",
     AT(conf_site, cache), .doc = "What is stored and for how long.",
     .example = "cache { stale_while_revalidate 30s; }"},
    {ROW(SITE, "compress", CODINGS), LIVE, .syntax = "gzip brotli | gzip | brotli | off",
     .fallback = "off", ALLOWED(words_codings), AT(conf_site, compress),
     .doc = "Keeps compressed copies of stored responses for clients that take them. Each is made "
            "once, in the background; what the origin encoded itself or marked no-transform is "
            "left alone.",
     .example = "compress gzip brotli;"},
    {ROW(SITE, "compress_types", MEDIA_TYPES), LIVE, .syntax = "TYPE...",
     .fallback = "text/* application/json application/*+json application/javascript "
                 "application/xml application/*+xml application/wasm image/svg+xml image/x-icon "
                 "image/vnd.microsoft.icon font/ttf font/otf application/vnd.ms-fontobject",
     AT(conf_site, compress.types),
     .doc = "Media types worth compressing; * stands for anything. A change holds for what is "
            "stored from then on.",
     .example = "compress_types text/* application/json;"},
    {ROW(SITE, "compress_min", SIZE), LIVE, .syntax = "SIZE", .fallback = "1K", RANGE(1, 256 * MIB),
     AT(conf_site, compress.min_bytes), .doc = "Smaller responses are not compressed.",
     .example = "compress_min 512;"},
    {ROW(SITE, "compress_max", SIZE), LIVE, .syntax = "SIZE", .fallback = "16M",
     RANGE(1, 256 * MIB), AT(conf_site, compress.max_bytes),
     .doc = "Larger responses are not compressed.", .example = "compress_max 64M;"},
    {ROW(SITE, "compress_level", OPTIONS), LIVE, .syntax = "[gzip=NUMBER] [brotli=NUMBER]",
     .fallback = "", AT(conf_site, compress), .options = level_options,
     .option_count = ARRAY_LEN(level_options),
     .doc = "How hard to try: higher is smaller and slower. A change holds for copies made from "
            "then on.",
     .example = "compress_level gzip=9 brotli=11;"},
    {ROW(SITE, "cache_status", SWITCH), LIVE, .syntax = "on | off", .fallback = "on",
     ALLOWED(words_switch), AT(conf_site, cache_status),
     .doc = "Sends Cache-Status (RFC 9211) with each response.", .example = "cache_status off;"},
    {ROW(SITE, "via", TOKEN), LIVE, .syntax = "NAME", .fallback = "larder", AT(conf_site, via),
     .doc = "Our name in Via and Cache-Status.", .example = "via edge1;"},
    {ROW(SITE, "forwarded", SWITCH), LIVE, .syntax = "on | off", .fallback = "on",
     ALLOWED(words_switch), AT(conf_site, forwarded),
     .doc = "Tells the origin X-Forwarded-For, -Proto and -Host. What a client sends in them is "
            "always dropped.",
     .example = "forwarded off;"},
    {ROW(SITE, "header", HEADER), LIVE, .syntax = HEADER_SYNTAX,
     LIST_IN(conf_site, headers, header_count, conf_header),
     .doc = "Changes header fields of requests on their way to the origin, or of responses on "
            "their way to the client (also of stored ones): set replaces, add keeps what is there. "
            "In the order of the file; those of rules follow. May be repeated.",
     .example = "header response remove X-Powered-By;"},
    {ROW(SITE, "rule", BLOCK), .block = SCHEMA_RULE, LIVE,
     .syntax = "CONDITION VALUE... [CONDITION VALUE...] { ... }",
     LIST_IN(conf_site, rules, rule_count, conf_rule),
     .doc = "Settings for some requests or responses. Conditions: path GLOB (as sent, without the "
            "query; * is any bytes, / too; letter case counts; %61 is a), method NAME, cookie "
            "NAME[=GLOB], header NAME[=GLOB], and of the response type GLOB (image/*) and status "
            "(404, 400-499, 5xx). One of the values and all of the conditions must hold. Rules are "
            "read from top to bottom, every one that holds applies, and a later one overrides an "
            "earlier one. May be repeated.",
     .example = "rule path /static/* method GET { ttl 30d; ignore_cookies; }"},

    {ROW(ORIGINS, "server", SERVER), LIVE, .required = true, .syntax = "NAME URL",
     AT(conf_origins, server),
     .doc = "The origin server: a name for logs and metrics, and http://HOST[:PORT].",
     .example = "server app http://10.0.0.11:8080;"},
    {ROW(ORIGINS, "timeout", OPTIONS), LIVE,
     .syntax = "[connect=DURATION] [first_byte=DURATION] [idle=DURATION] [total=DURATION]",
     .fallback = "", AT(conf_origins, timeout), .options = timeout_options,
     .option_count = ARRAY_LEN(timeout_options), .doc = "How long the origin may take.",
     .example = "timeout connect=1s first_byte=10s;"},
    {ROW(ORIGINS, "keepalive", COUNT), LIVE, .syntax = "NUMBER", .fallback = "64", RANGE(0, 10000),
     AT(conf_origins, keepalive), .doc = "Idle connections to the origin that each worker keeps.",
     .example = "keepalive 128;"},
    {ROW(ORIGINS, "host", HOST), LIVE, .syntax = "NAME", AT(conf_origins, host),
     .doc = "Host to send to the origin. Unset: as the client sent it.",
     .example = "host app.internal;"},

    {ROW(CACHE, "off", FLAG), LIVE, .syntax = "", AT(conf_cache, off),
     .doc = "Passes every request of this site to the origin.", .example = "cache { off; }"},
    {ROW(CACHE, "default_ttl", DURATION), LIVE, .syntax = "DURATION", .fallback = "0",
     RANGE(0, 3650 * DAY), AT(conf_cache, default_ttl_ms),
     .doc = "Lifetime when the origin says nothing; 0: do not store.",
     .example = "default_ttl 5m;"},
    {ROW(CACHE, "min_ttl", DURATION), LIVE, .syntax = "DURATION", .fallback = "0",
     RANGE(0, 3650 * DAY), AT(conf_cache, min_ttl_ms),
     .doc = "Shorter lifetimes are raised to this.", .example = "min_ttl 10s;"},
    {ROW(CACHE, "max_ttl", DURATION), LIVE, .syntax = "DURATION", .fallback = "365d",
     RANGE(SECOND, 3650 * DAY), AT(conf_cache, max_ttl_ms),
     .doc = "Longer lifetimes are cut to this.", .example = "max_ttl 30d;"},
    {ROW(CACHE, "stale_while_revalidate", DURATION), LIVE, .syntax = "DURATION", .fallback = "0",
     RANGE(0, 3650 * DAY), AT(conf_cache, stale_while_revalidate_ms),
     .doc = "Serves stale for this long while one request refreshes (RFC 5861), where the "
            "response says nothing; 0: only as the response says.",
     .example = "stale_while_revalidate 30s;"},
    {ROW(CACHE, "stale_if_error", DURATION), LIVE, .syntax = "DURATION", .fallback = "0",
     RANGE(0, 3650 * DAY), AT(conf_cache, stale_if_error_ms),
     .doc = "Serves stale for this long when the origin fails (RFC 5861), where the response "
            "says nothing; 0: only as the response says.",
     .example = "stale_if_error 1d;"},
    {ROW(CACHE, "serve_stale", SWITCH), LIVE, .syntax = "on | off", .fallback = "on",
     ALLOWED(words_switch), AT(conf_cache, serve_stale),
     .doc = "Serves stale when the origin refuses, disconnects or times out, unless the response "
            "forbids it; off: only within stale_if_error.",
     .example = "serve_stale off;"},
    {ROW(CACHE, "hit_for_miss", DURATION), LIVE, .syntax = "DURATION", .fallback = "10s",
     RANGE(0, HOUR), AT(conf_cache, hit_for_miss_ms),
     .doc = "How long an address that could not be stored is fetched without waiting in line.",
     .example = "hit_for_miss 30s;"},
    {ROW(CACHE, "set_cookie", CHOICE), LIVE, .syntax = "pass | store | strip", .fallback = "pass",
     ALLOWED(words_cookie), AT(conf_cache, set_cookie),
     .doc = "Responses with Set-Cookie: pass stores only what is explicitly shared (public, "
            "s-maxage), store keeps the cookie, strip stores without it.",
     .example = "set_cookie strip;"},
    {ROW(CACHE, "targeted", FIELDS), LIVE, .syntax = "FIELD... | off",
     .fallback = "Larder-Cache-Control CDN-Cache-Control", AT(conf_cache, targeted),
     .doc = "Response fields that speak to this cache alone (RFC 9213), most specific first: the "
            "first valid one replaces Cache-Control and Expires here. Clients get them too.",
     .example = "targeted Larder-Cache-Control CDN-Cache-Control Surrogate-Control;"},
    {ROW(CACHE, "purge", PURGE), LIVE, .syntax = "from NETWORK... | off", .fallback = "off",
     AT(conf_cache, purge_from), .doc = "Who may send the PURGE method to this site.",
     .example = "purge from 127.0.0.1 10.0.0.0/8;"},
    {ROW(CACHE, "client_revalidate", SWITCH), LIVE, .syntax = "on | off", .fallback = "on",
     ALLOWED(words_switch), AT(conf_cache, client_revalidate),
     .doc = "Obeys no-cache, max-age and the like in requests.",
     .example = "client_revalidate off;"},
    {ROW(CACHE, "max_object", SIZE), LIVE, .syntax = "SIZE | store", .fallback = "store",
     ALLOWED(word_store), RANGE(1, 16 * TIB), AT(conf_cache, max_object_bytes),
     .doc = "Larger responses are passed on but not stored; store: as store.max_object, which is "
            "never exceeded.",
     .example = "max_object 100M;"},
    {ROW(CACHE, "ignore_cookies", ON), LIVE, .syntax = "[on | off]", .fallback = "off",
     ALLOWED(words_switch), AT(conf_cache, ignore_cookies),
     .doc =
         "Cookies have no say in what the cache answers: Cookie is kept from the origin and "
         "from Vary, Set-Cookie is stripped from what is stored. Requests that pass keep theirs.",
     .example = "ignore_cookies;"},
    {ROW(CACHE, "ignore_query", PATTERNS), LIVE, .syntax = "NAME... | off", .fallback = "off",
     AT(conf_cache, ignore_query),
     .doc = "Query parameters that are dropped, from the cache key and from what the origin is "
            "asked; * in a name is any bytes, * alone drops the query.",
     .example = "ignore_query utm_* gclid fbclid;"},
    {ROW(CACHE, "sort_query", SWITCH), LIVE, .syntax = "on | off", .fallback = "off",
     ALLOWED(words_switch), AT(conf_cache, sort_query),
     .doc = "Sorts the query by parameter name, for the cache key and for the origin; parameters "
            "of one name keep their order.",
     .example = "sort_query on;"},
    {ROW(CACHE, "vary_ignore", FIELDS), LIVE, .syntax = "NAME... | off", .fallback = "off",
     AT(conf_cache, vary_ignore),
     .doc = "Names in Vary that make no variants: whoever asks first decides what all get. Vary: * "
            "still forbids storing.",
     .example = "vary_ignore User-Agent Origin;"},
    {ROW(CACHE, "vary_max", COUNT), LIVE, .syntax = "NUMBER", .fallback = "256", RANGE(1, 256),
     AT(conf_cache, vary_max),
     .doc = "Variants (Vary) kept of one address; beyond it the oldest leaves.",
     .example = "vary_max 20;"},

    {ROW(RULE, "pass", ON), LIVE, SETS(PASS), .syntax = "[on | off]", ALLOWED(words_switch),
     AT(conf_rule, pass),
     .doc = "Not answered from the cache and not stored. In a rule with type or status: not "
            "stored.",
     .example = "pass;"},
    {ROW(RULE, "ttl", DURATION), LIVE, SETS(TTL), .syntax = "DURATION", RANGE(0, 3650 * DAY),
     AT(conf_rule, ttl_ms),
     .doc = "Lifetime in place of the one the origin states; min_ttl and max_ttl do not bound it. "
            "no-store, private, no-cache, and what is said of Authorization and Set-Cookie stay in "
            "force. For statuses 200, 203, 204, 300, 301 and 308, or those named by status.",
     .example = "ttl 30d;"},
    {ROW(RULE, "default_ttl", DURATION), LIVE, SETS(DEFAULT_TTL), .syntax = "DURATION",
     RANGE(0, 3650 * DAY), AT(conf_rule, cache.default_ttl_ms), .doc = "As in cache.",
     .example = "default_ttl 5m;"},
    {ROW(RULE, "min_ttl", DURATION), LIVE, SETS(MIN_TTL), .syntax = "DURATION",
     RANGE(0, 3650 * DAY), AT(conf_rule, cache.min_ttl_ms), .doc = "As in cache.",
     .example = "min_ttl 10s;"},
    {ROW(RULE, "max_ttl", DURATION), LIVE, SETS(MAX_TTL), .syntax = "DURATION",
     RANGE(SECOND, 3650 * DAY), AT(conf_rule, cache.max_ttl_ms), .doc = "As in cache.",
     .example = "max_ttl 30d;"},
    {ROW(RULE, "stale_while_revalidate", DURATION), LIVE, SETS(STALE_WHILE_REVALIDATE),
     .syntax = "DURATION", RANGE(0, 3650 * DAY), AT(conf_rule, cache.stale_while_revalidate_ms),
     .doc = "As in cache.", .example = "stale_while_revalidate 30s;"},
    {ROW(RULE, "stale_if_error", DURATION), LIVE, SETS(STALE_IF_ERROR), .syntax = "DURATION",
     RANGE(0, 3650 * DAY), AT(conf_rule, cache.stale_if_error_ms), .doc = "As in cache.",
     .example = "stale_if_error 1d;"},
    {ROW(RULE, "serve_stale", SWITCH), LIVE, SETS(SERVE_STALE), .syntax = "on | off",
     ALLOWED(words_switch), AT(conf_rule, cache.serve_stale), .doc = "As in cache.",
     .example = "serve_stale off;"},
    {ROW(RULE, "hit_for_miss", DURATION), LIVE, SETS(HIT_FOR_MISS), .syntax = "DURATION",
     RANGE(0, HOUR), AT(conf_rule, cache.hit_for_miss_ms), .doc = "As in cache.",
     .example = "hit_for_miss 30s;"},
    {ROW(RULE, "set_cookie", CHOICE), LIVE, SETS(SET_COOKIE), .syntax = "pass | store | strip",
     ALLOWED(words_cookie), AT(conf_rule, cache.set_cookie), .doc = "As in cache.",
     .example = "set_cookie strip;"},
    {ROW(RULE, "client_revalidate", SWITCH), LIVE, SETS(CLIENT_REVALIDATE), .syntax = "on | off",
     ALLOWED(words_switch), AT(conf_rule, cache.client_revalidate), .doc = "As in cache.",
     .example = "client_revalidate off;"},
    {ROW(RULE, "max_object", SIZE), LIVE, SETS(MAX_OBJECT), .syntax = "SIZE | store",
     ALLOWED(word_store), RANGE(1, 16 * TIB), AT(conf_rule, cache.max_object_bytes),
     .doc = "As in cache.", .example = "max_object 100M;"},
    {ROW(RULE, "ignore_cookies", ON), LIVE, SETS(IGNORE_COOKIES), .syntax = "[on | off]",
     ALLOWED(words_switch), AT(conf_rule, cache.ignore_cookies), .doc = "As in cache.",
     .example = "ignore_cookies;"},
    {ROW(RULE, "ignore_query", PATTERNS), LIVE, SETS(IGNORE_QUERY), .syntax = "NAME... | off",
     AT(conf_rule, cache.ignore_query),
     .doc = "As in cache, in place of the names there. Only in a rule whose conditions are path "
            "alone: a purge must find what it names.",
     .example = "ignore_query *;"},
    {ROW(RULE, "sort_query", SWITCH), LIVE, SETS(SORT_QUERY), .syntax = "on | off",
     ALLOWED(words_switch), AT(conf_rule, cache.sort_query),
     .doc = "As in cache. Only in a rule whose conditions are path alone.",
     .example = "sort_query on;"},
    {ROW(RULE, "vary_ignore", FIELDS), LIVE, SETS(VARY_IGNORE), .syntax = "NAME... | off",
     AT(conf_rule, cache.vary_ignore), .doc = "As in cache, in place of the names there.",
     .example = "vary_ignore User-Agent;"},
    {ROW(RULE, "vary_max", COUNT), LIVE, SETS(VARY_MAX), .syntax = "NUMBER", RANGE(1, 256),
     AT(conf_rule, cache.vary_max), .doc = "As in cache.", .example = "vary_max 20;"},
    {ROW(RULE, "cache_status", SWITCH), LIVE, SETS(CACHE_STATUS), .syntax = "on | off",
     ALLOWED(words_switch), AT(conf_rule, cache_status), .doc = "As in site.",
     .example = "cache_status off;"},
    {ROW(RULE, "compress", CODINGS), LIVE, SETS(COMPRESS),
     .syntax = "gzip brotli | gzip | brotli | off", ALLOWED(words_codings), AT(conf_rule, compress),
     .doc = "As in site; what and how is the site's matter.", .example = "compress off;"},
    {ROW(RULE, "header", HEADER), LIVE, .syntax = HEADER_SYNTAX,
     LIST_IN(conf_rule, headers, header_count, conf_header),
     .doc = "As in site, after the changes there. May be repeated.",
     .example = "header response set Cache-Control \"max-age=60\";"},
};

const size_t schema_row_count = ARRAY_LEN(schema_rows);
_Static_assert(ARRAY_LEN(schema_rows) <= SCHEMA_ROWS_MAX, "SCHEMA_ROWS_MAX too small");

const char *schema_context_name(enum schema_context context)
{
    for (size_t i = 0; i < schema_row_count; i++) {
        if (schema_rows[i].block == context && context != SCHEMA_NONE) {
            return schema_rows[i].name;
        }
    }
    return "the top level";
}

const struct schema_row *schema_find(enum schema_context context, struct span name)
{
    for (size_t i = 0; context != SCHEMA_NONE && i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        if ((row->context == context || row->context == SCHEMA_ANY) &&
            span_eq(name, span_str(row->name))) {
            return row;
        }
    }
    return NULL;
}

const struct schema_row *schema_find_elsewhere(enum schema_context context, struct span name)
{
    for (size_t i = 0; i < schema_row_count; i++) {
        if (schema_rows[i].context != context && span_eq(name, span_str(schema_rows[i].name))) {
            return &schema_rows[i];
        }
    }
    return NULL;
}

size_t schema_names(enum schema_context context, const char **out)
{
    size_t count = 0;

    for (size_t i = 0; i < schema_row_count; i++) {
        if (schema_rows[i].context == context) {
            out[count++] = schema_rows[i].name;
        }
    }
    return count;
}

uint32_t schema_index(const struct schema_row *row)
{
    return (uint32_t)(row - schema_rows);
}
