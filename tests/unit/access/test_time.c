/* Times of day and weekdays in local time, over midnight and over the change of summer time. */
#include <time.h>

#include "access_kit.h"

/* Local time of the zone in force. */
static int64_t at(int year, int month, int day, int hour, int minute)
{
    struct tm parts = {.tm_year = year - 1900,
                       .tm_mon = month - 1,
                       .tm_mday = day,
                       .tm_hour = hour,
                       .tm_min = minute,
                       .tm_isdst = -1};
    return mktime(&parts);
}

static void check(const char *times, int64_t wall_s, bool wanted)
{
    char acl[200];
    struct kit kit;

    (void)snprintf(acl, sizeof(acl), "acl { allow a time %s; }", times);
    kit_open(&kit, acl, CONF_PORTABLE);
    const char *got = kit_says(&kit, &(struct asked){.url = "http://x.example/", .wall_s = wall_s});
    if (strcmp(got, wanted ? "allow a" : "deny end") != 0) {
        fail_msg("%s at %lld: %s", times, (long long)wall_s, got);
    }
    kit_close(&kit);
}

static void zone(const char *name)
{
    assert_int_equal(setenv("TZ", name, 1), 0);
    tzset();
}

/* 2026-11-23 is a Monday. */
static void test_table(void **state)
{
    (void)state;
    static const struct {
        const char *times;
        int day, hour, minute;
        bool wanted;
    } rows[] = {
        {"\"mon-fri 08:00-18:00\"", 23, 8, 0, true},
        {"\"mon-fri 08:00-18:00\"", 23, 7, 59, false},
        {"\"mon-fri 08:00-18:00\"", 27, 17, 59, true},
        {"\"mon-fri 08:00-18:00\"", 27, 18, 0, false},
        {"\"mon-fri 08:00-18:00\"", 28, 12, 0, false},
        {"\"mon-fri 08:00-18:00\" \"sat 10:00-12:00\"", 28, 11, 0, true},
        {"\"mon-fri 08:00-18:00\" \"sat 10:00-12:00\"", 29, 11, 0, false},
        {"sat,sun", 28, 0, 0, true},
        {"sat,sun", 29, 23, 59, true},
        {"sat,sun", 27, 23, 59, false},
        {"sat,sun", 30, 0, 0, false},
        {"sat-mon", 23, 12, 0, true},
        {"sat-mon", 24, 12, 0, false},
        {"22:00-06:00", 25, 23, 0, true},
        {"22:00-06:00", 25, 5, 59, true},
        {"22:00-06:00", 25, 6, 0, false},
        {"22:00-06:00", 25, 21, 59, false},
        {"\"fri 22:00-06:00\"", 27, 22, 0, true},
        {"\"fri 22:00-06:00\"", 28, 5, 0, true},
        {"\"fri 22:00-06:00\"", 27, 5, 0, false},
        {"\"fri 22:00-06:00\"", 28, 22, 0, false},
        {"\"sun 22:00-02:00\"", 30, 1, 0, true},
        {"00:00-24:00", 25, 23, 59, true},
        {"\"wed 12:00-24:00\"", 25, 23, 59, true},
        {"\"wed 12:00-24:00\"", 26, 0, 0, false},
        {"\"wed 18:00-00:00\"", 25, 23, 0, true},
        {"\"wed 18:00-00:00\"", 26, 0, 0, false},
    };
    static const char *const zones[] = {"UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "XYZ11", "ABC-13:45"};
    for (size_t z = 0; z < sizeof(zones) / sizeof(zones[0]); z++) {
        zone(zones[z]);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            check(rows[i].times, at(2026, 11, rows[i].day, rows[i].hour, rows[i].minute),
                  rows[i].wanted);
        }
    }
    zone("UTC0");
}

/* The wall clock counts: 2026-03-29 02:00 CET is followed by 03:00 CEST, 2026-10-25 03:00 CEST by 02:00 CET. */
static void test_summer_time(void **state)
{
    (void)state;
    int64_t spring = 1774746000; /* 2026-03-29 01:00 UTC */
    int64_t autumn = 1792890000; /* 2026-10-25 01:00 UTC */

    zone("CET-1CEST,M3.5.0,M10.5.0/3");
    check("01:00-02:00", spring - 60, true);
    check("01:00-02:00", spring, false);
    check("02:00-03:00", spring - 60, false);
    check("02:00-03:00", spring, false); /* that hour is not there */
    check("03:00-04:00", spring, true);
    check("02:00-03:00", autumn - 3600, true); /* and that one twice */
    check("02:00-03:00", autumn - 60, true);
    check("02:00-03:00", autumn, true);
    check("02:00-03:00", autumn + 3540, true);
    check("02:00-03:00", autumn + 3600, false);
    check("\"sun 22:00-06:00\"", autumn + 4 * 3600, false);
    check("\"sat 22:00-06:00\"", autumn + 3 * 3600 + 3540, true); /* 04:59 */
    zone("UTC0");
}

/* One set of rules asked over a day: the minute that is remembered is the right one. */
static void test_clock_moves(void **state)
{
    (void)state;
    struct kit kit;

    zone("UTC0");
    kit_open(&kit, "acl { allow a time \"mon 08:00-09:00\"; }", CONF_PORTABLE);
    int64_t monday = at(2026, 11, 23, 0, 0);
    for (int64_t i = 0; i < 86400; i += 30) {
        struct asked asked = {.url = "http://x.example/", .wall_s = monday + i};
        bool wanted = i >= 8 * 3600 && i < 9 * 3600;
        assert_string_equal(kit_says(&kit, &asked), wanted ? "allow a" : "deny end");
    }
    kit_close(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_summer_time),
        cmocka_unit_test(test_clock_moves),
    };
    return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
