/* coding - Accept-Encoding = #( codings [ weight ] ); weight = OWS ";" OWS "q=" qvalue. */
#include "http/coding.h"

#include <stdint.h>

#include "base/check.h"
#include "http/directives.h"
#include "http/glob.h"

#define WEIGHT_UNNAMED (-1)

/* Members we tell apart; the first three are enum http_coding. */
enum coding_member {
    MEMBER_IDENTITY = HTTP_CODING_IDENTITY,
    MEMBER_GZIP = HTTP_CODING_GZIP,
    MEMBER_BR = HTTP_CODING_BR,
    MEMBER_ZSTD,
    MEMBER_ANY,
    MEMBER_COUNT,
    MEMBER_OTHER = MEMBER_COUNT,
};

struct coding_weights {
    int named[MEMBER_COUNT]; /* 0..1000, WEIGHT_UNNAMED */
};

struct span http_coding_name(enum http_coding coding)
{
    switch (coding) {
    case HTTP_CODING_GZIP:
        return SPAN("gzip");
    case HTTP_CODING_BR:
        return SPAN("br");
    case HTTP_CODING_IDENTITY:
    case HTTP_CODING_COUNT:
        break;
    }
    return SPAN("identity");
}

/* RFC 9110 8.4.1.3: x-gzip is gzip. */
static enum coding_member coding_member_of(struct span name)
{
    static const struct {
        struct span name;
        enum coding_member member;
    } known[] = {
        {{"gzip", 4}, MEMBER_GZIP},   {{"br", 2}, MEMBER_BR},
        {{"*", 1}, MEMBER_ANY},       {{"zstd", 4}, MEMBER_ZSTD},
        {{"x-gzip", 6}, MEMBER_GZIP}, {{"identity", 8}, MEMBER_IDENTITY},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (span_eq_nocase(name, known[i].name)) {
            return known[i].member;
        }
    }
    return MEMBER_OTHER;
}

/* RFC 9110 12.4.2: ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ). 0 for anything else. */
static int coding_qvalue(struct span text)
{
    static const int place[] = {100, 10, 1};
    int weight;

    if (text.len == 0 || text.len > 5 || (text.len > 1 && text.ptr[1] != '.') ||
        (text.ptr[0] != '0' && text.ptr[0] != '1')) {
        return 0;
    }
    weight = text.ptr[0] == '1' ? 1000 : 0;
    for (size_t i = 2; i < text.len; i++) {
        int digit = text.ptr[i] - '0';
        if (digit < 0 || digit > 9) {
            return 0;
        }
        weight += digit * place[i - 2];
    }
    return weight <= 1000 ? weight : 0;
}

int http_weight(struct span parameters)
{
    struct span one;
    struct span name;
    struct span value;

    while (http_part_next(&parameters, &one)) {
        http_part_split(one, &name, &value);
        if (span_eq_nocase(span_trim(name), SPAN("q"))) {
            /* no space around "=": then the name is one byte, and the digits begin behind it */
            return name.len == 1 ? coding_qvalue(value) : 0;
        }
    }
    return 1000;
}

static void coding_read(struct coding_weights *weights, const struct http_fields *request)
{
    unsigned at = 0;
    const struct http_field *field;

    for (unsigned i = 0; i < MEMBER_COUNT; i++) {
        weights->named[i] = WEIGHT_UNNAMED;
    }
    while ((field = http_fields_next(request, HTTP_FIELD_ACCEPT_ENCODING, &at)) != NULL) {
        struct span value = field->value;
        struct span member;
        while (http_list_next(&value, &member)) {
            struct span name = {0};
            (void)http_part_next(&member, &name);
            enum coding_member which = coding_member_of(name);
            if (which == MEMBER_OTHER) {
                continue;
            }
            int weight = http_weight(member);
            if (weights->named[which] == WEIGHT_UNNAMED || weight < weights->named[which]) {
                weights->named[which] = weight;
            }
        }
    }
}

/* 0: not accepted, or (identity alone) accepted without being asked for. */
static int coding_weight_of(const struct coding_weights *weights, enum coding_member member)
{
    int weight = weights->named[member];

    if (weight == WEIGHT_UNNAMED) {
        weight = weights->named[MEMBER_ANY];
    }
    return weight == WEIGHT_UNNAMED ? 0 : weight;
}

enum http_coding http_coding_choose(const struct http_fields *request, unsigned offered)
{
    static const enum http_coding order[] = {HTTP_CODING_BR, HTTP_CODING_GZIP};
    struct coding_weights weights;
    enum http_coding best = HTTP_CODING_IDENTITY;
    int best_weight = 0;

    if (offered == 0 || !http_fields_has(request, HTTP_FIELD_ACCEPT_ENCODING)) {
        return HTTP_CODING_IDENTITY;
    }
    coding_read(&weights, request);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        int weight = coding_weight_of(&weights, (enum coding_member)order[i]);
        if ((offered & http_coding_bit(order[i])) != 0 && weight > best_weight) {
            best = order[i];
            best_weight = weight;
        }
    }
    return coding_weight_of(&weights, MEMBER_IDENTITY) > best_weight ? HTTP_CODING_IDENTITY : best;
}

size_t http_coding_normal(char out[HTTP_CODING_NORMAL_BYTES], const struct http_fields *request)
{
    static const struct {
        enum coding_member member;
        struct span name;
    } order[] = {{MEMBER_BR, {"br", 2}}, {MEMBER_GZIP, {"gzip", 4}}, {MEMBER_ZSTD, {"zstd", 4}}};
    struct coding_weights weights;
    size_t len = 0;

    if (!http_fields_has(request, HTTP_FIELD_ACCEPT_ENCODING)) {
        return 0;
    }
    coding_read(&weights, request);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        if (coding_weight_of(&weights, order[i].member) == 0) {
            continue;
        }
        if (len > 0) {
            out[len++] = ',';
            out[len++] = ' ';
        }
        memcpy(out + len, order[i].name.ptr, order[i].name.len);
        len += order[i].name.len;
    }
    if (len == 0) {
        struct span none = http_coding_name(HTTP_CODING_IDENTITY);
        memcpy(out, none.ptr, none.len);
        len = none.len;
    }
    return len;
}

bool http_media_type_matches(const struct http_media_types *types, struct span content_type)
{
    struct span type = http_without_parameters(content_type);

    for (size_t i = 0; type.len > 0 && i < types->count; i++) {
        if (http_glob_match(span_str(types->list[i]), type, HTTP_GLOB_NOCASE)) {
            return true;
        }
    }
    return false;
}

/* Encoded in a way that is more than "identity"? */
static bool coding_is_encoded(const struct http_fields *fields)
{
    unsigned at = 0;
    const struct http_field *field;

    while ((field = http_fields_next(fields, HTTP_FIELD_CONTENT_ENCODING, &at)) != NULL) {
        if (!span_eq_nocase(field->value, http_coding_name(HTTP_CODING_IDENTITY))) {
            return true;
        }
    }
    return false;
}

/* RFC 9111 5.2.2.6. A targeted field (RFC 9213) may add it, and takes it from nobody: it speaks of
 * caching in place of Cache-Control. */
static bool coding_is_no_transform(const struct http_fields *fields,
                                   const struct http_targeted *targeted)
{
    struct http_directives directives;

    http_directives_of(&directives, fields);
    if (http_directives_has(&directives, HTTP_CC_NO_TRANSFORM)) {
        return true;
    }
    http_directives_of_response(&directives, fields, targeted);
    return http_directives_has(&directives, HTTP_CC_NO_TRANSFORM);
}

bool http_may_encode(const struct http_response *response, const struct http_media_types *types,
                     const struct http_targeted *targeted)
{
    const struct http_fields *fields = &response->fields;
    struct span type = http_fields_find(fields, HTTP_FIELD_CONTENT_TYPE);
    struct span multipart = SPAN("multipart/");

    return response->status == 200 && http_fields_count(fields, HTTP_FIELD_CONTENT_TYPE) == 1 &&
           !http_fields_has(fields, HTTP_FIELD_CONTENT_RANGE) &&
           !(type.len >= multipart.len &&
             span_eq_nocase(span_of(type.ptr, multipart.len), multipart)) &&
           http_media_type_matches(types, type) && !coding_is_encoded(fields) &&
           !coding_is_no_transform(fields, targeted);
}
