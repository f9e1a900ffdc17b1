/* Chunked bodies, good and bad, at every split (RFC 9112 7.1). */
#include "helper.h"
#include "http/framing.h"

struct outcome {
    enum http_chunk result;
    char body[256];
    size_t len;
    size_t used;
};

static void feed(struct http_chunk_decoder *decoder, const char *data, size_t len,
                 struct outcome *outcome)
{
    size_t at = 0;

    do {
        struct span piece;
        size_t used;
        outcome->result = http_chunk_decode(decoder, data + at, len - at, &used, &piece);
        at += used;
        if (outcome->result == HTTP_CHUNK_DATA) {
            assert_true(piece.len > 0 && outcome->len + piece.len <= sizeof(outcome->body));
            memcpy(outcome->body + outcome->len, piece.ptr, piece.len);
            outcome->len += piece.len;
        }
    } while (outcome->result == HTTP_CHUNK_DATA);
    outcome->used += at;
}

struct row {
    const char *text;
    enum http_chunk result;
    const char *body;
    const char *rest; /* what stays for the next message, when DONE */
};

static const struct row rows[] = {
    {"0\r\n\r\n", HTTP_CHUNK_DONE, "", ""},
    {"5\r\nhello\r\n0\r\n\r\n", HTTP_CHUNK_DONE, "hello", ""},
    {"5\r\nhello\r\n6\r\n world\r\n000\r\n\r\nGET /", HTTP_CHUNK_DONE, "hello world", "GET /"},
    {"A\r\n0123456789\r\n0\r\n\r\n", HTTP_CHUNK_DONE, "0123456789", ""},
    {"000000000000005;x=\"y\" ; z\r\nhello\r\n0;q\r\n\r\n", HTTP_CHUNK_DONE, "hello", ""},
    {"0\r\nTrailer: x\r\nContent-Length: 99\r\n\r\n", HTTP_CHUNK_DONE, "", ""},
    {"5\r\nhel", HTTP_CHUNK_MORE, "hel", NULL},
    {"5\r\nhello\r\n", HTTP_CHUNK_MORE, "hello", NULL},
    {"0\r\n", HTTP_CHUNK_MORE, "", NULL},
    {"0\r\n\r", HTTP_CHUNK_MORE, "", NULL},
    {"\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"g\r\n", HTTP_CHUNK_BAD, "", NULL},
    {" 5\r\nhello\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"5 \r\nhello\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"5 ;x\r\nhello\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"0x5\r\nhello\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"+5\r\nhello\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"-5\r\nhello\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"5\nhello\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"5\rhello\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"5\r\nhello\n0\r\n\r\n", HTTP_CHUNK_BAD, "hello", NULL},
    {"5\r\nhelloX\r\n", HTTP_CHUNK_BAD, "hello", NULL},
    {"5\r\nhello0\r\n", HTTP_CHUNK_BAD, "hello", NULL},
    {"5;a\nb\r\nhello\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"5;a\x01\r\nhello\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"0\n\n", HTTP_CHUNK_BAD, "", NULL},
    {"0\r\n\n", HTTP_CHUNK_BAD, "", NULL},
    {"0\r\n\rX", HTTP_CHUNK_BAD, "", NULL},
    {"0\r\n folded\r\n\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"0\r\nbad name: x\r\n\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"0\r\nnocolon\r\n\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"0\r\n: x\r\n\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"0\r\na: b\nc: d\r\n\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"10000000000000000\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"fffffffffffffffff\r\n", HTTP_CHUNK_BAD, "", NULL},
    {"00000000000000005\r\nhello\r\n", HTTP_CHUNK_BAD, "", NULL},
};

static void check(const struct row *row, const struct outcome *outcome, size_t cut)
{
    if (outcome->result != row->result) {
        fail_msg("%s: cut %zu: result %d", row->text, cut, (int)outcome->result);
    }
    assert_span(span_of(outcome->body, outcome->len), row->body);
    if (row->result == HTTP_CHUNK_DONE) {
        assert_string_equal(row->text + outcome->used, row->rest);
    }
}

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        size_t len = strlen(row->text);
        for (size_t cut = 0; cut <= len; cut++) {
            struct http_chunk_decoder decoder;
            struct outcome outcome = {0};
            http_chunk_decoder_init(&decoder);
            feed(&decoder, row->text, cut, &outcome);
            if (outcome.result == HTTP_CHUNK_MORE) {
                feed(&decoder, row->text + cut, len - cut, &outcome);
            }
            check(row, &outcome, cut);
        }
        struct http_chunk_decoder decoder = {0};
        struct outcome outcome = {.result = HTTP_CHUNK_MORE};
        for (size_t at = 0; at < len && outcome.result == HTTP_CHUNK_MORE; at++) {
            feed(&decoder, row->text + at, 1, &outcome);
        }
        check(row, &outcome, len + 1);
    }
}

/* Neither many small extensions nor one long trailer may go on for ever; an end stays an end. */
static void bounds(void **state)
{
    struct http_chunk_decoder decoder = {0};
    struct outcome outcome = {0};
    unsigned rounds = 0;

    (void)state;
    do {
        outcome.len = 0;
        feed(&decoder, "1;abcdefgh\r\nx\r\n", 15, &outcome);
        rounds++;
    } while (outcome.result == HTTP_CHUNK_MORE && rounds < 100000);
    assert_int_equal(outcome.result, HTTP_CHUNK_BAD);
    assert_in_range(rounds, HTTP_CHUNK_EXTENSION_BYTES / 10, HTTP_CHUNK_EXTENSION_BYTES / 8);
    feed(&decoder, "0\r\n\r\n", 5, &outcome);
    assert_int_equal(outcome.result, HTTP_CHUNK_BAD);

    http_chunk_decoder_init(&decoder);
    rounds = 0;
    feed(&decoder, "0\r\n", 3, &outcome);
    do {
        feed(&decoder, "a: b\r\n", 6, &outcome);
        rounds++;
    } while (outcome.result == HTTP_CHUNK_MORE && rounds < 100000);
    assert_int_equal(outcome.result, HTTP_CHUNK_BAD);

    http_chunk_decoder_init(&decoder);
    feed(&decoder, "0\r\n\r\n", 5, &outcome);
    assert_int_equal(outcome.result, HTTP_CHUNK_DONE);
    struct span piece;
    size_t used;
    assert_int_equal(http_chunk_decode(&decoder, "5\r\n", 3, &used, &piece), HTTP_CHUNK_DONE);
    assert_int_equal(used, 0);
}

static void heads(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } table_rows[] = {
        {1, "1\r\n"}, {26, "1a\r\n"}, {65536, "10000\r\n"}, {UINT64_MAX, "ffffffffffffffff\r\n"}};

    (void)state;
    for (size_t i = 0; i < sizeof(table_rows) / sizeof(table_rows[0]); i++) {
        char out[HTTP_CHUNK_HEAD_BYTES];
        size_t len = http_chunk_head_write(out, table_rows[i].bytes);
        assert_span(span_of(out, len), table_rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(bounds),
        cmocka_unit_test(heads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
