/* template - see template.h. */
#include "conf/template.h"

#include <string.h>

static const struct {
    const char *word;
    enum conf_part part;
} words[] = {{"{host}", CONF_PART_HOST}, {"{path}", CONF_PART_PATH}, {"{query}", CONF_PART_QUERY}};

static bool word_at(struct span text, enum conf_part *part, size_t *len)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_starts(text, span_str(words[i].word))) {
            *part = words[i].part;
            *len = strlen(words[i].word);
            return true;
        }
    }
    return false;
}

bool conf_template_next(struct span *rest, enum conf_part *part, struct span *text)
{
    size_t len = 0;
    size_t at = 0;

    *text = span_of("", 0);
    if (rest->len == 0) {
        return false;
    }
    if (word_at(*rest, part, &len)) {
        *rest = span_of(rest->ptr + len, rest->len - len);
        return true;
    }
    enum conf_part ignored;
    do {
        at++;
    } while (at < rest->len && !word_at(span_of(rest->ptr + at, rest->len - at), &ignored, &len));
    *part = CONF_PART_TEXT;
    *text = span_of(rest->ptr, at);
    *rest = span_of(rest->ptr + at, rest->len - at);
    return true;
}

static bool has_byte(struct span text, char c)
{
    return text.len > 0 && memchr(text.ptr, c, text.len) != NULL;
}

static bool is_host_byte(char c)
{
    char lower = ascii_lower(c);

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '[' || c == ']' || c == ':';
}

/* Takes scheme, host and port off *rest. */
static const char *take_authority(struct span *rest)
{
    size_t at = span_starts(*rest, SPAN("https://")) ? 8 : 7;
    size_t from = at;
    bool has_host = false;

    while (at < rest->len && is_host_byte(rest->ptr[at])) {
        at++;
    }
    if (span_starts(span_of(rest->ptr + at, rest->len - at), SPAN("{host}"))) {
        if (at > from && rest->ptr[at - 1] != '.') {
            return "{host} is a whole name, or the end of one: m.{host}";
        }
        has_host = true;
        at += 6;
        if (at < rest->len && rest->ptr[at] == ':') {
            do {
                at++;
            } while (at < rest->len && rest->ptr[at] >= '0' && rest->ptr[at] <= '9');
        }
    }
    if (!has_host && (at == from || rest->ptr[from] == ':')) {
        return "there is no host behind the scheme";
    }
    *rest = span_of(rest->ptr + at, rest->len - at);
    if (rest->len > 0 && rest->ptr[0] != '/' && rest->ptr[0] != '?' &&
        !span_starts(*rest, SPAN("{path}"))) {
        return "behind host and port comes /, ? or {path}";
    }
    return NULL;
}

/* What stands behind the authority, or all of it when that begins with "/". */
static const char *check_rest(struct span rest, bool has_authority)
{
    enum conf_part part;
    struct span text;
    bool in_query = false;
    bool is_first = true;

    while (conf_template_next(&rest, &part, &text)) {
        if (part == CONF_PART_TEXT) {
            if (has_byte(text, '{') || has_byte(text, '}')) {
                return "in braces stands host, path or query";
            }
            bool is_slash = text.len == 1 && text.ptr[0] == '/';
            if (is_first && !has_authority &&
                (span_starts(text, SPAN("//")) ||
                 (is_slash && span_starts(rest, SPAN("{path}"))))) {
                return "what begins with // names a host; {path} has its own /";
            }
            in_query = in_query || has_byte(text, '?');
        } else if (part == CONF_PART_HOST && !in_query) {
            return "{host} stands behind the scheme, or behind a ?";
        } else if (part == CONF_PART_QUERY && (in_query || rest.len > 0)) {
            return "{query} has its own ?, and stands at the end";
        } else if (part == CONF_PART_PATH && is_first && !has_authority) {
            return "it must begin with http://, https:// or /";
        }
        is_first = false;
    }
    return NULL;
}

const char *conf_template_fault(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`|", c) != NULL) {
            return "it has bytes that no URL has; write them as %XX";
        }
    }
    if (!span_starts(text, SPAN("http://")) && !span_starts(text, SPAN("https://"))) {
        return text.len > 0 && text.ptr[0] == '/' ? check_rest(text, false)
                                                  : "it must begin with http://, https:// or /";
    }
    const char *fault = take_authority(&text);
    return fault != NULL ? fault : check_rest(text, true);
}
