// layer: http
/* path: what is folded once stays as it is, has no dot and no empty segments. */
#include "base/check.h"
#include "base/mem.h"
#include "http/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_folded(struct span folded, enum http_path_reading reading)
{
    size_t end = http_path_end(folded);
    CHECK(end > 0 && folded.ptr[0] == '/');
    CHECK(!http_path_has_dots(folded, HTTP_PATH_STRICT));
    CHECK(reading == HTTP_PATH_STRICT || !http_path_has_dots(folded, HTTP_PATH_LOOSE));
    for (size_t i = 0; i + 1 < end; i++) {
        CHECK(folded.ptr[i] != '/' || folded.ptr[i + 1] != '/');
    }
    char *again = mem_new(HTTP_PATH_FOLD_BYTES(folded));
    CHECK(span_eq(http_path_fold(again, folded, reading), folded));
    mem_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_new(size + 2);
    text[0] = '/';
    if (size > 0) {
        memcpy(text + 1, data, size);
    }
    struct span target = span_of(text, size + 1);
    for (unsigned reading = 0; reading < 2; reading++) {
        char *out = mem_new(HTTP_PATH_FOLD_BYTES(target));
        struct span folded = http_path_fold(out, target, (enum http_path_reading)reading);
        CHECK(http_path_is_odd(target) || span_eq(folded, target));
        check_folded(folded, (enum http_path_reading)reading);
        mem_free(out);
    }
    if (http_path_fault(target) == NULL) {
        CHECK(!http_path_has_dots(target, HTTP_PATH_LOOSE));
    }
    size_t bytes = http_path_prefix(target, SPAN("/a"));
    CHECK(bytes <= http_path_end(target));
    mem_free(text);
    return 0;
}
