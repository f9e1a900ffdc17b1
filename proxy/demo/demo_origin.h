#ifndef DEMO_ORIGIN_H
#define DEMO_ORIGIN_H
/*
 * demo_origin - the web site behind `larder demo`: a small HTTP/1.1 server inside the program, slow
 * on purpose, so that a newcomer sees what a cache does. It serves a few pages with drawn pictures,
 * a JSON endpoint that lives 5 s, a 32 MiB file, a 404 and a page that must not be stored; every
 * storable answer has an ETag and is confirmed with 304.
 *
 * For the loopback of a demonstration only: 64 connections, GET and HEAD, nothing configurable.
 *
 * Threads:   start and stop from one thread; the server runs in a thread of its own.
 * Ownership: *out belongs to the caller until demo_origin_stop(), which joins the thread and nulls
 * it. Errors:    ERR_IO (address unusable or taken; errno is kept), ERR_LIMIT (no thread to be
 * had).
 */
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"

struct demo_origin;

/* addr: an IPv4 address. port: 0 takes a free one, see demo_origin_port(). delay_ms: waited before
 * each answer. */
MUST_USE enum err demo_origin_start(const char *addr, unsigned port, unsigned delay_ms,
                                    struct demo_origin **out);
/* From now on, out for down_ms of every period_ms: what it has is broken off, whoever comes is sent
 * away without an answer. The first time begins now. down_ms < period_ms; 0: never again. */
void demo_origin_flap(struct demo_origin *origin, unsigned period_ms, unsigned down_ms);
/* The port it listens on. */
unsigned demo_origin_port(const struct demo_origin *origin);
/* Requests answered since the start. */
uint64_t demo_origin_requests(const struct demo_origin *origin);
void demo_origin_stop(struct demo_origin **origin);
#endif
