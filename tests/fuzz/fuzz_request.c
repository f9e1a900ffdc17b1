// layer: http
/* The request parser gives one verdict however the bytes are split, and what it accepts is sound.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "http/request.h"

#define ITEMS 24
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_limits limits = {
    .head_bytes = 600, .target_bytes = 200, .fields_count = 20};

static enum http_parse parse_steps(struct http_request *request, char *text, size_t size,
                                   size_t step, size_t *used)
{
    size_t scanned = 0;
    enum http_parse result = HTTP_PARSE_MORE;

    for (size_t len = step < size ? step : size; result == HTTP_PARSE_MORE;
         len = size - len < step ? size : len + step) {
        result = http_request_parse(request, text, len, &scanned, used, &limits);
        if (len == size) {
            break;
        }
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_field items[2][ITEMS];
    struct http_request whole = {.fields = {.items = items[0], .capacity = ITEMS}};
    char *text = mem_try(size);
    size_t used;

    memcpy(text, data, size);
    enum http_parse expected = parse_steps(&whole, text, size, size, &used);
    if (expected == HTTP_PARSE_DONE) {
        CHECK(used <= size && used <= limits.head_bytes && whole.fields.count <= 20);
        CHECK(whole.authority.len == 0 || http_is_authority(whole.authority));
        CHECK(whole.authority.len > 0 || whole.minor_version == 0);
        CHECK(whole.path.len > 0 || whole.method == HTTP_CONNECT);
        CHECK(whole.path.len == 0 || whole.path.ptr[0] == '/' || whole.path.ptr[0] == '*');
        for (unsigned i = 0; i < whole.fields.count; i++) {
            CHECK(http_is_token(items[0][i].name) && http_is_field_value(items[0][i].value));
        }
    }
    for (size_t step = 1; step < size; step += 1 + step / 2) {
        struct http_request split = {.fields = {.items = items[1], .capacity = ITEMS}};
        char *copy = mem_try(size);
        size_t used_now;
        memcpy(copy, data, size);
        CHECK(parse_steps(&split, copy, size, step, &used_now) == expected);
        CHECK(split.error_status == whole.error_status);
        CHECK(expected != HTTP_PARSE_DONE ||
              (used_now == used && span_eq(split.path, whole.path) &&
               span_eq(split.authority, whole.authority) && split.body == whole.body));
        mem_free(copy);
    }
    mem_free(text);
    return 0;
}
