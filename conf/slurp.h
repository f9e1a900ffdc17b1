#ifndef CONF_SLURP_H
#define CONF_SLURP_H
/* slurp - the whole of a regular file, for directives that name one. */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* Reads it into memory of its own (mem_free(span_unconst(out->ptr))). False: *problem says why, as
 * the end of a sentence; it is static or in room. */
bool conf_slurp(const char *path, size_t max_bytes, struct span *out, char room[128],
                const char **problem);
#endif
