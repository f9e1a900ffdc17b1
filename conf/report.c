/*
 * report - all foreign bytes are made harmless when they come in (conf_show, source excerpt): a
 * configuration file from anywhere may be checked on a terminal without its escape sequences
 * acting.
 */
#include "conf/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "conf/utf8.h"

#define REPORT_LIMIT_BYTES ((size_t)4 << 20)
#define EXCERPT_CHARS ((uint32_t)120)
#define MASK_BACK_BYTES ((size_t)1024) /* a password is at most 255, each escaped */
#define MESSAGE_BYTES ((size_t)512)
#define NEAREST_MAX_BYTES ((size_t)32)

struct report_entry {
    struct conf_problem problem;
    uint32_t source_index;
    uint32_t order;
};

struct conf_report {
    struct arena arena;
    struct report_entry entries[CONF_PROBLEMS_MAX];
    size_t kept;
    size_t count;
};

struct conf_report *conf_report_new(void)
{
    struct conf_report *report = mem_new(sizeof(*report));

    arena_init(&report->arena, REPORT_LIMIT_BYTES);
    return report;
}

void conf_report_free(struct conf_report *report)
{
    if (report != NULL) {
        arena_reset(&report->arena);
        mem_free(report);
    }
}

size_t conf_report_count(const struct conf_report *report)
{
    return report->count;
}

bool conf_report_is_full(const struct conf_report *report)
{
    return report->kept == CONF_PROBLEMS_MAX;
}

const struct conf_problem *conf_report_get(const struct conf_report *report, size_t index)
{
    return index < report->kept ? &report->entries[index].problem : NULL;
}

/* Words end there, unless they are quoted. */
static bool is_word_end(char c, bool is_quoted)
{
    return c == '\0' || c == '"' || (!is_quoted && strchr(" ;{}", c) != NULL);
}

/* http://USER:PASSWORD@HOST: nothing of it is in force, but it may be a real one. */
static void mask_users(char *text)
{
    for (char *at = strstr(text, "://"); at != NULL; at = strstr(at, "://")) {
        at += 3;
        size_t len = strcspn(at, "@/ ;{}\"");
        if (at[len] == '@' && memchr(at, ':', len) != NULL) {
            memset(at, '*', len);
        }
    }
}

/* Passwords are nobody's to read over a shoulder, or in a log: as many stars. */
static void report_mask(char *text)
{
    static const char mark[] = "password=";

    mask_users(text);
    for (char *at = strstr(text, mark); at != NULL; at = strstr(at, mark)) {
        bool is_quoted = at > text && at[-1] == '"';
        at += sizeof(mark) - 1;
        if (strncmp(at, "TEXT", 4) == 0) {
            continue; /* of our own messages */
        }
        if (*at == '"') {
            is_quoted = true;
            at++;
        }
        while (!is_word_end(*at, is_quoted)) {
            if (*at == '\\' && at[1] != '\0') {
                *at++ = '*';
            }
            *at++ = '*';
        }
    }
}

/* A terminated copy; "" when the arena is full. */
static const char *report_copy(struct conf_report *report, struct span text)
{
    char *copy = arena_string(&report->arena, text);

    if (copy == NULL) {
        return "";
    }
    report_mask(copy);
    return copy;
}

/* These bytes without the passwords that are, or begin before, there. They stand in the arena, which
 * must have room for the excerpt anyway. */
static const char *report_masked(struct conf_report *report, struct span text, size_t start,
                                 size_t end)
{
    size_t from = start;

    while (from > 0 && start - from < MASK_BACK_BYTES && text.ptr[from - 1] != '\n') {
        from--;
    }
    char *copy = arena_string(&report->arena, span_of(text.ptr + from, end - from));
    if (copy == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < end - from; i++) {
        copy[i] = copy[i] == '\0' ? '\1' : copy[i]; /* shown alike, and no end */
    }
    report_mask(copy);
    return copy + (start - from);
}

/* The line around a place, at most EXCERPT_CHARS characters of it, and where the caret goes. */
static void report_excerpt(struct conf_report *report, struct conf_problem *problem,
                           struct conf_place place)
{
    struct span text = place.source->text;
    size_t start = place.offset < text.len ? place.offset : text.len;
    size_t end = start;
    uint32_t before = 0;
    struct buf out;

    uint32_t most = place.column < EXCERPT_CHARS * 4 / 5 ? EXCERPT_CHARS : EXCERPT_CHARS / 2;
    while (start > 0 && text.ptr[start - 1] != '\n' && before < most) {
        start--;
        before += utf8_is_start(text.ptr[start]) ? 1 : 0;
    }
    while (start < text.len && start < place.offset && !utf8_is_start(text.ptr[start])) {
        start++;
    }
    while (end < text.len && text.ptr[end] != '\n' && end - start < (size_t)EXCERPT_CHARS * 2) {
        end++;
    }
    buf_init(&out, (size_t)EXCERPT_CHARS * 4);
    if (start == 0 && span_starts(text, SPAN(UTF8_MARK)) && place.offset >= UTF8_MARK_BYTES) {
        start = UTF8_MARK_BYTES; /* counts as no column either */
    }
    size_t at = start;
    uint32_t chars = 0;
    const char *masked = report_masked(report, text, start, end);
    while (masked != NULL && at < end && chars < EXCERPT_CHARS) {
        if (at <= place.offset) {
            problem->caret = chars;
        }
        at += utf8_show(span_of(masked + (at - start), end - at), &out);
        chars++;
    }
    if (at <= place.offset) {
        problem->caret = chars;
    }
    while (out.len > 0 && out.data[out.len - 1] == ' ') {
        out.len--;
    }
    problem->source = report_copy(report, buf_span(&out));
    buf_free(&out);
}

static void report_advise(struct conf_report *report, struct conf_problem *problem,
                          const struct conf_advice *advice)
{
    problem->is_warning = advice->is_warning;
    if (advice->hint != NULL) {
        problem->hint = report_copy(report, span_str(advice->hint));
    }
    if (advice->allowed_count == 0) {
        return;
    }
    const char **list = arena_alloc(&report->arena, advice->allowed_count * sizeof(*list));
    for (size_t i = 0; list != NULL && i < advice->allowed_count; i++) {
        list[i] = report_copy(report, span_str(advice->allowed[i]));
    }
    problem->allowed = list;
    problem->allowed_count = list == NULL ? 0 : advice->allowed_count;
}

void conf_report_add(struct conf_report *report, struct conf_place place,
                     const struct conf_advice *advice, const char *fmt, ...)
{
    char message[MESSAGE_BYTES];
    va_list args;

    report->count += advice != NULL && advice->is_warning ? 0 : 1;
    if (conf_report_is_full(report)) {
        return;
    }
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): version 14 misses va_start here */
    int len = vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    CHECK(len >= 0);
    struct report_entry *entry = &report->entries[report->kept];
    entry->order = (uint32_t)report->kept++;
    entry->problem.message = report_copy(report, span_str(message));
    entry->problem.file = "";
    if (place.source != NULL) {
        entry->source_index = place.source->index;
        entry->problem.file = report_copy(report, span_str(place.source->name));
        entry->problem.line = place.line;
        entry->problem.column = place.column;
        if (place.line > 0) {
            report_excerpt(report, &entry->problem, place);
        }
    }
    if (advice != NULL) {
        report_advise(report, &entry->problem, advice);
    }
}

static int report_compare_u32(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int report_compare(const void *left, const void *right)
{
    const struct report_entry *a = left;
    const struct report_entry *b = right;
    int order = report_compare_u32(a->source_index, b->source_index);

    /* What concerns a file as a whole (line 0) comes behind what is in it. */
    if (order == 0) {
        order = report_compare_u32(a->problem.line - 1, b->problem.line - 1);
    }
    if (order == 0) {
        order = report_compare_u32(a->problem.column, b->problem.column);
    }
    return order != 0 ? order : report_compare_u32(a->order, b->order);
}

void conf_report_sort(struct conf_report *report)
{
    qsort(report->entries, report->kept, sizeof(report->entries[0]), report_compare);
}

const char *conf_show(struct conf_shown *out, struct span word)
{
    struct buf shown;
    size_t at = 0;

    buf_init(&shown, sizeof(out->text) * 2);
    while (at < word.len && shown.len < 57) {
        at += utf8_show(span_of(word.ptr + at, word.len - at), &shown);
    }
    if (at < word.len) {
        buf_puts(&shown, "...");
    }
    CHECK(!shown.failed && shown.len < sizeof(out->text));
    if (shown.len > 0) {
        memcpy(out->text, shown.data, shown.len);
    }
    out->text[shown.len] = '\0';
    buf_free(&shown);
    return out->text;
}

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, changes and swaps of neighbours between two short words, case ignored. */
static size_t word_distance(struct span a, struct span b)
{
    size_t rows[3][NEAREST_MAX_BYTES + 1] = {0};

    for (size_t j = 0; j <= b.len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = rows[i % 3];
        const size_t *last = rows[(i + 2) % 3];
        const size_t *older = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            char ca = ascii_lower(a.ptr[i - 1]);
            char cb = ascii_lower(b.ptr[j - 1]);
            now[j] = min_of(last[j - 1] + (ca == cb ? 0 : 1), min_of(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && ca == ascii_lower(b.ptr[j - 2]) &&
                cb == ascii_lower(a.ptr[i - 2])) {
                now[j] = min_of(now[j], older[j - 2] + 1);
            }
        }
    }
    return rows[a.len % 3][b.len];
}

const char *conf_nearest(struct span word, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t best = word.len / 3 + 2; /* one more than what still counts as a slip */

    if (word.len < 2 || word.len > NEAREST_MAX_BYTES) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        struct span candidate = span_str(words[i]);
        if (candidate.len > NEAREST_MAX_BYTES) {
            continue;
        }
        size_t distance = word_distance(word, candidate);
        if (distance < best && distance < candidate.len) {
            best = distance;
            nearest = words[i];
        }
    }
    return nearest;
}
