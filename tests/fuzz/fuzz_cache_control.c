// layer: http
/* Cache-Control: what was said first stays said; ages saturate; dates and ranges stay in bounds. */
#include "base/mem.h"
#include "http/date.h"
#include "http/directives.h"
#include "http/key.h"
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_directives once = {0};
    struct http_directives more = {0};
    struct http_range_part part;
    struct span key;
    char *text = mem_try(size);
    char *out = mem_try(size + 1);

    memcpy(text, data, size);
    struct span value = span_of(text, size);
    http_directives_parse(&once, value);
    CHECK(once.max_age_s <= HTTP_AGE_MAX_S && once.s_maxage_s <= HTTP_AGE_MAX_S &&
          once.min_fresh_s <= HTTP_AGE_MAX_S && once.max_stale_s <= HTTP_AGE_MAX_S);
    CHECK(http_directives_has(&once, HTTP_CC_MAX_AGE) || once.max_age_s == 0);
    more = once;
    http_directives_parse(&more, SPAN("max-age=5, s-maxage=6, no-store"));
    CHECK((more.flags & once.flags) == once.flags && (more.flags & HTTP_CC_NO_STORE) != 0);
    CHECK(more.max_age_s == (http_directives_has(&once, HTTP_CC_MAX_AGE) ? once.max_age_s : 5));
    CHECK(more.s_maxage_s == (http_directives_has(&once, HTTP_CC_S_MAXAGE) ? once.s_maxage_s : 6));

    int64_t time_s = http_date_parse(value, 1700000000);
    if (time_s != HTTP_DATE_NONE) {
        char date[HTTP_DATE_BYTES];
        http_date_write(date, time_s);
        /* 23:59:60 on the last day there is rolls over and is clamped. */
        CHECK(http_date_parse(span_of(date, sizeof(date)), 0) == time_s || time_s > 253402300799);
    }
    if (http_range_parse(value, 1000, &part) == HTTP_RANGE_PART) {
        CHECK(part.first <= part.last && part.last < 1000);
    }
    if (http_key_from_url(out, value, &key) == NULL) {
        CHECK(key.len <= size + 1 && http_is_field_value(key));
    }
    mem_free(out);
    mem_free(text);
    return 0;
}
