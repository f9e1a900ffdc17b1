// layer: http
/* Accept-Encoding and our entity tags: what is chosen was offered and is accepted, the normal form
 * is its own normal form and chooses no other coding than it says, stripped tags are stable. */
#include "base/mem.h"
#include "http/coded_head.h"
#include "http/coding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_normal(const struct http_fields *fields)
{
    char once[HTTP_CODING_NORMAL_BYTES];
    char twice[HTTP_CODING_NORMAL_BYTES];
    struct http_field item;
    struct http_fields normal;
    size_t len = http_coding_normal(once, fields);

    CHECK(len > 0 && len <= sizeof(once));
    http_fields_init(&normal, &item, 1);
    CHECK(http_fields_add(&normal, SPAN("Accept-Encoding"), span_of(once, len)));
    CHECK(http_coding_normal(twice, &normal) == len && memcmp(once, twice, len) == 0);
    for (unsigned i = HTTP_CODING_GZIP; i < HTTP_CODING_COUNT; i++) {
        enum http_coding coding = (enum http_coding)i;
        enum http_coding chosen = http_coding_choose(fields, http_coding_bit(coding));
        CHECK(chosen == coding || chosen == HTTP_CODING_IDENTITY);
        CHECK(chosen != coding || http_coding_choose(&normal, http_coding_bit(coding)) == coding);
    }
}

static void check_tags(struct span value)
{
    char *once = mem_try(value.len + 1);
    char *twice = mem_try(value.len + 1);
    size_t len = http_etags_plain(once, value);

    CHECK(len <= value.len);
    CHECK(http_etags_plain(twice, span_of(once, len)) <= len);
    if (http_etag_coding(value) != HTTP_CODING_IDENTITY) {
        CHECK(len < value.len);
    }
    mem_free(once);
    mem_free(twice);
}

static void check_head(struct span head)
{
    const struct http_coded_head coded = {.coding = HTTP_CODING_BR, .length = 7, .check = 9};
    struct buf out;

    buf_init(&out, 1 << 20);
    if (http_coded_head_write(&out, head, &coded)) {
        CHECK(http_head_varies_on(buf_span(&out), SPAN("accept-encoding")));
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_try(size + 1);
    struct http_field items[2];
    struct http_fields fields;
    size_t half = size / 2;

    memcpy(text, data, size);
    http_fields_init(&fields, items, 2);
    CHECK(http_fields_add(&fields, SPAN("Accept-Encoding"), span_of(text, half)));
    CHECK(http_fields_add(&fields, SPAN("Accept-Encoding"), span_of(text + half, size - half)));
    check_normal(&fields);
    check_tags(span_of(text, size));
    check_head(span_of(text, size));
    mem_free(text);
    return 0;
}
