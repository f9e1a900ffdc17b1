#ifndef FETCH_FETCH_H2_PRIVATE_H
#define FETCH_FETCH_H2_PRIVATE_H
/* fetch_h2_private - what fetch_h2.c (connections and who rides them) and fetch_h2_session.c (nghttp2
 * and its callbacks) share. */
#include <nghttp2/nghttp2.h>

#include "fetch/fetch_private.h"

enum {
    FETCH_H2_STREAMS_MAX = 128,         /* fetches on one connection */
    FETCH_H2_WINDOW_BYTES = 256 * 1024, /* of a stream: the most that is held back for one fetch */
    FETCH_H2_OUT_BYTES = 32 * 1024,     /* written at once; a frame has at most 16 KiB and 9 */
    FETCH_H2_FRAME_BYTES = 16 * 1024 + 9,
    FETCH_H2_IDLE_FRAMES_MAX = 10000, /* in a row that bring nothing to anybody */
    FETCH_H2_SMALL_BYTES = 4096,
};

#define FETCH_H2_CONNECTION_WINDOW_BYTES (16 * 1024 * 1024)

struct fetch_h2 {
    struct fetch_conn *conn;
    nghttp2_session *session;
    struct list node;      /* pool->h2_all */
    struct list work_node; /* pool->h2_work */
    struct list riders;    /* fetches with a stream */
    unsigned rider_count;
    unsigned keepalive; /* as the last one who got on has it */
    uint64_t keepalive_idle_us;
    uint64_t heard_us; /* when something was last read */
    bool busy;         /* nghttp2 is at work: it may not be asked to read or write */
    bool is_settled;   /* the origin's SETTINGS are known */
    bool is_leaving;   /* nobody gets on any more */
    unsigned idle_frames;
    const char *problem; /* of the connection, static; NULL: it just ended */
    size_t out_at;
    size_t out_len; /* bytes still to be written */
    char out[FETCH_H2_OUT_BYTES];
};

/* ---- fetch_h2_session.c ---- */

/* False without memory. */
bool fetch_h2_session_new(struct fetch_h2 *h2);
/* Opens a stream for the request. False: it cannot be had. */
bool fetch_h2_submit(struct fetch_h2 *h2, struct fetch *fetch);
/* Reads what there is, and hands it on. False: the connection has ended. */
bool fetch_h2_read(struct fetch_h2 *h2);
/* Writes what there is and can be. False: it cannot be written on any more. */
bool fetch_h2_write(struct fetch_h2 *h2);
/* Hands bytes of the origin's to nghttp2. False: they are not HTTP/2. */
bool fetch_h2_input(struct fetch_h2 *h2, const char *data, size_t len);

/* ---- fetch_h2.c ---- */

struct fetch_h2 *fetch_h2_new(struct fetch_conn *conn);
void fetch_h2_free(struct fetch_h2 *h2);
#endif
