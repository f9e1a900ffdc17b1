/*
 * parse - words and signs into a tree.
 *
 *   file      = *directive
 *   directive = 1*word ( ";" / "{" *directive "}" )
 *
 * Blocks nest by a pointer to the open node, not by recursion; files nest by one call per include,
 * at most 8. A forgotten ";" is recognised where the next line begins with a directive of this
 * block, so that one slip is one message and not a chain of them.
 */
#include "conf/parse.h"

#include "base/mem.h"
#include "conf/include.h"

struct parser {
    struct conf_tree *tree;
    const struct conf_file *file;
    struct conf_tokenizer tok;
    struct conf_node *base;   /* where this file's directives go */
    struct conf_node *parent; /* the open block */
    unsigned depth;           /* of parent below the root */
    struct conf_word *words;  /* of the directive being read */
    size_t count;
    size_t cap;
};

void conf_tree_init(struct conf_tree *tree, struct conf_report *report, unsigned flags)
{
    *tree = (struct conf_tree){.report = report, .flags = flags, .is_complete = true};
    arena_init(&tree->arena, CONF_TREE_MAX_BYTES);
    tree->root.inside = SCHEMA_MAIN;
    tree->root.is_block = true;
}

void conf_tree_fini(struct conf_tree *tree)
{
    conf_files_free(tree);
    arena_reset(&tree->arena);
}

static void parser_out_of_memory(struct parser *parser, struct conf_place place)
{
    if (!parser->tok.broken) {
        conf_report_add(parser->tree->report, place, NULL,
                        "the configuration is too large; the rest was not read");
    }
    parser->tok.broken = true;
    parser->tok.at = (uint32_t)parser->file->source.text.len;
}

static void parser_add_word(struct parser *parser, const struct conf_word *word)
{
    if (parser->count == parser->cap) {
        size_t cap = parser->cap == 0 ? 16 : parser->cap * 2;
        struct conf_word *words = mem_try_resize(parser->words, cap * sizeof(*words));
        if (words == NULL) {
            parser_out_of_memory(parser, word->place);
            return;
        }
        parser->words = words;
        parser->cap = cap;
    }
    parser->words[parser->count++] = *word;
}

/* Makes a node of the words read and hangs it into the open block. NULL: no memory. */
static struct conf_node *parser_add_node(struct parser *parser)
{
    struct conf_node *parent = parser->parent;
    struct conf_node *node = arena_alloc(&parser->tree->arena, sizeof(*node));
    struct span words =
        arena_copy(&parser->tree->arena,
                   span_of((const char *)parser->words, parser->count * sizeof(*parser->words)));

    if (node == NULL || words.ptr == NULL) {
        return NULL;
    }
    *node = (struct conf_node){.parent = parent,
                               .words = (const struct conf_word *)(const void *)words.ptr,
                               .word_count = parser->count};
    if (parser->count > 0) {
        node->row = schema_find(parent->inside, parser->words[0].text);
    }
    for (size_t i = 0; i < parser->count; i++) {
        node->is_bad = node->is_bad || parser->words[i].is_bad;
    }
    parser->count = 0;
    parser->tree->is_torn = parser->tree->is_torn || parser->tok.lost_quote;
    parser->tok.lost_quote = false;
    return node;
}

static void parser_link(struct conf_node *parent, struct conf_node *node)
{
    if (parent->last_child == NULL) {
        parent->first_child = node;
    } else {
        parent->last_child->next = node;
    }
    parent->last_child = node;
}

/* At ";" or where one belongs. */
static void parser_end_directive(struct parser *parser, struct conf_place place)
{
    struct conf_node *node = parser_add_node(parser);

    if (node == NULL) {
        parser_out_of_memory(parser, place);
    } else if (node->row != NULL && node->row->type == SCHEMA_INCLUDE) {
        conf_include(parser->tree, parser->file, parser->parent, node);
    } else {
        parser_link(parser->parent, node);
    }
}

static void parser_missing_semicolon(struct parser *parser)
{
    const struct conf_word *last = &parser->words[parser->count - 1];
    struct conf_place place = last->place;
    struct span text = last->text;
    struct conf_shown shown;

    if (last->is_bad) { /* as written, since its value is not known */
        text = span_of(place.source->text.ptr + place.offset, last->end_offset - place.offset);
    }
    place.offset = last->end_offset;
    place.line = last->place.line;
    place.column = last->end_column;
    if (!parser->tok.lost_quote) { /* which took the ";" with it, or may go on in the next line */
        conf_report_add(parser->tree->report, place, NULL, "missing \";\" after \"%s\"",
                        conf_show(&shown, text));
    }
    parser_end_directive(parser, place);
}

static void parser_on_word(struct parser *parser, const struct conf_word *word)
{
    if (parser->count > 0 && !word->quoted &&
        word->place.line > parser->words[parser->count - 1].place.line &&
        schema_find(parser->parent->inside, word->text) != NULL) {
        parser_missing_semicolon(parser);
    }
    parser_add_word(parser, word);
}

static void parser_on_open(struct parser *parser, struct conf_place place)
{
    if (parser->count == 0) {
        conf_report_add(parser->tree->report, place, NULL, "\"{\" without a directive before it");
        parser->tree->is_torn = true;
    }
    struct conf_node *node = parser_add_node(parser);
    if (node == NULL) {
        parser_out_of_memory(parser, place);
        return;
    }
    node->is_block = true;
    node->open = place;
    node->inside = node->row == NULL ? SCHEMA_NONE : node->row->block;
    if (node->word_count > 0) {
        parser_link(parser->parent, node);
    }
    parser->parent = node;
    parser->depth++;
    if (parser->depth > CONF_DEPTH_MAX) {
        conf_report_add(parser->tree->report, place, NULL,
                        "blocks are nested deeper than %u; the rest was not read", CONF_DEPTH_MAX);
        parser->tok.broken = true;
        parser->tok.at = (uint32_t)parser->file->source.text.len;
    }
}

static void parser_on_close(struct parser *parser, struct conf_place place)
{
    if (parser->count > 0) {
        parser_missing_semicolon(parser);
    }
    if (parser->parent == parser->base) {
        conf_report_add(parser->tree->report, place, NULL, "unexpected \"}\": no block is open");
        parser->tree->is_torn = true;
        return;
    }
    parser->parent = parser->parent->parent;
    parser->depth--;
}

static void parser_on_end(struct parser *parser)
{
    struct conf_shown shown;

    if (parser->tok.broken) {
        parser->tree->is_torn = true;
        return;
    }
    if (parser->count > 0) {
        parser_missing_semicolon(parser);
    }
    for (; parser->parent != parser->base; parser->parent = parser->parent->parent) {
        struct conf_node *node = parser->parent;
        node->is_unclosed = true;
        parser->tree->is_torn = true;
        if (node->word_count > 0) {
            conf_report_add(parser->tree->report, node->words[0].place, NULL,
                            "this \"%s\" block is never closed; a \"}\" is missing",
                            conf_show(&shown, node->words[0].text));
        }
    }
}

static void parser_run(struct parser *parser)
{
    struct conf_word word;
    enum conf_token_kind kind;

    do {
        kind = conf_token_next(&parser->tok, &word);
        switch (kind) {
        case CONF_TOKEN_WORD:
            parser_on_word(parser, &word);
            break;
        case CONF_TOKEN_SEMICOLON:
            if (parser->count > 0) {
                parser_end_directive(parser, word.place);
            } else {
                conf_report_add(parser->tree->report, word.place, NULL,
                                "unexpected \";\": no directive before it");
            }
            break;
        case CONF_TOKEN_OPEN:
            parser_on_open(parser, word.place);
            break;
        case CONF_TOKEN_CLOSE:
            parser_on_close(parser, word.place);
            break;
        case CONF_TOKEN_END:
            parser_on_end(parser);
            break;
        }
    } while (kind != CONF_TOKEN_END);
}

void conf_parse_source(struct conf_tree *tree, const struct conf_file *file,
                       struct conf_node *parent)
{
    struct parser parser = {.tree = tree, .file = file, .base = parent, .parent = parent};

    for (const struct conf_node *at = parent; at->parent != NULL; at = at->parent) {
        parser.depth++;
    }
    conf_tokenizer_init(&parser.tok, &file->source, tree->report, &tree->arena, tree->flags);
    parser_run(&parser);
    mem_free(parser.words);
    tree->is_complete = conf_report_count(tree->report) == 0;
}

enum err conf_tree_parse_file(struct conf_tree *tree, const char *path)
{
    struct conf_file *file;
    enum err err = conf_file_read(tree, path, NULL, (struct conf_place){0}, &file);

    if (err == ERR_OK) {
        conf_parse_source(tree, file, &tree->root);
    }
    return err;
}

void conf_tree_parse_text(struct conf_tree *tree, const char *name, struct span text)
{
    struct conf_file *file = conf_file_new(tree, name, text);

    CHECK(file != NULL);
    if (text.len > CONF_FILE_MAX_BYTES) {
        conf_report_add(tree->report, (struct conf_place){.source = &file->source}, NULL,
                        "the text is larger than 4M");
        tree->is_complete = false;
        return;
    }
    conf_parse_source(tree, file, &tree->root);
}
