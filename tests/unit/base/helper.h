#ifndef TESTS_BASE_HELPER_H
#define TESTS_BASE_HELPER_H
/* helper - cmocka with what it needs, and a check that a function aborts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/span.h"

static inline void assert_span(struct span actual, const char *expected)
{
    if (!span_eq(actual, span_str(expected))) {
        fail_msg("got \"%.*s\", expected \"%s\"", (int)actual.len,
                 actual.ptr == NULL ? "" : actual.ptr, expected);
    }
}

/* Runs it in a child of its own, whose last words are not wanted. */
static inline bool aborts(void (*run)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        run();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif
