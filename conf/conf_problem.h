#ifndef CONF_CONF_PROBLEM_H
#define CONF_CONF_PROBLEM_H
/* conf_problem - what is wrong with a configuration, for those who show it; part of conf.h, which
 * includes this. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* One problem. Everything in it belongs to the report. */
struct conf_problem {
    bool is_warning; /* the file may be used all the same */
    const char *file;
    uint32_t line;   /* from 1; 0: the file as a whole */
    uint32_t column; /* from 1, counted in characters */
    const char *message;
    const char *hint;           /* the likely word meant, or NULL */
    const char *const *allowed; /* what may stand here */
    size_t allowed_count;       /* 0: not said */
    const char *source;         /* the line of the file without control bytes, or NULL */
    uint32_t caret;             /* characters of source before the caret */
};

struct conf_report;

struct conf_report *conf_report_new(void);
void conf_report_free(struct conf_report *report);
/* Problems found but warnings, also those beyond the limit of 50 that are only counted. */
size_t conf_report_count(const struct conf_report *report);
/* In the order of the files and lines; NULL past the last one kept. */
const struct conf_problem *conf_report_get(const struct conf_report *report, size_t index);
/* For people: one paragraph a problem, then the count. */
void conf_report_print(const struct conf_report *report, struct buf *out);
/* The same on standard error. */
void conf_report_tell(const struct conf_report *report);
/* {"problems":[{"severity":"error"|"warning","file","line","column","message","hint","allowed",
 * "source","caret"}],"count":N}; count: the errors. */
void conf_report_print_json(const struct conf_report *report, struct buf *out);
#endif
