/* The error log: format, levels, repeats, rotation, escaping, the problem list. */
#include <stdlib.h>

#include "base/log.h"
#include "helper.h"

static char folder[] = "/tmp/larder-log-XXXXXX";
static char path[64];
static char moved[64];

static size_t read_file(const char *name, char *out, size_t size)
{
    FILE *file = fopen(name, "r");

    assert_non_null(file);
    size_t len = fread(out, 1, size - 1, file);
    out[len] = '\0';
    assert_int_equal(fclose(file), 0);
    return len;
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/error.log", folder);
    (void)snprintf(moved, sizeof(moved), "%s/error.log.1", folder);
    return log_open(path, LOG_LEVEL_INFO) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)unlink(moved);
    return rmdir(folder);
}

static unsigned count(const char *text, const char *part)
{
    unsigned found = 0;

    while ((text = strstr(text, part)) != NULL) {
        found++;
        text++;
    }
    return found;
}

static void lines(void **state)
{
    char text[8192];
    struct log_problem problems[4];

    (void)state;
    log_info("started", "port=%d", 80);
    log_debug("hidden", "x=%d", 1);
    for (int i = 0; i < 5; i++) {
        log_warn("flood", "number=%d", i);
    }
    log_error("broken", "disk=%s", "full");
    (void)read_file(path, text, sizeof(text));
    assert_int_equal(count(text, "\n"), 3);
    assert_int_equal(count(text, "Z info started port=80\n"), 1);
    assert_int_equal(count(text, "Z warn flood number=0\n"), 1);
    assert_int_equal(count(text, "Z error broken disk=full\n"), 1);
    assert_int_equal(text[4], '-');
    assert_int_equal(text[10], 'T');

    (void)usleep(1100000);
    log_warn("flood", "number=%d", 9);
    (void)read_file(path, text, sizeof(text));
    assert_int_equal(count(text, "flood number=9 repeated=4\n"), 1);

    assert_int_equal(log_problems(problems, 4), 2);
    assert_string_equal(problems[0].event, "flood");
    assert_string_equal(problems[0].text, "number=9");
    assert_int_equal(problems[0].count, 6);
    assert_string_equal(problems[1].event, "broken");
    assert_int_equal(problems[1].level, LOG_LEVEL_ERROR);
    assert_int_equal(log_problems(problems, 1), 1);
    assert_string_equal(problems[0].event, "flood");
    assert_int_equal(log_problems(problems, 0), 0);
}

static uint64_t times_seen(const char *event)
{
    struct log_problem problems[8];
    size_t size = log_problems(problems, 8);

    for (size_t i = 0; i < size; i++) {
        if (strcmp(problems[i].event, event) == 0) {
            return problems[i].count;
        }
    }
    return 0;
}

static void settled(void **state)
{
    (void)state;
    log_error("mended", "number=%d", 1);
    log_error("mended", "number=%d", 2);
    log_error("kept", "number=%d", 3);
    assert_int_equal(times_seen("mended"), 2);
    log_settled("mended");
    log_settled("never_heard_of");
    assert_int_equal(times_seen("mended"), 0);
    assert_int_equal(times_seen("kept"), 1);
    log_error("mended", "number=%d", 4);
    assert_int_equal(times_seen("mended"), 1);
}

/* Each subject by itself, as long as they are few; a flood of them is one of the event. */
static void subjects(void **state)
{
    static char text[262144];
    char subject[32];

    (void)state;
    for (int i = 0; i < 4; i++) {
        log_warn_about("a", "about", "of=a");
        log_warn_about("b", "about", "of=b");
        log_warn_about("a", "other", "of=a");
    }
    (void)read_file(path, text, sizeof(text));
    assert_int_equal(count(text, " about of=a\n"), 1);
    assert_int_equal(count(text, " about of=b\n"), 1);
    assert_int_equal(count(text, " other of=a\n"), 1);
    (void)usleep(1100000);
    log_warn_about("b", "about", "of=b");
    (void)read_file(path, text, sizeof(text));
    assert_int_equal(count(text, " about of=b repeated=3\n"), 1);

    for (int i = 0; i < 1000; i++) {
        (void)snprintf(subject, sizeof(subject), "%d", i);
        log_warn_about(subject, "many", "i=%d", i);
    }
    (void)read_file(path, text, sizeof(text));
    assert_in_range(count(text, " many i="), 200, 257);
}

static void rotation(void **state)
{
    char text[8192];

    (void)state;
    assert_int_equal(rename(path, moved), 0);
    log_info("to_old_file", "a=%d", 1);
    log_reopen();
    log_info("to_new_file", "a=%d", 1);
    (void)read_file(moved, text, sizeof(text));
    assert_int_equal(count(text, "to_old_file"), 1);
    assert_int_equal(count(text, "to_new_file"), 0);
    (void)read_file(path, text, sizeof(text));
    assert_int_equal(count(text, "to_new_file"), 1);
    assert_int_equal(log_open("/nonexistent/x/y", LOG_LEVEL_INFO), ERR_IO);
    log_info("still_here", "a=%d", 1);
    (void)read_file(path, text, sizeof(text));
    assert_int_equal(count(text, "still_here"), 1);
}

static void long_line(void **state)
{
    char text[8192];
    char value[4000];

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    log_info("long", "v=%s", value);
    log_info("after", "x=%d", 1);
    (void)read_file(path, text, sizeof(text));
    assert_int_equal(count(text, "v\n"), 1);
    assert_int_equal(count(text, " info after x=1\n"), 1);
}

static void escaping(void **state)
{
    static const struct {
        struct span data;
        size_t size;
        const char *text;
    } rows[] = {
        {{"abc", 3}, 16, "abc"},
        {{"a b\n\"\\\x7f\xff", 8}, 64, "a\\x20b\\x0a\\x22\\x5c\\x7f\\xff"},
        {{"", 0}, 4, ""},
        {{"0123456789", 10}, 11, "0123456789"},
        {{"0123456789", 10}, 10, "012345..."},
        {{"01234\n6789", 10}, 10, "01234..."},
        {{"abc", 3}, 4, "abc"},
        {{"abcd", 4}, 4, "..."},
        {{"\n\n", 2}, 4, "..."},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[80];
        memset(out, 'z', sizeof(out));
        const char *got = log_escape(out, rows[i].size, rows[i].data);
        assert_string_equal(got, rows[i].text);
        assert_int_equal(out[rows[i].size], 'z');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),     cmocka_unit_test(settled),  cmocka_unit_test(rotation),
        cmocka_unit_test(long_line), cmocka_unit_test(escaping), cmocka_unit_test(subjects),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
