/* buf and arena: growth, limits, sticky flags. */
#include "base/arena.h"
#include "base/buf.h"
#include "helper.h"

static void buf_grows(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 100000);
    for (int i = 0; i < 5000; i++) {
        buf_append(&buf, SPAN("0123456789"));
    }
    assert_false(buf.failed);
    assert_int_equal(buf.len, 50000);
    assert_int_equal(buf.data[buf.len], 0);
    assert_memory_equal(buf.data + 49990, "0123456789", 10);
    buf_clear(&buf);
    assert_int_equal(buf.len, 0);
    assert_true(buf.cap >= 50000);
    buf_puts(&buf, "a");
    buf_putc(&buf, 'b');
    buf_put_u64(&buf, 0);
    buf_put_u64(&buf, UINT64_MAX);
    buf_printf(&buf, "-%s-%d", "x", 5);
    assert_string_equal(buf.data, "ab018446744073709551615-x-5");
    buf_free(&buf);
    buf_append(&buf, (struct span){0});
    assert_false(buf.failed);
    buf_free(&buf);
}

static void buf_limit(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 10);
    buf_puts(&buf, "0123456789");
    assert_false(buf.failed);
    buf_putc(&buf, 'x');
    assert_true(buf.failed);
    assert_string_equal(buf.data, "0123456789");
    buf_clear(&buf);
    buf_printf(&buf, "%s", "0123456789x");
    assert_true(buf.failed);
    buf_puts(&buf, "a"); /* sticky */
    assert_int_equal(buf.len, 0);
    buf_free(&buf);
    buf_init(&buf, 0);
    buf_putc(&buf, 'x');
    assert_true(buf.failed);
    buf_free(&buf);
}

static void arena_gives(void **state)
{
    struct arena arena;
    char *seen[200];

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < 200; i++) {
        seen[i] = arena_alloc(&arena, i + 1);
        assert_non_null(seen[i]);
        assert_int_equal((uintptr_t)seen[i] % 16, 0);
        memset(seen[i], (int)i, i + 1);
    }
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal((unsigned char)seen[i][i], i);
    }
    char *large = arena_alloc(&arena, 200000);
    assert_non_null(large);
    memset(large, 1, 200000);
    assert_span(arena_copy(&arena, SPAN("abc")), "abc");
    assert_span(arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
    assert_string_equal(arena_string(&arena, span_of("abcd", 3)), "abc");
    assert_string_equal(arena_string(&arena, (struct span){0}), "");
    assert_non_null(arena_alloc(&arena, 0));
    assert_false(arena.overflow);
    arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    assert_non_null(arena_alloc(&arena, 10));
    arena_reset(&arena);
}

static void arena_limit(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 4096);
    assert_null(arena_alloc(&arena, 5000));
    assert_true(arena.overflow);
    arena_reset(&arena);
    assert_false(arena.overflow);
    size_t got = 0;
    while (arena_alloc(&arena, 100) != NULL) {
        got += 100;
        assert_true(arena.used <= 4096);
    }
    assert_in_range(got, 3000, 4096);
    assert_true(arena.overflow);
    assert_null(arena_copy(&arena, SPAN("0123456789012345678901234567890123456789")).ptr);
    arena_reset(&arena);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    arena_reset(&arena);
    arena_init(&arena, 0);
    assert_null(arena_alloc(&arena, 1));
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_grows),
        cmocka_unit_test(buf_limit),
        cmocka_unit_test(arena_gives),
        cmocka_unit_test(arena_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
