/* Lines byte for byte, and the thread with a real file. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fetch/fetch.h"
#include "http/cache_status.h"
#include "worker/access_log.h"

static struct record sample(void)
{
    return (struct record){
        .wall_ms = 1700000000123,
        .bytes = 1234,
        .received = 99,
        .total_us = 1500042,
        .first_byte_us = 900,
        .connect_us = 0,
        .age_s = 7,
        .ttl_s = -3,
        .status = 200,
        .origin_status = 0,
        .result = RESULT_HIT,
        .reason = HTTP_REASON_FRESH,
        .minor_version = 1,
        .stored = true,
        .want_log = true,
        .weight = 1,
        .request_id = 0x0123456789abcdefull,
        .client = SPAN("192.0.2.1"),
        .method = SPAN("GET"),
        .scheme = SPAN("http"),
        .host = SPAN("example.com"),
        .path = SPAN("/a?b=c"),
        .user_agent = SPAN("curl/8"),
        .referer = SPAN(""),
        .site = SPAN("example.com"),
        .origin = SPAN("app"),
    };
}

static const char *line_of(enum access_log_format format, const struct record *record)
{
    static char line[32768];
    size_t len = access_log_format_line(format, record, line, sizeof(line) - 1);

    line[len] = '\0';
    assert_null(strchr(line, '\n'));
    return line;
}

static void test_combined(void **state)
{
    (void)state;
    struct record record = sample();

    assert_string_equal(
        line_of(ACCESS_LOG_COMBINED, &record),
        "192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] \"GET /a?b=c HTTP/1.1\" 200 1234 "
        "\"-\" \"curl/8\" hit fresh 0.000900 1.500042 example.com");
    record = (struct record){.result = RESULT_ERROR, .status = 400};
    assert_string_equal(
        line_of(ACCESS_LOG_COMBINED, &record),
        "- - - [01/Jan/1970:00:00:00 +0000] \"- - HTTP/1.0\" 400 0 \"-\" \"-\" error "
        "- 0.000000 0.000000 -");
}

static void test_json(void **state)
{
    (void)state;
    struct record record = sample();

    assert_string_equal(
        line_of(ACCESS_LOG_JSON, &record),
        "{\"ts\":\"2023-11-14T22:13:20.123Z\",\"site\":\"example.com\",\"client\":\"192.0.2.1\","
        "\"method\":\"GET\",\"scheme\":\"http\",\"host\":\"example.com\",\"path\":\"/a\","
        "\"query\":\"b=c\",\"proto\":\"HTTP/1.1\",\"status\":200,\"bytes\":1234,\"received\":99,\"result\":\"hit\","
        "\"reason\":\"fresh\",\"age_s\":7,\"ttl_s\":-3,\"origin\":\"app\",\"origin_status\":0,"
        "\"connect_s\":0.000000,\"ttfb_s\":0.000900,\"total_s\":1.500042,\"collapsed\":false,"
        "\"stored\":true,\"aborted\":false,\"ua\":\"curl/8\",\"referer\":\"\","
        "\"request_id\":\"0123456789abcdef\"}");
    record.error = FETCH_CONNECT_REFUSED;
    record.tries = 2;
    assert_non_null(
        strstr(line_of(ACCESS_LOG_JSON, &record),
               "\"origin_status\":0,\"error\":\"connect_refused\",\"tries\":2,\"connect_s\":"));
    record.tries = 1;
    assert_null(strstr(line_of(ACCESS_LOG_JSON, &record), "tries"));
}

/* The whole URL, the user in the third field, the rule in place of the reason. */
static void test_forward(void **state)
{
    (void)state;
    struct record record = sample();

    record.is_forward = true;
    record.site = SPAN("forward:office");
    record.host = SPAN("example.com:8000");
    record.user = SPAN("an na");
    record.rule = SPAN("rest");
    assert_string_equal(
        line_of(ACCESS_LOG_COMBINED, &record),
        "192.0.2.1 - an\\x20na [14/Nov/2023:22:13:20 +0000] \"GET http://example.com:8000/a?b=c "
        "HTTP/1.1\" 200 1234 \"-\" \"curl/8\" hit fresh 0.000900 1.500042 forward:office");
    const char *line = line_of(ACCESS_LOG_JSON, &record);
    assert_non_null(strstr(line, "\"reason\":\"fresh\",\"user\":\"an na\",\"rule\":\"rest\","));
    assert_null(strstr(line, "\"why\""));

    record.method = SPAN("CONNECT");
    record.scheme = SPAN("connect");
    record.host = SPAN("example.com:443");
    record.path = SPAN("");
    record.user = SPAN("");
    record.rule = SPAN("ads");
    record.why = SPAN("Blocked by \"policy\"");
    record.result = RESULT_DENIED;
    record.reason = HTTP_REASON_RULE;
    record.status = 403;
    assert_string_equal(
        line_of(ACCESS_LOG_COMBINED, &record),
        "192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] \"CONNECT example.com:443 HTTP/1.1\" 403 1234 "
        "\"-\" \"curl/8\" denied rule:ads 0.000900 1.500042 forward:office");
    line = line_of(ACCESS_LOG_JSON, &record);
    assert_non_null(strstr(line, "\"bytes\":1234,\"received\":99,\"result\":\"denied\","
                                 "\"reason\":\"rule\",\"user\":\"\",\"rule\":\"ads\","
                                 "\"why\":\"Blocked by \\\"policy\\\"\""));
}

static void test_hostile_bytes(void **state)
{
    (void)state;
    struct record record = sample();

    record.path = SPAN("/\"\\\n\x1b[2J\xff\0end");
    record.user_agent = SPAN("\" 200 0 \"-\" \"fake");
    const char *line = line_of(ACCESS_LOG_COMBINED, &record);
    assert_non_null(strstr(line, "\"GET /\\x22\\x5c\\x0a\\x1b[2J\\xff\\x00end HTTP/1.1\""));
    assert_non_null(strstr(line, "\"\\x22 200 0 \\x22-\\x22 \\x22fake\""));
    line = line_of(ACCESS_LOG_JSON, &record);
    assert_non_null(
        strstr(line, "\"path\":\"/\\\"\\\\\\u000a\\u001b[2J\\u00ff\\u0000end\",\"query\":\"\""));
}

/* Reads "<?>" behind the key as RFC 8259 section 7 says; returns the middle one. */
static unsigned json_second_byte(const char *line, const char *key)
{
    unsigned value = 0;
    const char *at = strstr(line, key);

    assert_non_null(at);
    at += strlen(key);
    assert_int_equal(*at++, '<');
    if (*at == '\\' && at[1] == 'u') {
        assert_int_equal(sscanf(at + 2, "%4x", &value), 1);
        at += 6;
    } else if (*at == '\\') {
        assert_true(at[1] == '"' || at[1] == '\\');
        value = (unsigned char)at[1];
        at += 2;
    } else {
        assert_true(*at != '"');
        value = (unsigned char)*at++;
    }
    assert_memory_equal(at, ">\",", 3);
    return value;
}

/* Every byte in every text field: one line, valid JSON, and the bytes come back. */
static void test_every_byte(void **state)
{
    (void)state;
    for (unsigned byte = 1; byte < 256; byte++) {
        const char text[] = {'<', (char)byte, '>'};
        struct record record = sample();
        record.user_agent = span_of(text, sizeof(text));
        const char *line = line_of(ACCESS_LOG_COMBINED, &record);
        for (const char *at = line; *at != '\0'; at++) {
            assert_true(*at >= 0x20 && *at < 0x7f);
        }
        assert_int_equal(json_second_byte(line_of(ACCESS_LOG_JSON, &record), "\"ua\":\""), byte);
    }
}

static void test_longest_line_fits(void **state)
{
    (void)state;
    char bad[2048];
    struct record record = sample();
    struct span *spans = &record.client;

    memset(bad, 0xff, sizeof(bad));
    for (unsigned i = 0; i < 9; i++) {
        spans[i] = span_of(bad, 256);
    }
    record.path = span_of(bad, sizeof(bad));
    const char *line = line_of(ACCESS_LOG_JSON, &record);
    assert_int_equal(line[strlen(line) - 1], '}');
    /* Too small a place: cut, never beyond it. */
    for (size_t size = 0; size < 200; size++) {
        char *small = mem_new(size + 1);
        assert_int_equal(access_log_format_line(ACCESS_LOG_JSON, &record, small, size), size);
        mem_free(small);
    }
}

static size_t count_lines(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t lines = 0;
    int c;

    if (file == NULL) {
        return 0;
    }
    while ((c = fgetc(file)) != EOF) {
        lines += c == '\n';
    }
    (void)fclose(file);
    return lines;
}

static void wait_lines(const char *path, size_t want)
{
    for (unsigned i = 0; i < 1500 && count_lines(path) < want; i++) {
        (void)usleep(20000);
    }
    assert_int_equal(count_lines(path), want);
}

static void test_thread_writes_and_reopens(void **state)
{
    (void)state;
    char folder[] = "/tmp/larder-log-XXXXXX";
    char path[64];
    char moved[64];
    struct record_ring *rings[2] = {record_ring_new(65536), record_ring_new(65536)};
    struct top *top = top_new(60);
    struct record record = sample();

    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/access.log", folder);
    (void)snprintf(moved, sizeof(moved), "%s/access.log.1", folder);
    struct access_log *log = access_log_start(rings, 2, top, NULL);
    assert_int_equal(access_log_configure(log, ACCESS_LOG_JSON, "/nonexistent/folder/x"), ERR_IO);
    assert_int_equal(access_log_configure(log, ACCESS_LOG_COMBINED, path), ERR_OK);
    access_log_reopen(log); /* the order before it is in force now */
    for (unsigned i = 0; i < 10; i++) {
        assert_true(record_ring_put(rings[i % 2], &record));
    }
    wait_lines(path, 10);
    assert_int_equal(rename(path, moved), 0);
    access_log_reopen(log);
    record.want_log = false; /* only for the top list */
    assert_true(record_ring_put(rings[0], &record));
    record.want_log = true;
    assert_true(record_ring_put(rings[0], &record));
    access_log_stop(&log); /* drains */
    assert_null(log);
    assert_int_equal(count_lines(path), 1);
    assert_int_equal(count_lines(moved), 10);
    struct top_item item;
    uint64_t bound;
    double covered;
    assert_int_equal(top_list(top, TOP_REQUESTS, &item, 1, &bound, &covered), 1);
    assert_int_equal(item.requests, 12);
    record_ring_free(&rings[0]);
    record_ring_free(&rings[1]);
    top_free(&top);
    (void)unlink(path);
    (void)unlink(moved);
    (void)rmdir(folder);
}

static void test_failed_writes_are_counted(void **state)
{
    (void)state;
    struct record_ring *rings[1] = {record_ring_new(65536)};
    struct top *top = top_new(60);
    struct record record = sample();
    struct access_log *log = access_log_start(rings, 1, top, NULL);

    assert_int_equal(access_log_configure(log, ACCESS_LOG_JSON, "/dev/full"), ERR_OK);
    access_log_reopen(log);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(record_ring_put(rings[0], &record));
    }
    for (unsigned i = 0; i < 1500 && access_log_dropped(log) < 3; i++) {
        (void)usleep(20000);
    }
    assert_int_equal(access_log_dropped(log), 3);
    access_log_stop(&log);
    record_ring_free(&rings[0]);
    top_free(&top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_combined),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_longest_line_fits),
        cmocka_unit_test(test_thread_writes_and_reopens),
        cmocka_unit_test(test_failed_writes_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
