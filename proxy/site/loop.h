#ifndef SITE_LOOP_H
#define SITE_LOOP_H
/*
 * loop - requests that come back to who has sent them, and those that pass so many proxies that they
 * must be going round (RFC 9110 7.6.3).
 *
 * Larders stand in chains, and all are called "larder" until somebody says otherwise. So in Via of
 * requests a site or forward proxy whose name nobody set is "larder-" and a number of its own, drawn at the start:
 * "Via: 1.1 larder-9f02c1d4a6b8". A name that was set (`via edge1`) is taken at its word.
 *
 * A forward proxy that hides its clients sends no Via, and strips what others sent. What it can
 * circle through are its parents alone (a server is asked in origin form, which no proxy listener
 * takes; the proxy's own addresses are denied), so these are told hop by hop, in a field that
 * Connection names and no server ever gets:
 *
 *   Larder-Hops = 1#token        the numbered names passed, the last one ours
 *
 * Threads: any; pure. Ownership: lines are in the arena.
 */
#include <stdbool.h>

#include "base/arena.h"
#include "http/fields.h"
#include "site/site.h"

/* More proxies than this stand in no row. */
#define LOOP_HOPS_MAX 32u

/* The site's name in Via of requests; in the arena. */
struct span loop_name(struct arena *arena, const struct conf_site *site);
/* Has a request with these fields been here before, or everywhere else? */
bool loop_is_closed(const struct http_fields *fields, const struct site *site);
/* "Larder-Hops: ..." for the next proxy, and the line of Connection that keeps it from going on. NULL
 * ptr: the arena is full. */
struct span loop_hops(struct arena *arena, const struct http_fields *fields,
                      const struct site *site);
#define LOOP_CONNECTION SPAN("Connection: Larder-Hops")
#endif
