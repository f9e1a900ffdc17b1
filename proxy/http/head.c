/* head - what is written here is read by us alone, and yet read strictly: it may come from a disk.
 */
#include "http/head.h"

#include "http/date.h"
#include "http/directives.h"
#include "http/line.h"
#include "http/status.h"

/* Lines of a stored head: what an origin may send (256) and our own. */
#define HEAD_FIELDS 264

static void head_put(struct buf *out, struct span name, struct span value)
{
    buf_append(out, name);
    buf_append(out, SPAN(": "));
    buf_append(out, value);
    buf_append(out, SPAN("\r\n"));
}

static bool head_list_has(struct span list, struct span name)
{
    struct span member;

    while (http_list_next(&list, &member)) {
        if (span_eq_nocase(member, name)) {
            return true;
        }
    }
    return false;
}

/* Fields that are not stored, or that we write ourselves. */
static bool head_leaves_out(const struct http_response *response, const struct http_field *field,
                            const struct http_head_options *options)
{
    switch (field->id) {
    case HTTP_FIELD_AGE:
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_DATE:
        return true;
    case HTTP_FIELD_SET_COOKIE:
        if (options->drop_set_cookie) {
            return true;
        }
        break;
    default:
        break;
    }
    if (head_list_has(options->private_fields, field->name)) {
        return true;
    }
    return http_fields_ends_here(&response->fields, field);
}

static void head_put_date(struct buf *out, const struct http_response *response, int64_t date_s)
{
    struct span own = http_fields_find(&response->fields, HTTP_FIELD_DATE);
    char text[HTTP_DATE_BYTES];

    if (own.ptr != NULL &&
        (date_s == HTTP_DATE_NONE || http_date_parse(own, date_s) != HTTP_DATE_NONE)) {
        head_put(out, SPAN("Date"), own);
    } else if (date_s != HTTP_DATE_NONE) {
        http_date_write(text, date_s);
        head_put(out, SPAN("Date"), span_of(text, sizeof(text)));
    }
}

static void head_put_status(struct buf *out, const struct http_response *response)
{
    buf_append(out, SPAN("HTTP/1.1 "));
    buf_put_u64(out, response->status);
    buf_putc(out, ' ');
    if (response->reason.len > 0) {
        buf_append(out, response->reason);
    } else {
        buf_puts(out, http_status_reason(response->status));
    }
    buf_append(out, SPAN("\r\n"));
}

void http_head_write(struct buf *out, const struct http_response *response,
                     const struct http_head_options *options)
{
    head_put_status(out, response);
    head_put_date(out, response, options->date_s);
    for (unsigned i = 0; i < response->fields.count; i++) {
        const struct http_field *field = &response->fields.items[i];
        if (!head_leaves_out(response, field, options)) {
            head_put(out, field->name, field->value);
        }
    }
    if (options->has_content_length || response->has_content_length) {
        buf_append(out, SPAN("Content-Length: "));
        buf_put_u64(out, options->has_content_length ? options->content_length
                                                     : response->content_length);
        buf_append(out, SPAN("\r\n"));
    }
    if (options->via.len > 0) {
        buf_append(out, response->minor_version == 0 ? SPAN("Via: 1.0 ") : SPAN("Via: 1.1 "));
        buf_append(out, options->via);
        buf_append(out, SPAN("\r\n"));
    }
}

void http_head_write_private(struct buf *out, const struct http_response *response,
                             const struct http_head_options *options)
{
    struct http_head_options all = *options;

    all.private_fields = (struct span){0};
    for (unsigned i = 0; i < response->fields.count; i++) {
        const struct http_field *field = &response->fields.items[i];
        if (head_list_has(options->private_fields, field->name) &&
            !head_leaves_out(response, field, &all)) {
            head_put(out, field->name, field->value);
        }
    }
}

/* The fields that are named by a directive of the head itself. */
typedef struct span head_names(const struct http_directives *directives);

static struct span head_no_cache_fields(const struct http_directives *directives)
{
    return directives->no_cache_fields;
}

static struct span head_private_fields(const struct http_directives *directives)
{
    return directives->private_fields;
}

static bool head_write_without(struct buf *out, struct span head,
                               const struct http_targeted *targeted, head_names *names)
{
    struct http_field items[HEAD_FIELDS];
    struct http_fields fields;
    struct http_directives directives;
    const char *line_end = memchr(head.ptr, '\n', head.len);
    unsigned status;

    http_fields_init(&fields, items, HEAD_FIELDS);
    if (line_end == NULL || !http_head_read(head, &status, &fields)) {
        return false;
    }
    http_directives_of_response(&directives, &fields, targeted);
    buf_append(out, span_of(head.ptr, (size_t)(line_end + 1 - head.ptr)));
    for (unsigned i = 0; i < fields.count; i++) {
        /* Content-Length frames the message, Date dates it. */
        if (items[i].id == HTTP_FIELD_CONTENT_LENGTH || items[i].id == HTTP_FIELD_DATE ||
            !head_list_has(names(&directives), items[i].name)) {
            head_put(out, items[i].name, items[i].value);
        }
    }
    return !out->failed;
}

bool http_head_write_unvalidated(struct buf *out, struct span head,
                                 const struct http_targeted *targeted)
{
    return head_write_without(out, head, targeted, head_no_cache_fields);
}

bool http_head_write_shared(struct buf *out, struct span head, const struct http_targeted *targeted)
{
    return head_write_without(out, head, targeted, head_private_fields);
}

bool http_head_read(struct span head, unsigned *status, struct http_fields *fields)
{
    struct http_response response = {.fields = *fields};
    const struct http_limits limits = {
        .head_bytes = SIZE_MAX,
        .fields_count = fields->capacity,
    };

    if (http_response_parse(&response, head, &limits) != HTTP_PARSE_DONE) {
        return false;
    }
    *fields = response.fields;
    *status = response.status;
    return true;
}

struct span http_head_find(struct span head, enum http_field_id id)
{
    const char *end = head.ptr + head.len;
    const char *at = head.len == 0 ? NULL : memchr(head.ptr, '\n', head.len);
    struct span wanted = http_field_name(id);

    while (at != NULL && ++at < end) {
        /* Only a line that starts like the name is worth reading. */
        if ((size_t)(end - at) > wanted.len && at[wanted.len] == ':' &&
            span_eq_nocase(span_of(at, wanted.len), wanted)) {
            const char *stop = memchr(at, '\n', (size_t)(end - at));
            const char *from = at + wanted.len + 1;
            stop = stop == NULL ? end : stop;
            if (stop > from && stop[-1] == '\r') {
                stop--;
            }
            return span_trim(span_of(from, (size_t)(stop - from)));
        }
        at = memchr(at, '\n', (size_t)(end - at));
    }
    return (struct span){0};
}
