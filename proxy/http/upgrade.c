/* upgrade - see upgrade.h. Protocol names are compared without case (RFC 9110 7.8). */
#include "http/upgrade.h"

static bool upgrade_is_asked(const struct http_request *request)
{
    const struct http_fields *fields = &request->fields;
    /* Content of a HEAD is not sent on: a tunnel would begin with it. */
    bool is_whole = request->method != HTTP_HEAD || request->body == HTTP_BODY_NONE;

    return is_whole && http_fields_has(fields, HTTP_FIELD_UPGRADE) && request->minor_version > 0 &&
           http_fields_has_token(fields, HTTP_FIELD_CONNECTION, SPAN("upgrade"));
}

/* protocol-name ["/" protocol-version] */
static bool upgrade_is_protocol(struct span text)
{
    const char *slash = memchr(text.ptr, '/', text.len);
    size_t name_len = slash == NULL ? text.len : (size_t)(slash - text.ptr);

    return http_is_token(span_of(text.ptr, name_len)) &&
           (slash == NULL || http_is_token(span_of(slash + 1, text.len - name_len - 1)));
}

static bool upgrade_is_allowed(struct span member, const struct span *allowed, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct span name = allowed[i];
        if (span_eq_nocase(member, name)) {
            return true;
        }
        if (memchr(name.ptr, '/', name.len) == NULL && member.len > name.len &&
            member.ptr[name.len] == '/' && span_eq_nocase(span_of(member.ptr, name.len), name)) {
            return true;
        }
    }
    return false;
}

size_t http_upgrade_room(const struct http_request *request)
{
    const struct http_field *field;
    unsigned at = 0;
    size_t room = 0;

    if (!upgrade_is_asked(request)) {
        return 0;
    }
    while ((field = http_fields_next(&request->fields, HTTP_FIELD_UPGRADE, &at)) != NULL) {
        room += field->value.len * 2 + 2; /* "a,b" becomes "a, b" */
    }
    return room;
}

/* The next member that may be offered. Start with *at 0 and an empty *rest. */
static bool upgrade_next(const struct http_fields *fields, const struct span *allowed,
                         unsigned allowed_count, unsigned *at, struct span *rest,
                         struct span *member)
{
    for (;;) {
        while (http_list_next(rest, member)) {
            if (upgrade_is_protocol(*member) &&
                upgrade_is_allowed(*member, allowed, allowed_count)) {
                return true;
            }
        }
        const struct http_field *field = http_fields_next(fields, HTTP_FIELD_UPGRADE, at);
        if (field == NULL) {
            return false;
        }
        *rest = field->value;
    }
}

bool http_upgrade_is_offered(const struct http_request *request, const struct span *allowed,
                             unsigned allowed_count)
{
    struct span rest = {0};
    struct span member;
    unsigned at = 0;

    return upgrade_is_asked(request) &&
           upgrade_next(&request->fields, allowed, allowed_count, &at, &rest, &member);
}

struct span http_upgrade_offer(char *room, const struct http_request *request,
                               const struct span *allowed, unsigned allowed_count)
{
    struct span rest = {0};
    struct span member;
    unsigned at = 0;
    char *end = room;

    while (upgrade_is_asked(request) &&
           upgrade_next(&request->fields, allowed, allowed_count, &at, &rest, &member)) {
        if (end != room) {
            *end++ = ',';
            *end++ = ' ';
        }
        memcpy(end, member.ptr, member.len);
        end += member.len;
    }
    return span_of(room, (size_t)(end - room));
}

static bool upgrade_was_offered(struct span protocol, struct span offered)
{
    struct span member;

    while (http_list_next(&offered, &member)) {
        if (span_eq_nocase(member, protocol)) {
            return true;
        }
    }
    return false;
}

bool http_upgrade_is_accepted(const struct http_response *response, struct span offered)
{
    const struct http_fields *fields = &response->fields;
    const struct http_field *field;
    unsigned at = 0;
    unsigned protocols = 0;

    if (response->status != 101 || response->minor_version == 0 ||
        http_fields_has(fields, HTTP_FIELD_CONTENT_LENGTH) ||
        http_fields_has(fields, HTTP_FIELD_TRANSFER_ENCODING) ||
        !http_fields_has_token(fields, HTTP_FIELD_CONNECTION, SPAN("upgrade"))) {
        return false;
    }
    while ((field = http_fields_next(fields, HTTP_FIELD_UPGRADE, &at)) != NULL) {
        struct span rest = field->value;
        struct span member;
        while (http_list_next(&rest, &member)) {
            if (!upgrade_was_offered(member, offered)) {
                return false;
            }
            protocols++;
        }
    }
    return protocols > 0;
}
