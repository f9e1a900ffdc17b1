// layer: http
/* Dates: a time that was read is written and read the same; letter case means nothing; whatever is
 * put before or behind makes it no date; a two-digit year is never more than 50 years ahead. */
#include "base/check.h"
#include "base/mem.h"
#include "http/date.h"

#define NOW_S 1700000000
#define YEAR_S (INT64_C(366) * 86400)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_try(size + 2);

    memcpy(text + 1, data, size);
    struct span value = span_of(text + 1, size);
    int64_t time_s = http_date_parse(value, NOW_S);
    if (time_s != HTTP_DATE_NONE) {
        char date[HTTP_DATE_BYTES];
        http_date_write(date, time_s);
        /* 23:59:60 on the last day there is rolls over and is clamped. */
        CHECK(http_date_parse(span_of(date, sizeof(date)), 0) == time_s || time_s > 253402300799);
        CHECK(http_date_parse(span_of(value.ptr, size - 1), NOW_S) == HTTP_DATE_NONE);
        text[0] = ' ';
        text[size + 1] = ' ';
        CHECK(http_date_parse(span_of(text, size + 1), NOW_S) == HTTP_DATE_NONE);
        CHECK(http_date_parse(span_of(text + 1, size + 1), NOW_S) == HTTP_DATE_NONE);
        if (memchr(value.ptr, '-', size) != NULL) {
            CHECK(time_s < NOW_S + 51 * YEAR_S && time_s > NOW_S - 51 * YEAR_S);
        }
        for (size_t i = 1; i <= size; i++) {
            text[i] = ascii_lower(text[i]);
        }
        CHECK(http_date_parse(value, NOW_S) == time_s);
    }
    mem_free(text);
    return 0;
}
