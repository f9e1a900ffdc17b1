#ifndef ADMIN_EVENTS_H
#define ADMIN_EVENTS_H
/*
 * events - server-sent events (WHATWG HTML 9.2): what is published once goes to every open stream,
 * at each reader's own pace. A stream that lags loses the oldest events, nobody waits for it.
 *
 * Streams are suspended in libmicrohttpd while there is nothing to send, and resumed by
 * events_publish; a suspended connection is never closed by the daemon, so publish at least a
 * comment every few seconds.
 *
 * Threads: publish and close from any; open from a request handler.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define EVENTS_STREAMS 32u

struct MHD_Connection;
struct MHD_Response;
struct events;

struct events *events_new(void);
/* Ends all streams; no more can be opened. Before the daemons are stopped. */
void events_close(struct events *events);
/* After the daemons are stopped. */
void events_free(struct events **events);

unsigned events_count(struct events *events);
/* data: one line. */
void events_publish(struct events *events, const char *name, struct span data);

/* May the stream go on? Asked before each batch, on the daemon's thread. */
typedef bool (*events_allowed_fn)(void *ctx, uint64_t session);

/* The body of a stream that begins with an event `snapshot` of this data. NULL: too many streams,
 * or closed. session 0: never asked. */
struct MHD_Response *events_open(struct events *events, struct MHD_Connection *connection,
                                 struct span snapshot, events_allowed_fn allowed, void *ctx,
                                 uint64_t session);
#endif
