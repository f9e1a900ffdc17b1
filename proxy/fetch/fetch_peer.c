/*
 * fetch_peer - the servers this worker has connections to: name, port, and how TLS is spoken with
 * them. Connections are shared, and TLS sessions resumed, within one peer only: what was verified
 * by other settings, or by showing another certificate, is none of its business.
 *
 * A peer of plain text goes with its last connection. One of TLS rests for a while (its session
 * spares the next connection half of the handshake), a bounded number of them.
 */
#include <string.h>

#include "base/mem.h"
#include "fetch/fetch_private.h"

static struct list *fetch_peer_slot(struct fetch_pool *pool, const struct fetch_origin *origin)
{
    size_t len = strlen(origin->host);
    unsigned hash = origin->port + (unsigned)len * 31;

    hash += (unsigned char)origin->host[0] * 7u;
    hash += (unsigned char)origin->host[len / 2] * 13u;
    hash += len > 0 ? (unsigned char)origin->host[len - 1] * 17u : 0;
    return &pool->peers[hash % FETCH_PEER_SLOTS];
}

static bool fetch_peer_is(const struct fetch_peer *peer, const struct fetch_origin *origin)
{
    return peer->port == origin->port && peer->has_tls == (origin->tls != NULL) &&
           strcmp(peer->host, origin->host) == 0 &&
           (!peer->has_tls || fetch_tls_is_same(&peer->tls, origin->tls));
}

struct fetch_peer *fetch_peer_find(struct fetch_pool *pool, const struct fetch_origin *origin)
{
    struct list *slot = fetch_peer_slot(pool, origin);

    for (struct list *at = slot->next; at != slot; at = at->next) {
        struct fetch_peer *peer = CONTAINER_OF(at, struct fetch_peer, node);
        if (fetch_peer_is(peer, origin)) {
            return peer;
        }
    }
    return NULL;
}

static void fetch_peer_free(struct fetch_peer *peer)
{
    list_remove(&peer->node);
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
    peer->port = origin->port;
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
    list_push(fetch_peer_slot(pool, origin), &peer->node);
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
    for (size_t i = 0; i < FETCH_PEER_SLOTS; i++) {
        list_init(&pool->peers[i]);
    }
}

void fetch_peers_fini(struct fetch_pool *pool)
{
    while (!list_is_empty(&pool->resting)) {
        fetch_peer_free(CONTAINER_OF(pool->resting.next, struct fetch_peer, rest_node));
    }
}
