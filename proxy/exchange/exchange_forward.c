/* exchange_forward - FORWARD: see exchange_forward.h. */
#include "exchange/exchange_forward.h"

#include "http/key.h"
#include "site/loop.h"

/* The target names its server in two of its four forms (RFC 9112 3.2.2, 3.2.3). */
static enum exchange_next take_target(struct exchange *x)
{
    const struct http_request *request = x->stream->request;
    struct exchange_forward *forward = x->forwarding;
    bool is_connect = request->method == HTTP_CONNECT;

    enum exchange_next answered;
    if (!is_connect && request->scheme.len == 0) {
        if (exchange_pac(x, &answered)) {
            return answered;
        }
        return exchange_fail(x, 400, "this is a proxy: a request names the whole URL");
    }
    if (request->authority.len == 0) {
        return exchange_fail(x, 400, "the request names no server");
    }
    forward->is_connect = is_connect;
    forward->is_https = request->scheme.len == 5;
    forward->host = http_authority_host(request->authority);
    forward->port = forward->is_https ? 443 : 80;
    if (forward->host.len < request->authority.len) {
        struct span digits = span_of(request->authority.ptr + forward->host.len + 1,
                                     request->authority.len - forward->host.len - 1);
        unsigned port = 0;
        for (size_t i = 0; i < digits.len; i++) { /* 1..65535: the parser has seen to it */
            port = port * 10 + (unsigned)(digits.ptr[i] - '0');
        }
        forward->port = digits.len > 0 ? (uint16_t)port : forward->port;
    }
    char *room = arena_alloc(&x->arena, HOSTNAME_BYTES);
    if (room == NULL) {
        return exchange_fail(x, 500, "no memory");
    }
    if (hostname_read(forward->host, room, &forward->host, &forward->address) == HOSTNAME_BAD) {
        return exchange_fail(x, 400, "the host is no name, nor an address in its usual spelling");
    }
    forward->is_understood = exchange_client_settle(x);
    x->stream->request->authority = http_authority_normal(request->scheme, request->authority);
    if (loop_is_closed(&request->fields, x->site)) { /* before anything waits for it */
        x->proxy_error = HTTP_PROXY_LOOP_DETECTED;
        return exchange_fail(x, 508, "the request came back to this proxy");
    }
    forward->stage = FORWARD_LOGIN;
    return EXCHANGE_GO;
}

/* TLS of the client's own, in a tunnel, is none of our business; this would be TLS of ours. */
static enum exchange_next deny_https(struct exchange *x)
{
    const struct access_verdict verdict = {
        .answer = ACCESS_DENY,
        .name = "fetch_https",
        .reason = "this proxy does not fetch https:// URLs itself; ask it for a tunnel (CONNECT)",
        .rule = UINT32_MAX,
    };
    return exchange_deny(x, &verdict);
}

void exchange_forward_end(struct exchange *x)
{
    exchange_login_end(x);
}

enum exchange_next exchange_forward(struct exchange *x)
{
    if (x->forwarding == NULL) {
        x->forwarding = arena_alloc(&x->arena, sizeof(*x->forwarding));
        if (x->forwarding == NULL) {
            return exchange_fail(x, 500, "no memory");
        }
        *x->forwarding = (struct exchange_forward){.stage = FORWARD_TARGET};
    }
    switch ((enum forward_stage)x->forwarding->stage) {
    case FORWARD_TARGET:
        return take_target(x);
    case FORWARD_LOGIN:
        return exchange_login(x);
    case FORWARD_JUDGE:
        return x->forwarding->is_https && !x->site->forward->fetch_https ? deny_https(x)
                                                                         : exchange_judge(x);
    case FORWARD_GO:
        break;
    }
    return exchange_enter(x, x->forwarding->is_understood);
}
