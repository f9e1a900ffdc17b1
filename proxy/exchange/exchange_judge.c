/* exchange_judge - a forward proxy's rules and one request. */
#include "exchange/exchange_forward.h"

struct access_facts exchange_judge_facts(const struct exchange *x)
{
    const struct exchange_forward *forward = x->forwarding;
    const struct http_request *request = x->stream->request;

    return (struct access_facts){
        .client = (const struct sockaddr *)exchange_client(x)->address,
        .user = forward->user,
        .groups = forward->groups,
        .group_count = forward->group_count,
        .scheme = forward->is_connect ? ACCESS_CONNECT
                  : forward->is_https ? ACCESS_HTTPS
                                      : ACCESS_HTTP,
        .method = request->method_text,
        .host = forward->host,
        .path = request->path,
        .port = forward->port,
        .wall_s = loop_wall_ms(x->env->loop) / 1000,
        .length = UINT64_MAX,
    };
}

enum exchange_next exchange_deny(struct exchange *x, const struct access_verdict *verdict)
{
    x->forwarding->verdict = *verdict;
    x->result = RESULT_DENIED;
    x->reason = HTTP_REASON_RULE;
    x->forward = HTTP_FORWARD_NONE; /* it goes nowhere */
    x->proxy_error = HTTP_PROXY_HTTP_REQUEST_DENIED;
    struct span text =
        arena_printf(&x->arena, "denied by \"%s\": %s", verdict->name, verdict->reason);
    return exchange_fail(x, 403, text.ptr == NULL ? "denied" : text.ptr);
}

enum exchange_next exchange_judge(struct exchange *x)
{
    struct exchange_forward *forward = x->forwarding;
    struct access_facts facts = exchange_judge_facts(x);

    access_judge(x->site->access, &facts, &forward->verdict);
    if (forward->verdict.answer == ACCESS_DENY) {
        return exchange_deny(x, &forward->verdict);
    }
    forward->stage = FORWARD_GO;
    return EXCHANGE_GO;
}
