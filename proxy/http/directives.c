/*
 * directives - Cache-Control = #cache-directive; cache-directive = token [ "=" ( token / quoted ) ]
 * (RFC 9111 5.2). No white space is allowed around "="; an age written so is void, and a void
 * max-age means stale, because the sender wanted some limit.
 */
#include "http/directives.h"

#include "base/check.h"
#include "http/scan.h"

struct directive {
    struct span name;
    struct span value; /* without quotes; NULL ptr when there is none */
    bool quoted;
    bool malformed; /* junk behind the name or the value, or an open quote */
};

/* Splits one list member. */
static struct directive directive_split(struct span member)
{
    const char *end = member.ptr + member.len;
    const char *stop = http_scan_token(member.ptr, end);
    struct directive result = {.name = span_of(member.ptr, (size_t)(stop - member.ptr))};

    if (stop == end) {
        return result;
    }
    if (*stop != '=') {
        result.malformed = true;
        return result;
    }
    struct span value = span_of(stop + 1, (size_t)(end - stop) - 1);
    if (value.len > 0 && value.ptr[0] == '"') {
        result.quoted = true;
        size_t at = 1;
        while (at < value.len && value.ptr[at] != '"') {
            at += value.ptr[at] == '\\' ? 2 : 1;
        }
        result.malformed = at + 1 != value.len;
        result.value = span_of(value.ptr + 1, (at < value.len ? at : value.len) - 1);
        return result;
    }
    result.value = value;
    result.malformed = !http_is_token(value);
    return result;
}

bool http_seconds_parse(struct span text, uint32_t *out)
{
    uint64_t value = 0;

    if (text.len == 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.ptr[i] - '0';
        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit;
        if (value > HTTP_AGE_MAX_S) {
            value = HTTP_AGE_MAX_S;
        }
    }
    *out = (uint32_t)value;
    return true;
}

/* An age; void ones count as 0. The first one wins. */
static void directive_age(struct http_directives *directives, const struct directive *directive,
                          uint32_t flag, uint32_t *out)
{
    if ((directives->flags & flag) != 0) {
        return;
    }
    directives->flags |= flag;
    if (directive->malformed || !http_seconds_parse(directive->value, out)) {
        *out = 0;
    }
}

bool http_is_name_list(struct span list)
{
    struct span member;
    bool has_some = false;

    while (http_list_next(&list, &member)) {
        if (!http_is_token(member)) {
            return false;
        }
        has_some = true;
    }
    return has_some;
}

/* no-cache and private: with field names they restrict those fields, else the whole response. A
 * second list, or one we cannot read, counts as the whole. */
static void directive_qualified(struct http_directives *directives,
                                const struct directive *directive, uint32_t whole, uint32_t some,
                                struct span *names)
{
    if (directive->malformed || !http_is_name_list(directive->value) ||
        (directives->flags & some) != 0) {
        directives->flags |= whole;
        return;
    }
    directives->flags |= some;
    *names = directive->value;
}

struct directive_name {
    struct span name;
    uint32_t flag;
};

/* Words that allow more: not when there is junk behind them. */
#define DIRECTIVE_PERMITS (HTTP_CC_PUBLIC | HTTP_CC_IMMUTABLE | HTTP_CC_MUST_UNDERSTAND)

/* Those that are a word alone. A value behind them changes nothing. */
static const struct directive_name directive_words[] = {
    {{"no-store", 8}, HTTP_CC_NO_STORE},
    {{"public", 6}, HTTP_CC_PUBLIC},
    {{"must-revalidate", 15}, HTTP_CC_MUST_REVALIDATE},
    {{"immutable", 9}, HTTP_CC_IMMUTABLE},
    {{"proxy-revalidate", 16}, HTTP_CC_PROXY_REVALIDATE},
    {{"no-transform", 12}, HTTP_CC_NO_TRANSFORM},
    {{"only-if-cached", 14}, HTTP_CC_ONLY_IF_CACHED},
    {{"must-understand", 15}, HTTP_CC_MUST_UNDERSTAND},
};

static bool directive_is(const struct directive *directive, struct span name)
{
    return span_eq_nocase(directive->name, name);
}

static void directive_add(struct http_directives *directives, const struct directive *directive)
{
    for (size_t i = 0; i < ARRAY_LEN(directive_words); i++) {
        if (directive_is(directive, directive_words[i].name)) {
            if (!directive->malformed || (directive_words[i].flag & DIRECTIVE_PERMITS) == 0) {
                directives->flags |= directive_words[i].flag;
            }
            return;
        }
    }
    if (directive_is(directive, SPAN("max-age"))) {
        directive_age(directives, directive, HTTP_CC_MAX_AGE, &directives->max_age_s);
    } else if (directive_is(directive, SPAN("s-maxage"))) {
        directive_age(directives, directive, HTTP_CC_S_MAXAGE, &directives->s_maxage_s);
    } else if (directive_is(directive, SPAN("no-cache"))) {
        directive_qualified(directives, directive, HTTP_CC_NO_CACHE, HTTP_CC_NO_CACHE_FIELDS,
                            &directives->no_cache_fields);
    } else if (directive_is(directive, SPAN("private"))) {
        directive_qualified(directives, directive, HTTP_CC_PRIVATE, HTTP_CC_PRIVATE_FIELDS,
                            &directives->private_fields);
    } else if (directive_is(directive, SPAN("stale-while-revalidate"))) {
        directive_age(directives, directive, HTTP_CC_STALE_WHILE_REVALIDATE,
                      &directives->stale_while_revalidate_s);
    } else if (directive_is(directive, SPAN("stale-if-error"))) {
        directive_age(directives, directive, HTTP_CC_STALE_IF_ERROR, &directives->stale_if_error_s);
    } else if (directive_is(directive, SPAN("min-fresh"))) {
        directive_age(directives, directive, HTTP_CC_MIN_FRESH, &directives->min_fresh_s);
    } else if (directive_is(directive, SPAN("max-stale"))) {
        if (directive->value.ptr == NULL && !directive->malformed &&
            !http_directives_has(directives, HTTP_CC_MAX_STALE)) {
            directives->flags |= HTTP_CC_MAX_STALE;
            directives->max_stale_s = HTTP_AGE_MAX_S;
        } else {
            directive_age(directives, directive, HTTP_CC_MAX_STALE, &directives->max_stale_s);
        }
    }
}

void http_directives_parse(struct http_directives *directives, struct span value)
{
    struct span member;

    while (http_list_next(&value, &member)) {
        struct directive directive = directive_split(member);
        directive_add(directives, &directive);
    }
}

void http_directives_of(struct http_directives *directives, const struct http_fields *fields)
{
    unsigned at = 0;
    const struct http_field *field;

    *directives = (struct http_directives){0};
    while ((field = http_fields_next(fields, HTTP_FIELD_CACHE_CONTROL, &at)) != NULL) {
        http_directives_parse(directives, field->value);
    }
}

void http_directives_of_request(struct http_directives *directives,
                                const struct http_fields *fields)
{
    http_directives_of(directives, fields);
    if (http_fields_has(fields, HTTP_FIELD_PRAGMA) &&
        !http_fields_has(fields, HTTP_FIELD_CACHE_CONTROL) &&
        http_fields_has_token(fields, HTTP_FIELD_PRAGMA, SPAN("no-cache"))) {
        directives->flags |= HTTP_CC_NO_CACHE;
    }
}
