/* quota: accounts over periods and clocks, without room, and as a file, good and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "limit/quota_file.h"

#define NOON ((int64_t)1764590400) /* 2025-12-01 12:00 UTC, a Monday */
#define HOUR ((int64_t)3600)
#define DAY (24 * HOUR)
#define BOTH (QUOTA_DOWN | QUOTA_UP)

static struct quota_account *take(struct quota_store *store, struct quota *quota, const char *who)
{
    return quota_account_take(store, quota, QUOTA_USER, span_str(who));
}

static void test_periods(void **state)
{
    (void)state;
    static const struct {
        enum calendar_per per;
        int64_t same_s, next_s; /* after noon: still, and not any more */
    } cases[] = {
        {CALENDAR_HOUR, HOUR - 1, HOUR},
        {CALENDAR_DAY, 12 * HOUR - 1, 12 * HOUR},
        {CALENDAR_WEEK, 7 * DAY - 12 * HOUR - 1, 7 * DAY - 12 * HOUR},
        {CALENDAR_MONTH, 31 * DAY - 12 * HOUR - 1, 31 * DAY - 12 * HOUR},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct quota_store *store = quota_store_new(NOON);
        struct quota *quota = quota_register(store, SPAN("s"), SPAN("q"), cases[i].per, 100, BOTH);
        struct quota_account *account = take(store, quota, "alice");
        quota_add(account, 60, 50);
        assert_int_equal(quota_left(store, account), 0);
        assert_int_equal(quota_used(store, account), 110);
        assert_int_equal(quota_ends_s(store, quota), NOON + cases[i].next_s);
        quota_tick(store, NOON + cases[i].same_s);
        assert_int_equal(quota_used(store, account), 110);
        quota_tick(store, NOON + cases[i].next_s);
        assert_int_equal(quota_left(store, account), 100);
        quota_add(account, 5, 0);
        assert_int_equal(quota_left(store, account), 95);
        /* A clock that is put back a little does not begin the last period again ... */
        quota_tick(store, NOON + cases[i].next_s - 1);
        assert_int_equal(quota_left(store, account), 95);
        quota_tick(store, NOON + cases[i].next_s);
        assert_int_equal(quota_left(store, account), 95);
        /* ... and one that was years ahead does not keep it for years. */
        quota_tick(store, NOON + 3650 * DAY);
        assert_int_equal(quota_left(store, account), 100);
        quota_add(account, 7, 0);
        quota_tick(store, NOON);
        assert_int_equal(quota_left(store, account), 100);
        quota_account_give(&account);
        quota_store_free(&store);
    }
}

static void test_names_tell_apart(void **state)
{
    (void)state;
    struct quota_store *store = quota_store_new(NOON);
    struct quota *month = quota_register(store, SPAN("s"), SPAN("q"), CALENDAR_MONTH, 100, BOTH);
    struct quota *day = quota_register(store, SPAN("s"), SPAN("q"), CALENDAR_DAY, 100, QUOTA_DOWN);
    struct quota *other = quota_register(store, SPAN("t"), SPAN("q"), CALENDAR_MONTH, 100, BOTH);
    struct quota_account *list[] = {take(store, month, "a"),
                                    take(store, day, "a"),
                                    take(store, other, "a"),
                                    take(store, month, "b"),
                                    quota_account_take(store, month, QUOTA_CLIENT, SPAN("a")),
                                    quota_account_take(store, month, QUOTA_ALL, SPAN(""))};
    assert_ptr_equal(month,
                     quota_register(store, SPAN("s"), SPAN("q"), CALENDAR_MONTH, 200, QUOTA_UP));
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        quota_add(list[i], i + 1, 10 * (i + 1));
    }
    assert_int_equal(quota_used(store, list[0]), 10); /* up alone, now */
    assert_int_equal(quota_left(store, list[0]), 190);
    assert_int_equal(quota_used(store, list[1]), 2);
    assert_int_equal(quota_used(store, list[2]), 33);
    assert_false(quota_reset(store, SPAN("s"), SPAN("q"), QUOTA_USER, SPAN("c")));
    assert_true(quota_reset(store, SPAN("s"), SPAN("q"), QUOTA_USER, SPAN("a")));
    assert_int_equal(quota_used(store, list[0]), 0);
    assert_int_equal(quota_used(store, list[1]), 0);
    assert_int_equal(quota_used(store, list[2]), 33);
    assert_int_equal(quota_used(store, list[4]), 50);
    struct quota_view *views;
    assert_int_equal(quota_list(store, &views), 4);
    assert_string_equal(views[0].site, "t"); /* 33 of 100 */
    assert_int_equal(views[0].used, 33);
    assert_int_equal(views[1].used, 60); /* of 200 */
    assert_int_equal(views[1].whose, QUOTA_ALL);
    assert_int_equal(views[1].period.end_s, NOON + 31 * DAY - 12 * HOUR);
    mem_free(views);
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        quota_account_give(&list[i]);
    }
    quota_store_free(&store);
}

/* Newcomers share one account; those who are there keep theirs; with the period there is room again. */
static void test_full(void **state)
{
    (void)state;
    struct quota_store *store = quota_store_new(NOON);
    struct quota *quota = quota_register(store, SPAN("s"), SPAN("q"), CALENDAR_DAY, 1000, BOTH);
    struct quota_figures figures;
    struct quota_account *first = take(store, quota, "first");
    quota_add(first, 7, 0);
    for (unsigned i = 1; i < QUOTA_ACCOUNTS_MAX; i++) {
        char who[32];
        (void)snprintf(who, sizeof(who), "user%u", i);
        struct quota_account *account = take(store, quota, who);
        quota_add(account, 1, 0);
        quota_account_give(&account);
    }
    struct quota_account *late = take(store, quota, "late");
    struct quota_account *later = take(store, quota, "later");
    assert_ptr_equal(late, later);
    quota_add(late, 600, 0);
    assert_int_equal(quota_left(store, later), 400);
    assert_int_equal(quota_used(store, first), 7);
    quota_figures(store, &figures);
    assert_int_equal(figures.accounts, QUOTA_ACCOUNTS_MAX);
    assert_int_equal(figures.crowded, 2);
    quota_tick(store, NOON + 1); /* nobody is idle */
    quota_figures(store, &figures);
    assert_int_equal(figures.accounts, QUOTA_ACCOUNTS_MAX);
    quota_account_give(&late);
    quota_account_give(&later);
    quota_tick(store, NOON + DAY);
    quota_figures(store, &figures);
    assert_int_equal(figures.accounts, 1); /* who is being used stays */
    late = take(store, quota, "late");
    assert_int_equal(quota_left(store, late), 1000);
    quota_account_give(&late);
    quota_account_give(&first);
    quota_store_free(&store);
}

static void test_long_names(void **state)
{
    (void)state;
    struct quota_store *store = quota_store_new(NOON);
    struct quota *quota = quota_register(store, SPAN("s"), SPAN("q"), CALENDAR_DAY, 1000, BOTH);
    char name[1000];
    memset(name, 'x', sizeof(name));
    struct quota_account *account =
        quota_account_take(store, quota, QUOTA_USER, span_of(name, sizeof(name)));
    struct quota_account *same =
        quota_account_take(store, quota, QUOTA_USER, span_of(name, QUOTA_WHO_BYTES));
    assert_ptr_equal(account, same);
    quota_account_give(&account);
    quota_account_give(&same);
    quota_store_free(&store);
}

/* ---- the file ---- */

static const char *const people[] = {"alice", "a b",  "50%",          "\x01\xff\x80",
                                     "-",     "x\ny", "2001:db8::/64"};

static void fill(struct quota_store *store)
{
    struct quota *quota = quota_register(store, SPAN("forward:office"), SPAN("m~1"), CALENDAR_MONTH,
                                         (uint64_t)1 << 40, BOTH);
    for (size_t i = 0; i < ARRAY_LEN(people); i++) {
        struct quota_account *account = take(store, quota, people[i]);
        quota_add(account, ((uint64_t)1 << 39) + i, i);
        quota_account_give(&account);
    }
    struct quota_account *all = quota_account_take(store, quota, QUOTA_ALL, SPAN(""));
    quota_add(all, 1, 2);
    quota_account_give(&all);
}

static void write_store(struct quota_store *store, struct buf *out)
{
    struct quota_view *views;
    size_t count = quota_list(store, &views);
    buf_clear(out);
    quota_file_write(out, views, count);
    mem_free(views);
}

static void restore(void *ctx, const struct quota_view *view)
{
    (void)quota_restore(ctx, view);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct quota_store *store = quota_store_new(NOON);
    struct quota_store *again = quota_store_new(NOON + DAY);
    struct quota_store *late = quota_store_new(NOON + 32 * DAY);
    struct buf text;
    struct buf second;
    struct quota_view *views;
    buf_init(&text, QUOTA_FILE_MAX_BYTES);
    buf_init(&second, QUOTA_FILE_MAX_BYTES);
    fill(store);
    write_store(store, &text);
    assert_non_null(
        strstr(text.data, "forward:office m%7e1 month user a%20b 1764547200 54975581388"));
    assert_null(quota_file_read(buf_span(&text), restore, again));
    assert_int_equal(quota_list(again, &views), ARRAY_LEN(people) + 1);
    mem_free(views);
    fill(again); /* registers the limit, and adds the same once more */
    assert_int_equal(quota_list(again, &views), ARRAY_LEN(people) + 1);
    for (size_t i = 0; i < ARRAY_LEN(people); i++) {
        assert_int_equal(views[i].used, ((uint64_t)1 << 40) + 2 * (views[i].up / 2) * 2);
    }
    mem_free(views);
    assert_null(quota_file_read(buf_span(&text), restore, late));
    assert_int_equal(quota_list(late, &views), 0);
    mem_free(views);
    struct quota_store *third = quota_store_new(NOON);
    assert_null(quota_file_read(buf_span(&text), restore, third));
    (void)quota_register(third, SPAN("forward:office"), SPAN("m~1"), CALENDAR_MONTH,
                         (uint64_t)1 << 40, BOTH);
    write_store(third, &second);
    assert_string_equal(second.data, text.data);
    quota_store_free(&store);
    quota_store_free(&again);
    quota_store_free(&late);
    quota_store_free(&third);
    buf_free(&text);
    buf_free(&second);
}

static unsigned taken;

static void count_taken(void *ctx, const struct quota_view *view)
{
    (void)ctx;
    (void)view;
    taken++;
}

/* Any bit that flips and any cut is seen, and then nothing is taken. */
static void test_damage(void **state)
{
    (void)state;
    struct quota_store *store = quota_store_new(NOON);
    struct buf text;
    buf_init(&text, QUOTA_FILE_MAX_BYTES);
    fill(store);
    write_store(store, &text);
    taken = 0;
    for (size_t i = 0; i < text.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            text.data[i] = (char)(text.data[i] ^ (1 << bit));
            assert_non_null(quota_file_read(buf_span(&text), count_taken, NULL));
            text.data[i] = (char)(text.data[i] ^ (1 << bit));
        }
        assert_non_null(quota_file_read(span_of(text.data, i), count_taken, NULL));
    }
    assert_int_equal(taken, 0);
    assert_null(quota_file_read(buf_span(&text), count_taken, NULL));
    assert_int_equal(taken, ARRAY_LEN(people) + 1);
    quota_store_free(&store);
    buf_free(&text);
}

/* On a disk: written when something has changed, read again, put aside when it is no such file. */
static void test_disk(void **state)
{
    (void)state;
    char folder[] = "/tmp/larder-quota-XXXXXX";
    char path[64];
    char aside[80];
    uint64_t last = 0;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/quotas", folder);
    (void)snprintf(aside, sizeof(aside), "%s.damaged", path);
    struct quota_store *store = quota_store_new(NOON);
    quota_file_load(store, path, &last);
    assert_int_equal(last, 0);
    quota_file_save(store, path, &last);
    assert_int_equal(access(path, F_OK), -1); /* nothing to keep */
    fill(store);
    quota_file_save(store, path, &last);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    quota_file_save(store, path, &last);
    assert_int_equal(access(path, F_OK), -1); /* nothing new */
    fill(store);
    quota_file_save(store, path, &last);

    struct quota_store *again = quota_store_new(NOON);
    struct quota_view *views;
    uint64_t read = 0;
    quota_file_load(again, path, &read);
    assert_int_equal(read, last);
    assert_int_equal(quota_list(again, &views), ARRAY_LEN(people) + 1);
    for (size_t i = 0; i < ARRAY_LEN(people) + 1; i++) {
        assert_true(quota_reset(again, span_str(views[i].site), span_str(views[i].name),
                                views[i].whose, span_str(views[i].who)));
    }
    mem_free(views);
    quota_file_save(again, path, &read); /* that all are back at 0 is something new */
    assert_int_not_equal(read, last);
    quota_store_free(&again);

    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("what is this\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    again = quota_store_new(NOON);
    quota_file_load(again, path, &read);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(aside, F_OK), 0);
    assert_int_equal(quota_list(again, &views), 0);
    mem_free(views);
    quota_store_free(&again);
    quota_store_free(&store);
    assert_int_equal(unlink(aside), 0);
    assert_int_equal(rmdir(folder), 0);
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(setenv("TZ", "UTC0", 1), 0);
    tzset();
    return log_open("/dev/null", LOG_LEVEL_ERROR) == ERR_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_periods),    cmocka_unit_test(test_names_tell_apart),
        cmocka_unit_test(test_full),       cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_disk),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
