#ifndef HTTP_REFERER_H
#define HTTP_REFERER_H
/*
 * referer - how much of a Referer (RFC 9110 10.1.3) is told.
 *
 * Threads: any; pure. Ownership: results borrow from the value.
 */
#include <stdbool.h>

#include "base/span.h"

/* "https://host:port" of an absolute http or https URL; empty: it is none, or has user information. */
struct span http_referer_origin(struct span referer);
/* Is it a page of this target's scheme, host and port? authority: in lower case. */
bool http_referer_is_same(struct span referer, struct span scheme, struct span authority);
#endif
