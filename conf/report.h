#ifndef CONF_REPORT_H
#define CONF_REPORT_H
/*
 * report - collects what is wrong with a configuration. Every problem is copied whole (message,
 * words allowed, source line), so a report outlives the text it speaks about. After 50 problems it
 * counts only.
 */
#include "base/span.h"
#include "conf/conf.h"

#define CONF_PROBLEMS_MAX ((size_t)50)

/* One file's text, as long as parsing and checking last. */
struct conf_source {
    const char *name;
    struct span text;
    uint32_t index; /* order of opening */
};

/* A place in a source. line 0: the file as a whole; source NULL: none at all. */
struct conf_place {
    const struct conf_source *source;
    uint32_t offset; /* bytes from the start of the file */
    uint32_t line;
    uint32_t column;
};

/* What goes with a message; all parts may be absent. */
struct conf_advice {
    bool is_warning;
    const char *hint; /* the likely word meant */
    const char *const *allowed;
    size_t allowed_count;
};

/* A foreign word made fit for a message: printable and at most 60 bytes. */
struct conf_shown {
    char text[80];
};

void conf_report_add(struct conf_report *report, struct conf_place place,
                     const struct conf_advice *advice, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Puts the kept problems in the order of files, lines and columns. */
void conf_report_sort(struct conf_report *report);
/* No more will be kept: callers may skip costly advice. */
bool conf_report_is_full(const struct conf_report *report);

/* Borrows out; returns its text. */
const char *conf_show(struct conf_shown *out, struct span word);

/* The nearest of count words within a few typing errors, or NULL. */
const char *conf_nearest(struct span word, const char *const *words, size_t count);
#endif
