/*
 * fill_selecting - the request fields by which stored responses are selected (RFC 9111 4.1).
 *
 * The origin chose its response by the fields it was sent. Where those are not the client's - the
 * operator changes some, Connection names some that end here (RFC 9110 7.6.1), or a forward proxy keeps
 * some to itself - the client's own would file the response under values the origin never saw.
 */
#include "fill/discretion.h"
#include "fill/fill_request.h"

/* Does Connection name anything but what becomes of the connection? */
static bool names_fields(const struct http_fields *fields)
{
    unsigned at = 0;
    const struct http_field *field;
    while ((field = http_fields_next(fields, HTTP_FIELD_CONNECTION, &at)) != NULL) {
        if (!span_eq_nocase(field->value, SPAN("keep-alive")) &&
            !span_eq_nocase(field->value, SPAN("close"))) {
            return true;
        }
    }
    return false;
}

/* Copied: they may be needed when the client's bytes are gone. */
static const struct http_fields *fields_of_lines(struct arena *arena, const struct span *lines,
                                                 unsigned count)
{
    struct http_fields *fields = arena_alloc(arena, sizeof(*fields));
    struct http_field *items = arena_alloc(arena, (count + 1) * sizeof(*items));
    if (fields == NULL || items == NULL) {
        return NULL;
    }
    http_fields_init(fields, items, count);
    for (unsigned i = 0; i < count; i++) {
        struct span line = arena_copy(arena, lines[i]);
        const char *colon = line.len == 0 ? NULL : memchr(line.ptr, ':', line.len);
        if (colon == NULL) {
            return NULL;
        }
        size_t name_len = (size_t)(colon - line.ptr);
        (void)http_fields_add(fields, span_of(line.ptr, name_len),
                              span_trim(span_of(colon + 1, line.len - name_len - 1)));
    }
    return fields;
}

const struct http_fields *fill_selecting(struct arena *arena, const struct site *site,
                                         const struct policy *policy,
                                         const struct http_request *request,
                                         const struct site_client *client)
{
    bool is_plain = !site_edits_requests(site) && !names_fields(&request->fields);
    if (LIKELY(is_plain && site->forward == NULL)) {
        return &request->fields;
    }
    struct policy counts;
    const struct span *lines;
    struct fill_request_options options = {
        .site = site,
        .policy = policy,
        .request = request,
        .client = client,
        .shared = true,
    };
    if (is_plain && !discretion_changes(&options)) {
        return &request->fields;
    }
    policy_for_origin(&counts, policy, true);
    options.policy = &counts;
    unsigned count = fill_request_lines(arena, &options, &lines);
    return lines == NULL ? NULL : fields_of_lines(arena, lines, count);
}
