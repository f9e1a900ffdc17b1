// layer: http
/* An accepted origin head can be stored, read back with the same fields, judged and merged. */
#include "base/mem.h"
#include "http/condition.h"
#include "http/freshness.h"
#include "http/head.h"
#include "http/vary.h"

#define ITEMS 32
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct http_limits limits = {.head_bytes = 4096, .fields_count = ITEMS};
    const struct http_head_options head_options = {.via = SPAN("larder"), .date_s = 1700000000};
    const struct http_freshness_options options = {.heuristic_max_s = 86400};
    const struct http_store_request get = {.method = HTTP_GET};
    struct http_field items[ITEMS];
    struct http_field again_items[ITEMS + 3];
    struct http_response response = {.fields = {.items = items, .capacity = ITEMS}};
    struct http_response again = {.fields = {.items = again_items, .capacity = ITEMS + 3}};
    struct http_stored stored;
    struct buf head;
    struct buf merged;
    char *text = mem_try(size);

    memcpy(text, data, size);
    buf_init(&head, 8192);
    buf_init(&merged, 16384);
    if (http_response_parse(&response, span_of(text, size), &limits) == HTTP_PARSE_DONE) {
        CHECK(response.status >= 100 && response.status <= 599);
        (void)http_may_store(&get, &response, 1700000000, &options);
        http_stored_init(&stored, &response, 1700000000000, 1700000001000, &options);
        CHECK(stored.lifetime_s <= HTTP_AGE_MAX_S && stored.initial_age_s <= HTTP_AGE_MAX_S);
        (void)http_judge(&stored, NULL, 1700000002000);
        http_head_write(&head, &response, &head_options);
        CHECK(!head.failed);
        CHECK(http_head_read(buf_span(&head), &again.status, &again.fields));
        CHECK(again.status == response.status);
        for (unsigned i = 0; i < again.fields.count; i++) {
            CHECK(!http_fields_is_hop_by_hop(&response.fields, &again_items[i]));
        }
        CHECK(span_eq(http_head_find(buf_span(&head), HTTP_FIELD_ETAG),
                      http_fields_find(&again.fields, HTTP_FIELD_ETAG)));
        if (http_condition_merge_dated(&merged, buf_span(&head), &response, 0) == HTTP_MERGE_DONE) {
            CHECK(http_fields_count(&again.fields, HTTP_FIELD_CONTENT_LENGTH) <= 1);
        }
        buf_clear(&merged);
        if (http_selector_build(&merged, &response.fields, &response.fields) == HTTP_VARY_SOME) {
            CHECK(http_selector_matches(buf_span(&merged), &response.fields));
        }
    }
    (void)http_selector_matches(span_of(text, size), &response.fields);
    /* The end of a head is the same however its bytes are split. */
    size_t end = http_response_head_end(span_of(text, size), 0);
    for (size_t cut = 1; cut < size && cut <= 512; cut++) {
        size_t first = http_response_head_end(span_of(text, cut), 0);
        CHECK(first == 0 || first == end);
        CHECK(first > 0 ||
              http_response_head_end(span_of(text, size), cut > 3 ? cut - 3 : 0) == end);
    }
    buf_free(&head);
    buf_free(&merged);
    mem_free(text);
    return 0;
}
