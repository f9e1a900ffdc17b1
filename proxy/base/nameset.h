#ifndef BASE_NAMESET_H
#define BASE_NAMESET_H
/*
 * nameset - host names, hundreds of thousands of them, for "is this host one of them, or below one".
 * One blob of names and one table of 8-byte slots: about 40 bytes a name. A lookup reads the host
 * once, from its end, and asks the table once for each of its domains that could be there.
 *
 * Threads:   filled by one; then any may ask.
 * Ownership: copies what it is given; freed by nameset_free.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define NAMESET_NAME_MAX_BYTES ((size_t)253) /* RFC 1035 2.3.4, written out */

/* What an entry stands for; or-ed. */
enum nameset_form {
    NAMESET_EXACT = 1, /* the name itself */
    NAMESET_BELOW = 2, /* all names below it */
};

struct nameset;

/* Empty. room: names that will come, as far as known. */
struct nameset *nameset_new(size_t room);
/* name: lower case, no dot at the end, 1..NAMESET_NAME_MAX_BYTES bytes. The forms of a name that is
 * there already are added to. False: no memory. */
bool nameset_add(struct nameset *set, struct span name, unsigned forms);
/* Gives back memory that was taken in advance. */
void nameset_settle(struct nameset *set);
/* host: lower case, no dot at the end, of any length. */
bool nameset_has(const struct nameset *set, struct span host);
/* Different names in it. */
size_t nameset_count(const struct nameset *set);
/* Memory it holds. */
size_t nameset_bytes(const struct nameset *set);
void nameset_free(struct nameset **set); /* nulls *set */
#endif
