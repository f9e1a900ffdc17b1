#ifndef CONF_USER_FILE_H
#define CONF_USER_FILE_H
/*
 * user_file - password files as htpasswd writes them, and files of groups: bytes in, lines out.
 *
 *   name:hash[:anything]        # comment, and empty lines
 *   group: name name ...
 *
 * Pure; borrows from the text. Arbitrary bytes are safe.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* A line of either file, without white space around it. */
struct user_line {
    size_t number; /* from 1 */
    struct span text;
};

/* The next line that is neither empty nor a comment. Start with *line zeroed; false at the end. */
bool user_line_next(struct span *rest, struct user_line *line);

/* Takes a line of passwords apart. Returns what is wrong with it, as a sentence's end that never
 * shows the hash; or NULL. *name: of the user, as far as there is one. */
const char *user_line_password(struct span line, struct span *name, struct span *hash);
/* Is the hash of a kind that is strong enough and can be computed? What to do about it, or NULL. */
const char *user_hash_problem(struct span hash);
/* The same of a line of groups; members is what stands behind the colon. */
const char *user_line_group(struct span line, struct span *name, struct span *members);
/* The next member; false at the end. */
bool user_member_next(struct span *members, struct span *name);
/* What is wrong with the name of a user, or NULL. */
const char *user_name_problem(struct span name);
#endif
