/* The ring of denials with its filters and pages, and the lists of destinations, users, clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/forward_view.h"

static struct record request(const char *host, const char *user)
{
    return (struct record){
        .wall_ms = 1700000000000,
        .bytes = 100,
        .received = 11,
        .status = 200,
        .result = RESULT_MISS,
        .is_forward = true,
        .client = SPAN("192.0.2.1"),
        .method = SPAN("GET"),
        .scheme = SPAN("http"),
        .host = span_str(host),
        .path = SPAN("/x"),
        .site = SPAN("forward:office"),
        .user = span_str(user),
        .rule = SPAN("rest"),
        .why = SPAN(""),
    };
}

static struct record denial(const char *host, const char *rule)
{
    struct record record = request(host, "anna");

    record.status = 403;
    record.result = RESULT_DENIED;
    record.rule = span_str(rule);
    record.why = SPAN("Blocked by policy");
    return record;
}

static void test_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *authority, *scheme, *host;
        uint16_t port;
    } rows[] = {
        {"example.org", "http", "example.org", 80},
        {"example.org", "https", "example.org", 443},
        {"example.org:8080", "http", "example.org", 8080},
        {"example.org:443", "connect", "example.org", 443},
        {"example.org", "connect", "example.org", 0},
        {"[2001:db8::1]", "http", "2001:db8::1", 80},
        {"[2001:db8::1]:81", "http", "2001:db8::1", 81},
        {"192.0.2.7", "http", "192.0.2.7", 80},
        {"example.org:", "http", "example.org:", 80},
        {"", "http", "", 80},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint16_t port = 1;
        struct span host =
            denial_host(span_str(rows[i].authority), span_str(rows[i].scheme), &port);
        assert_true(span_eq(host, span_str(rows[i].host)));
        assert_int_equal(port, rows[i].port);
    }
}

static void test_denials(void **state)
{
    (void)state;
    struct forward_view *view = forward_view_new();
    struct denials *denials = forward_view_denials(view);
    struct denial out[8];
    bool more = true;

    assert_int_equal(denials_list(denials, &(struct denials_filter){0}, out, 8, &more), 0);
    assert_false(more);
    struct record good = request("ok.example", "");
    forward_view_add(view, &good);
    static const char *const hosts[] = {"a.example:8080", "b.a.example", "ba.example", "c.example"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct record record = denial(hosts[i], i % 2 == 0 ? "ads" : "end");
        forward_view_add(view, &record);
    }
    assert_int_equal(denials_seen(denials), 4);
    assert_int_equal(denials_list(denials, &(struct denials_filter){0}, out, 8, &more), 4);
    assert_string_equal(out[0].host, "c.example");
    assert_string_equal(out[3].host, "a.example");
    assert_int_equal(out[3].port, 8080);
    assert_string_equal(out[3].forward, "office");
    assert_string_equal(out[3].client, "192.0.2.1");
    assert_string_equal(out[3].user, "anna");
    assert_string_equal(out[3].rule, "ads");
    assert_string_equal(out[3].why, "Blocked by policy");
    assert_int_equal(out[3].status, 403);

    static const struct {
        struct denials_filter filter;
        size_t count;
    } rows[] = {
        {{.rule = "ads"}, 2},
        {{.rule = "ad"}, 0},
        {{.host = "a.example"}, 2},
        {{.host = "A.EXAMPLE"}, 2},
        {{.host = ".a.example"}, 0},
        {{.host = "example"}, 4},
        {{.client = "192.0.2.1"}, 4},
        {{.client = "192.0.2.2"}, 0},
        {{.user = "anna"}, 4},
        {{.user = "bert"}, 0},
        {{.forward = "office"}, 4},
        {{.forward = "forward:office"}, 0},
        {{.rule = "ads", .host = "ba.example"}, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(denials_list(denials, &rows[i].filter, out, 8, &more), rows[i].count);
    }
    forward_view_free(&view);
    assert_null(view);
}

/* Pages end where the ring ends, whatever comes in between. */
static void test_denials_pages(void **state)
{
    (void)state;
    struct forward_view *view = forward_view_new();
    struct denials *denials = forward_view_denials(view);
    struct denial *out = mem_new(300 * sizeof(*out));
    struct denials_filter filter = {.rule = "odd"};
    char path[32];
    bool more;

    for (unsigned i = 1; i <= 2500; i++) {
        struct record record = denial("h.example", i % 2 == 1 ? "odd" : "even");
        (void)snprintf(path, sizeof(path), "/%u", i);
        record.path = span_str(path);
        forward_view_add(view, &record);
    }
    /* 1501 to 2500 are kept: 500 odd ones. */
    assert_int_equal(denials_list(denials, &filter, out, 300, &more), 300);
    assert_true(more);
    assert_string_equal(out[0].path, "/2499");
    assert_string_equal(out[299].path, "/1901");
    filter.before_id = out[299].id;
    struct record late = denial("h.example", "odd");
    forward_view_add(view, &late);
    assert_int_equal(denials_list(denials, &filter, out, 300, &more), 199); /* one more was lost */
    assert_false(more);
    assert_string_equal(out[0].path, "/1899");
    assert_string_equal(out[198].path, "/1503");
    filter.before_id = 5; /* of a page long gone */
    assert_int_equal(denials_list(denials, &filter, out, 300, &more), 0);
    assert_false(more);
    mem_free(out);
    forward_view_free(&view);
}

static void test_lists(void **state)
{
    (void)state;
    struct forward_view *view = forward_view_new();
    struct sketch_item *items = mem_new(10 * sizeof(*items));
    struct sketch_extent extent;
    struct forward_question question = {.list = FORWARD_DESTINATIONS};

    for (unsigned i = 0; i < 5; i++) {
        struct record record = request("often.example:81", "anna");
        record.wall_ms += i;
        forward_view_add(view, &record);
    }
    struct record record = request("large.example", "bert");
    record.bytes = 1000000;
    forward_view_add(view, &record);
    record = denial("bad.example", "ads");
    forward_view_add(view, &record);
    forward_view_add(view, &record);
    record = request("large.example:443", "bert");
    record.site = SPAN("forward:lab");
    record.method = SPAN("CONNECT");
    record.scheme = SPAN("connect");
    forward_view_add(view, &record);

    assert_int_equal(forward_view_list(view, &question, items, 10, &extent), 4);
    assert_int_equal(extent.error_bound, 0);
    assert_string_equal(items[0].key, "office often.example");
    assert_int_equal(items[0].sum.figure[FORWARD_REQUESTS], 5);
    assert_int_equal(items[0].sum.figure[FORWARD_BYTES], 555);
    assert_int_equal(items[0].sum.figure[FORWARD_TO_CLIENT], 500);
    assert_int_equal(items[0].sum.last_ms, 1700000000004);
    question.order = FORWARD_BY_BYTES;
    assert_int_equal(forward_view_list(view, &question, items, 1, &extent), 1);
    assert_string_equal(items[0].key, "office large.example");
    question.order = FORWARD_BY_DENIED;
    assert_int_equal(forward_view_list(view, &question, items, 10, &extent), 1);
    assert_string_equal(items[0].key, "office bad.example");
    assert_int_equal(items[0].sum.figure[FORWARD_DENIED], 2);
    question = (struct forward_question){.list = FORWARD_DESTINATIONS, .forward = "lab"};
    assert_int_equal(forward_view_list(view, &question, items, 10, &extent), 1);
    assert_string_equal(items[0].key, "lab large.example");
    assert_int_equal(items[0].sum.figure[FORWARD_TUNNELS], 1);
    question.forward = "la";
    assert_int_equal(forward_view_list(view, &question, items, 10, &extent), 0);

    question = (struct forward_question){.list = FORWARD_USERS, .forward = "office"};
    assert_int_equal(forward_view_list(view, &question, items, 10, &extent), 2);
    assert_string_equal(items[0].key, "office anna");
    assert_int_equal(items[0].sum.figure[FORWARD_REQUESTS], 7);
    assert_int_equal(items[0].sum.figure[FORWARD_DENIED], 2);
    assert_int_equal(forward_view_count(view, FORWARD_USERS, "office"), 2);
    assert_int_equal(forward_view_count(view, FORWARD_CLIENTS, "office"), 1);
    assert_int_equal(forward_view_count(view, FORWARD_CLIENTS, NULL), 2);
    mem_free(items);
    forward_view_free(&view);
}

/* Far more hosts than there is room for: those that matter stay. */
static void test_lists_are_bounded(void **state)
{
    (void)state;
    struct forward_view *view = forward_view_new();
    struct sketch_item *items = mem_new(SKETCH_SLOTS * sizeof(*items));
    struct sketch_extent extent;
    struct forward_question question = {.list = FORWARD_DESTINATIONS};
    char host[32];

    for (unsigned i = 0; i < 20000; i++) {
        (void)snprintf(host, sizeof(host), "h%u.example", i);
        struct record record = request(i % 10 == 0 ? "heavy.example" : host, "");
        forward_view_add(view, &record);
    }
    assert_int_equal(forward_view_list(view, &question, items, SKETCH_SLOTS, &extent),
                     SKETCH_SLOTS);
    assert_string_equal(items[0].key, "office heavy.example");
    assert_true(items[0].sum.figure[FORWARD_REQUESTS] + extent.error_bound >= 2000);
    assert_int_equal(forward_view_count(view, FORWARD_USERS, NULL), 0);
    mem_free(items);
    forward_view_free(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_denials),
        cmocka_unit_test(test_denials_pages),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_lists_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
