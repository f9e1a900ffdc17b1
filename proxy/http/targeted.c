/*
 * targeted - a dictionary member is a directive when its value has the directive's type: an Integer
 * for ages, true for words, a String of field names or true for no-cache and private (RFC
 * 9213 2.1). Of a wrong type, what restricts is believed all the same and what permits is not: a
 * max-age that is no whole number is not fresh. Parameters mean nothing.
 */
#include "http/targeted.h"

#include "base/check.h"
#include "http/sfv.h"

struct targeted_word {
    struct span name;
    uint32_t flag;
    bool permits; /* counts only when it is plainly true */
};

static const struct targeted_word targeted_words[] = {
    {{"no-store", 8}, HTTP_CC_NO_STORE, false},
    {{"must-revalidate", 15}, HTTP_CC_MUST_REVALIDATE, false},
    {{"proxy-revalidate", 16}, HTTP_CC_PROXY_REVALIDATE, false},
    {{"no-transform", 12}, HTTP_CC_NO_TRANSFORM, false},
    {{"public", 6}, HTTP_CC_PUBLIC, true},
    {{"immutable", 9}, HTTP_CC_IMMUTABLE, true},
    {{"must-understand", 15}, HTTP_CC_MUST_UNDERSTAND, true},
};

static bool targeted_is_false(const struct http_sfv_member *member)
{
    return member->type == HTTP_SFV_BOOLEAN && member->integer == 0;
}

/* The last of duplicates wins (RFC 8941 4.2.2), so every reading begins by taking back. */
static void targeted_word(struct http_directives *directives, const struct http_sfv_member *member,
                          const struct targeted_word *word)
{
    bool is_true = member->type == HTTP_SFV_BOOLEAN && member->integer == 1;

    directives->flags &= ~word->flag;
    if (word->permits ? is_true : !targeted_is_false(member)) {
        directives->flags |= word->flag;
    }
}

/* Void ones count as 0. */
static void targeted_age(struct http_directives *directives, const struct http_sfv_member *member,
                         uint32_t flag, uint32_t *out)
{
    bool is_valid = member->type == HTTP_SFV_INTEGER && member->integer >= 0;

    directives->flags |= flag;
    *out = !is_valid                          ? 0
           : member->integer > HTTP_AGE_MAX_S ? HTTP_AGE_MAX_S
                                              : (uint32_t)member->integer;
}

static void targeted_qualified(struct http_directives *directives,
                               const struct http_sfv_member *member, uint32_t whole, uint32_t some,
                               struct span *names)
{
    directives->flags &= ~(whole | some);
    *names = (struct span){0};
    if (targeted_is_false(member)) {
        return;
    }
    if (member->type == HTTP_SFV_STRING && http_is_name_list(member->text)) {
        directives->flags |= some;
        *names = member->text;
        return;
    }
    directives->flags |= whole;
}

static void targeted_add(struct http_directives *directives, const struct http_sfv_member *member)
{
    for (size_t i = 0; i < ARRAY_LEN(targeted_words); i++) {
        if (span_eq(member->key, targeted_words[i].name)) {
            targeted_word(directives, member, &targeted_words[i]);
            return;
        }
    }
    if (span_eq(member->key, SPAN("max-age"))) {
        targeted_age(directives, member, HTTP_CC_MAX_AGE, &directives->max_age_s);
    } else if (span_eq(member->key, SPAN("s-maxage"))) {
        targeted_age(directives, member, HTTP_CC_S_MAXAGE, &directives->s_maxage_s);
    } else if (span_eq(member->key, SPAN("stale-while-revalidate"))) {
        targeted_age(directives, member, HTTP_CC_STALE_WHILE_REVALIDATE,
                     &directives->stale_while_revalidate_s);
    } else if (span_eq(member->key, SPAN("stale-if-error"))) {
        targeted_age(directives, member, HTTP_CC_STALE_IF_ERROR, &directives->stale_if_error_s);
    } else if (span_eq(member->key, SPAN("no-cache"))) {
        targeted_qualified(directives, member, HTTP_CC_NO_CACHE, HTTP_CC_NO_CACHE_FIELDS,
                           &directives->no_cache_fields);
    } else if (span_eq(member->key, SPAN("private"))) {
        targeted_qualified(directives, member, HTTP_CC_PRIVATE, HTTP_CC_PRIVATE_FIELDS,
                           &directives->private_fields);
    }
}

/* The next line of this name; moves *at behind it. */
static const struct http_field *targeted_next(const struct http_fields *fields, struct span name,
                                              enum http_field_id id, unsigned *at)
{
    if (!http_fields_has(fields, id)) {
        return NULL;
    }
    while (*at < fields->count) {
        const struct http_field *field = &fields->items[(*at)++];
        if (field->id == id && span_eq_nocase(field->name, name)) {
            return field;
        }
    }
    return NULL;
}

bool http_targeted_parse(struct http_directives *directives, const struct http_fields *fields,
                         struct span name)
{
    enum http_field_id id = http_field_id_of(name);
    unsigned at = 0;
    unsigned lines = 0;
    bool has_empty_line = false;
    const struct http_field *field;

    *directives = (struct http_directives){0};
    while ((field = targeted_next(fields, name, id, &at)) != NULL) {
        struct span rest = field->value;
        struct http_sfv_member member;
        enum http_sfv next;
        bool is_empty = true;
        while ((next = http_sfv_next(&rest, &member)) == HTTP_SFV_MEMBER) {
            targeted_add(directives, &member);
            is_empty = false;
        }
        lines++;
        has_empty_line = has_empty_line || is_empty;
        /* Lines joined by commas are one dictionary, where nothing may stand between two. */
        if (next == HTTP_SFV_ERROR || (has_empty_line && lines > 1)) {
            *directives = (struct http_directives){0};
            return false;
        }
    }
    return lines > 0 && !has_empty_line;
}

bool http_directives_of_response(struct http_directives *directives,
                                 const struct http_fields *fields,
                                 const struct http_targeted *targeted)
{
    for (unsigned i = 0; i < targeted->count; i++) {
        if (http_targeted_parse(directives, fields, targeted->names[i])) {
            return true;
        }
    }
    http_directives_of(directives, fields);
    return false;
}
