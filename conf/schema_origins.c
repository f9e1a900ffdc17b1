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

static const struct schema_row rows[] = {
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
    {ROW(ORIGINS, "host", HOST), LIVE, .syntax = "NAME | client | server", .fallback = "client",
     AT(conf_origins, host),
     .doc = "Host to send to the origin: this name, what the client sent, or host and port of the "
            "server.",
     .example = "host app.internal;"},
};

const struct schema_group schema_group_origins = {rows, ARRAY_LEN(rows)};
