/*
 * fill_parent - a forward proxy's way out by a parent: a claim on the pool of parents like on any
 * pool, so that health, queue, tries and balance are the pool's. What differs is here: the request
 * goes out in absolute form (RFC 9112 3.2.2), with our own Proxy-Authorization and never the
 * client's, and where `else=direct` says so the server is asked by ourselves when no parent can be.
 */
#include "fill/fill_private.h"
#include "site/parent.h"

void fill_parent_choose(struct fill *fill)
{
    struct span authority = fill->request->authority;

    fill->onward.scheme = SPAN("http");
    fill->onward.authority = authority;
    fill->onward.host = authority;
}

bool fill_parent_instead(struct fill *fill)
{
    const struct site_upstream *upstream = site_upstream(fill->site, &fill->policy);

    if (!upstream->conf->else_direct) {
        return false;
    }
    parent_log_bypass(fill->site, upstream);
    fill_let_go(fill, NULL);
    fill->policy.upstream = 0;
    fill->want = (struct origin_want){0};
    fill->last_code = 0;
    if (fill->owner == NULL) {
        /* Whose rules allow the server's addresses to others? Those go there by themselves. */
        (void)fill_fail_later(fill, FILL_CODE_ALONE);
        return true;
    }
    if (!fill->background) {
        fill->owner->has_name = false;
    }
    fill_ask(fill);
    return true;
}

enum fetch_flow fill_parent_refused(struct fill *fill, unsigned status)
{
    parent_log_login(fill->site, site_upstream(fill->site, &fill->policy),
                     origin_server_name(fill->claim.server), status);
    origin_claim_answered(&fill->claim, status, loop_now_us(fill->env->loop));
    fill->figures.origin_status = (uint16_t)status;
    return fill_fail_later(fill, FILL_CODE_LOGIN);
}
