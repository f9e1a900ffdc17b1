/* calendar: periods in zones with and without summer time, at its changes, and as a chain without gaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/check.h"
#include "limit/calendar.h"

#define UTC "UTC0"
#define PARIS "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"
#define HAVANA "CST5CDT,M3.2.0/0,M11.1.0/1"   /* no midnight in March, two in November */
#define BEIRUT "EET-2EEST,M3.5.0/0,M10.5.0/0" /* no midnight in March; 23:00 twice in October */
#define LORD_HOWE "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0" /* half an hour */
#define KATHMANDU "<+0545>-5:45"

static void zone_set(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
}

static const struct {
    const char *zone;
    enum calendar_per per;
    int64_t now_s;
    const char *begin, *end;
} cases[] = {
    {UTC, CALENDAR_HOUR, 0, "1970-01-01T00:00:00+0000", "1970-01-01T01:00:00+0000"},
    {UTC, CALENDAR_DAY, 1764549296, "2025-12-01T00:00:00+0000", "2025-12-02T00:00:00+0000"},
    {UTC, CALENDAR_WEEK, 1764549296, "2025-12-01T00:00:00+0000", "2025-12-08T00:00:00+0000"},
    {UTC, CALENDAR_WEEK, 1764547199, "2025-11-24T00:00:00+0000", "2025-12-01T00:00:00+0000"},
    {UTC, CALENDAR_MONTH, 1764547199, "2025-11-01T00:00:00+0000", "2025-12-01T00:00:00+0000"},
    {UTC, CALENDAR_MONTH, 1764547200, "2025-12-01T00:00:00+0000", "2026-01-01T00:00:00+0000"},
    {UTC, CALENDAR_MONTH, 1709164800, "2024-02-01T00:00:00+0000", "2024-03-01T00:00:00+0000"},
    {KATHMANDU, CALENDAR_HOUR, 1764549296, "2025-12-01T06:00:00+0545", "2025-12-01T07:00:00+0545"},
    {KATHMANDU, CALENDAR_DAY, 1764549296, "2025-12-01T00:00:00+0545", "2025-12-02T00:00:00+0545"},
    /* 2026-03-29 02:00 -> 03:00; 23 hours, and the month has an hour less */
    {PARIS, CALENDAR_DAY, 1774746000, "2026-03-29T00:00:00+0100", "2026-03-30T00:00:00+0200"},
    {PARIS, CALENDAR_MONTH, 1774746000, "2026-03-01T00:00:00+0100", "2026-04-01T00:00:00+0200"},
    {PARIS, CALENDAR_WEEK, 1774746000, "2026-03-23T00:00:00+0100", "2026-03-30T00:00:00+0200"},
    /* 2026-10-25 03:00 -> 02:00; 25 hours; the hour from 02:00 twice */
    {PARIS, CALENDAR_DAY, 1792890000, "2026-10-25T00:00:00+0200", "2026-10-26T00:00:00+0100"},
    {PARIS, CALENDAR_HOUR, 1792888200, "2026-10-25T02:00:00+0200", "2026-10-25T02:00:00+0100"},
    {PARIS, CALENDAR_HOUR, 1792891800, "2026-10-25T02:00:00+0100", "2026-10-25T03:00:00+0100"},
    {NEW_YORK, CALENDAR_DAY, 1772953200, "2026-03-08T00:00:00-0500", "2026-03-09T00:00:00-0400"},
    {NEW_YORK, CALENDAR_MONTH, 1793505599, "2026-10-01T00:00:00-0400", "2026-11-01T00:00:00-0400"},
    /* The day begins at 01:00, as there is no midnight; the one before ends there. */
    {HAVANA, CALENDAR_DAY, 1772946000, "2026-03-08T01:00:00-0400", "2026-03-09T00:00:00-0400"},
    {HAVANA, CALENDAR_DAY, 1772945999, "2026-03-07T00:00:00-0500", "2026-03-08T01:00:00-0400"},
    /* The first of two midnights. */
    {HAVANA, CALENDAR_DAY, 1793511000, "2026-11-01T00:00:00-0400", "2026-11-02T00:00:00-0500"},
    {BEIRUT, CALENDAR_DAY, 1774735200, "2026-03-29T01:00:00+0300", "2026-03-30T00:00:00+0300"},
    /* At 24:00 it is 23:00 again: still the day before. */
    {BEIRUT, CALENDAR_DAY, 1792877400, "2026-10-24T00:00:00+0300", "2026-10-25T00:00:00+0200"},
    {LORD_HOWE, CALENDAR_DAY, 1775314800, "2026-04-05T00:00:00+1100", "2026-04-06T00:00:00+1030"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char begin[CALENDAR_TEXT_BYTES];
        char end[CALENDAR_TEXT_BYTES];
        zone_set(cases[i].zone);
        struct calendar_period period = calendar_period(cases[i].per, cases[i].now_s);
        (void)calendar_text(begin, period.begin_s);
        (void)calendar_text(end, period.end_s);
        if (strcmp(begin, cases[i].begin) != 0 || strcmp(end, cases[i].end) != 0 ||
            period.begin_s > cases[i].now_s || period.end_s <= cases[i].now_s) {
            fail_msg("%zu: %s %s at %lld: %s to %s", i, cases[i].zone, calendar_name(cases[i].per),
                     (long long)cases[i].now_s, begin, end);
        }
    }
}

/* From moments of more than a year: it is in its period, all of a period say the same, and the next one
 * begins where it ends. */
static void test_chain(void **state)
{
    (void)state;
    static const char *const zones[] = {UTC, PARIS, NEW_YORK, HAVANA, BEIRUT, LORD_HOWE, KATHMANDU};
    for (size_t z = 0; z < ARRAY_LEN(zones); z++) {
        zone_set(zones[z]);
        for (unsigned per = CALENDAR_DAY; per < CALENDAR_PERS; per++) {
            struct calendar_period last = {0};
            for (int64_t now = 1767000000; now < 1767000000 + 400 * 86400LL; now += 7193) {
                struct calendar_period period = calendar_period((enum calendar_per)per, now);
                if (period.begin_s > now || period.end_s <= now) {
                    fail_msg("%s %u: %lld is not in its period", zones[z], per, (long long)now);
                }
                if (last.end_s != 0 && last.begin_s != period.begin_s &&
                    last.end_s != period.begin_s) {
                    fail_msg("%s %u: a gap before %lld", zones[z], per, (long long)now);
                }
                if (last.begin_s == period.begin_s) {
                    assert_int_equal(last.end_s, period.end_s);
                }
                last = period;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
