/* schema_server - the directives of the top level and its blocks but sites, in the order in which
 * reference and dump show them. */
#include "conf/schema_rows.h"

static const char *const word_auto[] = {"auto"};
static const char *const word_off[] = {"off"};
static const char *const words_metrics[] = {"off", "on", "open"};
static const char *const words_access[] = {"combined", "json"};
static const char *const words_error[] = {"error", "warn", "info", "debug"};

static const struct schema_option socket_options[] = {
    {"mode", SCHEMA_MODE, "0660", "permission bits of the socket file", 0, 0777,
     offsetof(struct conf_admin, socket_mode)},
};

static const struct schema_row rows[] = {
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
    {ROW(MAIN, "listen", LISTEN), .block = SCHEMA_LISTENER, .required = true,
     .syntax = "ADDRESS:PORT | :PORT", LIST(listens, listen_count, conf_listen),
     .owner_offset = offsetof(struct conf_listen, owner),
     .doc = "Takes clients on this address; :PORT means every IPv4 and IPv6 address. What is said "
            "in its block can be changed by a reload. May be repeated.",
     .example = "listen [::1]:8080;"},
    {ROW(MAIN, "trust", TRUST), LIVE, .syntax = TRUST_SYNTAX, .fallback = "off", AT(conf, trust),
     .doc = "Proxies of our own in front of us. A client is who they say it is in X-Forwarded-For "
            "(or, with rfc7239, in Forwarded), as far to the left as trusted addresses reach; it "
            "came by the scheme and to the host they say in -Proto and -Host. From everybody else "
            "such fields are dropped. x_forwarded is the default.",
     .example = "trust 10.0.0.0/24 2001:db8::/64;"},
    {ROW(MAIN, "admin", BLOCK), .block = SCHEMA_ADMIN, LIVE, .syntax = "{ ... }", AT(conf, admin),
     .doc = "Dashboard, API and metrics.", .example = "admin { listen 127.0.0.1:8090; }"},
    {ROW(MAIN, "store", BLOCK), .block = SCHEMA_STORE, LIVE, .syntax = "{ ... }", AT(conf, store),
     .doc = "Where cached responses are kept.", .example = "store { size 200G; memory 4G; }"},
    {ROW(MAIN, "log", BLOCK), .block = SCHEMA_LOG, LIVE, .syntax = "{ ... }", AT(conf, log),
     .doc = "Access log and error log.", .example = "log { access stderr json; }"},
    {ROW(MAIN, "limits", BLOCK), .block = SCHEMA_LIMITS, LIVE, .syntax = "{ ... }",
     AT(conf, limits), .doc = "What one client and all clients may take.",
     .example = "limits { connections 50000; }"},
    {ROW(MAIN, "resolver", RESOLVERS), LIVE, .syntax = "ADDRESS[:PORT]...", AT(conf, resolvers),
     .doc = "Name servers that are asked for names of origins. Unset: the system's, of "
            "/etc/resolv.conf, after its hosts file.",
     .example = "resolver 10.0.0.53 [2001:db8::53]:53;"},
    {ROW(MAIN, "origins", BLOCK), .block = SCHEMA_ORIGINS, LIVE, .syntax = "NAME { ... }",
     LIST(pools, pool_count, conf_origins), .owner_offset = offsetof(struct conf_origins, owner),
     .doc = "A pool of origin servers that several sites, or rules, use by its name. May be "
            "repeated.",
     .example = "origins api { server a http://10.0.0.21:8080; server b http://10.0.0.22:8080; }"},
    {ROW(MAIN, "site", BLOCK), .block = SCHEMA_SITE, LIVE, .required = true,
     .syntax = "NAME... { ... }", LIST(sites, site_count, conf_site),
     .doc = "A web site by its host names: exact ones, *.NAME for all names below NAME (at any "
            "depth, not NAME itself; the longest wins), or * for every name no other site has. "
            "May be repeated.",
     .example =
         "site www.example.com example.com { origins { server app http://10.0.0.11:8080; } }"},

    {ROW(MAIN, "forward", BLOCK), .block = SCHEMA_FORWARD, LIVE, .syntax = "NAME { ... }",
     LIST(sites, site_count, conf_site), .joins = "site",
     .doc = "A forward proxy: clients send it all their requests (a listen with forward NAME), and "
            "it decides on each one. Its cache is its own. May be repeated.",
     .example = "forward office { origins { timeout connect=5s; } }"},

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
     .doc =
         "Client connections at one time, all workers together. When there are so many, one that "
         "is idle between requests is closed for each new client; with none idle it is refused.",
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
    {ROW(LIMITS, "min_rate", SIZE), LIVE, .syntax = "SIZE | off", .fallback = "256", RANGE(1, GIB),
     ALLOWED(word_off), AT(conf_limits, min_rate_bytes),
     .doc = "Bytes per second that a request body must bring and a response must be taken with, "
            "measured over min_rate_over of waiting for the client; slower clients are cut off. "
            "Waiting for the origin does not count.",
     .example = "min_rate 1K;"},
    {ROW(LIMITS, "min_rate_over", DURATION), LIVE, .syntax = "DURATION", .fallback = "60s",
     RANGE(SECOND, HOUR), AT(conf_limits, min_rate_over_ms),
     .doc = "For so long a client may be slower than min_rate.", .example = "min_rate_over 20s;"},
    {ROW(LIMITS, "keepalive_requests", COUNT), LIVE, .syntax = "NUMBER | off", .fallback = "off",
     RANGE(1, 100000000), ALLOWED(word_off), AT(conf_limits, keepalive_requests),
     .doc = "A connection is closed after so many requests; off: never for that.",
     .example = "keepalive_requests 1000;"},
    {ROW(LIMITS, "waiters", COUNT), LIVE, .syntax = "NUMBER", .fallback = "10000",
     RANGE(1, 10000000), AT(conf_limits, waiters),
     .doc = "Requests that may wait for one object being fetched.", .example = "waiters 2000;"},
    {ROW(LIMITS, "drain", DURATION), LIVE, .syntax = "DURATION", .fallback = "60s", RANGE(0, DAY),
     AT(conf_limits, drain_ms), .doc = "How long a stop waits for responses in flight.",
     .example = "drain 20s;"},
};

const struct schema_group schema_group_server = {rows, ARRAY_LEN(rows)};
