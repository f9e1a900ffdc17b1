/* schema_listen - the directives of a listen block. */
#include "conf/schema_rows.h"

static const char *const words_from[] = {"from", "off"};

static const struct schema_row rows[] = {
    {ROW(LISTENER, "proxy_protocol", FROM), LIVE, .syntax = "from NETWORK... | off",
     .fallback = "off", ALLOWED(words_from), AT(conf_listen, proxy_from),
     .doc = "Every connection here begins with a PROXY protocol header (version 1 or 2) of a load "
            "balancer in these networks; the client is whom it names. Connections of others, or "
            "without the header, are closed and counted.",
     .example = "proxy_protocol from 10.0.0.0/24;"},
    {ROW(LISTENER, "forward", TOKEN), LIVE, .syntax = "NAME", AT(conf_listen, forward),
     .doc = "Clients come in here to the forward proxy of this name, not to the sites.",
     .example = "forward office;"},
};

const struct schema_group schema_group_listen = {rows, ARRAY_LEN(rows)};
