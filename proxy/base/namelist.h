#ifndef BASE_NAMELIST_H
#define BASE_NAMELIST_H
/*
 * namelist - lists of host names as text, one line after another:
 *
 *   0.0.0.0 ads.example tracker.example   # as in a hosts file: an address, and names
 *   ads.example                           # this name
 *   *.ads.example                         # all names below it
 *   .ads.example                          # both
 *
 * Letter case does not count, nor white space, "\r", a dot at the end, or a byte order mark.
 * Names that a hosts file has for the machine itself (localhost, ip6-allnodes, 0.0.0.0) are no
 * entries. Names of other alphabets are written as in DNS (xn--...).
 *
 * Threads: any. Ownership: borrows the text for the call only.
 */
#include "base/nameset.h"

/* Adds one word: NAME, *.NAME, .NAME or an address. Returns why not, static, or NULL. */
const char *namelist_add(struct nameset *set, struct span word);

/* What is wrong with a line. */
struct namelist_fault {
    size_t line; /* from 1 */
    struct span word;
    const char *why; /* static; the end of a sentence */
};

/* Adds a whole list. Each bad line is told of, and the rest read. Returns how many were bad. */
size_t namelist_read(struct nameset *set, struct span text,
                     void (*tell)(void *ctx, const struct namelist_fault *fault), void *ctx);
/* Lines in it, for the room a set will need. */
size_t namelist_lines(struct span text);
#endif
