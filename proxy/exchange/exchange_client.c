/*
 * exchange_client - whose request it is (site/client.h): settled once, as soon as its site is known;
 * where nobody is trusted that is a few pointers to what the stream has.
 *
 * A proxy of ours is believed as if its client had come to us itself: address, scheme, and also the
 * host it asked for. The latter two are in the cache key then, so whatever a stranger makes that
 * proxy say, he gets no other response than by asking for it in the open.
 */
#include "exchange/exchange_private.h"
#include "http/forwarded.h"

const struct site_client *exchange_client(const struct exchange *x)
{
    return &x->client;
}

void exchange_client_begin(struct exchange *x)
{
    const struct stream *stream = x->stream;
    x->client = (struct site_client){
        .address = stream->peer,
        .text = stream->peer_text,
        .chain = stream->peer_text,
        .is_https = stream->is_https,
    };
}

static const struct conf_trust *trust_of(const struct exchange *x, const struct site *site)
{
    return site != NULL ? site->trust : site_table_trust(x->table);
}

static bool is_trusted(const void *ctx, const struct sockaddr *address)
{
    const struct conf_trust *trust = ctx;
    return conf_networks_match(&trust->networks, address);
}

static size_t append(char *out, size_t len, struct span text)
{
    memcpy(out + len, text.ptr, text.len);
    return len + text.len;
}

/* Client first, the peer last. */
static struct span write_chain(struct exchange *x, const struct http_forwarded *said)
{
    struct span peer = x->stream->peer_text;
    size_t room = said->count * (HTTP_FORWARDED_TEXT_BYTES + sizeof(", ")) + peer.len;
    char *chain = arena_alloc(&x->arena, room);
    size_t len = 0;
    if (chain == NULL) {
        return peer;
    }
    for (unsigned i = said->count; i > 0; i--) {
        len = append(chain, len, span_str(said->hops[i - 1]));
        len = append(chain, len, SPAN(", "));
    }
    return span_of(chain, append(chain, len, peer));
}

static void take_client(struct exchange *x, const struct http_forwarded *said)
{
    if (said->scheme != HTTP_SCHEME_UNSAID) {
        x->client.is_https = said->scheme == HTTP_SCHEME_HTTPS;
    }
    if (said->count == 0) {
        return;
    }
    struct span text = arena_copy(&x->arena, span_str(said->hops[said->count - 1]));
    struct span address =
        arena_copy(&x->arena, span_of((const char *)&said->client, sizeof(said->client)));
    if (text.ptr != NULL && address.ptr != NULL) {
        x->client.address = (const struct sockaddr_storage *)(const void *)address.ptr;
        x->client.text = text;
        x->client.chain = write_chain(x, said);
    }
}

/* The host the client asked for, if that is one of ours and of a site that trusts the peer too. */
static void take_host(struct exchange *x, struct span host)
{
    bool is_asked = x->site == NULL || x->site->forward == NULL; /* else the target says it */
    char *lower = host.len == 0 || !is_asked ? NULL : arena_alloc(&x->arena, host.len);
    if (lower == NULL) {
        return;
    }
    for (size_t i = 0; i < host.len; i++) {
        lower[i] = ascii_lower(host.ptr[i]);
    }
    const struct site *site = site_table_find(x->table, span_of(lower, host.len));
    const struct conf_trust *trust = site != NULL ? site->trust : NULL;
    if (trust != NULL && is_trusted(trust, (const struct sockaddr *)x->stream->peer)) {
        x->site = site;
        x->stream->request->authority = span_of(lower, host.len);
    }
}

static bool believe(struct exchange *x, const struct conf_trust *trust)
{
    struct http_forwarded said;
    const struct http_forwarded_options options = {
        .family = trust->by == CONF_TRUST_RFC7239 ? HTTP_FORWARDED_7239 : HTTP_FORWARDED_X,
        .is_trusted = is_trusted,
        .ctx = trust,
    };
    http_forwarded_read(&said, &x->stream->request->fields, &options);
    if (said.is_malformed) {
        return false;
    }
    take_client(x, &said);
    take_host(x, said.host);
    return true;
}

bool exchange_client_settle(struct exchange *x)
{
    const struct conf_trust *trust = trust_of(x, x->site);
    bool is_understood = true;
    if (UNLIKELY(trust != NULL) && is_trusted(trust, (const struct sockaddr *)x->stream->peer)) {
        x->client.is_trusted = true;
        is_understood = believe(x, trust);
    }
    if (LIKELY(x->site == NULL || x->site->forward == NULL)) { /* else the target says it */
        x->stream->request->scheme = x->client.is_https ? SPAN("https") : SPAN("http");
    }
    return is_understood;
}
