#ifndef CONF_TOKEN_H
#define CONF_TOKEN_H
/*
 * token - text into words and the three signs `;` `{` `}`. Quotes, escapes and ${ENV:-default} are
 * resolved here, so that a word is final; an environment value never splits into several words.
 *
 *   word    = quoted / bare
 *   bare    = 1*( any byte but white space ; { } " and control bytes / variable ) [ "=" quoted ]
 *   quoted  = DQUOTE *( byte / "\" ( DQUOTE / "\" / "$" ) / variable ) DQUOTE   ; on one line
 *   variable= "${" name [ ":-" default ] "}"
 *   comment = "#" at the start of a word, up to the end of the line
 *
 * A byte order mark where a word may begin is skipped: editors put one at the start of a file, and
 * `cat` leaves it in the middle.
 *
 * Ownership: a word's bytes lie in the source text or in the arena.
 */
#include "base/arena.h"
#include "conf/report.h"

#define CONF_WORD_MAX_BYTES ((size_t)65536)

enum conf_token_kind {
    CONF_TOKEN_WORD,
    CONF_TOKEN_SEMICOLON,
    CONF_TOKEN_OPEN,
    CONF_TOKEN_CLOSE,
    CONF_TOKEN_END,
};

struct conf_word {
    struct span text;
    struct conf_place place;
    uint32_t end_offset; /* just behind the word, where a missing ";" belongs */
    uint32_t end_column;
    bool quoted;
    bool is_bad; /* the report says why; its text is not what was meant */
};

struct conf_tokenizer {
    const struct conf_source *source;
    struct conf_report *report;
    struct arena *arena;
    unsigned flags; /* enum conf_flags */
    uint32_t at;
    uint32_t line;
    uint32_t column;
    bool broken; /* not a text file or out of memory: the rest was not read */
    /* A quote of this directive has no other end: the quotes that follow may be it, and a sign may
     * be missing. The parser clears it where the directive ends. */
    bool lost_quote;
    uint32_t unclosed_line; /* the last one with a quote that has no other end */
};

void conf_tokenizer_init(struct conf_tokenizer *tok, const struct conf_source *source,
                         struct conf_report *report, struct arena *arena, unsigned flags);
/* The next token; word is filled for every kind (place), and holds text for CONF_TOKEN_WORD. */
enum conf_token_kind conf_token_next(struct conf_tokenizer *tok, struct conf_word *word);
#endif
