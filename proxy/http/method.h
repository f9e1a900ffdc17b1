#ifndef HTTP_METHOD_H
#define HTTP_METHOD_H
/*
 * method - the methods we know by name and their properties (RFC 9110 section 9). Any other token
 * is HTTP_OTHER: forwarded as it came, taken for unsafe. Threads: any; pure.
 */
#include <stdbool.h>

#include "base/span.h"

enum http_method {
    HTTP_OTHER = 0,
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_TRACE,
    HTTP_CONNECT,
    HTTP_PATCH,
    HTTP_PURGE, /* not registered; what caches' users send to remove an object */
};

/* Case-sensitive (RFC 9110 9.1). */
enum http_method http_method_of(struct span text);
/* RFC 9110 9.2.1: GET, HEAD, OPTIONS, TRACE. */
bool http_method_is_safe(enum http_method method);
/* RFC 9110 9.2.2: the safe ones, PUT, DELETE. PURGE is ours and counts too. */
bool http_method_is_idempotent(enum http_method method);
#endif
