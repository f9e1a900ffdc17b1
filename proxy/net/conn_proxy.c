/*
 * conn_proxy - the PROXY protocol header ahead of a connection's first request: from then on the
 * client it names is the peer. Until it is whole the connection counts as one that sends a head.
 */
#include "base/log.h"
#include "net/conn.h"
#include "net/proxy_header.h"

/* A balancer that speaks otherwise than agreed, or somebody else: no answer, whatever it expects. */
static bool conn_proxy_refuse(struct conn *conn, const char *why)
{
    net_count(&conn->set->counters->refused_proxy, 1);
    log_warn("proxy_protocol", "peer=%s why=\"%s\"", conn->peer_name, why);
    conn_destroy(conn, false);
    return false;
}

/* Only the header came so far: the connection is idle, as any between two requests. */
static void conn_proxy_rest(struct conn *conn)
{
    struct listener_set *set = conn->set;

    conn_block_give(set, conn->block);
    conn->block = conn->window = NULL;
    conn->is_idle = true;
    net_count(&set->counters->idle_connections, 1);
    conn_read_deadline_set(conn, loop_now_us(set->loop) + set->limits.idle_timeout_us);
}

bool conn_proxy_advance(struct conn *conn)
{
    struct span data = span_of(conn->window->data + conn->begin, conn->end - conn->begin);
    struct proxy_client client;
    size_t used;

    switch (proxy_header_parse(data, &used, &client)) {
    case PROXY_HEADER_MORE:
        return conn->eof ? conn_proxy_refuse(conn, "the header is cut") : h1_head_wait(conn);
    case PROXY_HEADER_BAD:
        return conn_proxy_refuse(conn, "this is no PROXY protocol header");
    case PROXY_HEADER_DONE:
        break;
    }
    conn->proxy_due = false;
    conn->begin += used;
    conn->stream.begin_us = 0;
    conn->stream.is_https = client.is_tls;
    if (!client.is_peer) {
        conn_peer_set(conn, &client.address);
        if (!conn_enter(conn)) {
            conn_destroy(conn, false);
            return false;
        }
    }
    if (conn->begin != conn->end) {
        return true;
    }
    if (conn->eof) {
        conn_destroy(conn, false);
        return false;
    }
    conn_proxy_rest(conn);
    return true;
}
