/* calendar - see calendar.h. */
#include "limit/calendar.h"

#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"

#define HOUR_S 3600

static struct tm local(int64_t at_s)
{
    time_t at = (time_t)at_s;
    struct tm parts = {0};

    (void)localtime_r(&at, &parts);
    return parts;
}

/* The first second of the date, which need not be in range: mktime carries over. What is called
 * midnight may be twice, or not at all, so that either of two offsets from UTC may be the right one:
 * the date itself decides. */
static int64_t date_begin(int year, int month, int day)
{
    struct tm noon = {
        .tm_year = year, .tm_mon = month, .tm_mday = day, .tm_hour = 12, .tm_isdst = -1};
    const struct tm date = local((int64_t)mktime(&noon));
    int64_t found = INT64_MAX;

    for (int saving = -1; saving <= 1; saving++) {
        struct tm parts = {.tm_year = date.tm_year,
                           .tm_mon = date.tm_mon,
                           .tm_mday = date.tm_mday,
                           .tm_isdst = saving};
        int64_t at_s = (int64_t)mktime(&parts);
        const struct tm there = local(at_s);
        if (there.tm_mday == date.tm_mday && there.tm_mon == date.tm_mon && at_s < found) {
            found = at_s;
        }
    }
    return found == INT64_MAX ? (int64_t)mktime(&noon) : found;
}

struct calendar_period calendar_period(enum calendar_per per, int64_t now_s)
{
    const struct tm now = local(now_s);
    int weekday = (now.tm_wday + 6) % 7; /* from Monday */
    struct calendar_period period = {0};

    switch (per) {
    case CALENDAR_HOUR:
        period.begin_s = now_s - now.tm_min * 60 - now.tm_sec;
        period.end_s = period.begin_s + HOUR_S;
        break;
    case CALENDAR_DAY:
        period.begin_s = date_begin(now.tm_year, now.tm_mon, now.tm_mday);
        period.end_s = date_begin(now.tm_year, now.tm_mon, now.tm_mday + 1);
        break;
    case CALENDAR_WEEK:
        period.begin_s = date_begin(now.tm_year, now.tm_mon, now.tm_mday - weekday);
        period.end_s = date_begin(now.tm_year, now.tm_mon, now.tm_mday - weekday + 7);
        break;
    case CALENDAR_MONTH:
        period.begin_s = date_begin(now.tm_year, now.tm_mon, 1);
        period.end_s = date_begin(now.tm_year, now.tm_mon + 1, 1);
        break;
    case CALENDAR_PERS:
        break;
    }
    return period;
}

const char *calendar_name(enum calendar_per per)
{
    static const char *const names[CALENDAR_PERS] = {
        [CALENDAR_HOUR] = "hour",
        [CALENDAR_DAY] = "day",
        [CALENDAR_WEEK] = "week",
        [CALENDAR_MONTH] = "month",
    };
    CHECK((unsigned)per < CALENDAR_PERS);
    return names[per];
}

const char *calendar_text(char room[CALENDAR_TEXT_BYTES], int64_t at_s)
{
    const struct tm parts = local(at_s);

    if (strftime(room, CALENDAR_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S%z", &parts) == 0) {
        (void)snprintf(room, CALENDAR_TEXT_BYTES, "%lld", (long long)at_s);
    }
    return room;
}
