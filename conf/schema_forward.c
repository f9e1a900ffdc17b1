/* schema_forward - the directives of a forward block that no site has, in the order in which
 * reference and dump show them. */
#include "conf/schema_rows.h"

static const struct schema_row rows[] = {
    {ROW(FORWARD, "origins", BLOCK), .block = SCHEMA_DIRECT, LIVE, .syntax = "{ ... }",
     AT(conf_site, origins),
     .doc = "How the servers are asked that clients name: timeouts, tries, TLS, kept connections.",
     .example = "origins { timeout connect=5s first_byte=30s; keepalive 8; }"},
};

const struct schema_group schema_group_forward = {rows, ARRAY_LEN(rows)};
