#ifndef CONF_LISTS_H
#define CONF_LISTS_H
/*
 * lists - what a snapshot holds outside its arena: lists of names and compiled patterns. A file that
 * several rules name is read once. For type_*.c and conf.c only.
 */
#include "base/nameset.h"
#include "base/pattern.h"
#include "conf/type.h"

struct conf_lists {
    struct conf_list *first;
};

/* The names of a file; NULL: it cannot be used, and the report says why, or it may not be read
 * (CONF_SEALED, CONF_PORTABLE) and *good stays. */
const struct nameset *conf_lists_file(const struct conf_item *item, const struct conf_word *word,
                                      const char *path, bool *good);
/* A new one, to be filled. */
struct nameset *conf_lists_names(struct conf_lists *lists, size_t room);
/* Takes the pattern. */
void conf_lists_keep(struct conf_lists *lists, struct pattern *pattern);
/* Memory of all of them. */
size_t conf_lists_bytes(const struct conf_lists *lists);
void conf_lists_free(struct conf_lists *lists);
#endif
