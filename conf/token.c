/*
 * token - one pass, no backtracking, no recursion. A word without quotes and variables is a view of
 * the source; the others are put together in a scratch buffer and copied into the arena. After an
 * error inside a word the word still comes out, so that the parser can go on and find more.
 */
#include "conf/token.h"

#include <stdlib.h>

#include "conf/utf8.h"

void conf_tokenizer_init(struct conf_tokenizer *tok, const struct conf_source *source,
                         struct conf_report *report, struct arena *arena, unsigned flags)
{
    *tok = (struct conf_tokenizer){
        .source = source, .report = report, .arena = arena, .flags = flags, .line = 1, .column = 1};
    if (span_starts(source->text, SPAN(UTF8_MARK))) {
        tok->at = UTF8_MARK_BYTES; /* no column: no editor shows it */
    } else if (span_starts(source->text, SPAN("\xff\xfe")) ||
               span_starts(source->text, SPAN("\xfe\xff"))) {
        conf_report_add(report, (struct conf_place){.source = source}, NULL,
                        "this file is UTF-16; save it as UTF-8");
        tok->broken = true;
        tok->at = (uint32_t)source->text.len;
    }
}

static bool tok_at_end(const struct conf_tokenizer *tok)
{
    return tok->at >= tok->source->text.len;
}

/* The byte offset bytes ahead; NUL behind the end. */
static char tok_peek(const struct conf_tokenizer *tok, size_t offset)
{
    size_t at = tok->at + offset;

    if (at >= tok->source->text.len) {
        return '\0';
    }
    return tok->source->text.ptr[at];
}

static void tok_step(struct conf_tokenizer *tok)
{
    char c = tok_peek(tok, 0);

    tok->at++;
    if (c == '\n') {
        tok->line++;
        tok->column = 1;
    } else if (utf8_is_start(tok_peek(tok, 0)) || tok_at_end(tok)) {
        tok->column++;
    }
}

static struct conf_place tok_place(const struct conf_tokenizer *tok)
{
    return (struct conf_place){
        .source = tok->source, .offset = tok->at, .line = tok->line, .column = tok->column};
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Ends a bare word. A control byte does too; the caller of the next token meets it. */
static bool ends_bare(char c)
{
    return is_space(c) || is_control(c) || c == ';' || c == '{' || c == '}' || c == '"';
}

static void tok_give_up(struct conf_tokenizer *tok)
{
    tok->broken = true;
    tok->at = (uint32_t)tok->source->text.len;
}

static void tok_skip_blank(struct conf_tokenizer *tok)
{
    while (!tok_at_end(tok)) {
        char c = tok_peek(tok, 0);
        if (c == '#') {
            while (!tok_at_end(tok) && tok_peek(tok, 0) != '\n') {
                tok_step(tok);
            }
        } else if (is_space(c)) {
            tok_step(tok);
        } else if (span_starts(
                       span_of(tok->source->text.ptr + tok->at, tok->source->text.len - tok->at),
                       SPAN(UTF8_MARK))) {
            for (unsigned i = 0; i < UTF8_MARK_BYTES; i++) {
                tok_step(tok);
            }
        } else {
            return;
        }
    }
}

static bool is_name(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

/* The value of a variable, or NULL. Nothing of the environment shows in a sealed load. */
static const char *tok_variable(const struct conf_tokenizer *tok, struct span name)
{
    char key[128];

    if ((tok->flags & CONF_SEALED) != 0 || name.len >= sizeof(key)) {
        return NULL;
    }
    memcpy(key, name.ptr, name.len);
    key[name.len] = '\0';
    const char *value = getenv(key); /* NOLINT(concurrency-mt-unsafe): nobody here writes it */
    return value == NULL || value[0] == '\0' ? NULL : value;
}

/* Appends what ${name:-fallback} stands for. */
static void tok_expand(struct conf_tokenizer *tok, struct conf_place place, struct span name,
                       const struct span *fallback, struct buf *word)
{
    struct conf_shown shown;
    const char *value = tok_variable(tok, name);

    if (value == NULL && fallback == NULL) {
        conf_report_add(tok->report, place, NULL,
                        "environment variable %s is not set; give a default: ${%s:-VALUE}",
                        conf_show(&shown, name), shown.text);
        return;
    }
    struct span text = value == NULL ? *fallback : span_str(value);
    for (size_t i = 0; i < text.len; i++) {
        if (is_control(text.ptr[i])) {
            conf_report_add(tok->report, place, NULL,
                            "environment variable %s holds a control character",
                            conf_show(&shown, name));
            return;
        }
    }
    buf_append(word, text);
}

/* After a malformed variable: behind its "}" when that is near, so that it closes no block. */
static void tok_skip_variable(struct conf_tokenizer *tok)
{
    size_t ahead = 0;

    while (tok_peek(tok, ahead) != '}') {
        if (is_control(tok_peek(tok, ahead)) || tok_peek(tok, ahead) == ';') {
            return;
        }
        ahead++;
    }
    for (size_t i = 0; i <= ahead; i++) {
        tok_step(tok);
    }
}

/* At "${": reads up to "}". */
static void tok_read_variable(struct conf_tokenizer *tok, struct buf *word)
{
    struct conf_place place = tok_place(tok);
    const char *text = tok->source->text.ptr;

    tok_step(tok);
    tok_step(tok);
    uint32_t start = tok->at;
    while (is_name(tok_peek(tok, 0), tok->at == start)) {
        tok_step(tok);
    }
    struct span name = span_of(text + start, tok->at - start);
    struct span fallback = {0};
    bool has_fallback = tok_peek(tok, 0) == ':' && tok_peek(tok, 1) == '-';
    if (has_fallback) {
        tok_step(tok);
        tok_step(tok);
        start = tok->at;
        while (tok_peek(tok, 0) != '}' && !is_control(tok_peek(tok, 0))) {
            tok_step(tok);
        }
        fallback = span_of(text + start, tok->at - start);
    }
    if (name.len == 0 || tok_peek(tok, 0) != '}') {
        conf_report_add(tok->report, place, NULL,
                        "a variable is written ${NAME} or ${NAME:-default}");
        tok_skip_variable(tok);
        return;
    }
    tok_step(tok);
    tok_expand(tok, place, name, has_fallback ? &fallback : NULL, word);
}

static void tok_take(struct conf_tokenizer *tok, struct buf *word)
{
    if (tok_peek(tok, 0) == '$' && tok_peek(tok, 1) == '{') {
        tok_read_variable(tok, word);
        return;
    }
    buf_putc(word, tok_peek(tok, 0));
    tok_step(tok);
}

static void tok_escape(struct conf_tokenizer *tok, struct buf *word)
{
    char c = tok_peek(tok, 1);

    if (c == '"' || c == '\\' || c == '$') {
        tok_step(tok);
    } else {
        static const char *const escapes[] = {"\\\"", "\\\\", "\\$"};
        const struct conf_advice advice = {.allowed = escapes, .allowed_count = ARRAY_LEN(escapes)};
        conf_report_add(tok->report, tok_place(tok), &advice, "unknown escape in a quoted word");
    }
    buf_putc(word, tok_peek(tok, 0));
    tok_step(tok);
}

/* A fault with quotes: told once in a directive, since the next ones follow from it. */
static void tok_lose_quote(struct conf_tokenizer *tok, struct conf_place place, const char *fault)
{
    if (!tok->lost_quote) {
        conf_report_add(tok->report, place, NULL, "%s", fault);
    }
    tok->lost_quote = true;
}

/* At a quote: is there another on this line? */
static bool tok_quote_is_closed(const struct conf_tokenizer *tok)
{
    size_t ahead = 1;

    if (tok->unclosed_line == tok->line) {
        return false; /* looked at before: a line of many quotes is not looked through for each */
    }
    while (tok_peek(tok, ahead) != '"') {
        if (is_control(tok_peek(tok, ahead))) { /* also the end */
            return false;
        }
        ahead += tok_peek(tok, ahead) == '\\' && !is_control(tok_peek(tok, ahead + 1)) ? 2 : 1;
    }
    return true;
}

/* Behind a quote without another: most likely that one belongs before the next sign, so all behind
 * it is read as if it stood there. */
static void tok_read_unclosed(struct conf_tokenizer *tok, struct buf *word)
{
    char last = '"';
    char c = tok_peek(tok, 0);

    while (!is_control(c) && c != ';' && c != '{' && c != '}' && (c != '#' || !is_space(last))) {
        tok_take(tok, word);
        last = c;
        c = tok_peek(tok, 0);
    }
}

static void tok_read_quoted(struct conf_tokenizer *tok, struct buf *word)
{
    struct conf_place place = tok_place(tok);
    bool is_closed = tok_quote_is_closed(tok);

    tok_step(tok);
    if (!is_closed) {
        tok->unclosed_line = tok->line;
        tok_lose_quote(tok, place, "this quote is not closed on its line");
        tok_read_unclosed(tok, word);
        return;
    }
    while (tok_peek(tok, 0) != '"') {
        if (is_control(tok_peek(tok, 0))) { /* the other quote belonged to a variable */
            tok_lose_quote(tok, place, "this quote is not closed on its line");
            return;
        }
        if (tok_peek(tok, 0) == '\\' && !is_control(tok_peek(tok, 1))) {
            tok_escape(tok, word);
        } else {
            tok_take(tok, word);
        }
    }
    tok_step(tok);
    if (!tok_at_end(tok) && (!ends_bare(tok_peek(tok, 0)) || tok_peek(tok, 0) == '"')) {
        tok_lose_quote(tok, tok_place(tok), "a space or \";\" is missing behind the quoted word");
    }
}

/* Puts a word together that is more than plain bytes. */
static void tok_read_parts(struct conf_tokenizer *tok, struct buf *word, bool *quoted)
{
    if (word->len == 0 && tok_peek(tok, 0) == '"') {
        *quoted = true;
        tok_read_quoted(tok, word);
        return;
    }
    while (!tok_at_end(tok) && !ends_bare(tok_peek(tok, 0))) {
        tok_take(tok, word);
    }
    if (tok_peek(tok, 0) != '"') {
        return;
    }
    if (word->len == 0 || word->data[word->len - 1] != '=') { /* name="value" */
        tok_lose_quote(tok, tok_place(tok), "a quote may only begin a word or follow \"=\"");
    }
    tok_read_quoted(tok, word);
}

/* At the "{" of an address like https://a.example{path}, which is meant to be part of it: reads the
 * rest as if it were in quotes, so that this is one fault. */
static void tok_read_address(struct conf_tokenizer *tok, uint32_t start, struct conf_word *word)
{
    struct span text = span_of(tok->source->text.ptr + start, tok->at - start);
    struct conf_shown shown;

    if (tok_peek(tok, 0) != '{' || !is_name(tok_peek(tok, 1), true) ||
        memmem(text.ptr, text.len, "://", 3) == NULL) {
        return;
    }
    while (!is_control(tok_peek(tok, 0)) && !is_space(tok_peek(tok, 0)) &&
           tok_peek(tok, 0) != ';') {
        tok_step(tok);
    }
    text.len = tok->at - start;
    conf_report_add(tok->report, word->place, NULL,
                    "put the URL in quotes, because of its \"{\": \"%s\"", conf_show(&shown, text));
}

static void tok_read_word(struct conf_tokenizer *tok, struct conf_word *word)
{
    uint32_t start = tok->at;
    size_t problems = conf_report_count(tok->report);
    struct buf parts;
    bool too_long = false;

    while (!tok_at_end(tok) && !ends_bare(tok_peek(tok, 0)) &&
           !(tok_peek(tok, 0) == '$' && tok_peek(tok, 1) == '{')) {
        tok_step(tok);
    }
    tok_read_address(tok, start, word);
    struct span plain = span_of(tok->source->text.ptr + start, tok->at - start);
    char next = tok_peek(tok, 0);
    if (tok_at_end(tok) || (next != '"' && next != '$')) {
        word->text = plain;
    } else {
        buf_init(&parts, CONF_WORD_MAX_BYTES);
        buf_append(&parts, plain);
        tok_read_parts(tok, &parts, &word->quoted);
        word->text = arena_copy(tok->arena, buf_span(&parts));
        too_long = parts.failed;
        buf_free(&parts);
        if (word->text.ptr == NULL) {
            tok_give_up(tok);
        }
    }
    if (too_long || word->text.len > CONF_WORD_MAX_BYTES) {
        conf_report_add(tok->report, word->place, NULL, "this word is longer than %zu bytes",
                        CONF_WORD_MAX_BYTES);
        word->text.len = 0;
    }
    word->is_bad = conf_report_count(tok->report) > problems;
    word->end_offset = tok->at;
    word->end_column = tok->column;
}

enum conf_token_kind conf_token_next(struct conf_tokenizer *tok, struct conf_word *word)
{
    tok_skip_blank(tok);
    *word = (struct conf_word){.place = tok_place(tok)};
    if (tok_at_end(tok)) {
        return CONF_TOKEN_END;
    }
    char c = tok_peek(tok, 0);
    if (is_control(c)) {
        conf_report_add(tok->report, word->place, NULL,
                        "this is not a text file: byte 0x%02x; the rest was not read",
                        (unsigned)(unsigned char)c);
        tok_give_up(tok);
        return CONF_TOKEN_END;
    }
    if (c == ';' || c == '{' || c == '}') {
        tok_step(tok);
        return c == ';' ? CONF_TOKEN_SEMICOLON : c == '{' ? CONF_TOKEN_OPEN : CONF_TOKEN_CLOSE;
    }
    tok_read_word(tok, word);
    return CONF_TOKEN_WORD;
}
