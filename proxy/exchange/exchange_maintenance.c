/*
 * exchange_maintenance - a site that is down on purpose: its page for all but the addresses that may
 * look, and what is in the cache where the site says so (RFC 9110 15.6.4).
 */
#include "exchange/exchange_private.h"

enum exchange_next exchange_maintenance_page(struct exchange *x)
{
    const struct conf_maintenance *conf = &x->site->conf->maintenance;
    uint64_t retry_after_s = (conf->retry_after_ms + 999) / 1000;
    x->result = RESULT_DENIED;
    x->reason = HTTP_REASON_MAINTENANCE;
    x->forward = HTTP_FORWARD_NONE; /* it goes nowhere */
    x->retry_after_s = (uint32_t)retry_after_s;
    enum exchange_next next = exchange_fail(x, 503, "this site is down for maintenance");
    if (conf->page.text != NULL) {
        x->own = (struct own_page){.body = conf->page.body,
                                   .type = conf->page.type,
                                   .lines = SPAN("Cache-Control: no-store\r\n")};
    }
    return next;
}

bool exchange_maintenance(struct exchange *x, enum http_reason pass_reason,
                          enum exchange_next *next)
{
    const struct conf_maintenance *conf = &x->site->conf->maintenance;
    if (conf_networks_match(&conf->allow, (const struct sockaddr *)x->client.address)) {
        return false;
    }
    if (conf->cached && pass_reason == HTTP_REASON_NONE) {
        /* As if the client took nothing else: of any age, unless the origin forbade that. */
        x->in_maintenance = true;
        x->directives.flags = HTTP_CC_ONLY_IF_CACHED | HTTP_CC_MAX_STALE;
        x->directives.max_stale_s = UINT32_MAX;
        return false;
    }
    *next = exchange_maintenance_page(x);
    return true;
}
