/* exchange_address - one address of a server that a client named, right before it is connected to. */
#include "exchange/exchange_forward.h"
#include "net/own_address.h"

/* We listen on this port of this machine: whatever the rules say, it is no way out. */
static bool is_self(const struct site_table *table, const struct sockaddr *address, uint16_t port)
{
    const struct conf *conf = site_table_conf(table);
    bool is_ours = conf->admin.enabled && conf->admin.listen.port == port;

    for (size_t i = 0; i < conf->listen_count; i++) {
        is_ours = is_ours || conf->listens[i].port == port;
    }
    return is_ours && own_address(address);
}

bool exchange_may_connect(const struct site_table *table, const struct site *site,
                          const struct access_facts *facts, const struct sockaddr *address,
                          struct access_verdict *out)
{
    struct access_facts with_address = *facts;

    with_address.address = address;
    access_judge(site->access, &with_address, out);
    if (out->answer == ACCESS_ALLOW && is_self(table, address, facts->port)) {
        *out = (struct access_verdict){.answer = ACCESS_DENY,
                                       .name = "self",
                                       .reason = "this is the proxy itself",
                                       .rule = UINT32_MAX};
    }
    return out->answer == ACCESS_ALLOW;
}
