/* Options, did-you-mean, figures, and foreign text on a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/command.h"

static const struct cli_command *command_named(const char *name)
{
    size_t count;
    const struct cli_command *list = cli_commands(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    fail_msg("no command %s", name);
    return NULL;
}

/* Splits line at spaces and parses it as the command it begins with. */
static bool parse(const char *line, struct cli_args *out)
{
    static char copy[256];
    static char *words[32];
    int count = 0;

    memset(out, 0, sizeof(*out));
    (void)snprintf(copy, sizeof(copy), "%s", line);
    for (char *at = copy; *at != '\0';) {
        size_t len = strcspn(at, " ");
        words[count++] = at;
        at += len;
        if (*at == ' ') {
            *at++ = '\0';
        }
    }
    words[count] = NULL;
    return cli_parse(command_named(words[0]), count, words, out);
}

static void test_options(void **state)
{
    (void)state;
    static struct cli_args args;

    assert_true(parse("purge --url http://a/ --soft --url=http://b/ -n --socket /s", &args));
    assert_int_equal(args.url_count, 2);
    assert_string_equal(args.urls[1], "http://b/");
    assert_string_equal(args.value[FLAG_SOCKET], "/s");
    assert_non_null(args.value[FLAG_SOFT]);
    assert_non_null(args.value[FLAG_DRY_RUN]);
    assert_null(args.value[FLAG_HARD]);
    assert_true(parse("check file.conf --format json", &args));
    assert_int_equal(args.rest_count, 1);
    assert_string_equal(args.rest[0], "file.conf");
    assert_true(parse("status -h", &args));
    assert_non_null(args.value[FLAG_HELP]);
}

static void test_access_options(void **state)
{
    (void)state;
    static struct cli_args args;

    assert_true(parse("access test 10.0.0.1 http://a/ --user anna -X POST --at 2026-11-26T09:30 "
                      "--forward office --json",
                      &args));
    assert_int_equal(args.rest_count, 3);
    assert_string_equal(args.rest[2], "http://a/");
    assert_string_equal(args.value[FLAG_USER], "anna");
    assert_string_equal(args.value[FLAG_METHOD], "POST");
    assert_string_equal(args.value[FLAG_AT], "2026-11-26T09:30");
    assert_string_equal(args.value[FLAG_FORWARD], "office");
    assert_true(
        parse("access denials --rule ads --host a.example --client 10.0.0.1 --limit 5", &args));
    assert_string_equal(args.value[FLAG_RULE], "ads");
    assert_string_equal(args.value[FLAG_HOST], "a.example");
    assert_true(parse("purge --hard --url http://a/ --site forward:office", &args));
    assert_string_equal(args.value[FLAG_SITE], "forward:office");
    /* Said before anything is asked of a daemon, with its own status. */
    static const char *const wrong[] = {"access users --rule x", "access user",
                                        "access test 10.0.0.1", "access list more",
                                        "access users --limit 0"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_true(parse(wrong[i], &args));
        assert_int_equal(command_access(&args), 2);
    }
}

static void test_misuse(void **state)
{
    (void)state;
    static struct cli_args args;
    static const char *const lines[] = {
        "purge --urls http://a/",
        "purge --url",
        "status extra",
        "status --socket a --socket b",
        "run --json",
        "check a b",
        "status -x",
        "log reopen now",
        "dashboard --traffic 5",
        "access test 10.0.0.1 http://a/ more",
        "access denials --url http://a/",
        "access denials --limit",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (parse(lines[i], &args)) {
            fail_msg("%s", lines[i]);
        }
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static struct cli_args args;
    unsigned number = 7;

    assert_true(parse("demo", &args));
    assert_true(cli_number(&args, FLAG_PORT, 1, 65535, &number));
    assert_int_equal(number, 7);
    assert_true(parse("demo -p 65535", &args));
    assert_true(cli_number(&args, FLAG_PORT, 1, 65535, &number));
    assert_int_equal(number, 65535);
    assert_true(parse("demo --traffic 0", &args));
    assert_true(cli_number(&args, FLAG_TRAFFIC, 0, 1000, &number));
    assert_int_equal(number, 0);
    static const char *const bad[] = {"demo -p 0", "demo -p 65536", "demo -p 8x", "demo -p -1",
                                      "demo -p 99999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(parse(bad[i], &args));
        assert_false(cli_number(&args, FLAG_PORT, 1, 65535, &number));
    }
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const words[] = {"status", "stop", "purge", "run", "reload"};
    static const struct {
        const char *word, *near;
    } rows[] = {
        {"statsu", "status"}, {"purg", "purge"}, {"STATUS", "status"}, {"relaod", "reload"},
        {"stpo", "stop"},     {"x", NULL},       {"", NULL},           {"configuration", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *near = cli_nearest(rows[i].word, words, 5);
        if (rows[i].near == NULL) {
            assert_null(near);
        } else {
            assert_string_equal(near, rows[i].near);
        }
    }
    char endless[200];
    memset(endless, 's', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    assert_null(cli_nearest(endless, words, 5));
}

static void test_figures(void **state)
{
    (void)state;
    struct cli_figure figure;

    assert_string_equal(cli_bytes(&figure, 0), "0 B");
    assert_string_equal(cli_bytes(&figure, 1023), "1023 B");
    assert_string_equal(cli_bytes(&figure, 1536), "1.5 KiB");
    assert_string_equal(cli_bytes(&figure, 1e30), "909494701772928256.0 TiB");
    assert_string_equal(cli_count(&figure, 2999), "3.0k");
}

static void test_text_of_others(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    cli_print_safe(out, "a\x1b[2J\x07"
                        "b\n\xc3\xa9\xc2\x9b\x7f|");
    cli_print_line(out, "one\ntwo");
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "a?[2J?b\n\xc3\xa9???|one");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),        cmocka_unit_test(test_access_options),
        cmocka_unit_test(test_misuse),         cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_nearest),        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_text_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
