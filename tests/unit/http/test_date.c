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
    /* To the second: NOW and 50 years is 2073-11-14 22:13:20. */
    {"Tuesday, 14-Nov-73 22:13:20 GMT", 3277923200},
    {"Wednesday, 14-Nov-73 22:13:21 GMT", 122163201},
    {"Monday, 31-Dec-73 00:00:00 GMT", 126144000},
    {"SUNDAY, 06-NOV-94 08:49:37 gmt", 784111777},
    {"sunday, 06-nov-94 08:49:37 GMT", 784111777},
    {"Tuesday, 29-Feb-00 00:00:00 GMT", 951782400},
    {"sun nov  6 08:49:37 1994", 784111777},
    {"Sun Nov 06 08:49:37 1994", 784111777},
    {"Wed, 01 Jan 2200 00:00:00 GMT", 7258118400},
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
    {"Sun, 06 Nov 1994 08:49:37 EST", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 08:49:37 +0100", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 08:49:37 GMT+1", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 08:49:37  GMT", HTTP_DATE_NONE},
    {"Sun, 06 Nov  1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994  08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun\t06 Nov 1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun, 06 Nov 1994 08:49:37.0 GMT", HTTP_DATE_NONE},
    {"Sun. 06 Nov 1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sun, 06.Nov.1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sunday, 06 Nov 1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sunday, 06-Nov-1994 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sunday, 6-Nov-94 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sunday, 06-Nov-94 8:49:37 GMT", HTTP_DATE_NONE},
    {"Sunday 06-Nov-94 08:49:37 GMT", HTTP_DATE_NONE},
    {"Sunday, 06-Nov-94 08:49:37 UTC", HTTP_DATE_NONE},
    {"Sun Nov 6 08:49:37 1994", HTTP_DATE_NONE},
    {"Sun Nov  6 8:49:37 1994", HTTP_DATE_NONE},
    {"Sun Nov  6 08:49:37 94", HTTP_DATE_NONE},
    {"Sun  Nov  6 08:49:37 1994", HTTP_DATE_NONE},
    {"Sun, 06 Nov 12345 08:49:37 GMT", HTTP_DATE_NONE},
    {"784111777", HTTP_DATE_NONE},
    {"1994-11-06T08:49:37Z", HTTP_DATE_NONE},
    {"\"Sun, 06 Nov 1994 08:49:37 GMT\"", HTTP_DATE_NONE},
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

/* RFC 9110 5.6.7 at the turn of centuries. */
static void century(void **state)
{
    static const struct {
        int64_t now_s;
        const char *text;
        int64_t time_s;
    } turns[] = {
        {946684799, "Saturday, 01-Jan-00 00:00:00 GMT", 946684800}, /* 1999-12-31 */
        {946684799, "Friday, 31-Dec-99 23:59:59 GMT", 946684799},
        {946684799, "Friday, 31-Dec-49 23:59:59 GMT", 2524607999}, /* just 50 years */
        {946684799, "Saturday, 01-Jan-50 00:00:00 GMT", -631152000},
        {3471292800, "Friday, 01-Jan-10 00:00:00 GMT", 4417977600}, /* in 2080: 2110 */
        {3471292800, "Friday, 01-Jan-40 00:00:00 GMT", 2208988800}, /* 2040 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
        int64_t got = http_date_parse(span_str(turns[i].text), turns[i].now_s);
        if (got != turns[i].time_s) {
            fail_msg("%s: %lld", turns[i].text, (long long)got);
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
        cmocka_unit_test(century),
        cmocka_unit_test(write_and_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
