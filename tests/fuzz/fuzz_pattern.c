// layer: base
/* Regular expressions of any bytes, asked about text of any bytes: bounded, whatever both say. */
#include <stdint.h>
#include <stdlib.h>

#include "base/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pattern_fault fault;
    size_t len = size == 0 ? 0 : data[0] % size;
    struct span text = span_of((const char *)data + (size == 0 ? 0 : 1), size == 0 ? 0 : size - 1);
    struct pattern *pattern = pattern_new(span_of(text.ptr, len), &fault);

    if (pattern == NULL) {
        if (fault.offset > len || fault.why[0] == '\0') {
            abort();
        }
        return 0;
    }
    struct pattern_room *room = pattern_room_new();
    if (room != NULL) {
        (void)pattern_ask(pattern, room, span_of(text.ptr + len, text.len - len));
        (void)pattern_ask(pattern, room, text);
    }
    pattern_room_free(&room);
    pattern_free(&pattern);
    return 0;
}
