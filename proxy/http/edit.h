#ifndef HTTP_EDIT_H
#define HTTP_EDIT_H
/*
 * edit - an operator's changes of the field lines of a message (RFC 9110 5.2, 5.3).
 * Threads: any; pure. Ownership: new lines lie in the arena.
 */
#include <stdbool.h>

#include "base/arena.h"
#include "base/span.h"

enum http_edit_action {
    HTTP_EDIT_ADD,    /* one more line, those of the name stay */
    HTTP_EDIT_SET,    /* one line in place of all of the name */
    HTTP_EDIT_REMOVE, /* no line of the name */
};

struct http_edit {
    enum http_edit_action action;
    struct span name, value;
};

/* Lines "Name: value" without their ends; room for one more per edit. */
struct http_lines {
    struct span *list;
    unsigned count;
    unsigned capacity;
    struct arena *arena; /* its overflow flag says that a line is missing */
};

void http_lines_edit(struct http_lines *lines, const struct http_edit *edit);
/* The lines of a stored head (head.h), edited and joined again. line: the status line, which stays.
 * Empty when the arena is full. */
struct span http_lines_join(const struct http_lines *lines, struct span line);
/* Splits a stored head: *line gets the status line, lines the rest, with extra room. False: no
 * memory. */
bool http_lines_split(struct http_lines *lines, struct arena *arena, struct span head,
                      unsigned extra, struct span *line);
#endif
