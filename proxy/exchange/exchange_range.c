/*
 * exchange_range - heads of 206 and 416, and the plan of a multipart body (RFC 9110 14.6, 15.3.7,
 * 15.5.17).
 */
#include "base/buf.h"
#include "exchange/exchange_plan.h"
#include "http/byteranges.h"
#include "http/head.h"

#define BOUNDARY_RANDOM_BYTES 15u

struct exchange_plan *exchange_plan_new(struct exchange *x, const struct http_range_set *set)
{
    struct exchange_plan *plan = arena_alloc(&x->arena, sizeof(*plan));
    if (plan != NULL) {
        *plan = (struct exchange_plan){.set = *set, .position = set->parts[0].first};
    }
    return plan;
}

/* Of no use to somebody who writes content: it is chosen after the content is. */
static struct span boundary_new(struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[BOUNDARY_RANDOM_BYTES];
    char *out = arena_alloc(arena, 2 * sizeof(random));
    if (out == NULL) {
        return span_of(NULL, 0);
    }
    random_bytes(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        out[2 * i] = digits[random[i] >> 4];
        out[2 * i + 1] = digits[random[i] & 15];
    }
    return span_of(out, 2 * sizeof(random));
}

bool exchange_plan_multipart(struct exchange *x, const struct http_range_set *set, uint64_t length)
{
    struct exchange_plan *plan = exchange_plan_new(x, set);
    struct http_byteranges body = {
        .boundary = boundary_new(&x->arena),
        .content_type = http_head_find(store_object_head(x->object), HTTP_FIELD_CONTENT_TYPE),
        .length = length,
    };
    struct buf text;
    buf_init(&text, EXCHANGE_ARENA_LIMIT);
    for (unsigned i = 0; plan != NULL && i <= set->count; i++) {
        buf_clear(&text);
        if (i < set->count) {
            http_byteranges_open(&text, &body, &set->parts[i], i == 0);
        } else {
            http_byteranges_close(&text, &body);
        }
        plan->text[i] = arena_copy(&x->arena, buf_span(&text));
    }
    bool is_done = plan != NULL && !text.failed && !x->arena.overflow;
    buf_free(&text);
    x->plan = is_done ? plan : NULL;
    return is_done;
}

static void put_field(struct buf *head, const struct http_field *field)
{
    buf_append(head, field->name);
    buf_puts(head, ": ");
    buf_append(head, field->value);
    buf_puts(head, "\r\n");
}

/* A 416 is about the request: what describes the stored content, how to renew it, and how long it
 * may be used stays out. */
static bool is_of_content(const struct http_field *field)
{
    switch ((enum http_field_id)field->id) {
    case HTTP_FIELD_CONTENT_TYPE:
    case HTTP_FIELD_CONTENT_ENCODING:
    case HTTP_FIELD_CONTENT_LANGUAGE:
    case HTTP_FIELD_CONTENT_LOCATION:
    case HTTP_FIELD_ETAG:
    case HTTP_FIELD_LAST_MODIFIED:
    case HTTP_FIELD_CACHE_CONTROL:
    case HTTP_FIELD_CDN_CACHE_CONTROL:
    case HTTP_FIELD_EXPIRES:
    case HTTP_FIELD_SET_COOKIE:
        return true;
    default:
        return span_eq_nocase(field->name, SPAN("Content-Disposition"));
    }
}

/* The stored fields that go on. multipart: the parts say their own type. */
static void put_fields(struct buf *head, const struct http_fields *fields, bool multipart,
                       bool unsatisfiable)
{
    for (unsigned i = 0; i < fields->count; i++) {
        const struct http_field *field = &fields->items[i];
        if (field->id == HTTP_FIELD_CONTENT_LENGTH || field->id == HTTP_FIELD_CONTENT_RANGE ||
            (multipart && field->id == HTTP_FIELD_CONTENT_TYPE) ||
            (unsatisfiable && is_of_content(field)) || http_field_sums_content(field)) {
            continue;
        }
        put_field(head, field);
    }
}

/* Length of the multipart body, its type written. */
static uint64_t put_multipart(struct buf *head, const struct exchange_plan *plan)
{
    struct span close = plan->text[plan->set.count];
    /* CRLF "--" boundary "--" CRLF */
    const struct http_byteranges body = {.boundary = span_of(close.ptr + 4, close.len - 8)};
    uint64_t length = close.len;
    for (unsigned i = 0; i < plan->set.count; i++) {
        const struct http_range_part *part = &plan->set.parts[i];
        length += plan->text[i].len + (part->last - part->first + 1);
    }
    buf_puts(head, "Content-Type: ");
    http_byteranges_type(head, &body);
    buf_puts(head, "\r\n");
    return length;
}

static void put_content_range(struct buf *head, const struct http_range_part *part, uint64_t length)
{
    char range[HTTP_CONTENT_RANGE_BYTES];
    buf_puts(head, "Content-Range: ");
    buf_append(head, span_of(range, http_content_range_write(range, part, length)));
    buf_puts(head, "\r\n");
}

bool exchange_range_head(struct exchange *x, const struct http_range_set *set, uint64_t length,
                         struct buf *head)
{
    struct http_field items[STORED_FIELDS_MAX];
    struct http_fields fields;
    unsigned status;
    bool multipart = set != NULL && set->count > 1;
    http_fields_init(&fields, items, ARRAY_LEN(items));
    if (!http_head_read(exchange_object_head(x), &status, &fields)) {
        return false;
    }
    buf_puts(head, set != NULL ? "HTTP/1.1 206 Partial Content\r\n"
                               : "HTTP/1.1 416 Range Not Satisfiable\r\n");
    put_fields(head, &fields, multipart, set == NULL);
    uint64_t body = 0;
    x->status = set != NULL ? 206 : 416;
    x->offset = 0;
    x->end = 0;
    if (multipart) {
        body = put_multipart(head, x->plan);
    } else {
        const struct http_range_part *part = set != NULL ? &set->parts[0] : NULL;
        put_content_range(head, part, length);
        if (part != NULL) {
            x->offset = part->first;
            x->end = part->last + 1;
        }
        body = x->end - x->offset;
    }
    buf_puts(head, "Content-Length: ");
    buf_put_u64(head, body);
    buf_puts(head, "\r\n");
    return !head->failed;
}
