#ifndef FILL_DISCRETION_H
#define FILL_DISCRETION_H
/*
 * discretion - what of a request tells of its client, and how much of that a server gets: the
 * settings identity, forwarded, user_agent, referer and drop_cookies, met by one request.
 *
 * It holds for whatever is asked on behalf of a client, also in the background, again, or through
 * another proxy: all such requests are made in one place (fill_request.c). What selects stored responses is
 * what was sent (fill_selecting.c).
 *
 * Threads: any; pure. Ownership: lines are in the arena, or borrow from request, site and policy.
 */
#include "fill/fill_request.h"

/* May this field go on, as it is or changed? */
bool discretion_passes(const struct fill_request_options *options, const struct http_field *field);
/* The line of a Referer that may, cut to its origin; NULL ptr: the arena is full. */
struct span discretion_referer(struct arena *arena, const struct http_field *field);
#define DISCRETION_LINES 6u
/* The lines that we add: Via, X-Forwarded-*, Forwarded, User-Agent. Their count. */
unsigned discretion_add(struct arena *arena, const struct fill_request_options *options,
                        struct span out[DISCRETION_LINES]);
/* Is what a forward proxy sends for this request other than what the client sent, in fields by which
 * a server may choose its response? */
bool discretion_changes(const struct fill_request_options *options);
/* Does it say of another host, URL or method than its own, and is that passed on? Then the answer is
 * nobody else's (a stranger could plant it for others). */
bool discretion_is_claim(const struct site *site, const struct http_request *request);
/* Are there no cookies to and from this request's server? */
bool discretion_is_cookieless(const struct policy *policy, const struct http_request *request);
/* The response without what it sets there: itself, or a copy in the arena. NULL: that is full. */
const struct http_response *discretion_back(struct arena *arena, const struct policy *policy,
                                            const struct http_request *request,
                                            const struct http_response *response);
#endif
