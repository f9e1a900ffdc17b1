/* client - see client.h. */
#include "exchange/client.h"

#include "exchange/exchange_private.h"

const struct exchange_client *exchange_client(const struct exchange *x)
{
    return &x->client;
}

void exchange_client_settle(struct exchange *x)
{
    const struct stream *stream = x->stream;
    x->client = (struct exchange_client){
        .address = stream->peer,
        .text = stream->peer_text,
        .chain = stream->peer_text,
        .is_https = stream->is_https,
    };
}
