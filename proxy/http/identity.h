#ifndef HTTP_IDENTITY_H
#define HTTP_IDENTITY_H
/*
 * identity - request fields that say who asks, beside those of RFC 7239 and its family (fields.h:
 * http_field_is_forwarding). None has a standard but From, Via and Forwarded; the names are those that
 * proxies, load balancers, CDNs and frameworks in use write or believe.
 *
 * Names are compared without case, and "_" is "-": to a program behind CGI they are one (RFC 3875
 * 4.1.18).
 *
 * Threads: any; pure.
 */
#include <stdbool.h>

#include "base/span.h"
#include "http/fields.h"

enum http_identity {
    HTTP_IDENTITY_NONE,
    /* An address of the client (X-Real-IP, True-Client-IP ...). Who wrote it is all that makes it true:
     * a stranger may name any. */
    HTTP_IDENTITY_ADDRESS,
    /* Who he is, or which way he came: From (RFC 9110 10.1.2), Via, Forwarded, all X-Forwarded-* and
     * Proxy-*, names of users as proxies write them. */
    HTTP_IDENTITY_PERSON,
    /* Proxy: no field of HTTP at all, but CGI makes the variable HTTP_PROXY of it, which programs obey
     * (CVE-2016-5385). For nobody, from nobody. And Larder-Hops, which each Larder makes anew. */
    HTTP_IDENTITY_TRAP,
};

enum http_identity http_field_identity(const struct http_field *field);
#endif
