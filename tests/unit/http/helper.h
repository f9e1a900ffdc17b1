#ifndef TESTS_HTTP_HELPER_H
#define TESTS_HTTP_HELPER_H
/* helper - turns text into parsed messages for the tests of this folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"
#include "http/request.h"
#include "http/response.h"

#define FIELDS_MAX 64

struct message {
    struct http_field items[FIELDS_MAX];
    struct http_fields fields;
    struct http_request request;
    struct http_response response;
    char text[8192];
    size_t used;
};

static const struct http_limits test_limits = {
    .head_bytes = 4096, .target_bytes = 1024, .fields_count = 32};

/* Parses field lines ("A: b\r\nC: d\r\n") into message->fields. */
static inline struct http_fields *message_fields(struct message *message, const char *lines)
{
    int len = snprintf(message->text, sizeof(message->text), "HTTP/1.1 200 OK\r\n%s", lines);
    assert_true(len > 0 && (size_t)len < sizeof(message->text));
    http_fields_init(&message->response.fields, message->items, FIELDS_MAX);
    if (http_response_parse(&message->response, span_str(message->text), &test_limits) !=
        HTTP_PARSE_DONE) {
        fail_msg("fields refused: %s: %s", message->response.error_reason, lines);
    }
    message->fields = message->response.fields;
    return &message->fields;
}

/* Parses a whole response head. */
static inline struct http_response *message_response(struct message *message, const char *head)
{
    int len = snprintf(message->text, sizeof(message->text), "%s", head);
    assert_true(len > 0 && (size_t)len < sizeof(message->text));
    http_fields_init(&message->response.fields, message->items, FIELDS_MAX);
    if (http_response_parse(&message->response, span_str(message->text), &test_limits) !=
        HTTP_PARSE_DONE) {
        fail_msg("response refused: %s: %s", message->response.error_reason, head);
    }
    return &message->response;
}

static inline void assert_span(struct span actual, const char *expected)
{
    if (!span_eq(actual, span_str(expected))) {
        fail_msg("got \"%.*s\", expected \"%s\"", (int)actual.len,
                 actual.ptr == NULL ? "" : actual.ptr, expected);
    }
}
#endif
