/* Lists of open tunnels: in order, bounded, whoever adds to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "record/tunnel_view.h"

static void add(struct tunnel_view_list *list, uint64_t id, uint64_t age_us, uint64_t to_client,
                uint64_t to_origin)
{
    const struct tunnel_view view = {
        .id = id, .age_us = age_us, .to_client = to_client, .to_origin = to_origin};
    tunnel_view_insert(list, &view);
}

static void test_orders(void **state)
{
    (void)state;
    static const struct {
        enum tunnel_order order;
        size_t max, count;
        uint64_t ids[4];
    } rows[] = {
        {TUNNEL_BY_AGE, 4, 4, {3, 1, 2, 4}},
        {TUNNEL_BY_AGE, 2, 2, {3, 1}},
        {TUNNEL_BY_BYTES, 4, 4, {2, 4, 1, 3}},
        {TUNNEL_BY_BYTES, 3, 3, {2, 4, 1}},
        {TUNNEL_BY_AGE, 0, 0, {0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tunnel_view items[4];
        struct tunnel_view_list list = {.order = rows[i].order, .max = rows[i].max, .items = items};
        add(&list, 1, 50, 10, 10);
        add(&list, 2, 40, 0, 900);
        add(&list, 3, 90, 1, 1);
        add(&list, 4, 40, 30, 0);
        assert_int_equal(list.count, rows[i].count);
        for (size_t k = 0; k < list.count; k++) {
            assert_int_equal(list.items[k].id, rows[i].ids[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_orders)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
