/* Ranges against a length; If-Range; Content-Range (RFC 9110 8.8.2.2, 13.1.5, 14). */
#include "helper.h"
#include "http/byteranges.h"
#include "http/date.h"
#include "http/range.h"

/* "a-b,c-d" of a set, for comparing. */
static const char *set_text(const struct http_range_set *set, char *out, size_t size)
{
    size_t at = 0;

    out[0] = 0;
    for (unsigned i = 0; i < set->count; i++) {
        int n = snprintf(out + at, size - at, "%s%llu-%llu", i > 0 ? "," : "",
                         (unsigned long long)set->parts[i].first,
                         (unsigned long long)set->parts[i].last);
        at += n > 0 ? (size_t)n : 0;
    }
    return out;
}

struct row {
    const char *value;
    uint64_t length;
    enum http_range result;
    const char *set;
};

#define SOME HTTP_RANGE_SOME
#define NONE HTTP_RANGE_NONE
#define BEYOND HTTP_RANGE_UNSATISFIABLE

/* RFC 9110 14.1.1, 14.1.2, 14.2. */
static const struct row rows[] = {
    {"bytes=0-0", 10, SOME, "0-0"},
    {"bytes=0-9", 10, SOME, "0-9"},
    {"Bytes=2-5", 10, SOME, "2-5"},
    {"BYTES=2-5", 10, SOME, "2-5"},
    {"bytes=5-", 10, SOME, "5-9"},
    {"bytes=5-99", 10, SOME, "5-9"},
    {"bytes=9-", 10, SOME, "9-9"},
    {"bytes=007-0008", 10, SOME, "7-8"},
    {"bytes=10-", 10, BEYOND, ""},
    {"bytes=10-20", 10, BEYOND, ""},
    {"bytes=0-0", 0, BEYOND, ""},
    {"bytes=0-", 0, BEYOND, ""},
    {"bytes=-3", 10, SOME, "7-9"},
    {"bytes=-10", 10, SOME, "0-9"},
    {"bytes=-99", 10, SOME, "0-9"},
    {"bytes=-0", 10, BEYOND, ""},
    {"bytes=-1", 0, BEYOND, ""},
    /* malformed: ignored */
    {"bytes=5-4", 10, NONE, ""},
    {"bytes=-", 10, NONE, ""},
    {"bytes=", 10, NONE, ""},
    {"bytes=,", 10, NONE, ""},
    {"bytes=, ,", 10, NONE, ""},
    {"bytes", 10, NONE, ""},
    {"", 10, NONE, ""},
    {"bytes:0-1", 10, NONE, ""},
    {"bytes =0-1", 10, NONE, ""},
    {"bytes=0 -1", 10, NONE, ""},
    {"bytes=0- 1", 10, NONE, ""},
    {"bytes=+0-1", 10, NONE, ""},
    {"bytes=--1", 10, NONE, ""},
    {"bytes=0--1", 10, NONE, ""},
    {"bytes=0x0-1", 10, NONE, ""},
    {"bytes=1", 10, NONE, ""},
    {"bytes=a-b", 10, NONE, ""},
    {"bytes=0.0-1.0", 10, NONE, ""},
    {"bytes=\"0-1\"", 10, NONE, ""},
    {"bytes=0-1;q=1", 10, NONE, ""},
    {"items=0-1", 10, NONE, ""},
    {"bytes=0-1,junk", 10, NONE, ""},
    {"bytes=0-1,5-4", 10, NONE, ""},
    /* huge numbers saturate */
    {"bytes=99999999999999999999-", 10, BEYOND, ""},
    {"bytes=0-99999999999999999999", 10, SOME, "0-9"},
    {"bytes=-99999999999999999999", 10, SOME, "0-9"},
    {"bytes=18446744073709551615-", 10, BEYOND, ""},
    {"bytes=5-18446744073709551615", UINT64_MAX, SOME, "5-18446744073709551614"},
    /* lists: in the order asked for */
    {"bytes=0-1,4-5", 10, SOME, "0-1,4-5"},
    {"bytes=0-1, 4-5", 10, SOME, "0-1,4-5"},
    {"bytes=0-1 ,\t4-5", 10, SOME, "0-1,4-5"},
    {"bytes=,0-1,,4-5,", 10, SOME, "0-1,4-5"},
    {"bytes=8-9,0-1,4-5", 10, SOME, "8-9,0-1,4-5"},
    {"bytes=0-1,-2", 10, SOME, "0-1,8-9"},
    {"bytes=0-0,5-", 10, SOME, "0-0,5-9"},
    /* what is beyond the end is left out */
    {"bytes=0-1,20-30", 10, SOME, "0-1"},
    {"bytes=20-30,0-1", 10, SOME, "0-1"},
    {"bytes=20-,30-", 10, BEYOND, ""},
    {"bytes=-0,10-", 10, BEYOND, ""},
    /* joined when they overlap or adjoin, at the place of the first */
    {"bytes=0-4,3-6", 10, SOME, "0-6"},
    {"bytes=3-6,0-4", 10, SOME, "0-6"},
    {"bytes=0-4,5-6", 10, SOME, "0-6"},
    {"bytes=5-6,0-4", 10, SOME, "0-6"},
    {"bytes=0-,0-,0-", 10, SOME, "0-9"},
    {"bytes=0-1,4-5,1-4", 10, SOME, "0-5"},
    {"bytes=8-9,0-1,4-5,1-4", 10, SOME, "8-9,0-5"},
    {"bytes=4-5,8-9,0-1,2-3", 10, SOME, "0-5,8-9"},
    {"bytes=0-0,2-2,4-4,1-1,3-3", 10, SOME, "0-4"},
    /* at most 16 */
    {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,30-30",
     99, SOME,
     "0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,30-30"},
    {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,30-30,"
     "32-32",
     99, NONE, ""},
    {"bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-", 99, NONE, ""},
};

static void rfc9110_14_2_table(void **state)
{
    char text[800];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_range_set set;
        enum http_range result = http_range_parse(span_str(rows[i].value), rows[i].length, &set);
        if (result != rows[i].result || (result == HTTP_RANGE_SOME && set.count == 0)) {
            fail_msg("%s of %llu: %d", rows[i].value, (unsigned long long)rows[i].length,
                     (int)result);
        }
        if (result == HTTP_RANGE_SOME &&
            strcmp(set_text(&set, text, sizeof(text)), rows[i].set) != 0) {
            fail_msg("%s of %llu: %s", rows[i].value, (unsigned long long)rows[i].length, text);
        }
    }
}

/* Every byte asked for and there is in the set exactly once, and no other. */
static void rfc9110_14_2_sets_say_what_was_asked(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (unsigned turn = 0; turn < 20000; turn++) {
        char value[300] = "bytes=";
        bool wanted[64] = {false};
        uint64_t length = 1 + turn % 60;
        size_t at = 6;
        unsigned count = 1 + turn % HTTP_RANGES_MAX;
        for (unsigned i = 0; i < count; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint64_t first = (seed >> 33) % 64;
            uint64_t last = first + (seed >> 45) % 8;
            int n = snprintf(value + at, sizeof(value) - at, "%s%u-%u", i > 0 ? "," : "",
                             (unsigned)first, (unsigned)last);
            at += n > 0 ? (size_t)n : 0;
            for (uint64_t b = first; b <= last && b < length; b++) {
                wanted[b] = true;
            }
        }
        struct http_range_set set;
        unsigned have = 0;
        unsigned want = 0;
        enum http_range result = http_range_parse(span_str(value), length, &set);
        for (unsigned i = 0; i < set.count; i++) {
            assert_true(set.parts[i].first <= set.parts[i].last && set.parts[i].last < length);
            for (uint64_t b = set.parts[i].first; b <= set.parts[i].last; b++) {
                assert_true(wanted[b]);
                have++;
            }
        }
        for (unsigned b = 0; b < 64; b++) {
            want += wanted[b];
        }
        assert_int_equal(have, want);
        assert_int_equal(result, want > 0 ? HTTP_RANGE_SOME : HTTP_RANGE_UNSATISFIABLE);
    }
}

struct if_row {
    const char *request;
    const char *etag;
    enum http_range result;
};

#define LM "Wed, 09 Nov 1994 08:49:37 GMT" /* not to be taken for a W/ */
#define LM_S 784370977

static const struct if_row if_rows[] = {
    {"", "\"a\"", NONE},
    {"Range: bytes=0-1\r\n", "\"a\"", SOME},
    {"Range: bytes=0-1\r\nRange: bytes=0-1\r\n", "\"a\"", NONE},
    {"Range: bytes=0-1\r\nIf-Range: \"a\"\r\n", "\"a\"", SOME},
    {"Range: bytes=0-1\r\nIf-Range: \"b\"\r\n", "\"a\"", NONE},
    {"Range: bytes=0-1\r\nIf-Range: \"A\"\r\n", "\"a\"", NONE},
    {"Range: bytes=0-1\r\nIf-Range: \"a\", \"b\"\r\n", "\"a\"", NONE},
    {"Range: bytes=0-1\r\nIf-Range: \"a\"\r\nIf-Range: \"a\"\r\n", "\"a\"", NONE},
    {"Range: bytes=0-1\r\nIf-Range: *\r\n", "\"a\"", NONE},
    {"Range: bytes=0-1\r\nIf-Range: \"a\"\r\n", "", NONE},
    {"Range: bytes=0-1\r\nIf-Range: W/\"a\"\r\n", "W/\"a\"", NONE},
    {"Range: bytes=0-1\r\nIf-Range: W/\"a\"\r\n", "\"a\"", NONE},
    {"Range: bytes=0-1\r\nIf-Range: \"a\"\r\n", "W/\"a\"", NONE},
    {"Range: bytes=0-1\r\nIf-Range: " LM "\r\n", "\"a\"", SOME},
    {"Range: bytes=0-1\r\nIf-Range: Thu, 10 Nov 1994 08:49:37 GMT\r\n", "\"a\"", NONE},
    {"Range: bytes=0-1\r\nIf-Range: Tue, 08 Nov 1994 08:49:37 GMT\r\n", "\"a\"", NONE},
    {"Range: bytes=0-1\r\nIf-Range: Wednesday, 09-Nov-94 08:49:37 GMT\r\n", "\"a\"", NONE},
    {"Range: bytes=0-1\r\nIf-Range:\r\n", "", NONE},
    {"Range: bytes=99-\r\nIf-Range: \"b\"\r\n", "\"a\"", NONE},
    {"Range: bytes=99-\r\nIf-Range: \"a\"\r\n", "\"a\"", BEYOND},
    {"Range: bytes=99-\r\n", "\"a\"", BEYOND},
    {"If-Range: \"a\"\r\n", "\"a\"", NONE},
};

static void rfc9110_13_1_5_if_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(if_rows) / sizeof(if_rows[0]); i++) {
        struct message message;
        struct http_range_set set;
        const struct http_stored facts = {.last_modified_s = LM_S, .date_s = LM_S + 3600};
        const struct http_validators validators = {span_str(if_rows[i].etag), SPAN(LM)};
        const struct http_representation stored = {&facts, &validators, 10};
        enum http_range result =
            http_range_of_request(message_fields(&message, if_rows[i].request), &stored, &set);
        if (result != if_rows[i].result) {
            fail_msg("%s: %d", if_rows[i].request, (int)result);
        }
    }
}

static void rfc9110_13_1_5_tag_or_date(void **state)
{
    (void)state;
    assert_true(http_if_range_is_tag(SPAN("\"a\"")));
    assert_true(http_if_range_is_tag(SPAN("W/\"a\"")));
    assert_false(http_if_range_is_tag(SPAN("Wed, 09 Nov 1994 08:49:37 GMT")));
    assert_false(http_if_range_is_tag(SPAN("W")));
    assert_false(http_if_range_is_tag(SPAN("a")));
    assert_false(http_if_range_is_tag(SPAN("")));
}

/* RFC 9110 8.8.2.2: a date is strong when the response was made well after it. */
static void rfc9110_8_8_2_2_strong_dates(void **state)
{
    static const struct {
        int64_t modified_s, date_s;
        uint16_t flags;
        bool is_strong;
    } dates[] = {
        {LM_S, LM_S + 3600, 0, true},     {LM_S, LM_S + 60, 0, true},
        {LM_S, LM_S + 59, 0, false},      {LM_S, LM_S, 0, false},
        {LM_S, LM_S - 3600, 0, false},    {LM_S, LM_S + 3600, HTTP_STORED_NO_DATE, false},
        {HTTP_DATE_NONE, LM_S, 0, false},
    };
    struct message message;

    (void)state;
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        const struct http_stored facts = {.last_modified_s = dates[i].modified_s,
                                          .date_s = dates[i].date_s,
                                          .flags = dates[i].flags};
        const struct http_validators validators = {span_of(NULL, 0), SPAN(LM)};
        const struct http_validators tagged = {SPAN("\"a\""), SPAN(LM)};
        const struct http_validators weak = {SPAN("W/\"a\""), SPAN(LM)};
        const struct http_representation stored = {&facts, &validators, 10};
        struct http_range_set set;
        enum http_range result = http_range_of_request(
            message_fields(&message, "Range: bytes=0-1\r\nIf-Range: " LM "\r\n"), &stored, &set);
        assert_int_equal(result, dates[i].is_strong ? SOME : NONE);
        assert_span(http_strong_validator(&facts, &validators), dates[i].is_strong ? LM : "");
        assert_span(http_strong_validator(&facts, &tagged), "\"a\"");
        assert_span(http_strong_validator(&facts, &weak), "");
    }
}

static void rfc9110_14_2_start(void **state)
{
    static const struct {
        const char *request;
        bool has;
        struct http_range_start start;
    } starts[] = {
        {"Range: bytes=5-9\r\n", true, {true, false, 5, 9}},
        {"Range: bytes=5-\r\n", true, {true, false, 5, UINT64_MAX}},
        {"Range: bytes=-7\r\n", true, {true, true, 7, UINT64_MAX}},
        {"Range: bytes=-0\r\n", true, {true, true, 0, UINT64_MAX}},
        {"Range: bytes=50-60,5-9\r\n", true, {false, false, 50, 60}},
        {"Range: bytes=9999999999999999999999-\r\n", true, {true, false, UINT64_MAX, UINT64_MAX}},
        {"Range: bytes=5-4\r\n", false, {0}},
        {"Range: bytes=5-9,x\r\n", false, {0}},
        {"Range: lines=5-9\r\n", false, {0}},
        {"Range: bytes=1-2\r\nRange: bytes=1-2\r\n", false, {0}},
        {"Accept: bytes=1-2\r\n", false, {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        struct message message;
        struct http_range_start start = {0};
        bool has = http_range_start(message_fields(&message, starts[i].request), &start);
        if (has != starts[i].has || start.is_single != starts[i].start.is_single ||
            start.is_suffix != starts[i].start.is_suffix || start.first != starts[i].start.first ||
            start.last != starts[i].start.last) {
            fail_msg("%s", starts[i].request);
        }
    }
}

static void rfc9110_14_4_content_range_written(void **state)
{
    char out[HTTP_CONTENT_RANGE_BYTES];
    const struct http_range_part part = {0, 499};
    const struct http_range_part largest = {UINT64_MAX, UINT64_MAX};

    (void)state;
    assert_span(span_of(out, http_content_range_write(out, &part, 1234)), "bytes 0-499/1234");
    assert_span(span_of(out, http_content_range_write(out, NULL, 1234)), "bytes */1234");
    assert_int_equal(http_content_range_write(out, &largest, UINT64_MAX), 6 + 20 * 3 + 2);
}

static void rfc9110_14_4_content_range_read(void **state)
{
    static const struct {
        const char *fields;
        bool is_valid;
        struct http_content_range range;
    } values[] = {
        {"Content-Range: bytes 0-499/1234\r\n", true, {{0, 499}, 1234}},
        {"Content-Range: bytes 0-0/1\r\n", true, {{0, 0}, 1}},
        {"content-range: BYTES 7-9/10\r\n", true, {{7, 9}, 10}},
        {"Content-Range: bytes 42-1233/*\r\n", true, {{42, 1233}, UINT64_MAX}},
        {"Content-Range: bytes 0-499/499\r\n", false, {{0}, 0}},
        {"Content-Range: bytes 9-7/10\r\n", false, {{0}, 0}},
        {"Content-Range: bytes */1234\r\n", false, {{0}, 0}},
        {"Content-Range: bytes 0-/1234\r\n", false, {{0}, 0}},
        {"Content-Range: bytes -9/1234\r\n", false, {{0}, 0}},
        {"Content-Range: bytes 0-9\r\n", false, {{0}, 0}},
        {"Content-Range: bytes 0-9/\r\n", false, {{0}, 0}},
        {"Content-Range: bytes/0-9/10\r\n", false, {{0}, 0}},
        {"Content-Range: bytes /10\r\n", false, {{0}, 0}},
        {"Content-Range: bytes=0-9/10\r\n", false, {{0}, 0}},
        {"Content-Range: items 0-9/10\r\n", false, {{0}, 0}},
        {"Content-Range: bytes 0-9/10x\r\n", false, {{0}, 0}},
        {"Content-Range: bytes 0-9/99999999999999999999\r\n", false, {{0}, 0}},
        {"Content-Range: bytes 0-99999999999999999999/*\r\n", false, {{0}, 0}},
        {"Content-Range:\r\n", false, {{0}, 0}},
        {"Content-Range: bytes 0-9/10\r\nContent-Range: bytes 0-9/10\r\n", false, {{0}, 0}},
        {"X: bytes 0-9/10\r\n", false, {{0}, 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct message message;
        struct http_content_range range = {{0}, 0};
        bool is_valid = http_content_range_of(message_fields(&message, values[i].fields), &range);
        if (is_valid != values[i].is_valid ||
            (is_valid && (range.part.first != values[i].range.part.first ||
                          range.part.last != values[i].range.part.last ||
                          range.length != values[i].range.length))) {
            fail_msg("%s", values[i].fields);
        }
    }
}

static void rfc9110_14_6_multipart(void **state)
{
    const struct http_byteranges body = {SPAN("XyZ"), SPAN("text/plain; a=b"), 100};
    const struct http_byteranges untyped = {SPAN("XyZ"), span_of(NULL, 0), 100};
    const struct http_range_part one = {0, 4};
    const struct http_range_part two = {95, 99};
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    http_byteranges_type(&out, &body);
    assert_span(buf_span(&out), "multipart/byteranges; boundary=XyZ");
    buf_clear(&out);
    http_byteranges_open(&out, &body, &one, true);
    buf_puts(&out, "01234");
    http_byteranges_open(&out, &untyped, &two, false);
    buf_puts(&out, "56789");
    http_byteranges_close(&out, &body);
    assert_span(buf_span(&out), "--XyZ\r\n"
                                "Content-Type: text/plain; a=b\r\n"
                                "Content-Range: bytes 0-4/100\r\n"
                                "\r\n"
                                "01234\r\n"
                                "--XyZ\r\n"
                                "Content-Range: bytes 95-99/100\r\n"
                                "\r\n"
                                "56789\r\n"
                                "--XyZ--\r\n");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc9110_14_2_table),
        cmocka_unit_test(rfc9110_14_2_sets_say_what_was_asked),
        cmocka_unit_test(rfc9110_13_1_5_if_range),
        cmocka_unit_test(rfc9110_13_1_5_tag_or_date),
        cmocka_unit_test(rfc9110_8_8_2_2_strong_dates),
        cmocka_unit_test(rfc9110_14_2_start),
        cmocka_unit_test(rfc9110_14_4_content_range_written),
        cmocka_unit_test(rfc9110_14_4_content_range_read),
        cmocka_unit_test(rfc9110_14_6_multipart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
