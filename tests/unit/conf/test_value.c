/* Units there and back; every refusal by its reason. */
#include "conf/value.h"
#include "conf_test.h"

struct value_case {
    const char *word;
    enum conf_value result;
    uint64_t value;
};

static const struct value_case sizes[] = {
    {"0", CONF_VALUE_OK, 0},
    {"512", CONF_VALUE_OK, 512},
    {"1K", CONF_VALUE_OK, 1024},
    {"64M", CONF_VALUE_OK, 67108864},
    {"10G", CONF_VALUE_OK, 10737418240},
    {"2T", CONF_VALUE_OK, 2199023255552},
    {"16777215T", CONF_VALUE_OK, 18446742974197923840U},
    {"16777216T", CONF_VALUE_TOO_LARGE, 0},
    {"18446744073709551616", CONF_VALUE_TOO_LARGE, 0},
    {"10g", CONF_VALUE_BAD, 0},
    {"10GB", CONF_VALUE_BAD, 0},
    {"1.5G", CONF_VALUE_BAD, 0},
    {"-1", CONF_VALUE_BAD, 0},
    {"", CONF_VALUE_BAD, 0},
    {"G", CONF_VALUE_BAD, 0},
    {"10s", CONF_VALUE_UNIT, 0},
    {"10m", CONF_VALUE_UNIT, 0},
    {"10%", CONF_VALUE_UNIT, 0},
};

static const struct value_case durations[] = {
    {"0", CONF_VALUE_OK, 0},
    {"0s", CONF_VALUE_OK, 0},
    {"1500ms", CONF_VALUE_OK, 1500},
    {"2s", CONF_VALUE_OK, 2000},
    {"3m", CONF_VALUE_OK, 180000},
    {"12h", CONF_VALUE_OK, 43200000},
    {"365d", CONF_VALUE_OK, 31536000000},
    {"30", CONF_VALUE_NO_UNIT, 0},
    {"30S", CONF_VALUE_BAD, 0},
    {"30M", CONF_VALUE_UNIT, 0},
    {"30sec", CONF_VALUE_BAD, 0},
    {"213503982335d", CONF_VALUE_TOO_LARGE, 0},
};

static const struct value_case percents[] = {
    {"0%", CONF_VALUE_OK, 0},     {"100%", CONF_VALUE_OK, 100}, {"101%", CONF_VALUE_TOO_LARGE, 0},
    {"5", CONF_VALUE_NO_UNIT, 0}, {"5K", CONF_VALUE_UNIT, 0},   {"%", CONF_VALUE_BAD, 0},
    {"5%%", CONF_VALUE_BAD, 0},
};

static const struct value_case counts[] = {
    {"0", CONF_VALUE_OK, 0},   {"50000", CONF_VALUE_OK, 50000}, {"5K", CONF_VALUE_UNIT, 0},
    {"+5", CONF_VALUE_BAD, 0}, {"5x", CONF_VALUE_BAD, 0},
};

static void run(const struct value_case *cases, size_t count,
                enum conf_value (*parse)(struct span word, uint64_t *out))
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        enum conf_value result = parse(span_str(cases[i].word), &value);
        if (result != cases[i].result || (result == CONF_VALUE_OK && value != cases[i].value)) {
            fail_msg("\"%s\": result %d, value %llu", cases[i].word, (int)result,
                     (unsigned long long)value);
        }
    }
}

static void test_parse(void **state)
{
    (void)state;
    run(sizes, ARRAY_LEN(sizes), conf_value_size);
    run(durations, ARRAY_LEN(durations), conf_value_duration);
    run(percents, ARRAY_LEN(percents), conf_value_percent);
    run(counts, ARRAY_LEN(counts), conf_value_count);
}

static void test_switch(void **state)
{
    bool on = false;

    (void)state;
    assert_int_equal(conf_value_switch(SPAN("on"), &on), CONF_VALUE_OK);
    assert_true(on);
    assert_int_equal(conf_value_switch(SPAN("off"), &on), CONF_VALUE_OK);
    assert_false(on);
    assert_int_equal(conf_value_switch(SPAN("On"), &on), CONF_VALUE_BAD);
    assert_int_equal(conf_value_switch(SPAN("yes"), &on), CONF_VALUE_BAD);
}

static void test_print(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1024);
    conf_print_size(1536, &out);
    buf_putc(&out, ' ');
    conf_print_size(1048576, &out);
    buf_putc(&out, ' ');
    conf_print_size(0, &out);
    buf_putc(&out, ' ');
    conf_print_duration(1500, &out);
    buf_putc(&out, ' ');
    conf_print_duration(60000, &out);
    buf_putc(&out, ' ');
    conf_print_duration(86400000, &out);
    assert_string_equal(out.data, "1536 1M 0 1500ms 1m 1d");
    buf_clear(&out);
    conf_print_word("plain/word=1", &out);
    buf_putc(&out, ' ');
    conf_print_word("", &out);
    buf_putc(&out, ' ');
    conf_print_word("a b", &out);
    buf_putc(&out, ' ');
    conf_print_word("a\"$\\#;", &out);
    buf_putc(&out, ' ');
    conf_print_word("\xef\xbb\xbf", &out); /* bare it would be skipped */
    assert_string_equal(out.data, "plain/word=1 \"\" \"a b\" \"a\\\"\\$\\\\#;\" \"\xef\xbb\xbf\"");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_switch),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
