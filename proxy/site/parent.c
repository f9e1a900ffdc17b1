/* parent - see parent.h. */
#include "site/parent.h"

#include <stdio.h>

#include "base/log.h"
#include "site/loop.h"

#define SUBJECT_BYTES 256u

bool parent_hears_via(const struct site *site)
{
    return site->via.len > 0 && site->identity != SITE_HIDES && site->identity != SITE_TRANSPARENT;
}

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

void parent_log_login(const struct site *site, const struct site_upstream *upstream,
                      const char *server, unsigned status)
{
    char subject[SUBJECT_BYTES];

    (void)snprintf(subject, sizeof(subject), "%s/%s login", upstream->conf->pool, server);
    log_warn_about(subject, "parent_refuses_login", "site=%s origin=%s/%s status=%u told=%s",
                   site->name.ptr, upstream->conf->pool, server, status,
                   upstream->conf->authorization == NULL ? "nothing" : "credentials");
}

void parent_log_bypass(const struct site *site, const struct site_upstream *upstream)
{
    char subject[SUBJECT_BYTES];

    (void)snprintf(subject, sizeof(subject), "%s bypassed", upstream->conf->pool);
    log_warn_about(subject, "parents_bypassed", "site=%s pool=%s", site->name.ptr,
                   upstream->conf->pool);
}
