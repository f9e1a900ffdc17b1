#ifndef DEMO_TRAFFIC_H
#define DEMO_TRAFFIC_H
/*
 * demo_traffic - a few visitors for `larder demo`, so that the charts move: about 20 requests per
 * second in small bursts, weighted over the pages of demo_origin.
 *
 * Threads:   start and stop from one thread; the visitors live in a thread of their own.
 * Ownership: *out belongs to the caller until demo_traffic_stop(), which joins the thread and nulls
 * it. Errors:    ERR_IO (addr is not an IPv4 address), ERR_LIMIT (no thread). A proxy that does not
 * answer is tried again; it is no error.
 */
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"

struct demo_traffic;

/* addr, port: where the proxy listens. rate: requests per second, 1..1000. */
MUST_USE enum err demo_traffic_start(const char *addr, unsigned port, unsigned rate,
                                     struct demo_traffic **out);
/* Requests that got a whole answer. */
uint64_t demo_traffic_requests(const struct demo_traffic *traffic);
void demo_traffic_stop(struct demo_traffic **traffic);
#endif
