/* reach - see reach.h. */
#include "exchange/reach.h"

#include "net/own_address.h"

/* We listen on this port of this machine: whatever the rules say, it is no way out. */
static bool is_self(const struct conf *conf, unsigned port, const struct sockaddr *address)
{
    bool is_ours = conf->admin.enabled && conf->admin.listen.port == port;

    for (size_t i = 0; i < conf->listen_count; i++) {
        is_ours = is_ours || conf->listens[i].port == port;
    }
    return is_ours && own_address(address);
}

bool reach_allows(const struct site *site, const struct conf *conf,
                  const struct access_facts *facts, const struct sockaddr *address,
                  struct access_verdict *verdict)
{
    struct access_facts known = *facts;

    known.address = address;
    access_judge(site->access, &known, verdict);
    if (verdict->answer == ACCESS_ALLOW && is_self(conf, facts->port, address)) {
        *verdict = (struct access_verdict){.answer = ACCESS_DENY,
                                           .name = "self",
                                           .reason = "this is the proxy itself",
                                           .rule = UINT32_MAX};
    }
    return verdict->answer == ACCESS_ALLOW;
}
