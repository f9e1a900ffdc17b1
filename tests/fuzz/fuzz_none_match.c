// layer: http
/* If-None-Match: the input is the stored tag, a NUL, and the list. The tag itself always matches,
 * "W/" changes nothing, a match is no weaker behind other members, and what matches stands in the
 * list. */
#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "http/condition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool matches(struct span list, struct span etag)
{
    struct http_field item;
    struct http_fields fields;
    const struct http_stored stored = {.status = 200};
    const struct http_validators validators = {.etag = etag};

    http_fields_init(&fields, &item, 1);
    CHECK(http_fields_add(&fields, SPAN("If-None-Match"), span_trim(list)));
    return http_not_modified(&fields, &stored, &validators, 0);
}

static bool contains(struct span text, struct span wanted)
{
    return wanted.len == 0 || memmem(text.ptr, text.len, wanted.ptr, wanted.len) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, 0, size);
    struct buf joined;

    if (end == NULL) {
        return 0;
    }
    size_t tag_len = (size_t)(end - data);
    size_t list_len = size - tag_len - 1;
    char *tag_text = mem_try(tag_len + 1);
    char *list_text = mem_try(list_len + 1);
    memcpy(tag_text, data, tag_len);
    memcpy(list_text, end + 1, list_len);
    struct span etag = span_trim(span_of(tag_text, tag_len));
    struct span list = span_trim(span_of(list_text, list_len));
    bool is_star = span_eq(list, SPAN("*"));
    bool is_weak = etag.len >= 2 && memcmp(etag.ptr, "W/", 2) == 0;
    bool is_match = matches(list, etag);

    struct span opaque = is_weak ? span_of(etag.ptr + 2, etag.len - 2) : etag;
    CHECK(!is_match || is_star || contains(list, opaque));
    buf_init(&joined, 1 << 20);
    buf_puts(&joined, "W/");
    buf_append(&joined, etag);
    if (!is_weak && etag.len > 0) {
        CHECK(matches(list, buf_span(&joined)) == is_match);
    }
    /* A whole quoted tag stands for itself in any place. */
    if (opaque.len >= 2 && opaque.ptr[0] == '"' &&
        memchr(opaque.ptr + 1, '"', opaque.len - 1) == opaque.ptr + opaque.len - 1) {
        CHECK(matches(etag, etag));
        buf_clear(&joined);
        buf_puts(&joined, "\"other\", W/\"x,y\" ,, ");
        buf_append(&joined, etag);
        CHECK(matches(buf_span(&joined), etag));
        buf_puts(&joined, ",");
        buf_append(&joined, list);
        CHECK(matches(buf_span(&joined), etag));
    }
    if (is_match && !is_star) {
        buf_clear(&joined);
        buf_puts(&joined, "\"other\",");
        buf_append(&joined, list);
        CHECK(matches(buf_span(&joined), etag));
    }
    buf_free(&joined);
    mem_free(tag_text);
    mem_free(list_text);
    return 0;
}
