/* check - the last words before an abort. Uses no heap and no lock: anything may be broken here. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void check_failed(const char *expr, const char *file, int line, const char *func)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "larder: check failed: %s at %s:%d in %s\n", expr, file,
                       line, func);
    if (len > 0) {
        size_t bytes = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
        ssize_t written = write(STDERR_FILENO, text, bytes);
        (void)written;
    }
    abort();
}
