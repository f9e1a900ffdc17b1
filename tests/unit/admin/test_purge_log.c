/* The history of purges over restarts, damage and age. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "admin/purge_log.h"

#define NOW ((int64_t)1800000000000)
#define DAY ((int64_t)86400000)

static char folder[64];
static char path[128];

static int fresh_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/larder-purges-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/purges.jsonl", folder);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static void add(struct purge_log *log, unsigned number, int64_t now_ms)
{
    char row[64];

    (void)snprintf(row, sizeof(row), "{\"id\":\"p_%u\"}", number);
    purge_log_add(log, span_str(row), now_ms);
}

/* The ids, newest first, with spaces. */
static const char *ids(struct purge_log *log, unsigned limit)
{
    static char text[8192];
    struct buf out;
    struct json json;
    const cJSON *at;

    buf_init(&out, 1 << 20);
    json_init(&json, &out);
    purge_log_write(log, limit, &json);
    cJSON *list = cJSON_Parse(out.data);
    assert_true(cJSON_IsArray(list));
    text[0] = '\0';
    cJSON_ArrayForEach(at, list)
    {
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof(text) - len, "%s ",
                       cJSON_GetStringValue(cJSON_GetObjectItem(at, "id")));
    }
    cJSON_Delete(list);
    buf_free(&out);
    return text;
}

static size_t lines(void)
{
    FILE *file = fopen(path, "re");
    size_t count = 0;
    int c;

    assert_non_null(file);
    while ((c = fgetc(file)) != EOF) {
        count += c == '\n';
    }
    (void)fclose(file);
    return count;
}

static void test_kept_over_restart(void **state)
{
    (void)state;
    struct purge_log *log = purge_log_open(path, NOW);

    assert_string_equal(ids(log, 10), "");
    add(log, 1, NOW);
    add(log, 2, NOW + 1);
    add(log, 3, NOW + 2);
    assert_string_equal(ids(log, 2), "p_3 p_2 ");
    purge_log_close(&log);
    assert_null(log);
    log = purge_log_open(path, NOW + 10);
    assert_string_equal(ids(log, 10), "p_3 p_2 p_1 ");
    purge_log_close(&log);
}

static void test_old_and_damaged_lines_go(void **state)
{
    (void)state;
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    (void)fprintf(file,
                  "{\"ms\":%lld,\"purge\":{\"id\":\"old\"}}\n"
                  "{\"ms\":%lld,\"purge\":{\"id\":\"young\"}}\n"
                  "{\"ms\":%lld,\"purge\":{\"id\":\"cut\n"
                  "{\"ms\":%lld,\"purge\":{\"id\":\"x\"},\"evil\":[}\n"
                  "{\"ms\":x,\"purge\":{\"id\":\"y\"}}\n"
                  "\n}\n\xff\xfe\n{\"ms\":\n"
                  "{\"ms\":%lld,\"purge\":{\"no\":1}}\n"
                  "{\"ms\":%lld,\"purge\":{\"id\":\"last\"}}", /* and no newline */
                  (long long)(NOW - 91 * DAY), (long long)(NOW - 89 * DAY), (long long)NOW,
                  (long long)NOW, (long long)NOW, (long long)NOW);
    (void)fclose(file);
    struct purge_log *log = purge_log_open(path, NOW);
    assert_string_equal(ids(log, 10), "last young ");
    assert_int_equal(lines(), 2); /* written anew */
    purge_log_close(&log);
}

static void test_bounded(void **state)
{
    (void)state;
    struct purge_log *log = purge_log_open(path, NOW);
    char big[20000];

    for (unsigned i = 0; i < 11500; i++) {
        add(log, i, NOW);
    }
    assert_true(lines() <= 11000);
    assert_int_equal(strncmp(ids(log, 1000), "p_11499 p_11498 ", 16), 0);
    memset(big, 'x', sizeof(big));
    purge_log_add(log, span_of(big, sizeof(big)), NOW); /* too long: left out */
    assert_int_equal(strncmp(ids(log, 1), "p_11499 ", 8), 0);
    purge_log_close(&log);
    log = purge_log_open(path, NOW);
    assert_int_equal(lines(), 10000);
    purge_log_close(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kept_over_restart, fresh_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_old_and_damaged_lines_go, fresh_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_bounded, fresh_folder, drop_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
