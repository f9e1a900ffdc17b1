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

static const struct schema_option keepalive_options[] = {
    {"idle", SCHEMA_DURATION, "60s", "how long one is kept", 10, DAY,
     offsetof(struct conf_origins, keepalive.idle_ms)},
};

static const struct schema_option sticky_options[] = {
    {"max_age", SCHEMA_DURATION, "0", "how long browsers keep it; 0: until they are closed", 0,
     3650 * DAY, offsetof(struct conf_origins, sticky.max_age_ms)},
};

static const char *const word_off[] = {"off"};
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
    {ROW(ORIGINS, "timeout", OPTIONS), LIVE,
     .syntax = "[connect=DURATION] [first_byte=DURATION] [idle=DURATION] [total=DURATION]",
     .fallback = "", AT(conf_origins, timeout), .options = timeout_options,
     .option_count = ARRAY_LEN(timeout_options), .doc = "How long the origin may take.",
     .example = "timeout connect=1s first_byte=10s;"},
    {ROW(ORIGINS, "keepalive", KEEPALIVE), LIVE, .syntax = "NUMBER [idle=DURATION]",
     .fallback = "64", RANGE(0, 10000), AT(conf_origins, keepalive), .options = keepalive_options,
     .option_count = ARRAY_LEN(keepalive_options),
     .doc = "Idle connections to each server that each worker keeps.",
     .example = "keepalive 128 idle=30s;"},
    {ROW(ORIGINS, "tls", TLS), LIVE,
     .syntax = "[verify=on|off] [name=HOST] [ca=FILE] [cert=FILE] [key=FILE] [min=1.2|1.3]",
     AT(conf_origins, tls),
     .doc = "How servers with https:// are spoken to. verify: their certificate must be valid for "
            "name (the host of the URL unless it is set, also sent as SNI) and lead to a CA in the "
            "file ca, or to one this machine trusts; off only where nobody can come between. cert "
            "and key: shown to servers that ask who we are. Files are PEM, read at start and "
            "reload.",
     .example = "tls name=app.internal ca=/etc/larder/origin-ca.pem;"},
    {ROW(ORIGINS, "host", HOST), LIVE, .syntax = "NAME | client | server", .fallback = "client",
     AT(conf_origins, host),
     .doc = "Host to send to the origin: this name, what the client sent, or host and port of the "
            "server.",
     .example = "host app.internal;"},
};

const struct schema_group schema_group_origins = {rows, ARRAY_LEN(rows)};
