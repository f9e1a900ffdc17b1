/*
 * fill_direct - a forward proxy's way to the server that its client named.
 */
#include <arpa/inet.h>

#include "exchange/exchange_forward.h"
#include "exchange/fill_private.h"
#include "http/key.h"

#define HOST_BYTES 256u

struct fill_direct {
    struct fetch_origin origin;
    char host[HOST_BYTES];
};

static bool is_literal(const char *host)
{
    unsigned char address[16];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static void settle_origin(struct fill_direct *direct, const struct conf_origins *conf,
                          unsigned port)
{
    direct->origin = (struct fetch_origin){
        .name = direct->host,
        .host = direct->host,
        .port = port,
        .connect_timeout_us = conf->timeout.connect_ms * 1000,
        .first_byte_timeout_us = conf->timeout.first_byte_ms * 1000,
        .idle_timeout_us = conf->timeout.idle_ms * 1000,
        .total_timeout_us = conf->timeout.total_ms * 1000,
        .keepalive = conf->keepalive.count,
        .keepalive_idle_us = conf->keepalive.idle_ms * 1000,
    };
}

void fill_direct_ask(struct fill *fill)
{
    const struct exchange_forward *forward = fill->owner == NULL ? NULL : fill->owner->forwarding;
    struct fill_direct *direct = arena_alloc(&fill->arena, sizeof(*direct));

    if (direct == NULL || forward == NULL || forward->host.len >= HOST_BYTES) {
        (void)fill_fail_later(fill, FILL_CODE_INTERNAL);
        return;
    }
    fill->direct = direct;
    memcpy(direct->host, forward->host.ptr, forward->host.len);
    direct->host[forward->host.len] = '\0';
    settle_origin(direct, &fill->site->conf->origins, forward->port);
    if (!is_literal(direct->host)) {
        (void)fill_fail_later(fill, FILL_CODE_NAMELESS);
        return;
    }
    fill->origin = &direct->origin;
    fill->address = NULL;
    fill->idle_timeout_us = direct->origin.idle_timeout_us;
    fill->onward.host = fill->request->authority;
    fill_fetch(fill);
}

bool fill_direct_retry(struct fill *fill, const struct fetch_result *result)
{
    (void)fill;
    (void)result;
    return false;
}

void fill_direct_end(struct fill *fill)
{
    fill->direct = NULL;
}
