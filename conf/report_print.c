/* report_print - a report for people and for programs. */
#include <stdio.h>

#include "conf/report.h"
#include "conf/utf8.h"

#define REPORT_TEXT_BYTES ((size_t)4 << 20)

static void print_allowed(const struct conf_problem *problem, struct buf *out)
{
    buf_puts(out, "       allowed here: ");
    for (size_t i = 0; i < problem->allowed_count; i++) {
        buf_puts(out, i == 0 ? "" : ", ");
        buf_puts(out, problem->allowed[i]);
    }
    buf_putc(out, '\n');
}

/* A file name may hold any byte. */
static void print_shown(const char *text, struct buf *out)
{
    struct span left = span_str(text);

    while (left.len > 0) {
        size_t len = utf8_show(left, out);
        left = span_of(left.ptr + len, left.len - len);
    }
}

static void print_problem(const struct conf_problem *problem, struct buf *out)
{
    print_shown(problem->file, out);
    if (problem->line > 0) {
        buf_printf(out, ":%u:%u", problem->line, problem->column);
    }
    buf_printf(out, ": %s: %s", problem->is_warning ? "warning" : "error", problem->message);
    if (problem->hint != NULL) {
        buf_printf(out, "; did you mean \"%s\"?", problem->hint);
    }
    buf_putc(out, '\n');
    if (problem->allowed_count > 0) {
        print_allowed(problem, out);
    }
    if (problem->source != NULL) {
        buf_printf(out, "%6u | %s\n       | %*s^\n", problem->line, problem->source,
                   (int)problem->caret, "");
    }
}

void conf_report_print(const struct conf_report *report, struct buf *out)
{
    const struct conf_problem *problem;
    size_t count = conf_report_count(report);
    size_t kept = 0;

    for (size_t i = 0; (problem = conf_report_get(report, i)) != NULL; i++) {
        print_problem(problem, out);
        kept += problem->is_warning ? 0 : 1;
    }
    if (count > kept) {
        buf_printf(out, "... and %zu more\n", count - kept);
    }
    if (count > 0) {
        buf_printf(out, "%zu error%s\n", count, count == 1 ? "" : "s");
    }
}

static void json_string(const char *text, struct buf *out)
{
    struct span left = span_str(text);

    buf_putc(out, '"');
    while (left.len > 0) {
        size_t len = utf8_printable(left);
        if (len == 1 && (left.ptr[0] == '"' || left.ptr[0] == '\\')) {
            buf_putc(out, '\\');
        }
        if (len > 0) {
            buf_append(out, span_of(left.ptr, len));
        } else {
            len = 1;
            unsigned char byte = (unsigned char)left.ptr[0];
            buf_printf(out, "\\u%04x", byte < 0x80 ? (unsigned)byte : 0xfffdU);
        }
        left = span_of(left.ptr + len, left.len - len);
    }
    buf_putc(out, '"');
}

static void json_member(const char *name, const char *text, struct buf *out)
{
    buf_printf(out, ",\"%s\":", name);
    if (text == NULL) {
        buf_puts(out, "null");
    } else {
        json_string(text, out);
    }
}

static void json_problem(const struct conf_problem *problem, struct buf *out)
{
    buf_printf(out, "{\"severity\":\"%s\",\"file\":", problem->is_warning ? "warning" : "error");
    json_string(problem->file, out);
    buf_printf(out, ",\"line\":%u,\"column\":%u", problem->line, problem->column);
    json_member("message", problem->message, out);
    json_member("hint", problem->hint, out);
    buf_puts(out, ",\"allowed\":[");
    for (size_t i = 0; i < problem->allowed_count; i++) {
        buf_puts(out, i == 0 ? "" : ",");
        json_string(problem->allowed[i], out);
    }
    buf_putc(out, ']');
    json_member("source", problem->source, out);
    buf_printf(out, ",\"caret\":%u}", problem->caret);
}

void conf_report_tell(const struct conf_report *report)
{
    struct buf text;

    buf_init(&text, REPORT_TEXT_BYTES);
    conf_report_print(report, &text);
    (void)fwrite(text.len == 0 ? "" : text.data, 1, text.len, stderr);
    buf_free(&text);
}

void conf_report_print_json(const struct conf_report *report, struct buf *out)
{
    const struct conf_problem *problem;

    buf_puts(out, "{\"problems\":[");
    for (size_t i = 0; (problem = conf_report_get(report, i)) != NULL; i++) {
        buf_puts(out, i == 0 ? "" : ",");
        json_problem(problem, out);
    }
    buf_printf(out, "],\"count\":%zu}\n", conf_report_count(report));
}
