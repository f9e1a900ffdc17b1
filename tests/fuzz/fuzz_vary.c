// layer: http
/* Vary: the input is field lines of a response and, behind a line "--", of two requests. A selector
 * matches the request it came from; without a Content-Language it matches another exactly when that
 * one makes the same selector; and any bytes at all are read within their bounds. */
#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "http/response.h"
#include "http/vary.h"

#define ITEMS 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct part {
    struct http_field items[ITEMS];
    struct http_fields fields;
};

/* The lines up to the next "--"; false: no fields. */
static bool read_part(struct part *part, struct span *rest, struct buf *room)
{
    const struct http_limits limits = {.head_bytes = 4096, .fields_count = ITEMS};
    struct http_response response = {.fields = {.items = part->items, .capacity = ITEMS}};
    const char *end = memmem(rest->ptr, rest->len, "--\n", 3);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->ptr);

    buf_puts(room, "HTTP/1.1 200 OK\r\n");
    for (size_t i = 0; i < len; i++) {
        if (rest->ptr[i] == '\n') {
            buf_putc(room, '\r');
        }
        buf_putc(room, rest->ptr[i]);
    }
    size_t used = end == NULL ? len : len + 3;
    *rest = span_of(rest->ptr + used, rest->len - used);
    bool is_read = http_response_parse(&response, buf_span(room), &limits) == HTTP_PARSE_DONE;
    part->fields = response.fields;
    return is_read;
}

static void compare(struct part parts[3])
{
    struct buf first;
    struct buf second;

    buf_init(&first, 1 << 16);
    buf_init(&second, 1 << 16);
    enum http_vary kind = http_selector_build(&first, &parts[0].fields, &parts[1].fields);
    CHECK((kind == HTTP_VARY_STAR) == http_vary_is_star(&parts[0].fields));
    if (kind != HTTP_VARY_STAR) {
        CHECK(http_selector_build(&second, &parts[0].fields, &parts[2].fields) == kind);
        CHECK(http_selector_matches(buf_span(&first), &parts[1].fields));
        CHECK(http_selector_matches(buf_span(&second), &parts[2].fields));
        bool is_same = span_eq(buf_span(&first), buf_span(&second));
        bool matches = http_selector_matches(buf_span(&first), &parts[2].fields);
        CHECK(matches || !is_same);
        if (!http_fields_has(&parts[0].fields, HTTP_FIELD_CONTENT_LANGUAGE)) {
            CHECK(matches == is_same);
            CHECK(http_selector_matches(buf_span(&second), &parts[1].fields) == matches);
        }
    }
    buf_free(&first);
    buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct part parts[3];
    struct buf rooms[3];
    bool is_read = true;
    char *text = mem_try(size + 1);

    memcpy(text, data, size);
    struct span rest = span_of(text, size);
    for (size_t i = 0; i < 3; i++) {
        buf_init(&rooms[i], 1 << 16);
        is_read = read_part(&parts[i], &rest, &rooms[i]) && is_read;
    }
    if (is_read) {
        compare(parts);
    }
    (void)http_selector_matches(span_of(text, size), &parts[1].fields);
    for (size_t i = 0; i < 3; i++) {
        buf_free(&rooms[i]);
    }
    mem_free(text);
    return 0;
}
