/* policy - a policy meets a request; the rest of rule.h is in rule.c. */
#include "site/rule.h"

struct rule_facts rule_facts_of(const struct http_request *request, unsigned status,
                                struct span type)
{
    return (struct rule_facts){
        .method = request->method_text,
        .target = request->path,
        .authority = request->authority,
        .request = &request->fields,
        .status = status,
        .type = type,
    };
}

void policy_for_origin(struct policy *out, const struct policy *policy, bool looked_up)
{
    *out = *policy;
    if (!looked_up) {
        out->ignore_cookies = false; /* the cache has no say in this one */
    }
    if (out->ignore_cookies) {
        out->freshness.set_cookie = HTTP_SET_COOKIE_STRIP;
    }
}
