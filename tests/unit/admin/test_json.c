/* The writer against cJSON as the reader, and hostile text. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "admin/json.h"

static struct buf out;
static struct json json;

static void begin(void)
{
    buf_clear(&out);
    json_init(&json, &out);
}

static void test_shapes(void **state)
{
    (void)state;
    begin();
    json_object(&json);
    json_put_u64(&json, "big", UINT64_MAX);
    json_put_text(&json, "none", NULL);
    json_key(&json, "list");
    json_array(&json);
    json_array(&json);
    json_array_end(&json);
    json_i64(&json, INT64_MIN);
    json_object(&json);
    json_object_end(&json);
    json_bool(&json, false);
    json_null(&json);
    json_raw(&json, SPAN("[1]"));
    json_array_end(&json);
    json_put_bool(&json, "yes", true);
    json_object_end(&json);
    assert_string_equal(out.data, "{\"big\":18446744073709551615,\"none\":null,\"list\":[[],"
                                  "-9223372036854775808,{},false,null,[1]],\"yes\":true}");
}

static void test_doubles(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {1, "1"},
        {-3, "-3"},
        {0.915, "0.915"},
        {1234567, "1234567"},
        {1e300, "1e+300"},
        {0.00001, "1e-05"},
        {NAN, "null"},
        {INFINITY, "null"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin();
        json_double(&json, rows[i].value);
        assert_string_equal(out.data, rows[i].text);
    }
}

static void test_times(void **state)
{
    (void)state;
    begin();
    json_array(&json);
    json_time(&json, 1700000000007);
    json_time(&json, 0);
    json_time(&json, INT64_MAX);
    json_array_end(&json);
    assert_string_equal(out.data, "[\"2023-11-14T22:13:20.007Z\",null,null]");
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *written;
    } rows[] = {
        {"", "\"\""},
        {"a\"\\\n\t\x01\x7f", "\"a\\\"\\\\\\n\\u0009\\u0001\\u007f\""},
        {"</script>&", "\"\\u003c/script\\u003e\\u0026\""},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"\xc3", "\"\\ufffd\""},            /* cut short */
        {"\xc0\xaf", "\"\\ufffd\\ufffd\""}, /* overlong */
        {"\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\""},
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* surrogate */
        {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
        {"\xff\xe9x", "\"\\ufffd\\ufffdx\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin();
        json_string(&json, span_str(rows[i].text));
        assert_string_equal(out.data, rows[i].written);
        cJSON *back = cJSON_Parse(out.data);
        assert_true(cJSON_IsString(back));
        cJSON_Delete(back);
    }
    begin();
    json_string(&json, SPAN("a\0b"));
    assert_string_equal(out.data, "\"a\\u0000b\"");
}

static void test_limit_is_sticky(void **state)
{
    (void)state;
    struct buf small;

    buf_init(&small, 8);
    json_init(&json, &small);
    json_string(&json, SPAN("0123456789"));
    json_string(&json, SPAN("x"));
    assert_true(small.failed);
    buf_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),          cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_times),           cmocka_unit_test(test_text),
        cmocka_unit_test(test_limit_is_sticky),
    };
    buf_init(&out, 65536);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&out);
    return failed;
}
