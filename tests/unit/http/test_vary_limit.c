/* RFC 9111 4.1: Vary without the names an operator ignores. */
#include "helper.h"
#include "http/vary_limit.h"

static const struct {
    const char *lines;
    const char *wanted; /* names, one after another, with a space behind each */
} cases[] = {
    {"", ""},
    {"Vary: Origin\r\n", ""},
    {"Vary: ORIGIN, Accept\r\n", "Accept "},
    {"Vary: a ,, origin\r\nvary: cookie,b\r\n", "a b "},
    {"Vary: *\r\n", "* "},
    {"Vary: origin, *\r\n", "* "},
    {"Vary: originx\r\n", "originx "},
    {"X-Vary: a\r\n", ""},
    {"Content-Language: de\r\nVary: origin, a\r\n", "a "},
};

static void test_cases(void **state)
{
    static const struct span ignore[] = {{"origin", 6}, {"cookie", 6}, {"*", 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct message message;
        struct http_field items[4];
        struct http_fields out;
        char got[128] = "";
        struct http_fields *fields = message_fields(&message, cases[i].lines);
        http_fields_init(&out, items, 4);
        assert_true(http_vary_without(&out, fields, ignore, 3));
        for (unsigned j = 0; j < out.count; j++) {
            if (items[j].id == HTTP_FIELD_VARY) {
                strncat(got, items[j].value.ptr, items[j].value.len);
                strncat(got, " ", 2);
            }
        }
        assert_int_equal(out.present & ~http_field_bit(HTTP_FIELD_VARY),
                         fields->present & ~http_field_bit(HTTP_FIELD_VARY));
        assert_string_equal(got, cases[i].wanted);
    }
}

static void test_too_many(void **state)
{
    struct message message;
    struct http_field items[2];
    struct http_fields out;

    (void)state;
    struct http_fields *fields = message_fields(&message, "Vary: a, b, c\r\n");
    http_fields_init(&out, items, 2);
    assert_false(http_vary_without(&out, fields, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases),
                                       cmocka_unit_test(test_too_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
