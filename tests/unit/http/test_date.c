/* Dates in three forms (RFC 9110 5.6.7; the strictness of http.md 4.2). */
#include "helper.h"
#include "http/date.h"

#define NOW 1700000000 /* 2023-11-14 22:13:20 */

struct row {
    const char *text;
    int64_t time_s;
};

static const struct row rows[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"sun, 06 nov 1994 08:49:37 gmt", 784111777},
    {"SUN, 06 NOV 1994 08:49:37 GMT", 784111777},
    {"Mon, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"Thu, 01 Jan 1970 00:00:60 GMT", 60},
    {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
    {"Mon, 01 Jan 0001 00:00:00 GMT", -62135596800},
    {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
    {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},
    {"Tue, 19 Jan 2038 03:14:08 GMT", 2147483648},
    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
    {"Thursday, 01-Jan-70 00:00:00 GMT", 3155760000}, /* 2070: not more than 50 years ahead */
    {"Monday, 14-Nov-73 00:00:00 GMT", 3277843200},
    {"Thursday, 14-Nov-74 00:00:00 GMT", 153619200},
    {"Sun Nov  6 08:49:37 1994", 784111777},
    {"Sun Nov 16 08:49:37 1994", 784975777},
    {"", HTTP_DATE_NONE},
    {"0", HTTP_DATE_NONE},
    {"-1", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 08:49:37 UTC", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 08:49:37 +0000", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 08:49:37", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 08:49:37 GMT ", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 08:49:37 GMTx", HTTP_DATE_NONE},
    {"Sun, 06-Nov-1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun, 06-Nov-94 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun, 06 Nov 94 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun 06 Nov 1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun,  06 Nov 1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun, 06  Nov 1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun,06 Nov 1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun, 6 Nov 1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 8:49:37 GMT", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 08.49.37 GMT", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 08:49 GMT", HTTP_DATE_NONE},
    {"Sun, 06 November 1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 24:00:00 GMT", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 08:60:37 GMT", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 08:49:61 GMT", HTTP_DATE_NONE},
    {"Sun, 00 Nov 1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun, 31 Nov 1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Wed, 29 Feb 1900 00:00:00 GMT", HTTP_DATE_NONE},
    {"Wed, 29 Feb 2001 00:00:00 GMT", HTTP_DATE_NONE},
    {"Mon, 01 Jan 0000 00:00:00 GMT", HTTP_DATE_NONE},
    {"Xyz, 06 Nov 1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sunda, 06-Nov-94 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun Nov 06 08:49:37 94", HTTP_DATE_NONE},
    {"Sun Nov  6 08:49:37 1994 GMT", HTTP_DATE_NONE},
    {"Sun", HTTP_DATE_NONE},
    {"Sun,", HTTP_DATE_NONE},
};

static void parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t got = http_date_parse(span_str(rows[i].text), NOW);
        if (got != rows[i].time_s) {
            fail_msg("%s: %lld, expected %lld", rows[i].text, (long long)got,
                     (long long)rows[i].time_s);
        }
        /* Every cut of it is refused, without reading beyond its end. */
        for (size_t len = 0; len < strlen(rows[i].text); len++) {
            (void)http_date_parse(span_of(rows[i].text, len), NOW);
        }
    }
}

static void write_and_read(void **state)
{
    char text[HTTP_DATE_BYTES];

    (void)state;
    http_date_write(text, 784111777);
    assert_span(span_of(text, sizeof(text)), "Sun, 06 Nov 1994 08:49:37 GMT");
    http_date_write(text, INT64_MAX);
    assert_span(span_of(text, sizeof(text)), "Fri, 31 Dec 9999 23:59:59 GMT");
    http_date_write(text, INT64_MIN);
    assert_span(span_of(text, sizeof(text)), "Mon, 01 Jan 0001 00:00:00 GMT");
    for (int64_t at = -62135596800; at <= 253402300799; at += 86400 * 13 + 3607) {
        http_date_write(text, at);
        assert_int_equal(http_date_parse(span_of(text, sizeof(text)), NOW), at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse),
        cmocka_unit_test(write_and_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
