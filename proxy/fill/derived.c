/* derived - see derived.h. */
#include "fill/derived.h"

#include <string.h>

static char *derived_put(char *at, uint64_t value)
{
    for (int shift = 56; shift >= 0; shift -= 8) {
        *at++ = (char)(value >> shift);
    }
    return at;
}

struct span derived_key_write(char *room, struct span base, const struct http_stored *facts,
                              enum derived_kind kind, uint64_t index)
{
    char *at = room + base.len;

    memcpy(room, base.ptr, base.len);
    *at++ = 0;
    *at++ = (char)kind;
    at = derived_put(at, facts->generation);
    at = derived_put(at, index);
    return span_of(room, (size_t)(at - room));
}
