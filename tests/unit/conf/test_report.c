/* What people and programs see of a report; foreign bytes stay harmless. */
#include "conf/report.h"
#include "conf/utf8.h"
#include "conf_test.h"

static char *report_text(const char *text, bool json)
{
    struct conf_report *report = conf_report_new();
    struct conf *conf;
    struct buf out;

    buf_init(&out, TEXT_BYTES);
    assert_int_equal(conf_load_text("a.conf", span_str(text), CONF_PORTABLE, &conf, report),
                     ERR_SYNTAX);
    if (json) {
        conf_report_print_json(report, &out);
    } else {
        conf_report_print(report, &out);
    }
    conf_report_free(report);
    char *copy = mem_copy(out.data, out.len);
    buf_free(&out);
    return copy;
}

static void test_text(void **state)
{
    (void)state;
    char *text = report_text(REST "\nlog { access off; }\n\tstore { memroy 2G; size 1; }\n", false);

    assert_string_equal(text,
                        "a.conf:3:10: error: unknown directive \"memroy\" in store; did you mean "
                        "\"memory\"?\n"
                        "       allowed here: path, size, memory, max_object, flush, read_threads\n"
                        "     3 |  store { memroy 2G; size 1; }\n"
                        "       |          ^\n"
                        "a.conf:3:26: error: \"1\" is out of range for \"size\": 64M..1024T\n"
                        "     3 |  store { memroy 2G; size 1; }\n"
                        "       |                          ^\n"
                        "2 errors\n");
    mem_free(text);
    text = report_text("listen :80;", false);
    assert_string_equal(text, "a.conf: error: there is no \"site\"; add: site www.example.com "
                              "example.com { origins { server app http://10.0.0.11:8080; } }\n"
                              "1 error\n");
    mem_free(text);
}

static void test_json(void **state)
{
    (void)state;
    char *text = report_text(REST "\nstore { \"me\\\"mory\" 2G; memroy 1; }", true);

    assert_string_equal(
        text,
        "{\"problems\":[{\"severity\":\"error\","
        "\"file\":\"a.conf\",\"line\":2,\"column\":9,\"message\":\"unknown directive "
        "\\\"me\\\"mory\\\" in store\",\"hint\":\"memory\",\"allowed\":[\"path\",\"size\",\"memory\","
        "\"max_object\",\"flush\",\"read_threads\"],\"source\":\"store { \\\"me\\\\\\\"mory\\\" 2G; "
        "memroy 1; }\",\"caret\":8},{\"severity\":\"error\",\"file\":\"a.conf\",\"line\":2,\"column\":24,\"message\":"
        "\"unknown directive \\\"memroy\\\" in store\",\"hint\":\"memory\",\"allowed\":[\"path\","
        "\"size\",\"memory\",\"max_object\",\"flush\",\"read_threads\"],\"source\":\"store { "
        "\\\"me\\\\\\\"mory\\\" 2G; memroy 1; }\",\"caret\":23}],\"count\":2}\n");
    mem_free(text);
    text = report_text("listen :80;", true);
    assert_non_null(strstr(text, "\"line\":0,\"column\":0,"));
    assert_non_null(strstr(text, "\"hint\":null,\"allowed\":[],\"source\":null,\"caret\":0}"));
    mem_free(text);
}

/* Escape sequences, broken and reordering characters never come out, on either way. */
static void test_foreign(void **state)
{
    static const char hostile[] =
        "x\xff\xc2\x9b[2J\xe2\x80\xae\xc0\xaf\xed\xa0\x80\xe2\x82\xac;\x1b]0;";

    (void)state;
    for (int json = 0; json < 2; json++) {
        char *text = report_text(hostile, json == 1);
        assert_non_null(strstr(text, "x??[2J???\xe2\x82\xac"));
        for (const char *at = text; *at != '\0'; at++) {
            assert_true((unsigned char)*at >= 0x20 || *at == '\n');
        }
        assert_null(strstr(text, "\xff"));
        assert_null(strstr(text, "\xc2\x9b"));
        assert_null(strstr(text, "\xe2\x80\xae"));
        mem_free(text);
    }
}

/* The mark at the start of a file is not shown, and the caret stands under its word. */
static void test_mark(void **state)
{
    (void)state;
    char *text = report_text("\xef\xbb\xbfuser a; wrkers 1;" REST, false);

    assert_non_null(strstr(text, "     1 | user a; wrkers 1;" REST "\n"
                                 "       |         ^\n"));
    mem_free(text);
}

/* A line of a million quotes is read once, not once for each. */
static void test_many_quotes(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, (size_t)4 << 20);
    buf_puts(&text, "\"");
    while (text.len < ((size_t)3 << 20)) {
        buf_puts(&text, "\\\";");
    }
    char *out = report_text(text.data, false);
    assert_non_null(strstr(out, "a.conf:1:1: error: this quote is not closed on its line\n"));
    mem_free(out);
    buf_free(&text);
}

/* A long line is cut around the caret, which still points at the word. */
static void test_long_line(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, TEXT_BYTES);
    for (size_t i = 0; i < 100; i++) {
        buf_puts(&text, "user\txxx\xc3\xa9xxxxxxx ; ");
    }
    buf_puts(&text, "oops; workers 2; ");
    for (size_t i = 0; i < 100; i++) {
        buf_puts(&text, "# x");
    }
    struct conf_report *report = conf_report_new();
    struct conf *conf;
    const struct conf_problem *problem;
    assert_int_equal(conf_load_text("a", buf_span(&text), CONF_PORTABLE, &conf, report),
                     ERR_SYNTAX);
    bool seen = false;
    for (size_t i = 0; (problem = conf_report_get(report, i)) != NULL; i++) {
        assert_true(problem->source == NULL || strlen(problem->source) <= 480);
        seen = seen || strstr(problem->message, "oops") != NULL;
    }
    assert_false(seen);                               /* the 51st and later are counted only */
    assert_int_equal(conf_report_count(report), 102); /* 99 users, oops, listen, site */
    assert_null(conf_report_get(report, 50));
    conf_report_free(report);
    buf_free(&text);
}

static void test_caret(void **state)
{
    struct buf text;

    (void)state;
    for (size_t before = 0; before < 400; before += 7) {
        buf_init(&text, TEXT_BYTES);
        buf_puts(&text, REST "\n");
        for (size_t i = 0; i < before; i++) {
            buf_puts(&text, i % 3 == 0 ? "\t" : " ");
        }
        buf_puts(&text, "\"\xc3\xa9\"    oops  ; ");
        struct conf_report *report = conf_report_new();
        struct conf *conf;
        assert_int_equal(conf_load_text("a", buf_span(&text), CONF_PORTABLE, &conf, report),
                         ERR_SYNTAX);
        const struct conf_problem *problem = conf_report_get(report, 0);
        assert_int_equal(problem->column, before + 1);
        assert_int_equal(strncmp(problem->source + problem->caret, "\"\xc3\xa9\"", 4), 0);
        conf_report_free(report);
        buf_free(&text);
    }
}

/* 60 problems: 50 kept, the rest a number. */
static void test_more(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, TEXT_BYTES);
    for (size_t i = 0; i < 60; i++) {
        buf_puts(&text, "x;\n");
    }
    char *out = report_text(text.data, false);
    assert_non_null(strstr(out, "a.conf:50:1: error"));
    assert_null(strstr(out, "a.conf:51:1: error"));
    const char *end = "... and 12 more\n62 errors\n";
    assert_string_equal(out + strlen(out) - strlen(end), end);
    mem_free(out);
    buf_free(&text);
}

static void test_nearest(void **state)
{
    static const char *const words[] = {"memory", "size", "path", "max_object", "off"};
    static const struct {
        const char *word;
        const char *nearest;
    } cases[] = {
        {"memroy", "memory"},
        {"mem", NULL},
        {"MEMORY", "memory"},
        {"sise", "size"},
        {"szie", "size"},
        {"siz", "size"},
        {"sizes", "size"},
        {"max-object", "max_object"},
        {"maxobject", "max_object"},
        {"of", "off"},
        {"on", NULL},
        {"x", NULL},
        {"", NULL},
        {"zzzzzz", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *nearest = conf_nearest(span_str(cases[i].word), words, ARRAY_LEN(words));
        if (nearest != cases[i].nearest && (nearest == NULL || cases[i].nearest == NULL ||
                                            strcmp(nearest, cases[i].nearest) != 0)) {
            fail_msg("\"%s\" is near \"%s\"", cases[i].word, nearest == NULL ? "" : nearest);
        }
    }
}

static void test_utf8(void **state)
{
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {
        {"a", 1},
        {"\xc3\xa9", 2},
        {"\xe2\x82\xac", 3},
        {"\xf0\x9f\x8c\x8d", 4},
        {"\x1b", 0},
        {"\x7f", 0},
        {"\xc2\x80", 0},
        {"\x80", 0},
        {"\xc3", 0},
        {"\xc3(", 0},
        {"\xc0\xaf", 0},
        {"\xe0\x80\xaf", 0},
        {"\xed\xa0\x80", 0},
        {"\xf4\x90\x80\x80", 0},
        {"\xe2\x80\xae", 0},
        {"\xef\xbb\xbf", 0},
        {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(utf8_printable(span_str(cases[i].text)), cases[i].len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),    cmocka_unit_test(test_json),
        cmocka_unit_test(test_foreign), cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_caret),   cmocka_unit_test(test_more),
        cmocka_unit_test(test_nearest), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_mark),    cmocka_unit_test(test_many_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
