/*
 * date - IMF-fixdate = day-name "," SP 2DIGIT SP month SP 4DIGIT SP time SP GMT
 *        rfc850-date = day-name-l "," SP 2DIGIT "-" month "-" 2DIGIT SP time SP GMT
 *        asctime     = day-name SP month SP ( 2DIGIT / SP DIGIT ) SP time SP 4DIGIT
 * The name of the day is checked to be one, not to be the right one.
 */
#include "http/date.h"

static const char *const date_days[] = {"sunday",   "monday", "tuesday", "wednesday",
                                        "thursday", "friday", "saturday"};
static const char date_day_names[] = "SunMonTueWedThuFriSat";
static const char date_month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct date_parts {
    int64_t year;
    unsigned month; /* 1..12 */
    unsigned day;
    unsigned hour;
    unsigned minute;
    unsigned second;
};

/* Exactly `count` digits at the front of *text. */
static bool date_digits(struct span *text, unsigned count, unsigned *out)
{
    unsigned value = 0;

    if (text->len < count) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned digit = (unsigned)(unsigned char)text->ptr[i] - '0';
        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit;
    }
    *text = span_of(text->ptr + count, text->len - count);
    *out = value;
    return true;
}

/* The given bytes, letter case ignored, at the front of *text. */
static bool date_literal(struct span *text, const char *literal, size_t len)
{
    /* Nearly all that come are spelled right, or differ in the first letter already. */
    if (text->len < len || ascii_lower(text->ptr[0]) != ascii_lower(literal[0]) ||
        (memcmp(text->ptr, literal, len) != 0 &&
         !span_eq_nocase(span_of(text->ptr, len), span_of(literal, len)))) {
        return false;
    }
    *text = span_of(text->ptr + len, text->len - len);
    return true;
}

static bool date_month(struct span *text, unsigned *month)
{
    for (unsigned i = 0; i < 12; i++) {
        if (date_literal(text, date_month_names + (size_t)i * 3, 3)) {
            *month = i + 1;
            return true;
        }
    }
    return false;
}

static bool date_clock(struct span *text, struct date_parts *parts)
{
    return date_digits(text, 2, &parts->hour) && date_literal(text, ":", 1) &&
           date_digits(text, 2, &parts->minute) && date_literal(text, ":", 1) &&
           date_digits(text, 2, &parts->second);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, years counted from March. */
static int64_t date_day_number(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool date_is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t date_to_seconds(const struct date_parts *parts)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned last = lengths[parts->month - 1];

    if (parts->month == 2 && date_is_leap(parts->year)) {
        last = 29;
    }
    /* 60: a leap second (RFC 9110 5.6.7) */
    if (parts->year < 1 || parts->day < 1 || parts->day > last || parts->hour > 23 ||
        parts->minute > 59 || parts->second > 60) {
        return HTTP_DATE_NONE;
    }
    return date_day_number(parts->year, parts->month, parts->day) * 86400 +
           (int64_t)parts->hour * 3600 + (int64_t)parts->minute * 60 + parts->second;
}

/* Behind the day's name: " 06 Nov 1994 08:49:37 GMT" */
static bool date_fixdate(struct span text, struct date_parts *parts)
{
    unsigned year;
    bool valid = date_literal(&text, " ", 1) && date_digits(&text, 2, &parts->day) &&
                 date_literal(&text, " ", 1) && date_month(&text, &parts->month) &&
                 date_literal(&text, " ", 1) && date_digits(&text, 4, &year) &&
                 date_literal(&text, " ", 1) && date_clock(&text, parts) &&
                 date_literal(&text, " GMT", 4) && text.len == 0;

    parts->year = valid ? year : 0;
    return valid;
}

/* " 06-Nov-94 08:49:37 GMT"; the year without its century. */
static bool date_rfc850(struct span text, struct date_parts *parts)
{
    unsigned year;
    bool valid = date_literal(&text, " ", 1) && date_digits(&text, 2, &parts->day) &&
                 date_literal(&text, "-", 1) && date_month(&text, &parts->month) &&
                 date_literal(&text, "-", 1) && date_digits(&text, 2, &year) &&
                 date_literal(&text, " ", 1) && date_clock(&text, parts) &&
                 date_literal(&text, " GMT", 4) && text.len == 0;

    parts->year = valid ? year : 0;
    return valid;
}

/* " Nov  6 08:49:37 1994" */
static bool date_asctime(struct span text, struct date_parts *parts)
{
    unsigned year;

    if (!date_literal(&text, " ", 1) || !date_month(&text, &parts->month) ||
        !date_literal(&text, " ", 1)) {
        return false;
    }
    bool short_day = date_literal(&text, " ", 1);
    bool valid = date_digits(&text, short_day ? 1 : 2, &parts->day) &&
                 date_literal(&text, " ", 1) && date_clock(&text, parts) &&
                 date_literal(&text, " ", 1) && date_digits(&text, 4, &year) && text.len == 0;

    parts->year = valid ? year : 0;
    return valid;
}

/* Splits seconds into calendar parts (the inverse of date_day_number). */
static struct date_parts date_from_seconds(int64_t time_s, unsigned *weekday)
{
    int64_t days = time_s / 86400;
    int64_t rest = time_s % 86400;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    *weekday = (unsigned)(((days % 7) + 11) % 7);
    int64_t shifted = days + 719468;
    int64_t era = shifted / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * of_year + 2) / 153;
    unsigned month = (unsigned)(march_month < 10 ? march_month + 3 : march_month - 9);

    return (struct date_parts){
        .year = year_of_era + era * 400 + (month <= 2 ? 1 : 0),
        .month = month,
        .day = (unsigned)(of_year - (153 * march_month + 2) / 5 + 1),
        .hour = (unsigned)(rest / 3600),
        .minute = (unsigned)(rest / 60 % 60),
        .second = (unsigned)(rest % 60),
    };
}

/* Does one lie behind the other, years apart from the rest of the calendar? */
static bool date_is_later(const struct date_parts *one, const struct date_parts *other)
{
    const unsigned a[] = {one->month, one->day, one->hour, one->minute, one->second};
    const unsigned b[] = {other->month, other->day, other->hour, other->minute, other->second};

    if (one->year != other->year) {
        return one->year > other->year;
    }
    for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++) {
        if (a[i] != b[i]) {
            return a[i] > b[i];
        }
    }
    return false;
}

/* RFC 9110 5.6.7: of all years that end so, the last that is not more than 50 years ahead, to the
 * second. */
static int64_t date_settle_century(struct date_parts *parts, int64_t now_s)
{
    unsigned weekday;
    struct date_parts limit = date_from_seconds(now_s, &weekday);

    limit.year += 50;
    parts->year += limit.year / 100 * 100;
    if (date_is_later(parts, &limit)) {
        parts->year -= 100;
    }
    return date_to_seconds(parts);
}

int64_t http_date_parse(struct span text, int64_t now_s)
{
    struct date_parts parts;

    for (size_t i = 0; i < sizeof(date_days) / sizeof(date_days[0]); i++) {
        struct span rest = text;
        if (!date_literal(&rest, date_days[i], 3)) {
            continue;
        }
        if (rest.len > 0 && rest.ptr[0] == ',') {
            (void)date_literal(&rest, ",", 1);
            return date_fixdate(rest, &parts) ? date_to_seconds(&parts) : HTTP_DATE_NONE;
        }
        if (rest.len > 0 && rest.ptr[0] == ' ') {
            return date_asctime(rest, &parts) ? date_to_seconds(&parts) : HTTP_DATE_NONE;
        }
        const char *tail = date_days[i] + 3;
        if (date_literal(&rest, tail, strlen(tail)) && date_literal(&rest, ",", 1) &&
            date_rfc850(rest, &parts)) {
            return date_settle_century(&parts, now_s);
        }
        return HTTP_DATE_NONE;
    }
    return HTTP_DATE_NONE;
}

static void date_put_digits(char *out, unsigned count, unsigned value)
{
    while (count > 0) {
        out[--count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void http_date_write(char out[HTTP_DATE_BYTES], int64_t time_s)
{
    const int64_t first = -62135596800; /* 0001-01-01 */
    const int64_t last = 253402300799;  /* 9999-12-31 23:59:59 */
    const struct span blank = SPAN("Day, 00 Mon 0000 00:00:00 GMT");
    unsigned weekday;

    time_s = time_s < first ? first : time_s > last ? last : time_s;
    struct date_parts parts = date_from_seconds(time_s, &weekday);
    memcpy(out, blank.ptr, HTTP_DATE_BYTES);
    memcpy(out, date_day_names + (size_t)weekday * 3, 3);
    date_put_digits(out + 5, 2, parts.day);
    memcpy(out + 8, date_month_names + (size_t)(parts.month - 1) * 3, 3);
    date_put_digits(out + 12, 4, (unsigned)parts.year);
    date_put_digits(out + 17, 2, parts.hour);
    date_put_digits(out + 20, 2, parts.minute);
    date_put_digits(out + 23, 2, parts.second);
}
