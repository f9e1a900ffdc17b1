/*
 * sfv - sf-dictionary = dict-member *( OWS "," OWS dict-member )
 *       dict-member   = key ( parameters / "=" ( item / inner-list ) )
 *       inner-list    = "(" *SP [ item *( 1*SP item ) *SP ] ")" parameters
 *       item          = bare-item parameters
 *       parameters    = *( ";" *SP key [ "=" bare-item ] )
 */
#include "http/sfv.h"

#include "http/scan.h"

#define SFV_INTEGER_DIGITS 15u /* RFC 8941 4.2.4 */
#define SFV_WHOLE_DIGITS 12u   /* of a decimal */
#define SFV_FRACTION_DIGITS 3u

struct sfv_cursor {
    const char *at;
    const char *end;
};

static bool sfv_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool sfv_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool sfv_is_alpha(char c)
{
    return sfv_is_lower(ascii_lower(c));
}

/* Is this the next byte? Then steps over it. */
static bool sfv_take(struct sfv_cursor *cursor, char wanted)
{
    if (cursor->at == cursor->end || *cursor->at != wanted) {
        return false;
    }
    cursor->at++;
    return true;
}

static void sfv_skip_spaces(struct sfv_cursor *cursor)
{
    while (sfv_take(cursor, ' ')) {
    }
}

static void sfv_skip_blanks(struct sfv_cursor *cursor)
{
    while (sfv_take(cursor, ' ') || sfv_take(cursor, '\t')) {
    }
}

static bool sfv_key(struct sfv_cursor *cursor, struct span *key)
{
    const char *from = cursor->at;

    if (from == cursor->end || !(sfv_is_lower(*from) || *from == '*')) {
        return false;
    }
    while (cursor->at < cursor->end &&
           (sfv_is_lower(*cursor->at) || sfv_is_digit(*cursor->at) || *cursor->at == '_' ||
            *cursor->at == '-' || *cursor->at == '.' || *cursor->at == '*')) {
        cursor->at++;
    }
    *key = span_of(from, (size_t)(cursor->at - from));
    return true;
}

/* [ "-" ] 1*15DIGIT, or [ "-" ] 1*12DIGIT "." 1*3DIGIT (4.2.4) */
static bool sfv_number(struct sfv_cursor *cursor, struct http_sfv_member *item)
{
    const char *from = cursor->at;
    bool is_negative = sfv_take(cursor, '-');
    const char *digits = cursor->at;
    int64_t value = 0;

    while (cursor->at < cursor->end && sfv_is_digit(*cursor->at)) {
        if ((size_t)(cursor->at - digits) == SFV_INTEGER_DIGITS) {
            return false;
        }
        value = value * 10 + (*cursor->at++ - '0');
    }
    size_t count = (size_t)(cursor->at - digits);
    if (count == 0) {
        return false;
    }
    item->type = HTTP_SFV_INTEGER;
    item->integer = is_negative ? -value : value;
    if (sfv_take(cursor, '.')) {
        const char *fraction = cursor->at;
        while (cursor->at < cursor->end && sfv_is_digit(*cursor->at)) {
            cursor->at++;
        }
        size_t after = (size_t)(cursor->at - fraction);
        if (count > SFV_WHOLE_DIGITS || after == 0 || after > SFV_FRACTION_DIGITS) {
            return false;
        }
        item->type = HTTP_SFV_DECIMAL;
    }
    item->text = span_of(from, (size_t)(cursor->at - from));
    return true;
}

static bool sfv_string(struct sfv_cursor *cursor, struct http_sfv_member *item)
{
    cursor->at++;
    const char *from = cursor->at;
    for (; cursor->at < cursor->end && *cursor->at != '"'; cursor->at++) {
        if (*cursor->at == '\\') {
            item->has_escapes = true;
            cursor->at++;
            if (cursor->at == cursor->end || (*cursor->at != '"' && *cursor->at != '\\')) {
                return false;
            }
        } else if (*cursor->at < 0x20 || *cursor->at > 0x7e) {
            return false;
        }
    }
    item->type = HTTP_SFV_STRING;
    item->text = span_of(from, (size_t)(cursor->at - from));
    return sfv_take(cursor, '"');
}

static bool sfv_token(struct sfv_cursor *cursor, struct http_sfv_member *item)
{
    const char *from = cursor->at;

    while (cursor->at < cursor->end && (http_byte_is(*cursor->at, HTTP_BYTE_TOKEN) ||
                                        *cursor->at == ':' || *cursor->at == '/')) {
        cursor->at++;
    }
    item->type = HTTP_SFV_TOKEN;
    item->text = span_of(from, (size_t)(cursor->at - from));
    return true;
}

/* The base64 is judged by its alphabet only: nobody here decodes it. */
static bool sfv_bytes(struct sfv_cursor *cursor, struct http_sfv_member *item)
{
    cursor->at++;
    const char *from = cursor->at;
    while (cursor->at < cursor->end &&
           (sfv_is_alpha(*cursor->at) || sfv_is_digit(*cursor->at) || *cursor->at == '+' ||
            *cursor->at == '/' || *cursor->at == '=')) {
        cursor->at++;
    }
    item->type = HTTP_SFV_BYTES;
    item->text = span_of(from, (size_t)(cursor->at - from));
    return sfv_take(cursor, ':');
}

static bool sfv_boolean(struct sfv_cursor *cursor, struct http_sfv_member *item)
{
    cursor->at++;
    item->type = HTTP_SFV_BOOLEAN;
    item->integer = sfv_take(cursor, '1');
    return item->integer == 1 || sfv_take(cursor, '0');
}

static bool sfv_bare_item(struct sfv_cursor *cursor, struct http_sfv_member *item)
{
    if (cursor->at == cursor->end) {
        return false;
    }
    switch (*cursor->at) {
    case '"':
        return sfv_string(cursor, item);
    case ':':
        return sfv_bytes(cursor, item);
    case '?':
        return sfv_boolean(cursor, item);
    case '*':
        return sfv_token(cursor, item);
    default:
        return sfv_is_alpha(*cursor->at) ? sfv_token(cursor, item) : sfv_number(cursor, item);
    }
}

static bool sfv_parameters(struct sfv_cursor *cursor)
{
    while (sfv_take(cursor, ';')) {
        struct http_sfv_member ignored = {0};
        sfv_skip_spaces(cursor);
        if (!sfv_key(cursor, &ignored.key) ||
            (sfv_take(cursor, '=') && !sfv_bare_item(cursor, &ignored))) {
            return false;
        }
    }
    return true;
}

/* Behind the opening bracket. */
static bool sfv_inner_list(struct sfv_cursor *cursor, struct http_sfv_member *list)
{
    const char *from = cursor->at;

    list->type = HTTP_SFV_LIST;
    for (;;) {
        struct http_sfv_member ignored = {0};
        sfv_skip_spaces(cursor);
        list->text = span_of(from, (size_t)(cursor->at - from));
        if (sfv_take(cursor, ')')) {
            return true;
        }
        if (!sfv_bare_item(cursor, &ignored) || !sfv_parameters(cursor) ||
            cursor->at == cursor->end || (*cursor->at != ' ' && *cursor->at != ')')) {
            return false;
        }
    }
}

/* Behind a member: the end, or a comma with something behind it. */
static bool sfv_separator(struct sfv_cursor *cursor)
{
    sfv_skip_blanks(cursor);
    if (cursor->at == cursor->end) {
        return true;
    }
    if (!sfv_take(cursor, ',')) {
        return false;
    }
    sfv_skip_blanks(cursor);
    return cursor->at < cursor->end;
}

enum http_sfv http_sfv_next(struct span *rest, struct http_sfv_member *member)
{
    struct span text = span_trim(*rest);

    if (text.len == 0) {
        return HTTP_SFV_END;
    }
    struct sfv_cursor cursor = {.at = text.ptr, .end = text.ptr + text.len};
    *member = (struct http_sfv_member){0};
    if (!sfv_key(&cursor, &member->key)) {
        return HTTP_SFV_ERROR;
    }
    bool is_read;
    if (!sfv_take(&cursor, '=')) {
        member->type = HTTP_SFV_BOOLEAN;
        member->integer = 1;
        is_read = true;
    } else {
        is_read = sfv_take(&cursor, '(') ? sfv_inner_list(&cursor, member)
                                         : sfv_bare_item(&cursor, member);
    }
    if (!is_read || !sfv_parameters(&cursor) || !sfv_separator(&cursor)) {
        return HTTP_SFV_ERROR;
    }
    *rest = span_of(cursor.at, (size_t)(cursor.end - cursor.at));
    return HTTP_SFV_MEMBER;
}
