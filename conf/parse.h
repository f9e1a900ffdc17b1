#ifndef CONF_PARSE_H
#define CONF_PARSE_H
/*
 * parse - text into a tree of directives that know where they were written. Includes are resolved
 * here: what they bring stands in the tree where `include` stood. Syntax errors go to the report
 * and parsing goes on.
 *
 * Ownership: the tree and the sources live as long as struct conf_tree; its words may be views of
 * them.
 */
#include "base/arena.h"
#include "conf/schema.h"
#include "conf/token.h"

#define CONF_FILE_MAX_BYTES ((size_t)4 << 20)
#define CONF_FILES_MAX ((size_t)256)
#define CONF_TREE_MAX_BYTES ((size_t)64 << 20)
#define CONF_DEPTH_MAX ((unsigned)16)
#define CONF_INCLUDE_DEPTH_MAX ((unsigned)8)

struct conf_node {
    struct conf_node *parent;
    struct conf_node *first_child;
    struct conf_node *last_child;
    struct conf_node *next;
    const struct conf_word *words; /* words[0] is the name */
    size_t word_count;
    const struct schema_row *row; /* NULL: not known in this context */
    enum schema_context inside;   /* what its children are; SCHEMA_NONE: unknown block */
    struct conf_place open;       /* the "{" of a block */
    bool is_block;
    bool is_bad;      /* a word of it is: what it would set is not known, and not complained of */
    bool is_unclosed; /* its "}" is missing: what follows may belong to an outer block */
};

struct conf_file;

struct conf_tree {
    struct arena arena;
    struct conf_node root;          /* no words; children are the top level */
    struct conf_file *files;        /* newest first */
    const struct conf_source *main; /* the file that includes the others */
    size_t file_count;
    struct conf_report *report;
    unsigned flags;   /* enum conf_flags */
    bool is_torn;     /* where blocks end is not sure, or a part was not read */
    bool is_complete; /* false: something was not understood, so what is absent may be there */
};

void conf_tree_init(struct conf_tree *tree, struct conf_report *report, unsigned flags);
void conf_tree_fini(struct conf_tree *tree);
/* ERR_OK even when the text has errors (see the report); ERR_ABSENT, ERR_IO, ERR_LIMIT when the
 * file itself cannot be had. */
MUST_USE enum err conf_tree_parse_file(struct conf_tree *tree, const char *path);
void conf_tree_parse_text(struct conf_tree *tree, const char *name, struct span text);
#endif
