#ifndef HTTP_UPGRADE_H
#define HTTP_UPGRADE_H
/*
 * upgrade - the Upgrade field (RFC 9110 7.8): what a client offers as far as it is allowed, and
 * whether a 101 keeps to the offer.
 *
 * Threads: any; pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "http/fields.h"
#include "http/request.h"
#include "http/response.h"

/* Would http_upgrade_offer have anything to offer? */
bool http_upgrade_is_offered(const struct http_request *request, const struct span *allowed,
                             unsigned allowed_count);
/* Room http_upgrade_offer needs for this request: 0 when there is nothing to offer. */
size_t http_upgrade_room(const struct http_request *request);
/* Writes those of the offered protocols that are among allowed (a name without a version allows all
 * versions), in the client's order: "websocket, foo/1". Empty: none, or an Upgrade that is to be
 * ignored (HTTP/1.0, not named in Connection, HEAD with content). room: http_upgrade_room bytes. */
struct span http_upgrade_offer(char *room, const struct http_request *request,
                               const struct span *allowed, unsigned allowed_count);
/* Is this 101 one we may believe: named in Connection, every protocol one of those offered, and
 * nothing that speaks of a body? */
bool http_upgrade_is_accepted(const struct http_response *response, struct span offered);
#endif
