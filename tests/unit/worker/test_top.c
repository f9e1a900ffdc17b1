/* The top list against an exact count, and its time windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "worker/top.h"

#define HEAVY 20u
#define LIGHT 20000u

static void add(struct top *top, const char *path, enum request_result result, uint64_t bytes)
{
    struct record record = {
        .scheme = SPAN("http"),
        .host = SPAN("example.com"),
        .path = span_str(path),
        .result = (uint8_t)result,
        .bytes = bytes,
        .weight = 1,
    };
    top_add(top, &record);
}

/* Heavy URL i is asked for 200 * (HEAVY - i) times, each light one once, all mixed. */
static void test_heavy_are_found_within_the_bound(void **state)
{
    (void)state;
    struct top *top = top_new(3600);
    struct top_item *items = mem_new(HEAVY * sizeof(*items));
    uint64_t bound = 0;
    double covered = 0;
    char path[64];
    unsigned light = 0;

    for (unsigned turn = 0; turn < 200; turn++) {
        for (unsigned i = 0; i < HEAVY; i++) {
            (void)snprintf(path, sizeof(path), "/heavy/%u", i);
            for (unsigned n = 0; n < HEAVY - i; n++) {
                add(top, path, n == 0 ? RESULT_MISS : RESULT_HIT, 100);
            }
        }
        for (unsigned n = 0; n < LIGHT / 200; n++) {
            (void)snprintf(path, sizeof(path), "/light/%u", light++);
            add(top, path, RESULT_PASS, 1);
        }
    }
    assert_int_equal(top_list(top, TOP_REQUESTS, items, HEAVY, &bound, &covered), HEAVY);
    assert_true(bound > 0 && bound <= (200 * HEAVY * (HEAVY + 1) / 2 + LIGHT) / 512);
    assert_true(covered >= 0 && covered < 60);
    for (unsigned i = 0; i < HEAVY; i++) {
        uint64_t exact = 200 * (HEAVY - i);
        (void)snprintf(path, sizeof(path), "http://example.com/heavy/%u", i);
        for (unsigned k = 0; k < HEAVY; k++) {
            if (strcmp(items[k].url, path) == 0) {
                assert_true(items[k].requests <= exact && items[k].requests + bound >= exact);
                assert_int_equal(items[k].hits + items[k].misses, items[k].requests);
                assert_int_equal(items[k].bytes, items[k].requests * 100);
                exact = 0;
                break;
            }
        }
        assert_int_equal(exact, 0); /* it was in the list */
    }
    for (unsigned k = 1; k < HEAVY; k++) {
        assert_true(items[k - 1].requests >= items[k].requests);
    }
    mem_free(items);
    top_free(&top);
    assert_null(top);
}

static void test_orders_differ(void **state)
{
    (void)state;
    struct top *top = top_new(3600);
    struct top_item item[2];
    uint64_t bound = 99;
    double covered = 0;

    for (unsigned i = 0; i < 10; i++) {
        add(top, "/asked", RESULT_HIT, 1);
    }
    for (unsigned i = 0; i < 3; i++) {
        add(top, "/missed", RESULT_MISS, 1);
    }
    add(top, "/large", RESULT_PASS, 1000000);
    assert_int_equal(top_list(top, TOP_REQUESTS, item, 2, &bound, &covered), 2);
    assert_int_equal(bound, 0);
    assert_string_equal(item[0].url, "http://example.com/asked");
    assert_int_equal(item[0].hits, 10);
    assert_string_equal(item[1].url, "http://example.com/missed");
    assert_int_equal(top_list(top, TOP_MISSES, item, 2, &bound, &covered), 1);
    assert_string_equal(item[0].url, "http://example.com/missed");
    assert_int_equal(top_list(top, TOP_BYTES, item, 1, &bound, &covered), 1);
    assert_string_equal(item[0].url, "http://example.com/large");
    top_free(&top);
}

static void test_windows_forget(void **state)
{
    (void)state;
    struct top *top = top_new(2);
    struct top_item item[4];
    uint64_t bound = 0;
    double covered = 0;

    add(top, "/a", RESULT_HIT, 1);
    (void)usleep(2100 * 1000);
    add(top, "/a", RESULT_HIT, 1);
    add(top, "/b", RESULT_HIT, 1);
    assert_int_equal(top_list(top, TOP_REQUESTS, item, 4, &bound, &covered), 2);
    assert_string_equal(item[0].url, "http://example.com/a");
    assert_int_equal(item[0].requests, 2); /* over both windows */
    assert_true(covered >= 2.0 && covered < 4.0);
    (void)usleep(4100 * 1000);
    assert_int_equal(top_list(top, TOP_REQUESTS, item, 4, &bound, &covered), 0);
    top_free(&top);
}

static void test_hostile_urls(void **state)
{
    (void)state;
    struct top *top = top_new(3600);
    struct top_item item[3];
    uint64_t bound = 0;
    double covered = 0;
    char path[3000];

    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    add(top, path, RESULT_HIT, 1);
    add(top, path, RESULT_HIT, 1);
    struct record record = {.scheme = SPAN("http"),
                            .host = SPAN("h"),
                            .path = SPAN("/a\0b\n"),
                            .weight = 1,
                            .result = RESULT_HIT};
    top_add(top, &record);
    record.weight = 0;
    top_add(top, &record);
    record.weight = 1;
    record.path = SPAN("");
    top_add(top, &record);
    assert_int_equal(top_list(top, TOP_REQUESTS, item, 3, &bound, &covered), 2);
    assert_int_equal(strlen(item[0].url), sizeof(item[0].url) - 1);
    assert_string_equal(item[0].url + strlen(item[0].url) - 4, "x...");
    assert_string_equal(item[1].url, "http://h/a?b?");
    assert_int_equal(item[1].requests, 1);
    top_free(&top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heavy_are_found_within_the_bound),
        cmocka_unit_test(test_orders_differ),
        cmocka_unit_test(test_windows_forget),
        cmocka_unit_test(test_hostile_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
