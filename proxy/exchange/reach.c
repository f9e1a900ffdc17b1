/* reach - see reach.h. */
#include "exchange/reach.h"

bool reach_allows(const struct site *site, const struct access_facts *facts,
                  const struct sockaddr *address, struct access_verdict *verdict)
{
    struct access_facts known = *facts;

    known.address = address;
    access_judge(site->access, &known, verdict);
    return verdict->answer == ACCESS_ALLOW;
}
