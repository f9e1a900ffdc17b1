/* Records survive a round trip; every flipped bit of a header and every cut is found. */
#include "store/codec.h"
#include "store/ledger.h"
#include "support.h"

static const struct hash_seed seed = {12345};

static size_t build_first(char *out, struct codec_first *record)
{
    *record = (struct codec_first){.hash = {1, 2},
                                   .id = 77,
                                   .length = 5,
                                   .useless_after_s = -3,
                                   .key = SPAN("GET http://a/b"),
                                   .selector = SPAN("gzip"),
                                   .head = SPAN("HTTP/1.1 200\r\n\r\n"),
                                   .body = SPAN("hello")};
    memset(record->facts, 9, sizeof(record->facts));
    codec_first_encode((uint8_t *)out, record, seed);
    size_t at = CODEC_FIRST_BYTES;
    const struct span parts[] = {record->key, record->selector, record->head, record->body};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        memcpy(out + at, parts[i].ptr, parts[i].len);
        at += parts[i].len;
    }
    return at;
}

static void test_first(void **state)
{
    char data[512];
    struct codec_first in;
    struct codec_first out;

    (void)state;
    size_t len = build_first(data, &in);
    assert_int_equal(codec_first_decode(span_of(data, len), seed, &out), ERR_OK);
    assert_true(span_eq(in.key, out.key) && span_eq(in.selector, out.selector) &&
                span_eq(in.head, out.head) && span_eq(in.body, out.body));
    assert_true(out.id == 77 && out.hash.lo == 1 && out.hash.hi == 2 && out.length == 5 &&
                out.useless_after_s == -3);
    assert_memory_equal(in.facts, out.facts, sizeof(in.facts));
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(codec_first_decode(span_of(data, i), seed, &out), ERR_CORRUPT);
        char *copy = mem_copy(data, i); /* exact size: a read past it is found */
        assert_int_equal(codec_first_decode(span_of(copy, i), seed, &out), ERR_CORRUPT);
        mem_free(copy);
    }
    for (size_t bit = 0; bit < (len - in.body.len) * 8; bit++) {
        data[bit / 8] = (char)(data[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(codec_first_decode(span_of(data, len), seed, &out), ERR_CORRUPT);
        data[bit / 8] = (char)(data[bit / 8] ^ (1 << bit % 8));
    }
    struct hash_seed other = {54321};
    assert_int_equal(codec_first_decode(span_of(data, len), other, &out), ERR_CORRUPT);
}

static void test_piece(void **state)
{
    char data[256];
    struct codec_piece in = {.hash = {3, 4}, .id = 5, .piece = 6, .body = SPAN("body")};
    struct codec_piece out;

    (void)state;
    codec_piece_encode((uint8_t *)data, &in, seed);
    memcpy(data + CODEC_PIECE_BYTES, "body", 4);
    assert_int_equal(codec_piece_decode(span_of(data, CODEC_PIECE_BYTES + 4), seed, &out), ERR_OK);
    assert_true(out.id == 5 && out.piece == 6 && span_eq(out.body, in.body));
    for (size_t i = 0; i < CODEC_PIECE_BYTES + 4; i++) {
        assert_int_equal(codec_piece_decode(span_of(data, i), seed, &out), ERR_CORRUPT);
    }
    for (size_t bit = 0; bit < CODEC_PIECE_BYTES * 8; bit++) {
        data[bit / 8] = (char)(data[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(codec_piece_decode(span_of(data, CODEC_PIECE_BYTES + 4), seed, &out),
                         ERR_CORRUPT);
        data[bit / 8] = (char)(data[bit / 8] ^ (1 << bit % 8));
    }
}

static void test_idx(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 32; flags++) {
        uint8_t extents[2 * CODEC_EXTENT_BYTES];
        uint8_t facts[STORE_FACTS_BYTES] = {1, 2, 3};
        struct codec_idx out;
        codec_extent_encode(extents, 1000, 3);
        codec_extent_encode(extents + CODEC_EXTENT_BYTES, 2000, 1);
        struct codec_idx in = {.flags = (uint8_t)flags,
                               .useless_after_s = 5,
                               .head_bytes = 6,
                               .position = 1000,
                               .length = 999999,
                               .soft_at_ms = 1700000000123,
                               .date_s = 0xfffffffe,
                               .selector = SPAN("sel"),
                               .extents = span_of((char *)extents, sizeof(extents)),
                               .facts = span_of((char *)facts, sizeof(facts)),
                               .head = SPAN("head")};
        size_t size = codec_idx_size(&in);
        uint8_t *data = mem_new(size);
        codec_idx_encode(data, &in);
        assert_int_equal(codec_idx_decode(span_of((char *)data, size), &out), ERR_OK);
        assert_true(out.position == 1000 && out.length == 999999 && out.flags == flags &&
                    span_eq(out.selector, in.selector));
        uint64_t position;
        uint32_t count;
        assert_true(codec_extent(out.extents, 1, &position, &count) ==
                    ((flags & CODEC_IDX_EXTENTS) != 0));
        if ((flags & CODEC_IDX_EXTENTS) != 0) {
            assert_true(position == 2000 && count == 1);
            assert_false(codec_extent(out.extents, 2, &position, &count));
        }
        assert_true(out.head.len == ((flags & CODEC_IDX_OVERRIDE) != 0 ? 4u : 0u));
        assert_true(out.soft_at_ms == ((flags & CODEC_IDX_SOFT_AT) != 0 ? 1700000000123 : 0));
        assert_true(out.date_s == ((flags & CODEC_IDX_DATE) != 0 ? 0xfffffffe : 0));
        for (size_t i = 0; i < size; i++) {
            char *copy = mem_copy((char *)data, i);
            assert_int_equal(codec_idx_decode(span_of(copy, i), &out), ERR_CORRUPT);
            mem_free(copy);
        }
        mem_free(data);
    }
}

static void test_keys(void **state)
{
    uint8_t one[CODEC_IDX_KEY_BYTES];
    uint8_t two[CODEC_IDX_KEY_BYTES];
    struct hash128 hash;
    uint64_t id;

    (void)state;
    codec_idx_key(one, (struct hash128){.lo = 5, .hi = 255}, 300);
    codec_idx_key(two, (struct hash128){.lo = 0, .hi = 256}, 1);
    assert_true(memcmp(one, two, sizeof(one)) < 0); /* the order of shards */
    assert_int_equal(codec_idx_key_decode(span_of((char *)one, sizeof(one)), &hash, &id), ERR_OK);
    assert_true(hash.lo == 5 && hash.hi == 255 && id == 300);
    assert_int_equal(codec_idx_key_decode(span_of((char *)one, 23), &hash, &id), ERR_CORRUPT);
    codec_position_key(one, 0x0102030405);
    assert_true(codec_position((char *)one) == 0x0102030405);
}

static void test_ledger(void **state)
{
    struct ledger ledger = {0};
    struct ledger_item item;

    (void)state;
    assert_false(ledger_front(&ledger, &item));
    for (uint64_t i = 1; i <= 10000; i++) {
        ledger_push(&ledger, i, (struct hash128){.lo = i * 3, .hi = i << 56});
    }
    for (uint64_t i = 1; i <= 6000; i++) {
        assert_true(ledger_front(&ledger, &item));
        assert_true(item.position == i && item.hash.lo == i * 3 && item.hash.hi == i << 56);
        ledger_pop(&ledger);
    }
    for (uint64_t i = 10000; i > 6000; i--) {
        assert_true(ledger_back(&ledger, &item));
        assert_true(item.position == i);
        ledger_pop_back(&ledger);
    }
    assert_false(ledger_back(&ledger, &item));
    assert_int_equal(ledger_bytes(&ledger), 0);
    ledger_push(&ledger, 5, (struct hash128){0});
    ledger_free(&ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first), cmocka_unit_test(test_piece),  cmocka_unit_test(test_idx),
        cmocka_unit_test(test_keys),  cmocka_unit_test(test_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
