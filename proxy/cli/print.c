/* print - messages, figures, and text of others. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "conf/utf8.h"

static void print_upto(FILE *out, const char *text, const char *stop)
{
    struct span left = span_str(text);

    while (left.len > 0 && strchr(stop, left.ptr[0]) == NULL) {
        size_t len = utf8_printable(left);
        if (len > 0) {
            (void)fwrite(left.ptr, 1, len, out);
        } else {
            fputc(left.ptr[0] == '\n' || left.ptr[0] == '\t' ? left.ptr[0] : '?', out);
            len = 1;
        }
        left = span_of(left.ptr + len, left.len - len);
    }
}

void cli_print_safe(FILE *out, const char *text)
{
    print_upto(out, text, "");
}

void cli_print_line(FILE *out, const char *text)
{
    print_upto(out, text, "\r\n");
}

void cli_error(const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fputs("larder: ", stderr);
    cli_print_safe(stderr, text);
    fputc('\n', stderr);
}

bool cli_has_colour(FILE *out)
{
    /* The environment is only ever read. */
    const char *no_colour = getenv("NO_COLOR"); /* NOLINT(concurrency-mt-unsafe) */
    const char *term = getenv("TERM");          /* NOLINT(concurrency-mt-unsafe) */

    return (no_colour == NULL || no_colour[0] == '\0') && isatty(fileno(out)) == 1 &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Edits from one word to the other (insert, remove, replace), words of up to 31 bytes. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[32];
    unsigned width = (unsigned)strlen(b);

    if (width >= ARRAY_LEN(row) || strlen(a) >= ARRAY_LEN(row)) {
        return ARRAY_LEN(row);
    }
    for (unsigned i = 0; i <= width; i++) {
        row[i] = i;
    }
    for (unsigned k = 1; a[k - 1] != '\0'; k++) {
        unsigned corner = row[0];
        row[0] = k;
        for (unsigned i = 1; i <= width; i++) {
            unsigned above = row[i];
            unsigned replaced = corner + (ascii_lower(a[k - 1]) != ascii_lower(b[i - 1]));
            row[i] = least(replaced, least(above, row[i - 1]) + 1);
            corner = above;
        }
    }
    return row[width];
}

const char *cli_nearest(const char *word, const char *const *words, size_t count)
{
    const char *best = NULL;
    unsigned best_distance = 3;

    for (size_t i = 0; i < count; i++) {
        unsigned here = distance(word, words[i]);
        if (here < best_distance && here < strlen(words[i])) {
            best_distance = here;
            best = words[i];
        }
    }
    return best;
}

static const char *scaled(struct cli_figure *figure, double value, double base,
                          const char *const *units, size_t count)
{
    size_t i = 0;

    while (value >= base && i + 1 < count) {
        value /= base;
        i++;
    }
    (void)snprintf(figure->text, sizeof(figure->text), i == 0 ? "%.0f%s" : "%.1f%s", value,
                   units[i]);
    return figure->text;
}

const char *cli_bytes(struct cli_figure *figure, double bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB"};

    return scaled(figure, bytes, 1024, units, ARRAY_LEN(units));
}

const char *cli_count(struct cli_figure *figure, double count)
{
    static const char *const units[] = {"", "k", "M", "G"};

    return scaled(figure, count, 1000, units, ARRAY_LEN(units));
}

const char *cli_duration(struct cli_figure *figure, double seconds)
{
    unsigned long all = seconds > 0 ? (unsigned long)seconds : 0;
    char *text = figure->text;
    size_t size = sizeof(figure->text);

    if (all >= 86400) {
        (void)snprintf(text, size, "%lu d %lu h", all / 86400, all % 86400 / 3600);
    } else if (all >= 3600) {
        (void)snprintf(text, size, "%lu h %lu min", all / 3600, all % 3600 / 60);
    } else if (all >= 60) {
        (void)snprintf(text, size, "%lu min %lu s", all / 60, all % 60);
    } else {
        (void)snprintf(text, size, "%lu s", all);
    }
    return text;
}

const char *cli_ms(struct cli_figure *figure, double ms)
{
    if (ms >= 60000) {
        return cli_duration(figure, ms / 1000);
    }
    if (ms >= 999.5) {
        (void)snprintf(figure->text, sizeof(figure->text), "%.3g s", ms / 1000);
    } else {
        (void)snprintf(figure->text, sizeof(figure->text), "%.3g ms", ms);
    }
    return figure->text;
}

int64_t cli_unix_time(const char *text)
{
    struct tm parts = {0};

    return strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) == NULL ? 0 : (int64_t)timegm(&parts);
}
