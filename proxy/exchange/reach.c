/* reach - see reach.h. */
#include "exchange/reach.h"

#include "exchange/exchange_forward.h"

bool reach_allows(struct arena *arena, const struct site *site, const struct access_facts *facts,
                  const struct sockaddr *address, struct access_verdict *verdict)
{
    struct access_facts known = *facts;

    known.address = address;
    exchange_judge_by(arena, site, &known, verdict);
    return verdict->answer == ACCESS_ALLOW;
}
