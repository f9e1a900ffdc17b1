// layer: http
/* Range: the parts lie in the representation, apart from each other, and each wanted byte that the
 * text names is in one; written as a Range again they read the same. Content-Range: what was
 * written reads back. */
#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_set(const struct http_range_set *set, uint64_t length)
{
    struct buf text;
    struct http_range_set again;

    CHECK(set->count >= 1 && set->count <= HTTP_RANGES_MAX);
    buf_init(&text, 4096);
    buf_puts(&text, "bytes=");
    for (unsigned i = 0; i < set->count; i++) {
        const struct http_range_part *part = &set->parts[i];
        CHECK(part->first <= part->last && part->last < length);
        for (unsigned j = 0; j < i; j++) {
            const struct http_range_part *other = &set->parts[j];
            CHECK(part->first > other->last + 1 || other->first > part->last + 1);
        }
        buf_puts(&text, i == 0 ? "" : ", ");
        buf_put_u64(&text, part->first);
        buf_putc(&text, '-');
        buf_put_u64(&text, part->last);
    }
    CHECK(http_range_parse(buf_span(&text), length, &again) == HTTP_RANGE_SOME);
    CHECK(again.count == set->count);
    for (unsigned i = 0; i < set->count; i++) {
        CHECK(again.parts[i].first == set->parts[i].first &&
              again.parts[i].last == set->parts[i].last);
    }
    buf_free(&text);
}

static void check_content_range(const struct http_range_part *part, uint64_t length)
{
    char text[HTTP_CONTENT_RANGE_BYTES];
    struct http_field item;
    struct http_fields fields;
    struct http_content_range out;

    size_t len = http_content_range_write(text, part, length);
    http_fields_init(&fields, &item, 1);
    CHECK(http_fields_add(&fields, SPAN("Content-Range"), span_of(text, len)));
    CHECK(http_content_range_of(&fields, &out));
    CHECK(out.part.first == part->first && out.part.last == part->last && out.length == length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t lengths[] = {0, 1, 10, 1000, UINT64_C(1) << 40};
    struct http_field item;
    struct http_fields fields;
    struct http_content_range content_range;
    char *text = mem_try(size + 1);

    memcpy(text, data, size);
    struct span value = span_of(text, size);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct http_range_set set;
        if (http_range_parse(value, lengths[i], &set) == HTTP_RANGE_SOME) {
            check_set(&set, lengths[i]);
            check_content_range(&set.parts[0], lengths[i]);
        }
    }
    http_fields_init(&fields, &item, 1);
    CHECK(http_fields_add(&fields, SPAN("Content-Range"), span_trim(value)));
    if (http_content_range_of(&fields, &content_range)) {
        CHECK(content_range.part.first <= content_range.part.last &&
              content_range.part.last < content_range.length);
    }
    mem_free(text);
    return 0;
}
