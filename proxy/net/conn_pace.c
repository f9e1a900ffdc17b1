/*
 * conn_pace - clients that take all the time there is: a byte of a request body now and then, or of
 * a response, keeps a deadline of silence for ever at bay.
 *
 * So bytes are counted over windows of limits.rate_window_us, and only time in which it is for the
 * client to go on makes a window: while we, the origin or the disk are what is waited for, no clock
 * runs. Windows, not an average over all of it: a fast start would be good for hours of nothing.
 *
 * What a client has taken of a response is what it has acknowledged, not what the kernel has: that
 * holds megabytes for one with a large window, and asks for more only when a third of them is gone.
 * It is looked at by the timer alone, so that responses which flow cost nothing.
 */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/conn.h"

/* Blocked for so long: the first look at a response. */
#define PACE_FIRST_US ((uint64_t)1000000)

/* Bytes below which a whole window is too slow. */
static uint64_t pace_least(const struct conn_limits *limits)
{
    return limits->rate_bytes_s * (limits->rate_window_us / 1000) / 1000;
}

static uint64_t pace_waited(const struct conn_pace *pace, uint64_t now)
{
    return pace->waited_us + (pace->since_us == 0 ? 0 : now - pace->since_us);
}

static void pace_begin_window(struct conn_pace *pace, uint64_t now, uint64_t bytes)
{
    pace->since_us = now;
    pace->waited_us = 0;
    pace->bytes = bytes;
}

/* When the window under way is over, if the client goes on being waited for. */
static uint64_t pace_end(const struct conn *conn, const struct conn_pace *pace, uint64_t now)
{
    const struct conn_limits *limits = &conn->set->limits;
    uint64_t waited = pace_waited(pace, now);

    if (limits->rate_bytes_s == 0) {
        return CONN_NEVER;
    }
    return now + (waited < limits->rate_window_us ? limits->rate_window_us - waited : 0);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool pace_cut(struct conn *conn)
{
    net_count(&conn->set->counters->too_slow, 1);
    return true;
}

/* ---- request bodies ---- */

void conn_pace_body_wait(struct conn *conn)
{
    uint64_t now = loop_now_us(conn->set->loop);

    if (conn->upload.since_us == 0) {
        conn->upload.since_us = now;
    }
    conn->body_stop_us = now + conn->set->limits.body_timeout_us;
    conn_read_deadline_set(conn, earlier(conn->body_stop_us, pace_end(conn, &conn->upload, now)));
}

void conn_pace_body_came(struct conn *conn)
{
    conn->upload.waited_us = pace_waited(&conn->upload, loop_now_us(conn->set->loop));
    conn->upload.since_us = 0;
}

bool conn_pace_body_is_over(struct conn *conn)
{
    const struct conn_limits *limits = &conn->set->limits;
    uint64_t now = loop_now_us(conn->set->loop);

    if (now >= conn->body_stop_us || conn->upload.since_us == 0) {
        return true;
    }
    if (pace_waited(&conn->upload, now) >= limits->rate_window_us) {
        if (conn->upload.bytes < pace_least(limits)) {
            return pace_cut(conn);
        }
        pace_begin_window(&conn->upload, now, 0);
    }
    conn_read_deadline_set(conn, earlier(conn->body_stop_us, pace_end(conn, &conn->upload, now)));
    return false;
}

/* ---- responses ---- */

/* Bytes the client has acknowledged, since the connection began; 0: not to be had. */
static uint64_t pace_acknowledged(const struct conn *conn)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    if (getsockopt(conn->watch.fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked)) {
        return 0;
    }
    return info.tcpi_bytes_acked;
}

void conn_pace_send_wait(struct conn *conn)
{
    uint64_t now = loop_now_us(conn->set->loop);
    uint64_t first = earlier(PACE_FIRST_US, conn->set->limits.send_timeout_us / 4);

    conn->download.since_us = now;
    conn->send_stop_us = now + conn->set->limits.send_timeout_us;
    conn_send_deadline_set(conn,
                           conn->download.bytes == 0
                               ? now + first
                               : earlier(conn->send_stop_us, pace_end(conn, &conn->download, now)));
}

void conn_pace_send_went(struct conn *conn)
{
    conn->download.waited_us = pace_waited(&conn->download, loop_now_us(conn->set->loop));
    conn->download.since_us = 0;
}

bool conn_pace_send_is_over(struct conn *conn)
{
    const struct conn_limits *limits = &conn->set->limits;
    uint64_t now = loop_now_us(conn->set->loop);
    uint64_t taken = pace_acknowledged(conn);

    if (taken > conn->send_seen) {
        if (conn->send_seen != 0) {
            conn->send_stop_us = now + limits->send_timeout_us;
        }
        conn->send_seen = taken;
    }
    if (now >= conn->send_stop_us) {
        return true;
    }
    if (conn->download.bytes == 0) {
        pace_begin_window(&conn->download, now, taken);
    } else if (limits->rate_bytes_s > 0 &&
               pace_waited(&conn->download, now) >= limits->rate_window_us) {
        if (taken - conn->download.bytes < pace_least(limits)) {
            return pace_cut(conn);
        }
        pace_begin_window(&conn->download, now, taken);
    }
    uint64_t next =
        conn->download.bytes == 0 ? now + PACE_FIRST_US : pace_end(conn, &conn->download, now);
    conn_send_deadline_set(conn, earlier(conn->send_stop_us, next));
    return false;
}
