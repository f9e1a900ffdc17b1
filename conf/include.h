#ifndef CONF_INCLUDE_H
#define CONF_INCLUDE_H
/* include - reading files for the parser, and what `include` means. Used by parse.c only. */
#include <sys/types.h>

#include "conf/parse.h"

/* A file opened by this load. Lives as long as the tree. */
struct conf_file {
    struct conf_source source;
    struct conf_file *next;       /* of the tree */
    const struct conf_file *from; /* who included it, or NULL */
    char *bytes;                  /* owned; NULL for text handed in */
    dev_t device;
    ino_t inode;
    unsigned depth; /* includes above it */
};

/* A file entry for text in memory; name and text are borrowed for the tree's life. NULL: no memory.
 */
struct conf_file *conf_file_new(struct conf_tree *tree, const char *name, struct span text);
/* Reads a file; what is wrong goes to the report at place. from NULL: the main file. */
MUST_USE enum err conf_file_read(struct conf_tree *tree, const char *path,
                                 const struct conf_file *from, struct conf_place place,
                                 struct conf_file **out);
void conf_files_free(struct conf_tree *tree);

/* Resolves `include GLOB...` written in file inside parent. */
void conf_include(struct conf_tree *tree, const struct conf_file *file, struct conf_node *parent,
                  const struct conf_node *node);
/* Parses one file's text into parent (parse.c). */
void conf_parse_source(struct conf_tree *tree, const struct conf_file *file,
                       struct conf_node *parent);
#endif
