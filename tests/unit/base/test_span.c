/* span, list, err, hash, clock, mem: the small things. */
#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "helper.h"

static void numbers(void **state)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool good;
        uint64_t value;
    } rows[] = {
        {"0", 0, true, 0},
        {"00012", 12, true, 12},
        {"13", 12, false, 0},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
        {"99999999999999999999999", UINT64_MAX, false, 0},
        {"", 9, false, 0},
        {"+1", 9, false, 0},
        {"-1", 9, false, 0},
        {" 1", 9, false, 0},
        {"1 ", 9, false, 0},
        {"1a", 99, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t value = 0;
        assert_int_equal(span_to_u64(span_str(rows[i].text), rows[i].max, &value), rows[i].good);
        assert_true(value == rows[i].value);
    }
}

static void decimals(void **state)
{
    static const char *const rows[] = {"0", "7", "10", "4294967296", "18446744073709551615"};
    char room[SPAN_U64_BYTES];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t value;
        assert_true(span_to_u64(span_str(rows[i]), UINT64_MAX, &value));
        assert_span(span_from_u64(room, value), rows[i]);
    }
}

static void spans(void **state)
{
    (void)state;
    assert_true(span_eq(SPAN(""), (struct span){0}));
    assert_false(span_eq(SPAN("a"), SPAN("A")));
    assert_true(span_eq_nocase(SPAN("aBc-1"), SPAN("AbC-1")));
    assert_false(span_eq_nocase(SPAN("["), SPAN("{"))); /* differ by the case bit only */
    assert_true(span_starts(SPAN("abc"), SPAN("ab")));
    assert_false(span_starts(SPAN("a"), SPAN("ab")));
    assert_span(span_trim(SPAN(" \ta b\t ")), "a b");
    assert_span(span_trim(SPAN(" \t ")), "");
    assert_int_equal(span_str(NULL).len, 0);
}

static void lists(void **state)
{
    struct list head;
    struct list nodes[3];

    (void)state;
    list_init(&head);
    assert_null(list_pop(&head));
    for (int i = 0; i < 3; i++) {
        list_push(&head, &nodes[i]);
    }
    list_remove(&nodes[1]);
    list_remove(&nodes[1]); /* harmless on a lone node */
    list_push_front(&head, &nodes[1]);
    assert_ptr_equal(list_pop(&head), &nodes[1]);
    assert_ptr_equal(list_pop(&head), &nodes[0]);
    assert_ptr_equal(list_pop(&head), &nodes[2]);
    assert_true(list_is_empty(&head));
}

static void errors(void **state)
{
    (void)state;
    for (int i = ERR_OK; i <= ERR_ABSENT; i++) {
        assert_string_not_equal(err_text((enum err)i), "unknown error");
    }
}

static void hashes(void **state)
{
    const struct hash_seed one = {1};
    const struct hash_seed two = {2};

    (void)state;
    struct hash128 a = hash128(one, SPAN("key"));
    struct hash128 b = hash128(two, SPAN("key"));
    struct hash128 c = hash128(one, SPAN("kez"));
    assert_true(a.lo != b.lo && a.hi != b.hi && a.lo != c.lo && a.hi != c.hi);
    struct hash128 again = hash128(one, SPAN("key"));
    assert_true(a.lo == again.lo && a.hi == again.hi);
    assert_true(hash64(one, SPAN("key")) != hash64(two, SPAN("key")));
    /* in parts: the same, whatever the cut */
    char long_text[1000];
    memset(long_text, 'x', sizeof(long_text));
    for (size_t cut = 0; cut <= sizeof(long_text); cut += 37) {
        struct span parts[] = {span_of(long_text, cut), span_of("", 0),
                               span_of(long_text + cut, sizeof(long_text) - cut)};
        assert_true(hash64_parts(one, parts, 3) ==
                    hash64(one, span_of(long_text, sizeof(long_text))));
    }
    (void)hash64(one, (struct span){0});

    uint64_t random[2] = {0};
    random_bytes(random, sizeof(random));
    assert_true(random[0] != random[1]);
}

static void clocks(void **state)
{
    (void)state;
    uint64_t before = clock_mono_us();
    (void)usleep(2000);
    uint64_t after = clock_mono_us();
    assert_true(after - before >= 2000 && after - before < 5000000);
    assert_true(clock_wall_ms() > 1600000000000);
}

static void memory(void **state)
{
    (void)state;
    mem_setup();
    unsigned char *zeroed = mem_new(100);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(zeroed[i], 0);
    }
    assert_true(mem_usable(zeroed) >= 100);
    mem_free(zeroed);
    mem_free(NULL);
    char *copy = mem_copy("abc", 2);
    assert_string_equal(copy, "ab");
    copy = mem_try_resize(copy, 1000);
    assert_non_null(copy);
    assert_string_equal(copy, "ab");
    mem_free(copy);
    void *nothing = mem_try(0);
    assert_non_null(nothing);
    mem_free(nothing);
}

static void fails_check(void)
{
    CHECK(1 + 1 == 3);
}

static void checks(void **state)
{
    (void)state;
    assert_true(aborts(fails_check));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers), cmocka_unit_test(decimals), cmocka_unit_test(spans),
        cmocka_unit_test(lists),   cmocka_unit_test(errors),   cmocka_unit_test(hashes),
        cmocka_unit_test(clocks),  cmocka_unit_test(memory),   cmocka_unit_test(checks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
