/*
 * vary - selector = 1*( name-length name kind value-length value ), lengths as 16- and 32-bit
 * little endian numbers, names in lower case and sorted so that "Vary: a, b" and "Vary: b, a" are
 * one.
 *
 * The value is produced by one routine per kind that writes into a sink; the sink either appends to
 * a buffer (build) or compares with the stored bytes as they come (match), so both can only agree
 * and matching needs no memory.
 */
#include "http/vary.h"

#include "base/check.h"
#include "http/scan.h"

enum vary_kind {
    VARY_ABSENT = 0,   /* the request had no such field */
    VARY_RAW = 1,      /* members joined with "," */
    VARY_ENCODING = 2, /* one byte of codings, then unknown ones */
    VARY_RETIRED = 3,  /* languages as once written: matches nothing */
    VARY_CODINGS = 4,  /* one byte of the codings in use */
    VARY_LANGUAGE = 5, /* tag of the response "\n" ranges by falling weight, then by name */
};

/* Between the tag and the ranges; in no field value. */
#define VARY_TAG_END '\n'

struct vary_sink {
    struct buf *out;      /* append here, or */
    struct span expected; /* compare with this */
    size_t at;
    bool differs;
};

static void vary_emit(struct vary_sink *sink, struct span data)
{
    if (sink->out != NULL) {
        buf_append(sink->out, data);
        return;
    }
    if (sink->differs || sink->expected.len - sink->at < data.len ||
        (data.len > 0 && memcmp(sink->expected.ptr + sink->at, data.ptr, data.len) != 0)) {
        sink->differs = true;
        return;
    }
    sink->at += data.len;
}

static void vary_emit_lower(struct vary_sink *sink, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.ptr[i]);
        vary_emit(sink, span_of(&c, 1));
    }
}

/* The next line with this name at or after *at. */
static const struct http_field *vary_next(const struct http_fields *fields, struct span name,
                                          enum http_field_id id, unsigned *at)
{
    /* The latter is for a proxy, no origin sees it (RFC 9110 11.7.2): passwords are not kept. */
    if (!http_fields_has(fields, id) || id == HTTP_FIELD_PROXY_AUTHORIZATION) {
        return NULL;
    }
    while (*at < fields->count) {
        const struct http_field *field = &fields->items[(*at)++];
        if (field->id == id && (id != HTTP_FIELD_OTHER || span_eq_nocase(field->name, name))) {
            return field;
        }
    }
    return NULL;
}

/* Members as they came, "," between. A Cookie is no list (commas occur in its values). */
static void vary_raw(struct vary_sink *sink, const struct http_fields *fields, struct span name,
                     enum http_field_id id)
{
    unsigned at = 0;
    bool first = true;
    const struct http_field *field;

    while ((field = vary_next(fields, name, id, &at)) != NULL) {
        struct span value = field->value;
        struct span member = value;
        while (id == HTTP_FIELD_COOKIE || http_list_next(&value, &member)) {
            if (!first) {
                vary_emit(sink, SPAN(","));
            }
            first = false;
            vary_emit(sink, member);
            if (id == HTTP_FIELD_COOKIE) {
                break;
            }
        }
    }
}

/* 0..1000 from ";q=0.5"; 1000 without a weight or with one that cannot be read. */
static unsigned vary_weight(struct span parameters)
{
    static const unsigned place[] = {100, 10, 1};

    struct span one;

    while (http_part_next(&parameters, &one)) {
        if (one.len < 3 || ascii_lower(one.ptr[0]) != 'q' || one.ptr[1] != '=') {
            continue;
        }
        if (one.ptr[2] != '0') {
            return 1000;
        }
        unsigned weight = 0;
        for (size_t i = 4; i < one.len && i < 7; i++) {
            unsigned digit = (unsigned)(unsigned char)one.ptr[i] - '0';
            weight += digit <= 9 ? digit * place[i - 4] : 0;
        }
        return weight;
    }
    return 1000;
}

/* Splits "name;q=0.5". */
static struct span vary_split(struct span member, unsigned *weight)
{
    struct span name = {0};

    (void)http_part_next(&member, &name);
    *weight = vary_weight(member);
    return name;
}

enum vary_coding {
    VARY_GZIP = 0x01,
    VARY_BR = 0x02,
    VARY_ZSTD = 0x04,
    VARY_DEFLATE = 0x08,
    VARY_ANY = 0x10,
    VARY_NO_IDENTITY = 0x20, /* identity;q=0 */
    VARY_NO_OTHER = 0x40,    /* *;q=0 */
    VARY_IDENTITY = 0x80,    /* never in a mask: says that there was something to read */
    VARY_KNOWN = VARY_GZIP | VARY_BR | VARY_ZSTD | VARY_DEFLATE,
    /* Origins answer with these; what else is offered only makes variants explode. */
    VARY_IN_USE = VARY_GZIP | VARY_BR | VARY_ZSTD | VARY_ANY | VARY_NO_IDENTITY | VARY_NO_OTHER,
};

/* The bit of a coding we know; 0 for others. */
static unsigned vary_coding_bit(struct span name)
{
    switch (name.len) {
    case 1:
        return name.ptr[0] == '*' ? VARY_ANY : 0;
    case 2:
        return span_eq_nocase(name, SPAN("br")) ? VARY_BR : 0;
    case 4:
        if (span_eq_nocase(name, SPAN("gzip"))) {
            return VARY_GZIP;
        }
        return span_eq_nocase(name, SPAN("zstd")) ? VARY_ZSTD : 0;
    case 6:
        return span_eq_nocase(name, SPAN("x-gzip")) ? VARY_GZIP : 0;
    case 7:
        return span_eq_nocase(name, SPAN("deflate")) ? VARY_DEFLATE : 0;
    case 8:
        return span_eq_nocase(name, SPAN("identity")) ? VARY_IDENTITY : 0;
    default:
        return 0;
    }
}

/* What the lines say; *others: there were codings we do not know. "*" accepts all that is not
 * refused by name, so it is spelled out. */
static unsigned vary_coding_mask(const struct http_fields *fields, bool *others)
{
    unsigned accepted = 0;
    unsigned refused = 0;
    unsigned at = 0;
    const struct http_field *field;

    while ((field = http_fields_next(fields, HTTP_FIELD_ACCEPT_ENCODING, &at)) != NULL) {
        struct span value = field->value;
        struct span member;
        while (http_list_next(&value, &member)) {
            unsigned weight;
            unsigned bit = vary_coding_bit(vary_split(member, &weight));
            *others = *others || bit == 0;
            *(weight > 0 ? &accepted : &refused) |= bit;
        }
    }
    if ((accepted & VARY_ANY) != 0) {
        accepted |= VARY_KNOWN & ~refused;
    }
    return (accepted & (VARY_KNOWN | VARY_ANY)) |
           ((refused & VARY_IDENTITY) != 0 ? (unsigned)VARY_NO_IDENTITY : 0u) |
           ((refused & VARY_ANY) != 0 ? (unsigned)VARY_NO_OTHER : 0u);
}

/* Which codings are accepted, whatever the order and weights: browsers differ in those, and each
 * would otherwise get variants of its own. */
static void vary_codings(struct vary_sink *sink, const struct http_fields *fields)
{
    bool others = false;
    char mask = (char)(unsigned char)(vary_coding_mask(fields, &others) & VARY_IN_USE);

    vary_emit(sink, span_of(&mask, 1));
}

/* The same of all codings: unknown ones follow the mask by name. */
static void vary_encoding(struct vary_sink *sink, const struct http_fields *fields)
{
    bool others = false;
    char mask = (char)(unsigned char)vary_coding_mask(fields, &others);
    unsigned at = 0;
    const struct http_field *field;

    vary_emit(sink, span_of(&mask, 1));
    while (others && (field = http_fields_next(fields, HTTP_FIELD_ACCEPT_ENCODING, &at)) != NULL) {
        struct span value = field->value;
        struct span member;
        while (http_list_next(&value, &member)) {
            unsigned weight;
            struct span name = vary_split(member, &weight);
            if (vary_coding_bit(name) == 0) {
                vary_emit_lower(sink, name);
                vary_emit(sink, weight == 0 ? SPAN(";q=0,") : SPAN(","));
            }
        }
    }
}

/* May the response be told apart by the codings in use alone? Not when it has another itself. */
static bool vary_has_usual_coding(const struct http_fields *response)
{
    unsigned at = 0;
    const struct http_field *field;

    while ((field = http_fields_next(response, HTTP_FIELD_CONTENT_ENCODING, &at)) != NULL) {
        struct span value = field->value;
        struct span member;
        while (http_list_next(&value, &member)) {
            if ((vary_coding_bit(member) & (VARY_IN_USE | VARY_IDENTITY) & ~(unsigned)VARY_ANY) ==
                0) {
                return false;
            }
        }
    }
    return true;
}

#define VARY_LANGUAGES 32

struct vary_language {
    struct span range;
    unsigned weight;
};

static int vary_compare_nocase(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;

    for (size_t i = 0; i < len; i++) {
        unsigned char x = (unsigned char)ascii_lower(a.ptr[i]);
        unsigned char y = (unsigned char)ascii_lower(b.ptr[i]);
        if (x != y) {
            return x < y ? -1 : 1;
        }
    }
    return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

static bool vary_language_before(const struct vary_language *a, const struct vary_language *b)
{
    return a->weight != b->weight ? a->weight > b->weight
                                  : vary_compare_nocase(a->range, b->range) < 0;
}

/* Sorted: heaviest first, equal weights by name. False: more than there is room for. */
static bool vary_languages(const struct http_fields *fields, struct vary_language *languages,
                           unsigned *count)
{
    unsigned at = 0;
    const struct http_field *field;

    *count = 0;
    while ((field = http_fields_next(fields, HTTP_FIELD_ACCEPT_LANGUAGE, &at)) != NULL) {
        struct span value = field->value;
        struct span member;
        while (http_list_next(&value, &member)) {
            struct vary_language language = {0};
            if (*count == VARY_LANGUAGES) {
                return false;
            }
            language.range = vary_split(member, &language.weight);
            unsigned place = (*count)++;
            while (place > 0 && vary_language_before(&language, &languages[place - 1])) {
                languages[place] = languages[place - 1];
                place--;
            }
            languages[place] = language;
        }
    }
    return true;
}

/* The weights themselves do not count, only the order, whether two are equal, and whether a range
 * is refused. */
static void vary_language(struct vary_sink *sink, const struct http_fields *fields)
{
    struct vary_language languages[VARY_LANGUAGES];
    unsigned count;

    if (!vary_languages(fields, languages, &count)) {
        vary_raw(sink, fields, (struct span){0}, HTTP_FIELD_ACCEPT_LANGUAGE);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        if (i > 0) {
            vary_emit(sink, languages[i].weight == languages[i - 1].weight ? SPAN(",") : SPAN(">"));
        }
        vary_emit_lower(sink, languages[i].range);
        if (languages[i].weight == 0) {
            vary_emit(sink, SPAN(";q=0"));
        }
    }
}

/* Is this language the one liked best, and no other as much? */
static bool vary_likes_best(const struct http_fields *request, struct span tag)
{
    struct vary_language languages[VARY_LANGUAGES];
    unsigned count;

    return tag.len > 0 && vary_languages(request, languages, &count) && count > 0 &&
           languages[0].weight > 0 && (count == 1 || languages[0].weight > languages[1].weight) &&
           span_eq_nocase(languages[0].range, tag);
}

/* The only language of the response, or nothing. */
static struct span vary_content_language(const struct http_fields *response)
{
    struct span value = http_fields_find(response, HTTP_FIELD_CONTENT_LANGUAGE);
    struct span tag;
    struct span more;

    if (http_fields_count(response, HTTP_FIELD_CONTENT_LANGUAGE) != 1 ||
        !http_list_next(&value, &tag) || http_list_next(&value, &more) || !http_is_token(tag) ||
        span_eq(tag, SPAN("*"))) {
        return (struct span){0};
    }
    return tag;
}

/* May a value of this kind stand for this field of the request? */
static bool vary_kind_fits(unsigned kind, const struct http_fields *request, struct span name,
                           enum http_field_id id)
{
    unsigned at = 0;
    bool is_there = vary_next(request, name, id, &at) != NULL;

    switch (kind) {
    case VARY_ABSENT:
        return !is_there;
    case VARY_RAW:
        return is_there && id != HTTP_FIELD_ACCEPT_ENCODING && id != HTTP_FIELD_ACCEPT_LANGUAGE;
    case VARY_ENCODING:
    case VARY_CODINGS:
        return is_there && id == HTTP_FIELD_ACCEPT_ENCODING;
    case VARY_LANGUAGE:
        return is_there && id == HTTP_FIELD_ACCEPT_LANGUAGE;
    default:
        return false;
    }
}

static enum vary_kind vary_kind_of(const struct http_fields *response,
                                   const struct http_fields *request, struct span name)
{
    enum http_field_id id = http_field_id_of(name);
    unsigned at = 0;

    if (vary_next(request, name, id, &at) == NULL) {
        return VARY_ABSENT;
    }
    if (id == HTTP_FIELD_ACCEPT_ENCODING) {
        return vary_has_usual_coding(response) ? VARY_CODINGS : VARY_ENCODING;
    }
    return id == HTTP_FIELD_ACCEPT_LANGUAGE ? VARY_LANGUAGE : VARY_RAW;
}

/* The request's side of a value. */
static void vary_value(struct vary_sink *sink, enum vary_kind kind,
                       const struct http_fields *request, struct span name)
{
    switch (kind) {
    case VARY_ABSENT:
    case VARY_RETIRED:
        break;
    case VARY_RAW:
        vary_raw(sink, request, name, http_field_id_of(name));
        break;
    case VARY_ENCODING:
        vary_encoding(sink, request);
        break;
    case VARY_CODINGS:
        vary_codings(sink, request);
        break;
    case VARY_LANGUAGE:
        vary_language(sink, request);
        break;
    }
}

static bool vary_value_matches(enum vary_kind kind, struct span value,
                               const struct http_fields *request, struct span name)
{
    if (kind == VARY_LANGUAGE) {
        const char *end = memchr(value.ptr, VARY_TAG_END, value.len);
        if (end == NULL) {
            return false;
        }
        size_t tag_len = (size_t)(end - value.ptr);
        if (vary_likes_best(request, span_of(value.ptr, tag_len))) {
            return true;
        }
        value = span_of(end + 1, value.len - tag_len - 1);
    }
    struct vary_sink sink = {.expected = value};
    vary_value(&sink, kind, request, name);
    return !sink.differs && sink.at == value.len;
}

/* All names of all Vary lines, sorted, without duplicates; false for "*", junk or too many. */
static bool vary_names(const struct http_fields *response, struct span names[HTTP_VARY_NAMES],
                       unsigned *count)
{
    unsigned at = 0;
    const struct http_field *field;

    *count = 0;
    while ((field = http_fields_next(response, HTTP_FIELD_VARY, &at)) != NULL) {
        struct span value = field->value;
        struct span member;
        while (http_list_next(&value, &member)) {
            unsigned place = *count;
            int order = 1;
            if (span_eq(member, SPAN("*")) || !http_is_token(member)) {
                return false;
            }
            while (place > 0 && (order = vary_compare_nocase(member, names[place - 1])) < 0) {
                place--;
            }
            if (place > 0 && order == 0) {
                continue;
            }
            if (*count == HTTP_VARY_NAMES) {
                return false;
            }
            memmove(&names[place + 1], &names[place], (*count - place) * sizeof(names[0]));
            names[place] = member;
            ++*count;
        }
    }
    return true;
}

bool http_vary_is_star(const struct http_fields *response)
{
    struct span names[HTTP_VARY_NAMES];
    unsigned count;

    return http_fields_has(response, HTTP_FIELD_VARY) && !vary_names(response, names, &count);
}

static void vary_put_number(char *out, unsigned bytes, size_t value)
{
    for (unsigned i = 0; i < bytes; i++) {
        out[i] = (char)(unsigned char)(value & 255);
        value >>= 8;
    }
}

static size_t vary_get_number(const char *from, unsigned bytes)
{
    size_t value = 0;

    for (unsigned i = bytes; i-- > 0;) {
        value = value << 8 | (unsigned char)from[i];
    }
    return value;
}

enum http_vary http_selector_build(struct buf *out, const struct http_fields *response,
                                   const struct http_fields *request)
{
    struct span names[HTTP_VARY_NAMES];
    struct vary_sink sink = {.out = out};
    unsigned count;

    if (!http_fields_has(response, HTTP_FIELD_VARY)) {
        return HTTP_VARY_NONE;
    }
    if (!vary_names(response, names, &count)) {
        return HTTP_VARY_STAR;
    }
    for (unsigned i = 0; i < count; i++) {
        char number[4];
        enum vary_kind kind = vary_kind_of(response, request, names[i]);
        if (names[i].len > UINT16_MAX) {
            return HTTP_VARY_STAR;
        }
        vary_put_number(number, 2, names[i].len);
        buf_append(out, span_of(number, 2));
        vary_emit_lower(&sink, names[i]);
        buf_putc(out, (char)kind);
        size_t place = out->len;
        buf_append(out, span_of("\0\0\0\0", 4));
        if (kind == VARY_LANGUAGE) {
            vary_emit_lower(&sink, vary_content_language(response));
            buf_putc(out, VARY_TAG_END);
        }
        vary_value(&sink, kind, request, names[i]);
        if (out->failed) {
            return HTTP_VARY_STAR;
        }
        vary_put_number(out->data + place, 4, out->len - place - 4);
    }
    return count == 0 ? HTTP_VARY_NONE : HTTP_VARY_SOME;
}

/* One name of a selector. */
struct vary_part {
    struct span name, value;
    unsigned kind;
};

/* Takes the next one off. False for damaged bytes. */
static bool vary_part_next(struct span *selector, struct vary_part *part)
{
    const char *at = selector->ptr;
    size_t left = selector->len;

    if (left < 2) {
        return false;
    }
    size_t name_len = vary_get_number(at, 2);
    if (name_len == 0 || left - 2 < name_len || left - 2 - name_len < 5) {
        return false;
    }
    size_t value_len = vary_get_number(at + 3 + name_len, 4);
    if (left - 7 - name_len < value_len) {
        return false;
    }
    *part = (struct vary_part){
        .name = span_of(at + 2, name_len),
        .value = span_of(at + 7 + name_len, value_len),
        .kind = (unsigned char)at[2 + name_len],
    };
    *selector = span_of(part->value.ptr + value_len, left - 7 - name_len - value_len);
    return true;
}

bool http_selector_matches(struct span selector, const struct http_fields *request)
{
    struct vary_part part;

    while (selector.len > 0) {
        if (!vary_part_next(&selector, &part) ||
            !vary_kind_fits(part.kind, request, part.name, http_field_id_of(part.name)) ||
            !vary_value_matches((enum vary_kind)part.kind, part.value, request, part.name)) {
            return false;
        }
    }
    return true;
}

bool http_selector_is_personal(struct span selector)
{
    struct vary_part part;

    while (selector.len > 0 && vary_part_next(&selector, &part)) {
        if (span_eq(part.name, SPAN("cookie")) || span_eq(part.name, SPAN("authorization"))) {
            return true;
        }
    }
    return false;
}
