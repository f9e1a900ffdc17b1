/* request - who asks, in words. */
#include "admin/request.h"

#include <stdio.h>

void request_by(const struct admin_request *request, char *out, size_t size)
{
    const char *kind = request->who.session != 0 ? "session:" : "token:";

    if (request->is_trusted && request->who.session == 0) {
        kind = ""; /* "unix:1000" says already what it is */
    }
    (void)snprintf(out, size, "%s%s", kind, request->who.name);
}
