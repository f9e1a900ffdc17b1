/* RFC 9110 5.2, 5.3: changes of field lines. */
#include "helper.h"
#include "http/edit.h"

#define HEAD "HTTP/1.1 200 OK\r\nA: 1\r\nab: 2\r\na: 3\r\nB:\r\n"

static const struct {
    struct http_edit edits[3];
    unsigned count;
    const char *wanted; /* behind the status line */
} cases[] = {
    {{{0}}, 0, "A: 1\r\nab: 2\r\na: 3\r\nB:\r\n"},
    {{{HTTP_EDIT_REMOVE, {"a", 1}, {"", 0}}}, 1, "ab: 2\r\nB:\r\n"},
    {{{HTTP_EDIT_REMOVE, {"b", 1}, {"", 0}}}, 1, "A: 1\r\nab: 2\r\na: 3\r\n"},
    {{{HTTP_EDIT_REMOVE, {"c", 1}, {"", 0}}}, 1, "A: 1\r\nab: 2\r\na: 3\r\nB:\r\n"},
    {{{HTTP_EDIT_SET, {"A", 1}, {"x y", 3}}}, 1, "ab: 2\r\nB:\r\nA: x y\r\n"},
    {{{HTTP_EDIT_ADD, {"A", 1}, {"", 0}}}, 1, "A: 1\r\nab: 2\r\na: 3\r\nB:\r\nA: \r\n"},
    {{{HTTP_EDIT_ADD, {"C", 1}, {"1", 1}},
      {HTTP_EDIT_ADD, {"c", 1}, {"2", 1}},
      {HTTP_EDIT_SET, {"C", 1}, {"3", 1}}},
     3,
     "A: 1\r\nab: 2\r\na: 3\r\nB:\r\nC: 3\r\n"},
    {{{HTTP_EDIT_SET, {"C", 1}, {"3", 1}}, {HTTP_EDIT_REMOVE, {"C", 1}, {"", 0}}},
     2,
     "A: 1\r\nab: 2\r\na: 3\r\nB:\r\n"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        struct http_lines lines;
        struct span line;
        char wanted[256];
        arena_init(&arena, 65536);
        assert_true(http_lines_split(&lines, &arena, SPAN(HEAD), cases[i].count, &line));
        for (unsigned j = 0; j < cases[i].count; j++) {
            http_lines_edit(&lines, &cases[i].edits[j]);
        }
        struct span got = http_lines_join(&lines, line);
        (void)snprintf(wanted, sizeof(wanted), "HTTP/1.1 200 OK\r\n%s", cases[i].wanted);
        assert_int_equal(got.len, strlen(wanted));
        assert_memory_equal(got.ptr, wanted, got.len);
        arena_reset(&arena);
    }
}

/* A full arena is told, never half a head. */
static void test_no_room(void **state)
{
    struct arena arena;
    struct http_lines lines;
    struct span line;

    (void)state;
    arena_init(&arena, 16);
    assert_false(http_lines_split(&lines, &arena, SPAN(HEAD), 0, &line));
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases),
                                       cmocka_unit_test(test_no_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
