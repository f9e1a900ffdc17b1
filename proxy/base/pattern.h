#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H
/*
 * pattern - regular expressions of the operator's (PCRE2) over text that comes from outside, with a
 * bound on the work of one question whatever both say: steps, depth of backtracking, memory.
 *
 * No code is made at run time: the program's unit forbids memory that is written and then run.
 *
 * Threads:   a compiled pattern may be shared; a room belongs to one thread at a time.
 * Ownership: pattern_free, pattern_room_free.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct pattern;
struct pattern_room; /* what a question needs beside the pattern */

struct pattern_fault {
    size_t offset; /* in the text, where it was noticed */
    char why[128];
};

/* NULL: fault says why. Bytes, not characters; letter case counts unless (?i) says otherwise. */
struct pattern *pattern_new(struct span text, struct pattern_fault *fault);
void pattern_free(struct pattern **pattern); /* nulls *pattern */

/* NULL: no memory. */
struct pattern_room *pattern_room_new(void);
void pattern_room_free(struct pattern_room **room); /* nulls *room */

enum pattern_answer {
    PATTERN_NO,
    PATTERN_YES,
    PATTERN_GAVE_UP, /* a bound was hit: nobody knows */
};

/* Is there a match somewhere in the text? */
enum pattern_answer pattern_ask(const struct pattern *pattern, struct pattern_room *room,
                                struct span text);
#endif
