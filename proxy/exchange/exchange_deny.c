/* exchange_deny - the end of a request that a forward proxy's rules deny. */
#include "exchange/exchange_forward.h"

enum http_reason exchange_deny_reason(const struct access_verdict *verdict)
{
    switch (verdict->by) {
    case ACCESS_BY_RULE:
        break;
    case ACCESS_BY_END:
        return HTTP_REASON_ACCESS_END;
    case ACCESS_BY_PRIVATE:
        return HTTP_REASON_ACCESS_PRIVATE;
    case ACCESS_BY_PORT:
        return HTTP_REASON_ACCESS_PORT;
    case ACCESS_BY_SELF:
        return HTTP_REASON_ACCESS_SELF;
    }
    return HTTP_REASON_ACCESS_RULE;
}

enum exchange_next exchange_deny(struct exchange *x, const struct access_verdict *verdict)
{
    x->forwarding->verdict = *verdict;
    x->result = RESULT_DENIED;
    x->reason = (uint8_t)exchange_deny_reason(verdict);
    x->forward = HTTP_FORWARD_NONE; /* it goes nowhere */
    x->proxy_error = verdict->by == ACCESS_BY_PRIVATE || verdict->by == ACCESS_BY_SELF
                         ? HTTP_PROXY_DESTINATION_IP_PROHIBITED
                         : HTTP_PROXY_HTTP_REQUEST_DENIED;
    return exchange_fail(x, 403, "denied");
}
