#ifndef TESTS_UNIT_CONF_TEST_H
#define TESTS_UNIT_CONF_TEST_H
/* conf_test - loading a text and seeing all its problems as one string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "conf/conf.h"

#define TEXT_BYTES ((size_t)1 << 20)
/* What a text needs beside what is tested. */
#define REST "listen :80; site * { origins { server a http://a; } }"

/* "line:column message [hint] {allowed allowed}" for each problem, one a line. */
static inline void problems_print(const struct conf_report *report, struct buf *out)
{
    const struct conf_problem *problem;

    for (size_t i = 0; (problem = conf_report_get(report, i)) != NULL; i++) {
        buf_printf(out, "%u:%u %s", problem->line, problem->column, problem->message);
        if (problem->hint != NULL) {
            buf_printf(out, " [%s]", problem->hint);
        }
        for (size_t j = 0; j < problem->allowed_count; j++) {
            buf_printf(out, "%s%s", j == 0 ? " {" : " ", problem->allowed[j]);
        }
        buf_puts(out, problem->allowed_count > 0 ? "}\n" : "\n");
    }
}

/* Loads text as "t" with flags; *out is NULL when it has problems, which then are in problems. */
static inline void text_load(struct span text, unsigned flags, struct conf **out,
                             struct buf *problems)
{
    struct conf_report *report = conf_report_new();
    enum err err = conf_load_text("t", text, flags, out, report);

    assert_int_equal(err, conf_report_count(report) == 0 ? ERR_OK : ERR_SYNTAX);
    assert_int_equal(err == ERR_OK, *out != NULL);
    problems_print(report, problems);
    conf_report_free(report);
}

/* A text that must load. */
static inline struct conf *text_good(const char *text)
{
    struct conf *conf;
    struct buf problems;

    buf_init(&problems, TEXT_BYTES);
    text_load(span_str(text), CONF_PORTABLE, &conf, &problems);
    if (conf == NULL) {
        fail_msg("%s\nfails with\n%s", text, problems.data);
    }
    buf_free(&problems);
    return conf;
}

/* A text that must fail with exactly these problems. False (and both printed) when it does not. */
static inline bool text_bad(const char *text, const char *wanted)
{
    struct conf *conf;
    struct buf problems;

    buf_init(&problems, TEXT_BYTES);
    buf_puts(&problems, "");
    text_load(span_str(text), CONF_PORTABLE, &conf, &problems);
    bool same = conf == NULL && strcmp(problems.data, wanted) == 0;
    if (!same) {
        print_error("%s\ngives\n%sinstead of\n%s\n", text,
                    conf == NULL ? problems.data : "no problem\n", wanted);
    }
    conf_unref(conf);
    buf_free(&problems);
    return same;
}

struct bad_case {
    const char *text;
    const char *problems;
};

static inline void bad_cases(const struct bad_case *cases, size_t count)
{
    size_t failed = 0;

    for (size_t i = 0; i < count; i++) {
        failed += text_bad(cases[i].text, cases[i].problems) ? 0 : 1;
    }
    assert_int_equal(failed, 0);
}
#endif
