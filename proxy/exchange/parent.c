/* parent - see parent.h. */
#include "exchange/parent.h"

#include "exchange/loop.h"

unsigned parent_lines(struct arena *arena, const struct site *site, const struct policy *policy,
                      const struct http_fields *fields, struct span out[PARENT_LINES])
{
    const struct site_upstream *upstream = site_upstream(site, policy);
    unsigned count = 0;

    if (upstream == NULL) {
        return 0;
    }
    if (upstream->conf->authorization != NULL) {
        out[count++] = span_str(upstream->conf->authorization);
    }
    out[count++] = loop_hops(arena, fields, site); /* Via too, if we send it, the parent may drop */
    out[count++] = LOOP_CONNECTION;
    return count;
}
