#ifndef LIMIT_CALENDAR_H
#define LIMIT_CALENDAR_H
/*
 * calendar - the hour, day, week or month in which a moment lies, by local time (TZ, /etc/localtime).
 *
 * Where clocks are put on or back a day has 23 or 25 hours and begins when its date does, also where
 * it has no midnight; a clock that shows an hour twice begins that hour twice.
 *
 * Threads: any, but it may read the file of the time zone: not in a request.
 */
#include <stdint.h>

enum calendar_per {
    CALENDAR_HOUR,  /* from its minute 0 */
    CALENDAR_DAY,   /* from 00:00 */
    CALENDAR_WEEK,  /* from Monday, 00:00 */
    CALENDAR_MONTH, /* from day 1, 00:00 */
    CALENDAR_PERS,
};

/* [begin_s, end_s), Unix seconds. */
struct calendar_period {
    int64_t begin_s, end_s;
};

struct calendar_period calendar_period(enum calendar_per per, int64_t now_s);
/* "hour" ... Static. */
const char *calendar_name(enum calendar_per per);
/* 2026-12-01T00:00:00+0100, by local time. */
#define CALENDAR_TEXT_BYTES 32
const char *calendar_text(char room[CALENDAR_TEXT_BYTES], int64_t at_s);
#endif
