/* edit - see edit.h. Changes are few, so each walks the lines once. */
#include "http/edit.h"

#include "base/check.h"

static bool line_is(struct span line, struct span name)
{
    return line.len > name.len && line.ptr[name.len] == ':' &&
           span_eq_nocase(span_of(line.ptr, name.len), name);
}

static void lines_remove(struct http_lines *lines, struct span name)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < lines->count; i++) {
        if (!line_is(lines->list[i], name)) {
            lines->list[kept++] = lines->list[i];
        }
    }
    lines->count = kept;
}

void http_lines_edit(struct http_lines *lines, const struct http_edit *edit)
{
    if (edit->action != HTTP_EDIT_ADD) {
        lines_remove(lines, edit->name);
    }
    if (edit->action == HTTP_EDIT_REMOVE) {
        return;
    }
    size_t len = edit->name.len + 2 + edit->value.len;
    char *at = arena_alloc(lines->arena, len);
    if (at == NULL) {
        return;
    }
    CHECK(lines->count < lines->capacity);
    lines->list[lines->count++] = span_of(at, len);
    memcpy(at, edit->name.ptr, edit->name.len);
    at += edit->name.len;
    *at++ = ':';
    *at++ = ' ';
    if (edit->value.len > 0) {
        memcpy(at, edit->value.ptr, edit->value.len);
    }
}

struct span http_lines_join(const struct http_lines *lines, struct span line)
{
    const struct span end = SPAN("\r\n");
    size_t len = line.len + end.len;

    for (unsigned i = 0; i < lines->count; i++) {
        len += lines->list[i].len + end.len;
    }
    char *out = arena_alloc(lines->arena, len);
    if (out == NULL) {
        return span_of(NULL, 0);
    }
    char *at = out;
    for (unsigned i = 0; i <= lines->count; i++) {
        struct span one = i == 0 ? line : lines->list[i - 1];
        memcpy(at, one.ptr, one.len);
        memcpy(at + one.len, end.ptr, end.len);
        at += one.len + end.len;
    }
    return span_of(out, (size_t)(at - out));
}

/* The next line of a head, without its end. */
static bool head_next(struct span *head, struct span *line)
{
    if (head->len == 0) {
        return false;
    }
    const char *end = memchr(head->ptr, '\n', head->len);
    size_t len = end == NULL ? head->len : (size_t)(end - head->ptr);
    size_t skip = end == NULL ? len : len + 1;

    *line = span_of(head->ptr, len > 0 && head->ptr[len - 1] == '\r' ? len - 1 : len);
    *head = span_of(head->ptr + skip, head->len - skip);
    return true;
}

bool http_lines_split(struct http_lines *lines, struct arena *arena, struct span head,
                      unsigned extra, struct span *line)
{
    unsigned count = 0;

    for (size_t i = 0; i < head.len; i++) {
        count += head.ptr[i] == '\n' ? 1 : 0;
    }
    *lines = (struct http_lines){.capacity = count + 1 + extra, .arena = arena};
    lines->list = arena_alloc(arena, lines->capacity * sizeof(*lines->list));
    if (lines->list == NULL || !head_next(&head, line)) {
        return false;
    }
    while (head_next(&head, &lines->list[lines->count])) {
        lines->count++;
    }
    return true;
}
