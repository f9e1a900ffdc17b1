#ifndef SITE_REDIRECT_H
#define SITE_REDIRECT_H
/*
 * redirect - where a client is sent (RFC 9110 15.4). What comes from the request is escaped so that
 * it stays within the part of the URL it was put into; nothing it says can name another host.
 *
 * Threads: any; pure.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "http/request.h"

/* Writes Location and returns the status; 0: this client is where it should be, also when it would
 * be sent to the address it asked for; 400: it must be sent to its own host and names none. */
unsigned redirect_to(const struct conf_redirect *redirect, const struct http_request *request,
                     bool is_https, struct buf *location);
#endif
