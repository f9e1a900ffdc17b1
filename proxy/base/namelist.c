/* namelist - see namelist.h. */
#include "base/namelist.h"

#include "base/hostname.h"

#define BYTE_ORDER_MARK SPAN("\xef\xbb\xbf")

/* What hosts files say of the machine they lie on. */
static bool is_own_name(struct span word)
{
    static const char *const names[] = {
        "localhost",     "localhost.localdomain", "localhost4",   "localhost6",   "local",
        "broadcasthost", "ip6-localhost",         "ip6-loopback", "ip6-localnet", "ip6-mcastprefix",
        "ip6-allnodes",  "ip6-allrouters",        "ip6-allhosts", "localdomain",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (span_eq_nocase(word, span_str(names[i]))) {
            return true;
        }
    }
    return false;
}

static const char *why_bad(struct span word)
{
    for (size_t i = 0; i < word.len; i++) {
        if ((unsigned char)word.ptr[i] >= 0x80) {
            return "is not written as in DNS: xn--...";
        }
    }
    return "is not NAME, *.NAME, .NAME or an address";
}

const char *namelist_add(struct nameset *set, struct span word)
{
    char room[HOSTNAME_BYTES];
    struct sockaddr_storage address;
    struct span name;
    struct span rest = word;
    unsigned forms = NAMESET_EXACT;

    if (span_starts(word, SPAN("*."))) {
        forms = NAMESET_BELOW;
        rest = span_of(word.ptr + 2, word.len - 2);
    } else if (span_starts(word, SPAN("."))) {
        forms = NAMESET_EXACT | NAMESET_BELOW;
        rest = span_of(word.ptr + 1, word.len - 1);
    }
    enum hostname_kind kind = hostname_read(rest, room, &name, &address);
    if (kind == HOSTNAME_BAD) {
        return why_bad(word);
    }
    if (kind == HOSTNAME_ADDRESS && forms != NAMESET_EXACT) {
        return "has nothing below it: it is an address";
    }
    return nameset_add(set, name, forms) ? NULL : "does not fit into memory";
}

/* The next word of a line, up to white space or a comment; empty: there is none. */
static struct span next_word(struct span *line)
{
    size_t at = 0;
    while (at < line->len && (line->ptr[at] == ' ' || line->ptr[at] == '\t')) {
        at++;
    }
    size_t start = at;
    while (at < line->len && line->ptr[at] != ' ' && line->ptr[at] != '\t' &&
           line->ptr[at] != '#') {
        at++;
    }
    struct span word = span_of(line->ptr + start, at - start);
    bool is_comment = at < line->len && line->ptr[at] == '#';
    *line = is_comment ? span_of(line->ptr, 0) : span_of(line->ptr + at, line->len - at);
    return word;
}

static bool is_address(struct span word)
{
    static const struct span usual[] = {{"0.0.0.0", 7}, {"127.0.0.1", 9}, {"::", 2}, {"::1", 3}};
    char room[HOSTNAME_BYTES];
    struct sockaddr_storage address;
    struct span name;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        if (span_eq(word, usual[i])) {
            return true; /* of half a million lines */
        }
    }
    const char *zone = word.len == 0 ? NULL : memchr(word.ptr, '%', word.len);
    if (zone != NULL) { /* fe80::1%lo0 */
        word.len = (size_t)(zone - word.ptr);
    }
    return hostname_read(word, room, &name, &address) == HOSTNAME_ADDRESS;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *line_read(struct nameset *set, struct span line, struct span *bad)
{
    struct span first = next_word(&line);
    struct span word = next_word(&line);
    const char *why = NULL;

    *bad = first;
    if (first.len == 0) {
        return NULL;
    }
    if (word.len == 0) {
        return namelist_add(set, first);
    }
    if (!is_address(first)) {
        return "stands before another word, and is not an address";
    }
    for (; word.len > 0 && why == NULL; word = next_word(&line)) {
        *bad = word;
        bool may_be_address =
            is_digit(word.ptr[word.len - 1]) || memchr(word.ptr, ':', word.len) != NULL;
        if (!is_own_name(word) && !(may_be_address && is_address(word))) {
            why = namelist_add(set, word);
        }
    }
    return why;
}

/* Without its end. */
static struct span next_line(struct span *text)
{
    const char *end = memchr(text->ptr, '\n', text->len);
    size_t len = end == NULL ? text->len : (size_t)(end - text->ptr);
    size_t used = end == NULL ? len : len + 1;
    struct span line = span_of(text->ptr, len);
    *text = span_of(text->ptr + used, text->len - used);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    return line;
}

size_t namelist_read(struct nameset *set, struct span text,
                     void (*tell)(void *ctx, const struct namelist_fault *fault), void *ctx)
{
    size_t bad = 0;
    struct namelist_fault fault = {0};

    if (span_starts(text, BYTE_ORDER_MARK)) {
        text = span_of(text.ptr + BYTE_ORDER_MARK.len, text.len - BYTE_ORDER_MARK.len);
    }
    while (text.len > 0) {
        fault.line++;
        fault.why = line_read(set, next_line(&text), &fault.word);
        if (fault.why != NULL) {
            bad++;
            tell(ctx, &fault);
        }
    }
    return bad;
}

size_t namelist_lines(struct span text)
{
    size_t lines = text.len > 0 ? 1 : 0;
    const char *at = text.ptr;
    const char *end = text.ptr + text.len;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        lines++;
        at++;
    }
    return lines;
}
