/* schema_origins - the directives of origins, in the order in which reference and dump show them. */
#include "conf/schema_rows.h"

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

static const struct schema_option server_options[] = {
    {"weight", SCHEMA_COUNT, "1", "its share, measured against the others'", 1, CONF_WEIGHT_MAX,
     offsetof(struct conf_server, weight)},
    {"max", SCHEMA_COUNT, "0", "requests at the same time, of all workers; 0: no bound", 0, 1000000,
     offsetof(struct conf_server, max)},
};

static const struct schema_option queue_options[] = {
    {"size", SCHEMA_COUNT, "1000", "requests that may wait; 0: none", 0, 1000000,
     offsetof(struct conf_origins, queue.size)},
    {"timeout", SCHEMA_DURATION, "5s", "how long one may wait", 10, HOUR,
     offsetof(struct conf_origins, queue.timeout_ms)},
};

static const struct schema_option check_options[] = {
    {"every", SCHEMA_DURATION, "5s", "from one check of a server to the next", 100, DAY,
     offsetof(struct conf_origins, probe.every_ms)},
    {"timeout", SCHEMA_DURATION, "2s", "for all of a check", 10, HOUR,
     offsetof(struct conf_origins, probe.timeout_ms)},
    {"expect", SCHEMA_STATUSES, "200-299", "statuses that are good", 0, 0,
     offsetof(struct conf_origins, probe.expect)},
    {"body", SCHEMA_TEXT, "", "text that must be in the first 64 KiB of a GET's body", 0, 0,
     offsetof(struct conf_origins, probe.body)},
    {"host", SCHEMA_AUTHORITY, "", "Host to send; else the host of this block, or the server's", 0,
     0, offsetof(struct conf_origins, probe.host)},
    {"rise", SCHEMA_COUNT, "2", "checks passed in a row until it is up", 1, 100,
     offsetof(struct conf_origins, probe.rise)},
    {"fall", SCHEMA_COUNT, "3", "checks failed in a row until it is down", 1, 100,
     offsetof(struct conf_origins, probe.fall)},
    {"jitter", SCHEMA_PERCENT, "10%", "of every, by lot, sooner or later", 0, 50,
     offsetof(struct conf_origins, probe.jitter)},
};

static const struct schema_option eject_options[] = {
    {"fails", SCHEMA_COUNT, "5", "failures in a row", 1, 1000,
     offsetof(struct conf_origins, eject.fails)},
    {"within", SCHEMA_DURATION, "10s", "from the first of them to the last", 100, HOUR,
     offsetof(struct conf_origins, eject.within_ms)},
    {"time", SCHEMA_DURATION, "1s", "out for so long; doubled when it happens again", 100, HOUR,
     offsetof(struct conf_origins, eject.time_ms)},
    {"max_time", SCHEMA_DURATION, "60s", "out for no longer", 100, DAY,
     offsetof(struct conf_origins, eject.max_time_ms)},
    {"on", SCHEMA_FAILURES, "connect,timeout,reset,bad,502-504",
     "what is a failure: connect, timeout, reset (closed too early), bad (malformed), statuses", 0,
     0, offsetof(struct conf_origins, eject.on)},
};

static const struct schema_option breaker_options[] = {
    {"errors", SCHEMA_PERCENT, "50%", "share of failures", 1, 100,
     offsetof(struct conf_origins, breaker.errors)},
    {"requests", SCHEMA_COUNT, "20", "of at least so many requests", 1, 1000000,
     offsetof(struct conf_origins, breaker.requests)},
    {"within", SCHEMA_DURATION, "10s", "of the last so long", 100, HOUR,
     offsetof(struct conf_origins, breaker.within_ms)},
};

static const struct schema_option resolve_options[] = {
    {"every", SCHEMA_DURATION, "0", "0: when the answer's time to live is over", 0, DAY,
     offsetof(struct conf_origins, resolve_every_ms)},
};

static const struct schema_option keepalive_options[] = {
    {"idle", SCHEMA_DURATION, "60s", "how long one is kept", 10, DAY,
     offsetof(struct conf_origins, keepalive.idle_ms)},
};

static const struct schema_option sticky_options[] = {
    {"max_age", SCHEMA_DURATION, "0", "how long browsers keep it; 0: until they are closed", 0,
     3650 * DAY, offsetof(struct conf_origins, sticky.max_age_ms)},
};

static const char *const word_off[] = {"off"};
static const char *const words_switch[] = {"on", "off"};
static const char *const words_proxy_protocol[] = {"off", "v1", "v2"};
static const char *const words_balance[] = {"round_robin", "least_conn", "random", "hash"};

static const struct schema_row rows[] = {
    {ROW(ORIGINS, "server", SERVER), LIVE, .required = true,
     .syntax = "NAME URL [weight=NUMBER] [max=NUMBER] [backup]",
     LIST_IN(conf_origins, servers, server_count, conf_server), .options = server_options,
     .option_count = ARRAY_LEN(server_options),
     .doc = "An origin server: a name for logs and metrics, and http://HOST[:PORT] or "
            "https://HOST[:PORT]. backup: asked "
            "only when no other server may be. May be repeated.",
     .example = "server app http://10.0.0.11:8080;"},
    {ROW(ORIGINS, "balance", BALANCE), LIVE,
     .syntax = "round_robin | least_conn | random | hash url | hash client | hash header NAME | "
               "hash cookie NAME",
     .fallback = "round_robin", ALLOWED(words_balance), AT(conf_origins, balance),
     .doc = "Which server is asked. round_robin: in turn; least_conn: the one with the fewest "
            "requests under way; random: the better of two drawn by lot; hash: always the same one "
            "for the same value, as long as it is up and not far busier than the others. Shares "
            "follow the weights.",
     .example = "balance least_conn;"},
    {ROW(ORIGINS, "sticky", STICKY), LIVE, .syntax = "COOKIE [max_age=DURATION] | off",
     .fallback = "off", ALLOWED(word_off), AT(conf_origins, sticky), .options = sticky_options,
     .option_count = ARRAY_LEN(sticky_options),
     .doc = "A client stays with the server that first answered it, as long as that one is up: "
            "responses that are not stored set this cookie, and its value names the server.",
     .example = "sticky larder_server max_age=1h;"},
    {ROW(ORIGINS, "slow_start", DURATION), LIVE, .syntax = "DURATION", .fallback = "0",
     RANGE(0, HOUR), AT(conf_origins, slow_start_ms),
     .doc = "A server that is new in the pool, or up again, gets its share of the requests little "
            "by little over this time; with hash its keys come home in the same way. 0: at once.",
     .example = "slow_start 30s;"},
    {ROW(ORIGINS, "queue", OPTIONS), LIVE, .syntax = "[size=NUMBER] [timeout=DURATION]",
     .fallback = "", AT(conf_origins, queue), .options = queue_options,
     .option_count = ARRAY_LEN(queue_options),
     .doc = "Requests wait here, first come first served, while every server has its max.",
     .example = "queue size=200 timeout=2s;"},
    {ROW(ORIGINS, "retry", RETRY), IN_DIRECT, LIVE,
     .syntax = "auto | NUMBER [on=connect,timeout,reset,STATUS,...] [methods=NAME,...] "
               "[budget=PERCENT]",
     .fallback = "auto", AT(conf_origins, retry),
     .doc =
         "How many more servers a request is sent to when one fails (0 to 7), and when. connect: "
         "before any of it was sent; timeout: no answer within first_byte; reset: the connection "
         "ended, or what came was no HTTP, before a complete head; or an answer with this status. "
         "What may have arrived is sent again only with these of the idempotent methods, and "
         "never once part of its body or of the answer was passed on. budget bounds what is sent "
         "again to this share of the requests of the last 10 s, or 3 per second. Without on: "
         "connect,reset; methods: all idempotent ones; budget: 20%. auto: 2 tries more in a pool "
         "of several servers, and with a single one only 1 when it closed before it was asked.",
     .example = "retry 1 on=connect,timeout,503 methods=GET,HEAD;"},
    {ROW(ORIGINS, "check", PROBE), LIVE,
     .syntax = "[GET | HEAD] PATH | tcp | off  [every=DURATION] [timeout=DURATION] "
               "[expect=200-299,301] [body=TEXT] [host=NAME] [rise=NUMBER] [fall=NUMBER] "
               "[jitter=PERCENT]",
     .fallback = "off", AT(conf_origins, probe), .options = check_options,
     .option_count = ARRAY_LEN(check_options),
     .doc = "Each server is asked regularly, and gets no requests while it fails. tcp: a "
            "connection is enough. A new server's first check is made at once and decides alone; "
            "until then it counts as up.",
     .example = "check GET /healthz every=5s timeout=2s expect=200-299 rise=2 fall=3;"},
    {ROW(ORIGINS, "eject", EJECT), LIVE,
     .syntax = "[on | off | auto] [fails=NUMBER] [within=DURATION] [time=DURATION] "
               "[max_time=DURATION] [on=FAILURE,...]",
     .fallback = "auto", AT(conf_origins, eject), .options = eject_options,
     .option_count = ARRAY_LEN(eject_options),
     .doc = "Failures of requests in a row take a server out; then one request at a time tries it. "
            "auto: where there are two servers or more. The last one that is up goes only when "
            "connections to it break.",
     .example = "eject fails=3 time=2s;"},
    {ROW(ORIGINS, "breaker", BREAKER), LIVE,
     .syntax = "off | [errors=PERCENT] [requests=NUMBER] [within=DURATION]", .fallback = "off",
     AT(conf_origins, breaker), .options = breaker_options,
     .option_count = ARRAY_LEN(breaker_options),
     .doc =
         "Too large a share of failures takes a server out. What is a failure, and for how long, "
         "says eject.",
     .example = "breaker errors=30% requests=50;"},
    {ROW(ORIGINS, "resolve", OPTIONS), LIVE, .syntax = "[every=DURATION]", .fallback = "",
     AT(conf_origins, resolve_every_ms), .options = resolve_options,
     .option_count = ARRAY_LEN(resolve_options),
     .doc = "When names of servers are looked up again.", .example = "resolve every=30s;"},
    {ROW(ORIGINS, "timeout", OPTIONS), IN_DIRECT, LIVE,
     .syntax = "[connect=DURATION] [first_byte=DURATION] [idle=DURATION] [total=DURATION]",
     .fallback = "", AT(conf_origins, timeout), .options = timeout_options,
     .option_count = ARRAY_LEN(timeout_options),
     .doc =
         "How long the origin may take. total counts from the request on, over queue and retries.",
     .example = "timeout connect=1s first_byte=10s;"},
    {ROW(ORIGINS, "keepalive", KEEPALIVE), IN_DIRECT, LIVE, .syntax = "NUMBER [idle=DURATION]",
     .fallback = "64", RANGE(0, 10000), AT(conf_origins, keepalive), .options = keepalive_options,
     .option_count = ARRAY_LEN(keepalive_options),
     .doc = "Idle connections to each server that each worker keeps.",
     .example = "keepalive 128 idle=30s;"},
    {ROW(ORIGINS, "tls", TLS), IN_DIRECT, LIVE,
     .syntax = "[verify=on|off] [name=HOST] [ca=FILE] [cert=FILE] [key=FILE] [min=1.2|1.3]",
     AT(conf_origins, tls),
     .doc = "How servers with https:// are spoken to. verify: their certificate must be valid for "
            "name (the host of the URL unless it is set, also sent as SNI) and lead to a CA in the "
            "file ca, or to one this machine trusts; off only where nobody can come between. cert "
            "and key: shown to servers that ask who we are. Files are PEM, read at start and "
            "reload.",
     .example = "tls name=app.internal ca=/etc/larder/origin-ca.pem;"},
    {ROW(ORIGINS, "proxy_protocol", CHOICE), LIVE, .syntax = "off | v1 | v2", .fallback = "off",
     ALLOWED(words_proxy_protocol), AT(conf_origins, proxy_protocol),
     .doc = "Begin connections to the servers with a PROXY protocol header that says the client's "
            "address (the destination in it is 0.0.0.0 or ::). Such a connection carries one "
            "request. Not for https://.",
     .example = "proxy_protocol v2;"},
    {ROW(ORIGINS, "http2", SWITCH), IN_DIRECT, LIVE, .syntax = "on | off", .fallback = "on",
     ALLOWED(words_switch), AT(conf_origins, http2),
     .doc = "Offer HTTP/2 to servers with https://: those that choose it get many requests over "
            "one connection of each worker.",
     .example = "http2 off;"},
    {ROW(ORIGINS, "host", HOST), LIVE, .syntax = "NAME | client | server", .fallback = "client",
     AT(conf_origins, host),
     .doc = "Host to send to the origin: this name, what the client sent, or host and port of the "
            "server.",
     .example = "host app.internal;"},
};

const struct schema_group schema_group_origins = {rows, ARRAY_LEN(rows)};
