/*
 * fetch_peer - the servers this worker has connections to: name, port, where the connections leave
 * from, and how TLS is spoken with them. Connections are shared, and TLS sessions resumed, within one
 * peer only: what was verified by other settings, or by showing another certificate, is none of its
 * business.
 *
 * A peer of plain text goes with its last connection. One of TLS rests for a while (its session
 * spares the next connection half of the handshake), a bounded number of them.
 */
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "fetch/fetch_private.h"

static uint64_t fetch_peer_hash(const struct fetch_pool *pool, const struct fetch_origin *origin)
{
    uint64_t port = origin->port;
    const struct span parts[] = {span_str(origin->host),
                                 span_of((const char *)&port, sizeof(port))};

    return hash64_parts(pool->peer_seed, parts, ARRAY_LEN(parts));
}

static struct fetch_peer **fetch_peer_slot(struct fetch_pool *pool, uint64_t hash)
{
    return &pool->peers[hash & (pool->peer_slots - 1)];
}

static bool fetch_peer_leaves_from(const struct fetch_peer *peer, const struct fetch_origin *origin)
{
    const struct sockaddr_storage *own = &peer->from;
    const struct sockaddr_storage *from = origin->from;

    if (LIKELY(from == NULL || from->ss_family != own->ss_family)) {
        return own->ss_family == (from == NULL ? AF_UNSPEC : from->ss_family);
    }
    return own->ss_family == AF_INET6
               ? memcmp(&((const struct sockaddr_in6 *)(const void *)own)->sin6_addr,
                        &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr,
                        sizeof(struct in6_addr)) == 0
               : ((const struct sockaddr_in *)(const void *)own)->sin_addr.s_addr ==
                     ((const struct sockaddr_in *)(const void *)from)->sin_addr.s_addr;
}

static bool fetch_peer_is(const struct fetch_peer *peer, const struct fetch_origin *origin)
{
    return peer->port == origin->port && peer->has_tls == (origin->tls != NULL) &&
           strcmp(peer->host, origin->host) == 0 && fetch_peer_leaves_from(peer, origin) &&
           (!peer->has_tls || fetch_tls_is_same(&peer->tls, origin->tls));
}

struct fetch_peer *fetch_peer_find(struct fetch_pool *pool, const struct fetch_origin *origin)
{
    uint64_t hash = fetch_peer_hash(pool, origin);
    struct fetch_peer *at = *fetch_peer_slot(pool, hash);

    while (at != NULL && (at->hash != hash || !fetch_peer_is(at, origin))) {
        at = at->next;
    }
    return at;
}

/* As many slots as peers: chains stay short. */
static void fetch_peers_grow(struct fetch_pool *pool)
{
    size_t count = pool->peer_slots * 2;
    struct fetch_peer **grown = mem_new(count * sizeof(struct fetch_peer *));

    for (size_t i = 0; i < pool->peer_slots; i++) {
        struct fetch_peer *at = pool->peers[i];
        while (at != NULL) {
            struct fetch_peer *next = at->next;
            at->next = grown[at->hash & (count - 1)];
            grown[at->hash & (count - 1)] = at;
            at = next;
        }
    }
    mem_free(pool->peers);
    pool->peers = grown;
    pool->peer_slots = count;
}

static void fetch_peer_add(struct fetch_peer *peer)
{
    struct fetch_pool *pool = peer->pool;

    if (++pool->peer_count > pool->peer_slots) {
        fetch_peers_grow(pool);
    }
    struct fetch_peer **slot = fetch_peer_slot(pool, peer->hash);
    peer->next = *slot;
    *slot = peer;
}

static void fetch_peer_take_out(struct fetch_peer *peer)
{
    struct fetch_peer **at = fetch_peer_slot(peer->pool, peer->hash);

    while (*at != peer) {
        at = &(*at)->next;
    }
    *at = peer->next;
    peer->pool->peer_count--;
}

static void fetch_peer_free(struct fetch_peer *peer)
{
    fetch_peer_take_out(peer);
    list_remove(&peer->rest_node);
    if (peer->has_tls) {
        fetch_tls_drop(&peer->tls);
        (void)curl_share_cleanup(peer->sessions);
    }
    mem_free(peer->host);
    mem_free(peer);
}

static struct fetch_peer *fetch_peer_new(struct fetch_pool *pool, const struct fetch_origin *origin)
{
    struct fetch_peer *peer = mem_new(sizeof(*peer));

    peer->pool = pool;
    peer->hash = fetch_peer_hash(pool, origin);
    peer->port = origin->port;
    if (origin->from != NULL) {
        peer->from = *origin->from;
    }
    peer->host = mem_copy(origin->host, strlen(origin->host));
    list_init(&peer->idle);
    list_init(&peer->rest_node);
    list_init(&peer->shared);
    if (origin->tls != NULL) {
        peer->has_tls = true;
        fetch_tls_copy(&peer->tls, origin->tls);
        peer->sessions = curl_share_init();
        if (peer->sessions != NULL) {
            (void)curl_share_setopt(peer->sessions, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
        }
    }
    fetch_peer_add(peer);
    return peer;
}

struct fetch_peer *fetch_peer_join(struct fetch_pool *pool, const struct fetch_origin *origin)
{
    struct fetch_peer *peer = fetch_peer_find(pool, origin);

    if (peer == NULL) {
        peer = fetch_peer_new(pool, origin);
    } else if (peer->conn_count == 0) {
        list_remove(&peer->rest_node);
        pool->resting_count--;
    }
    peer->conn_count++;
    return peer;
}

void fetch_peer_leave(struct fetch_peer *peer)
{
    struct fetch_pool *pool = peer->pool;

    CHECK(peer->conn_count > 0);
    if (--peer->conn_count > 0) {
        return;
    }
    if (!peer->has_tls) {
        fetch_peer_free(peer);
        return;
    }
    peer->protocol = FETCH_PEER_UNKNOWN; /* it may be another one by then */
    list_push(&pool->resting, &peer->rest_node);
    if (++pool->resting_count > FETCH_PEERS_RESTING_MAX) {
        pool->resting_count--;
        fetch_peer_free(CONTAINER_OF(pool->resting.next, struct fetch_peer, rest_node));
    }
}

void fetch_peers_init(struct fetch_pool *pool)
{
    list_init(&pool->resting);
    pool->peer_slots = FETCH_PEER_SLOTS_MIN;
    pool->peers = mem_new(pool->peer_slots * sizeof(struct fetch_peer *));
    random_bytes(&pool->peer_seed, sizeof(pool->peer_seed));
}

void fetch_peers_fini(struct fetch_pool *pool)
{
    while (!list_is_empty(&pool->resting)) {
        fetch_peer_free(CONTAINER_OF(pool->resting.next, struct fetch_peer, rest_node));
    }
    CHECK(pool->peer_count == 0);
    mem_free(pool->peers);
}
